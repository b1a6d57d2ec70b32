"""A checkpoint is on disk whole or not at all, damage is seen, and no code in it is run.

python -m pytest tests/test_checkpoints.py
"""

import hashlib
import io
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import warnings
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from helpers.checkpoints import (
    CheckpointError,
    checkpoints_in,
    latest_checkpoint,
    load_checkpoint,
    load_weights,
    save_checkpoint,
)

ROOT = Path(__file__).parent.parent


def state(number: int = 0) -> dict:
    weights = {"w": torch.arange(6.0).view(2, 3) + number, "n": torch.tensor(3)}
    return {"model": weights, "lr": 0.1, "betas": (0.9, 0.99), "losses": [1.5], "best": None}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in checkpoints_in(folder)}


def write(folder: Path, content: bytes, step: int = 1) -> Path:
    """Any bytes under the name that belongs to them."""
    path = folder / f"step-{step:06d}-{hashlib.sha256(content).hexdigest()[:16]}.pt"
    path.write_bytes(content)
    return path


def saved_bytes(anything) -> bytes:
    file = io.BytesIO()
    torch.save(anything, file)
    return file.getvalue()


def test_what_was_saved_comes_back(tmp_path):
    """Tensors of each kind, numbers, texts, lists, tuples, dicts, None; into a new folder."""
    kinds = [torch.randn(2, 3), torch.ones(2, dtype=torch.bfloat16), torch.tensor([True])]
    before = {"tensors": kinds, "nested": {1: ("a", None, 2.5, False)}}
    path = save_checkpoint(tmp_path / "new" / "folder", 12, before)
    after = load_checkpoint(path)
    assert re.fullmatch(r"step-000012-[0-9a-f]{16}\.pt", path.name)
    assert after["nested"] == before["nested"]
    for a, b in zip(after["tensors"], kinds, strict=True):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)


def test_the_two_newest_are_kept_and_nothing_else_is_touched(tmp_path):
    """Newest by number, not by text or by time: step 1,000,000 comes after 999,999."""
    (tmp_path / "notes.txt").write_text("mine")
    for step in (999_998, 999_999, 1_000_000):
        save_checkpoint(tmp_path, step, state(step))
    assert [p.name[:12] for p in checkpoints_in(tmp_path)] == ["step-1000000", "step-999999-"]
    assert latest_checkpoint(tmp_path)[1]["model"]["w"][0, 0] == 1_000_000
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 3


def test_damaged_newer_ones_do_not_push_sound_ones_out(tmp_path):
    """A run that went back behind a damaged one still keeps two of its own."""
    write(tmp_path, b"damaged", step=100)
    for step in (50, 60, 70):
        save_checkpoint(tmp_path, step, state(step))
    assert [int(p.name[5:11]) for p in checkpoints_in(tmp_path)] == [100, 70, 60]


def test_an_empty_or_missing_folder_holds_none(tmp_path):
    assert latest_checkpoint(tmp_path) is None
    assert latest_checkpoint(tmp_path / "missing") is None
    assert checkpoints_in(tmp_path / "missing") == []


# What a subprocess runs; then it saves larger and larger states as step 3, 4, ...
CHILD = """
import os, signal, sys, torch
from pathlib import Path
from helpers.checkpoints import save_checkpoint
folder = Path(sys.argv[1])
def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)
{death}
for step in range(3, 3000):
    print(step, flush=True)
    save_checkpoint(folder, step, {{"w": torch.full((500_000,), float(step))}})
"""
DEATHS = {
    "before the file gets its name": "Path.replace = die",
    "before the older ones go": "Path.unlink = die",
    # The kernel ends the process within write() itself, after 300,000 of 2,000,000 bytes.
    "within a write": (
        "import resource; signal.signal(signal.SIGXFSZ, signal.SIG_DFL); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)); "
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))"
    ),
}


def child(folder: Path, death: str = "") -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD.format(death=death), folder],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def two_saved(folder: Path) -> dict[str, bytes]:
    for step in (1, 2):
        save_checkpoint(folder, step, state(step))
    return contents(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="asks for Linux signals and limits")
