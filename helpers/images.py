"""Pictures: from the bytes of a file to a tensor, and the changes that augmentation makes to them.

- `read_image` never guesses: what it cannot turn into 8-bit grey or colour without a decision (on a
  background, on an ink, on which of several pictures) it refuses, and says what to do.
- The changes work on a whole batch (batch, channels, height, width) of floats in 0…1, with
  parameters of their own for each picture. `affine` asks for each output pixel where it comes from.
"""

import io
import itertools
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor, nn

# How a file of each format begins.
SIGNATURES = {"PNG": b"\x89PNG\r\n\x1a\n", "JPEG": b"\xff\xd8\xff"}


def read_image(source: bytes | str | Path) -> Tensor:
    """Decode a PNG or JPEG file, given as bytes or as a path. Built in chapter 04.

    Returns uint8 `(channels, height, width)`, 3 channels for colour and 1 for grey, the way up that
    a camera noted in the file. Palettes and black-and-white are written out; an alpha channel that
    is opaque everywhere is dropped.

    >>> read_image(Path("cat.png")).shape
    torch.Size([3, 300, 451])

    Raises:
        ValueError: no PNG or JPEG; cut short or damaged (a JPEG has no check sum, so damage inside
            it may pass); more than one picture; 16 bits a channel; transparent; CMYK; more pixels
            than Pillow's limit against decompression bombs. The message names the file.
        OSError: the file cannot be opened.
    """
    in_memory = isinstance(source, bytes)
    content = source if in_memory else Path(source).read_bytes()
    name = f"These {len(content):,} bytes" if in_memory else str(source)
    if not content.startswith(tuple(SIGNATURES.values())):
        start = content[:8].hex(" ") or "nothing"
        raise ValueError(f"{name}: neither PNG nor JPEG, it begins with {start}.")
    try:
        with warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning):
            # Compares the check sums of a PNG, after which the object is of no more use.
            Image.open(io.BytesIO(content)).verify()
            image = Image.open(io.BytesIO(content))
            refuse_doubtful(image, content)
            image = ImageOps.exif_transpose(image)  # decodes, and turns
    except UnidentifiedImageError:
        raise ValueError(f"{name}: damaged before the first pixel.") from None
    except Exception as error:  # Pillow raises a dozen types, SyntaxError among them
        raise ValueError(f"{name}: {str(error).rstrip('.')}.") from error
    pixels = np.array(image.convert("L" if image.mode in ("1", "L", "LA") else "RGB"))
    return torch.from_numpy(np.atleast_3d(pixels)).permute(2, 0, 1).contiguous()


def refuse_doubtful(image: Image.Image, content: bytes) -> None:
    """Raise ValueError where 8-bit colours are a matter of choice. Built in chapter 04.

    >>> refuse_doubtful(Image.new("CMYK", (8, 8)), b"")
    Traceback (most recent call last):
    ValueError: its pixels are CMYK; convert them to RGB with the right colour profile first
    """
    if getattr(image, "n_frames", 1) > 1:
        raise ValueError(f"it holds {image.n_frames} pictures; save the one that you mean")
    # Byte 24 of a PNG is its bit depth. Pillow would drop half of 16 bits without a word.
    if content.startswith(SIGNATURES["PNG"]) and content[24] == 16:
        raise ValueError("16 bits a channel; scale them to 8 bits first")
    if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA"):
        raise ValueError(
            f"its pixels are {image.mode}; convert them to RGB with the right colour profile first"
        )
    if image.has_transparency_data and image.convert("RGBA").getextrema()[3][0] < 255:
        raise ValueError("it is transparent in places; put it on a background of your choice first")


def flip(images: Tensor, chosen: Tensor) -> Tensor:
    """Mirror the chosen pictures left to right. Built in chapter 04.

    images (batch, channels, height, width), chosen (batch,) bool -> the shape of images.

    >>> flip(torch.tensor([[[[0.0, 1.0]]]]), torch.tensor([True]))
    tensor([[[[1., 0.]]]])
    """
    return torch.where(chosen[:, None, None, None], images.flip(3), images)


