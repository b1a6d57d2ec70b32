"""A convolution's window moves over a small image; the output's size is worked out below it."""

import itertools
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from helpers.widgets._checks import checked_whole
from helpers.widgets.base import ORANGE, Explorable, format_number

SIDES = (4, 12)  # cells of the image: more would be too small to point at on a phone
LIMITS = {"kernel": (1, 5), "padding": (0, 3), "stride": (1, 3), "dilation": (1, 3)}


class SlidingWindow(Explorable):
    """A tiny image, a window on it, and the output; kernel, padding, stride and dilation move.

    The kernel averages: each of its k² weights is 1/k². The arithmetic is that of
    `torch.nn.functional.conv2d` with padding by zeros. Rows and columns count from 0.

    >>> window = SlidingWindow(photo, kernel=3, stride=2)  # photo: uint8 (8, 8)
    >>> window.averages().shape
    (3, 3)

    Args:
        image: uint8 tensor or array (height, width), each side 4 to 12 cells.
        kernel, padding, stride, dilation: whole numbers within `LIMITS`.
        row, column: the output cell whose window is shown.
        strings: replaced texts, see `Explorable`.

    Traits:
        the settings, row, column: a place beyond the output is shown as the last one there.

    Raises:
        ValueError: something above is of another kind or size; the message says what came.
    """

    module_name = "sliding_window"
    STRINGS: ClassVar = {
        "kernel": "Kernel",
        "padding": "Padding",
        "stride": "Stride",
        "dilation": "Dilation",
        "input": "Input",
        "output": "Output",
        "input_size": "{height} × {width} cells, padded {tall} × {wide}",
        "output_size": "{rows} × {columns} cells",
        "output_none": "no output",
        "legend_touched": "under the chosen window",
        "legend_padding": "padding: zeros",
        "legend_untouched": "under no window at all",
        "position": "row {row}, column {column}: {mean}",
        "window_one": "Output row {row}, column {column} is {mean}: the cell in input row {rows} "
        "and column {columns}.",
        "window_many": "Output row {row}, column {column} is {mean}: "
        "the average of input rows {rows} and columns {columns}.",
        "padding_count": "Padding under this window: {count} of {total} cells.",
        "untouched_count": "Input cells under no window: {count} of {total}.",
        "too_large": "The window spans {span} × {span} cells, the padded input has "
        "{tall} × {wide}: it fits nowhere, so there is no output.",
        "size": "Size of the output",
        "size_both": "Height and width",
        "size_height": "Height",
        "size_width": "Width",
        "formula": "⌊({size} + 2·{padding} − {dilation}·({kernel} − 1) − 1) / {stride}⌋ + 1",
        "formula_step": "⌊{room} / {stride}⌋ + 1",
        "formula_words": "⌊(size + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1",
        "rounding": "⌊ ⌋: rounded down",
        "hint": "The kernel averages: each of its weights is 1 divided by their number. "
        "Black is 0, white is 1. Rows and columns count from 0; those of padding lie outside. "
        "Point at either grid to look at a window, click to keep it; or move with the arrow keys.",
    }

    height = traitlets.Int().tag(sync=True)
    width = traitlets.Int().tag(sync=True)
    pixels = traitlets.Bytes().tag(sync=True)
    # Not Any, which takes None without asking the validators below.
    kernel, padding, stride, dilation = (traitlets.TraitType().tag(sync=True) for _ in LIMITS)
    row, column = (traitlets.TraitType(0).tag(sync=True) for _ in range(2))

    def __init__(
        self, image, *, kernel=3, padding=0, stride=1, dilation=1, row=0, column=0, strings=None
    ) -> None:
        self._image = _checked_image(image)
        settings = {"kernel": kernel, "padding": padding, "stride": stride, "dilation": dilation}
        super().__init__(strings=strings, pixels=self._image.tobytes(), **settings)
        self.height, self.width = self._image.shape
        rows, columns = (max(side, 1) for side in self.averages().shape)
        self.row = checked_whole("row", row, 0, rows - 1)
        self.column = checked_whole("column", column, 0, columns - 1)

    @traitlets.validate(*LIMITS)
    def _check_setting(self, proposal):
        return checked_whole(name := proposal["trait"].name, proposal["value"], *LIMITS[name])

    @traitlets.validate("row", "column")
    def _check_place(self, proposal):
        name = proposal["trait"].name
        side = self._image.shape[name == "column"] + 2 * LIMITS["padding"][1]  # the largest output
        return checked_whole(name, proposal["value"], 0, side - 1)

    def averages(self) -> np.ndarray:
        """The output, 0…1: float64 (rows, columns), with 0 rows and columns where nothing fits."""
        span = self.dilation * (self.kernel - 1) + 1  # cells from the window's first to its last
        padded = np.pad(self._image.astype(np.float64), self.padding)
        if span > min(padded.shape):
            return np.zeros((0, 0))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (span, span))
        windows = windows[:: self.stride, :: self.stride, :: self.dilation, :: self.dilation]
        return windows.mean(axis=(2, 3)) / 255  # (rows, columns, kernel, kernel) -> (rows, columns)

    def static_figure(self) -> Figure:
        """Padded input with its marks, output with the chosen cell; the size worked out above."""
        figure = Figure(figsize=(9, 4.8), layout="constrained")
        axes = figure.subplots(1, 2)
        self._draw_input(axes[0])
        self._draw_output(axes[1])
        figure.suptitle("\n".join(self._formulas()), fontsize="medium")
        figure.supxlabel("\n".join(self._sentences()), fontsize="medium")
        return figure

    def alt_text(self) -> str:
        return (
            f"A grey image of {self.height} × {self.width} cells with padding {self.padding}, and "
            f"its average over a {self.kernel} × {self.kernel} window with stride {self.stride} "
            f"and dilation {self.dilation}. {' '.join(self._sentences())}"
        )

    def _place(self) -> tuple[int, int]:
        rows, columns = self.averages().shape
        return min(self.row, rows - 1), min(self.column, columns - 1)

    def _touched(self, position: int) -> np.ndarray:
        """Input rows (or columns) under the window at one position."""
        return position * self.stride - self.padding + np.arange(self.kernel) * self.dilation

    def _coverage(self) -> np.ndarray:
        """How many windows lie on each cell: (height + 2·padding, width + 2·padding)."""
        counts = [np.zeros(side + 2 * self.padding, dtype=int) for side in self._image.shape]
        for count, positions in zip(counts, self.averages().shape, strict=True):
            for position in range(positions):
                count[self._touched(position) + self.padding] += 1
        return np.outer(*counts)

    def _draw_input(self, ax: Axes) -> None:
        padding, coverage = self.padding, self._coverage()
        tall, wide = coverage.shape
        size = {"height": self.height, "width": self.width, "tall": tall, "wide": wide}
        _draw_grey(ax, np.pad(self._image / 255, padding), coverage.shape, corner=-padding)
        ax.set_title(f"{self.strings['input']}: {self.strings['input_size'].format(**size)}")
        dashed = {"edgecolor": "0.7", "linestyle": "--", "hatch": "///", "fill": False}
        for row, column in np.argwhere(self._is_padding()) - padding - 0.4:
            ax.add_patch(Rectangle((column, row), 0.8, 0.8, **dashed))
        for row, column in np.argwhere(coverage == 0) - padding:
            _mark(ax, row, column, "x", "black")
        if self.averages().size:
            rows, columns = map(self._touched, self._place())
            _outline(ax, rows[0], columns[0], rows[-1] - rows[0] + 1)
            for row, column in itertools.product(rows, columns):
                _mark(ax, row, column, "o", ORANGE)

    def _draw_output(self, ax: Axes) -> None:
        output = self.averages()
        rows, columns = output.shape
        size = self.strings["output_size" if output.size else "output_none"]
        ax.set_title(f"{self.strings['output']}: {size.format(rows=rows, columns=columns)}")
        ax.set_axis_off()
        if output.size:
            _draw_grey(ax, output, self._coverage().shape)
            _outline(ax, *self._place(), 1)

    def _is_padding(self) -> np.ndarray:
        """Of each cell of the padded input: bool (height + 2·padding, width + 2·padding)."""
        return np.pad(np.zeros(self._image.shape, bool), self.padding, constant_values=True)

    def _formulas(self) -> Iterator[str]:
        """The output's size with its numbers: a line for height and width, or one for each."""
        same = self.height == self.width
        sides = {"both": self.height} if same else {"height": self.height, "width": self.width}
        settings = {name: getattr(self, name) for name in LIMITS}
        for name, size in sides.items():
            formula = self.strings["formula"].format(size=size, **settings)
            room = size + 2 * self.padding - self.dilation * (self.kernel - 1) - 1
            result = _listed([room // self.stride + 1])
            yield f"{self.strings[f'size_{name}']}: {formula} = {result}"

    def _sentences(self) -> list[str]:
        """What the live region says, one sentence an entry."""
        texts, coverage = self.strings, self._coverage()
        unused = ((coverage == 0) & ~self._is_padding()).sum()
        last = texts["untouched_count"].format(count=unused, total=self._image.size)
        if not self.averages().size:
            span, (tall, wide) = self.dilation * (self.kernel - 1) + 1, coverage.shape
            return [texts["too_large"].format(span=span, tall=tall, wide=wide), last]
        (row, column), total = self._place(), self.kernel**2
        rows, columns = map(self._touched, self._place())
        found = {"row": row, "column": column, "mean": f"{self.averages()[row, column]:.3f}"}
        found |= {"rows": _listed(rows), "columns": _listed(columns)}
        padding = self._is_padding()[np.ix_(rows + self.padding, columns + self.padding)].sum()
        first = texts["window_one" if total == 1 else "window_many"].format(**found)
        return [first, texts["padding_count"].format(count=padding, total=total), last]


def _checked_image(image) -> np.ndarray:
    array = np.asarray(image)
    fits = array.ndim == 2 and all(SIDES[0] <= side <= SIDES[1] for side in array.shape)
    if array.dtype != np.uint8 or not fits:
        expected = f"uint8 of shape (height, width), each {SIDES[0]} to {SIDES[1]} cells"
        raise ValueError(f"image should be {expected}; got {array.dtype} of shape {array.shape}.")
    return array.copy()


def _listed(numbers) -> str:
    return ", ".join(map(format_number, numbers))


def _draw_grey(ax: Axes, values: np.ndarray, room: tuple[int, int], corner: int = 0) -> None:
    """Cells from 0 black to 1 white, the first at (corner, corner), in the middle of the room."""
    rows, columns = (np.arange(side + 1) + corner - 0.5 for side in values.shape)
    look = {"cmap": "gray", "vmin": 0, "vmax": 1, "edgecolors": "0.5", "linewidth": 0.5}
    ax.pcolormesh(columns, rows, values, **look)
    margins = [(side - used) / 2 + 0.2 for side, used in zip(room, values.shape, strict=True)]
    ax.set(aspect="equal", xlim=(columns[0] - margins[1], columns[-1] + margins[1]))
    ax.set(ylim=(rows[-1] + margins[0], rows[0] - margins[0]))
    ax.set_axis_off()


def _outline(ax: Axes, row: int, column: int, size: int) -> None:
    corner = (column - 0.5, row - 0.5)
    for width, colour in ((4, "white"), (2, ORANGE)):
        ax.add_patch(Rectangle(corner, size, size, fill=False, linewidth=width, edgecolor=colour))


def _mark(ax: Axes, row: int, column: int, marker: str, colour: str) -> None:
    for size, width, tint in ((7, 3.5, "white"), (6, 1.5, colour)):
        ax.plot(column, row, marker, color=tint, markersize=size, markeredgewidth=width)
