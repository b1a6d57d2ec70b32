"""A network that corrects a count model: it begins where counting ends, and learns the rest.

Counting takes a second, and then stands still; a network is slow, and goes on. Together they are
better after any time than each alone.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from helpers.language import random_windows
from helpers.ngrams import CountModel

Part = tuple[Tensor, CountModel]  # ids (time,), and the counts of a text without them


def leave_one_out(ids: Tensor, vocab_size: int, order: int = 7, parts: int = 10) -> list[Part]:
    """Cut ids `(time,)` into parts: a list of (part, count model of all the others).

    A model knows the text that it has counted by heart. What a network shall learn to correct is
    what the counts say of a text that is new to them. Built in chapter 13.

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
    `leave_one_out`. Built in chapter 13.

    Source: a product of experts (Hinton 2002), with weights that depend on the context.
    """

    def __init__(self, network: nn.Module, counts: CountModel):
        super().__init__()
        self.network, self.counts = network, counts
        self.start = nn.Parameter(F.one_hot(torch.tensor(counts.order - 1), counts.order).float())

    def forward(self, ids: Tensor) -> Tensor:
        sizes = [self.counts.vocab_size, self.counts.order]
        logits, weights = self.network(ids).split(sizes, dim=-1)
        said = self.counts.by_order(ids.cpu()).to(ids.device)  # (batch, time, order, vocab)
        return logits + ((weights + self.start)[:, :, None] @ said).squeeze(2)


def learn_corrections(
    model: CorrectedCounts,
    parts: Sequence[Part],
    *,
    steps: int,
    batch_size: int,
    context: int,
    optimizers: Sequence[Optimizer],
    schedule: Callable[[int, int], float],
    generator: torch.Generator,
) -> list[float]:
    """Train the network on windows of each part beside the counts of all others: loss of each step.

    The model changes in place, and ends with the counts that it came with. `schedule(step, steps)`
    is the factor on all rates. Losses are in nats per token. Built in chapter 13.

    >>> counts = CountModel(ids, 65)
    >>> model = CorrectedCounts(GPT(65 + counts.order, context=64, ...), counts)
    >>> learn_corrections(model, leave_one_out(ids, 65), steps=500, batch_size=16, context=64,
    ...                   optimizers=[torch.optim.AdamW(model.parameters(), lr=1e-3)],
    ...                   schedule=warmup_cosine, generator=torch.Generator().manual_seed(0))

    Raises:
        ValueError: a part is shorter than one window and its next token.
    """
    counts, losses = model.counts, []
    rates = [LambdaLR(each, lambda step: schedule(step, steps)) for each in optimizers]
    model.train()
    try:
        for _ in range(steps):
            part, model.counts = parts[int(torch.randint(len(parts), (), generator=generator))]
            inputs, targets = random_windows(part, context, batch_size, generator)
            loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
            model.zero_grad()
            loss.backward()
            for each in [*optimizers, *rates]:
                each.step()
            losses.append(loss.item())
    finally:
        model.counts = counts
        model.eval()
    return losses
