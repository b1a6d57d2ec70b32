"""Which input positions one unit of a stack of layers depends on, and along how many paths."""

import textwrap
from typing import ClassVar

import numpy as np
import traitlets
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from helpers.widgets._checks import checked_whole
from helpers.widgets.base import BLUE, ORANGE, Explorable

LIMITS = {"kernel": 7, "stride": 3, "dilation": 4}  # each from 1 on, as in receptive_field.js
MOST_LAYERS = 5
LISTED = 12  # positions named in a sentence
TOP_ROWS = ((5, 24), (3, 48))  # units in the top row, while the input has at most so many positions


class ReceptiveField(Explorable):
    """A stack of convolution or pooling layers along one axis, without padding.

    The reader picks a unit; the positions below that it depends on are drawn layer by layer, and
    each input position carries the number of paths that lead to it.

    >>> field = ReceptiveField([(3, 1, 1), (3, 1, 1)])  # (kernel, stride, dilation), input first
    >>> field.fields()
    [(1, 3), (1, 5)]
    >>> field.path_counts().tolist()  # of the middle one of five units, over nine positions
    [0, 0, 1, 2, 3, 2, 1, 0, 0]

    Args:
        layers: 1 to 5 triples: kernel 1 to 7, stride 1 to 3, dilation 1 to 4.
        unit: index of the chosen unit in the top row; without it, the middle one.
        strings: replaced texts, see `Explorable`.

    Traits:
        layers: lists of three numbers; layers[0] stands next to the input.
        unit: the chosen unit, None for the middle one of its row; past the end means the last one.
        layer: the row of the chosen unit, 1 next to the input; None or too large for the top row.

    Raises:
        TypeError, ValueError: something above is of another kind; the message says what came.
    """

    module_name = "receptive_field"
    STRINGS: ClassVar = {
        "preset": "Stack of layers",
        "preset_three": "Three 3×3 layers",
        "preset_dilated": "Dilation 1, 2, 4",
        "preset_strided": "Stride 2 each time",
        "preset_article": "Article's network: 3×3, pooling 2",
        "preset_seven": "One 7×7 layer",
        "preset_own": "Your own",
        "add": "Add a layer",
        "remove": "Remove a layer",
        "unit": "Chosen unit",
        "position": "layer {layer}, unit {unit}: positions {first} to {last}",
        "row": "Layer {layer}",
        "input": "Input",
        "paths": "Paths",
        "axis": "Position",
        "hint": "Point at a unit of any layer to look at it, click to keep it; or move with the "
        "arrow keys. Change the table and watch the fan. Units and positions count from 0.",
        "counts": "Paths to the positions from {first} to {last}: {counts}.",
        "too_wide": "The input needs {inputs} positions; more than {limit} are too narrow to be "
        "drawn one by one, so each row is one strip. The numbers stay exact.",
        "sees_one": "Unit {unit} of layer {layer} depends on position {first} alone, along 1 path.",
        "sees_all": "Unit {unit} of layer {layer} depends on {used} of {inputs} input positions: "
        "on all from {first} to {last}.",
        "sees_with_gaps": "Unit {unit} of layer {layer} spans {span} input positions, from {first} "
        "to {last}, and uses {used} of them. Between them it misses {missed}.",
        "and_more": "{listed} and {more} more",
        "paths_equal": "Each of these is reached along 1 path: all count the same.",
        "paths_peak": "Of its {paths} paths, {most} lead to {where}, and 1 to each end.",
        "peak_1": "position {first}",
        "peak_2": "each of the positions {first} and {second}",
        "peak_many": "each of {count} positions",
        "formula": "Receptive field: R = R below + (k − 1) · d · J below. "
        "Jump, the distance in the input between two neighbouring units: J = J below · s. "
        "The input itself has R = 1 and J = 1.",
        "head_layer": "Layer",
        "head_kernel": "Kernel k",
        "head_stride": "Stride s",
        "head_dilation": "Dilation d",
        "head_jump": "Jump J",
        "head_size": "Field R",
        "label_kernel": "Kernel of layer {layer}",
        "label_stride": "Stride of layer {layer}",
        "label_dilation": "Dilation of layer {layer}",
    }

    layers = traitlets.TraitType().tag(sync=True)  # Any would let None pass unchecked
    unit = traitlets.Any(None, allow_none=True).tag(sync=True)
    layer = traitlets.Any(None, allow_none=True).tag(sync=True)

    def __init__(self, layers, *, unit=None, strings=None) -> None:
        super().__init__(strings=strings, layers=layers, unit=unit)
        checked_whole("unit", unit, 0, _top_units(self.layers) - 1, or_none=True)

    @traitlets.validate("layers")
    def _check_layers(self, proposal):
        return _checked_layers(proposal["value"])

    @traitlets.validate("unit", "layer")
    def _check_place(self, proposal):
        name = proposal["trait"].name
        return checked_whole(name, proposal["value"], 0 if name == "unit" else 1, or_none=True)

    def chosen(self) -> tuple[int, int]:
        """Layer (1 next to the input) and index of the chosen unit, as they are drawn."""
        layer = min(self.layer or len(self.layers), len(self.layers))
        last = self._row_sizes()[layer] - 1
        return layer, last // 2 if self.unit is None else min(self.unit, last)

    def fields(self) -> list[tuple[int, int]]:
        """(jump, receptive field) of each layer, both in input positions."""
        jump, size, found = 1, 1, []
        for kernel, stride, dilation in self.layers:
            size, jump = size + (kernel - 1) * dilation * jump, jump * stride
            found.append((jump, size))
        return found

    def path_counts(self, row: int = 0) -> np.ndarray:
        """Paths from the chosen unit to each place of a row (0: the input): int64 (row length,)."""
        (layer, unit), sizes = self.chosen(), self._row_sizes()
        counts = np.zeros(sizes[layer], dtype=np.int64)
        counts[unit] = 1
        for below in range(layer - 1, row - 1, -1):
            kernel, stride, dilation = self.layers[below]
            above, counts = counts, np.zeros(sizes[below], dtype=np.int64)
            for tap in range(kernel):
                counts[stride * np.arange(len(above)) + tap * dilation] += above
        return counts

    def static_figure(self) -> Figure:
        """The rows of units with what the chosen one uses, above the path counts of the input."""
        tall = 0.55 * len(self.layers) + 0.4
        figure = Figure(figsize=(9, tall + 2.2), layout="constrained")
        fan, bars = figure.subplots(2, 1, sharex=True, height_ratios=[tall, 1.2])
        self._draw_rows(fan)
        counts = self.path_counts()
        bars.bar(np.arange(len(counts)), counts, color=BLUE, width=0.88 if len(counts) < 200 else 1)
        bars.set(xlabel=self.strings["axis"], ylabel=self.strings["paths"])
        bars.spines[["top", "right"]].set_visible(False)
        bars.set_xlim(-0.6, len(counts) - 0.4)
        figure.supxlabel(textwrap.fill(self._in_words(), 100), fontsize="medium")
        return figure

    def alt_text(self) -> str:
        triples = "; ".join(f"kernel {k}, stride {s}, dilation {d}" for k, s, d in self.layers)
        paths = self._listed(self.path_counts()[self.path_counts() > 0])
        return (
            f"Rows of units above each other, from the input upwards with {triples}. "
            f"{self._in_words()} Bars below show the paths to each position in use: {paths}."
        )

    def _row_sizes(self) -> list[int]:
        """Units in each row: the input first, the top row last."""
        return _sizes(self.layers, _top_units(self.layers))

    def _in_words(self) -> str:
        (layer, unit), counts = self.chosen(), self.path_counts()
        used = np.flatnonzero(counts)
        first, last, span = used[0], used[-1], used[-1] - used[0] + 1
        key = "sees_one" if span == 1 else "sees_all" if span == len(used) else "sees_with_gaps"
        place = {"layer": layer, "unit": unit, "first": first, "last": last, "span": span}
        missed = self._listed(np.setdiff1d(np.arange(first, last), used))
        return self.strings[key].format(**place, used=len(used), inputs=len(counts), missed=missed)

    def _listed(self, positions: np.ndarray) -> str:
        listed, more = ", ".join(map(str, positions[:LISTED])), len(positions) - LISTED
        return self.strings["and_more"].format(listed=listed, more=more) if more > 0 else listed

    def _draw_rows(self, ax) -> None:
        """Each unit stands above the middle of the positions that it spans; the input is row 0."""
        layer, unit = self.chosen()
        rows = zip(self._row_sizes(), [(1, 1), *self.fields()], strict=True)
        places = [np.arange(length) * jump + (size - 1) / 2 for length, (jump, size) in rows]
        for row, here in enumerate(places):
            counts = self.path_counts(row) if row <= layer else np.zeros(len(here))
            shades = 0.15 + 0.85 * counts / max(counts.max(), 1)
            colours = [(BLUE, shade) if shade > 0.15 else "0.9" for shade in shades]
            ax.broken_barh([(x - 0.44, 0.88) for x in here], (row - 0.2, 0.4), color=colours)
            if 1 <= row <= layer:
                ax.add_collection(_lines(self.layers[row - 1], row, places, counts))
        ax.broken_barh([(places[layer][unit] - 0.44, 0.88)], (layer - 0.2, 0.4), color=ORANGE)
        ax.plot(places[layer][unit], layer, marker="s", color=ORANGE)  # cells may be hair-thin
        names = [self.strings["row"].format(layer=i + 1) for i in range(len(self.layers))]
        ax.set_yticks(range(len(places)), [self.strings["input"], *names])
        ax.tick_params(length=0, labelbottom=False)
        ax.spines[:].set_visible(False)


