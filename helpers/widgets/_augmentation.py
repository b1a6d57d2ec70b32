"""One augmentation of a picture, in numpy and float64; `_augmentation.js` does the same.

The order is flip, geometry, contrast, brightness, noise, erased square, cut to 0…1, 8 bits.
"""

from typing import NamedTuple

import numpy as np

from helpers.widgets._random import uniforms

# Name -> what it may be, in the order in which it is applied; the reader's ranges are the same.
LIMITS = {
    "rotation": (-180, 180),  # degrees, positive against the clock
    "zoom": (0.5, 2),  # factor
    "shift_right": (-0.5, 0.5),  # share of the width
    "shift_down": (-0.5, 0.5),  # share of the height
    "contrast": (0, 2),  # factor about the mean of the picture
    "brightness": (-0.5, 0.5),  # added, where 0 is black and 1 is white
    "noise": (0, 0.3),  # standard deviation
    "erased_size": (0, 0.6),  # side of the square, as a share of the shorter side
    "erased_right": (0, 1),  # share of the room: 0 at the left, 1 at the right
    "erased_down": (0, 1),  # 0 at the top, 1 at the bottom
}
FILLS = ("black", "reflected")
# Each of them changes nothing, the picture stays the original.
ORIGINAL = {
    "flip": False,
    "fill": "black",
    **dict.fromkeys(LIMITS, 0.0),
    **dict.fromkeys(("zoom", "contrast"), 1.0),
    **dict.fromkeys(("erased_right", "erased_down"), 0.5),
}
# Low, high, and to how many parts of 1 the drawn number is rounded.
DRAWN = {
    "rotation": (-30, 30, 1),
    "zoom": (0.8, 1.25, 100),
    "shift_right": (-0.15, 0.15, 100),
    "shift_down": (-0.15, 0.15, 100),
    "contrast": (0.6, 1.4, 100),
    "brightness": (-0.2, 0.2, 100),
    "noise": (0, 0.1, 100),
    "erased_size": (0, 0.4, 100),
    "erased_right": (0, 1, 100),
    "erased_down": (0, 1, 100),
}
EDGE = 1e-9  # what lies beyond a limit by less is rounding


class Augmented(NamedTuple):
    """What comes out, and what was lost on the way; shares are from 0 to 1."""

    levels: np.ndarray  # uint8 (3, height, width)
    low: np.ndarray  # share of the values of each channel that were cut off at 0: float64 (3,)
    high: np.ndarray  # and at 1: float64 (3,)
    outside: float  # share of the pixels whose place lies outside the picture


def drawn_settings(seed: int) -> dict[str, bool | float]:
    """The settings of draw number `seed`: a flip in half of all draws, the others within `DRAWN`.

    >>> drawn_settings(3)["rotation"]
    -30.0
    """
    coin, *numbers = uniforms(2 * seed, 1 + len(DRAWN)).tolist()
    settings = {"flip": coin < 0.5}
    for (name, (low, high, parts)), number in zip(DRAWN.items(), numbers, strict=True):
        settings[name] = float(np.floor((low + (high - low) * number) * parts + 0.5)) / parts
    return settings


def augment(image: np.ndarray, settings: dict) -> Augmented:
    """Augment a picture, uint8 (3, height, width), by all settings of `ORIGINAL`, and `seed`."""
    values = image[:, :, ::-1] / 255 if settings["flip"] else image / 255
    columns, rows = source_places(*image.shape[1:], settings)
    values = _sampled(values, columns, rows, settings["fill"])
    offset = values.mean() * (1 - settings["contrast"]) + settings["brightness"]
    values = values * settings["contrast"] + offset
    values = values + settings["noise"] * normals(settings["seed"], values.size).reshape(
        image.shape
    )
    top, left, side = erased_square(*image.shape[1:], settings)
    values[:, top : top + side, left : left + side] = 0
    low, high = (cut.mean(axis=(1, 2)) for cut in (values < -EDGE, values > 1 + EDGE))
    levels = np.floor(255 * np.clip(values, 0, 1) + 0.5).astype(np.uint8)
    outside = _beyond(columns, image.shape[2]) | _beyond(rows, image.shape[1])
    return Augmented(levels, low, high, float(outside.mean()))


def normals(seed: int, count: int) -> np.ndarray:
    """Numbers with mean 0 and standard deviation 1, float64 (count,), by Box and Muller's method.

    Settings are drawn from even seeds of the generator, noise from odd ones.
    """
    first, second = uniforms(2 * seed + 1, 2 * ((count + 1) // 2)).reshape(2, -1)
    radius, angle = np.sqrt(-2 * np.log(1 - first)), 2 * np.pi * second
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]


def source_places(height: int, width: int, settings: dict) -> tuple[np.ndarray, np.ndarray]:
    """Column and row of the picture that each output pixel shows: two float64 (height, width).

    The inverse of: turn about the centre, make `zoom` times larger, shift.
    """
    angle, zoom = settings["rotation"] * np.pi / 180, settings["zoom"]
    cos, sin = np.cos(angle) / zoom, np.sin(angle) / zoom
    middle = (width - 1) / 2, (height - 1) / 2
    x = middle[0] + settings["shift_right"] * width  # where the centre goes
    y = middle[1] + settings["shift_down"] * height
    down, across = np.mgrid[:height, :width]
    columns = cos * across - sin * down + (middle[0] - cos * x + sin * y)
    return columns, sin * across + cos * down + (middle[1] - sin * x - cos * y)


def erased_square(height: int, width: int, settings: dict) -> tuple[int, int, int]:
    """Top, left and side of the erased square, in pixels."""
    side = int(settings["erased_size"] * min(height, width) + 0.5)
    top = int(settings["erased_down"] * (height - side) + 0.5)
    return top, int(settings["erased_right"] * (width - side) + 0.5), side


def _sampled(values: np.ndarray, columns: np.ndarray, rows: np.ndarray, fill: str) -> np.ndarray:
    """The values at places between pixels, from the four around each: (3, height, width)."""
    height, width = values.shape[1:]
    if fill == "reflected":
        columns, rows = _reflected(columns, width), _reflected(rows, height)
    left, top = np.floor(columns), np.floor(rows)
    right, down = columns - left, rows - top
    black = np.pad(values, ((0, 0), (1, 1), (1, 1)))  # a frame that stands for everything outside

    def at(row: np.ndarray, column: np.ndarray) -> np.ndarray:
        row, column = np.clip(row, -1, height), np.clip(column, -1, width)
        return black[:, row.astype(int) + 1, column.astype(int) + 1]

    above = (1 - right) * (1 - down) * at(top, left) + right * (1 - down) * at(top, left + 1)
    return above + (1 - right) * down * at(top + 1, left) + right * down * at(top + 1, left + 1)


def _reflected(places: np.ndarray, size: int) -> np.ndarray:
    """Mirrored at the outer edges of the first and the last pixel until they lie inside."""
    length = np.abs(places + 0.5)
    turns, rest = np.floor(length / size), np.fmod(length, size)
    return np.clip(np.where(turns % 2 == 1, size - rest, rest) - 0.5, 0, size - 1)


def _beyond(places: np.ndarray, size: int) -> np.ndarray:
    """Outside the picture, whose edges are half a pixel beyond the outer centres."""
    return (places < -0.5 - EDGE) | (places > size - 0.5 + EDGE)
