"""Checks of traits: each says what was expected, and what came. True is no number here."""

from collections.abc import Iterable
from numbers import Integral, Real

import numpy as np

from helpers.widgets.base import format_number


def is_whole(value, low: int, high: int | None = None) -> bool:
    """Whether value is a whole number from low to high, numpy's among them; 2.0 is none."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    return whole and low <= value and (high is None or value <= high)


def checked_whole(
    name: str, value, low: int, high: int | None = None, *, or_none: bool = False
) -> int | None:
    """A whole number as JSON can carry it.

    >>> checked_whole("step", np.int64(3), 0, 9)
    3
    """
    if or_none and value is None:
        return None
    if not is_whole(value, low, high):
        limits = f"from {low} on" if high is None else f"from {low} to {high}"
        also = ", or None" if or_none else ""
        raise ValueError(f"{name} should be a whole number {limits}{also}; got {value!r}.")
    return int(value)


def checked_number(
    name: str, value, low: float, high: float, *, or_none: bool = False
) -> float | None:
    """A number from low to high; NaN is none."""
    if or_none and value is None:
        return None
    if not isinstance(value, Real) or isinstance(value, bool) or not low <= value <= high:
        limits = f"from {format_number(low)} to {format_number(high)}"
        also = ", or None" if or_none else ""
        raise ValueError(f"{name} should be a number {limits}{also}; got {value!r}.")
    return float(value)


def checked_choice(name: str, value, allowed: Iterable) -> str | int:
    """One of a few words or whole numbers."""
    plain, allowed = int(value) if is_whole(value, 0) else value, list(allowed)
    if not isinstance(plain, str | int) or isinstance(plain, bool) or plain not in allowed:
        known = ", ".join(map(repr, allowed))
        raise ValueError(f"{name} should be one of {known}; got {value!r}.")
    return plain


def checked_bool(name: str, value) -> bool:
    """True or False; 1 is neither."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} should be True or False; got {value!r}.")
    return value


def numbers_in(name: str, value, expected: str) -> np.ndarray:
    """float64, of any shape. What is ragged, holds words or needs a gradient is refused."""
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError):
        gradient = getattr(value, "requires_grad", False)
        came = "a tensor that needs a gradient" if gradient else f"{value!r:.80}"
        raise ValueError(f"{name} should be {expected}; got {came}.") from None
