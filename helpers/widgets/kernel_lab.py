"""A kernel slides over a photograph; each output pixel is one weighted sum, written in numbers."""

from typing import ClassVar

import numpy as np
import traitlets
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from helpers.widgets._checks import checked_choice, checked_whole, numbers_in
from helpers.widgets._pictures import checked_pictures, packed
from helpers.widgets.base import ORANGE, Explorable, format_number

SOBEL_VERTICAL = [[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]  # answers to vertical edges
LIMIT = 1000  # of a weight and of the bias, as in kernel_lab.js
MODES = ("clip", "signed")


class KernelLab(Explorable):
    """Photograph, editable kernel, output, and the sum behind the pixel that the reader points at.

    The arithmetic is a valid cross-correlation of pixels in 0…1: no padding, kernel not flipped,
    as `torch.nn.functional.conv2d` does it.

    >>> lab = KernelLab({"cat": photo}, position=(40, 70))  # photo: uint8 (height, width)
    >>> lab.response()[lab.row, lab.column]  # the output pixel that is written out

    Args:
        images: name -> uint8 tensor or array (height, width), each side 16 to 320 pixels.
        kernel: 3×3 or 5×5 numbers; without it, Sobel's kernel for vertical edges.
        position: (row, column) of an output pixel; without it, the strongest response.
        bias: added to every output pixel.
        strings: replaced texts, see `Explorable`.

    Traits:
        image_name, kernel, bias, row, column: the reader's choice; kernel is lists of floats.
        mode: "clip" draws 0 black and 1 white; "signed" draws 0 in mid-grey.

    Raises:
        TypeError, ValueError: something above is of another kind; the message says what came.
    """

    module_name = "kernel_lab"
    shared = ("_common", "_pictures")
    STRINGS: ClassVar = {
        "photo": "Photograph",
        "own": "Open a photo of your own",
        "own_shown": "your own photo",
        "own_stays": "Your photo stays in this browser; it is not sent anywhere.",
        "own_narrow": "This photo is too narrow: fewer than 16 pixels when it is scaled to 160.",
        "own_unreadable": "This file could not be read as a picture. Try a PNG or JPEG file.",
        "size": "Kernel size",
        "size_option": "{size} × {size}",
        "presets": "Kernels to start from",
        "preset_identity": "Identity",
        "preset_box": "Box blur",
        "preset_gaussian": "Gaussian blur",
        "preset_sharpen": "Sharpen",
        "preset_sobel_vertical": "Sobel, vertical edges",
        "preset_sobel_horizontal": "Sobel, horizontal edges",
        "preset_emboss": "Emboss",
        "preset_outline": "Outline",
        "input": "Input",
        "output": "Output",
        "input_size": "{height} × {width} pixels",
        "output_size": "{rows} × {columns} = ({height} − {size} + 1) × ({width} − {size} + 1)",
        "mode": "Grey levels",
        "mode_clip": "0 is black, 1 is white",
        "mode_signed": "0 is mid-grey",
        "at_most": "0 or less",
        "at_least": "1 or more",
        "position": "row {row}, column {column}: {result}",
        "hint": "Point at either picture to look at a pixel, click to keep it; "
        "or move with the arrow keys. Type other weights and watch the sum.",
        "patch": "Patch x",
        "kernel": "Kernel w",
        "weight": "row {row} column {column}",
        "bias": "Bias b",
        "result": "Output pixel",
        "sum": "f(x) = Σ wᵢ · xᵢ + b, in numbers",
    }

    sources = traitlets.List().tag(sync=True)
    pixels = traitlets.Bytes().tag(sync=True)
    image_name = traitlets.Unicode().tag(sync=True)
    kernel = traitlets.TraitType().tag(sync=True)
    bias = traitlets.TraitType(0.0).tag(sync=True)
    row = traitlets.TraitType(0).tag(sync=True)
    column = traitlets.TraitType(0).tag(sync=True)
    mode = traitlets.Unicode("clip").tag(sync=True)

    def __init__(self, images, kernel=None, position=None, *, bias=0.0, strings=None) -> None:
        self._pictures = checked_pictures(images)
        sources, pixels = packed(self._pictures)
        kernel = SOBEL_VERTICAL if kernel is None else kernel
        super().__init__(
            strings=strings,
            sources=sources,
            pixels=pixels,
            image_name=sources[0]["name"],
            kernel=kernel,
            bias=bias,
        )
        response = self.response()
        outside = response.min() < 0 or response.max() > 1 + 1e-9
        self.mode = "signed" if outside else "clip"
        self.row, self.column = _checked_position(position, response)

    @traitlets.validate("kernel")
    def _check_kernel(self, proposal):
        return _numbers("kernel", proposal["value"], shapes=[(3, 3), (5, 5)])

    @traitlets.validate("bias")
    def _check_bias(self, proposal):
        return _numbers("bias", proposal["value"], shapes=[()])

    @traitlets.validate("row", "column")
    def _check_place(self, proposal):
        return checked_whole(proposal["trait"].name, proposal["value"], 0)

    @traitlets.validate("mode", "image_name")
    def _check_choice(self, proposal):
        name = proposal["trait"].name
        return checked_choice(name, proposal["value"], MODES if name == "mode" else self._pictures)

    def response(self) -> np.ndarray:
        """The output for the chosen photograph: float64 (height − k + 1, width − k + 1)."""
        pixels = self._pictures[self.image_name] / 255
        weights = np.array(self.kernel)
        patches = np.lib.stride_tricks.sliding_window_view(pixels, weights.shape)
        return np.einsum("hwij,ij->hw", patches, weights) + self.bias

    def static_figure(self) -> Figure:
        """Input with the patch marked, the kernel, and the output with the pixel marked."""
        pixels, response = self._pictures[self.image_name], self.response()
        size, end = len(self.kernel), np.abs(response).max() or 1.0
        low, high = (0, 1) if self.mode == "clip" else (-end, end)
        figure = Figure(figsize=(9, 3), layout="constrained")
        left, middle, right = figure.subplots(1, 3, width_ratios=[3, 1.5, 3])
        left.imshow(pixels / 255, cmap="gray", vmin=0, vmax=1)
        left.set_title(f"{self.strings['input']}, {pixels.shape[0]} × {pixels.shape[1]}")
        drawn = right.imshow(response, cmap="gray", vmin=low, vmax=high)
        right.set_title(f"{self.strings['output']}, {response.shape[0]} × {response.shape[1]}")
        figure.colorbar(drawn, ax=right, shrink=0.7, label=self.strings["mode"])
        _mark(left, self.row, self.column, size)
        _mark(right, self.row, self.column, 1)
        _write_kernel(middle, self.kernel, self.strings["kernel"])
        figure.supxlabel(self._in_words(), fontsize="medium")
        return figure

    def alt_text(self) -> str:
        rows = "; ".join(" ".join(f"{weight:.3g}" for weight in row) for row in self.kernel)
        return (
            f"The photograph {self.image_name} in grey, a kernel with the rows {rows}, "
            f"and the output of their cross-correlation. {self._in_words()}"
        )

    def _in_words(self) -> str:
        result = format_number(self.response()[self.row, self.column], ".3f")
        place = self.strings["position"].format(row=self.row, column=self.column, result=result)
        return f"{self.strings['result']}, {place}"


def _numbers(name: str, value, shapes: list[tuple[int, ...]]):
    """Plain lists of floats (what JSON can carry), after a check of shape and size."""
    kinds = " or ".join("×".join(map(str, shape)) for shape in shapes)
    few = f"{kinds} finite numbers" if kinds else "one finite number"
    expected = f"{few} between −{LIMIT} and {LIMIT}"
    numbers = numbers_in(name, value, expected)
    if numbers.shape not in shapes:
        raise ValueError(f"{name} should be {expected}; got shape {numbers.shape}.")
    too_large = numbers[~(np.abs(numbers) <= LIMIT)]  # written so that nan is among them
    if too_large.size:
        raise ValueError(f"{name} should be {expected}; got {too_large[0]}.")
    return numbers.tolist()


def _checked_position(position, response: np.ndarray) -> tuple[int, int]:
    """The position, or that of the strongest response where none is given."""
    if position is None:
        position = np.unravel_index(np.abs(response).argmax(), response.shape)
    row, column = (int(place) for place in position)
    rows, columns = response.shape
    if not (0 <= row < rows and 0 <= column < columns):
        raise ValueError(
            f"position should be a row from 0 to {rows - 1} and a column from 0 to {columns - 1} "
            f"of the output; got {(row, column)}."
        )
    return row, column


def _mark(ax, row: int, column: int, size: int) -> None:
    corner = (column - 0.5, row - 0.5)
    for width, colour in ((3, "white"), (1.5, ORANGE)):
        ax.add_patch(Rectangle(corner, size, size, fill=False, linewidth=width, edgecolor=colour))
    ax.set_axis_off()


def _write_kernel(ax, kernel: list[list[float]], title: str) -> None:
    size = len(kernel)
    ax.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), aspect="equal", title=title)
    ax.set_xticks(np.arange(size + 1) - 0.5, labels=[])
    ax.set_yticks(np.arange(size + 1) - 0.5, labels=[])
    ax.grid(visible=True, color="0.8")
    ax.tick_params(length=0)
    for (row, column), weight in np.ndenumerate(np.array(kernel)):
        text = format_number(weight, ".3g")
        ax.text(column, row, text, ha="center", va="center", fontsize=12 if size == 3 else 8)
