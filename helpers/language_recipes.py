"""Recipes for a small language model: the classic one, and those that learn most in its time.

- A `LanguageRecipe` holds everything that is chosen: shapes, switches, optimisers, rates, schedule.
- `learn` is the loop. Its schedule knows only the share of the run that is done, so a run may be
  so many steps long (`of_steps`) or so many seconds (`of_seconds`).
- Everything was chosen on characters 85-90 % of tiny Shakespeare, trained on those before.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import AdamW, Muon, Optimizer

from helpers.evaluation import device_of
from helpers.language import random_windows
from helpers.models.modern import ModernGPT
from helpers.optim import Together

Schedule = Callable[[float], float]
CLASSIC_STEPS = 2_000


def classic_schedule(share: float) -> float:
    """Up in the first 5 %, then half a cosine down to a tenth; the first step is one, too.

    >>> classic_schedule(1.0)
    0.1
    """
    if share < 0.05:
        return max(share, 1 / CLASSIC_STEPS) / 0.05
    return 0.1 + 0.45 * (1 + math.cos(math.pi * (share - 0.05) / 0.95))


def hold_then_fall(share: float) -> float:
    """Full rate for the first half, then in a straight line to zero. Built in chapter 13.

    >>> [hold_then_fall(share) for share in (0.0, 0.5, 0.75, 1.0)]
    [1.0, 1.0, 0.5, 0.0]
    """
    return min(1.0, 2 * (1 - share))


def classic_optimizers(model: nn.Module, lr: float = 1e-3) -> list[Optimizer]:
    """AdamW as nanoGPT sets it: only matrices are shrunk. Built in chapter 13."""
    groups = [
        {"params": [w for w in model.parameters() if w.ndim >= 2], "weight_decay": 0.1},
        {"params": [w for w in model.parameters() if w.ndim < 2], "weight_decay": 0.0},
    ]
    return [AdamW(groups, lr=lr, betas=(0.9, 0.99))]


def optimizers_for(
    model: nn.Module, muon_lr: float = 0.02, adam_lr: float = 3e-3
) -> list[Optimizer]:
    """Muon for the matrices inside the blocks, AdamW for all other weights. Built in chapter 13.

    `model.h` holds the blocks.
    Embeddings and the head are tables with a row per token: a row moves when its token comes, and
    Muon would move all rows alike. The convolution's weights are no matrix either.

    Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024).
    """
    products = [part.weight for part in model.h.modules() if isinstance(part, nn.Linear)]
    inside = {id(w) for w in products}
    others = [w for w in model.parameters() if id(w) not in inside]
    return [
        Muon(products, lr=muon_lr, weight_decay=0.0),
        AdamW(others, lr=adam_lr, betas=(0.9, 0.95), eps=1e-10, weight_decay=0.0),
    ]


@dataclass(frozen=True)
class LanguageRecipe:
    """How a language model is made and trained."""

    shape: dict = field(default_factory=dict)  # n_layers, n_heads, hidden_dim: all three
    switches: dict = field(default_factory=dict)  # of `modern.Switches`
    context: int = 64
    batch_size: int = 12
    optimizers: Callable[[nn.Module], list[Optimizer]] = classic_optimizers
    schedule: Schedule = classic_schedule
    clip_norm: float | None = 1.0

    def model(self, vocab_size: int, seed: int = 0) -> ModernGPT:
        """The model with its first weights, which depend on the seed alone."""
        switches = {**self.switches, "half": self.in_half()}
        with torch.random.fork_rng():
            torch.manual_seed(seed)  # layers draw their first weights from the global generator
            return ModernGPT(vocab_size, context=self.context, **self.shape, **switches)

    def in_half(self) -> bool:
        """Whether products are in bfloat16: where that is wanted, and faster on this machine."""
        return bool(self.switches.get("half")) and half_is_faster()


@cache
def half_is_faster(rounds: int = 50) -> bool:
    """Whether this machine multiplies matrices faster in bfloat16 than in float32: it is measured.

    Processors without instructions for bfloat16 are many times slower in it. Both take turns, and
    the shortest time of each counts: others may use the machine, too.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    pairs = [
        [product_seconds(dtype, device) for dtype in (torch.bfloat16, torch.float32)]
        for _ in range(rounds)
    ]
    half, single = map(min, zip(*pairs, strict=True))
    return half < single


