"""What training and judging a language model needs: characters, windows, losses, copies.

- Losses are in nats (natural logarithm) per token; `bits_per_character` makes them comparable
  between tokenizers.
- A window of `context` tokens predicts the token after each of them, also from fewer than all.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from helpers.evaluation import device_of


class Characters:
    """The characters of a text, numbered in the order of their code points. Built in chapter 13.

    >>> letters = Characters("to be")
    >>> letters.encode("bet")
    tensor([1, 2, 4])
    >>> letters.decode([1, 2, 4])
    'bet'

    Raises:
        ValueError: fewer than two different characters.
    """

    def __init__(self, text: str):
        self.characters = "".join(sorted(set(text)))
        if len(self.characters) < 2:
            raise ValueError(
                f"A text needs at least two different characters to predict, not {text[:1]!r} only."
            )
        self.numbers = {character: i for i, character in enumerate(self.characters)}

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> Tensor:
        """Return `(time,)` int64. Raises ValueError for a character that the vocabulary lacks."""
        if unknown := sorted(set(text) - set(self.numbers)):
            raise ValueError(f"Characters that are not in the vocabulary: {''.join(unknown)!r}.")
        return torch.tensor([self.numbers[character] for character in text], dtype=torch.int64)

    def decode(self, ids: Tensor | Iterable[int]) -> str:
        """Return the text of ids `(time,)`. Raises ValueError for other shapes and numbers."""
        ids = ids if isinstance(ids, Tensor) else torch.tensor(list(ids), dtype=torch.int64)
        if ids.ndim != 1 or ((ids < 0) | (ids >= len(self))).any():
            raise ValueError(
                f"A text is decoded from ids (time,), each from 0 to {len(self) - 1}; "
                "of a batch take one row, as in decode(ids[0])."
            )
        return "".join(self.characters[i] for i in ids.tolist())


def random_windows(
    ids: Tensor, context: int, batch_size: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw a batch from ids `(n,)`: windows, and the same moved on by one. Built in chapter 13.

    Both are `(batch_size, context)`. Every window of the text is equally likely.

    Raises:
        ValueError: the text is shorter than one window and its next token.
    """
    if len(ids) <= context:
        raise ValueError(
            f"A window of {context} tokens and the one after it need {context + 1} tokens, "
            f"but the text has {len(ids)}: take a smaller context or a longer text."
        )
    starts = torch.randint(len(ids) - context, (batch_size, 1), generator=generator)
    places = starts + torch.arange(context)
    return ids[places], ids[places + 1]


@torch.no_grad()
def window_loss(model: nn.Module, ids: Tensor, context: int, batch_size: int = 64) -> float:
    """Mean loss over a whole text `(n,)` in consecutive windows, nats per token.

    Each token but the first is predicted once, from those before it in its window, and the last
    window may be shorter. A longer context gives a lower loss: state it. Built in chapter 13.

    >>> window_loss(model, validation_ids, context=64)

    Raises:
        ValueError: fewer than two tokens, or windows of none.
    """
    if len(ids) < 2 or context < 1:
        raise ValueError(
            f"A loss needs two tokens or more and windows of at least one, not {len(ids)} "
            f"and {context}."
        )
    was_training = model.training
    model.eval()
    ids = ids.to(device_of(model))
    whole = (len(ids) - 1) // context * context
    pairs = list(
        zip(
            ids[:whole].view(-1, context).split(batch_size),
            ids[1 : whole + 1].view(-1, context).split(batch_size),
            strict=True,
        )
    )
    if whole < len(ids) - 1:
        pairs.append((ids[None, whole:-1], ids[None, whole + 1 :]))
    try:
        losses = [
            cross_entropy(model(inputs).flatten(0, 1).float(), targets.flatten(), reduction="sum")
            for inputs, targets in pairs
        ]
    finally:
        model.train(was_training)
    return sum(loss.item() for loss in losses) / (len(ids) - 1)


def perplexity(loss: float) -> float:
    """Between how many equally likely tokens the model wavers: `exp(loss)`. Built in chapter 13."""
    return math.exp(loss)


def bits_per_character(loss: float, n_tokens: int, n_characters: int) -> float:
    """From nats per token to bits per character. Built in chapter 13.

    >>> bits_per_character(math.log(2), n_tokens=10, n_characters=20)
    0.5
    """
    return loss * n_tokens / n_characters / math.log(2)


def longest_copy(sample: str, text: str) -> str:
    """The longest piece of the sample that stands in the text, letter by letter.

    Of equally long ones the first. Built in chapter 13.

    >>> longest_copy("to be a bee", "not to be")
    'to be'
    """
    best = ""
    for start in range(len(sample)):
        while start + len(best) < len(sample) and sample[start : start + len(best) + 1] in text:
            best = sample[start : start + len(best) + 1]
    return best
