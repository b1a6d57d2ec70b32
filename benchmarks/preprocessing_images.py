"""What scaling, augmentation, the split and wrong labels do to a score, on few pictures of clothes.

Every row draws its pictures from the 10,000 of the embedded Fashion-MNIST by its seed, and all rows
of a group make the same number of steps with batches of 50. Rates and strengths were chosen on the
validation part with seeds 10 to 12, which are not reported. The test part is only reported.

- scaling: 2,000 pictures, 200 steps of plain SGD; "own rate" was chosen for that scaling.
- augmentation: 500 pictures, 400 steps of Adam. Each strength is a usual one; none was tuned.
- split: 500 pictures, each copied five times with small changes, a fifth held back; 400 steps. The
  validation accuracy is that on the part held back, the test accuracy that on the real test part.
- noise: 1,000 pictures, 15 % of the labels replaced by another class; 400 steps. Suspects are those
  with the highest loss under networks that have not seen them, as many as there are wrong labels.
"""

from collections.abc import Callable
from functools import partial

import torch
from kornia.augmentation import (
    AugmentationSequential,
    RandomAffine,
    RandomBrightness,
    RandomContrast,
    RandomErasing,
    RandomGaussianNoise,
    RandomHorizontalFlip,
    RandomVerticalFlip,
)
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD

from benchmarks.common import main
from helpers.data import fashion_mnist
from helpers.evaluation import accuracy, predict
from helpers.images import Augmented, affine
from helpers.training import fit

BATCH_SIZE = 50
MAX_LR = 4e-3
PIXEL = 1 / 28

Scores = dict[str, float]


