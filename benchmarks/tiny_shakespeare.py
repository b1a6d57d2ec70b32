"""The recipes on tiny Shakespeare, in the seconds that the classic one takes, with all threads.

Per seed, in turn: the classic recipe to its end; then a plain Transformer, and one with whatever
helps, each stopped when the classic one's seconds on the wall are over; the plain recipe again in a
fifth of them; and counting alone, with which the third begins. Each learns from the first 90 % of
the text, and is scored once on the last 10 %, whole, in consecutive windows of 64 characters
(`loss_64`) and of the model's own context (`loss_own`). Seconds are those of making and training
the model. The machine's peak is measured before each row, in the numbers in which the row
multiplies (`bfloat16` is 1 or 0); compare with the largest of its kind, since others may use the
machine.

    python -m benchmarks.tiny_shakespeare                the exact file, and the record
    python -m benchmarks.tiny_shakespeare --text FILE    the same on a file of yours

Where the exact file cannot be had, the embedded plays take its place, and that is said. The record
is written for the exact file only, wherever it came from.
"""

import argparse
import hashlib
import time
from collections.abc import Callable
from functools import cache, partial

import torch
from torch import Tensor, nn

from benchmarks.common import main, run_row
from helpers.assets import AssetError
from helpers.corrections import CorrectedCounts, count_and_correct
from helpers.data import read_text, shakespeare, tiny_shakespeare
from helpers.language import Characters, window_loss
from helpers.language_recipes import (
    ANYTHING,
    CLASSIC,
    CLASSIC_STEPS,
    PLAIN,
    SHORT,
    LanguageRecipe,
    learn,
    of_seconds,
    of_steps,
    product_seconds,
)
from helpers.models.modern import ModernGPT
from helpers.ngrams import CountModel

SHORT_SHARE = 1 / 5  # of the classic recipe's seconds
MARGIN = 0.99  # of the budget: a step that has begun is finished
CHEAP_STEPS = 40
EXACT = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"  # sha256 of the file
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

Done = Callable[[int], float]
Trained = tuple[nn.Module, int]  # a model, and the steps that it took


FILES: list[str] = []  # what --text names


@cache
def text() -> str:
    """The text of the file that --text names, or tiny Shakespeare, or else the embedded plays."""
    if FILES:
        return read_text(FILES[0])
    try:
        return tiny_shakespeare()
    except AssetError as error:
        print(f"{error}\nThe embedded plays take its place: other text, other losses.")
        return "".join(shakespeare())


def split(whole: str) -> tuple[int, Tensor, Tensor]:
    """Size of the vocabulary; the first 90 % and the last 10 % as ids."""
    letters, cut = Characters(whole), int(0.9 * len(whole))
    return len(letters), letters.encode(whole[:cut]), letters.encode(whole[cut:])


def transformer(
    recipe: LanguageRecipe, vocab_size: int, ids: Tensor, done: Done, seed: int
) -> Trained:
    """Train by a recipe alone. Another way to a model has the same arguments and result."""
    model = recipe.model(vocab_size, seed).to(DEVICE)
    return model, learn(model, ids, recipe, done, generator=torch.Generator().manual_seed(seed))


def score(train: Callable[..., Trained], recipe: LanguageRecipe, done_of: Callable[[], Done],
          parts: tuple[int, Tensor, Tensor], seed: int) -> dict[str, float]:  # fmt: skip
    """Train and score. `done_of()` starts the clock."""
    vocab_size, train_ids, test_ids = parts
    half = recipe.in_half()
    peak = products_per_second(torch.bfloat16 if half else torch.float32)
    start, done = time.perf_counter(), done_of()
    model, steps = train(vocab_size, train_ids, done, seed)
    seconds = time.perf_counter() - start
    tokens = steps * recipe.batch_size * recipe.context
    return {
        "loss_64": window_loss(model, test_ids, 64),
        "loss_own": window_loss(model, test_ids, recipe.context),
        "own_context": recipe.context,
        "parameters": sum(w.numel() for w in model.parameters()),
        "stored_counts": len(model.counts) if isinstance(model, CorrectedCounts) else 0,
        "tokens": tokens,
        "bfloat16": int(half),
        "time_seconds": seconds,
        "time_tokens_per_second": tokens / seconds,
        "time_peak_gflops": peak / 1e9,
        "time_gflops": tokens * operations_per_token(model, recipe.context) / seconds / 1e9,
    }


