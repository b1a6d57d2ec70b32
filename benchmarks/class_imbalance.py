"""Four answers to classes of very different size, at the same number of steps.

1,636 pictures of clothes: 400 of the most frequent class, a tenth of that of the rarest, and the
others between. Every row makes 400 steps with batches of 50, drawn with replacement. The settings
are those of `benchmarks.preprocessing_images`; none was chosen for a row.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import WeightedRandomSampler

from benchmarks.common import main
from benchmarks.preprocessing_images import BATCH_SIZE, MAX_LR, Scores, seeded_cnn
from helpers.data import fashion_mnist
from helpers.evaluation import predict
from helpers.training import fit

STEPS = 400
# Class 0, T-shirts, is the rarest; class 9, ankle boots, the most frequent.
COUNTS = (40 * 10 ** (torch.arange(10) / 9)).round().long()
PRIOR = COUNTS / COUNTS.sum()


def long_tail(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    images, labels = fashion_mnist()[:2]
    order = torch.randperm(len(labels), generator=generator)
    rows = [order[labels[order] == k][:n] for k, n in enumerate(COUNTS.tolist())]
    return images[torch.cat(rows)], labels[torch.cat(rows)]


def scores(logits: Tensor, labels: Tensor) -> Scores:
    """`accuracy` is that on pictures in which the classes are as frequent as in training."""
    right = logits.argmax(dim=1) == labels
    recall = torch.stack([right[labels == k].double().mean() for k in range(10)])
    return {
        "accuracy": (PRIOR * recall).sum().item(),
        "balanced_accuracy": recall.mean().item(),
        "rarest_accuracy": recall[0].item(),
        "most_frequent_accuracy": recall[9].item(),
    }


def run(
    seed: int,
    loss_fn: Callable[[Tensor, Tensor], Tensor] = cross_entropy,
    oversample: bool = False,
    adjust: bool = False,
) -> Scores:
    generator = torch.Generator().manual_seed(seed)
    images, labels = long_tail(generator)
    model = seeded_cnn(seed)
    weights = (1 / COUNTS.double())[labels] if oversample else torch.ones(len(labels))
    sampler = WeightedRandomSampler(weights, STEPS * BATCH_SIZE, generator=generator)
    drawn = torch.tensor(list(sampler))
    fit(
        model,
        images[drawn],
        labels[drawn],
        epochs=1,
        batch_size=BATCH_SIZE,
        max_lr=MAX_LR,
        loss_fn=loss_fn,
        generator=generator,
        quiet=True,
    )
    clothes = fashion_mnist()
    logits = predict(model, clothes.test_images)
    return scores(logits - PRIOR.log() if adjust else logits, clothes.test_labels)


# A weight of 1 / count for each class, such that the average weight of a picture is 1.
WEIGHTS = 1 / COUNTS / (PRIOR / COUNTS).sum()

CHEAP = "nothing done"
ROWS = {
    CHEAP: run,
    "rare classes weigh more in the loss": partial(
        run, loss_fn=partial(cross_entropy, weight=WEIGHTS)
    ),
    "rare classes drawn more often": partial(run, oversample=True),
    "log of the shares subtracted afterwards": partial(run, adjust=True),
}
SEEDS = range(5)

if __name__ == "__main__":
    main(__spec__.name, ROWS, SEEDS, CHEAP)