def small_cnn() -> nn.Sequential:
    """20,746 parameters: two convolutions with stride 2, then one dense layer."""
    return nn.Sequential(
        nn.Conv2d(1, 16, kernel_size=5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv2d(16, 32, kernel_size=3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 10),
    )


def seeded_cnn(seed: int) -> nn.Sequential:
    """Layers draw their first weights from the global generator."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    return small_cnn()


def some(seed: int, n: int) -> tuple[Tensor, Tensor]:
    """Draw n training pictures and their labels."""
    rows = torch.randperm(10_000, generator=torch.Generator().manual_seed(seed))[:n]
    images, labels = fashion_mnist()[:2]
    return images[rows], labels[rows]


def learn(model: nn.Module, seed: int, images: Tensor, labels: Tensor, steps: int = 400) -> None:
    epochs = steps * BATCH_SIZE // len(images)
    generator = torch.Generator().manual_seed(seed)
    fit(
        model,
        images,
        labels,
        epochs=epochs,
        batch_size=BATCH_SIZE,
        max_lr=MAX_LR,
        generator=generator,
        quiet=True,
    )


def scores(model: nn.Module, held_back: tuple[Tensor, Tensor] | None = None) -> Scores:
    """Accuracy on pictures held back, on the test part, and on the test part moved about."""
    clothes = fashion_mnist()
    parts = {
        "validation_accuracy": held_back or clothes[2:4],
        "test_accuracy": clothes[4:6],
        "moved_accuracy": (moved(clothes.test_images), clothes.test_labels),
    }
    return {name: accuracy(predict(model, x), y) for name, (x, y) in parts.items()}


def moved(images: Tensor) -> Tensor:
    """Move each picture by up to 3 whole pixels in both directions, always in the same way."""
    generator = torch.Generator().manual_seed(0)
    n = len(images)
    shift = torch.randint(-3, 4, (n, 2), generator=generator).float()
    return affine(images / 255, torch.zeros(n), torch.ones(n), shift).clamp(0, 1)


class Scaled(nn.Module):
    """A network behind (x − mean) / sd; pictures arrive in 0…1."""

    def __init__(self, mean: float, sd: float, model: nn.Module):
        super().__init__()
        self.mean, self.sd, self.model = mean, sd, model

    def forward(self, images: Tensor) -> Tensor:
        return self.model((images - self.mean) / self.sd)


def scaling(seed: int, lr: float, scale: Callable[[Tensor], tuple[float, float]]) -> Scores:
    images, labels = some(seed, 2_000)
    model = Scaled(*scale(images / 255), seeded_cnn(seed))
    fit(
        model,
        images,
        labels,
        epochs=5,
        batch_size=BATCH_SIZE,
        optimizer=SGD(model.parameters(), lr=lr),
        generator=torch.Generator().manual_seed(seed),
        quiet=True,
    )
    return scores(model)


def bytes_as_they_are(_pixels: Tensor) -> tuple[float, float]:
    return 0.0, 1 / 255


def unit(_pixels: Tensor) -> tuple[float, float]:
    return 0.0, 1.0


def standardised(pixels: Tensor) -> tuple[float, float]:
    return pixels.mean().item(), pixels.std().item()


def augmentation(seed: int, *changes: nn.Module) -> Scores:
    model = seeded_cnn(seed)
    if changes:
        # kornia draws from the global generator, which `seeded_cnn` has seeded.
        model = Augmented(AugmentationSequential(*changes), model)
    learn(model, seed, *some(seed, 500))
    return scores(model)


def copies(images: Tensor, times: int, generator: torch.Generator) -> Tensor:
    """Each picture `times` times in a row, each time turned, zoomed and moved a little."""
    images = images.repeat_interleave(times, dim=0) / 255
    draw = [2 * torch.rand(len(images), generator=generator) - 1 for _ in range(4)]
    shift = 2 * torch.stack(draw[2:], dim=1)
    changed = affine(images, 10 * draw[0], 1 + 0.1 * draw[1], shift)
    return (255 * changed).round().clamp(0, 255).byte()


def split(seed: int, by_picture: bool) -> Scores:
    generator = torch.Generator().manual_seed(seed)
    images, labels = some(seed, 500)
    images, labels = copies(images, 5, generator), labels.repeat_interleave(5)
    picture = torch.arange(500).repeat_interleave(5)
    held = torch.randperm(500, generator=generator)[:100]
    held_back = torch.isin(picture, held)
    if not by_picture:  # the same number of copies, whichever picture they come from
        held_back = held_back[torch.randperm(len(held_back), generator=generator)]
    model = seeded_cnn(seed)
    learn(model, seed, images[~held_back], labels[~held_back])
    return scores(model, (images[held_back], labels[held_back]))


def with_noise(labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Replace 15 % of the labels by another class; returns them and which are wrong."""
    wrong = torch.rand(len(labels), generator=generator) < 0.15
    other = (labels + torch.randint(1, 10, labels.shape, generator=generator)) % 10
    return torch.where(wrong, other, labels), wrong


def unseen_logits(seed: int, images: Tensor, labels: Tensor, folds: int = 4) -> Tensor:
    """Logits for each picture from a network that was trained without it, for five epochs."""
    fold = torch.arange(len(images)) % folds
    logits = torch.empty(len(images), 10)
    for k in range(folds):
        model = seeded_cnn(seed)
        seen = fold != k
        learn(model, seed, images[seen], labels[seen], steps=5 * int(seen.sum()) // BATCH_SIZE)
        logits[~seen] = predict(model, images[~seen])
    return logits


def noise(seed: int, remedy: str) -> Scores:
    images, clean = some(seed, 1_000)
    labels, wrong = with_noise(clean, torch.Generator().manual_seed(seed))
    if remedy == "no wrong labels":
        labels = clean
    elif remedy == "wrong ones known and dropped":
        images, labels = images[~wrong], labels[~wrong]
    elif remedy != "nothing done":
        logits = unseen_logits(seed, images, labels)
        loss = cross_entropy(logits, labels, reduction="none")
        suspects = torch.zeros(len(labels), dtype=torch.bool)
        suspects[loss.topk(int(wrong.sum())).indices] = True
        if remedy == "suspects dropped":
            images, labels = images[~suspects], labels[~suspects]
        else:
            labels = torch.where(suspects, logits.argmax(dim=1), labels)
    model = seeded_cnn(seed)
    learn(model, seed, images, labels)
    return scores(model)


def augmented(*changes: nn.Module) -> Callable[[int], Scores]:
    return lambda seed: augmentation(seed, *changes)


CHEAP = "scaling: standardised, rate 0.1"
ROWS = {
    "scaling: 0…255, rate 0.1": partial(scaling, lr=0.1, scale=bytes_as_they_are),
    "scaling: 0…1, rate 0.1": partial(scaling, lr=0.1, scale=unit),
    CHEAP: partial(scaling, lr=0.1, scale=standardised),
    "scaling: 0…255, own rate 0.003": partial(scaling, lr=3e-3, scale=bytes_as_they_are),
    "scaling: 0…1, own rate 0.3": partial(scaling, lr=0.3, scale=unit),
    "scaling: standardised, own rate 0.3": partial(scaling, lr=0.3, scale=standardised),
    "augmentation: none": augmented(),
    "augmentation: mirrored": augmented(RandomHorizontalFlip(p=0.5)),
    "augmentation: moved by up to 1 pixel": augmented(
        RandomAffine(0, translate=(PIXEL, PIXEL), p=1)
    ),
    "augmentation: moved by up to 3 pixels": augmented(
        RandomAffine(0, translate=(3 * PIXEL, 3 * PIXEL), p=1)
    ),
    "augmentation: turned by up to 10°": augmented(RandomAffine(10, p=1)),
    "augmentation: brightness and contrast": augmented(
        RandomContrast((0.7, 1.3), p=1), RandomBrightness((0.8, 1.2), p=1)
    ),
    "augmentation: noise": augmented(RandomGaussianNoise(0, 0.1, p=1)),
    "augmentation: a rectangle erased": augmented(RandomErasing((0.02, 0.2), p=0.5)),
    "augmentation: mirrored, moved by 1, erased": augmented(
        RandomHorizontalFlip(p=0.5),
        RandomAffine(0, translate=(PIXEL, PIXEL), p=1),
        RandomErasing((0.02, 0.2), p=0.5),
    ),
    "augmentation: upside down": augmented(RandomVerticalFlip(p=0.5)),
    "augmentation: turned by any angle": augmented(RandomAffine(180, p=1)),
    "split: copies shared out at random": partial(split, by_picture=False),
    "split: copies of a picture kept together": partial(split, by_picture=True),
    **{
        f"noise: {remedy}": partial(noise, remedy=remedy)
        for remedy in (
            "no wrong labels",
            "nothing done",
            "suspects dropped",
            "suspects relabelled",
            "wrong ones known and dropped",
        )
    },
}
SEEDS = range(5)

if __name__ == "__main__":
    main(__spec__.name, ROWS, SEEDS, CHEAP)
