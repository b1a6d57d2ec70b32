"""A ladder of improvements: what each rung changed, and whether it gained anything."""

import math
import statistics
from collections.abc import Mapping
from numbers import Real
from typing import ClassVar

import traitlets
from matplotlib.figure import Figure

from helpers.widgets._checks import checked_bool, checked_choice, checked_whole
from helpers.widgets.base import BLUE, GREY, Explorable, format_number

ERRORS = 2  # a difference counts from so many standard errors on; as in ladder_explorer.js
GUESSES = ("gain", "none")


class LadderExplorer(Explorable):
    """The rungs of a cumulative record, each compared with the one before or with the first.

    Each row of the record adds one change to the row before it. Row by row the seeds are the same,
    so differences are taken seed by seed: their mean, and its standard error sd / √n.

    >>> ladder = LadderExplorer(record("ladder"), "validation_loss")
    >>> ladder.difference(3)  # mean and standard error against the rung before
    (-0.0..., 0.00...)

    Args:
        record: as `helpers.evaluation.record` gives it: `rows` from label to metrics, each metric a
            list with one number for each of the `seeds`; at least two rows and two seeds. A row
            that is no rung, as the cheap one of a re-run, is taken out before.
        metric: what a rung should improve; by default the first that ends in "loss".
        metrics: metric -> its name for the reader, in the order of the menu; by default all.
        notes: label of a row -> a sentence on what it changed.
        better: "lower" or "higher" is better; by default "higher" for an accuracy, else "lower".
        rung: the chosen row, from 0 on; by default that of the largest gain over the one before,
            or 1 where the reader predicts.
        predict: begin with the rungs closed, each to be guessed first.
        strings: replaced texts, see `Explorable`.

    Traits:
        rows: list of {"label", "values"}, values from metric to its numbers.
        metric, metrics, notes, better: see above.
        rung: the chosen row.
        shown: the metric on the axis.
        against: "before" or "first".
        predict: whether a rung must be guessed before it is opened.
        guesses: one entry for each row: "gain", "none" or "" (not yet guessed).

    Raises:
        TypeError, ValueError: something above is of another kind; the message says what came.
    """

    module_name = "ladder_explorer"
    STRINGS: ClassVar = {
        "rungs": "Rungs: choose one",
        "shown": "Axis",
        "against": "Compare with",
        "against_before": "the rung before",
        "against_first": "the first rung",
        "predict": "Predict first",
        "forget": "Forget guesses",
        "score": "{right} of {count} guesses right",
        "no_guess": "No guess yet. Closed rungs show no dots: choose one.",
        "legend": "Dot: one seed. Upright line: mean. Bar: ± one standard deviation. The shaded "
        "part leads from the compared rung to the chosen one.",
        "question": "Does this rung improve the {metric} over the rung before by more than two "
        "standard errors?",
        "guess_gain": "Yes, a gain",
        "guess_none": "No gain",
        "closed": "closed",
        "right": "You were right.",
        "wrong": "You guessed otherwise.",
        "value": "{metric}: {mean} ± {spread} (mean ± sd of {count} seeds).",
        "start": "The ladder starts here.",
        "difference": "Against “{other}”: {mean} ± {error} (mean difference ± standard error over "
        "{count} paired seeds).",
        "verdict_gain": "A gain: more than two standard errors.",
        "verdict_worse": "Worse: more than two standard errors.",
        "verdict_none": "Within two standard errors: no gain is shown.",
        "head_metric": "Metric",
        "head_here": "This rung",
        "head_other": "Compared",
        "head_change": "Difference",
    }

    rows = traitlets.List().tag(sync=True)
    metric = traitlets.Unicode().tag(sync=True)
    metrics = traitlets.Dict().tag(sync=True)
    notes = traitlets.Dict().tag(sync=True)
    better = traitlets.Unicode().tag(sync=True)
    rung = traitlets.TraitType().tag(sync=True)
    shown = traitlets.TraitType().tag(sync=True)
    against = traitlets.TraitType().tag(sync=True)
    predict = traitlets.TraitType().tag(sync=True)
    guesses = traitlets.TraitType().tag(sync=True)

    def __init__(
        self, record, metric=None, *, metrics=None, notes=None, better=None, rung=None,
        predict=False, strings=None,
    ) -> None:  # fmt: skip
        rows = _checked_rows(record)
        metrics = _checked_metrics(rows, metrics)
        metric = _checked_metric(metrics, metric)
        better = better or ("higher" if metric.endswith("accuracy") else "lower")
        better = checked_choice("better", better, ("lower", "higher"))
        for row in rows:
            row["values"] = {name: row["values"][name] for name in metrics}
        super().__init__(
            strings=strings,
            rows=rows,
            metric=metric,
            metrics=metrics,
            notes=_checked_notes(rows, notes),
            better=better,
            shown=metric,
            rung=1,
            against="before",
            predict=predict,
            guesses=[""] * len(rows),
        )
        if rung is None:
            rung = 1 if predict else self._largest_gain()
        self.rung = rung

    @traitlets.validate("rung")
    def _check_rung(self, proposal):
        return checked_whole("rung", proposal["value"], 0, len(self.rows) - 1)

    @traitlets.validate("shown", "against")
    def _check_choice(self, proposal):
        name = proposal["trait"].name
        allowed = self.metrics if name == "shown" else ("before", "first")
        return checked_choice(name, proposal["value"], allowed)

    @traitlets.validate("predict")
    def _check_predict(self, proposal):
        return checked_bool("predict", proposal["value"])

    @traitlets.validate("guesses")
    def _check_guesses(self, proposal):
        value, count = proposal["value"], len(self.rows)
        fits = isinstance(value, list | tuple) and len(value) == count
        if not fits or any(guess not in ("", *GUESSES) for guess in value):
            raise ValueError(
                f"guesses should be {count} of 'gain', 'none' or '', one for each rung; "
                f"got {value!r}."
            )
        return list(value)

    def other(self, rung: int, against: str | None = None) -> int:
        """The row that a rung is compared with."""
        return 0 if (against or self.against) == "first" else max(rung - 1, 0)

    def difference(
        self, rung: int, against: str = "before", metric: str | None = None
    ) -> tuple[float, float]:
        """Mean difference to the compared row, seed by seed, and its standard error."""
        name = metric or self.metric
        here, there = (self.rows[i]["values"][name] for i in (rung, self.other(rung, against)))
        return _difference(here, there)

    def verdict(self, rung: int, against: str = "before") -> str:
        """ "gain", "worse" or "none": is the difference larger than two standard errors?"""
        mean, error = self.difference(rung, against)
        gain = -mean if self.better == "lower" else mean
        return "gain" if gain > ERRORS * error else "worse" if -gain > ERRORS * error else "none"

    def static_figure(self) -> Figure:
        """One line for each rung: a dot for each seed, mean ± sd, joined to a stair."""
        figure = Figure(figsize=(9, 1.2 + 0.42 * len(self.rows)), layout="constrained")
        ax = figure.subplots()
        values = [row["values"][self.shown] for row in self.rows]
        means = [statistics.fmean(numbers) for numbers in values]
        ax.step(means, range(len(values)), where="post", color=GREY, linewidth=0.8)
        for i, numbers in enumerate(values):
            ax.plot(numbers, [i] * len(numbers), "o", color=BLUE, markersize=4, alpha=0.6)
            spread = statistics.stdev(numbers)
            ax.errorbar(means[i], i, xerr=spread, color="black", capsize=4, fmt="|")
        ax.set_yticks(range(len(values)), [row["label"] for row in self.rows])
        ax.get_yticklabels()[self.rung].set_fontweight("bold")
        ax.invert_yaxis()
        ax.set_xlabel(f"{self.metrics[self.shown]} (mean ± sd of {len(values[0])} seeds)")
        return figure

    def alt_text(self) -> str:
        means = [statistics.fmean(row["values"][self.metric]) for row in self.rows]
        verdicts = [self.verdict(i) for i in range(1, len(self.rows))]
        spec = self._spec()
        ends = " to ".join(
            f"{format_number(means[i], spec)} (“{self.rows[i]['label']}”)" for i in (0, -1)
        )
        return (
            f"A ladder of {len(self.rows)} rungs: {self.metrics[self.metric]} goes from {ends}. "
            f"{verdicts.count('gain')} of {len(verdicts)} changes gain more than two standard "
            f"errors over the rung before. {self._in_words()}"
        )

    def _in_words(self) -> str:
        """The chosen rung against the compared one."""
        if self.rung == 0:
            return self.strings["start"]
        mean, error = self.difference(self.rung, self.against)
        label = self.rows[self.rung]["label"]
        words = self.strings["difference"].format(
            other=self.rows[self.other(self.rung)]["label"],
            mean=format_number(mean, f"+{self._spec()}"),
            error=format_number(error, self._spec()),
            count=len(self.rows[0]["values"][self.metric]),
        )
        return (
            f"“{label}”: {words} {self.strings[f'verdict_{self.verdict(self.rung, self.against)}']}"
        )

    def _spec(self) -> str:
        """How numbers of the metric are written."""
        largest = max(abs(x) for row in self.rows for x in row["values"][self.metric])
        return f",.{decimals(largest)}f"

    def _largest_gain(self) -> int:
        sign = -1 if self.better == "lower" else 1
        return max(range(1, len(self.rows)), key=lambda i: sign * self.difference(i)[0])


