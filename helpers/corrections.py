"""A network that corrects a count model: it begins where counting ends, and learns the rest.

Counting takes a second, and then stands still; a network is slow, and goes on. The network also
learns how far to trust each order of the counts at each place.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from helpers.language import random_windows
from helpers.language_recipes import LanguageRecipe, descend
from helpers.ngrams import CountModel

Part = tuple[Tensor, CountModel]  # ids (time,), and the counts of a text without them


def leave_one_out(ids: Tensor, vocab_size: int, order: int = 7, parts: int = 10) -> list[Part]:
    """Cut ids `(time,)` into parts: a list of (part, count model of all the others).

    A model knows the text that it has counted by heart. What a network shall learn to correct is
    what the counts say of a text that is new to them.

    >>> [len(part) for part, counts in leave_one_out(torch.arange(10) % 3, 3, order=2, parts=4)]
    [3, 3, 2, 2]

    Raises:
        ValueError: fewer than two parts, or parts of fewer than two tokens.
    """
    if not 2 <= parts <= len(ids) // 2:
        raise ValueError(f"{len(ids)} tokens cannot be cut into {parts} parts of 2 or more.")
    cut = list(ids.tensor_split(parts))
    others = [torch.cat(cut[:i] + cut[i + 1 :]) for i in range(parts)]
    return [
        (part, CountModel(rest, vocab_size, order)) for part, rest in zip(cut, others, strict=True)
    ]


class CorrectedCounts(nn.Module):
    """A network that weighs the orders of a count model, and adds what they lack.

    `network` maps ids `(batch, time)` to `(batch, time, vocab_size + order)`: logits, and a weight
    for the logarithm of what each order says. A network of zeros leaves the counts as they are.
    Returns logits `(batch, time, vocab_size)`. Train it with counts of other text than it reads:
    `leave_one_out`.

    Source: a product of experts (Hinton 2002), with weights that depend on the context.
    """

    def __init__(self, network: nn.Module, counts: CountModel):
        super().__init__()
        self.network, self.counts = network, counts

    def forward(self, ids: Tensor) -> Tensor:
        sizes = [self.counts.vocab_size, self.counts.order]
        logits, weights = self.network(ids).split(sizes, dim=-1)
        said = self.counts.by_order(ids.cpu()).to(ids.device)  # (batch, time, order, vocab)
        # A sum of products: on a processor, `@` took five times as long, gradients included.
        return logits + said[:, :, -1] + (weights[..., None] * said).sum(dim=2)


def learn_corrections(
    model: CorrectedCounts,
    parts: Sequence[Part],
    recipe: LanguageRecipe,
    share_done: Callable[[int], float],
    *,
    generator: torch.Generator,
) -> int:
    """Train the network on windows of each part, beside the counts of all others; return the steps.

    As `language_recipes.learn`, which see. The model changes in place, and ends with the counts
    that it came with.

    Raises:
        ValueError: a part is shorter than one window and its next token.
    """
    own_counts = model.counts

    def draw() -> tuple[Tensor, Tensor]:
        part, model.counts = parts[int(torch.randint(len(parts), (), generator=generator))]
        return random_windows(part, recipe.context, recipe.batch_size, generator)

    try:
        return descend(model, recipe.optimizers(model.network), draw, recipe, share_done)
    finally:
        model.counts = own_counts


def count_and_correct(
    recipe: LanguageRecipe,
    vocab_size: int,
    ids: Tensor,
    share_done: Callable[[int], float],
    seed: int,
    order: int = 7,
    device: str = "cpu",
) -> tuple[CorrectedCounts, int]:
    """Count ids `(n,)`, and train a network to correct that: the model, and the network's steps.

    >>> model, steps = count_and_correct(ANYTHING, 65, ids, of_seconds(60), seed=0)
    >>> window_loss(model, new_ids, context=64)
    """
    counts, parts = CountModel(ids, vocab_size, order), leave_one_out(ids, vocab_size, order)
    model = CorrectedCounts(recipe.model(vocab_size + order, seed), counts).to(device)
    generator = torch.Generator().manual_seed(seed)
    return model, learn_corrections(model, parts, recipe, share_done, generator=generator)
