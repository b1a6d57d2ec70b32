"""The training loop of the book.

- `fit` shuffles with the `torch.Generator` that is passed in; dropout draws from torch's global
  one. A checkpoint holds both, so that a run that was killed goes on as if nothing had happened.
- The step itself, early stopping and the state of a checkpoint are in `helpers.runs`.
- The model may be on another device than the data: each batch is moved to it.
"""

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from helpers.arguments import (
    check_data,
    check_optimizer,
    check_parts,
    check_settings,
    check_validation,
    is_positive,
    start_lr,
)
from helpers.progress import progress
from helpers.runs import DivergedError, History, Run

__all__ = ["DivergedError", "History", "fit", "progress"]

# What steps change in optimizers and schedulers; the rest must be the same when a run goes on.
VARYING = {"lr", "last_epoch", "T_cur", "T_i", "_step_count", "_last_lr"}


def fit(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    epochs: int,
    batch_size: int,
    generator: torch.Generator,
    max_lr: float | None = None,
    optimizer: Optimizer | None = None,
    scheduler: LRScheduler | None = None,
    loss_fn: Callable[[Tensor, Tensor], Tensor] = cross_entropy,
    clip_norm: float | None = None,
    validation: tuple[Tensor, Tensor] | None = None,
    patience: int | None = None,
    callbacks: Sequence[Callable[[History], bool | None]] = (),
    checkpoints: str | Path | None = None,
    checkpoint_every: int | None = None,
    quiet: bool = False,
) -> History:
    """Train a classifier on shuffled batches, and return its losses. The model changes in place.

    `images` is `(n, channels, height, width)`, uint8 (divided by 255 here) or floats in 0…1;
    `labels` is `(n,)` int64; `model` maps a batch of images to logits `(batch, classes)`.

    - Either `max_lr`, for Adam with the one-cycle schedule, or an `optimizer` and, if the rate is
      to change, a `scheduler`, which is stepped after every batch.
    - `loss_fn(logits, labels)` gives the mean loss; `clip_norm` bounds the norm of all gradients.
    - `validation` is `(images, labels)`, looked at after each epoch. After `patience` epochs
      without a lower validation loss the run ends, and the weights of the best epoch come back.
    - Each of the `callbacks` is called with the history after every step; True ends the run.
    - `checkpoints` is a folder. The state is saved there every `checkpoint_every` steps (once an
      epoch, if not given). A run that was killed goes on from it, bit for bit, when the same call
      is made again with the same number of threads.

    Interrupting the cell stops early: what was learned stays, and the history comes back.

    >>> fit(model, images, labels, epochs=3, batch_size=128, max_lr=5e-3,
    ...     generator=torch.Generator().manual_seed(0))

    Raises:
        TypeError, ValueError: arguments that do not fit, see the message.
        DivergedError: the loss is not finite; the message names the step and the last checkpoint.
        CheckpointError: a checkpoint cannot be written, or all of them are damaged.
    """
    check_data(images, labels)
    check_settings(epochs, batch_size, generator, clip_norm, patience, checkpoint_every)
    check_parts(model, optimizer, scheduler, loss_fn, callbacks)
    check_validation(model, validation, patience)
    per_epoch = math.ceil(len(images) / batch_size)
    steps, save_every = epochs * per_epoch, checkpoint_every or per_epoch
    if optimizer is None:
        optimizer, scheduler = _adam_one_cycle(model, max_lr, scheduler, steps)
    elif max_lr is not None:
        raise ValueError("Give either max_lr or an optimizer, not both.")
    check_optimizer(model, optimizer, scheduler)
    run = Run(model, optimizer, scheduler, generator, loss_fn, clip_norm, patience)
    if checkpoints is not None:
        checksum = _fingerprint(images, labels, *(validation or ()))
        run.resume(checkpoints, _settings(run, epochs, batch_size, checksum))
    model.train()
    try:
        with progress(range(run.step, steps), "training", quiet=quiet) as bar:
            for _ in bar:
                if run.ended:
                    break
                run.learn(images, labels, batch_size)
                if validation is not None and run.step % per_epoch == 0:
                    run.validate(*validation)
                for callback in callbacks:
                    run.ended |= bool(callback(run.history))
                if run.folder and (run.step % save_every == 0 or run.step == steps or run.ended):
                    run.save()
                bar.set_postfix_str(f"loss {_mean_of_last(run.history.losses, 50):.3f}", False)
    except KeyboardInterrupt:
        print(f"Stopped after {run.step} steps; the model keeps what it has learned.")
    finally:
        model.eval()
    if run.best is not None:
        model.load_state_dict(run.best)
    return run.history


