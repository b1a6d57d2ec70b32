"""Convolutional networks.

`ArticleCNN` has the article's layers, but ends in logits: the softmax belongs to the loss, where
`cross_entropy` computes it together with the logarithm and stays finite for large logits.
"""

from torch import Tensor, nn


class ArticleCNN(nn.Module):
    """Classify 28×28 grey images: the article's network, 693,962 parameters. Built in chapter 03.

    Takes float images `(batch, 1, 28, 28)` with values in 0…1; returns logits `(batch, 10)`.

    >>> ArticleCNN()(torch.rand(5, 1, 28, 28)).shape
    torch.Size([5, 10])

    Raises:
        ValueError: the images have another shape.

    Source: the article, section 5. Its last layer is a softmax; ours are logits (see the module).
    """

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(1, 32, kernel_size=3)
        self.hidden = nn.Linear(32 * 13 * 13, 128)
        self.output = nn.Linear(128, 10)

    def forward(self, images: Tensor) -> Tensor:
        if images.shape[1:] != (1, 28, 28):
            came = tuple(images.shape)
            raise ValueError(f"ArticleCNN expects images of shape (batch, 1, 28, 28), not {came}.")
        maps = self.convolution(images).relu()  # (batch, 1, 28, 28) -> (batch, 32, 26, 26)
        maps = nn.functional.max_pool2d(maps, 2)  # -> (batch, 32, 13, 13)
        features = maps.flatten(start_dim=1)  # -> (batch, 5408)
        return self.output(self.hidden(features).relu())  # -> (batch, 128) -> (batch, 10)