def decimals(largest: float) -> int:
    """Decimals of a metric whose largest number is this one."""
    return 0 if largest >= 100 else 2 if largest >= 10 else 4


def _difference(here: list[float], there: list[float]) -> tuple[float, float]:
    both = [a - b for a, b in zip(here, there, strict=True)]
    return statistics.fmean(both), statistics.stdev(both) / math.sqrt(len(both))


def _checked_rows(record) -> list[dict]:
    """The rows as a list of label and values; a record that is no ladder is refused."""
    if not isinstance(record, Mapping) or not isinstance(record.get("rows"), Mapping):
        raise TypeError(
            "record should be a dictionary with rows and seeds, as helpers.evaluation.record gives "
            f"it; got {type(record).__name__}."
        )
    seeds = record.get("seeds")
    if not isinstance(seeds, list | tuple) or len(seeds) < 2:
        raise ValueError(f"record should have at least two seeds; got {seeds!r}.")
    if len(record["rows"]) < 2:
        raise ValueError(f"record should have at least two rows; got {len(record['rows'])}.")
    for label, row in record["rows"].items():
        if not isinstance(row, Mapping):
            raise TypeError(f"Row {label!r} should be a dictionary of metrics; got {row!r:.80}.")
        for name, numbers in row.items():
            _check_numbers(label, name, numbers, len(seeds))
    return [
        {"label": label, "values": {name: list(map(float, x)) for name, x in row.items()}}
        for label, row in record["rows"].items()
    ]