def product_seconds(dtype: torch.dtype, device: str, size: int = 512) -> float:
    """Seconds for the product of two square matrices."""
    matrix = torch.ones(size, size, device=device, dtype=dtype)
    start = time.perf_counter()
    (matrix @ matrix)[0, 0].item()  # waits for a GPU
    return time.perf_counter() - start


def of_steps(steps: int) -> Callable[[int], float]:
    """The share done of a run of so many steps, given the steps done."""
    return lambda step: step / steps


def of_seconds(budget: float, clock=time.perf_counter) -> Callable[[int], float]:
    """The share done of a run of so many seconds by a clock, from now on.

    `clock=time.process_time` counts the seconds of the processor instead of those on the wall.
    """
    start = clock()
    return lambda step: (clock() - start) / budget


def learn(
    model: nn.Module,
    ids: Tensor,
    recipe: LanguageRecipe,
    share_done: Callable[[int], float],
    *,
    generator: torch.Generator,
) -> int:
    """Train on random windows of ids `(n,)` until all is done; return the steps.

    The model changes in place; it may be on another device than ids. Nothing checks that the loss
    is finite.

    Raises:
        ValueError: a text that is shorter than a window and its next token.

    >>> learn(model, ids, PLAIN, of_steps(100), generator=torch.Generator().manual_seed(0))
    100
    """
    draw = partial(random_windows, ids, recipe.context, recipe.batch_size, generator)
    return descend(model, recipe.optimizers(model), draw, recipe, share_done)


def descend(
    model: nn.Module,
    optimizers: Sequence[Optimizer],
    draw: Callable[[], tuple[Tensor, Tensor]],
    recipe: LanguageRecipe,
    share_done: Callable[[int], float],
) -> int:
    """Learn from the batches of `draw()`, windows and targets, until all is done; return the steps.

    Both are `(batch, time)`. The loop of `learn`, for whoever draws otherwise or moves a part of
    the model only.
    """
    optimizer, device, step = Together(optimizers), device_of(model), 0
    while (share := share_done(step)) < 1:
        inputs, targets = (ids.to(device) for ids in draw())
        optimizer.zero_grad()
        cross_entropy(model(inputs).flatten(0, 1), targets.flatten()).backward()
        if recipe.clip_norm is not None:
            nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
        optimizer.set_rates(recipe.schedule(share))
        optimizer.step()
        step += 1
    return step


def fast_optimizers(model: nn.Module) -> list[Optimizer]:
    """`optimizers_for` at the rates that were best."""
    return optimizers_for(model, muon_lr=0.03, adam_lr=6e-3)


CLASSIC_SHAPE = {"n_layers": 4, "n_heads": 4, "hidden_dim": 128}
CLASSIC = LanguageRecipe(shape=CLASSIC_SHAPE)
FAST_SHAPE = {"n_layers": 3, "n_heads": 4, "hidden_dim": 128}
FAST_SWITCHES = {
    "rotary": True,
    "rms_norm": True,
    "qk_norm": True,
    "squared_relu": True,
    "zero_init": True,
    "value_embedding": True,
    "half": True,
}
PLAIN = LanguageRecipe(
    shape=FAST_SHAPE,
    switches=FAST_SWITCHES,
    context=128,
    batch_size=16,
    optimizers=fast_optimizers,
    schedule=hold_then_fall,
    clip_norm=None,
)
# For a run of seconds: smaller batches, so that there are steps enough.
SHORT = replace(PLAIN, context=64)
# What may be more than a plain Transformer.
ANYTHING = replace(PLAIN, switches={**FAST_SWITCHES, "short_convolution": True})
