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
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from benchmarks.common import main
from helpers.data import shakespeare
from helpers.language import Characters, random_windows, window_loss
from helpers.models.transformer import GPT
from helpers.optim import warmup_cosine

CONTEXT, BATCH_SIZE, STEPS = 64, 12, 2000
LAST_RATE = 0.1  # of the peak


def classic_model(vocab_size: int) -> GPT:
    return GPT(vocab_size, context=CONTEXT, hidden_dim=128, n_layers=4, n_heads=4)


def classic_optimizer(model: GPT) -> AdamW:
    """Only matrices are decayed, not biases and norms."""
    matrices = [w for w in model.parameters() if w.ndim == 2]
    others = [w for w in model.parameters() if w.ndim != 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    return AdamW(groups, lr=1e-3, betas=(0.9, 0.99))


def classic_rate(step: int, steps: int = STEPS, warmup: int = 100) -> float:
    """Up in a straight line, then half a cosine down to a tenth."""
    factor = warmup_cosine(step, steps, warmup)
    return factor if step < warmup else LAST_RATE + (1 - LAST_RATE) * factor


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
        model = classic_model(vocab_size)
    optimizer = classic_optimizer(model)
    scheduler = LambdaLR(optimizer, classic_rate)
    windows, judge = (torch.Generator().manual_seed(s) for s in (seed, 1000 + seed))
    curve = {}
    for step in range(steps + 1):
        if step % 100 == 0:
            curve[step] = {
                "part_loss": window_loss(model, valid_ids, CONTEXT),
                "batches_loss": batches_loss(model, valid_ids, judge),
            }
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
    return train(seed, 100 if steps <= 100 else STEPS)[steps]


CHEAP = "after 100 steps"
ROWS = {f"after {steps} steps": after(steps) for steps in range(0, STEPS + 1, 100)}
SEEDS = range(5)

if __name__ == "__main__":
    main(__spec__.name, ROWS, SEEDS, CHEAP)