def operations_per_token(model: nn.Module, context: int) -> float:
    """Of training the Transformer in a model; what stands around it is not counted.

    A multiplication and an addition for each weight of a product, three times, as the gradient
    takes two products for each one forward. Attention adds two products over half the context on
    average; tables that are only looked up add none.
    """
    inner = next(part for part in model.modules() if isinstance(part, ModernGPT))
    products = [part.weight for part in inner.modules() if isinstance(part, nn.Linear)]
    if inner.lm_head is None:
        products.append(inner.wte.weight)  # the head, tied to it
    weights = sum(w.numel() for w in products)
    return 3 * (2 * weights + 2 * len(inner.h) * context * inner.wte.embedding_dim)


def products_per_second(dtype: torch.dtype, size: int = 1024) -> float:
    """The most operations per second in a product of two matrices of these numbers here."""
    return 2 * size**3 / min(product_seconds(dtype, DEVICE, size) for _ in range(50))


@cache
def classic(seed: int) -> dict[str, float]:
    """The classic recipe to its end. Its seconds are the budget of the other rows."""
    way = partial(transformer, CLASSIC)
    done = partial(of_steps, CLASSIC_STEPS)
    return score(way, CLASSIC, done, split(text()), seed)


def within(
    share: float, recipe: LanguageRecipe, seed: int, way: Callable[..., Trained] = transformer
) -> dict[str, float]:
    """A recipe in a share of the classic one's seconds of the same seed."""
    budget = MARGIN * share * classic(seed)["time_seconds"]
    done = partial(of_seconds, budget)
    return score(partial(way, recipe), recipe, done, split(text()), seed)


class Counts(nn.Module):
    """A count model alone, as `window_loss` takes models."""

    def __init__(self, counts: CountModel):
        super().__init__()
        self.log_probabilities = counts.log_probabilities
        self.place = nn.Parameter(torch.empty(0), requires_grad=False)  # says on which device

    def forward(self, ids: Tensor) -> Tensor:
        return self.log_probabilities(ids)


def counts_alone(seed: int) -> dict[str, float]:
    """What `anything` begins with, and no network. No seed changes it."""
    vocab_size, train_ids, test_ids = split(text())
    start = time.perf_counter()
    counts = CountModel(train_ids, vocab_size, order=7)
    seconds = time.perf_counter() - start
    return {
        "loss_64": window_loss(Counts(counts), test_ids, 64),
        "loss_own": window_loss(Counts(counts), test_ids, ANYTHING.context),
        "own_context": ANYTHING.context,
        "parameters": 0,
        "stored_counts": len(counts),
        "tokens": len(train_ids),
        "bfloat16": 0,
        "time_seconds": seconds,
        "time_tokens_per_second": len(train_ids) / seconds,
        "time_peak_gflops": products_per_second(torch.float32) / 1e9,
        "time_gflops": 0.0,
    }


def cheap(seed: int) -> dict[str, float]:
    """A few steps on the embedded plays, which every test run has."""
    way, done = partial(transformer, CLASSIC), partial(of_steps, CHEAP_STEPS)
    parts = split("".join(shakespeare()))
    return score(way, CLASSIC, done, parts, seed)


CHEAP = "classic, 40 steps on the embedded plays"
ROWS = {
    "classic": classic,
    "plain": partial(within, 1.0, PLAIN),
    "anything": partial(within, 1.0, ANYTHING, way=partial(count_and_correct, device=DEVICE)),
    "a fifth of the time": partial(within, SHORT_SHARE, SHORT),
    "counts alone": counts_alone,
    CHEAP: cheap,
}
SEEDS = range(3)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The recipes on tiny Shakespeare.")
    parser.add_argument("--text", action="append", default=[], help="a file to take instead")
    FILES += parser.parse_args().text
    if hashlib.sha256(text().encode()).hexdigest() == EXACT:
        main(__spec__.name, ROWS, SEEDS, CHEAP)
    else:
        print("This is not tiny Shakespeare: the record stays as it is.")
        for seed in SEEDS:
            for label, row in ROWS.items():
                run_row(label, row, [seed])
