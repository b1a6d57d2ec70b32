"""The ladder: from the classic small Transformer to a fast learner, one change a rung.

Each rung keeps all changes below it, and learns for `BUDGET` seconds of one processor on the
embedded plays; its schedule follows the seconds. So a change that makes a step slower must be worth
its time. `loss` is that of the validation part in consecutive windows of 64 characters, the same
for all; `loss_own` that in windows of the model's own context.

    python -m benchmarks.ladder                 all rungs, and the record
    python -m benchmarks.ladder --workers 2     the same, two runs at a time: half as long
    python -m benchmarks.ladder "squared ReLU"  one rung, beside its record; so does its number, 4
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import torch
from torch import nn
from torch.optim import AdamW, Optimizer

from benchmarks.common import compare, main
from helpers.data import shakespeare
from helpers.language import Characters, window_loss
from helpers.language_recipes import (
    CLASSIC,
    PLAIN,
    LanguageRecipe,
    classic_optimizers,
    hold_then_fall,
    learn,
    of_seconds,
    of_steps,
    optimizers_for,
)

BUDGET = 24.0  # seconds of one processor, with one thread
CHEAP_STEPS = 40


@cache
def plays() -> tuple[int, torch.Tensor, torch.Tensor]:
    """Size of the vocabulary, and the training and validation part as ids."""
    parts = shakespeare()
    letters = Characters("".join(parts))
    return len(letters), letters.encode(parts.train), letters.encode(parts.validation)


@cache
def warm_up() -> None:
    """One step: torch loads parts of itself then, which is not to be on the first rung's clock."""
    vocab_size, train_ids, _ = plays()
    model = CLASSIC.model(vocab_size)
    learn(model, train_ids, CLASSIC, of_steps(1), generator=torch.Generator().manual_seed(0))


def train(
    seed: int,
    recipe: LanguageRecipe,
    steps: int | None = None,
) -> dict[str, float]:
    """Train once, for `steps` or for the budget, with one thread, and score."""
    torch.set_num_threads(1)
    warm_up()
    vocab_size, train_ids, validation_ids = plays()
    model = recipe.model(vocab_size, seed)
    generator = torch.Generator().manual_seed(seed)
    fixed = steps is not None
    share_done = of_steps(steps) if fixed else of_seconds(BUDGET, time.process_time)
    steps = learn(model, train_ids, recipe, share_done, generator=generator)
    return {
        "loss": window_loss(model, validation_ids, CLASSIC.context),
        "loss_own": window_loss(model, validation_ids, recipe.context),
        "steps": steps,
        "characters_seen": steps * recipe.batch_size * recipe.context,
        "parameters": sum(w.numel() for w in model.parameters()),
        "budget_seconds": 0.0 if fixed else BUDGET,
    }


def switched(recipe: LanguageRecipe, **switches: bool) -> LanguageRecipe:
    return replace(recipe, switches={**recipe.switches, **switches})


def faster_adamw(model: nn.Module) -> list[Optimizer]:
    """The classic optimiser at three times its rate."""
    return classic_optimizers(model, lr=3e-3)


def bold_adamw(model: nn.Module) -> list[Optimizer]:
    """One AdamW as `optimizers_for` has it for tables, for all weights."""
    return [AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.95), eps=1e-10, weight_decay=0.0)]


def rungs() -> dict[str, LanguageRecipe]:
    """Each rung is the one before it and one change."""
    found = {"classic": CLASSIC}

    def climb(label: str, change: Callable[[LanguageRecipe], LanguageRecipe]) -> None:
        found[label] = change(list(found.values())[-1])

    climb("rotary positions", partial(switched, rotary=True))
    climb("RMSNorm, no biases", partial(switched, rms_norm=True))
    climb("normalised queries and keys", partial(switched, qk_norm=True))
    climb("squared ReLU", partial(switched, squared_relu=True))
    climb("zero initialisation", partial(switched, zero_init=True))
    climb("AdamW: 3 times the rate", partial(replace, optimizers=faster_adamw))
    climb("AdamW: nothing held back", partial(replace, optimizers=bold_adamw, clip_norm=None))
    climb("Muon", partial(replace, optimizers=optimizers_for))
    climb("schedule: hold, then fall to zero", partial(replace, schedule=hold_then_fall))
    climb(
        "shape: 3 layers, 16 windows of 128",
        partial(replace, shape=PLAIN.shape, context=PLAIN.context, batch_size=PLAIN.batch_size),
    )
    climb("bfloat16 products", partial(switched, half=True))
    climb("higher rates", partial(replace, optimizers=PLAIN.optimizers))
    climb("token values", partial(switched, value_embedding=True))
    climb("short convolution", partial(switched, short_convolution=True))
    return found


def not_kept() -> dict[str, LanguageRecipe]:
    """Changes to the top of the ladder that it was not built with."""
    top = list(rungs().values())[-1]
    bolder = partial(optimizers_for, muon_lr=0.03, adam_lr=12e-3)
    return {
        "not kept: rate falls from the start": replace(top, schedule=lambda share: 1 - share),
        "not kept: AdamW at twice the rate": replace(top, optimizers=bolder),
        "not kept: windows of 256": replace(top, context=256, batch_size=8),
    }


CHEAP = "classic, 40 steps only"
ROWS = {label: partial(train, recipe=recipe) for label, recipe in {**rungs(), **not_kept()}.items()}
ROWS[CHEAP] = partial(train, recipe=CLASSIC, steps=CHEAP_STEPS)
SEEDS = range(3)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Climb the ladder, or one rung of it.")
    parser.add_argument("rung", nargs="?", help="a rung's number, or a part of its name")
    parser.add_argument("--workers", type=int, default=1, help="runs at a time")
    options = parser.parse_args()
    if options.rung is None:
        main(__spec__.name, ROWS, SEEDS, CHEAP, workers=options.workers)
    else:
        compare("ladder", ROWS, SEEDS, options.rung)
