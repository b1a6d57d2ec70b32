"""The models have the sizes and shapes that the book says, and refuse other shapes.

python -m pytest tests/test_models.py
"""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from helpers.models.cnn import ArticleCNN


def as_in_the_article(network: ArticleCNN) -> nn.Sequential:
    """The article's list of layers without its softmax, with the weights of ours."""
    return nn.Sequential(
        network.convolution,
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        network.hidden,
        nn.ReLU(),
        network.output,
    )


def test_article_cnn_has_the_article_s_number_of_parameters():
    sizes = [p.numel() for p in ArticleCNN().parameters()]
    assert sizes == [32 * 9, 32, 5408 * 128, 128, 128 * 10, 10]
    assert sum(sizes) == 693_962


def test_article_cnn_computes_the_article_s_layers_in_float64():
    """Random biases too: with zero biases a lost one would not show."""
    network = ArticleCNN().double()
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3, generator=generator)
    images = torch.rand(3, 1, 28, 28, generator=generator, dtype=torch.float64)
    assert_close(network(images), as_in_the_article(network)(images), atol=1e-10, rtol=0)


def test_article_cnn_returns_logits_and_not_probabilities():
    network = ArticleCNN()
    nn.init.constant_(network.output.bias, 3.0)
    logits = network(torch.rand(4, 1, 28, 28))
    assert logits.shape == (4, 10)
    assert (logits.sum(dim=1) - 1).abs().min() > 1


@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 28), (2, 3, 28, 28), (2, 1, 32, 32), (2, 784)])
def test_article_cnn_refuses_other_shapes_and_names_them(shape):
    with pytest.raises(ValueError, match=r"expects images of shape \(batch, 1, 28, 28\), not"):
        ArticleCNN()(torch.rand(shape))
