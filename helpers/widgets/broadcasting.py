"""Two shapes meet: which axes are stretched, which cell comes from where, what a sum adds up."""

from typing import ClassVar

import numpy as np
import traitlets
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from helpers.widgets._checks import checked_choice, is_whole
from helpers.widgets.base import ORANGE, Explorable, format_number

MOST_AXES, MOST_LENGTH = 3, 4  # as in broadcasting.js: what can be drawn cell by cell
MODES = ("combine", "sum")
OPERATIONS = {"add": ("+", np.add), "subtract": ("−", np.subtract), "multiply": ("·", np.multiply)}
FRAME = {"color": "#8c887f", "linewidth": 0.7}
WIDEST = 20  # cells beside each other in the still picture
MARK = {"color": ORANGE, "linewidth": 2.5, "zorder": 2}


class Broadcasting(Explorable):
    """Two small tensors combined cell by cell as torch broadcasts them, or one summed over axes.

    A holds 10, 20, 30 … and B holds 1, 2, 3 …, both counted row by row, so that every result
    shows which cells it was made of.

    >>> lesson = Broadcasting((4, 1), (3,))
    >>> lesson.result().shape
    (4, 3)

    Args:
        first, second: shapes of A and B, each 0 to 3 whole numbers from 1 to 4.
        operation: "add", "subtract" or "multiply".
        strings: replaced texts, see `Explorable`.

    Traits:
        mode: "combine" combines A and B; "sum" adds the cells of A up.
        first, second, operation: as above; shapes are lists.
        axes: the axes of A that "sum" adds over; those that A does not have are ignored.
        keepdim: whether a summed axis stays, with length 1.
        cell: index of the chosen cell of the result, brought inside where the result is smaller.

    Raises:
        ValueError: something above is of another kind; the message says what came.
    """

    module_name = "broadcasting"
    STRINGS: ClassVar = {
        "mode": "What to look at",
        "mode_combine": "Combine two tensors",
        "mode_sum": "Sum over axes",
        "presets": "Shapes to start from",
        "preset_column": "Column and row",
        "preset_number": "One number for all",
        "preset_clash": "Mean per channel, shape (3,)",
        "preset_channels": "Mean per channel, shape (3, 1, 1)",
        "preset_silent": "(4,) with (4, 1)",
        "axes_of": "Axes of {name}",
        "operation": "Operation",
        "operation_add": "A + B",
        "operation_subtract": "A − B",
        "operation_multiply": "A · B",
        "keepdim": "keepdim=True",
        "table": "The shapes, axis by axis, aligned at the right",
        "axis": "axis {negative}",
        "axis_both": "axis {axis} = {negative}",
        "row_fate": "fate",
        "row_sum": "sum over",
        "row_result": "result",
        "length": "{name}, axis {negative}",
        "sum_over": "sum over axis {axis}, which is axis {negative}",
        "missing": "missing",
        "fate_equal": "equal",
        "fate_first_stretched": "A stretched from\u00a01",
        "fate_second_stretched": "B stretched from\u00a01",
        "fate_first_missing": "missing in A, added in front",
        "fate_second_missing": "missing in B, added in front",
        "fate_clash": "clash",
        "fate_stays": "stays",
        "fate_kept": "summed, kept as 1",
        "fate_gone": "summed, gone",
        "shapes_fit": "{first} and {second} fit: the result has shape {shape}.",
        "shapes_clash": "{first} and {second} clash at axis {negative}: "
        "the lengths {a} and {b} differ, and neither of them is 1.",
        "torch_says": "torch says:",
        "sum_shape": "{call} has shape {shape}.",
        "sum_nothing": "No axis is chosen, so nothing is added up. "
        "In torch, A.sum() without dim adds over all axes.",
        "shape": "shape {shape}",
        "result": "result",
        "no_result": "No result.",
        "hint": "Point at a cell of the result, tap it, or move with the arrow keys: "
        "the cells that it came from are marked.",
    }

    mode = traitlets.Unicode("combine").tag(sync=True)
    first = traitlets.TraitType(()).tag(sync=True)
    second = traitlets.TraitType(()).tag(sync=True)
    operation = traitlets.Unicode("add").tag(sync=True)
    axes = traitlets.TraitType(()).tag(sync=True)
    keepdim = traitlets.Bool(False).tag(sync=True)
    cell = traitlets.TraitType(()).tag(sync=True)

    def __init__(self, first=(4, 1), second=(3,), *, operation="add", strings=None) -> None:
        super().__init__(
            strings=strings,
            first=first,
            second=second,
            operation=operation,
            axes=[0],
            cell=[2, 1],
        )

    @traitlets.validate("first", "second")
    def _check_shape(self, proposal):
        return _whole_numbers(proposal, 1, MOST_LENGTH)

    @traitlets.validate("cell")
    def _check_cell(self, proposal):
        return _whole_numbers(proposal, 0, MOST_LENGTH - 1)

    @traitlets.validate("axes")
    def _check_axes(self, proposal):
        axes = _whole_numbers(proposal, 0, MOST_AXES - 1)
        if len(set(axes)) < len(axes):
            raise ValueError(f"axes should name each axis once; got {proposal['value']!r}.")
        return sorted(axes)

    @traitlets.validate("mode", "operation")
    def _check_choice(self, proposal):
        name = proposal["trait"].name
        return checked_choice(name, proposal["value"], MODES if name == "mode" else OPERATIONS)

    def result(self) -> np.ndarray | None:
        """What is shown as the result, an int64 array; None where the shapes clash."""
        a, b = _counted(self.first, 10), _counted(self.second, 1)
        if self.mode == "sum":
            return a.sum(axis=self._summed(), keepdims=self.keepdim)
        try:
            return OPERATIONS[self.operation][1](a, b)
        except ValueError:
            return None

    def static_figure(self) -> Figure:
        """The tensors as numbered cells, the chosen result and the cells it came from marked."""
        drawn = self._tensors()
        corners, width, height = _places([values.shape for _, values, _ in drawn])
        size = (0.5 * width, 0.5 * height + 1)  # half an inch a cell, one inch for titles
        figure = Figure(figsize=size, layout="constrained")
        ax = figure.subplots()
        for (left, top), (name, values, marked) in zip(corners, drawn, strict=True):
            ax.text(left, top - 0.3, f"{name} {values.shape}", fontsize=10, weight="bold")
            _draw_cells(ax, values, marked, left, top)
        ax.set(xlim=(-0.1, width + 0.1), ylim=(height + 0.1, -1.1), aspect="equal")
        ax.set_axis_off()
        figure.supxlabel(self._in_words(), fontsize="medium")
        return figure

    def alt_text(self) -> str:
        shapes = ", ".join(f"{name} of shape {values.shape}" for name, values, _ in self._tensors())
        return f"Tensors drawn as numbered cells: {shapes}. {self._in_words()}"

    def _summed(self) -> tuple[int, ...]:
        return tuple(axis for axis in self.axes if axis < len(self.first))

    def _tensors(self) -> list[tuple[str, np.ndarray, np.ndarray]]:
        """(name, values, which of them are marked), for each tensor that is drawn."""
        a, b, result = _counted(self.first, 10), _counted(self.second, 1), self.result()
        named = [("A", a)] if self.mode == "sum" else [("A", a), ("B", b)]
        if result is None:
            return [(name, values, np.zeros(values.shape, bool)) for name, values in named]
        chosen = np.zeros(result.shape, bool)
        chosen[_inside(self.cell, result.shape)] = True
        sources = [(name, values, self._sources(values.shape, chosen)) for name, values in named]
        return [*sources, (self.strings["result"], result, chosen)]

    def _sources(self, shape: tuple[int, ...], chosen: np.ndarray) -> np.ndarray:
        """Which cells of a tensor of this shape the chosen cell of the result was made of."""
        if self.mode == "sum":
            kept = chosen if self.keepdim else np.expand_dims(chosen, self._summed())
            return np.broadcast_to(kept, shape)
        cells = np.arange(np.prod(shape, dtype=int)).reshape(shape)
        return np.isin(cells, np.broadcast_to(cells, chosen.shape)[chosen])

    def _in_words(self) -> str:
        result, (a, b) = self.result(), map(tuple, (self.first, self.second))
        if result is None:
            return f"{a} and {b}: {self.strings['fate_clash']}. {self.strings['no_result']}"
        index = _inside(self.cell, result.shape)
        place = f"[{', '.join(map(str, index))}]" if index else ""
        return f"{self.strings['result']}{place} = {format_number(result[index])}"


