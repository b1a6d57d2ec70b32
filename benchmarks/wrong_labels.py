"""How well the loss of a network points at wrong labels, by what it has seen and for how long.

1,000 pictures of clothes, 15 % of the labels replaced by another class, as in the rows "noise" of
`benchmarks.preprocessing_images`. As many pictures as there are wrong labels are suspected, those
with the highest loss. `precision` is the share of these that are wrong.

- seen: one network, trained on all pictures.
- not seen: four networks, each trained without a quarter, which it judges.

Each number of epochs is a run of its own, with a schedule of the rate of its own.
"""

from functools import partial

import torch
from torch.nn.functional import cross_entropy

from benchmarks.common import main
from benchmarks.preprocessing_images import (
    BATCH_SIZE,
    learn,
    seeded_cnn,
    some,
    unseen_logits,
    with_noise,
)
from helpers.evaluation import predict


def precision(seed: int, seen: bool, epochs: int) -> dict[str, float]:
    images, clean = some(seed, 1_000)
    labels, wrong = with_noise(clean, torch.Generator().manual_seed(seed))
    if seen:
        model = seeded_cnn(seed)
        learn(model, seed, images, labels, steps=epochs * len(labels) // BATCH_SIZE)
        logits = predict(model, images)
    else:
        logits = unseen_logits(seed, images, labels, epochs=epochs)
    suspects = cross_entropy(logits, labels, reduction="none").topk(int(wrong.sum())).indices
    return {"precision": wrong[suspects].double().mean().item()}


CHEAP = "not seen, 5 epochs"
ROWS = {
    **{f"seen, {n} epochs": partial(precision, seen=True, epochs=n) for n in (2, 5, 10, 20, 40)},
    **{
        f"not seen, {n} epochs": partial(precision, seen=False, epochs=n)
        for n in (2, 5, 10, 20, 40)
    },
}
SEEDS = range(5)

if __name__ == "__main__":
    main(__spec__.name, ROWS, SEEDS, CHEAP)