def _check_numbers(label: str, name: str, numbers, count: int) -> None:
    fits = isinstance(numbers, list | tuple) and len(numbers) == count
    if not fits or not all(_is_number(x) for x in numbers):
        raise ValueError(
            f"Metric {name!r} of row {label!r} should be {count} finite numbers, one for each "
            f"seed; got {numbers!r}."
        )


def _is_number(value) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _checked_metrics(rows: list[dict], metrics) -> dict[str, str]:
    """Metric -> its name; each must stand in every row."""
    everywhere = [name for name in rows[0]["values"] if all(name in row["values"] for row in rows)]
    if metrics is None:
        metrics = {name: name.replace("_", " ") for name in everywhere}
    if not isinstance(metrics, Mapping) or not metrics:
        raise ValueError(
            f"metrics should be a dictionary from metric to its name; got {metrics!r}."
        )
    unknown = [name for name in metrics if name not in everywhere]
    if unknown:
        raise ValueError(
            f"Every row should have {', '.join(unknown)}; the rows have in common: "
            f"{', '.join(everywhere) or 'nothing'}."
        )
    return dict(metrics)


def _checked_metric(metrics: dict[str, str], metric: str | None) -> str:
    if metric is None:
        return next((name for name in metrics if name.endswith("loss")), next(iter(metrics)))
    return checked_choice("metric", metric, metrics)


def _checked_notes(rows: list[dict], notes) -> dict[str, str]:
    labels = [row["label"] for row in rows]
    unknown = sorted(set(notes or {}) - set(labels))
    if unknown:
        raise ValueError(
            f"notes should have labels of rows as keys: {', '.join(labels)}; "
            f"got {', '.join(unknown)}."
        )
    return dict(notes or {})
