"""Four answers to classes of very different size, at the same number of steps.

1,636 pictures of clothes: 400 of the most frequent class, a tenth of that of the rarest, and the
others between. Every row makes 400 steps with batches of 50, drawn with replacement. The settings
are those of `benchmarks.preprocessing_images`; none was chosen for a row. One may choose a row by
the validation part. `class_3_accuracy` is the recall of class 3 on the test part.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import WeightedRandomSampler

from benchmarks.common import main
from benchmarks.preprocessing_images import BATCH_SIZE, MAX_LR, STEPS, Scores, seeded_cnn
from helpers.data import fashion_mnist
from helpers.evaluation import predict
from helpers.training import fit

# Class 0, T-shirts, is the rarest; class 9, ankle boots, the most frequent.
COUNTS = (40 * 10 ** (torch.arange(10) / 9)).round().long()
PRIOR = COUNTS / COUNTS.sum()


def long_tail(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    images, labels = fashion_mnist()[:2]
    order = torch.randperm(len(labels), generator=generator)
    rows = [order[labels[order] == k][:n] for k, n in enumerate(COUNTS.tolist())]
    return images[torch.cat(rows)], labels[torch.cat(rows)]


def recalls(logits: Tensor, labels: Tensor) -> Tensor:
    """The share of each class that is recognised: (10,)."""
    right = (logits.argmax(dim=1) == labels).double()
    return torch.stack([right[labels == k].mean() for k in range(10)])


def scores(model: nn.Module, subtracted: Tensor) -> Scores:
    """`accuracy` is that on pictures in which the classes are as frequent as in training."""
    clothes = fashion_mnist()
    found = {}
    parts = {"validation": clothes[2:4], "test": clothes[4:6]}
    for part, (images, labels) in parts.items():
        recall = recalls(predict(model, images) - subtracted, labels)
        found[f"{part}_accuracy"] = (PRIOR * recall).sum().item()
        found[f"{part}_balanced_accuracy"] = recall.mean().item()
    return found | {f"class_{k}_accuracy": value for k, value in enumerate(recall.tolist())}


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
    return scores(model, PRIOR.log() if adjust else torch.zeros(10))


CHEAP = "nothing done"
ROWS = {
    CHEAP: run,
    "rare classes weigh more in the loss": partial(
        run, loss_fn=partial(cross_entropy, weight=1 / COUNTS)
    ),
    "rare classes drawn more often": partial(run, oversample=True),
    "log of the shares subtracted afterwards": partial(run, adjust=True),
}
SEEDS = range(5)

if __name__ == "__main__":
    main(__spec__.name, ROWS, SEEDS, CHEAP)
