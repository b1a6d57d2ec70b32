"""The training loop and its progress line.

- `fit` uses the one-cycle schedule: the learning rate rises to `max_lr` and falls to nearly zero
  within the run, so a few epochs suffice (Smith and Topin 2018, arXiv:1708.07120).
- All randomness of the loop comes from the `torch.Generator` that is passed in.
"""

import math
import os
import sys
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from helpers.evaluation import unit_floats

WITH_TOTAL = (
    "{desc}: {percentage:3.0f}% |{bar:20}| {n_fmt}/{total_fmt} [{elapsed}, {rate_fmt}{postfix}]"
)
WITHOUT_TOTAL = "{desc}: {n_fmt} [{elapsed}, {rate_fmt}{postfix}]"


def progress(iterable: Iterable, description: str, total: int | None = None) -> tqdm:
    """Iterate with a text progress line on stdout that leaves one final line.

    Where nobody watches (a built page, a log file) only the final line is written. The bar's own
    `set_postfix_str(text, refresh=False)` shows a trailing text, such as the loss.

    >>> for step in progress(range(100), "training"): ...
    training: 100% |####################| 100/100 [00:00, 9000it/s]

    `total` is needed for a percentage when the iterable has no length.
    """
    if total is None and hasattr(iterable, "__len__"):
        total = len(iterable)
    return tqdm(
        iterable,
        description,
        total,
        file=sys.stdout if _somebody_watches() else _LastLine(),
        mininterval=0.5,  # seconds between two drawings
        ascii=" #",  # the same on every page and terminal
        bar_format=WITHOUT_TOTAL if total is None else WITH_TOTAL,
    )


class _LastLine:
    """A file that keeps only what a terminal would show in the end, and writes it to stdout.

    tqdm draws over its line by starting at its left edge again (carriage return). A page keeps
    every one of these drawings.
    """

    def __init__(self):
        self.line = ""

    def write(self, text: str) -> None:
        self.line = (self.line + text).rpartition("\r")[2]
        if self.line.endswith("\n"):
            sys.stdout.write(self.line)
            self.line = ""

    def flush(self) -> None:
        sys.stdout.flush()


def _somebody_watches() -> bool:
    """A terminal, or a notebook; but not the build, which runs notebooks with BOOK_STRICT=1."""
    in_notebook = type(sys.stdout).__module__.startswith("ipykernel")
    return os.environ.get("BOOK_STRICT") != "1" and (in_notebook or sys.stdout.isatty())


def fit(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    epochs: int,
    batch_size: int,
    max_lr: float,
    generator: torch.Generator,
) -> list[float]:
    """Train a classifier with Adam, the one-cycle schedule and cross-entropy, on shuffled batches.

    `images` is `(n, channels, height, width)`, uint8 (divided by 255 here) or floats in 0…1;
    `labels` is `(n,)` int64; `model` maps a batch of images to logits `(batch, classes)`.
    Returns the loss of every step. The model is changed in place and left in evaluation mode.
    Interrupting the cell stops early: what was learned stays, and the losses so far come back.

    >>> fit(model, images, labels, epochs=3, batch_size=128, max_lr=5e-3,
    ...     generator=torch.Generator().manual_seed(0))

    Raises:
        TypeError, ValueError: arguments that do not fit, see the message.
    """
    _check_data(images, labels)
    _check_settings(epochs, batch_size, max_lr, generator)
    losses = []
    try:
        _run_steps(model, images, labels, losses, epochs, batch_size, max_lr, generator)
    except KeyboardInterrupt:
        print(f"Stopped after {len(losses)} steps; the model keeps what it has learned.")
    finally:
        model.eval()
    return losses


def _run_steps(model, images, labels, losses, epochs, batch_size, max_lr, generator) -> None:
    """The steps of `fit`; each adds its loss to `losses`."""
    steps = epochs * math.ceil(len(images) / batch_size)
    optimizer = torch.optim.Adam(model.parameters(), lr=max_lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, total_steps=steps)
    batches = _batches(len(images), epochs, batch_size, generator)
    model.train()
    with progress(batches, "training", total=steps) as bar:
        for rows in bar:
            loss = cross_entropy(model(unit_floats(images[rows])), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            bar.set_postfix_str(f"loss {_mean_of_last(losses, 50):.3f}", refresh=False)


def _batches(n: int, epochs: int, batch_size: int, generator: torch.Generator) -> Iterable[Tensor]:
    """Row numbers of each batch; every epoch goes through all rows in a new order."""
    for _ in range(epochs):
        yield from torch.randperm(n, generator=generator).split(batch_size)


def _mean_of_last(losses: list[float], count: int) -> float:
    recent = losses[-count:]
    return sum(recent) / len(recent)


def _check_data(images: Tensor, labels: Tensor) -> None:
    unit_floats(images)
    if not isinstance(labels, Tensor):
        raise TypeError(f"Labels must be a tensor, not {type(labels).__name__}.")
    if images.ndim != 4 or labels.shape != images.shape[:1] or len(images) == 0:
        raise ValueError(
            "Expected images (n, channels, height, width) and labels (n,) with n > 0, "
            f"not {tuple(images.shape)} and {tuple(labels.shape)}."
        )
    if labels.dtype != torch.int64:
        raise TypeError(f"Labels must be class numbers of type torch.int64, not {labels.dtype}.")
    if labels.min() < 0:
        raise ValueError(f"Class numbers start at 0, but the labels hold {labels.min().item()}.")


def _check_settings(
    epochs: int, batch_size: int, max_lr: float, generator: torch.Generator
) -> None:
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}.")
    if not 0 < max_lr < math.inf:
        raise ValueError(f"max_lr must be a positive number such as 5e-3, not {max_lr!r}.")
    if not isinstance(generator, torch.Generator):
        raise TypeError(
            "generator must be a torch.Generator, for example torch.Generator().manual_seed(0), "
            f"not {type(generator).__name__}."
        )
