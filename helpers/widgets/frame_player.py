"""Frames of something slow to compute, such as a training run, to be stepped through or played."""

import io
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import traitlets
from matplotlib.figure import Figure

from helpers.widgets._checks import checked_whole
from helpers.widgets.base import Explorable

SHOWN = 4  # frames in the static picture


class FramePlayer(Explorable):
    """Pictures in a row, a range to step through them, and a button to play them.

    Nothing moves until the reader presses the button; at the last frame it stops.

    >>> frames = np.random.default_rng(0).integers(0, 256, (20, 120, 160), dtype=np.uint8)
    >>> FramePlayer(frames, [f"step {10 * i}" for i in range(20)], alt="random grey dots ...")

    Args:
        frames: uint8 (n, height, width) or (n, height, width, 3), or n PNG files as bytes.
        labels: what is said below each frame, such as "step 40, loss 0.61".
        alt: what the frames show, in at least eight words, for readers who do not see them.
        frame: the one at load; without it the last, so that the result is seen first.
        seconds: how long a frame stays when played.
        strings: replaced texts, see `Explorable`.

    Traits:
        frame: index of the frame on screen.

    Raises:
        ValueError: something above is of another kind; the message says what came.
    """

    module_name = "frame_player"
    STRINGS: ClassVar = {
        "play": "Play",
        "pause": "Pause",
        "frame": "Frame",
        "count": "{number} of {count}",
    }

    pictures = traitlets.Bytes().tag(sync=True)  # PNG files, one after the other
    offsets = traitlets.List().tag(sync=True)  # n + 1 places where they start and end
    labels = traitlets.List().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    seconds = traitlets.Float(0.25).tag(sync=True)
    frame = traitlets.TraitType(0).tag(sync=True)

    def __init__(
        self, frames, labels: Sequence[str], *, alt: str, frame=None, seconds=0.25, strings=None
    ) -> None:
        files = _png_files(frames)
        _check(labels, len(files), alt, seconds)
        super().__init__(
            strings=strings,
            pictures=b"".join(files),
            offsets=np.cumsum([0] + [len(file) for file in files]).tolist(),
            labels=list(labels),
            alt=alt,
            seconds=seconds,
            frame=len(files) - 1 if frame is None else frame,
        )

    @traitlets.validate("frame")
    def _check_frame(self, proposal):
        return checked_whole("frame", proposal["value"], 0, len(self.labels) - 1)

    def picture(self, frame: int) -> np.ndarray:
        """A frame as pixels: uint8 (height, width) or (height, width, 3)."""
        from PIL import Image

        start, end = self.offsets[frame : frame + 2]
        return np.asarray(Image.open(io.BytesIO(self.pictures[start:end])))

    def static_figure(self) -> Figure:
        """Up to four frames, from the first to the last, with their labels."""
        count = len(self.labels)
        chosen = np.unique(np.linspace(0, count - 1, min(SHOWN, count)).round().astype(int))
        figure = Figure(figsize=(3 * len(chosen), 2.8), layout="constrained")
        axes = figure.subplots(1, len(chosen), squeeze=False)[0]
        for ax, frame in zip(axes, chosen, strict=True):
            ax.imshow(self.picture(frame), cmap="gray", vmin=0, vmax=255)
            ax.set_title(self.labels[frame], fontsize="medium")
            ax.set_axis_off()
        return figure

    def alt_text(self) -> str:
        return f"{self.alt} ({len(self.labels)} frames, from {self.labels[0]} to {self.labels[-1]})"


def _png_files(frames) -> list[bytes]:
    if isinstance(frames, (list, tuple)) and frames and all(isinstance(f, bytes) for f in frames):
        for number, file in enumerate(frames):
            if not file.startswith(b"\x89PNG\r\n"):
                raise ValueError(f"frames should be PNG files; frame {number} is {file[:6]!r}…")
        return list(frames)
    pixels = np.asarray(frames)
    if pixels.dtype != np.uint8 or not _is_stack_of_pictures(pixels.shape):
        raise ValueError(
            "frames should be uint8 of shape (n, height, width) or (n, height, width, 3), "
            f"or a list of PNG files as bytes; got {pixels.dtype} of shape {pixels.shape}."
        )
    return [_as_png(frame) for frame in pixels]


def _is_stack_of_pictures(shape: tuple[int, ...]) -> bool:
    return 0 not in shape and (len(shape) == 3 or (len(shape) == 4 and shape[3] == 3))


def _as_png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def _check(labels: Sequence[str], count: int, alt: str, seconds: float) -> None:
    if len(labels) != count:
        raise ValueError(
            f"labels should be one text a frame; got {len(labels)} for {count} frames."
        )
    if len(alt.split()) < 8:
        raise ValueError(f"alt should say in eight words or more what is to be seen; got {alt!r}.")
    if not seconds > 0:
        raise ValueError(f"seconds should be more than 0; got {seconds}.")