def bilinear(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Values between pixels, from the four around each place; black outside. Built in chapter 04.

    images (batch, channels, height, width); x and y, columns and rows counted from the centre of
    the first pixel, (batch, rows, columns) -> (batch, channels, rows, columns).

    >>> bilinear(torch.tensor([[[[0.0, 1.0]]]]), torch.full((1, 1, 1), 0.25), torch.zeros(1, 1, 1))
    tensor([[[[0.2500]]]])
    """
    height, width = images.shape[2:]
    which = torch.arange(len(images), device=images.device)[:, None, None]
    total = 0
    for right, down in itertools.product((0, 1), (0, 1)):
        column, row = x.floor() + right, y.floor() + down
        weight = (1 - (x - column).abs()) * (1 - (y - row).abs())
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        column = column.clamp(0, width - 1).long()
        row = row.clamp(0, height - 1).long()
        pixel = images[which, :, row, column]  # (batch, rows, columns, channels)
        total = total + (weight * inside)[..., None] * pixel
    return total.permute(0, 3, 1, 2)


def affine(images: Tensor, angle: Tensor, zoom: Tensor, shift: Tensor) -> Tensor:
    """Turn and zoom about the centre, then shift; black comes in. Built in chapter 04.

    images (batch, channels, height, width); angle (batch,) in degrees, positive against the clock;
    zoom (batch,), above 1 enlarges; shift (batch, 2), pixels to the right and down.

    >>> affine(torch.rand(5, 1, 28, 28), torch.zeros(5), torch.ones(5), torch.ones(5, 2)).shape
    torch.Size([5, 1, 28, 28])
    """
    height, width = images.shape[2:]
    centre = images.new_tensor([(width - 1) / 2, (height - 1) / 2])
    rows, columns = torch.arange(height), torch.arange(width)
    places = torch.cartesian_prod(rows, columns).flip(1)  # (height * width, 2)
    offset = places.to(images) - centre - shift[:, None]  # from where the centre goes
    turn = angle.deg2rad()
    cos, sin = turn.cos() / zoom, turn.sin() / zoom
    # The inverse: (batch, 2, 2), from an output offset to the offset that it comes from.
    back = torch.stack([cos, -sin, sin, cos], dim=1).view(-1, 2, 2)
    source = offset @ back.mT + centre  # (batch, height * width, 2)
    x, y = source.unflatten(1, (height, width)).unbind(dim=3)
    return bilinear(images, x, y)


def adjust(images: Tensor, contrast: Tensor, brightness: Tensor) -> Tensor:
    """Stretch about the mean of each picture, add, and cut to 0…1. Built in chapter 04.

    images (batch, channels, height, width) in 0…1; contrast (batch,), 1 changes nothing; brightness
    (batch,), 0 changes nothing.

    >>> adjust(torch.tensor([[[[0.2, 0.6]]]]), torch.tensor([2.0]), torch.tensor([0.1]))
    tensor([[[[0.1000, 0.9000]]]])
    """
    contrast, brightness = (v[:, None, None, None] for v in (contrast, brightness))
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return ((images - mean) * contrast + mean + brightness).clamp(0, 1)


def add_noise(images: Tensor, sd: float, generator: torch.Generator) -> Tensor:
    """Add normal noise of standard deviation sd to each value, and cut to 0…1. Built in chapter 04.

    >>> add_noise(torch.zeros(1, 1, 2, 2), 0.1, torch.Generator().manual_seed(0)).shape
    torch.Size([1, 1, 2, 2])
    """
    noise = torch.randn(images.shape, generator=generator, dtype=images.dtype)
    return (images + sd * noise).clamp(0, 1)


def erase(images: Tensor, corner: Tensor, size: Tensor) -> Tensor:
    """Black out one rectangle of each picture. Built in chapter 04.

    images (batch, channels, height, width); corner (batch, 2), its first row and column; size
    (batch, 2), rows and columns. What reaches beyond the picture is cut off.

    >>> erase(torch.ones(1, 1, 1, 3), torch.tensor([[0, 1]]), torch.tensor([[1, 1]]))
    tensor([[[[1., 0., 1.]]]])
    """
    masks = []
    for axis in (0, 1):
        place = torch.arange(images.shape[2 + axis], device=images.device)
        first, count = corner[:, axis, None], size[:, axis, None]
        masks.append((first <= place) & (place < first + count))  # (batch, length)
    covered = masks[0][:, None, :, None] & masks[1][:, None, None, :]
    return images.masked_fill(covered, 0)


class Augmented(nn.Module):
    """A model that sees changed pictures while it is trained, and only then. Built in chapter 04.

    `augment` maps a batch of pictures to a batch of pictures; the model gets what comes out. In
    evaluation mode the pictures pass as they are.

    >>> Augmented(lambda images: 1 - images, nn.Flatten()).eval()(torch.zeros(1, 1, 1, 2))
    tensor([[0., 0.]])
    """

    def __init__(self, augment: Callable[[Tensor], Tensor], model: nn.Module):
        super().__init__()
        self.augment, self.model = augment, model

    def forward(self, images: Tensor) -> Tensor:
        return self.model(self.augment(images) if self.training else images)
