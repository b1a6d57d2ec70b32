"""The article's program on the embedded Fashion-MNIST: what its silent choices do, one at a time.

- port: Keras's defaults written out in PyTorch, and each of them replaced by PyTorch's own.
- twice: the second `fit` that the article calls fine-tuning, with and without the optimiser's
  state, against one schedule over the same number of epochs.
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


def twice(seed: int, *, parts: int, keep_state: bool = False, one_cycle: bool = False):
    """Ten epochs in one or two calls of `fit`; the weights are always kept.

    A new optimiser, or a new cycle, starts with each call unless `keep_state` says otherwise.
    """
    torch.set_num_threads(1)
    data, model = fashion_mnist(), network(seed, glorot=True)
    generator = torch.Generator().manual_seed(seed)
    optimizer = None
    for _ in range(parts):
        if not (keep_state and optimizer):
            optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7)
        # The peak with the lowest validation loss of 1, 2 and 4 thousandths, with seed 10.
        recipe = {"max_lr": 2e-3} if one_cycle else {"optimizer": optimizer}
        settings = {"batch_size": 32, "generator": generator, "quiet": True}
        fit(model, *data[:2], epochs=2 * EPOCHS // parts, **recipe, **settings)
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


CHEAP = "port: batches of 128 instead of 32"
ROWS = {
    "port: Keras's choices, written out": port,
    "port: PyTorch's first weights": partial(port, glorot=False),
    "port: PyTorch's ε of Adam, 1e-8": partial(port, eps=1e-8),
    CHEAP: partial(port, batch_size=128),
    "port: pixels left in 0…255": partial(port, raw=True),
    "port: softmax kept, and a loss for logits": partial(port, loss_fn=softmax_twice),
    "twice: 10 epochs in one call": partial(twice, parts=1),
    "twice: 5 and 5, the optimiser kept": partial(twice, parts=2, keep_state=True),
    "twice: 5 and 5, a new optimiser": partial(twice, parts=2),
    "twice: one cycle of 5, and another": partial(twice, parts=2, one_cycle=True),
    "twice: one cycle over all 10": partial(twice, parts=1, one_cycle=True),
}
SEEDS = range(5)

if __name__ == "__main__":
    main(__spec__.name, ROWS, SEEDS, CHEAP)
