"""A network beside a count model: what it adds, and that no part is judged by its own counts.

python -m pytest tests/test_corrections.py
"""

import pytest
import torch
from torch import nn

from helpers.corrections import (
    CorrectedCounts,
    count_and_correct,
    learn_corrections,
    leave_one_out,
)
from helpers.language import window_loss
from helpers.language_recipes import LanguageRecipe, of_steps
from helpers.ngrams import CountModel

VOCAB = 4


class Constant(nn.Module):
    """A network that returns the same outputs everywhere."""

    def __init__(self, *outputs: float):
        super().__init__()
        self.outputs = nn.Parameter(torch.tensor(outputs))

    def forward(self, ids):
        return self.outputs.expand(*ids.shape, -1)


COUNTS = CountModel(torch.tensor([0, 1, 2, 3, 1, 2, 0, 1, 3, 1, 2]), VOCAB, 3)
IDS = torch.tensor([[0, 1, 2], [3, 3, 1]])


def test_a_network_of_zeros_leaves_the_counts_as_they_are():
    model = CorrectedCounts(Constant(*[0.0] * (VOCAB + 3)), COUNTS)
    torch.testing.assert_close(model(IDS), COUNTS.log_probabilities(IDS))


def test_a_network_adds_logits_and_weighs_the_orders():
    model = CorrectedCounts(Constant(0.1, 0.2, 0.3, 0.4, 0.5, -0.25, -1.0), COUNTS)
    said = COUNTS.by_order(IDS)
    wanted = torch.tensor([0.1, 0.2, 0.3, 0.4]) + 0.5 * said[:, :, 0] - 0.25 * said[:, :, 1]
    torch.testing.assert_close(model(IDS), wanted)
    model(IDS).logsumexp(-1).sum().backward()
    assert model.network.outputs.grad.abs().min() > 0


def test_a_part_is_counted_by_no_model_of_its_own():
    """A token that stands in one part only is unknown there: less likely than to the others."""
    text = torch.tensor([0, 1, 2] * 8 + [3] * 8)
    parts = leave_one_out(text, VOCAB, order=2, parts=4)
    assert torch.equal(torch.cat([part for part, _ in parts]), text)
    after_3 = [counts.log_probabilities(torch.tensor([[3]]))[0, 0, 3] for _, counts in parts]
    assert after_3[3] < min(after_3[:3]) - 1


@pytest.mark.parametrize("parts", [1, 4])
def test_too_few_or_too_many_parts_are_refused(parts):
    with pytest.raises(ValueError, match="2 or more"):
        leave_one_out(torch.tensor([0, 1, 2, 3, 0, 1]), VOCAB, parts=parts)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_the_same_windows_have_the_same_loss_alone_and_in_a_text(weight):
    """`window_loss` takes the model as any other: nothing before a window is known in it."""
    model = CorrectedCounts(Constant(*[0.0] * 6, weight), COUNTS)
    text = torch.tensor([0, 1, 2, 1, 2, 3, 1])
    halves = [window_loss(model, text[:4], 3), window_loss(model, text[3:], 3)]
    assert window_loss(model, text, 3) == pytest.approx(sum(halves) / 2)


RECIPE = LanguageRecipe(
    shape={"n_layers": 1, "n_heads": 1, "hidden_dim": 8},
    context=16,
    batch_size=8,
    optimizers=lambda network: [torch.optim.Adam(network.parameters(), lr=0.05)],
    schedule=lambda share: 1 - share,
)


def train(parts, model, steps=40):
    generator = torch.Generator().manual_seed(0)
    return learn_corrections(model, parts, RECIPE, of_steps(steps), generator=generator)


class LookBack(nn.Module):
    """Logits from the token before the last, which counts of order 2 do not see."""

    def __init__(self, n_outputs: int):
        super().__init__()
        self.table = nn.Embedding(VOCAB, n_outputs)
        nn.init.zeros_(self.table.weight)

    def forward(self, ids):
        return self.table(nn.functional.pad(ids, (1, 0))[:, :-1])


def test_the_network_learns_what_the_counts_cannot_know():
    """Each token comes again two places later, but for one in five, which is drawn anew."""
    text = torch.randint(VOCAB, (1500,), generator=torch.Generator().manual_seed(1))
    for i in range(2, len(text)):
        if i % 5:
            text[i] = text[i - 2]
    counts = CountModel(text[:1000], VOCAB, order=2)
    model = CorrectedCounts(LookBack(VOCAB + 2), counts)
    before = window_loss(model, text[1000:], 16)
    assert train(leave_one_out(text[:1000], VOCAB, order=2, parts=4), model) == 40
    assert model.counts is counts
    assert window_loss(model, text[1000:], 16) < before - 0.2


def test_with_its_own_counts_the_network_would_trust_them_too_much():
    """Noise cannot be predicted. Counts that know it by heart seem to, until new noise comes."""
    noise = torch.randint(VOCAB, (2400,), generator=torch.Generator().manual_seed(2))
    text, new = noise[:1200], noise[1200:]
    counts = CountModel(text, VOCAB, order=6)
    honest, fooled = (CorrectedCounts(Constant(*[0.0] * (VOCAB + 6)), counts) for _ in range(2))
    train(leave_one_out(text, VOCAB, order=6), honest)
    train([(text, counts)], fooled)
    assert window_loss(fooled, new, 16) > window_loss(honest, new, 16) + 0.05


def test_a_part_that_is_too_short_is_refused_and_the_counts_are_kept():
    model = CorrectedCounts(Constant(*[0.0] * (VOCAB + 3)), COUNTS)
    with pytest.raises(ValueError, match="17 tokens"):
        train([(torch.tensor([0, 1]), COUNTS)], model)
    assert model.counts is COUNTS


def test_count_and_correct_makes_both_and_is_the_same_again():
    text = torch.randint(VOCAB, (300,), generator=torch.Generator().manual_seed(3))
    first, second = (count_and_correct(RECIPE, VOCAB, text, of_steps(2), 5, 3) for _ in range(2))
    assert first[1] == 2
    assert first[0](IDS).shape == (2, 3, VOCAB)
    assert torch.equal(first[0](IDS), second[0](IDS))
