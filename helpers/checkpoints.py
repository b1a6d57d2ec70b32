"""Checkpoints: the state of a training run on disk, whole or not at all.

- A file's name holds the step and the first 16 digits of the SHA-256 of its bytes, so that damage
  shows: `step-000120-9f86d081884c7d65.pt`.
- A file is written under another name, flushed to the disk and renamed. A run that is killed, or a
  disk that is full, leaves the files of before.
- The two newest are kept: if one is damaged, the other is used.
- Files are read with `weights_only=True`, so that no code in them is run.
"""

import hashlib
import io
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

KEPT = 2
NAME = re.compile(r"step-(\d{6,})-([0-9a-f]{16})\.pt")


class CheckpointError(Exception):
    """A checkpoint is damaged, or cannot be written."""


def save_checkpoint(folder: str | Path, step: int, state: Mapping) -> Path:
    """Write `state` (tensors, numbers, texts, lists and dicts of them) and return the file's path.

    Older files than the two newest are removed, after the new one is safe.

    >>> save_checkpoint("run", 120, {"model": model.state_dict()})
    PosixPath('run/step-000120-9f86d081884c7d65.pt')

    Raises:
        CheckpointError: the file cannot be written, or could not be read again; those of before
            stay as they are.
    """
    folder, buffer = Path(folder), io.BytesIO()
    torch.save(dict(state), buffer)
    content = buffer.getvalue()
    _read(content, f"The checkpoint of step {step}")  # better now than when it is needed
    path = folder / f"step-{step:06d}-{_digest(content)}.pt"
    draft = folder / ".draft"  # one name for all: what a killed run leaves is overwritten
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # on the disk before it gets its name
        draft.replace(path)
    except OSError as error:
        raise CheckpointError(
            f"The checkpoint of step {step} cannot be written to {folder}: {error}. "
            "Earlier checkpoints are untouched; free some space or name another folder."
        ) from error
    # A newer one is damaged, since the run went back behind it: it must not count as kept.
    for old in [path for path in checkpoints_in(folder) if step_of(path) <= step][KEPT:]:
        old.unlink(missing_ok=True)
    return path


def load_checkpoint(path: str | Path) -> dict:
    """Read the state that `save_checkpoint` wrote; its tensors come on the CPU.

    >>> load_checkpoint("run/step-000120-9f86d081884c7d65.pt")["model"]

    Raises:
        CheckpointError: the file is missing, damaged, renamed, or holds other objects than state.
    """
    path = Path(path)
    name = NAME.fullmatch(path.name)
    if name is None:
        raise CheckpointError(
            f"{path.name} is no checkpoint's name: expected step-000120-9f86d081884c7d65.pt, "
            "with the first 16 digits of the file's SHA-256."
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"The checkpoint {path} cannot be read: {error}.") from error
    if _digest(content) != name[2]:
        raise CheckpointError(
            f"The checkpoint {path} is damaged: its SHA-256 begins with {_digest(content)}. "
            "Delete it and use the one before it."
        )
    return _read(content, f"The checkpoint {path}")


def latest_checkpoint(folder: str | Path) -> tuple[Path, dict] | None:
    """Return path and state of the newest sound checkpoint, or None if the folder holds none.

    A damaged one is named in a warning, and the one before it is used.

    >>> path, state = latest_checkpoint("run")

    Raises:
        CheckpointError: there are checkpoints, and all of them are damaged.
    """
    paths = checkpoints_in(folder)
    for path in paths:
        try:
            return path, load_checkpoint(path)
        except CheckpointError as error:
            warnings.warn(str(error), stacklevel=2)
    if paths:
        raise CheckpointError(
            f"All {len(paths)} checkpoints in {folder} are damaged: delete them to start anew."
        )
    return None


def checkpoints_in(folder: str | Path) -> list[Path]:
    """Return the checkpoint files of a folder, newest step first; nothing if there is no folder."""
    folder = Path(folder)
    found = [path for path in folder.iterdir() if NAME.fullmatch(path.name)] if _is(folder) else []
    return sorted(found, key=step_of, reverse=True)


def step_of(path: Path) -> int:
    """The number of steps that a run had done when it wrote this checkpoint."""
    return int(NAME.fullmatch(path.name)[1])


def load_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy weights into a model, all of them or none.

    >>> load_weights(model, load_checkpoint(path)["model"])

    Raises:
        TypeError: not a dict of tensors.
        ValueError: a tensor is missing, unknown to the model, or of another shape.
    """
    if not isinstance(weights, Mapping) or not all(map(torch.is_tensor, weights.values())):
        raise TypeError("Weights must be a dict of tensors, such as model.state_dict().")
    own = model.state_dict()
    problems = [f"{name} is missing" for name in own if name not in weights]
    problems += [f"{name} is unknown to the model" for name in weights if name not in own]
    problems += [
        f"{name} has shape {tuple(weights[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in own.items()
        if name in weights and weights[name].shape != tensor.shape
    ]
    if problems:
        listed = "; ".join(problems[:5]) + ("; …" if len(problems) > 5 else "")
        raise ValueError(f"These weights do not belong to {type(model).__name__}: {listed}.")
    model.load_state_dict(weights)


def _is(folder: Path) -> bool:
    if folder.exists() and not folder.is_dir():
        raise CheckpointError(f"{folder} is a file; checkpoints need a folder.")
    return folder.is_dir()


def _read(content: bytes, what: str) -> dict:
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        if not isinstance(state, dict):
            raise TypeError(f"expected a dict, not {type(state).__name__}")
    except Exception as error:  # foreign bytes raise anything from KeyError to struct.error
        raise CheckpointError(
            f"{what} holds something else than tensors, numbers, texts, lists and dicts, and is "
            "not opened."
        ) from error
    return state


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