@pytest.mark.parametrize("moment", DEATHS)
def test_a_writer_that_is_killed_leaves_whole_files_only(tmp_path, moment):
    before = two_saved(tmp_path)
    writer = child(tmp_path, DEATHS[moment])
    _, err = writer.communicate(timeout=60)
    assert -writer.returncode in (signal.SIGKILL, signal.SIGXFSZ), err
    after = contents(tmp_path)
    assert before.items() <= after.items()
    assert len(after) == (3 if moment == "before the older ones go" else 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        latest_checkpoint(tmp_path)
    save_checkpoint(tmp_path, 4, state(4))  # over what the killed one left
    assert latest_checkpoint(tmp_path)[1]["model"]["w"][0, 0] == 4


def test_a_writer_that_is_killed_at_any_moment_leaves_whole_files_only(tmp_path):
    """SIGKILL from outside, wherever the writer is after the fortieth file."""
    writer = child(tmp_path)
    for line in writer.stdout:
        if int(line) == 40:
            break
    timer = threading.Timer(0.0137, writer.kill)
    timer.start()
    writer.communicate(timeout=60)
    assert writer.returncode == -signal.SIGKILL
    found = checkpoints_in(tmp_path)
    assert len(found) in (2, 3)
    for path in found:
        assert load_checkpoint(path)["w"].eq(int(path.name[5:11])).all()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
def test_a_full_disk_is_a_clear_error_and_leaves_the_earlier_files(tmp_path):
    before = two_saved(tmp_path)
    (tmp_path / ".draft").symlink_to("/dev/full")
    with pytest.raises(CheckpointError, match=r"of step 3 cannot be written.*No space left"):
        save_checkpoint(tmp_path, 3, state())
    assert contents(tmp_path) == before


@pytest.mark.skipif(sys.platform != "linux", reason="asks for a limit on file sizes")
def test_a_file_that_may_not_grow_is_a_clear_error_and_leaves_the_earlier_files(tmp_path):
    """The write fails half-way, not at its start."""
    before = two_saved(tmp_path)
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))"
    writer = child(tmp_path, limit)
    _, err = writer.communicate(timeout=60)
    assert writer.returncode == 1
    assert "CheckpointError: The checkpoint of step 3 cannot be written" in err
    assert "Earlier checkpoints are untouched" in err
    assert contents(tmp_path) == before
    assert (tmp_path / ".draft").stat().st_size <= 300_000


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_file_in_place_of_the_folder_is_a_clear_error(tmp_path, place):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CheckpointError, match=r"step 1 cannot be written to .*file"):
        save_checkpoint(tmp_path / place, 1, state())
    if place == "file":
        with pytest.raises(CheckpointError, match="file is a file; checkpoints need a folder"):
            latest_checkpoint(tmp_path / place)
    assert (tmp_path / "file").read_text() == "mine"


def test_what_could_not_be_read_again_is_refused_when_it_is_saved(tmp_path):
    """Hours later would be too late."""
    before = two_saved(tmp_path)
    with pytest.raises(CheckpointError, match="of step 3 holds something else than tensors"):
        save_checkpoint(tmp_path, 3, {"folder": Path("here")})
    assert contents(tmp_path) == before


def test_each_flipped_bit_and_each_missing_end_is_seen(tmp_path, monkeypatch):
    """One bit in every byte; every length below the whole, zero among them; one byte more."""
    path = save_checkpoint(tmp_path, 1, {"w": torch.ones(3)})
    whole = path.read_bytes()
    damaged = [whole[:cut] for cut in range(len(whole))] + [whole + b"\0"]
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        damaged.append(bytes(changed))
    for content in damaged:
        monkeypatch.setattr(Path, "read_bytes", lambda _, content=content: content)
        with pytest.raises(CheckpointError, match=rf"{path.name} is damaged: its SHA-256 begins"):
            load_checkpoint(path)
    monkeypatch.undo()
    assert torch.equal(load_checkpoint(path)["w"], torch.ones(3))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("best.pt", "best.pt is no checkpoint's name: expected step-"),
        ("step-000002.pt", "no checkpoint's name"),
        ("step-000001-0123456789abcdef.pt", "is damaged: its SHA-256 begins with"),
    ],
)
def test_a_renamed_file_is_refused(tmp_path, name, message):
    path = save_checkpoint(tmp_path, 1, state()).rename(tmp_path / name)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)


def test_a_missing_file_and_a_folder_are_clear_errors(tmp_path):
    path = tmp_path / "step-000001-0123456789abcdef.pt"
    with pytest.raises(CheckpointError, match=r"cannot be read: .*No such file"):
        load_checkpoint(path)
    path.mkdir()
    with pytest.raises(CheckpointError, match=r"cannot be read: .*Is a directory"):
        load_checkpoint(path)


def test_a_damaged_newest_is_named_in_a_warning_and_the_one_before_is_used(tmp_path):
    two_saved(tmp_path)
    newest, older = checkpoints_in(tmp_path)
    newest.write_bytes(newest.read_bytes()[:-1])
    with pytest.warns(UserWarning, match=f"{newest.name} is damaged.*use the one before it"):
        path, found = latest_checkpoint(tmp_path)
    assert path == older
    assert found["model"]["w"][0, 0] == 1


