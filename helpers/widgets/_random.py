"""Random numbers that the browser and Python have in common: `_random.js` makes the same."""

import numpy as np


def uniforms(seed: int, count: int) -> np.ndarray:
    """Numbers from 0 to 1, float64 (count,): mulberry32 by Tommy Ettinger, short anywhere.

    >>> uniforms(0, 2)
    array([0.26642920868471265, 0.0003297457005828619])
    """
    state = np.uint32(seed) + np.arange(1, count + 1, dtype=np.uint32) * np.uint32(0x6D2B79F5)
    mixed = (state ^ state >> 15) * (state | 1)
    mixed ^= mixed + (mixed ^ mixed >> 7) * (mixed | 61)
    return (mixed ^ mixed >> 14) / 2**32
