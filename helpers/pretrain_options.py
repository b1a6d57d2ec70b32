"""The options of `python -m helpers.pretrain`: names, values, help."""

import argparse
import math
import sys
from collections.abc import Callable

from helpers import parallel
from helpers.recipes import RECIPES

# What decides the weights: stored with them, and the same when a run goes on.
DEFAULTS = {
    "model": "gpt", "layers": 4, "heads": 4, "width": 128, "context": 64, "batch": 12,
    "steps": 2000, "lr": 1e-3, "seed": 0, "dtype": "float32", "validation_share": 0.1,
}  # fmt: skip
# What may be another one each time.
FREE = {
    "text": None, "out": None, "checkpoint_every": 200, "device": "auto", "sample": 300,
    "prompt": "", "temperature": 0.8, "top_k": None, "top_p": None,
}  # fmt: skip


def _whole(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) < 2**63:
            raise argparse.ArgumentTypeError(
                f"must be a whole number of at least {least}, not {text!r}"
            )
        return int(text)

    return read


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"must be a number, not {text!r}")
    return number


def _rate(text: str) -> float:
    if not _number(text) > 0:
        raise argparse.ArgumentTypeError(f"must be a positive number such as 1e-3, not {text!r}")
    return float(text)


def _share(text: str) -> float:
    if not 0 <= _number(text) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 0 and below 1, not {text!r}")
    return float(text)


# One line per option: its values, and what it does.
OPTIONS = {
    "text": (str, "The text to learn from: a UTF-8 file. Without it, nine plays of Shakespeare."),
    "out": (str, "The folder of the checkpoints. Without it, nothing is kept."),
    "checkpoint_every": (_whole(1), "A checkpoint is written after so many steps."),
    "model": (list(RECIPES), "The model's form."),
    "layers": (_whole(1), "The number of blocks."),
    "heads": (_whole(1), "The number of attention heads in a block; it must divide the width."),
    "width": (_whole(1), "The length of each token's vector."),
    "context": (_whole(1), "How many characters the model looks back at."),
    "batch": (_whole(1), "The number of windows in a step, over all processes."),
    "steps": (_whole(0), "The length of the run. 0 only samples from what is in --out."),
    "lr": (
        _rate,
        "The highest learning rate; in modern that of AdamW, and Muon has five times as much.",
    ),
    "seed": (
        _whole(0),
        "Decides first weights, windows and sample; with --steps 0, the sample.",
    ),
    "dtype": (["float32", "float64"], "The type of the numbers; float64 is exact and slow."),
    "validation_share": (_share, "The last part of the text, which is only for judging; 0 to 1."),
    "device": (["auto", "cpu", "cuda", "mps"], "Where to compute; auto takes a GPU, if any."),
    "sample": (_whole(0), "How many characters to write at the end."),
    "prompt": (str, "What the sample begins with."),
    "temperature": (_number, "Below 1 the sample is more careful, above 1 more daring; 0 or more."),
    "top_k": (_whole(1), "Draw from so many likeliest characters only."),
    "top_p": (_number, "Draw from the likeliest that together have this probability only."),
}


def flag(name: str) -> str:
    """Return an option's name as it is typed.

    >>> flag("top_k")
    '--top-k'
    """
    return "--" + name.replace("_", "-")


def fail(reason: str, code: int) -> int:
    """Say on stderr, once for all processes, why the command ends; return its exit code."""
    if parallel.rank() == 0:
        print(f"error: {reason}", file=sys.stderr)
    return code


class _OneSentence(argparse.ArgumentParser):
    """Without the usage above an error: --help shows it."""

    def error(self, message: str):
        self.exit(fail(message, 2))


def given_options(arguments: list[str] | None) -> dict:
    """Return what stands on the command line, by name, and nothing else.

    Raises:
        SystemExit: an option or a value that cannot be, or --help.
    """
    parser = _OneSentence(
        prog="python -m helpers.pretrain",
        description="Train a language model, character by character, on a text of your own; then "
        "let it write. The same command goes on where a run in --out stopped.",
        argument_default=argparse.SUPPRESS,  # what is not given may be stored in --out
        allow_abbrev=False,
    )
    for name, (kind, help_text) in OPTIONS.items():
        how = {"choices": kind} if isinstance(kind, list) else {"type": kind}
        parser.add_argument(flag(name), help=help_text + _usually(name), **how)
    return vars(parser.parse_args(arguments))


def _usually(name: str) -> str:
    """An option's value where it is not given, and that of each kind of model with its own."""
    usual = {**DEFAULTS, **FREE}[name]
    others = [f"{kind} {r.usual[name]}" for kind, r in RECIPES.items() if name in r.usual]
    return "" if usual in (None, "") else f" (usually {'; '.join([str(usual), *others])})"
