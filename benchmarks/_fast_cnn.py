"""The article's network, computed in less time for training: same function, same weights."""

import copy
import functools

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, pad

from helpers.models.cnn import ArticleCNN

PIECE = 32  # images whose maps (86 KB each as float32) stay in a processor's cache


class Fast(nn.Module):
    """`ArticleCNN` computed in about a quarter of the time, from a copy of its weights.

    Most of the time goes into moving the maps of the convolution through memory. So they are
    bfloat16, half as long, where the processor can compute with it; in the order that pooling
    reads fastest, channels last; and made for a few images at a time. The maximum comes before the
    ReLU, which leaves it a quarter of the numbers and changes no result. With `shift`, training
    moves each image by up to so many pixels.
    """

    def __init__(self, network: ArticleCNN, shift: int = 0):
        super().__init__()
        self.shift = shift
        self.convolution, self.hidden, self.output = copy.deepcopy(network).children()
        # 5,408 columns: from the article's order (channel, pixel) to (pixel, channel).
        self.hidden.weight.data = swap(self.hidden.weight.data, 32, 169)

    def forward(self, images: Tensor) -> Tensor:
        if self.training and self.shift:
            images = shifted(images, self.shift)
        device = images.device.type
        piece = PIECE if device == "cpu" else len(images)
        with torch.autocast(device, torch.bfloat16, enabled=computes_bfloat16(device)):
            features = torch.cat([self.features(part) for part in images.split(piece)])
            return self.output(self.hidden(features.relu()).relu()).to(images.dtype)

    def features(self, images: Tensor) -> Tensor:
        """(n, 1, 28, 28) -> (n, 5408), before the ReLU."""
        # One channel first or last is the same memory; these strides ask for maps with it last.
        maps = self.convolution(images.reshape(-1, 28, 28, 1).permute(0, 3, 1, 2))
        return max_pool2d(maps, 2).permute(0, 2, 3, 1).flatten(start_dim=1)

    def article(self) -> ArticleCNN:
        """The network as the article has it, with the weights of this one."""
        network = ArticleCNN().to(self.output.weight)
        network.load_state_dict(self.state_dict())
        network.hidden.weight.data = swap(network.hidden.weight.data, 169, 32)
        return network


def swap(weight: Tensor, first: int, second: int) -> Tensor:
    """Columns in the order (first, second) -> in the order (second, first)."""
    return weight.unflatten(1, (first, second)).transpose(1, 2).flatten(start_dim=1).contiguous()


@functools.cache
def computes_bfloat16(device: str) -> bool:
    """Whether "cpu" or "cuda" multiplies bfloat16 in hardware; elsewhere it would be slower."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def shifted(images: Tensor, limit: int) -> Tensor:
    """Move each of (n, 1, 28, 28) images by up to `limit` pixels; zeros come in at the edges."""
    n, device = len(images), images.device
    pixels = torch.arange(28, device=device)
    by = torch.randint(2 * limit + 1, (2, n, 1), device=device)
    row, column = (by + pixels).unbind()  # (n, 28) each
    image = torch.arange(n, device=device)[:, None, None]
    padded = pad(images[:, 0], [limit] * 4)
    return padded[image, row[:, :, None], column[:, None, :]].unsqueeze(1)
