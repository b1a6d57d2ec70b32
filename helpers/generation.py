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
    largest are kept, and of these the fewest that together reach `top_p`; the rest gets 0. A
    `top_p` of 1 keeps all, also those that are too small to be seen in a sum.

    >>> next_token_probabilities(torch.tensor([2.0, 1.0, 0.0]), top_k=2)
    tensor([0.7311, 0.2689, 0.0000])

    Raises:
        ValueError: a setting outside its range, or logits that are not finite.

    Source: Holtzman et al., "The curious case of neural text degeneration" (2020), section 3.1,
    arXiv:1904.09751.
    """
    check_sampling(temperature, top_k, top_p)
    top_k = 1 if temperature == 0 else top_k
    values, order = (logits / (temperature or 1.0)).sort(dim=-1, descending=True, stable=True)
    if top_k is not None:
        values[..., top_k:] = -math.inf
    probabilities = values.softmax(dim=-1)
    check_probabilities(probabilities, temperature)
    if top_p is not None and top_p < 1:
        before = probabilities.cumsum(dim=-1) - probabilities  # of all larger ones together
        probabilities = probabilities.masked_fill(before >= top_p, 0)
        probabilities = probabilities / probabilities.sum(dim=-1, keepdim=True)
    return torch.zeros_like(probabilities).scatter(-1, order, probabilities)


def check_sampling(temperature: float, top_k: int | None, top_p: float | None) -> None:
    """Raise ValueError for settings that leave nothing to draw from."""
    if not 0 <= temperature < math.inf:
        raise ValueError(f"temperature must be 0 or a positive number, not {temperature!r}.")
    whole = isinstance(top_k, int) and not isinstance(top_k, bool)
    if top_k is not None and not (whole and top_k >= 1):
        raise ValueError(f"top_k must be a whole number of at least 1, or None, not {top_k!r}.")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p must be above 0 and at most 1, or None, not {top_p!r}.")


def check_probabilities(probabilities: Tensor, temperature: float) -> None:
    """Raise ValueError where logits that were not finite have left no numbers."""
    if probabilities.isnan().any():
        raise ValueError(
            f"There are no probabilities at temperature {temperature!r}: the logits are not "
            "finite, since the training diverged, or it is too near to 0: take 0."
        )


def check_prompt(ids: Tensor) -> None:
    """Raise ValueError unless these are ids `(batch, time)`."""
    if not isinstance(ids, Tensor) or ids.ndim != 2:
        came = tuple(ids.shape) if isinstance(ids, Tensor) else type(ids).__name__
        raise ValueError(f"ids must be (batch, time), as letters.encode(text)[None], not {came}.")


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
    """Append drawn tokens: ids `(batch, time)` -> `(batch, time + n_tokens)`. Built in chapter 10.

    `sampling` goes to `next_token_probabilities`. With `cached`, each step reads one token instead
    of all; the tokens are the same. The model sees the last `context` tokens at most; when they are
    full, it goes on with their last half. It comes back in the mode in which it came.

    >>> generate(model, ids, 100, temperature=0.8, generator=torch.Generator().manual_seed(0))

    Raises:
        ValueError: ids of another shape, or what `next_token_probabilities` refuses.
    """
    check_prompt(ids)
    was_training, half = model.training, max(1, model.context // 2)
    model.eval()
    cache, start = Cache(), max(0, ids.shape[1] - model.context)
    try:
        for _ in range(n_tokens):
            if ids.shape[1] - start > model.context:
                cache, start = Cache(), ids.shape[1] - half
            if cached:
                logits = model(ids[:, start + len(cache) :], cache)[:, -1]
            else:
                logits = model(ids[:, start:])[:, -1]
            probabilities = next_token_probabilities(logits, **sampling).cpu()
            drawn = torch.multinomial(probabilities, 1, generator=generator)
            ids = torch.cat([ids, drawn.to(ids.device)], dim=1)
    finally:
        model.train(was_training)
    return ids
