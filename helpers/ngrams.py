"""Counting instead of training: how often did each token follow this context in the text?

Markov counted vowels and consonants in 1913, Shannon letter pairs and triples in 1948; smoothing as
in Chen and Goodman 1999. A count model of a million characters is made in a second.
"""

from collections import deque
from collections.abc import Iterator
from operator import index
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Level(NamedTuple):
    """What followed the contexts of one length: context i owns `starts[i]` to `starts[i + 1]`."""

    keys: Tensor  # (contexts,) sorted: oldest token × contexts one shorter + index of the rest
    starts: Tensor  # (contexts + 1,) places in the two below
    tokens: Tensor  # (n-grams,) tokens seen after a context
    shares: Tensor  # (n-grams,) what each keeps of its context's probability
    backoff: Tensor  # (contexts,) what is left for the context that is one token shorter


def discounts(counts: Tensor) -> Tensor:
    """What is taken from counts of 1, 2, and 3 or more; float64 (3,).

    A token seen once was lucky: in a second text as long, such tokens come less than once each.
    How much less follows from how many n-grams were seen once, twice, three and four times.

    >>> discounts(torch.tensor([1, 1, 1, 1, 2, 2, 3, 4]))
    tensor([0.5000, 1.2500, 1.0000], dtype=torch.float64)

    Source: Chen and Goodman 1999, "An empirical study of smoothing techniques for language
    modeling", equation 17. Where a text is too short for it, held between 0.1 and count - 0.1.
    """
    n = counts.clamp(max=5).bincount(minlength=6).clamp(min=1).double()
    count = torch.arange(1, 4)
    wanted = count - (count + 1) * n[1] / (n[1] + 2 * n[2]) * n[2:5] / n[1:4]
    return wanted.clamp(torch.full((3,), 0.1), count - 0.1)


def longer(ids: Tensor, length: int, contexts: Tensor, n_contexts: int) -> Tensor:
    """Keys of the contexts of `length` tokens that end at each place; -1 where none can be.

    `ids` and `contexts`, the index of the context one token shorter or -1, are (batch, time).
    """
    older = F.pad(ids, (length - 1, 0), value=-1)[:, : ids.shape[1]]
    return torch.where((older >= 0) & (contexts >= 0), older * n_contexts + contexts, -1)


def find(keys: Tensor, wanted: Tensor) -> Tensor:
    """Place of each wanted key among the sorted keys, or -1."""
    if len(keys) == 0:
        return torch.full_like(wanted, -1)
    at = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
    return torch.where(keys[at] == wanted, at, -1)


def ngrams(contexts: Tensor, tokens: Tensor, vocab_size: int) -> Tensor:
    """One number for each token and the context before it, where there is one."""
    return (contexts * vocab_size + tokens)[contexts >= 0]


def make_level(keys: Tensor, grams: Tensor, vocab_size: int) -> Level:
    """Count the n-grams of one length, and discount the counts."""
    grams, counts = grams.unique(return_counts=True)
    context, token = grams // vocab_size, grams % vocab_size
    taken = discounts(counts)[counts.clamp(max=3) - 1]
    total = context.bincount(counts.double(), minlength=len(keys))
    left = context.bincount(taken, minlength=len(keys))
    # Only the very first contexts of a text follow no token: their total can be 0.
    backoff = torch.where(total > 0, left / total, 1.0)
    starts = F.pad(context.bincount(minlength=len(keys)).cumsum(0), (1, 0))
    return Level(keys, starts, token, ((counts - taken) / total[context]).float(), backoff.float())


