"""Training runs without a name: the reader finds from its curves what was wrong with each one."""

from typing import ClassVar

import numpy as np
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.widgets import _diagnosis
from helpers.widgets._checks import checked_bool, checked_number, checked_whole, is_whole
from helpers.widgets.base import BLUE, ORANGE, Explorable, format_number

LOSSES = {"training": ("train_loss", BLUE, "-"), "validation": ("validation_loss", ORANGE, "--")}


class DiagnosisGame(Explorable):
    """One run after the other, each with losses, accuracy and instruments, and a cause to be found.

    >>> game = DiagnosisGame(runs, seed=3)  # runs: at least 3 dictionaries, see below
    >>> game.score()  # as the reader has played so far
    {'first': 0, 'later': 0, 'shown': 0, 'open': 9, 'measurements': 0}

    Args:
        runs: dictionaries with the keys
            cause, explanation: texts; the causes differ.
            steps: increasing numbers, at least 2.
            train_loss, validation_loss: as many numbers; inf and nan are shown as a gap.
            validation_accuracy: as many numbers from 0 to 1.
            instruments: name -> value, both texts; the same names in the same order in all runs.
            tell_apart: cause of another run -> what would differ; may be left out.
        order: indices of runs in the order of play; without it, the one that `seed` gives.
        seed: whole number in 0…2³² − 1.
        chance: accuracy of guessing, 0 to 1, drawn as a line.
        healthy: the cause of the run that can be laid behind the others.
        strings: replaced texts, see `Explorable`.

    Traits:
        runs (losses that are no number are None there), order, seed, chance, healthy: as above.
        place: the run on the screen, counted in the order of play; len(runs) is the result.
        choice: index of the run whose cause is picked but not yet answered, or None.
        answers: for each run of `runs`, the indices whose causes were answered, in order;
            None at the end: the answer was shown.
        measured: for each run, the indices of the instruments that were used.
        compare: whether the healthy run is laid behind.

    Raises:
        TypeError, ValueError: something above is of another kind; the message says what came.
    """

    module_name = "diagnosis_game"
    shared = ("_common", "_random", "_diagnosis")
    STRINGS: ClassVar = {
        "runs": "Runs",
        "title": "Run {number} of {count}",
        "chip": "Run {number}: {outcome}",
        "outcome_open": "not yet solved",
        "outcome_first": "found at the first try",
        "outcome_later": "found at try {tries}",
        "outcome_shown": "answer shown",
        "losses": "Loss",
        "step": "Step",
        "axis_linear": "linear axis",
        "axis_log": "logarithmic axis",
        "accuracy": "Accuracy",
        "accuracy_axis": "share of right answers",
        "training": "training",
        "validation": "validation",
        "chance": "chance level, {level}",
        "compare": "Lay a healthy run behind, in grey",
        "losses_read": "Chart of losses. Training: {training}. Validation: {validation}.",
        "accuracy_read": "Chart of validation accuracy: {validation}.",
        "at_step": "{value} at step {step}",
        "no_number": "not a number",
        "beyond": "Values beyond the axis, from {least} to {most}, are drawn on its edge.",
        "gap_open": "not a number from step {from}.",
        "gap_closed": "not a number from step {from} to {to}.",
        "instruments": "Instruments",
        "used": "{count} of {all} used",
        "measure": "Measure: {name}",
        "measured": "{name}: {value}",
        "causes": "Causes",
        "question": "What happened in this run? Look at the curves, measure what you need, "
        "then pick a cause.",
        "wrong": "Not this: {cause}.",
        "hint": "Compare where the curves start, whether both losses move, and how far apart "
        "training and validation end. An instrument may tell more.",
        "is_right": "(the answer)",
        "is_wrong": "(ruled out)",
        "right_first": "Right, at the first try: {cause}.",
        "right_later": "Right: {cause}.",
        "right_shown": "The answer: {cause}.",
        "check": "This is the cause",
        "choose": "Pick a cause first.",
        "show": "Show me the answer",
        "next": "Next run",
        "see_result": "See the result",
        "result_so_far": "Result so far",
        "again": "Play again",
        "result": "Result",
        "counts_first": "Found at the first try: {first} of {all}.",
        "counts_rest": "Found later: {later}. Answer shown: {shown}. Not yet solved: {open}. "
        "Measurements: {measurements}.",
        "row": "{number}. {cause}",
        "unknown": "?",
        "row_note": "{outcome}, measurements: {count}",
    }

    # Not Any, which takes None without asking the validators below.
    runs, seed, chance, healthy = (traitlets.TraitType().tag(sync=True) for _ in range(4))
    place, answers, measured = (traitlets.TraitType().tag(sync=True) for _ in range(3))
    order = traitlets.Any(None, allow_none=True).tag(sync=True)
    choice = traitlets.Any(None, allow_none=True).tag(sync=True)
    compare = traitlets.TraitType(False).tag(sync=True)

    def __init__(
        self,
        runs,
        *,
        order=None,
        seed=0,
        chance=0.1,
        healthy="nothing: a healthy run",
        strings=None,
    ) -> None:
        runs = _diagnosis.checked_runs(runs)
        empty = {"answers": [[] for _ in runs], "measured": [[] for _ in runs], "place": 0}
        given = {"order": order, "seed": seed, "chance": chance, "healthy": healthy}
        super().__init__(strings=strings, runs=runs, **given, **empty)

    @traitlets.validate("runs")
    def _check_runs(self, proposal):
        return _diagnosis.checked_runs(proposal["value"])

    @traitlets.validate("order")
    def _check_order(self, proposal):
        value, count = proposal["value"], len(self.runs)
        if value is None:
            return None
        if not isinstance(value, (list, tuple)) or sorted(map(repr, value)) != sorted(
            map(repr, range(count))
        ):
            raise ValueError(
                f"order should hold each number from 0 to {count - 1} once; got {value!r}."
            )
        return list(value)

    @traitlets.validate("seed", "place", "choice")
    def _check_number(self, proposal):
        value, name, count = proposal["value"], proposal["trait"].name, len(self.runs)
        last = {"seed": _diagnosis.WORD - 1, "place": count, "choice": count - 1}[name]
        return checked_whole(name, value, 0, last, or_none=name == "choice")

    @traitlets.validate("answers", "measured")
    def _check_lists(self, proposal):
        value, name, count = proposal["value"], proposal["trait"].name, len(self.runs)
        last = (count if name == "answers" else len(self.runs[0]["instruments"])) - 1
        lists = value if isinstance(value, (list, tuple)) else [None]
        if len(lists) != count or not all(isinstance(part, (list, tuple)) for part in lists):
            raise ValueError(f"{name} should be {count} lists, one for each run; got {value!r}.")
        for part in lists:
            shown = name == "answers" and part and part[-1] is None
            if not all(is_whole(i, 0, last) for i in (part[:-1] if shown else part)):
                raise ValueError(
                    f"{name} should be lists of whole numbers from 0 to {last}; got {part!r}."
                )
        return [list(part) for part in lists]

    @traitlets.validate("chance")
    def _check_chance(self, proposal):
        return checked_number("chance", proposal["value"], 0, 1)

    @traitlets.validate("healthy")
    def _check_healthy(self, proposal):
        if not isinstance(proposal["value"], str):
            raise ValueError(f"healthy should be a text; got {proposal['value']!r}.")
        return proposal["value"]

    @traitlets.validate("compare")
    def _check_compare(self, proposal):
        return checked_bool("compare", proposal["value"])

    def score(self) -> dict[str, int]:
        """Runs found at the first try, found later, shown and open; and all measurements."""
        return _diagnosis.score(self.answers, self.measured)

    def played(self) -> list[dict]:
        """The runs in the order of play."""
        order = self.order or _diagnosis.shuffled_order(self.seed, len(self.runs))
        return [self.runs[i] for i in order]

    def static_figure(self) -> Figure:
        """Losses above accuracy for each run, with a letter in place of its cause."""
        runs = self.played()
        rows = -(-len(runs) // 3)
        figure = Figure(figsize=(9, 2.9 * rows + 0.4), layout="constrained")
        axes = figure.subplots(2 * rows, 3, height_ratios=[2, 1.2] * rows, squeeze=False)
        for place in range(3 * rows):
            upper, lower = axes[2 * (place // 3) : 2 * (place // 3) + 2, place % 3]
            if place >= len(runs):
                upper.set_axis_off()
                lower.set_axis_off()
                continue
            self._draw_losses(upper, runs[place])
            upper.set_title(_letter(place), loc="left", fontweight="bold")
            self._draw_accuracy(lower, runs[place])
        handles = [*axes[0, 0].lines, axes[1, 0].lines[0]]
        figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
        return figure

    def alt_text(self) -> str:
        runs = [f"{_letter(i)}: {_in_words(run)}" for i, run in enumerate(self.played())]
        return (
            f"Losses and validation accuracy of {len(runs)} training runs, lettered without "
            f"their causes. {' '.join(runs)}"
        )

    def _draw_losses(self, ax: Axes, run: dict) -> None:
        shown = [run, *(one for one in self.runs if one["cause"] == self.healthy)]
        losses = [loss for one in shown for key, *_ in LOSSES.values() for loss in one[key]]
        axis = _diagnosis.loss_axis(losses)
        for name, (key, colour, dashes) in LOSSES.items():
            line = np.array(run[key], dtype=np.float64).clip(axis["low"], axis["high"])
            ax.plot(run["steps"], line, color=colour, linestyle=dashes, label=self.strings[name])
        ax.set(yscale=axis["kind"], ylim=(axis["low"], axis["high"]), ylabel=self.strings["losses"])
        ax.set_title(self.strings[f"axis_{axis['kind']}"], loc="right", fontsize="small")
        ax.tick_params(labelsize="small", labelbottom=False)
        if None in run["train_loss"]:
            first = run["steps"][run["train_loss"].index(None)]
            text = self.strings["gap_open"].format(**{"from": f"{first:g}"})
            ax.annotate(text, (0.97, 0.9), ha="right", xycoords="axes fraction", fontsize="small")

    def _draw_accuracy(self, ax: Axes, run: dict) -> None:
        label = self.strings["chance"].format(level=f"{self.chance:g}")
        ax.axhline(self.chance, color="0.45", linestyle=":", label=label)
        ax.plot(run["steps"], run["validation_accuracy"], color=ORANGE, linestyle="--")
        ax.set(ylim=(0, 1), xlabel=self.strings["step"], ylabel=self.strings["accuracy"])
        ax.tick_params(labelsize="small")


def _letter(place: int) -> str:
    """A, B … Z, then AA, AB …"""
    return (_letter(place // 26 - 1) if place >= 26 else "") + chr(ord("A") + place % 26)


def _in_words(run: dict) -> str:
    first, last = ({key: run[key][end] for key in _diagnosis.SERIES} for end in (0, -1))
    ends = [f"{_number(first[key])} to {_number(last[key])}" for key in _diagnosis.SERIES[1:]]
    return "training loss {}, validation loss {}, accuracy {}.".format(*ends)


def _number(value: float | None) -> str:
    return "not a number" if value is None else format_number(float(f"{value:.3g}"), "g")
