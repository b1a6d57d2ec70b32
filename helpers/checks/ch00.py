"""Checks of chapter 00, tensors, shapes and notation."""

import functools
from typing import Any

import torch
from torch import Tensor

from helpers.exercises import ask, compare, random_cases


def sum_shape(answer):
    """`sum_shape(shape, axis, keepdim)`: the shape after a sum over one axis."""
    cases = [{"shape": (3, 4, 5), "axis": 1, "keepdim": False}]
    for case in random_cases(60, a=(2, 9), b=(2, 9), c=(2, 9), axis=(-3, 2), keepdim=(0, 1)):
        shape = (case["a"], case["b"], case["c"])
        cases.append({"shape": shape, "axis": case["axis"], "keepdim": bool(case["keepdim"])})
    compare(answer, _sum_shape, cases, SUM_MISTAKES, _same_shape)
    return (
        "The axis that is summed over goes, or stays with length 1; the others keep their "
        "lengths and their order. A negative axis counts from the end."
    )


def center_channels(answer):
    """`center_channels(image)`: the image with the mean of each channel subtracted from it."""
    # As many columns as channels: then lining the means up with the columns raises no error.
    cases = [{"image": torch.arange(8.0).view(2, 2, 2)}]
    for case in random_cases(10, channels=(2, 4), height=(2, 5)):
        size = (case["channels"], case["height"], case["channels"])
        cases.append({"image": torch.randn(size, dtype=torch.float64)})
    compare(answer, _center_channels, cases, CENTER_MISTAKES, _same_tensor)
    return (
        "The mean goes over height and width and keeps both axes with length 1, so that "
        "(channels, 1, 1) is stretched over (channels, height, width)."
    )


def broadcast_shape(answer):
    """`broadcast_shape(first, second)`: the shape of first + second, or a ValueError."""
    cases = [{"first": first, "second": second} for first, second in PAIRS]
    for case in random_cases(100, a=(0, 3), b=(0, 3)):
        first, second = (_random_shape(case[name]) for name in ("a", "b"))
        cases.append({"first": first, "second": second})
    if not callable(answer):
        ask(answer)
    compare(_refusing(answer), _broadcast_shape, cases, BROADCAST_MISTAKES, _same_shape)
    return (
        "From the right, two lengths fit if they are equal or one of them is 1; where the "
        "shorter shape has no axis left, it counts as 1."
    )


REFUSED = "ValueError"
PAIRS = [((2, 3), (2, 3)), ((3, 1), (3, 4)), ((3, 2, 4), (3, 1, 1)), ((4,), (4, 1)), ((), (2,)),
         ((3, 2, 4), (3,)), ((2, 3), (2,)), ((2,), (3,))]  # fmt: skip


def _refusing(answer):
    """The reader's function, with an error that was asked for as a result like any other."""

    @functools.wraps(answer)
    def run(first, second):
        try:
            return answer(first, second)
        except ValueError:
            return REFUSED

    return run


def _random_shape(axes: int) -> tuple[int, ...]:
    return tuple(case["length"] for case in random_cases(axes, length=(1, 3)))


def _same_shape(result: Any, wanted: tuple | str | None) -> bool:
    if isinstance(result, (tuple, list)) and isinstance(wanted, tuple):
        return tuple(result) == wanted
    return isinstance(result, str) and isinstance(wanted, str)


def _same_tensor(result: Any, wanted: Tensor) -> bool:
    """The same shape, and the same numbers to the accuracy of float32."""
    if not isinstance(result, Tensor) or result.shape != wanted.shape:
        return False
    return torch.allclose(result.double(), wanted.double(), rtol=1e-4, atol=1e-5)


def _sum_shape(shape, axis, keepdim):
    return tuple(torch.empty(shape).sum(dim=axis, keepdim=keepdim).shape)


