"""What three ways to compute a convolution count, move and take, against PyTorch's own function.

- multiply-adds: one product that is added to a sum. One of complex numbers is four of them; a
  Fourier transform of n real numbers is taken as n · log2(n) of them.
- megabytes: float32 numbers read and written, each intermediate tensor once written and once read.
  Caches can save some of it, and temporary copies add to it.
- time_ratio: time over that of `torch.nn.functional.conv2d`, timed in turn with it, on one thread.
"""

import math
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from benchmarks.common import main
from helpers.convolution import conv2d_fft, conv2d_loops, conv2d_unfold

REPEATS = 5


class Layer(NamedTuple):
    """A convolution with stride 1 and no padding, and the square images that it is given."""

    batch: int
    in_channels: int
    out_channels: int
    kernel: int
    size: int

    @property
    def out_size(self) -> int:
        return self.size - self.kernel + 1

    @property
    def images(self) -> int:
        return self.batch * self.in_channels * self.size**2

    @property
    def weights(self) -> int:
        return self.out_channels * self.in_channels * self.kernel**2

    @property
    def outputs(self) -> int:
        return self.batch * self.out_channels * self.out_size**2

    @property
    def sums(self) -> int:
        """Multiply-adds of the definition."""
        return self.outputs * self.in_channels * self.kernel**2


def count_library(layer: Layer) -> tuple[float, float]:
    """Multiply-adds, and numbers moved: every tensor once, the least that is possible."""
    return layer.sums, layer.images + layer.weights + layer.outputs


def count_loops(layer: Layer) -> tuple[float, float]:
    """Each output reads its patch and its weights, and writes and reads their products."""
    return layer.sums, 4 * layer.sums + layer.outputs


def count_unfold(layer: Layer) -> tuple[float, float]:
    """The patches are written and read; the sums as well, since the bias is added afterwards."""
    patches = layer.batch * layer.in_channels * layer.kernel**2 * layer.out_size**2
    return layer.sums, layer.images + 2 * patches + layer.weights + 3 * layer.outputs


def count_fft(layer: Layer) -> tuple[float, float]:
    """Transforms of images, kernels and products, and the products of their numbers."""
    pixels, spectrum = layer.size**2, layer.size * (layer.size // 2 + 1)  # complex numbers
    maps = layer.batch * layer.out_channels
    transforms = layer.images // pixels + layer.weights // layer.kernel**2 + maps
    operations = transforms * pixels * math.log2(pixels)
    operations += 4 * spectrum * maps * layer.in_channels
    # Each transform reads or writes its pixels, and its spectrum is written once and read once.
    moved = transforms * (pixels + 4 * spectrum) + 3 * layer.outputs
    return operations, moved


METHODS: dict[str, tuple[Callable[..., Tensor], Callable[[Layer], tuple[float, float]]]] = {
    "loops": (conv2d_loops, count_loops),
    "unfold": (conv2d_unfold, count_unfold),
    "Fourier": (conv2d_fft, count_fft),
    "PyTorch": (conv2d, count_library),
}
LAYERS = {
    "4 images 28×28, 3×3, 1 to 32 channels": Layer(4, 1, 32, 3, 28),  # the article's layer
    "4 images 26×26, 3×3, 32 to 64 channels": Layer(4, 32, 64, 3, 26),
    "1 image 128×128, 31×31, 4 to 4 channels": Layer(1, 4, 4, 31, 128),
}


def measure(method: str, layer: Layer, seed: int) -> dict[str, float]:
    """Counts and the ratio of times, for random images and weights."""
    torch.set_num_threads(1)
    function, count = METHODS[method]
    generator = torch.Generator().manual_seed(seed)
    channels = layer.in_channels
    images = torch.randn(layer.batch, channels, layer.size, layer.size, generator=generator)
    shape = (layer.out_channels, channels, layer.kernel, layer.kernel)
    weight = torch.randn(shape, generator=generator)
    bias = torch.randn(layer.out_channels, generator=generator)
    operations, moved = count(layer)
    call = partial(_seconds, images=images, weight=weight, bias=bias)
    call(function), call(conv2d)  # the first calls also set up what later ones reuse
    ratios = [call(function) / call(conv2d) for _ in range(REPEATS)]
    return {
        "multiply_adds": operations / 1e6,
        "megabytes": 4 * moved / 1e6,
        "time_ratio": statistics.median(ratios),
    }


def _seconds(function: Callable[..., Tensor], images: Tensor, weight: Tensor, bias: Tensor):
    """Seconds of one call; short ones are called ten times."""
    calls = 1 if function is conv2d_loops else 10
    start = time.perf_counter()
    for _ in range(calls):
        function(images, weight, bias)
    return (time.perf_counter() - start) / calls


ROWS = {
    f"{layer}: {method}": partial(measure, method, LAYERS[layer])
    for layer in LAYERS
    for method in METHODS
}
CHEAP = "4 images 28×28, 3×3, 1 to 32 channels: unfold"
SEEDS = range(5)

if __name__ == "__main__":
    main(__spec__.name, ROWS, SEEDS, CHEAP)