def count_levels(ids: Tensor, vocab_size: int, order: int) -> list[Level]:
    """What follows each context of 0 to order - 1 tokens in ids `(time,)`."""
    keys, contexts = torch.zeros(1, dtype=torch.int64), torch.zeros_like(ids[None, :-1])
    levels = []
    for length in range(1, order):
        wanted = longer(ids[None, :-1], length, contexts, len(keys))
        shorter, keys = keys, wanted[wanted >= 0].unique()
        contexts = find(keys, wanted)
        once = ngrams(contexts[0], ids[1:], vocab_size).unique()
        # Cut off the oldest token: an n-gram then comes once for each token before it.
        cut = ngrams(keys[once // vocab_size] % len(shorter), once % vocab_size, vocab_size)
        levels.append(make_level(shorter, cut, vocab_size))
    return [*levels, make_level(keys, ngrams(contexts[0], ids[1:], vocab_size), vocab_size)]


def refine(p: Tensor, level: Level, contexts: Tensor) -> None:
    """Take probabilities `(places, vocab)` one order further, in place, where the context is known.

    `contexts` (places,) are indices into the level, or -1.
    """
    rows = (contexts >= 0).nonzero().flatten()
    known = contexts[rows]
    p[rows] *= level.backoff[known, None]
    n = level.starts[known + 1] - level.starts[known]  # so many tokens were seen after it
    first = level.starts[known] - (n.cumsum(0) - n)
    at = first.repeat_interleave(n) + torch.arange(int(n.sum()))
    p[rows.repeat_interleave(n), level.tokens[at]] += level.shares[at]


def check_tokens(ids: Tensor, vocab_size: int, shape: tuple[str, ...]) -> None:
    """Raise where ids are not of this vocabulary, or not of a shape such as (batch, time)."""
    if ids.dtype != torch.int64:
        raise TypeError(f"Expected ids of dtype int64, not {ids.dtype}.")
    if ids.ndim != len(shape) or ids.numel() == 0:
        wanted = ", ".join(shape)
        raise ValueError(f"Expected ids ({wanted}), not empty, but got {tuple(ids.shape)}.")
    if ids.min() < 0 or ids.max() >= vocab_size:
        raise ValueError(f"Ids go from 0 to {vocab_size - 1}, not {ids.min()} to {ids.max()}.")


class CountModel:
    """Interpolated n-grams with modified Kneser-Ney smoothing.

    `order` counts the token that is predicted: 7 looks at the last 6 tokens. All are ids, int64.

    >>> model = CountModel(torch.tensor([0, 1, 0, 1, 0, 2]), vocab_size=3, order=2)
    >>> model.log_probabilities(torch.tensor([[0, 1]])).shape
    torch.Size([1, 2, 3])

    Raises:
        TypeError: `order` or `vocab_size` is no whole number, or `ids` are not int64.
        ValueError: `order` is less than 1, `ids` are fewer than 2, or not from 0 to vocab_size - 1.

    Source: Chen and Goodman 1999, section 3; Kneser and Ney 1995. Shorter contexts count how many
    different tokens stood before an n-gram, not how often it came.
    """

    def __init__(self, ids: Tensor, vocab_size: int, order: int = 7):
        if index(order) < 1:
            raise ValueError(f"The order is at least 1, which looks at no token, not {order}.")
        check_tokens(ids, index(vocab_size), ("time",))
        if len(ids) < 2:
            raise ValueError("One token says nothing about what follows: give 2 or more.")
        self.vocab_size, self.order = vocab_size, order
        self.levels = count_levels(ids, vocab_size, order)

    def __len__(self) -> int:
        """The number of n-grams that are stored, of all orders together."""
        return sum(len(level.tokens) for level in self.levels)

    def orders(self, ids: Tensor) -> Iterator[Tensor]:
        """Probabilities `(batch × time, vocab)` by order 1, then by 1 and 2, and so on.

        It is the same tensor each time, one order further: copy what you want to keep.
        """
        check_tokens(ids, self.vocab_size, ("batch", "time"))
        p = torch.full((ids.numel(), self.vocab_size), 1 / self.vocab_size)
        contexts = torch.zeros_like(ids)
        for length, level in enumerate(self.levels):
            if length > 0:
                wanted = longer(ids, length, contexts, len(self.levels[length - 1].keys))
                contexts = find(level.keys, wanted)
            refine(p, level, contexts.flatten())
            yield p

    def log_probabilities(self, ids: Tensor) -> Tensor:
        """Of each next token, given the tokens up to it: (batch, time) -> (batch, time, vocab).

        Each row is a text of its own: nothing before its first token is known.

        Raises:
            TypeError, ValueError: ids of another type, shape or vocabulary.
        """
        return deque(self.orders(ids), maxlen=1)[0].log().view(*ids.shape, self.vocab_size)

    def by_order(self, ids: Tensor) -> Tensor:
        """The same for each order from 1 on: (batch, time) -> (batch, time, order, vocab)."""
        every = torch.stack([p.log() for p in self.orders(ids)], 1)
        return every.view(*ids.shape, self.order, self.vocab_size)