SUM_MISTAKES = [
    (
        lambda shape, axis, keepdim: _sum_shape(shape, axis, False),
        "keepdim is ignored; with it the axis stays, with length 1.",
    ),
    (
        lambda shape, axis, keepdim: _sum_shape(shape, axis, True),
        "the axis always stays here; without keepdim it goes.",
    ),
    (
        lambda shape, axis, keepdim: _sum_shape(shape, axis, not keepdim),
        "keepdim is turned round: True keeps the axis, with length 1.",
    ),
    (
        lambda shape, axis, keepdim: (shape[axis],),
        "this keeps the axis that is summed over and drops the others; it is the other way.",
    ),
    (
        lambda shape, axis, keepdim: _sum_shape(shape, (axis - 1) % 3, keepdim),
        "axes are counted from 0: axis 0 is the first.",
    ),
    (
        lambda shape, axis, keepdim: shape[:axis] + (1,) * keepdim + shape[axis + 1 :],
        "right except for axis −1: shape[axis + 1:] is then shape[0:], which is everything.",
    ),
    (
        lambda shape, axis, keepdim: _sum_shape(shape, abs(axis) % 3, keepdim),
        "a negative axis counts from the end: −1 is the last, len(shape) − 1.",
    ),
]


def _center_channels(image):
    return image - image.mean(dim=(1, 2), keepdim=True)


CENTER_MISTAKES = [
    (
        lambda image: image - image.mean(),
        "this is one mean for the whole image; each channel needs its own.",
    ),
    (
        lambda image: image - image.mean(dim=(1, 2)),
        "means of shape (channels,) meet the columns, here equally many: use keepdim=True.",
    ),
    (
        lambda image: image - image.mean(dim=0),
        "dim=0 adds over the channels: that is one mean for each pixel.",
    ),
    (
        lambda image: image - image.mean(dim=1, keepdim=True),
        "this is one mean for each column of each channel; the width must be summed over too.",
    ),
    (
        lambda image: image - image.mean(dim=2, keepdim=True),
        "this is one mean for each row of each channel; the height must be summed over too.",
    ),
    (
        lambda image: image - image.sum(dim=(1, 2), keepdim=True),
        "the sum was subtracted; the mean is the sum divided by height · width.",
    ),
    (
        lambda image: image.mean(dim=(1, 2), keepdim=True),
        "these are the means; subtract them from the image.",
    ),
    (
        lambda image: -_center_channels(image),
        "the sign is turned round: the image minus the mean.",
    ),
]


def _broadcast_shape(first, second):
    try:
        return tuple(torch.broadcast_shapes(first, second))
    except RuntimeError:
        return REFUSED


def _stretched(pairs) -> tuple[int, ...] | str:
    """The rule, for pairs of lengths that stand at the same place."""
    pairs = list(pairs)
    if any(a != b and 1 not in (a, b) for a, b in pairs):
        return REFUSED
    return tuple(max(a, b) for a, b in pairs)


def _filled(first, second, *, right: bool) -> list[tuple[int, int]]:
    """Pairs of lengths, the shorter shape filled up with 1 in front, or at its end."""
    most = max(len(first), len(second))
    ones = [(1,) * (most - len(shape)) for shape in (first, second)]
    if right:
        return list(zip(ones[0] + first, ones[1] + second, strict=True))
    return list(zip(first + ones[0], second + ones[1], strict=True))


def _only_equal(first, second):
    pairs = _filled(first, second, right=True)
    missing = len(pairs) - min(len(first), len(second))
    clash = any(a != b for a, b in pairs[missing:])
    return REFUSED if clash else _stretched(pairs)


BROADCAST_MISTAKES = [
    (
        lambda first, second: _stretched(_filled(first, second, right=False)),
        "the shapes are lined up at the left; line them up at the right.",
    ),
    (
        lambda first, second: tuple(max(p) for p in _filled(first, second, right=True)),
        "the larger length is always taken; 2 and 3 clash, since neither of them is 1.",
    ),
    (
        lambda first, second: _stretched(zip(first[::-1], second[::-1], strict=False))[::-1],
        "the longer shape is cut to the shorter one; its axes in front belong to the result.",
    ),
    (
        _only_equal,
        "a length of 1 is refused where the other is longer; it is stretched.",
    ),
    (
        lambda first, second: _broadcast_shape(first, second)[::-1],
        "the result is turned round: the last length that you found is its first.",
    ),
    (
        lambda first, second: first if len(first) >= len(second) else second,
        "the longer shape is returned as it is; its axes of length 1 may be stretched.",
    ),
    (
        lambda first, second: (
            _broadcast_shape(first, second) if len(first) == len(second) else REFUSED
        ),
        "shapes with different numbers of axes are refused; missing axes are added in front.",
    ),
]
