"""One training run: its step, its history, and the state that a checkpoint holds.

`helpers.training.fit` is the loop around it.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from helpers.checkpoints import (
    checkpoints_in,
    latest_checkpoint,
    load_weights,
    save_checkpoint,
    step_of,
)
from helpers.evaluation import accuracy, device_of, predict, unit_floats


@dataclass
class History:
    """What `fit` saw: one value per step, and per epoch where there is a validation part."""

    losses: list[float] = field(default_factory=list)
    lrs: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    validation_accuracies: list[float] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """The epoch, counted from 0, with the lowest validation loss."""
        return self.validation_losses.index(min(self.validation_losses))


class DivergedError(ArithmeticError):
    """The loss is no longer a finite number."""


@dataclass
class Run:
    """What changes while a model is trained. `state_dict` gives all of it, as for torch's parts."""

    model: nn.Module
    optimizer: Optimizer
    scheduler: LRScheduler | None
    generator: torch.Generator
    loss_fn: Callable[[Tensor, Tensor], Tensor]
    clip_norm: float | None
    patience: int | None
    history: History = field(default_factory=History)
    order: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    position: int = 0  # in `order`; the rows before it have been used in this epoch
    best: dict[str, Tensor] | None = None  # weights of the best epoch, if `patience` is given
    ended: bool = False
    folder: Path | None = None  # of the checkpoints
    settings: dict = field(default_factory=dict)  # what must be the same when a run goes on

    @property
    def step(self) -> int:
        return len(self.history.losses)

    def learn(self, images: Tensor, labels: Tensor, batch_size: int) -> None:
        """One step: the loss of a batch, its gradient, and a move of all weights."""
        rows = self._next_rows(len(images), batch_size)
        device = device_of(self.model)
        logits = self.model(unit_floats(images[rows].to(device)))
        if self.step == 0:
            _check_logits(logits, rows, labels)
        loss = self.loss_fn(logits, labels[rows].to(device))
        self._check_finite(loss.item())
        self.optimizer.zero_grad()
        loss.backward()
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)
        self.history.lrs.append(self.optimizer.param_groups[0]["lr"])
        self.optimizer.step()
        if self.scheduler is not None:
            self.scheduler.step()
        self.history.losses.append(loss.item())

    def _next_rows(self, n: int, batch_size: int) -> Tensor:
        """The rows of the next batch; every epoch goes through all of them in a new order."""
        if self.position >= len(self.order):
            self.order, self.position = torch.randperm(n, generator=self.generator), 0
        self.position += batch_size
        return self.order[self.position - batch_size : self.position]

    def _check_finite(self, loss: float) -> None:
        if math.isfinite(loss):
            return
        saved = checkpoints_in(self.folder) if self.folder else []
        if saved and step_of(saved[0]) == self.step:  # its weights gave this very loss
            saved.pop(0).unlink()
        good = saved[0] if saved else "none, since no earlier one was saved"
        raise DivergedError(
            f"The loss is {loss} after {self.step} steps. Last good checkpoint: {good}. "
            "Try a smaller learning rate, a warm-up or clip_norm."
        )

    def validate(self, images: Tensor, labels: Tensor) -> None:
        """Score the model on the validation part, and end the run when patience is at an end."""
        logits = predict(self.model, images)
        self.history.validation_losses.append(self.loss_fn(logits, labels).item())
        self.history.validation_accuracies.append(accuracy(logits, labels))
        if self.patience is None:
            return
        waited = len(self.history.validation_losses) - 1 - self.history.best_epoch
        if waited == 0:
            self.best = {name: w.clone() for name, w in self.model.state_dict().items()}
        self.ended |= waited >= self.patience

    def state_dict(self) -> dict:
        """All that the next step depends on, and what has been seen so far."""
        return {
            "settings": self.settings,
            "threads": torch.get_num_threads(),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict() if self.scheduler else None,
            "generator": self.generator.get_state(),
            "torch_random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state_all(),
            "order": self.order,
            "position": self.position,
            "best": self.best,
            "ended": self.ended,
            "history": asdict(self.history),
        }

    def load_state_dict(self, state: dict) -> None:
        """Become the run that `state_dict` described."""
        load_weights(self.model, state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state["scheduler"])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["torch_random"])
        torch.cuda.set_rng_state_all(state["cuda_random"])
        self.order, self.position = state["order"], state["position"]
        self.best, self.ended = state["best"], state["ended"]
        self.history = History(**state["history"])

    def save(self) -> None:
        save_checkpoint(self.folder, self.step, self.state_dict())

    def resume(self, folder: str | Path, epochs: int, batch_size: int, data: int) -> None:
        """Go on from the newest sound checkpoint in the folder, if there is one."""
        self.folder = Path(folder)
        self.settings = {
            "model": type(self.model).__name__,
            "optimizer": type(self.optimizer).__name__,
            "scheduler": type(self.scheduler).__name__,
            "learning rates": [start_lr(group) for group in self.optimizer.param_groups],
            "clip_norm": self.clip_norm,
            "patience": self.patience,
            "epochs": epochs,
            "batch_size": batch_size,
            "checksum of the data": data,
        }
        found = latest_checkpoint(folder)
        if found is None:
            return
        path, state = found
        self._check_origin(path, state)
        self.load_state_dict(state)

    def _check_origin(self, path: Path, state: dict) -> None:
        """Refuse the checkpoint of another run; warn where sums would be rounded otherwise."""
        lacking = sorted(set(self.state_dict()) - set(state))
        if lacking:
            raise ValueError(f"{path} is no checkpoint of fit: it lacks {', '.join(lacking)}.")
        for name, value in self.settings.items():
            came = state["settings"].get(name)
            if came != value:
                raise ValueError(
                    f"{path} belongs to another run: its {name} is {came!r}, not {value!r}. "
                    "Name an empty folder, or repeat the call that made it."
                )
        if state["threads"] != torch.get_num_threads():
            warnings.warn(
                f"{path} was made with {state['threads']} threads, and this run has "
                f"{torch.get_num_threads()}: sums are rounded in another order, so the losses will "
                "not be the same bit for bit.",
                stacklevel=4,
            )


def start_lr(group: dict) -> float:
    """The rate of a parameter group before any scheduler changed it."""
    return float(group.get("initial_lr", group["lr"]))


def _check_logits(logits: Tensor, rows: Tensor, labels: Tensor) -> None:
    if logits.ndim != 2 or len(logits) != len(rows):
        raise ValueError(
            f"The model must give logits (batch, classes), here ({len(rows)}, classes), "
            f"not {tuple(logits.shape)}."
        )
    if labels.max() >= logits.shape[1]:
        raise ValueError(
            f"The model tells {logits.shape[1]} classes apart, 0 to {logits.shape[1] - 1}, "
            f"but the labels hold {labels.max().item()}."
        )
