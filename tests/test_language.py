"""Characters, windows, losses and copies, against what they should be by the plainest count.

python -m pytest tests/test_language.py
"""

import math
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from helpers.language import (
    Characters,
    bits_per_character,
    longest_copy,
    perplexity,
    random_windows,
    window_loss,
)
from helpers.models.transformer import GPT

texts = st.text(min_size=2).filter(lambda text: len(set(text)) > 1)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(texts)
def test_what_is_encoded_decodes_to_the_same_text(text):
    letters = Characters(text)
    ids = letters.encode(text)
    assert letters.decode(ids) == letters.decode(ids.tolist()) == text
    assert ids.dtype == torch.int64
    assert ids.shape == (len(text),)
    assert set(ids.tolist()) == set(range(len(letters)))


@given(texts)
def test_numbers_follow_the_code_points_and_not_the_order_in_the_text(text):
    assert Characters(text).characters == Characters(text[::-1]).characters
    assert list(Characters(text).characters) == sorted(set(text))


@pytest.mark.parametrize("text", ["", "a", "aaaa"])
def test_a_text_without_two_different_characters_is_refused(text):
    with pytest.raises(ValueError, match=f"at least two different characters .*'{text[:1]}' only"):
        Characters(text)


def test_unknown_characters_are_named():
    with pytest.raises(ValueError, match="not in the vocabulary: '!é'"):
        Characters("to be").encode("tot!é!")
    assert Characters("to be").encode("").shape == (0,)


def test_random_windows_start_everywhere_equally_often_and_never_go_past_the_end():
    """The text is 0, 1, 2, …, so a window's first token is its start. Four standard deviations."""
    n, context, draws = 12, 4, 8000
    inputs, targets = random_windows(torch.arange(n), context, draws, seeded())
    assert inputs.shape == targets.shape == (draws, context)
    assert torch.equal(inputs, inputs[:, :1] + torch.arange(context))
    assert torch.equal(targets, inputs + 1)
    assert targets.max() == n - 1
    starts = Counter(inputs[:, 0].tolist())
    assert sorted(starts) == list(range(n - context))
    mean = draws / (n - context)
    assert all(abs(times - mean) < 4 * math.sqrt(mean) for times in starts.values())


def test_random_windows_draw_from_the_generator_alone():
    ids = torch.arange(99)
    draws = [random_windows(ids, 8, 5, seeded(seed))[0] for seed in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_the_shortest_text_that_has_a_window():
    inputs, targets = random_windows(torch.arange(5), 4, 2, seeded())
    assert torch.equal(inputs, torch.arange(4).expand(2, 4))
    assert torch.equal(targets, torch.arange(1, 5).expand(2, 4))
    with pytest.raises(ValueError, match=r"window of 4 tokens .* need 5 tokens, .* has 4: take"):
        random_windows(torch.arange(4), 4, 2, seeded())


def network() -> GPT:
    """In float64 and far from even probabilities, so that a token too few would show."""
    torch.manual_seed(1)
    model = GPT(5, context=6, hidden_dim=8, n_layers=1, n_heads=2)
    for w in model.parameters():
        nn.init.normal_(w)
    return model


def direct_loss(model: nn.Module, ids: torch.Tensor, context: int) -> float:
    """One token after the other: each is predicted from those before it in its window."""
    total = 0.0
    for i in range(1, len(ids)):
        start = (i - 1) // context * context
        with torch.no_grad():
            logits = model(ids[None, start:i])[0, -1]
        total -= logits.log_softmax(-1)[ids[i]].item()
    return total / (len(ids) - 1)


@given(n=st.integers(2, 40), context=st.integers(1, 6), batch_size=st.integers(1, 4))
@settings(max_examples=30)
def test_window_loss_equals_a_direct_sum(n, context, batch_size):
    """Whole windows, a shorter last one, fewer tokens than a window; any batch."""
    ids = torch.randint(5, (n,), generator=seeded(n))
    model = network()
    expected = direct_loss(model, ids, context)
    assert window_loss(model, ids, context, batch_size) == pytest.approx(expected, rel=1e-5)


def test_a_longer_context_and_a_dropped_end_are_other_losses():
    """Far outside the tolerance of the test above."""
    ids = torch.randint(5, (40,), generator=seeded(2))
    model = network()
    whole = window_loss(model, ids, 6)
    assert abs(window_loss(model, ids, 3) - whole) > 1e-2
    assert abs(window_loss(model, ids[:-3], 6) - whole) > 1e-2


class Uniform(nn.Module):
    """All tokens are equally likely, and it notices whether it is in training mode."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, ids):
        self.seen.append(self.training)
        return torch.zeros(*ids.shape, 7)


def test_window_loss_of_even_probabilities_and_the_mode_of_the_model():
    for training in (True, False):
        model = Uniform().train(training)
        assert window_loss(model, torch.zeros(50).long(), 8) == pytest.approx(math.log(7))
        assert model.training is training
        assert set(model.seen) == {False}


@pytest.mark.parametrize(("n", "context"), [(0, 4), (1, 4), (9, 0), (9, -1)])
def test_a_loss_needs_two_tokens_and_a_window(n, context):
    with pytest.raises(ValueError, match=f"not {n} and {context}"):
        window_loss(Uniform(), torch.zeros(n).long(), context)


def test_an_error_in_the_model_leaves_its_mode_as_it_was():
    model = GPT(5, context=4, hidden_dim=4, n_layers=1, n_heads=1).train()
    with pytest.raises(ValueError, match="must be 0…4"):
        window_loss(model, torch.full((9,), 5), 4)
    assert model.training


@pytest.mark.parametrize("ids", [[-1], [5], torch.tensor([[0, 1]]), torch.tensor(1)])
def test_ids_that_are_no_text_are_refused(ids):
    with pytest.raises(ValueError, match="from 0 to 4; of a batch take one row"):
        Characters("to be").decode(ids)


def test_perplexity_of_even_probabilities_is_their_number():
    assert perplexity(math.log(7)) == pytest.approx(7)
    assert perplexity(0.0) == 1


def test_bits_per_character_are_the_same_for_tokens_of_any_length():
    """A text of 60 characters that costs 90 bits, as 60, 30 or 20 tokens."""
    for n_tokens in (60, 30, 20):
        loss = 90 * math.log(2) / n_tokens
        assert bits_per_character(loss, n_tokens, 60) == pytest.approx(1.5)


def longest_by_force(sample: str, text: str) -> str:
    """Every piece of the sample, the longest first, of equal ones the first."""
    for length in range(len(sample), 0, -1):
        for start in range(len(sample) - length + 1):
            if sample[start : start + length] in text:
                return sample[start : start + length]
    return ""


@given(sample=st.text("ab", max_size=12), text=st.text("abc", max_size=20))
def test_longest_copy_equals_brute_force(sample, text):
    assert longest_copy(sample, text) == longest_by_force(sample, text)


@pytest.mark.parametrize(
    ("sample", "text", "copied"),
    [("to be a bee", "not to be", "to be"), ("abc", "", ""), ("", "abc", ""), ("xyz", "abc", ""),
     ("abc", "abc", "abc"), ("ab cd", "cd ab", "ab"), ("zza", "azz", "zz")],
)  # fmt: skip
def test_longest_copy_of_known_pairs(sample, text, copied):
    assert longest_copy(sample, text) == copied
