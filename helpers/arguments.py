"""Checks of what `fit` and `pretrain` are given, all of them before the first weight moves.

One sentence says what was expected and what came.
"""

import math
from collections.abc import Sequence
from numbers import Real

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from helpers.evaluation import predict, unit_floats


def is_positive(value) -> bool:
    """A number above zero that is finite; False for NaN, texts and the like."""
    return isinstance(value, Real) and 0 < value < math.inf


def check_data(images: Tensor, labels: Tensor) -> None:
    """Raise TypeError or ValueError unless pixels, class numbers and shapes fit each other."""
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


def check_validation(
    model: nn.Module, validation: tuple[Tensor, Tensor] | None, patience: int | None
) -> None:
    """Raise TypeError or ValueError now for what would fail only after the first epoch."""
    if validation is None:
        if patience is not None:
            raise ValueError("patience needs a validation part: validation=(images, labels).")
        return
    if not isinstance(validation, tuple | list) or len(validation) != 2:
        raise TypeError("validation must be a pair: validation=(images, labels).")
    check_data(*validation)
    check_logits(predict(model, validation[0][:1]), 1, validation[1])


def check_parts(model, optimizer, scheduler, loss_fn, callbacks) -> None:
    """Raise TypeError for an object of the wrong kind, such as a class instead of an instance."""
    parts = {
        "model": (model, nn.Module),
        "optimizer": (optimizer, Optimizer | None),
        "scheduler": (scheduler, LRScheduler | None),
        "callbacks": (callbacks, Sequence),
    }
    for name, (part, kind) in parts.items():
        if not isinstance(part, kind):
            wanted = getattr(kind, "__args__", (kind,))[0].__name__
            raise TypeError(f"{name} must be of type {wanted}, not {type(part).__name__}.")
    if isinstance(scheduler, ReduceLROnPlateau):
        raise TypeError("fit steps its scheduler after every batch: ReduceLROnPlateau cannot be.")
    if not all(map(callable, [loss_fn, *callbacks])):
        raise TypeError("loss_fn and each of the callbacks must be functions.")


def check_settings(
    epochs: int,
    batch_size: int,
    generator: torch.Generator,
    clip_norm: float | None,
    patience: int | None,
    checkpoint_every: int | None,
) -> None:
    """Raise TypeError or ValueError for counts below 1, and for what is no generator or norm."""
    whole = {"epochs": epochs, "batch_size": batch_size}
    whole |= {"patience": patience} if patience is not None else {}
    whole |= {"checkpoint_every": checkpoint_every} if checkpoint_every is not None else {}
    for name, value in whole.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}.")
    if clip_norm is not None and not is_positive(clip_norm):
        raise ValueError(f"clip_norm must be a positive number such as 1.0, not {clip_norm!r}.")
    if not isinstance(generator, torch.Generator):
        raise TypeError(
            "generator must be a torch.Generator, for example torch.Generator().manual_seed(0), "
            f"not {type(generator).__name__}."
        )


def check_optimizer(model: nn.Module, optimizer: Optimizer, scheduler: LRScheduler | None) -> None:
    """Raise ValueError unless the optimizer moves this model, at a rate that can be."""
    moved = {id(w) for group in optimizer.param_groups for w in group["params"]}
    if not any(id(w) in moved for w in model.parameters()):
        raise ValueError(
            "The optimizer moves none of this model's weights: give it model.parameters()."
        )
    for group in optimizer.param_groups:
        for lr in (start_lr(group), float(group["lr"]) or 1.0):  # a schedule may be at zero
            if not is_positive(lr):
                raise ValueError(f"The learning rate must be positive and finite, not {lr!r}.")
    if scheduler is not None and scheduler.optimizer is not optimizer:
        raise ValueError("The scheduler belongs to another optimizer than the one given.")


def start_lr(group: dict) -> float:
    """The rate of a parameter group before any scheduler changed it."""
    return float(group.get("initial_lr", group["lr"]))


def check_logits(logits: Tensor, n: int, labels: Tensor) -> None:
    """Raise ValueError unless the logits are `(n, classes)`, with a class for every label."""
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != n:
        came = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(
            f"The model must give logits (batch, classes), here ({n}, classes), not {came}."
        )
    if labels.max() >= logits.shape[1]:
        raise ValueError(
            f"The model tells {logits.shape[1]} classes apart, 0 to {logits.shape[1] - 1}, "
            f"but the labels hold {labels.max().item()}."
        )
