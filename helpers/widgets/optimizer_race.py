"""Six update rules race down a surface of two weights; learning rate and momentum are in hand."""

from typing import ClassVar

import numpy as np
import torch
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.widgets._checks import checked_choice, checked_number, checked_whole
from helpers.widgets._surfaces import (
    FINISH,
    HEIGHT,
    LEVELS,
    RULES,
    STARTS,
    STEPS,
    WIDTH,
    arrival,
    path,
    surface_value,
)
from helpers.widgets.base import GREY, ORANGE, Explorable

ENDS = {"lr": (0.001, 1), "momentum": (0, 0.99)}
LOOKS = {  # colour, dashes and mark of each rule, as in optimizer_race.css
    "sgd": (GREY, "-", "o"),
    "momentum": (ORANGE, (0, (5, 2)), "s"),
    "nesterov": ("#a07800", (0, (2, 2)), "^"),
    "rmsprop": ("#009070", (0, (1, 1.5)), "D"),
    "adam": ("#2080c8", (0, (5, 1.5, 1, 1.5)), "v"),
    "adamw": ("#b055b0", (0, (5, 1.5, 1, 1.5, 1, 1.5)), "P"),
}


class OptimizerRace(Explorable):
    """SGD, momentum, Nesterov, RMSProp, Adam and AdamW start at one point, with one learning rate.

    The rules are those of `torch.optim` in float64, without noise. `momentum` is β1 in Adam and
    AdamW; SGD and RMSProp have none. A rule has arrived at the step from which f stays below
    `FINISH` to the end; it has diverged once f is no number up to `LIMIT`.

    >>> race = OptimizerRace("valley", lr=0.036, momentum=0.7)
    >>> race.paths()["momentum"].shape  # the start and 200 steps
    torch.Size([201, 2])

    Args:
        surface: "valley", "rotated", "saddle" or "bend".
        lr: learning rate, 0.001 to 1.
        momentum: 0 to 0.99.
        rules: names of those that take part, see `RULES`.
        step: the one at which the race is shown, 0 to 200.
        start: (w1, w2) on the map, |w1| ≤ 2 and |w2| ≤ 1.5; without it, the surface's own.
        strings: replaced texts, see `Explorable`.

    Traits:
        all of the above.

    Raises:
        ValueError: something above is of another kind; the message says what came.
    """

    module_name = "optimizer_race"
    shared = ("_common", "_surfaces")
    STRINGS: ClassVar = {
        "surface": "Surface",
        "surface_valley": "Valley",
        "surface_rotated": "Valley, turned by 45°",
        "surface_saddle": "Saddle",
        "surface_bend": "Ravine that bends",
        "formula_valley": "f(w1, w2) = (w1² + 50·w2²) / 2",
        "formula_rotated": "f(w1, w2) = (u² + 50·v²) / 2, u = (w1 + w2) / √2, v = (w2 − w1) / √2",
        "formula_saddle": "f(w1, w2) = w1² − w2² + w2⁴ / 2 + 1 / 2",
        "formula_bend": "f(w1, w2) = ((1 − w1)² + 10·(w2 − w1² + 1 / 2)²) / 2",
        "label_lr": "Learning rate lr",
        "label_momentum": "Momentum β",
        "momentum_note": "β1 in Adam and AdamW; SGD and RMSProp have none.",
        "rule_sgd": "SGD",
        "rule_momentum": "Momentum",
        "rule_nesterov": "Nesterov",
        "rule_rmsprop": "RMSProp",
        "rule_adam": "Adam",
        "rule_adamw": "AdamW",
        "map": "Start of the race",
        "position": "w1 = {w1}, w2 = {w2}, f = {value}",
        "start": "Start ({w1}, {w2}), f = {value}",
        "hint": "Drag the start, tap on the map, or move it with the arrow keys. "
        "Contour lines at f = 0.03, 0.1, 0.3, 1, 3, 10, 30, 100; "
        "inside the small ring f is below 0.001.",
        "reset": "Reset the start",
        "head_rule": "Rule",
        "head_value": "f after {step} steps",
        "head_settled": "below 0.001 for good from",
        "from": "step {step}",
        "never": "not in {steps}",
        "diverged": "diverged at {step}",
        "absent": "–",
        "play": "Play",
        "pause": "Pause",
        "step": "Step",
        "step_value": "{step} of {steps}",
        "chart": "f at each step, logarithmic",
        "all_lowest": "Lowest f after {step} steps: {list}, {value}.",
        "all_settled": "Below 0.001 for good, from step: {list}.",
        "all_never": "Not below 0.001 for good in {steps} steps: {list}.",
        "all_diverged": "Diverged, f above a million, at step: {list}.",
        "nobody": "No rule takes part: choose one in the table.",
    }

    # Not Any, which takes None without asking the validators below.
    surface, lr, momentum, step, rules = (traitlets.TraitType().tag(sync=True) for _ in range(5))
    start = traitlets.Any(None, allow_none=True).tag(sync=True)

    def __init__(
        self,
        surface="valley",
        *,
        lr=0.036,
        momentum=0.7,
        rules=("sgd", "momentum", "adam"),
        step=30,
        start=None,
        strings=None,
    ) -> None:
        given = {"surface": surface, "lr": lr, "momentum": momentum, "rules": rules}
        super().__init__(strings=strings, step=step, start=start, **given)

    @traitlets.validate("surface")
    def _check_surface(self, proposal):
        return checked_choice("surface", proposal["value"], STARTS)

    @traitlets.validate(*ENDS)
    def _check_setting(self, proposal):
        return checked_number(name := proposal["trait"].name, proposal["value"], *ENDS[name])

    @traitlets.validate("step")
    def _check_step(self, proposal):
        return checked_whole("step", proposal["value"], 0, STEPS)

    @traitlets.validate("rules")
    def _check_rules(self, proposal):
        value = proposal["value"]
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"rules should be a list of names of rules; got {value!r}.")
        chosen = [checked_choice("each of rules", name, RULES) for name in value]
        return [name for name in RULES if name in chosen]

    @traitlets.validate("start")
    def _check_start(self, proposal):
        value = proposal["value"]
        if value is None:
            return None
        if not isinstance(value, (list, tuple)) or len(value) != 2:
            raise ValueError(f"start should be None or two numbers (w1, w2); got {value!r}.")
        ends = zip(("w1", "w2"), value, (WIDTH, HEIGHT), strict=True)
        return [checked_number(f"{name} of start", w, -end, end) for name, w, end in ends]

    def paths(self) -> dict[str, torch.Tensor]:
        """Where each chosen rule stands: name -> float64 (201, 2), what torch makes of it."""
        start = tuple(self.start or STARTS[self.surface])
        return {r: path(r, self.surface, start, self.lr, self.momentum) for r in self.rules}

    def values(self) -> dict[str, torch.Tensor]:
        """f at each step: name -> float64 (201,)."""
        return {name: surface_value(self.surface, points) for name, points in self.paths().items()}

    def arrivals(self) -> dict[str, tuple[int | None, int | None]]:
        """For each chosen rule the steps of (arrival, divergence), None where there is none.

        >>> OptimizerRace(lr=0.036, momentum=0.7).arrivals()["momentum"]
        (26, None)
        """
        return {name: arrival(values) for name, values in self.values().items()}

    def static_figure(self) -> Figure:
        """The map with all paths up to the chosen step, and f against the step."""
        figure = Figure(figsize=(9, 4.4), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[4, 3.2])
        _draw_axes(left, right, self.surface, self.strings)
        arrivals, values = self.arrivals(), self.values()
        for name, points in self.paths().items():
            end, label = arrivals[name][1] or STEPS + 1, self.strings[f"rule_{name}"]
            colour, dashes, mark = LOOKS[name]
            look = {"color": colour, "linestyle": dashes, "marker": mark, "linewidth": 1.5}
            shown = points[: min(self.step + 1, end)]
            left.plot(*shown.T, markevery=[len(shown) - 1], **look)
            line = values[name][:end].clamp(min=1e-9)
            right.plot(line, markevery=20, markersize=4, label=label, **look)
        left.plot(*(self.start or STARTS[self.surface]), "o", color="black", fillstyle="none")
        right.axvline(self.step, color="0.7", linewidth=0.8)
        if self.rules:
            right.legend(fontsize="small")
        figure.supxlabel("\n".join(self._sentences()), fontsize="medium")
        return figure

    def alt_text(self) -> str:
        return (
            f"Contour map of a surface, {self.strings[f'surface_{self.surface}']}, with the paths "
            f"of update rules at learning rate {self.lr:.3g} and momentum {self.momentum:.3g}; "
            f"beside it, f at each step. {' '.join(self._sentences())}"
        )

    def _sentences(self) -> list[str]:
        """What the live region says, one sentence an entry."""
        found, texts = self.arrivals(), self.strings
        name = {r: texts[f"rule_{r}"] for r in self.rules}
        racing = [r for r in found if found[r][1] is None or self.step < found[r][1]]
        here = {name[r]: float(self.values()[r][self.step]) for r in racing}
        lowest = [rule for rule, value in here.items() if value == min(here.values())]

        def ranked(which: int) -> list[str]:
            arrived = [r for r in found if found[r][which] is not None]
            in_order = sorted(arrived, key=lambda r: found[r][which])
            return [f"{name[r]} {found[r][which]}" for r in in_order]

        never = [name[r] for r in found if found[r] == (None, None)]
        said = {"lowest": lowest, "settled": ranked(0), "never": never, "diverged": ranked(1)}
        fields = {"step": self.step, "value": _written(min(here.values(), default=0))}
        fields["steps"] = STEPS
        lines = {key: ", ".join(rules) for key, rules in said.items() if rules}
        spoken = [texts[f"all_{key}"].format(list=rules, **fields) for key, rules in lines.items()]
        return spoken or [texts["nobody"]]


