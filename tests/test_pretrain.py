"""The loop of language models: one process or two, killed or not, and what its command line says.

python -m pytest tests/test_pretrain.py
"""

import json
import math
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from helpers import parallel, pretraining
from helpers.checkpoints import checkpoints_in, load_checkpoint, save_checkpoint
from helpers.data import shakespeare
from helpers.language import Characters, random_windows
from helpers.models.transformer import GPT, Llama
from helpers.optim import AdamW, Muon, warmup_cosine
from helpers.pretrain import main
from helpers.pretraining import pretrain
from helpers.recipes import RECIPES
from helpers.runs import DivergedError

ROOT = Path(__file__).parent.parent
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}
SMALL = ["--layers", "1", "--heads", "2", "--width", "16", "--context", "16", "--batch", "4"]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    """A file of 4,000 characters."""
    path = tmp_path_factory.mktemp("text") / "play.txt"
    path.write_text(shakespeare().train[:4000], encoding="utf-8")
    return path


def command(text: Path, folder: Path | None = None, *more: str, steps: int = 20) -> list[str]:
    out = ["--out", str(folder)] if folder else []
    return ["--text", str(text), *out, *SMALL, "--steps", str(steps), "--sample", "20", *more]


def newest(folder: Path) -> dict:
    return load_checkpoint(checkpoints_in(folder)[0])


def largest_difference(ours: dict, theirs: dict) -> float:
    return max((w - theirs["model"][name]).abs().max().item() for name, w in ours["model"].items())


# Several processes. A program that torchrun starts twice runs each of these commands in turn.
VARIANTS = {
    "right": None,
    "each keeps its own gradient": ("averaging", lambda model: model),
    "each takes the same rows": ("own_rows", lambda batch: batch.chunk(2)[0]),
}


def train_variants(text: str, folder: str) -> None:
    """What each of the two processes does."""
    with parallel.joined():
        for variant, change in VARIANTS.items():
            kept = dict(vars(parallel))
            if change:
                setattr(parallel, *change)
            assert main(command(Path(text), Path(folder, variant), "--dtype", "float64")) == 0
            vars(parallel).update(kept)
        assert main(command(Path(text), None, "--batch", "5")) == 2


@pytest.fixture(scope="module")
def two(text, tmp_path_factory):
    """The folder of the runs, and what the two processes wrote."""
    folder = tmp_path_factory.mktemp("two")
    program = (
        "import sys; from tests.test_pretrain import train_variants; "
        "train_variants(*sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         "--no-python", sys.executable, "-c", program, str(text), str(folder)],
        cwd=ROOT, env=ONE_THREAD, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, done


@pytest.fixture(scope="module")
def one(text, tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("one")
    assert main(command(text, folder, "--dtype", "float64")) == 0
    return newest(folder)


def test_two_processes_equal_one_in_float64_to_1e_10(two, one):
    """After 20 steps of AdamW."""
    ours = newest(two[0] / "right")
    assert largest_difference(ours, one) < 1e-10
    torch.testing.assert_close(ours["history"]["losses"], one["history"]["losses"], rtol=0, atol=1e-10)


@pytest.mark.parametrize("variant", [name for name, change in VARIANTS.items() if change])
def test_two_processes_that_do_not_share_as_they_should_are_far_from_one(two, one, variant):
    difference = largest_difference(newest(two[0] / variant), one)
    print(f"{variant}: {difference:.1e}")
    assert difference > 1e-4


def test_only_process_0_speaks(two):
    assert two[1].stdout.count("sample at temperature") == len(VARIANTS)
    assert two[1].stdout.count("100%") == len(VARIANTS)
    [error] = [line for line in two[1].stderr.splitlines() if line.startswith("error: ")]
    assert error == (
        "error: The batch must be divisible by the number of processes, but 2 do not divide 5."
    )
