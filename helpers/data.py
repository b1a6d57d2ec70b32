"""One function per data set: photographs and Fashion-MNIST, as tensors.

Nothing is scaled here: a pixel is a uint8 from 0 to 255, as a file holds it.
"""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from helpers.assets import embedded, fetch

PHOTOS = {
    "astronaut": "astronaut.jpg",
    "brick": "brick.png",
    "camera": "camera.png",
    "cat": "cat.png",
    "china": "china.jpg",
    "coffee": "coffee.jpg",
    "flower": "flower.jpg",
    "grass": "grass.png",
}

# A label is a position in this tuple; order and spelling are the data set's own.
FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


class FashionMNIST(NamedTuple):
    """Images (n, 1, 28, 28) uint8 and labels (n,) int64 of three disjoint parts."""

    train_images: torch.Tensor
    train_labels: torch.Tensor
    validation_images: torch.Tensor
    validation_labels: torch.Tensor
    test_images: torch.Tensor
    test_labels: torch.Tensor


def photo_names() -> tuple[str, ...]:
    """The names that `photo` knows, in alphabetical order."""
    return tuple(sorted(PHOTOS))


def photo(name: str) -> torch.Tensor:
    """One embedded photograph, (channels, height, width) uint8, with 3 channels or 1 if grey.

    >>> photo("cat").shape
    torch.Size([3, 300, 451])

    Raises:
        ValueError: there is no photograph of that name.
        AssetError: the file is missing or damaged.

    `helpers/files/README.md` says who took each and under which licence.
    """
    from PIL import Image

    if name not in PHOTOS:
        raise ValueError(f"No photo is called {name!r}; there are {', '.join(photo_names())}.")
    with Image.open(embedded(f"photos/{PHOTOS[name]}")) as image:
        pixels = np.array(image)  # (height, width, 3), or (height, width) if grey
    return torch.from_numpy(np.atleast_3d(pixels)).permute(2, 0, 1).contiguous()


def fashion_mnist(full: bool = False) -> FashionMNIST:
    """Fashion-MNIST: pictures of clothes in the ten classes of `FASHION_CLASSES`.

    The embedded part holds 10,000 training, 2,500 validation and 2,500 test images. Each class has
    its tenth of each part, and of each ten images that follow one another. Training and
    validation images are cut at random from the original training file, test images from the
    original test file.

    With `full=True`, all 70,000 are fetched once (31 MB): 55,000, 5,000 and 10,000. There the last
    5,000 images of the training file are the validation part. They score about 0.8 percentage
    points above the test file: use them to choose, and never to report.

    >>> fashion_mnist().train_images.shape
    torch.Size([10000, 1, 28, 28])

    Raises:
        AssetError: a file is missing, damaged or cannot be fetched.

    Source: Xiao, Rasul and Vollgraf, "Fashion-MNIST" (2017), arXiv:1708.07747.
    """
    if full:
        return _full_fashion_mnist()
    with np.load(embedded("fashion_mnist.npz"), allow_pickle=False) as file:
        return FashionMNIST(
            *_tensors(file["train_images"], file["train_labels"]),
            *_tensors(file["validation_images"], file["validation_labels"]),
            *_tensors(file["test_images"], file["test_labels"]),
        )


def _full_fashion_mnist() -> FashionMNIST:
    images, labels = _tensors(
        read_idx(fetch("train-images-idx3-ubyte"), dimensions=3),
        read_idx(fetch("train-labels-idx1-ubyte"), dimensions=1),
    )
    test_images, test_labels = _tensors(
        read_idx(fetch("t10k-images-idx3-ubyte"), dimensions=3),
        read_idx(fetch("t10k-labels-idx1-ubyte"), dimensions=1),
    )
    cut = len(images) - 5_000
    return FashionMNIST(
        *(images[:cut], labels[:cut]),
        *(images[cut:], labels[cut:]),
        *(test_images, test_labels),
    )


def _tensors(images: np.ndarray, labels: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """(n, 28, 28) -> (n, 1, 28, 28) uint8, and (n,) -> (n,) int64."""
    return torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels.astype(np.int64))


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """The uint8 array in an IDX file, the format of MNIST and Fashion-MNIST.

    A file holds two zero bytes, 8 for "unsigned bytes", the number of dimensions, each dimension
    as a big-endian 32-bit integer, and the values.

    >>> read_idx(fetch("t10k-labels-idx1-ubyte"), dimensions=1).shape
    (10000,)

    Raises:
        ValueError: the file begins with another magic number or has another length than it says.

    Source: LeCun, Cortes and Burges, "The MNIST database", section "File formats".
    """
    content = np.fromfile(path, dtype=np.uint8)
    magic, header = bytes([0, 0, 8, dimensions]), 4 + 4 * dimensions
    if bytes(content[:4]) != magic:
        raise ValueError(
            f"{path.name} should begin with the magic number {magic.hex()} of an IDX file with "
            f"{dimensions} dimensions, but it begins with {bytes(content[:4]).hex() or 'nothing'}."
        )
    shape = [int.from_bytes(bytes(content[i : i + 4])) for i in range(4, header, 4)]
    if len(content) != header + math.prod(shape):
        raise ValueError(
            f"{path.name} should have {header + math.prod(shape):,} bytes for the shape "
            f"{tuple(shape)} in its header, but it has {len(content):,}."
        )
    return content[header:].reshape(shape)
