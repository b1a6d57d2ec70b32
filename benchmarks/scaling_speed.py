"""How fast plain SGD learns from pixels in 0…1 and from standardised ones, at the same rate.

2,000 pictures of clothes and 200 steps at the rate 0.1, as in the rows "scaling" of
`benchmarks.preprocessing_images`, with more seeds. Both rows of a seed see the same batches, so
they can be compared run by run. `mean_loss` is that of all 200 steps: it is lower, the sooner the
network learns, and varies far less than an accuracy at the end.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.optim import SGD

from benchmarks.common import main
from benchmarks.preprocessing_images import (
    BATCH_SIZE,
    Scaled,
    as_usual,
    seeded_cnn,
    some,
    standardised,
    unit,
)
from helpers.data import fashion_mnist
from helpers.training import fit


def run(seed: int, scale: Callable[[Tensor], tuple[float, float]]) -> dict[str, float]:
    images, labels = some(seed, 2_000)
    model = Scaled(*scale(images / 255), seeded_cnn(seed))
    history = fit(
        model,
        images,
        labels,
        epochs=5,
        batch_size=BATCH_SIZE,
        optimizer=SGD(model.parameters(), lr=0.1),
        generator=torch.Generator().manual_seed(seed),
        quiet=True,
    )
    return {
        "mean_loss": sum(history.losses) / len(history.losses),
        "validation_accuracy": as_usual(model, *fashion_mnist()[2:4]),
    }


CHEAP = "standardised"
ROWS = {"0…1": partial(run, scale=unit), CHEAP: partial(run, scale=standardised)}
SEEDS = range(10)

if __name__ == "__main__":
    main(__spec__.name, ROWS, SEEDS, CHEAP)
