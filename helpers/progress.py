"""A progress line for loops: plain text that leaves one final line on a page."""

import os
import sys
from collections.abc import Iterable

from tqdm import tqdm

WITH_TOTAL = (
    "{desc}: {percentage:3.0f}% |{bar:20}| {n_fmt}/{total_fmt} [{elapsed}, {rate_fmt}{postfix}]"
)
WITHOUT_TOTAL = "{desc}: {n_fmt} [{elapsed}, {rate_fmt}{postfix}]"


def progress(
    iterable: Iterable, description: str, total: int | None = None, *, quiet: bool = False
) -> tqdm:
    """Iterate with a text progress line on stdout that leaves one final line.

    Where nobody watches (a built page, a log file) only the final line is written. The bar's own
    `set_postfix_str(text, refresh=False)` shows a trailing text, such as the loss.

    >>> for step in progress(range(100), "training"): ...
    training: 100% |####################| 100/100 [00:00, 9000it/s]

    `total` is needed for a percentage when the iterable has no length. With `quiet`, no line.
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
        disable=quiet,
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