def test_damaged_ones_alone_are_an_error_not_a_new_start(tmp_path):
    two_saved(tmp_path)
    for path in checkpoints_in(tmp_path):
        path.write_bytes(b"")
    with (
        pytest.warns(UserWarning, match="is damaged"),
        pytest.raises(CheckpointError, match=r"All 2 checkpoints in .* are damaged: delete them"),
    ):
        latest_checkpoint(tmp_path)


class Harmful:
    """When unpickled, it makes a folder."""

    def __init__(self, folder: Path):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def pickled(anything) -> bytes:
    return pickle.dumps(anything, protocol=2)  # torch warns of later ones


@pytest.mark.parametrize("save", [saved_bytes, pickled])
def test_code_in_a_file_with_a_right_digest_is_not_run(tmp_path, save):
    """The same bytes do run their code where pickle is allowed to."""
    proof = tmp_path / "proof"
    path = write(tmp_path, save({"model": {"w": Harmful(proof)}}))
    with pytest.raises(CheckpointError, match=r"something else than tensors.*is not opened"):
        load_checkpoint(path)
    with (
        pytest.warns(UserWarning, match="is not opened"),
        pytest.raises(CheckpointError, match="All 1 checkpoints"),
    ):
        latest_checkpoint(tmp_path)
    assert not proof.exists()
    if save is saved_bytes:
        torch.load(path, weights_only=False)
    else:
        pickle.loads(path.read_bytes())
    assert proof.exists()


@pytest.mark.parametrize("thing", [[1, 2], torch.ones(2), "text", 3])
def test_a_file_that_holds_no_dict_is_refused(tmp_path, thing):
    with pytest.raises(CheckpointError, match="is not opened"):
        load_checkpoint(write(tmp_path, saved_bytes(thing)))


@given(
    content=st.binary(max_size=60)
    | st.tuples(st.integers(0, 999), st.binary(min_size=1, max_size=4)).map(
        lambda p: spliced(saved_bytes({"w": torch.ones(3), "a": [1, "b"]}), *p)
    )
)
def test_no_bytes_with_a_right_digest_end_in_another_error(tmp_path_factory, content):
    """Random ones, and a checkpoint's with some replaced."""
    path = write(tmp_path_factory.mktemp("bytes"), content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with suppress(CheckpointError):
            assert isinstance(load_checkpoint(path), dict)


def spliced(content: bytes, place: int, piece: bytes) -> bytes:
    place = place * len(content) // 1000
    return content[:place] + piece + content[place + len(piece) :]


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def without(name: str) -> dict:
    return {key: w for key, w in network().state_dict().items() if key != name}


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        (without("2.bias"), ValueError, "to Sequential: 2.bias is missing."),
        (without("1.running_var"), ValueError, "1.running_var is missing."),
        ({**without(""), "3.bias": torch.ones(2)}, ValueError, "3.bias is unknown to the model."),
        (
            {**without(""), "2.weight": torch.ones(4, 2)},
            ValueError,
            "2.weight has shape (4, 2) instead of (2, 4).",
        ),
        (
            {**without(""), "2.bias": torch.ones(1)},  # would be broadcast
            ValueError,
            "2.bias has shape (1,) instead of (2,).",
        ),
        (nn.Conv2d(1, 2, 3).state_dict(), ValueError, "0.weight is missing; 0.bias is missing; "),
        ({}, ValueError, "0.weight is missing"),
        ({**without(""), "2.bias": [1, 2]}, TypeError, "must be a dict of tensors"),
        ("weights.pt", TypeError, "must be a dict of tensors"),
    ],
)
def test_weights_of_another_model_are_refused_and_none_is_copied(weights, error, message):
    model = network()
    before = {name: w.clone() for name, w in model.state_dict().items()}
    with pytest.raises(error, match=re.escape(message)):
        load_weights(model, weights)
    for name, w in model.state_dict().items():
        assert torch.equal(w, before[name]), name


def test_at_most_five_problems_are_listed():
    with pytest.raises(ValueError, match=r"^([^;]*; ){5}….$"):
        load_weights(network(), {})


def test_load_weights_copies_all_of_them_and_shares_none(tmp_path):
    ours, theirs = network(), network()
    theirs(torch.randn(5, 3))  # moves the averages of batch normalisation
    load_weights(ours, load_checkpoint(save_checkpoint(tmp_path, 1, theirs.state_dict())))
    x = torch.randn(4, 3)
    assert torch.equal(ours.eval()(x), theirs.eval()(x))
    load_weights(ours, theirs.state_dict())
    with torch.no_grad():
        theirs[0].weight += 1
    assert not torch.equal(ours[0].weight, theirs[0].weight)
