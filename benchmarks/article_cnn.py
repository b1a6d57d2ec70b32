"""The article's network on the embedded Fashion-MNIST as chapter 03 trains it, and three variants.

Epochs and learning rate were chosen on the validation part, with seeds 10 to 12, among all settings
tried that take at most 8 seconds on one thread; the test part is only reported.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.common import main
from helpers.data import fashion_mnist
from helpers.evaluation import accuracy, predict
from helpers.models.cnn import ArticleCNN
from helpers.training import fit

SETTINGS = {"epochs": 4, "batch_size": 128, "max_lr": 8e-3}


class RawPixels(nn.Module):
    """Give a model pixels in 0…255, as if nobody had divided them by 255."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model(255 * images)


def train(
    seed: int,
    wrap: Callable[[nn.Module], nn.Module] = lambda model: model,
    shuffle_labels: bool = False,
    freeze_kernels: bool = False,
) -> dict[str, float]:
    """Train once; everything random follows from the seed."""
    torch.set_num_threads(1)
    data = fashion_mnist()
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # layers draw their first weights from the global generator
        network = ArticleCNN()
    network.convolution.requires_grad_(not freeze_kernels)
    model = wrap(network)
    labels = data.train_labels
    if shuffle_labels:
        labels = labels[torch.randperm(len(labels), generator=generator)]
    fit(model, data.train_images, labels, **SETTINGS, generator=generator)
    return {
        "test_accuracy": accuracy(predict(model, data.test_images), data.test_labels),
        "validation_accuracy": accuracy(
            predict(model, data.validation_images), data.validation_labels
        ),
    }


CHEAP = "10,000 images, 4 epochs, batch 128, one-cycle to 8e-3"
ROWS = {
    CHEAP: train,
    "the same, kernels frozen at their random start": lambda seed: train(seed, freeze_kernels=True),
    "the same, pixels left in 0…255": lambda seed: train(seed, wrap=RawPixels),
    "the same, labels shuffled": lambda seed: train(seed, shuffle_labels=True),
}
SEEDS = range(6)

if __name__ == "__main__":
    main(__spec__.name, ROWS, SEEDS, CHEAP)
