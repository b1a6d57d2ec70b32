"""Ten digits backwards: which positions an encoder needs, and where its norms may stand.

All rows of a group have the same steps, rate and rows per step; every step draws new digits.
Digits are counted in 1,000 new rows of the length that was learned.
"""

from functools import partial

import torch

from benchmarks.common import main
from helpers.models.reversal import Reverser, reversal_accuracy, teach_reversal

LENGTH = 12
KINDS = ("none", "learned", "sinusoidal", "rotary")


def reverse(
    seed: int, positions: str, n_layers: int, steps: int, lr: float, *, norm_first: bool = True,
    warmup: int = 1,
) -> dict[str, float]:  # fmt: skip
    """Train one encoder -> its shares of right digits and rows, and its loss in the end."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    model = Reverser(positions, LENGTH, n_layers, norm_first)
    losses = teach_reversal(model, LENGTH, steps=steps, lr=lr, seed=seed, warmup=warmup)
    digits, rows = reversal_accuracy(model, LENGTH)
    return {"digit_accuracy": digits, "row_accuracy": rows, "loss": sum(losses[-20:]) / 20}


ROWS = {
    f"1 block, 300 steps: {kind}": partial(reverse, positions=kind, n_layers=1, steps=300, lr=1e-2)
    for kind in KINDS
}
ROWS |= {
    f"2 blocks, {steps:,} steps: {kind}": partial(
        reverse, positions=kind, n_layers=2, steps=steps, lr=5e-3
    )
    for kind, steps in (*((kind, 300) for kind in KINDS), ("none", 1500), ("rotary", 1500))
}
DEEP = partial(reverse, positions="learned", n_layers=12, steps=200, lr=3e-3)
ROWS |= {
    "12 blocks: norm before": DEEP,
    "12 blocks: norm after": partial(DEEP, norm_first=False),
    "12 blocks: norm before, warm-up": partial(DEEP, warmup=50),
    "12 blocks: norm after, warm-up": partial(DEEP, norm_first=False, warmup=50),
    "12 blocks: norm before, rate 0.001": partial(DEEP, lr=1e-3),
    "12 blocks: norm after, rate 0.001": partial(DEEP, norm_first=False, lr=1e-3),
}
CHEAP = "1 block, 300 steps: none"
SEEDS = range(5)

if __name__ == "__main__":
    main(__spec__.name, ROWS, SEEDS, CHEAP)
