"""The book's figures: one style, grids of images, and numbers written into a small matrix.

- A figure keeps its own light background, so that it reads the same on a light and a dark page.
- The colours stay apart for colour-blind readers, and in front of that background (tests say so).
"""

import math
from collections.abc import Sequence

import matplotlib
import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

FACE = "#FAF8F4"
INK = "#1A1A1A"
FRAME = {"edgecolor": "#8C887F", "linewidth": 0.7, "clip_on": False}

# Blue, vermillion and green as Okabe and Ito chose them ("Color Universal Design", 2008), their
# purple and orange darkened. Their yellow and sky blue do not stand out from a light background.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#9B3F77", "#6B5200", INK)

# 13 points in a figure 7 inches wide are still 9 pixels high on a phone, 360 pixels wide.
STYLE = {
    "figure.figsize": (7, 4),
    "figure.dpi": 150,
    "savefig.dpi": 150,
    "figure.facecolor": FACE,
    "savefig.facecolor": FACE,
    "axes.facecolor": FACE,
    "figure.constrained_layout.use": True,
    "font.size": 13,
    "axes.titlesize": 13,
    "axes.labelsize": 13,
    "xtick.labelsize": 12,
    "ytick.labelsize": 12,
    "legend.fontsize": 12,
    "legend.frameon": False,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#D8D4CC",
    "lines.linewidth": 2,
    "axes.prop_cycle": matplotlib.cycler(color=PALETTE),
    "image.cmap": "gray",
    "image.interpolation": "nearest",
    "svg.fonttype": "none",  # text stays text
}


def use_style() -> None:
    """Choose the book's figure style for every figure that follows.

    >>> use_style()
    """
    matplotlib.rcParams.update(STYLE)


class AxesGrid(list):
    """The axes of `show_images`, row by row.

    A notebook shows the last value of a cell. This one shows nothing: the figure is there already.
    """

    def _ipython_display_(self) -> None: ...


def show_images(
    images: torch.Tensor | np.ndarray | Sequence,
    titles: Sequence | None = None,
    *,
    columns: int = 8,
    value_range: tuple[float, float] | None = (0, 1),
    diverging: bool = False,
) -> AxesGrid:
    """Draw a grid of images, pixel by pixel, and return its axes.

    `images` is `(n, height, width)`, `(n, 1, height, width)`, in colour `(n, 3, height, width)`,
    or a list of such images of any sizes. uint8 pixels are taken as 0…255; other values are shown
    over `value_range`, or from the least to the largest of them if it is None.
    `diverging=True` is for values around 0, such as kernels and feature maps: one scale for all
    images, symmetric about 0, with a colour bar.

    >>> show_images(torch.rand(16, 28, 28), titles=range(16))

    Raises:
        TypeError: an image is neither a tensor nor an array.
        ValueError: no image, a wrong shape, wrong number of titles, colour with diverging, or
            values that are not finite or lie outside 0…1 with no other `value_range` given.
    """
    pictures = [_picture(image) for image in images]
    _check_grid(pictures, titles, columns, diverging)
    scale = _scale(pictures, value_range, diverging)
    figure, every_axes = _grid(pictures, columns, titled=titles is not None)
    grid = AxesGrid(every_axes[: len(pictures)])
    for axes, picture in zip(grid, pictures, strict=True):
        shown = _draw(axes, picture, scale)
    for axes, title in zip(grid, titles if titles is not None else [], strict=False):
        axes.set_title(str(title), fontsize=12)
    if diverging:
        figure.colorbar(shown, ax=every_axes, shrink=0.8, pad=0.02)
    return grid


