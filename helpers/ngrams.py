"""Counting instead of training: how often did each token follow this context in the text?

Markov counted vowels and consonants in 1913, Shannon letter pairs and triples in 1948; smoothing as
in Chen and Goodman 1999. A count model of a million characters is made in a second.
"""

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
    """What is taken from counts of 1, 2, and 3 or more; float64 (3,). Built in chapter 13.

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


class CountModel:
    """Interpolated n-grams with modified Kneser-Ney smoothing. Built in chapter 13.

    `order` counts the token that is predicted: 7 looks at the last 6 tokens. All are ids, int64.

    >>> model = CountModel(torch.tensor([0, 1, 0, 1, 0, 2]), vocab_size=3, order=2)
    >>> model.log_probabilities(torch.tensor([[0, 1]])).shape
    torch.Size([1, 2, 3])

    Raises:
        TypeError: `order` or `vocab_size` is no whole number.
        ValueError: `order` is less than 1, `ids` are fewer than 2, or not from 0 to vocab_size - 1.

    Source: Chen and Goodman 1999, section 3; Kneser and Ney 1995. Shorter contexts count how many
    different tokens stood before an n-gram, not how often it came.
    """

    def __init__(self, ids: Tensor, vocab_size: int, order: int = 7):
        if index(order) < 1:
            raise ValueError(f"The order is at least 1, which looks at no token, not {order}.")
        self.vocab_size = index(vocab_size)
        self._check(ids)
        if ids.ndim != 1 or len(ids) < 2:
            raise ValueError(f"Expected ids of shape (time,), 2 or more, not {tuple(ids.shape)}.")
        keys, contexts = torch.zeros(1, dtype=torch.int64), torch.zeros_like(ids[None, :-1])
        self.levels = []
        for length in range(1, order):
            wanted = longer(ids[None, :-1], length, contexts, len(keys))
            shorter, keys = keys, wanted[wanted >= 0].unique()
            contexts = find(keys, wanted)
            once = ngrams(contexts[0], ids[1:], vocab_size).unique()
            # Cut off the oldest token: an n-gram then comes once for each token before it.
            cut = ngrams(keys[once // vocab_size] % len(shorter), once % vocab_size, vocab_size)
            self.levels.append(make_level(shorter, cut, vocab_size))
        last = ngrams(contexts[0], ids[1:], vocab_size)
        self.levels.append(make_level(keys, last, vocab_size))

    def _check(self, ids: Tensor) -> None:
        """Raise where ids are not of this vocabulary."""
        if ids.dtype != torch.int64:
            raise TypeError(f"Expected ids of dtype int64, not {ids.dtype}.")
        if ids.numel() and not (ids.min() >= 0 and ids.max() < self.vocab_size):
            came = f"{ids.min()} to {ids.max()}"
            raise ValueError(f"Ids go from 0 to {self.vocab_size - 1}, but {came} came.")

    def log_probabilities(self, ids: Tensor) -> Tensor:
        """Of each next token, given the tokens up to it: (batch, time) -> (batch, time, vocab).

        Each row is a text of its own: nothing before its first token is known.

        Raises:
            TypeError, ValueError: ids of another type, shape or vocabulary.
        """
        self._check(ids)
        if ids.ndim != 2 or ids.numel() == 0:
            raise ValueError(f"Expected ids of shape (batch, time), not {tuple(ids.shape)}.")
        p = torch.full((ids.numel(), self.vocab_size), 1 / self.vocab_size)
        contexts, n_contexts = torch.zeros_like(ids), 1
        for length, level in enumerate(self.levels):
            if length > 0:
                contexts = find(level.keys, longer(ids, length, contexts, n_contexts))
            n_contexts = len(level.keys)
            rows = (contexts.flatten() >= 0).nonzero().flatten()
            context = contexts.flatten()[rows]
            p[rows] *= level.backoff[context, None]
            n = level.starts[context + 1] - level.starts[context]  # n-grams of each row's context
            first = level.starts[context] - (n.cumsum(0) - n)
            at = first.repeat_interleave(n) + torch.arange(int(n.sum()))
            p[rows.repeat_interleave(n), level.tokens[at]] += level.shares[at]
        return p.log().view(*ids.shape, self.vocab_size)
