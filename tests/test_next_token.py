"""NextToken in Python: what it refuses, what it draws, the picture that it prints.

pytest tests/test_next_token.py
"""

import math

import numpy as np
import pytest
import torch

from helpers import generation
from helpers.widgets import NextToken
from helpers.widgets._sampling import (
    draw_tokens,
    entropy_bits,
    next_token_probabilities,
    token_name,
)
from tests.browser.cases.next_token import TOKENS, drawn, example
from tests.explorables import assert_refused

LOGITS = torch.linspace(3, -3, 5)


def play(**given) -> NextToken:
    return NextToken({"so": LOGITS, "or so": -LOGITS}, "abcd ", **given)


@pytest.mark.parametrize("temperature", [0, 0.05, 1, 2])
@pytest.mark.parametrize("top_k", [None, 1, 3, 99])
@pytest.mark.parametrize("top_p", [None, 0.05, 0.5, 0.9, 1])
def test_probabilities_are_those_of_generation(temperature, top_k, top_p):
    """Explorables import no models, so the formula stands twice: here both must agree."""
    settings = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    for seed in range(5):
        logits = 4 * torch.randn(30, generator=torch.Generator().manual_seed(seed)).double()
        logits[3:6] = logits.max()  # ties
        expected = generation.next_token_probabilities(logits, **settings)
        found = next_token_probabilities(logits.numpy(), **settings)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-300)
        assert ((found > 0) == (expected > 0).numpy()).all()


def test_a_top_p_of_1_keeps_tokens_that_no_sum_shows():
    """The largest add up to 1 before the last have come."""
    logits = np.array([60.0, 20.0, 0.0])
    assert (next_token_probabilities(logits, 1, None, 1) > 0).all()
    assert play(top_p=1).probabilities().all()


def test_draws_fall_on_pieces_as_long_as_the_probabilities():
    probabilities, rng = np.array([0, 0.25, 0.75, 0]), np.random.default_rng(0)
    assert draw_tokens(probabilities, np.array([0, 0.2499, 0.25, 0.9999])).tolist() == [1, 1, 2, 2]
    assert draw_tokens(np.array([0.3, 0.3, 0]), np.array([0.99])).tolist() == [1]
    numbers = rng.random(1000)
    expected = drawn(torch.from_numpy(probabilities), numbers).tolist()
    assert draw_tokens(probabilities, numbers).tolist() == expected
    assert entropy_bits(np.full(8, 1 / 8)) == pytest.approx(3)
    assert entropy_bits(np.array([1.0, 0])) == 0
    assert token_name("a b\n") == "a␣b↵"


def test_counts_follow_the_settings_with_the_same_random_numbers():
    one = play(drawn=300, top_k=2)
    assert one.counts().sum() == 300
    assert (one.counts() > 0).tolist() == [True, True, False, False, False]
    again = one.counts().tolist()
    one.temperature = 0
    assert one.counts().tolist() == [300, 0, 0, 0, 0]
    one.temperature = 1
    assert one.counts().tolist() == again


def test_no_cut_is_all_tokens():
    one = play()
    assert (one.top_k, one.top_p, one.prompt) == (5, 1.0, "so")
    np.testing.assert_allclose(one.probabilities(), LOGITS.double().softmax(0), rtol=1e-12)


def test_logits_of_a_model_in_training_are_taken():
    logits = torch.randn(5, requires_grad=True)
    assert NextToken({"so": logits}, "abcd ").distributions[0]["logits"] == logits.tolist()
    assert NextToken({"so": np.zeros(2)}, ["yes", "no"]).tokens == ["yes", "no"]


@pytest.mark.parametrize(
    ("distributions", "tokens", "error", "message"),
    [
        ([LOGITS], "abcd ", TypeError, r"dictionary from text to logits; got \[tensor"),
        ({}, "abcd ", TypeError, r"dictionary from text to logits; got \{\}"),
        ({"": LOGITS}, "abcd ", TypeError, "got '': Tensor"),
        ({"so": LOGITS.tolist()}, "abcd ", TypeError, "a tensor or an array; got 'so': list"),
        ({"so": LOGITS}, "abcd", ValueError, r"'so' should be 4 finite numbers.*shape \(5,\)"),
        ({"so": LOGITS[None]}, "abcd ", ValueError, r"shape \(1, 5\)"),
        ({"so": LOGITS * math.nan}, "abcd ", ValueError, "should be 5 finite numbers.*nan"),
        ({str(i): LOGITS for i in range(11)}, "abcd ", ValueError, "at most 10; got 11"),
        ({"so": LOGITS}, 5, TypeError, "tokens should be a list .*; got int"),
        ({"so": LOGITS}, [1, 2, 3, 4, 5], TypeError, "tokens should be a list .*; got list"),
        ({"so": LOGITS[:1]}, "a", ValueError, "tokens should be 2 to 300 names; got 1"),
    ],
)
def test_wrong_distributions_are_refused(distributions, tokens, error, message):
    with pytest.raises(error, match=message):
        NextToken(distributions, tokens)


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("prompt", ["so"], r"prompt should be one of .*; got \['so'\]"),
        ("prompt", "no", "prompt should be one of 'so', 'or so'; got 'no'"),
        ("temperature", -0.1, r"temperature should be a number from 0 to 2; got -0\.1"),
        ("temperature", math.nan, "got nan"),
        ("temperature", "1", "got '1'"),
        ("temperature", None, "got None"),
        ("top_k", 0, "top_k should be a whole number from 1 to 5, or None; got 0"),
        ("top_k", 6, "got 6"),
        ("top_k", 2.0, r"got 2\.0"),
        ("top_k", True, "got True"),
        ("top_p", 0, r"top_p should be a number from 0\.05 to 1, or None; got 0"),
        ("top_p", 1.1, r"got 1\.1"),
        ("drawn", 50, r"drawn should be 0, 100 … 1000; got 50"),
        ("drawn", 1100, "got 1100"),
        ("seed", -1, "seed should be a whole number from 0 to 2147483647; got -1"),
        ("seed", 0.5, r"got 0\.5"),
    ],
)
def test_wrong_settings_are_refused_and_change_nothing(trait, value, message):
    assert_refused(play(), trait, value, message)
    if value is not None:
        with pytest.raises(ValueError, match=message):
            play(**{trait: value})


def test_picture_and_description_hold_the_numbers():
    one = example()
    bars = one.static_figure().axes[0].patches
    after = one.probabilities()
    assert max(bar.get_width() for bar in bars[:16]) == pytest.approx(after.max())
    text = one.alt_text()
    kept = int((after > 0).sum())
    assert f"Tokens kept {kept} of {len(TOKENS)}" in text
    assert f"{100 * after.max():.1f} %" in text
    assert "perhaps␣so" in text
