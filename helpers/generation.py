"""Text from a language model, one token after the other.

A model maps ids `(batch, time)` to logits `(batch, time, vocab_size)` and says in `context` how
many tokens it can look back at; `helpers.models.transformer` has two.
"""

import math

import torch
from torch import Tensor, nn

from helpers.models.transformer import Cache


def next_token_probabilities(
    logits: Tensor,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Tensor:
    """Turn logits `(…, vocab_size)` into the probabilities to draw from. Built in chapter 10.

    `temperature` divides the logits; 0 gives the largest all the probability. Then only the `top_k`
    largest are kept, and of these the fewest that together reach `top_p`; the rest gets 0.

    >>> next_token_probabilities(torch.tensor([2.0, 1.0, 0.0]), top_k=2)
    tensor([0.7311, 0.2689, 0.0000])

    Raises:
        ValueError: a setting outside its range.

    Source: Holtzman et al., "The curious case of neural text degeneration" (2020), section 3.1,
    arXiv:1904.09751.
    """
    check_sampling(temperature, top_k, top_p)
    if temperature == 0:
        logits, temperature, top_k = logits.clone(), 1.0, 1
    values, order = (logits / temperature).sort(dim=-1, descending=True, stable=True)
    if top_k is not None:
        values[..., top_k:] = -math.inf
    probabilities = values.softmax(dim=-1)
    if top_p is not None:
        before = probabilities.cumsum(dim=-1) - probabilities  # of all larger ones together
        probabilities = probabilities.masked_fill(before >= top_p, 0)
        probabilities = probabilities / probabilities.sum(dim=-1, keepdim=True)
    return torch.zeros_like(probabilities).scatter(-1, order, probabilities)


def check_sampling(temperature: float, top_k: int | None, top_p: float | None) -> None:
    """Raise ValueError for settings that leave nothing to draw from."""
    if not 0 <= temperature < math.inf:
        raise ValueError(f"temperature must be 0 or a positive number, not {temperature!r}.")
    if top_k is not None and (not isinstance(top_k, int) or top_k < 1):
        raise ValueError(f"top_k must be a whole number of at least 1, or None, not {top_k!r}.")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p must be above 0 and at most 1, or None, not {top_p!r}.")


@torch.no_grad()
def generate(
    model: nn.Module,
    ids: Tensor,
    n_tokens: int,
    *,
    generator: torch.Generator,
    cached: bool = True,
    **sampling,
) -> Tensor:
    """Append `n_tokens` drawn tokens to ids `(batch, time)`. Built in chapter 10.

    `sampling` goes to `next_token_probabilities`. With `cached`, each step reads one token instead
    of all; the tokens are the same. When the context is full, the model goes on with its last half.

    >>> generate(model, ids, 100, temperature=0.8, generator=torch.Generator().manual_seed(0))
    """
    model.eval()
    cache, start = Cache(), max(0, ids.shape[1] - model.context)
    for _ in range(n_tokens):
        if ids.shape[1] - start > model.context:
            cache, start = Cache(), ids.shape[1] - max(1, model.context // 2)
        if cached:
            logits = model(ids[:, start + len(cache) :], cache)[:, -1]
        else:
            logits = model(ids[:, start:])[:, -1]
        probabilities = next_token_probabilities(logits, **sampling).cpu()
        drawn = torch.multinomial(probabilities, 1, generator=generator)
        ids = torch.cat([ids, drawn.to(ids.device)], dim=1)
    return ids
