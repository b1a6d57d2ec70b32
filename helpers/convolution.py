"""The two-dimensional convolution, built three ways: loops, one matrix product, Fourier transform.

All three take what `torch.nn.functional.conv2d` takes, with one number for both axes where that
function also accepts a pair, and give what it gives. They are for reading and measuring.
"""

import itertools

import torch
from torch import Tensor
from torch.nn import functional as F


def conv2d_loops(
    images: Tensor,
    weight: Tensor,
    bias: Tensor,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> Tensor:
    """One weighted sum for each image, output channel, row and column. Built in chapter 03.

    images (batch, in_channels, height, width), weight (out_channels, in_channels / groups, k, k),
    bias (out_channels,) -> (batch, out_channels, rows, columns). The kernel need not be square.

    >>> conv2d_loops(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3), torch.zeros(1)).item()
    9.0
    """
    images = F.pad(images, (padding,) * 4)
    out_channels, channels, *kernel = weight.shape  # channels: those of one group
    high, wide = (dilation * (k - 1) + 1 for k in kernel)  # pixels that the kernel covers
    rows = (images.shape[2] - high) // stride + 1
    columns = (images.shape[3] - wide) // stride + 1
    output = images.new_empty(len(images), out_channels, rows, columns)
    for n, o, r, c in itertools.product(*map(range, output.shape)):
        first = o // (out_channels // groups) * channels
        top, left = r * stride, c * stride
        patch = images[
            n,
            first : first + channels,
            top : top + high : dilation,
            left : left + wide : dilation,
        ]
        output[n, o, r, c] = (weight[o] * patch).sum() + bias[o]
    return output


def conv2d_unfold(
    images: Tensor,
    weight: Tensor,
    bias: Tensor,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> Tensor:
    """Every patch a column, then one matrix product per group. Built in chapter 03.

    Shapes as in `conv2d_loops`. Source: Chellapilla, Puri and Simard 2006, "High Performance
    Convolutional Neural Networks for Document Processing", section 2.
    """
    out_channels, _, *kernel = weight.shape
    covered = dilation * (kernel[0] - 1) + 1  # rows under the kernel
    rows = (images.shape[2] + 2 * padding - covered) // stride + 1
    # (batch, in_channels * k * k, rows * columns)
    patches = F.unfold(images, kernel, dilation, padding, stride)
    patches = patches.unflatten(1, (groups, -1))
    matrix = weight.reshape(groups, out_channels // groups, -1)
    sums = (matrix @ patches).flatten(1, 2)  # (batch, out_channels, rows * columns)
    return (sums + bias[:, None]).unflatten(2, (rows, -1))


def conv2d_fft(
    images: Tensor,
    weight: Tensor,
    bias: Tensor,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> Tensor:
    """A product of Fourier transforms, for all positions at once. Built in chapter 03.

    Shapes as in `conv2d_loops`. Source: Mathieu, Henaff and LeCun 2014, "Fast Training of
    Convolutional Networks through FFTs", arXiv:1312.5851, section 2.
    """
    images = F.pad(images, (padding,) * 4)
    height, width = images.shape[2:]
    out_channels, channels, *kernel = weight.shape
    high, wide = (dilation * (k - 1) + 1 for k in kernel)
    spread = weight.new_zeros(out_channels, channels, high, wide)
    spread[:, :, ::dilation, ::dilation] = weight
    x = torch.fft.rfft2(images).unflatten(1, (groups, channels))
    # The conjugate makes it a cross-correlation; without it the kernel would be flipped.
    w = torch.fft.rfft2(spread, s=(height, width)).conj().unflatten(0, (groups, -1))
    product = torch.einsum("ngihw,goihw->ngohw", x, w).flatten(1, 2)
    sums = torch.fft.irfft2(product, s=(height, width))
    # Further on the transform, which is periodic, has wrapped around the edge.
    sums = sums[:, :, : height - high + 1 : stride, : width - wide + 1 : stride]
    return sums + bias[:, None, None]