def _written(value: float) -> str:
    """Three digits, or two and a power of ten; as `written` in optimizer_race.js."""
    if value == 0 or 1e-3 <= value < 1e5:
        return f"{float(f'{value:.3g}'):g}"
    digits, power = f"{value:.1e}".split("e")
    return f"{digits}·10{str(int(power)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def _draw_axes(left: Axes, right: Axes, surface: str, texts: dict[str, str]) -> None:
    """Contour lines on the left, and on the right a chart with a line at FINISH."""
    w1, w2 = np.meshgrid(np.linspace(-WIDTH, WIDTH, 201), np.linspace(-HEIGHT, HEIGHT, 151))
    f = surface_value(surface, torch.tensor(np.stack([w1, w2], axis=-1)))
    left.contour(w1, w2, f, levels=[FINISH, *LEVELS], colors="0.75", linewidths=0.8)
    left.set(xlim=(-WIDTH, WIDTH), ylim=(-HEIGHT, HEIGHT), aspect="equal", xlabel="w1", ylabel="w2")
    left.set_title(texts[f"formula_{surface}"], fontsize="small")
    right.set(yscale="log", xlim=(0, STEPS), ylim=(1e-7, 1e3), xlabel=texts["step"])
    right.set_title(texts["chart"], fontsize="small")
    right.axhline(FINISH, color="0.4", linewidth=0.8)
