"""The runs that chapter 13 makes while you read, with other seeds: the bands of its results.

The fast recipe on the plays, 300 steps, and a smaller network on Tang poems, 100 steps. `loss` is
that of the validation part in consecutive windows of 64 characters, in nats.
"""

from dataclasses import replace
from functools import cache, partial

import torch
from torch import Tensor

from benchmarks.common import main
from helpers.data import shakespeare, tang_poems
from helpers.language import Characters, window_loss
from helpers.language_recipes import FAST_SWITCHES, PLAIN, learn, of_steps

POET = replace(
    PLAIN,
    shape={**PLAIN.shape, "n_layers": 2},
    switches={**FAST_SWITCHES, "value_embedding": False},
    context=64,
)


@cache
def plays() -> tuple[str, str, str]:
    """The training, validation and test part of the plays."""
    return tuple(shakespeare())


@cache
def poems() -> tuple[str, str, str]:
    """The same of the poems, one a line."""
    return tuple("".join("".join(poem.lines) + "\n" for poem in part) for part in tang_poems())


@cache
def numbered(text_of) -> tuple[int, Tensor, Tensor]:
    """Size of the vocabulary, and the training and validation part as ids."""
    train, validation, test = text_of()
    letters = Characters(train + validation + test)
    return len(letters), letters.encode(train), letters.encode(validation)


def run(seed: int, recipe, text_of, steps: int) -> dict[str, float]:
    """Train with one thread, and score on the validation part."""
    torch.set_num_threads(1)
    vocab_size, train_ids, validation_ids = numbered(text_of)
    model = recipe.model(vocab_size, seed)
    generator = torch.Generator().manual_seed(seed)
    learn(model, train_ids, recipe, of_steps(steps), generator=generator)
    return {"loss": window_loss(model, validation_ids, 64)}


CHEAP = "plays, 20 steps"
ROWS = {
    "plays, 300 steps": partial(run, recipe=PLAIN, text_of=plays, steps=300),
    "poems, 100 steps": partial(run, recipe=POET, text_of=poems, steps=100),
    CHEAP: partial(run, recipe=PLAIN, text_of=plays, steps=20),
}
SEEDS = range(5)

if __name__ == "__main__":
    main(__spec__.name, ROWS, SEEDS, CHEAP)