def _whole_numbers(proposal, low: int, high: int) -> list[int]:
    """A list of at most three whole numbers (what JSON can carry), after a check."""
    name, value = proposal["trait"].name, proposal["value"]
    numbers = list(value) if isinstance(value, (list, tuple)) else [None]
    if len(numbers) > MOST_AXES or not all(is_whole(n, low, high) for n in numbers):
        raise ValueError(
            f"{name} should be a tuple of at most {MOST_AXES} whole numbers from {low} to {high}; "
            f"got {value!r}."
        )
    return [int(n) for n in numbers]


def _counted(shape: list[int], step: int) -> np.ndarray:
    """The numbers step, 2·step, 3·step … in a shape, row by row: int64."""
    return step * np.arange(1, np.prod(shape, dtype=int) + 1).reshape(shape)


def _inside(cell: list[int], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The index, aligned at the right with the shape and brought inside it."""
    index = [0] * len(shape) + cell
    ends = index[len(index) - len(shape) :]
    return tuple(min(i, length - 1) for i, length in zip(ends, shape, strict=True))


def _places(shapes: list[tuple[int, ...]]) -> tuple[list[tuple[int, int]], int, int]:
    """The corner (left, top) of each tensor's drawing, then width and height of all, in cells."""
    corners, left, top, width, lowest = [], 0, 0, 0, 0
    for shape in shapes:
        slices, rows, columns = (1, 1, 1, *shape)[-3:]
        needed = max(slices * (columns + 1) - 1, 3)  # a title is about 3 cells wide
        if left and left + needed > WIDEST:
            left, top = 0, lowest + 2
        corners.append((left, top))
        width, lowest = max(width, left + needed), max(lowest, top + rows)
        left += needed + 2
    return corners, width, lowest


def _draw_cells(ax, values: np.ndarray, marked: np.ndarray, left: int, top: int) -> None:
    """Unit squares with their numbers; the slices of a 3-axis tensor stand beside each other."""
    three = (1, 1, 1, *values.shape)[-3:]
    for (part, row, column), value in np.ndenumerate(values.reshape(three)):
        chosen = marked.reshape(three)[part, row, column]
        x, y = left + part * (three[2] + 1) + column, top + row
        ax.add_patch(Rectangle((x, y), 1, 1, fill=False, **(MARK if chosen else FRAME)))
        text, weight = format_number(value), "bold" if chosen else "normal"
        ax.text(x + 0.5, y + 0.5, text, ha="center", va="center", fontsize=9, weight=weight)