def tile(images: torch.Tensor, *, columns: int, limit: float, zoom: int = 16) -> np.ndarray:
    """Draw values around 0 as one picture of coloured squares: a frame of `FramePlayer`.

    `images` is `(n, height, width)`; -limit is blue, 0 white and limit red, as in `show_images`.
    Returns uint8 `(height, width, 3)`, `zoom` pixels for each value and as many between two images.

    >>> tile(torch.randn(32, 3, 3), columns=8, limit=3.0).shape
    (240, 528, 3)

    Raises:
        ValueError: not `(n, height, width)` with n > 0, or a limit that is not positive.
    """
    if images.ndim != 3 or images.numel() == 0 or not limit > 0:
        came = f"{tuple(images.shape)} and limit={limit}"
        raise ValueError(f"Expected images (n, height, width) and a limit above 0, not {came}.")
    values = np.asarray(images.detach(), dtype=float)
    n, height, width = values.shape
    colours = matplotlib.colormaps["RdBu_r"](values / (2 * limit) + 0.5, bytes=True)[..., :3]
    sheet = np.full((-(-n // columns) * (height + 1) - 1, columns * (width + 1) - 1, 3), 255)
    for i, picture in enumerate(colours):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        sheet[top : top + height, left : left + width] = picture
    return sheet.astype(np.uint8).repeat(zoom, axis=0).repeat(zoom, axis=1)


def _grid(pictures: list[np.ndarray], columns: int, titled: bool) -> tuple[Figure, list[Axes]]:
    """A figure with a place for each picture, and some empty ones at its end."""
    rows, columns = math.ceil(len(pictures) / columns), min(columns, len(pictures))
    # Inches. A few images become large, but a single one no larger than is useful.
    width = min(7 / columns, 3.2)
    height = width * max(picture.shape[0] / picture.shape[1] for picture in pictures)
    size = (width * columns, rows * (height + 0.3 * titled))
    figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for axes in grid.flat:
        axes.set_axis_off()
    return figure, list(grid.flat)


def _draw(axes: Axes, picture: np.ndarray, scale: dict) -> AxesImage:
    if picture.ndim == 3:  # imshow takes colours as they are, whatever vmin and vmax
        span = scale["vmax"] - scale["vmin"] or 1
        picture = ((picture - scale["vmin"]) / span).clip(0, 1)
    # A frame, because white pixels do not show where the image ends.
    axes.add_patch(Rectangle((0, 0), 1, 1, transform=axes.transAxes, fill=False, **FRAME))
    return axes.imshow(picture, interpolation="nearest", **scale)


def annotate_matrix(axes: Axes, matrix: torch.Tensor | np.ndarray, format: str = "{:g}") -> Axes:
    """Write the numbers of a small matrix into the cells that `imshow` drew of it.

    `matrix` is `(rows, columns)`, at most 16 each way; `format` writes one number. The text is dark
    on light cells and light on dark ones.

    >>> annotate_matrix(show_images([kernel], diverging=True)[0], kernel, "{:.1f}")

    Raises:
        ValueError: no matrix, too large to read, or the axes show an image of another shape.
    """
    values = np.asarray(matrix)
    if values.ndim != 2 or max(values.shape) > 16 or values.size == 0:
        raise ValueError(
            f"Expected a matrix of at most 16 rows and 16 columns, not shape {values.shape}."
        )
    image = axes.images[-1] if axes.images else None
    if image is not None and image.get_array().shape[:2] != values.shape:
        drawn = image.get_array().shape
        raise ValueError(f"The axes show an image of shape {drawn}, the matrix is {values.shape}.")
    for (row, column), value in np.ndenumerate(values):
        back = FACE if image is None else image.to_rgba(image.get_array()[row, column])
        text = format.format(value.item())
        axes.text(column, row, text, color=_legible(back), ha="center", va="center")
    return axes


def luminance(colour: str | tuple) -> float:
    """Relative luminance of a colour, from 0 (black) to 1 (white).

    >>> luminance("white")
    1.0

    Source: WCAG 2.2, definition of relative luminance.
    """
    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: str | tuple, other: str | tuple) -> float:
    """Contrast of two colours, from 1 (the same) to 21 (black and white).

    >>> contrast("black", "white")
    21.0

    Source: WCAG 2.2, definition of contrast ratio.
    """
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def _legible(back: str | tuple) -> str:
    return max((INK, "white"), key=lambda colour: contrast(colour, back))


def _picture(image: torch.Tensor | np.ndarray) -> np.ndarray:
    """One image as imshow takes it: (height, width) or (height, width, 3)."""
    if not isinstance(image, torch.Tensor | np.ndarray):
        raise TypeError(f"An image must be a tensor or an array, not {type(image).__name__}.")
    pixels = image.detach().cpu().numpy() if isinstance(image, torch.Tensor) else image
    if pixels.ndim == 3 and pixels.shape[0] in (1, 3):
        pixels = np.moveaxis(pixels, 0, -1)  # (channels, height, width) -> channels last
        pixels = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    elif pixels.ndim != 2:
        raise ValueError(
            "An image must be (height, width) or (1 or 3 channels, height, width), "
            f"not {pixels.shape}; put a single image into a list."
        )
    if not np.isfinite(pixels).all():
        raise ValueError("An image holds values that are not finite (NaN or infinity).")
    return pixels / 255 if pixels.dtype == np.uint8 else pixels


def _check_grid(
    pictures: list[np.ndarray], titles: Sequence | None, columns: int, diverging: bool
) -> None:
    if not pictures:
        raise ValueError("There is no image to show.")
    if columns < 1:
        raise ValueError(f"columns must be at least 1, not {columns}.")
    if titles is not None and len(titles) != len(pictures):
        raise ValueError(f"{len(pictures)} images need as many titles, and {len(titles)} came.")
    if diverging and any(picture.ndim == 3 for picture in pictures):
        raise ValueError(
            "diverging=True shows one value per pixel, so colour images cannot be shown."
        )


def _scale(
    pictures: list[np.ndarray], value_range: tuple[float, float] | None, diverging: bool
) -> dict:
    """What imshow needs to give all images one scale."""
    low = float(min(picture.min() for picture in pictures))
    high = float(max(picture.max() for picture in pictures))
    if diverging:
        limit = max(abs(low), abs(high)) or 1.0
        return {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    if value_range == (0, 1) and (low < -0.001 or high > 1.001):
        raise ValueError(
            f"The pixels span {low:g} to {high:g}, not 0…1: pass value_range=None to stretch them, "
            "or diverging=True for values around 0."
        )
    low, high = value_range or (low, high)
    return {"cmap": "gray", "vmin": low, "vmax": high}
