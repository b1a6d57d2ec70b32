"""TextWriter in Python: what it refuses, what it writes, the picture that it prints.

pytest tests/test_text_writer.py
"""

import math

import numpy as np
import pytest

from helpers.widgets import TextWriter
from helpers.widgets._random import uniforms
from helpers.widgets.text_writer import context_start
from tests.browser.cases.text_writer import all_logits, starts, surprises, write
from tests.explorables import assert_refused
from tests.language_models import LETTERS, random_play_model, torch_model

CONTEXT = 12
PLAY_MODEL = random_play_model(context=CONTEXT)


def writer(**given) -> TextWriter:
    return TextWriter(PLAY_MODEL, **{"prompt": "ROMEO:", "written": "I am"} | given)


def ids_of(text: str) -> list[int]:
    return [LETTERS.index(character) for character in text]


@pytest.mark.parametrize("context", [1, 2, 3, 8, 9, 128])
def test_a_full_context_goes_on_with_its_last_half(context):
    assert [context_start(n, context) for n in range(400)] == starts(399, context)


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 0, "top_k": None, "top_p": None},
        {"temperature": 0.8, "top_k": None, "top_p": 0.9},
        {"temperature": 2, "top_k": 5, "top_p": None},
    ],
)
def test_it_writes_what_torch_draws_from_the_same_random_numbers(settings):
    one = writer(seed=4, **settings)
    model, numbers = torch_model(PLAY_MODEL).double(), uniforms(4, 34)[4:]  # "I am" took four
    expected = write(model, ids_of("ROMEO:I am"), numbers, settings)
    assert one.written + one.write(30) == "".join(LETTERS[i] for i in expected[6:])


def test_surprises_are_torchs_losses():
    one = writer(written="But, soft! what light")
    ids = ids_of(one.prompt + one.written)
    expected = surprises(all_logits(torch_model(PLAY_MODEL).double(), ids), ids)
    np.testing.assert_allclose(one.surprises(), expected[6:], rtol=0, atol=1e-9)
    assert writer(written="").surprises().shape == (0,)


def test_it_opens_with_a_hundred_letters_and_the_end():
    one = TextWriter(PLAY_MODEL)
    assert (one.prompt, len(one.written), one.place) == ("ROMEO:", 100, 100)
    assert (one.top_k, one.top_p) == (len(LETTERS), 1.0)
    assert writer().place == 4
    assert TextWriter(PLAY_MODEL, seed=1).written != one.written


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("prompt", "", "prompt should be a string of 1 to 12 characters; got 0 of them"),
        ("prompt", "a" * 13, "got 13 of them"),
        ("prompt", "R€", "consist of the model's 62 characters; got '€'"),
        ("prompt", None, "got NoneType"),
        ("written", "a" * 2001, "written should be a string of 0 to 2,000 characters; got 2001"),
        ("written", "é", "got 'é'"),
        ("place", -1, "place should be a whole number from 0 to 2000; got -1"),
        ("place", 1.5, r"got 1\.5"),
        ("seed", 10, "seed should be a whole number from 0 to 9; got 10"),
        ("temperature", 2.1, r"temperature should be a number from 0 to 2; got 2\.1"),
        ("temperature", math.nan, "got nan"),
        ("top_k", 63, "top_k should be a whole number from 1 to 62, or None; got 63"),
        ("top_p", 0.0, r"top_p should be a number from 0\.05 to 1, or None; got 0\.0"),
    ],
)
def test_wrong_settings_are_refused_and_change_nothing(trait, value, message):
    assert_refused(writer(), trait, value, message)
    with pytest.raises(ValueError, match=message):
        writer(**{trait: value})


def test_what_is_no_play_model_is_refused():
    with pytest.raises(TypeError, match=r"play_model should have settings, .*got str"):
        TextWriter("ROMEO:")


def test_picture_and_description_hold_the_text_and_its_bits():
    one = writer(written="I am\nhere", place=2)
    top, bottom = one.static_figure().axes
    shown = "".join(text.get_text() for text in top.texts)
    assert shown == "ROMEO:I am↵here"
    shades = [patch.get_alpha() for patch in top.patches][6:]
    np.testing.assert_allclose(shades, 0.45 * np.minimum(one.surprises() / 8, 1))
    best = one._best()
    assert [tick.get_text() for tick in bottom.get_yticklabels()] == [
        name.replace(" ", "␣").replace("\n", "↵") for name in best[0]
    ]
    text = one.alt_text()
    assert f"9 characters written, {one.surprises().mean():.2f} bits per character" in text
    assert "begins with “ROMEO:”" in text
    assert writer(written="").alt_text()
