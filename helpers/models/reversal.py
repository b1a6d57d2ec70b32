"""A small encoder that learns to write ten digits backwards: the task that shows what order needs.

Digits are drawn at random, so nothing but their places tells what to write where.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import LambdaLR

from helpers.models.transformer import attend, join_heads, rotary_table, rotate, split_heads

N_DIGITS = 10


class EncoderBlock(nn.Module):
    """Every position looks at all; norms stand before each part, or after. Built in chapter 10.

    `(batch, time, hidden_dim)` -> the same. `table` holds the cosines and sines of `rotary_table`.

    Source: Vaswani et al. (2017), section 3.1; before or after: Xiong et al. (2020),
    arXiv:2002.04745.
    """

    def __init__(self, hidden_dim: int, n_heads: int, norm_first: bool = True):
        super().__init__()
        self.n_heads, self.norm_first = n_heads, norm_first
        self.norm_1, self.norm_2 = nn.LayerNorm(hidden_dim), nn.LayerNorm(hidden_dim)
        self.qkv = nn.Linear(hidden_dim, 3 * hidden_dim)
        self.out = nn.Linear(hidden_dim, hidden_dim)
        self.mlp = nn.Sequential(
            nn.Linear(hidden_dim, 4 * hidden_dim),
            nn.ReLU(),
            nn.Linear(4 * hidden_dim, hidden_dim),
        )

    def gather(self, x: Tensor, table: tuple[Tensor, Tensor] | None) -> Tensor:
        """What each position takes from all of them."""
        queries, keys, values = (
            split_heads(part, self.n_heads) for part in self.qkv(x).chunk(3, dim=-1)
        )
        if table is not None:
            queries, keys = rotate(queries, *table), rotate(keys, *table)
        return self.out(join_heads(attend(queries, keys, values)))

    def forward(self, x: Tensor, table: tuple[Tensor, Tensor] | None = None) -> Tensor:
        if self.norm_first:
            x = x + self.gather(self.norm_1(x), table)
            return x + self.mlp(self.norm_2(x))
        x = self.norm_1(x + self.gather(x, table))
        return self.norm_2(x + self.mlp(x))


class Reverser(nn.Module):
    """Digits `(batch, length)` -> logits `(batch, length, 10)` of the digit to write there.

    `positions` is "none", "learned", "sinusoidal" or "rotary". Built in chapter 10.
    """

    def __init__(self, positions: str, length: int, n_layers: int = 1, norm_first: bool = True):
        super().__init__()
        hidden_dim, n_heads = 32, 2
        self.digits = nn.Embedding(N_DIGITS, hidden_dim)
        self.blocks = nn.ModuleList(
            EncoderBlock(hidden_dim, n_heads, norm_first) for _ in range(n_layers)
        )
        self.head = nn.Linear(hidden_dim, N_DIGITS)
        self.table = rotary_table(length, hidden_dim // n_heads) if positions == "rotary" else None
        places = torch.zeros(length, hidden_dim)
        if positions == "learned":
            places = nn.Parameter(torch.randn(length, hidden_dim))
        elif positions == "sinusoidal":
            places = torch.cat(rotary_table(length, hidden_dim), dim=-1)
        self.places = places

    def forward(self, ids: Tensor) -> Tensor:
        x = self.digits(ids) + self.places
        for block in self.blocks:
            x = block(x, self.table)
        return self.head(x)


def teach_reversal(
    model: nn.Module, length: int, *, steps: int, lr: float, seed: int, warmup: int = 1
) -> list[float]:
    """Train on fresh random digits in every step -> the losses. Built in chapter 10.

    The rate rises for `warmup` steps, and falls to zero over the last half.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    schedule = LambdaLR(optimizer, lambda i: min(1, (i + 1) / warmup, 2 - 2 * i / steps))
    losses = []
    for _ in range(steps):
        ids = torch.randint(N_DIGITS, (32, length), generator=generator)
        loss = cross_entropy(model(ids).flatten(0, 1), ids.flip(1).flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def reversal_accuracy(model: nn.Module, length: int, seed: int = 1000) -> tuple[float, float]:
    """Share of right digits, and of wholly right rows, in 1,000 new ones. Built in chapter 10."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(N_DIGITS, (1000, length), generator=generator)
    right = model(ids).argmax(dim=-1) == ids.flip(1)  # (1000, length)
    return right.double().mean().item(), right.all(dim=1).double().mean().item()
