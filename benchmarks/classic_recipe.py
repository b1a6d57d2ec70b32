"""The classic small recipe on the embedded plays: its loss every 100 steps.

Four layers, four heads, 128 wide, context 64, batch 12, 2,000 steps: the settings that nanoGPT's
README gives for a laptop. One thread; a seed fixes weights, windows and so every number.

- part_loss: over the whole validation part, in consecutive windows of 64, nats per character.
- batches_loss: the mean over 20 random batches of it, as the recipe itself reports.
"""

from collections.abc import Callable
from functools import cache, partial

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import LambdaLR

from benchmarks.common import main
from helpers.data import shakespeare
from helpers.language import Characters, random_windows, window_loss
from helpers.language_recipes import (
    CLASSIC_SHAPE,
    CLASSIC_STEPS,
    classic_optimizers,
    classic_schedule,
)
from helpers.models.transformer import GPT

CONTEXT, BATCH_SIZE = 64, 12


def classic_rate(step: int) -> float:
    """The schedule's factor in a step, counted from 0."""
    return classic_schedule((step + 1) / CLASSIC_STEPS)


@cache
def plays() -> tuple[int, Tensor, Tensor]:
    parts = shakespeare()
    letters = Characters("".join(parts))  # the test part has one more
    return len(letters), letters.encode(parts.train), letters.encode(parts.validation)


@torch.no_grad()
def batches_loss(model: GPT, ids: Tensor, generator: torch.Generator, n_batches: int = 20) -> float:
    losses = [
        cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
        for inputs, targets in (
            random_windows(ids, CONTEXT, BATCH_SIZE, generator) for _ in range(n_batches)
        )
    ]
    return torch.stack(losses).mean().item()


@cache
def train(seed: int, steps: int) -> dict[int, dict[str, float]]:
    """Train once, and judge every 100 steps, and at the first."""
    torch.set_num_threads(1)
    vocab_size, train_ids, valid_ids = plays()
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # layers draw their first weights from the global generator
        model = GPT(vocab_size, context=CONTEXT, **CLASSIC_SHAPE)
    (optimizer,) = classic_optimizers(model)
    scheduler = LambdaLR(optimizer, classic_rate)
    windows, judge = (torch.Generator().manual_seed(s) for s in (seed, 1000 + seed))
    curve = {}
    for step in range(steps + 1):
        if step % 100 == 0:
            curve[step] = {
                "part_loss": window_loss(model, valid_ids, CONTEXT),
                "batches_loss": batches_loss(model, valid_ids, judge),
            }
        if step == steps:
            break
        inputs, targets = random_windows(train_ids, CONTEXT, BATCH_SIZE, windows)
        loss = cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
    return curve


def after(steps: int) -> Callable[[int], dict[str, float]]:
    """A row: what was seen after so many steps of the 2,000."""
    return partial(at, steps=steps)


def at(seed: int, steps: int) -> dict[str, float]:
    # The cheap row must not pay for the whole run; the others share one.
    return train(seed, 100 if steps <= 100 else CLASSIC_STEPS)[steps]


CHEAP = "after 100 steps"
ROWS = {f"after {steps} steps": after(steps) for steps in range(0, CLASSIC_STEPS + 1, 100)}
SEEDS = range(3)

if __name__ == "__main__":
    main(__spec__.name, ROWS, SEEDS, CHEAP)