def _lines(triple: list[int], row: int, places: list[np.ndarray], counts) -> LineCollection:
    """From each used unit of a row to the units below that it adds up."""
    kernel, stride, dilation = triple
    above, below = places[row], places[row - 1]
    ends = [
        [(above[unit], row - 0.2), (below[unit * stride + tap * dilation], row - 0.8)]
        for unit in np.flatnonzero(counts)
        for tap in range(kernel)
    ]
    return LineCollection(ends, colors=BLUE, alpha=0.4, linewidths=0.8 if len(ends) < 500 else 0.05)


def _sizes(layers: list[list[int]], units: int) -> list[int]:
    """Length of each row, the input first, when the top row has so many units."""
    sizes = [units]
    for kernel, stride, dilation in reversed(layers):
        sizes.insert(0, (sizes[0] - 1) * stride + dilation * (kernel - 1) + 1)
    return sizes


def _top_units(layers: list[list[int]]) -> int:
    """Units in the top row: fewer where the input would become too long to be drawn."""
    return next((units for units, most in TOP_ROWS if _sizes(layers, units)[0] <= most), 1)


def _checked_layers(layers) -> list[list[int]]:
    """Plain lists of ints (what JSON can carry), after a check of every number."""
    wanted = f"layers should be a list of 1 to {MOST_LAYERS} (kernel, stride, dilation) triples"
    if not isinstance(layers, (list, tuple)):
        raise TypeError(f"{wanted}; got {type(layers).__name__}.")
    if not 1 <= len(layers) <= MOST_LAYERS:
        raise ValueError(f"{wanted}; got {len(layers)} of them.")
    return [_checked_triple(i, triple) for i, triple in enumerate(layers)]


def _checked_triple(number: int, triple) -> list[int]:
    if not isinstance(triple, (list, tuple)) or len(triple) != len(LIMITS):
        raise ValueError(
            f"layers[{number}] should be (kernel, stride, dilation), three numbers; got {triple!r}."
        )
    return [
        checked_whole(f"{name} of layers[{number}]", value, 1, most)
        for (name, most), value in zip(LIMITS.items(), triple, strict=True)
    ]