def _mean_of_last(losses: list[float], count: int) -> float:
    recent = losses[-count:]
    return sum(recent) / len(recent)


def _adam_one_cycle(
    model: nn.Module, max_lr: float | None, scheduler: LRScheduler | None, steps: int
) -> tuple[Optimizer, LRScheduler]:
    """Adam; the rate rises to `max_lr` and falls to nearly zero within the run.

    Source: Smith and Topin, "Super-convergence" (2018), arXiv:1708.07120.
    """
    if max_lr is None or scheduler is not None:
        raise ValueError("Give max_lr alone, or an optimizer and, if you like, its scheduler.")
    if not is_positive(max_lr):
        raise ValueError(f"max_lr must be a positive number such as 5e-3, not {max_lr!r}.")
    optimizer = Adam(model.parameters(), lr=float(max_lr))
    return optimizer, OneCycleLR(optimizer, float(max_lr), total_steps=steps)


def _fingerprint(*tensors: Tensor) -> int:
    """A checksum of the data, so that a run does not go on with other data unnoticed."""
    checksum = 0
    for tensor in tensors:
        checksum = zlib.crc32(f"{tensor.dtype} {tuple(tensor.shape)}".encode(), checksum)
        content = tensor.detach().cpu().contiguous().view(torch.uint8)
        checksum = zlib.crc32(content.numpy(), checksum)
    return checksum


def _settings(run: Run, epochs: int, batch_size: int, checksum: int) -> dict:
    """All that must be the same when a run goes on: numbers and texts, each with its name."""
    groups, loss_fn = run.optimizer.param_groups, run.loss_fn
    return {
        "optimizer": type(run.optimizer).__name__,
        "scheduler": type(run.scheduler).__name__,
        "loss_fn": getattr(loss_fn, "__qualname__", type(loss_fn).__qualname__),
        "clip_norm": run.clip_norm,
        "patience": run.patience,
        "epochs": epochs,
        "batch_size": batch_size,
        "checksum of the data": checksum,
        **_flat([start_lr(group) for group in groups], "learning rate"),
        **_flat([line.strip() for line in str(run.model).splitlines()], "model"),
        **_flat([_constants(group) for group in groups], "optimizer"),
        **_flat(run.scheduler.state_dict() if run.scheduler else {}, "scheduler"),
        **_flat(getattr(loss_fn, "keywords", getattr(loss_fn, "__dict__", {})), "loss_fn"),
    }


def _constants(group: dict) -> dict:
    """The settings of a parameter group, without a momentum that its schedule moves."""
    moved = {"betas", "momentum"} if "max_momentum" in group else set()
    kept = {name: value for name, value in group.items() if name not in moved}
    return {**kept, "weights": len(group["params"])}


def _flat(value, name: str) -> dict:
    """Nested settings as one dict: {"eps": 1, "betas": (2, 3)} -> eps, betas.0 and betas.1.

    Left out is what changes while a run goes on, and what is neither number nor text.
    """
    if isinstance(value, int | float | str | None):
        return {name: value}
    pairs = value.items() if isinstance(value, Mapping) else ()
    pairs = enumerate(value) if isinstance(value, list | tuple) else pairs
    found = {}
    for key, part in pairs:
        if key not in VARYING:
            found |= _flat(part, f"{name}.{key}")
    return found
