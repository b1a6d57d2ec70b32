"""The article's program on the embedded Fashion-MNIST: what its silent choices do, one at a time.

Keras's defaults written out in PyTorch, and each of them replaced by PyTorch's own.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.common import main
from helpers.data import fashion_mnist
from helpers.evaluation import accuracy, predict
from helpers.models.cnn import ArticleCNN
from helpers.training import fit

EPOCHS = 5  # the article's


class Bytes(nn.Module):
    """Give a network pixels in 0…255: the article does not say that they are scaled."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network(255 * images)


def network(seed: int, glorot: bool) -> ArticleCNN:
    """Weights as Keras draws them (Glorot's uniform, zero biases), or as PyTorch does."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # layers draw their first weights from the global generator
        model = ArticleCNN()
        if glorot:
            for layer in model.children():
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
    return model


def softmax_twice(outputs: Tensor, labels: Tensor) -> Tensor:
    """The article's softmax layer kept, in front of a loss that applies a softmax of its own."""
    return cross_entropy(outputs.softmax(dim=1), labels)


def port(seed: int, *, glorot=True, eps=1e-7, batch_size=32, loss_fn=cross_entropy, raw=False):
    """The article's five epochs of Adam at 1e-3; each argument is one of Keras's defaults."""
    torch.set_num_threads(1)
    data, model = fashion_mnist(), network(seed, glorot)
    model = Bytes(model) if raw else model
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=eps)
    generator = torch.Generator().manual_seed(seed)
    settings = {"batch_size": batch_size, "loss_fn": loss_fn, "generator": generator}
    fit(model, *data[:2], epochs=EPOCHS, optimizer=optimizer, **settings, quiet=True)
    return scores(model)


def scores(model: nn.Module) -> dict[str, float]:
    """Accuracy on both parts that were not trained on, and the losses."""
    data = fashion_mnist()
    validation, training = predict(model, data.validation_images), predict(model, data.train_images)
    return {
        "test_accuracy": accuracy(predict(model, data.test_images), data.test_labels),
        "validation_accuracy": accuracy(validation, data.validation_labels),
        "validation_loss": cross_entropy(validation, data.validation_labels).item(),
        "training_loss": cross_entropy(training, data.train_labels).item(),
    }


CHEAP = "batches of 128 instead of 32"
ROWS = {
    "Keras's choices, written out": port,
    "PyTorch's first weights": partial(port, glorot=False),
    "PyTorch's ε of Adam, 1e-8": partial(port, eps=1e-8),
    CHEAP: partial(port, batch_size=128),
    "pixels left in 0…255": partial(port, raw=True),
    "softmax kept, and a loss for logits": partial(port, loss_fn=softmax_twice),
}
SEEDS = range(5)

if __name__ == "__main__":
    main(__spec__.name, ROWS, SEEDS, CHEAP)
