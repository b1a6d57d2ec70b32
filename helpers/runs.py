"""One training run: its step, its history, and the state that a checkpoint holds.

`helpers.training.fit` and `helpers.pretraining.pretrain` are the loops around it.
"""

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from helpers.arguments import check_logits
from helpers.checkpoints import (
    CheckpointError,
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
        with _buffers_kept(self.model, on_error=self.step == 0):
            logits = self.model(unit_floats(images[rows].to(device)))
            if self.step == 0:
                check_logits(logits, len(rows), labels)
            loss = self.loss_fn(logits, labels[rows].to(device))
        self._check_finite(loss.item())
        self.optimizer.zero_grad()
        loss.backward()
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)
        lr = float(self.optimizer.param_groups[0]["lr"])
        self.optimizer.step()
        if self.scheduler is not None:
            self.scheduler.step()
        self.history.lrs.append(lr)
        self.history.losses.append(loss.item())

    def _next_rows(self, n: int, batch_size: int) -> Tensor:
        """The rows of the next batch; every epoch goes through all of them in a new order."""
        if self.position >= len(self.order):
            self.order, self.position = torch.randperm(n, generator=self.generator), 0
        self.position += batch_size
        return self.order[self.position - batch_size : self.position]

    def _check_finite(self, loss: float, what: str = "loss") -> None:
        if not math.isfinite(loss):
            raise DivergedError(
                f"The {what} is {loss} after {self.step} steps. Last good checkpoint: "
                f"{self._last_good()}. Try a smaller learning rate, a warm-up or clip_norm."
            )

    def _last_good(self) -> Path | str:
        """The newest checkpoint that is sound, and older than the weights that gave this loss."""
        saved = checkpoints_in(self.folder) if self.folder else []
        for path in saved:
            if step_of(path) == self.step:
                path.unlink()
        try:
            found = latest_checkpoint(self.folder) if saved else None
        except CheckpointError:
            found = None
        return found[0] if found else "none, since no earlier one was saved"

    def validate(self, images: Tensor, labels: Tensor) -> None:
        """Score the model on the validation part, and end the run when patience is at an end."""
        logits = predict(self.model, images)
        loss = self.loss_fn(logits, labels).item()
        self._check_finite(loss, "validation loss")
        self.history.validation_losses.append(loss)
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

    def resume(self, folder: str | Path, settings: dict) -> None:
        """Go on from the newest sound checkpoint in the folder, if there is one."""
        self.folder, self.settings = Path(folder), settings
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
            came = state["settings"].get(name, value)  # another version of torch may have more
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


@contextmanager
def _buffers_kept(model: nn.Module, on_error: bool) -> Iterator[None]:
    """A batch that does not fit must not leave its mark on the averages of batch normalisation."""
    before = [b.clone() for b in model.buffers()] if on_error else []
    try:
        yield
    except Exception:
        for b, old in zip(model.buffers(), before, strict=False):
            b.copy_(old)
        raise
