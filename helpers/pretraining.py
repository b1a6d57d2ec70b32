"""The training loop of language models, in one process or in several.

- Each step draws windows of the text at random with the `torch.Generator` that is passed in.
- What a run, its checkpoints and its errors have in common with those of `helpers.training.fit`
  is taken from `helpers.runs`.
- `helpers.pretrain` is the same from the command line.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer

from helpers import parallel
from helpers.arguments import check_optimizer, check_parts, check_settings, start_lr
from helpers.evaluation import device_of
from helpers.language import random_windows
from helpers.optim import Together
from helpers.progress import progress
from helpers.runs import Run

# Private there: a record is out of date when a name changes that its run has used.
from helpers.training import _constants, _fingerprint, _flat, _mean_of_last


@dataclass
class LanguageRun(Run):
    """A run whose batches are windows of a text."""

    notes: dict = field(default_factory=dict)  # stored with the weights, and not looked at here

    def learn(self, forward: nn.Module, ids: Tensor, batch_size: int, context: int, factor: float):
        """One step on ids `(n,)`: the loss of a batch, its gradient, and a move of all weights.

        Every process draws the same batch and learns from its own rows; `forward` is the model,
        with the gradients averaged over the processes.
        """
        device = device_of(self.model)
        inputs, targets = (
            parallel.own_rows(windows).to(device)
            for windows in random_windows(ids, context, batch_size, self.generator)
        )
        loss = self.loss_fn(forward(inputs).flatten(0, 1), targets.flatten())
        mean_loss = parallel.mean_over_processes(loss)
        self._check_finite(mean_loss)
        self.optimizer.zero_grad()
        loss.backward()
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)
        self.optimizer.set_rates(factor)
        self.history.lrs.append(float(self.optimizer.param_groups[0]["lr"]))
        self.optimizer.step()
        self.history.losses.append(mean_loss)

    def state_dict(self) -> dict:
        return {**super().state_dict(), "notes": self.notes}

    def _check_origin(self, path: Path, state: dict) -> None:
        if "notes" not in state:
            raise ValueError(f"{path} is no checkpoint of pretrain: name an empty folder.")
        super()._check_origin(path, state)


def pretrain(
    model: nn.Module,
    ids: Tensor,
    *,
    steps: int,
    batch_size: int,
    context: int,
    optimizers: Sequence[Optimizer],
    schedule: Callable[[int, int], float],
    generator: torch.Generator,
    clip_norm: float | None = None,
    callbacks: Sequence[Callable[[list[float]], bool | None]] = (),
    checkpoints: str | Path | None = None,
    checkpoint_every: int | None = None,
    notes: Mapping | None = None,
    quiet: bool = False,
) -> list[float]:
    """Train a language model on random windows of a text, and return the loss of each step.

    `ids` is the text, `(n,)` int64; `model` maps ids `(batch, time)` to logits `(batch, time,
    vocab_size)`. The model changes in place. Losses are in nats per token.

    - `schedule(step, steps)` is the factor on the rates of all `optimizers`; `clip_norm` bounds the
      norm of all gradients together. A rate that an earlier run or a scheduler has left as
      `initial_lr` is the one that counts, and not `lr`.
    - Each of the `callbacks` is called with the losses after every step; True ends the run.
    - `checkpoints` is a folder. The state is saved there at the start, every `checkpoint_every`
      steps (a tenth of the run, if not given) and at the end, with the `notes`: texts and numbers
      of your own. A run that was killed goes on from it, bit for bit, when the same call is made
      again with the same number of threads.
    - Under `torchrun`, within `helpers.parallel.joined`, all processes call this alike and share
      each batch. They need a folder that all can see; process 0 writes to it.

    Interrupting stops early: what was learned stays, and the losses come back.

    >>> pretrain(model, ids, steps=2000, batch_size=12, context=64,
    ...          optimizers=[torch.optim.AdamW(model.parameters(), lr=1e-3)],
    ...          schedule=warmup_cosine, generator=torch.Generator().manual_seed(0))

    Raises:
        TypeError, ValueError: arguments that do not fit, see the message.
        DivergedError: the loss is not finite; the message names the step and the last checkpoint.
        CheckpointError: a checkpoint cannot be written, or all of them are damaged.
    """
    _check(model, ids, steps, batch_size, context, optimizers, schedule, callbacks)
    check_settings(steps, batch_size, generator, clip_norm, None, checkpoint_every)
    optimizer = Together(optimizers)
    run = LanguageRun(
        model, optimizer, None, generator, cross_entropy, clip_norm, None, notes=dict(notes or {})
    )
    if checkpoints is not None:
        _go_on(run, checkpoints, _settings(run, ids, steps, batch_size, context, schedule))
    forward, save_every = parallel.averaging(model), checkpoint_every or max(1, steps // 10)
    others = parallel.rank() > 0
    model.train()
    try:
        with progress(range(run.step, steps), "training", quiet=quiet or others) as bar:
            for step in bar:
                if run.ended:
                    break
                run.learn(forward, ids, batch_size, context, schedule(step, steps))
                for callback in callbacks:
                    run.ended |= bool(callback(run.history.losses))
                if run.folder and (run.step % save_every == 0 or run.step == steps or run.ended):
                    run.save()
                bar.set_postfix_str(f"loss {_mean_of_last(run.history.losses, 50):.3f}", False)
    except KeyboardInterrupt:
        if not others:
            print(f"Stopped after {run.step} steps; the model keeps what it has learned.")
    finally:
        model.eval()
    return run.history.losses


def _go_on(run: LanguageRun, folder: str | Path, settings: dict) -> None:
    """Go on from the newest checkpoint, or write the first one: a folder that cannot be written to
    should be known now, not after hours."""
    parallel.wait()  # an earlier call has written all
    run.resume(folder, settings)
    parallel.wait()  # all have read before one writes
    if parallel.rank() > 0:
        run.folder = None
    elif run.step == 0:
        run.save()


def _settings(run: LanguageRun, ids, steps: int, batch_size: int, context: int, schedule) -> dict:
    """All that must be the same when a run goes on: numbers and texts, each with its name."""
    groups = run.optimizer.param_groups
    looks = [schedule(step, steps) for step in sorted({0, steps // 2, steps - 1})]
    return {
        "steps": steps,
        "batch_size": batch_size,
        "context": context,
        "clip_norm": run.clip_norm,
        "number of processes": parallel.count(),
        "optimizers": ", ".join(type(part).__name__ for part in run.optimizer.optimizers),
        "type of numbers": str(next(run.model.parameters()).dtype),
        "checksum of the data": _fingerprint(ids),
        **_flat([start_lr(group) for group in groups], "learning rate"),
        **_flat([_constants(group) for group in groups], "optimizer"),
        **_flat(looks, "schedule"),
        **_flat([line.strip() for line in str(run.model).splitlines()], "model"),
        **_inner(run.model),
    }


def _inner(model: nn.Module) -> dict:
    """The settings of every part, such as n_heads, which its printed form does not show."""
    found = {}
    for part_name, part in model.named_modules():
        for name, value in vars(part).items():
            if not name.startswith("_") and name != "training":
                fields = asdict(value) if is_dataclass(value) else value
                found |= _flat(fields, f"model's {part_name}.{name}".replace(" .", " "))
    plain = (int, float, str, bool, type(None))  # a checkpoint holds no others, such as numpy's
    return {name: value if type(value) in plain else repr(value) for name, value in found.items()}


def _check(model, ids, steps, batch_size, context, optimizers, schedule, callbacks) -> None:
    """Raise TypeError or ValueError before the first weight moves."""
    check_parts(model, None, None, cross_entropy, callbacks)
    if not callable(schedule):
        raise TypeError("schedule must be a function of the step and the number of steps.")
    for name, value in {"steps": steps, "batch_size": batch_size, "context": context}.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}.")
    if batch_size % parallel.count():
        raise ValueError(
            f"The batch must be divisible by the number of processes, but {parallel.count()} do "
            f"not divide {batch_size}."
        )
    if not isinstance(ids, Tensor) or ids.dtype != torch.int64 or ids.ndim != 1:
        came = f"{ids.dtype} {tuple(ids.shape)}" if isinstance(ids, Tensor) else type(ids).__name__
        raise TypeError(f"The text must be token ids (n,) of type torch.int64, not {came}.")
    random_windows(ids, context, 1, torch.Generator())  # raises if the text is too short
    is_list = isinstance(optimizers, Sequence) and len(optimizers) > 0
    if not is_list or not all(isinstance(part, Optimizer) for part in optimizers):
        raise TypeError("optimizers must be a list of at least one torch.optim.Optimizer.")
    for optimizer in optimizers:
        check_optimizer(model, optimizer, None)
    moved = [id(w) for group in Together(optimizers).param_groups for w in group["params"]]
    if len(set(moved)) < len(moved):
        raise ValueError("Two of the optimizers move the same weight: give it to one of them.")
