"""The reader composes a learning-rate schedule; a real run under it happens on the page."""

import math
from typing import ClassVar

import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure

from helpers.widgets._checks import checked_choice, checked_number, checked_whole
from helpers.widgets._schedule_run import (
    BATCH,
    CLASSES,
    SHAPES,
    STEPS,
    checked_part,
    outcome,
    rates,
)
from helpers.widgets.base import BLUE, GREY, ORANGE, Explorable

# All as in schedule_composer.js.
WINDOW = 20  # steps in a mean
LOSSES, LOSS_TICKS = (0.2, 5), (0.25, 0.5, 1, 2, 4)  # of a logarithmic axis
HARDLY_BETTER = 2.25  # near ln 10, the loss of equal probabilities
PEAKS, MOST_WARMUP, SEEDS, MOST_KEPT = (0.01, 4), 0.5, 10, 5
SETTINGS = ("shape", "peak", "warmup", "seed")
MOST_PICTURES = 3000  # 147 kB, which every reader of the page loads
COLOURS = (GREY, ORANGE, "#009070", "#a07800", "#b055b0")
DASHES = tuple((0, dash) for dash in [(9, 3), (4, 3), (2, 2), (9, 3, 2, 3), (9, 3, 2, 3, 2, 3)])


class ScheduleComposer(Explorable):
    """Peak, warm-up and shape of a schedule, and the real run of a small network that follows.

    49-64-64-10, ReLU, cross-entropy, SGD without momentum, 300 batches of 32, in float64. Weights
    start as in `torch.nn.init.kaiming_uniform_` for ReLU, biases at zero. Pictures are averaged to
    7×7 and standardised. `outcome` does in torch what the page does in JavaScript.

    >>> composer = ScheduleComposer(*data[:4], peak=0.4, shape="cosine")  # data.fashion_mnist()
    >>> composer.outcome()["accuracy"]

    Args:
        train_images, validation_images: uint8 (n, 1, 28, 28), at most 3,000 together.
        train_labels, validation_labels: whole numbers (n,) from 0 to 9.
        peak: highest learning rate, 0.01 to 4.
        warmup: share of the steps in which the rate rises linearly to the peak: 0, 0.05 … 0.5.
        shape: then "constant"; "linear" or "cosine" to zero; "step" (÷10 at 60 % and 80 %);
            "one_cycle": torch's OneCycleLR, its `pct_start` the warm-up, or else the default 0.3.
        seed: 0 to 9, of the first weights and the order of the batches.
        kept: up to five runs to compare with, dictionaries of shape, peak, warmup and seed.
        strings: replaced texts, see `Explorable`.

    Traits:
        shape, peak, warmup, seed, kept: the reader's choice.
        outcomes: the finished run and those kept, for the page to show before it trains itself.

    Raises:
        TypeError, ValueError: something above is of another kind; the message says what came.
    """

    module_name = "schedule_composer"
    shared = ("_common", "_random", "_schedule_run")
    STRINGS: ClassVar = {
        "peak": "Peak learning rate",
        "warmup": "Warm-up",
        "percent": "{percent} %",
        "shape": "After the warm-up",
        "shape_constant": "Constant",
        "shape_linear": "Linear to zero",
        "shape_cosine": "Cosine to zero",
        "shape_step": "Steps: ÷10 at 60 % and 80 %",
        "shape_one_cycle": "One-cycle",
        "seed": "Random start",
        "keep": "Keep this run",
        "forget": "Forget kept runs",
        "count": "{count} of {most} runs kept",
        "count_with_this": "{count} of {most} runs kept, this one among them",
        "rate": "Learning rate",
        "loss": "Batch loss (faint), mean of the last {window} (line)",
        "step": "Step",
        "guessing": "guessing",
        "progress": "Training in your browser: step {step} of {steps}",
        "run": "{shape}, peak\u00a0{peak}, warm-up\u00a0{percent}\u00a0%, start\u00a0{seed}",
        "result": "{run}: training loss {training}, validation loss {validation}, "
        "validation accuracy {accuracy} %.",
        "hardly": "That is hardly better than guessing, whose loss is ln 10 = 2.303.",
        "diverged": "{run}: diverged. In step {step} the loss passed 1,000; the run was stopped.",
        "hint": "Each change trains the network anew, here on this page. Keep a run to compare "
        "it with others: up to five. Another start draws other first weights and batches.",
        "rises": "One-cycle always rises: without a warm-up, for 30\u00a0% of the steps.",
        "head_run": "Run",
        "head_training": "Training loss",
        "head_validation": "Validation loss",
        "head_accuracy": "Validation accuracy",
        "now": "Now",
        "kept": "Kept {number}",
        "cell_diverged": "diverged in step {step}",
        "about": "{train} pictures to learn from, {validation} to validate, averaged to 7 × 7 "
        "pixels. Network: 49 inputs, two hidden layers of 64 ReLU units, 10 classes. SGD without "
        "momentum, 300 batches of 32. Both losses: after the last step, mean over all pictures.",
    }

    pictures = traitlets.Bytes().tag(sync=True)
    labels = traitlets.Bytes().tag(sync=True)
    train_count = traitlets.Int().tag(sync=True)
    scale = traitlets.List().tag(sync=True)  # mean and standard deviation of the training pixels
    shape = traitlets.TraitType().tag(sync=True)
    peak = traitlets.TraitType().tag(sync=True)
    warmup = traitlets.TraitType().tag(sync=True)
    seed = traitlets.TraitType().tag(sync=True)
    kept = traitlets.TraitType().tag(sync=True)
    outcomes = traitlets.List().tag(sync=True)

    def __init__(
        self, train_images, train_labels, validation_images, validation_labels, *,
        peak=0.4, warmup=0.0, shape="cosine", seed=0, kept=(), strings=None,
    ) -> None:  # fmt: skip
        parts = [
            checked_part("train", train_images, train_labels, least=BATCH),
            checked_part("validation", validation_images, validation_labels, least=1),
        ]
        total = sum(len(labels) for _, labels in parts)
        if total > MOST_PICTURES:
            raise ValueError(
                f"train_images and validation_images should hold at most {MOST_PICTURES:,} "
                f"pictures together, since the page carries them; got {total:,}."
            )
        pictures, labels = (torch.cat(both) for both in zip(*parts, strict=True))
        count = len(train_labels)
        pixels = pictures[:count].double()
        scale = [pixels.mean().item(), pixels.std(correction=0).item() or 1.0]
        self._inputs, self._labels = (pictures.double() - scale[0]) / scale[1], labels.long()
        self._finished: dict[tuple, dict] = {}
        super().__init__(
            strings=strings,
            pictures=pictures.numpy().tobytes(),
            labels=labels.numpy().tobytes(),
            train_count=count,
            scale=scale,
            shape=shape,
            peak=peak,
            warmup=warmup,
            seed=seed,
            kept=kept,
        )

    @traitlets.validate(*SETTINGS)
    def _check_setting(self, proposal):
        return _checked_setting(proposal["trait"].name, proposal["value"])

    @traitlets.validate("kept")
    def _check_kept(self, proposal):
        return _checked_kept(proposal["value"])

    @traitlets.observe(*SETTINGS, "kept")
    def _finish(self, _change) -> None:
        self.outcomes = [self.outcome(run) for run in [self.run(), *self.kept]]

    def run(self) -> dict:
        """The chosen settings: shape, peak, warmup, seed."""
        return {name: getattr(self, name) for name in SETTINGS}

    def outcome(self, run: dict | None = None) -> dict:
        """Train as the page does, see `_schedule_run.outcome`; a run is trained only once."""
        run = run or self.run()
        key = tuple(run[name] for name in SETTINGS)
        if key not in self._finished:
            self._finished[key] = outcome(run, self._inputs, self._labels, self.train_count)
        return self._finished[key]

    def static_figure(self) -> Figure:
        """The rate of each step above the loss of each step; kept runs are dashed."""
        figure = Figure(figsize=(9, 5.5), layout="constrained")
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[1, 1.6])
        styles = list(zip(COLOURS, DASHES, strict=True))
        for other, (colour, dash) in zip(self.outcomes[1:], styles, strict=False):
            _draw(top, bottom, other, color=colour, linestyle=dash)
        bottom.plot(self.outcomes[0]["losses"], color=BLUE, alpha=0.25, linewidth=0.8)
        _draw(top, bottom, self.outcomes[0], color=BLUE)
        bottom.axhline(math.log(CLASSES), color="0.5", linewidth=0.8)
        top.set(ylabel=self.strings["rate"], ylim=(0, None))
        loss = self.strings["loss"].format(window=WINDOW)
        bottom.set(
            yscale="log", ylim=LOSSES, xlim=(0, STEPS - 1), xlabel=self.strings["step"], title=loss
        )
        bottom.set_yticks(LOSS_TICKS, map(str, LOSS_TICKS))
        bottom.minorticks_off()
        figure.supxlabel("\n".join(map(self._in_words, self.outcomes)), fontsize="small")
        return figure

    def alt_text(self) -> str:
        words = " ".join(map(self._in_words, self.outcomes))
        return f"The learning rate against the step, and below it the loss of the run. {words}"

    def _in_words(self, outcome: dict) -> str:
        run, t = outcome["run"], self.strings
        texts = {"shape": t[f"shape_{run['shape']}"], "percent": f"{100 * run['warmup']:g}"}
        name = t["run"].format(**{**run, **texts, "peak": f"{run['peak']:.3g}"})
        if outcome["stopped"]:
            return t["diverged"].format(run=name, step=outcome["stopped"])
        numbers = {key: f"{outcome[key]:.3f}" for key in ("training", "validation")}
        numbers["accuracy"] = f"{100 * outcome['accuracy']:.1f}"
        hardly = f" {t['hardly']}" if outcome["training"] > HARDLY_BETTER else ""
        return t["result"].format(run=name, **numbers) + hardly


