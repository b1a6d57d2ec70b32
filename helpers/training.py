"""The training loop of the book.

- `fit` shuffles with the `torch.Generator` that is passed in; dropout draws from torch's global
  one. A checkpoint holds both, so that a run that was killed goes on as if nothing had happened.
- The step itself, early stopping and the state of a checkpoint are in `helpers.runs`.
- The model may be on another device than the data: each batch is moved to it.
"""

import math
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from helpers.evaluation import unit_floats
from helpers.progress import progress
from helpers.runs import DivergedError, History, Run, start_lr

__all__ = ["DivergedError", "History", "fit", "progress"]


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
    _check_data(images, labels)
    _check_settings(epochs, batch_size, generator, clip_norm, patience, checkpoint_every)
    _check_validation(validation, patience)
    per_epoch = math.ceil(len(images) / batch_size)
    steps, save_every = epochs * per_epoch, checkpoint_every or per_epoch
    if optimizer is None:
        optimizer, scheduler = _adam_one_cycle(model, max_lr, scheduler, steps)
    elif max_lr is not None:
        raise ValueError("Give either max_lr or an optimizer, not both.")
    _check_optimizer(model, optimizer, scheduler)
    run = Run(model, optimizer, scheduler, generator, loss_fn, clip_norm, patience)
    if checkpoints is not None:
        run.resume(checkpoints, epochs, batch_size, _fingerprint(images, labels))
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
    if not 0 < max_lr < math.inf:
        raise ValueError(f"max_lr must be a positive number such as 5e-3, not {max_lr!r}.")
    optimizer = Adam(model.parameters(), lr=max_lr)
    return optimizer, OneCycleLR(optimizer, max_lr, total_steps=steps)


def _fingerprint(images: Tensor, labels: Tensor) -> int:
    """A checksum of the data, so that a run does not go on with other data unnoticed."""
    parts = [part.cpu().contiguous().numpy() for part in (images, labels)]
    return zlib.crc32(parts[1], zlib.crc32(parts[0]))


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


def _check_validation(validation: tuple[Tensor, Tensor] | None, patience: int | None) -> None:
    if validation is not None:
        _check_data(*validation)
    elif patience is not None:
        raise ValueError("patience needs a validation part: validation=(images, labels).")


def _check_settings(
    epochs: int,
    batch_size: int,
    generator: torch.Generator,
    clip_norm: float | None,
    patience: int | None,
    checkpoint_every: int | None,
) -> None:
    whole = {"epochs": epochs, "batch_size": batch_size}
    whole |= {"patience": patience} if patience is not None else {}
    whole |= {"checkpoint_every": checkpoint_every} if checkpoint_every is not None else {}
    for name, value in whole.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}.")
    if clip_norm is not None and not 0 < clip_norm < math.inf:
        raise ValueError(f"clip_norm must be a positive number such as 1.0, not {clip_norm!r}.")
    if not isinstance(generator, torch.Generator):
        raise TypeError(
            "generator must be a torch.Generator, for example torch.Generator().manual_seed(0), "
            f"not {type(generator).__name__}."
        )


def _check_optimizer(model: nn.Module, optimizer: Optimizer, scheduler: LRScheduler | None) -> None:
    moved = {id(w) for group in optimizer.param_groups for w in group["params"]}
    if not any(id(w) in moved for w in model.parameters()):
        raise ValueError(
            "The optimizer moves none of this model's weights: give it model.parameters()."
        )
    for group in optimizer.param_groups:
        if not 0 < start_lr(group) < math.inf:
            raise ValueError(f"The learning rate must be positive and finite, not {group['lr']!r}.")
    if scheduler is not None and scheduler.optimizer is not optimizer:
        raise ValueError("The scheduler belongs to another optimizer than the one given.")
