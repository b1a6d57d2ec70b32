"""Checks of chapter 03, convolution."""

import math
import operator
from typing import Any

from helpers.exercises import compare, random_cases


def output_size(answer):
    """`output_size(size, kernel, stride, padding, dilation)`: how long a convolution's output is.

    Source: the documentation of `torch.nn.Conv1d`, section "Shape".
    """
    first = {"size": 28, "kernel": 3, "stride": 1, "padding": 0, "dilation": 1}  # the article's
    # A size of at least 14 holds the largest window, which spans 3·(5 − 1) + 1 = 13 inputs.
    ranges = {"size": (14, 40), "kernel": (1, 5), "stride": (1, 4), "padding": (0, 3)}
    cases = [first, *random_cases(200, **ranges, dilation=(1, 3))]
    compare(answer, lambda **c: _last_start(**c) // c["stride"] + 1, cases, MISTAKES, _same_size)
    return (
        "The window may start at 0, stride, 2·stride, … while its last input, "
        "dilation·(kernel − 1) further on, is still inside size + 2·padding; "
        "the + 1 counts the start at 0."
    )


def _last_start(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """The last place where the window may start."""
    return size + 2 * padding - dilation * (kernel - 1) - 1


def _same_size(result: Any, wanted: int | float) -> bool:
    """A size must be a whole number; where a mistake gives a float, a float is looked for."""
    if isinstance(wanted, float):
        return isinstance(result, float) and math.isclose(result, wanted, rel_tol=1e-9)
    try:
        return operator.index(result) == wanted
    except TypeError:
        return False


MISTAKES = [
    (
        lambda **c: (_last_start(**c) - c["padding"]) // c["stride"] + 1,
        "padding is added at both ends, so it counts twice.",
    ),
    (
        lambda **c: (_last_start(**c) - 2 * c["padding"]) // c["stride"] + 1,
        "padding is ignored; it makes the input longer at both ends.",
    ),
    (
        lambda **c: _last_start(**{**c, "dilation": 1}) // c["stride"] + 1,
        "dilation is ignored; with it the window spans dilation·(kernel − 1) + 1 inputs.",
    ),
    (
        lambda **c: (_last_start(**c) - c["dilation"] + 1) // c["stride"] + 1,
        "dilation stretches the kernel − 1 gaps between the taps, not the kernel taps.",
    ),
    (
        lambda **c: _last_start(**c) + 1,
        "stride is ignored; the window starts only at every stride-th place.",
    ),
    (
        lambda **c: _last_start(**c) // c["stride"],
        "the + 1 at the end is missing: the window that starts at 0 counts as well.",
    ),
    (
        lambda **c: (_last_start(**c) + 1) // c["stride"] + 1,
        "the − 1 inside the division is missing: the window's first input is inside as well.",
    ),
    (
        lambda **c: (_last_start(**c) + 1) // c["stride"],
        "the + 1 stands inside the division: divide first, then add 1 for the start at 0.",
    ),
    (
        lambda **c: c["size"] - c["kernel"] + 1,
        "right for stride 1, padding 0, dilation 1; now bring the three in, one at a time.",
    ),
    (
        lambda **c: math.ceil(_last_start(**c) / c["stride"]) + 1,
        "the division is rounded up, but a window that hangs over the end is dropped: round down.",
    ),
    (
        lambda **c: round(_last_start(**c) / c["stride"]) + 1,
        "the division is rounded to the nearest number: round down, for half a step is no step.",
    ),
    (
        lambda **c: _last_start(**c) / c["stride"] + 1,
        "a size is a whole number: divide with // instead of /.",
    ),
    (
        lambda **c: float(_last_start(**c) // c["stride"] + 1),
        "the value is right, but it is a float, which torch does not take as a size: give an int.",
    ),
]