def _draw(top, bottom, outcome: dict, **style) -> None:
    """Rates and smoothed losses of one run."""
    run, losses = outcome["run"], outcome["losses"]
    top.plot(rates(run["shape"], run["peak"], run["warmup"]), linewidth=2, **style)
    smooth = [np.mean(losses[max(0, i + 1 - WINDOW) : i + 1]) for i in range(len(losses))]
    bottom.plot(smooth, linewidth=2, **style)


def _checked_setting(name: str, value):
    """One setting as a plain str, float or int."""
    if name == "shape":
        return checked_choice(name, value, SHAPES)
    if name == "seed":
        return checked_whole(name, value, 0, SEEDS - 1)
    if name == "peak":
        return checked_number(name, value, *PEAKS)
    share = checked_number(name, value, 0, MOST_WARMUP)
    if abs(20 * share - round(20 * share)) > 1e-9:
        raise ValueError(f"warmup should be a multiple of 0.05; got {value!r}.")
    return round(20 * share) / 20


def _checked_kept(kept) -> list[dict]:
    """Settings of each kept run, as what JSON can carry."""
    wanted = f"kept should be a list of at most {MOST_KEPT} runs"
    if not isinstance(kept, list | tuple):
        raise TypeError(f"{wanted}; got {type(kept).__name__}.")
    if len(kept) > MOST_KEPT:
        raise ValueError(f"{wanted}; got {len(kept)} of them.")
    for run in kept:
        if not isinstance(run, dict) or set(run) != set(SETTINGS):
            raise ValueError(
                f"kept should hold dictionaries of {', '.join(SETTINGS)}; got {run!r}."
            )
    return [{name: _checked_setting(name, run[name]) for name in SETTINGS} for run in kept]
