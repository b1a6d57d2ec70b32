"""What the diagnosis game checks and computes: runs, order of play, score, axis of the losses.

`_diagnosis.js` computes order, score and axis for the browser; the case file compares the two.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from helpers.widgets._checks import numbers_in
from helpers.widgets._random import uniforms

SERIES = ("steps", "train_loss", "validation_loss", "validation_accuracy")
KEYS = {"cause", "explanation", "instruments", *SERIES}
HIDES = 30  # a loss so many times above the usual ones would hide them on a linear axis
FAR = 1e5  # times the middle loss: what lies beyond is drawn on the edge
WORD = 2**32


def checked_runs(runs) -> list[dict]:
    """Plain dictionaries of lists and floats (what JSON can carry), after a check of everything.

    Numbers keep six digits; a loss that is no finite number becomes None.
    """
    wanted = "runs should be a list of at least 3 dictionaries"
    if not isinstance(runs, Sequence) or isinstance(runs, str):
        raise TypeError(f"{wanted}; got {type(runs).__name__}.")
    if len(runs) < 3:
        raise ValueError(f"{wanted}; got {len(runs)} of them.")
    checked = [_checked_run(f"runs[{i}]", run) for i, run in enumerate(runs)]
    _check_together(checked)
    return checked


def _check_together(runs: list[dict]) -> None:
    """Causes differ, instruments are the same, and what tells causes apart names the others."""
    causes, first = [run["cause"] for run in runs], list(runs[0]["instruments"])
    for i, run in enumerate(runs):
        if run["cause"] in causes[:i]:
            raise ValueError(f"runs should have different causes; got {run['cause']!r} twice.")
        if (here := list(run["instruments"])) != first:
            raise ValueError(
                f"all runs should have the same instruments in the same order, {first}; "
                f"got {here} in runs[{i}]."
            )
        unknown = set(run["tell_apart"]) - (set(causes) - {run["cause"]})
        if unknown:
            raise ValueError(
                f"tell_apart of runs[{i}] should use causes of other runs; got {min(unknown)!r}."
            )


def _checked_run(name: str, run) -> dict:
    if not isinstance(run, Mapping):
        raise TypeError(f"{name} should be a dictionary; got {type(run).__name__}.")
    wrong = sorted(map(str, (KEYS - set(run)) | (set(run) - KEYS - {"tell_apart"})))
    if wrong:
        state = "missing" if wrong[0] in KEYS else "unknown"
        raise ValueError(
            f"{name} should have the keys {', '.join(sorted(KEYS))}, and tell_apart if wanted; "
            f"{wrong[0]} is {state}."
        )
    texts = {key: _text(f"{key} of {name}", run[key]) for key in ("cause", "explanation")}
    pairs = {"instruments": run["instruments"], "tell_apart": run.get("tell_apart", {})}
    return (
        texts
        | {key: _texts(f"{key} of {name}", given) for key, given in pairs.items()}
        | _checked_series(name, {key: _numbers(f"{key} of {name}", run[key]) for key in SERIES})
    )


def _text(name: str, value) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} should be a text; got {value!r}.")
    return value


def _texts(name: str, given) -> dict[str, str]:
    if not isinstance(given, Mapping):
        raise ValueError(f"{name} should be a dictionary from text to text; got {given!r}.")
    return {_text(f"each key of {name}", k): _text(f"{name}, {k!r},", v) for k, v in given.items()}


def _numbers(name: str, values) -> np.ndarray:
    """float64 (length,)"""
    numbers = numbers_in(name, values, "a list of numbers")
    if numbers.ndim != 1 or len(numbers) < 2:
        raise ValueError(
            f"{name} should be a list of at least 2 numbers; got shape {numbers.shape}."
        )
    return numbers


def _checked_series(name: str, series: dict[str, np.ndarray]) -> dict[str, list]:
    steps, accuracy = series["steps"], series["validation_accuracy"]
    if len({len(values) for values in series.values()}) > 1:
        lengths = ", ".join(f"{key} {len(values)}" for key, values in series.items())
        raise ValueError(f"the series of {name} should have equal lengths; got {lengths}.")
    if not (np.isfinite(steps).all() and (np.diff(steps) > 0).all()):
        raise ValueError(f"steps of {name} should be finite and increase; got {steps.tolist()}.")
    outside = accuracy[~((accuracy >= 0) & (accuracy <= 1))]  # written so that nan is among them
    if outside.size:
        raise ValueError(
            f"validation_accuracy of {name} should be from 0 to 1; got {outside[0]:g}."
        )
    return {key: [_sendable(value) for value in values] for key, values in series.items()}


def _sendable(value: float) -> float | None:
    """Six digits: enough for a curve, and a third of the bytes. JSON has neither inf nor nan."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def shuffled_order(seed: int, count: int) -> list[int]:
    """The numbers 0…count − 1 in the order that a seed in 0…2³² − 1 gives (Fisher and Yates).

    >>> sorted(shuffled_order(7, 4))
    [0, 1, 2, 3]
    """
    order = list(range(count))
    for last, number in zip(range(count - 1, 0, -1), uniforms(seed, count - 1), strict=True):
        chosen = int(number * (last + 1))
        order[last], order[chosen] = order[chosen], order[last]
    return order


def outcome(run: int, answers: list) -> str:
    """How a run went: "first" (found at the first try), "later", "shown" or "open".

    `answers` are the runs whose causes were picked, in order; None: the answer was shown.
    """
    if answers and answers[-1] is None:
        return "shown"
    if run not in answers:
        return "open"
    return "first" if answers[0] == run else "later"


def score(answers: list[list], measured: list[list]) -> dict[str, int]:
    """Runs of each outcome, and the number of measurements. One list for each run."""
    found = [outcome(run, given) for run, given in enumerate(answers)]
    counts = {key: found.count(key) for key in ("first", "later", "shown", "open")}
    return counts | {"measurements": sum(map(len, measured))}


def nice_ticks(low: float, high: float, count: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten, from low or below to high or above.

    >>> nice_ticks(0, 2.3, 5)
    [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    """
    wanted = (high - low) / count
    power = float(f"1e{math.floor(math.log10(wanted))}")
    step = power * next(digit for digit in (1, 2, 5, 10) if digit * power >= wanted * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def loss_axis(values: list[float | None]) -> dict:
    """Kind ("linear" or "log"), ends and ticks of an axis on which no loss hides the others.

    >>> loss_axis([2.3, 1e5, 1.7, 0.9])["kind"]
    'log'
    """
    finite = sorted(value for value in values if value is not None)
    if not finite:
        return _linear_axis(0.0, 1.0)
    least, most, middle = finite[0], finite[-1], finite[len(finite) // 2]
    usual = finite[len(finite) // 10]
    if least >= 0 and usual > 0 and most > HIDES * usual:
        ends = max(least, middle / FAR), min(most, middle * FAR)
        low, high = math.floor(math.log10(ends[0])), math.ceil(math.log10(ends[1]))
        ticks = [float(f"1e{power}") for power in range(low, high + 1)]
        return {"kind": "log", "low": ticks[0], "high": ticks[-1], "ticks": ticks}
    size = HIDES * sorted(map(abs, finite))[len(finite) // 2] or math.inf
    return _linear_axis(max(min(least, 0.0), -size), min(max(most, 0.0), size))


def _linear_axis(low: float, high: float) -> dict:
    ticks = nice_ticks(low, high if high > low else low + 1, 5)
    return {"kind": "linear", "low": ticks[0], "high": ticks[-1], "ticks": ticks}
