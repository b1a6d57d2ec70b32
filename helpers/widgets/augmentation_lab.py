"""A photograph is turned, shifted, brightened, made noisy; what becomes of its histogram."""

import textwrap
from typing import ClassVar

import numpy as np
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.widgets._augmentation import (
    FILLS,
    LIMITS,
    ORIGINAL,
    Augmented,
    augment,
    drawn_settings,
)
from helpers.widgets._checks import checked_bool, checked_choice, checked_number, checked_whole
from helpers.widgets._pictures import checked_pictures, packed
from helpers.widgets.base import Explorable

BINS = 64  # of a histogram, four levels each, as in augmentation_lab.js
EDGES = np.linspace(0, 256, BINS + 1)
SIDES = ("original", "augmented")
COLOURS = {"red": "#cf3f44", "green": "#2e8b57", "blue": "#3b7dd8"}  # as in augmentation_lab.css
LAST_SEED = 999_999


class AugmentationLab(Explorable):
    """A photograph, the same one augmented, and the histograms of both.

    In this order: flip, geometry, contrast, brightness, noise, erased square; then values are cut
    to 0…1 and rounded to 8 bits. Geometry is that of `torch.nn.functional.grid_sample` with
    `align_corners=False`, bilinear, with padding "zeros" or "reflection".

    >>> lab = AugmentationLab({"cat": photo}, rotation=15, brightness=0.2)  # uint8 (3, 100, 150)
    >>> lab.augmented().levels.shape
    (3, 100, 150)
    >>> lab = AugmentationLab({"cat": photo}, **AugmentationLab.draw(7))  # what the button draws

    Args:
        images: name -> uint8 tensor or array (3, height, width), each side 16 to 160 pixels.
        settings: any trait below except `sources` and `pixels`; the others leave the picture as
            it is.
        strings: replaced texts, see `Explorable`.

    Traits:
        image_name: the chosen photograph; without it, the first one.
        flip: whether left and right are exchanged.
        rotation: degrees −180…180, positive against the clock.
        zoom: factor 0.5…2.
        shift_right, shift_down: −0.5…0.5 of the width or height.
        fill: what stands outside the picture, "black" or "reflected".
        contrast: factor 0…2 about the mean of the picture.
        brightness: −0.5…0.5, added to values from 0 to 1.
        noise: standard deviation 0…0.3 of normal noise, each value its own.
        erased_size: side of a black square, 0…0.6 of the shorter side.
        erased_right, erased_down: its place, 0…1 of the room that it has.
        seed: whole number; fixes the noise, and is the number of the last random draw.

    Raises:
        TypeError, ValueError: something above is of another kind; the message says what came.
    """

    module_name = "augmentation_lab"
    shared = ("_common", "_random", "_augmentation")
    STRINGS: ClassVar = {
        "photo": "Photograph",
        "draw": "New random draw",
        "reset": "Back to the original",
        "seed": "Seed of draw and noise: {seed}",
        "original": "Original",
        "augmented": "Augmented",
        "size": "{width} × {height} pixels",
        "group_geometry": "Geometry",
        "group_light": "Light and noise",
        "group_square": "Erased square",
        "flip": "Flip left and right",
        "label_rotation": "Rotation",
        "label_zoom": "Zoom",
        "label_shift_right": "Shift right",
        "label_shift_down": "Shift down",
        "fill": "Outside the picture",
        "fill_black": "black",
        "fill_reflected": "reflected",
        "label_contrast": "Contrast",
        "label_brightness": "Brightness",
        "label_noise": "Noise",
        "label_erased_size": "Side",
        "label_erased_right": "Place across",
        "label_erased_down": "Place down",
        "unit_degrees": "{number}°",
        "unit_factor": "× {number}",
        "unit_percent": "{number} %",
        "channel_red": "red",
        "channel_green": "green",
        "channel_blue": "blue",
        "level": "Value",
        "legend_outline": "the original's outline",
        "legend_cut": "values that were cut off",
        "legend_height": "full height: {percent} % of the pixels; a taller bar ends there",
        "unchanged": "This is the original picture. On the scale 0 to 255, its values have the "
        "mean {mean} and the standard deviation {deviation}.",
        "moments": "On the scale 0 to 255, the mean of all values went from {mean_before} to "
        "{mean}, their standard deviation from {deviation_before} to {deviation}.",
        "cut_none": "No value was cut off.",
        "cut_low": "{low} % of the values were cut off at 0.",
        "cut_high": "{high} % of the values were cut off at 255.",
        "cut_both": "{low} % of the values were cut off at 0 and {high} % at 255.",
        "outside_none": "Every pixel comes from inside the picture.",
        "outside_black": "{percent} % of the pixels lie outside the picture and were filled with "
        "black.",
        "outside_reflected": "{percent} % of the pixels lie outside the picture and were filled "
        "with its mirror image.",
        "hint": "While it is changed, a value is 0 for black and 1 for white; the histogram counts "
        "it as 0 to 255, so brightness 0.10 adds 25.5. The steps come in the order of the "
        "controls. Values that end below 0 or above 255 are cut off.",
        "ranges": "A random draw flips with probability 1/2, and takes each number evenly from its "
        "range: rotation {rotation}, zoom {zoom}, shifts {shift_right}, contrast {contrast}, "
        "brightness {brightness}, noise {noise}, side of the square {erased_size}; the square lies "
        "anywhere.",
        "range": "{low} to {high}",
    }

    sources = traitlets.List().tag(sync=True)
    pixels = traitlets.Bytes().tag(sync=True)
    # Not Any, which takes None without asking the validators below.
    image_name, flip, fill, seed = (traitlets.TraitType().tag(sync=True) for _ in range(4))
    rotation, zoom, shift_right, shift_down = (
        traitlets.TraitType().tag(sync=True) for _ in range(4)
    )
    contrast, brightness, noise = (traitlets.TraitType().tag(sync=True) for _ in range(3))
    erased_size, erased_right, erased_down = (
        traitlets.TraitType().tag(sync=True) for _ in range(3)
    )

    def __init__(self, images, *, strings=None, **settings) -> None:
        self._pictures = checked_pictures(images, colour=True)
        sources, pixels = packed(self._pictures)
        chosen = {"image_name": sources[0]["name"], "seed": 0, **ORIGINAL}
        unknown = sorted(set(settings) - set(chosen))
        if unknown:
            raise TypeError(
                f"A setting should be one of {', '.join(chosen)}; got {', '.join(unknown)}."
            )
        super().__init__(strings=strings, sources=sources, pixels=pixels, **(chosen | settings))

    @traitlets.validate(*LIMITS)
    def _check_number(self, proposal):
        return checked_number(name := proposal["trait"].name, proposal["value"], *LIMITS[name])

    @traitlets.validate("image_name", "fill")
    def _check_choice(self, proposal):
        name = proposal["trait"].name
        return checked_choice(name, proposal["value"], FILLS if name == "fill" else self._pictures)

    @traitlets.validate("flip")
    def _check_flip(self, proposal):
        return checked_bool("flip", proposal["value"])

    @traitlets.validate("seed")
    def _check_seed(self, proposal):
        return checked_whole("seed", proposal["value"], 0, LAST_SEED)

    @staticmethod
    def draw(seed: int) -> dict[str, bool | float | int]:
        """The settings of random draw number `seed`, the seed among them.

        >>> AugmentationLab.draw(3)["rotation"]
        -30.0
        """
        return {"seed": checked_whole("seed", seed, 0, LAST_SEED), **drawn_settings(seed)}

    def settings(self) -> dict[str, bool | float | int | str]:
        """The present settings by name, without `image_name`."""
        return {name: getattr(self, name) for name in (*ORIGINAL, "seed")}

    def augmented(self) -> Augmented:
        """What the page shows: `levels` uint8 (3, height, width), and the shares that were lost."""
        return augment(self._pictures[self.image_name], self.settings())

    def static_figure(self) -> Figure:
        """Both pictures, and below each the histograms of its channels."""
        before, after = self._pictures[self.image_name], self.augmented()
        figure = Figure(figsize=(8, 6.5), layout="constrained")
        axes = figure.subplots(4, 2, height_ratios=[4, 1, 1, 1])
        for ax, name, levels in zip(axes[0], SIDES, (before, after.levels), strict=True):
            ax.imshow(levels.transpose(1, 2, 0))
            ax.set(title=self.strings[name])
            ax.set_axis_off()
        self._draw_histograms(axes[1:], before, after)
        for ax in axes[3]:
            ax.set_xlabel(self.strings["level"])
        figure.legend(*axes[1, 1].get_legend_handles_labels(), loc="outside upper right", ncols=2)
        figure.supxlabel(textwrap.fill(self._in_words(), 100), fontsize="medium")
        return figure

    def alt_text(self) -> str:
        usual = {**ORIGINAL, "seed": 0}
        changed = {name: value for name, value in self.settings().items() if value != usual[name]}
        listed = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in changed.items())
        return (
            f"The photograph {self.image_name} in colour, beside it the same one augmented, and "
            f"below each the histograms of red, green and blue. Changed settings: "
            f"{listed.replace('-', '−') or 'none'}. {self._in_words()}"
        )

    def _draw_histograms(self, axes: np.ndarray, before: np.ndarray, after: Augmented) -> None:
        """A row for each channel; the right one also has cut-off values and the left's outline."""
        shares = np.array([[_histogram(c) for c in picture] for picture in (before, after.levels)])
        # The ends can hold half of a picture, so that all others would be seen no more.
        top, width = shares[:, :, 1:-1].max() or 1.0, 256 // BINS
        for i, colour in enumerate(COLOURS):
            for ax, bins in zip(axes[i], shares[:, i], strict=True):
                _draw_histogram(ax, bins, COLOURS[colour], top)
                ax.set_ylabel(self.strings[f"channel_{colour}"])
                ax.yaxis.set_major_formatter(self.strings["unit_percent"].format(number="{x:g}"))
            names = {"cut": self.strings["legend_cut"], "outline": self.strings["legend_outline"]}
            ends = [100 * after.low[i], 100 * after.high[i]]
            ax.bar([0, 256 - width], ends, width, align="edge", color="black", label=names["cut"])
            ax.stairs(100 * shares[0, i], EDGES, color="0.4", lw=0.8, label=names["outline"])

    def _in_words(self) -> str:
        """What the live region says."""
        before, after, texts = self._pictures[self.image_name], self.augmented(), self.strings
        values = {"mean": after.levels.mean(), "deviation": after.levels.std()}
        values |= {"mean_before": before.mean(), "deviation_before": before.std()}
        values |= {"low": 100 * after.low.mean(), "high": 100 * after.high.mean()}
        values["percent"] = 100 * after.outside
        if (before == after.levels).all():
            keys = ["unchanged"]
        else:
            cut = {(0, 0): "none", (1, 0): "low", (0, 1): "high", (1, 1): "both"}
            ends = cut[values["low"] > 0, values["high"] > 0]
            place = self.fill if after.outside else "none"
            keys = ["moments", f"cut_{ends}", f"outside_{place}"]
        written = {name: f"{value:.1f}" for name, value in values.items()}
        return " ".join(texts[key].format(**written) for key in keys)


def _histogram(levels: np.ndarray) -> np.ndarray:
    """Share of the pixels in each bin: float64 (BINS,)."""
    return np.bincount(levels.ravel() // (256 // BINS), minlength=BINS) / levels.size


def _draw_histogram(ax: Axes, shares: np.ndarray, colour: str, top: float) -> None:
    ax.stairs(100 * shares, EDGES, fill=True, color=colour)
    ax.set(xlim=(0, 256), ylim=(0, 100 * top), xticks=[0, 64, 128, 192, 255])
    ax.spines[["top", "right"]].set_visible(False)
