"""AttentionLab in Python: bad input, the measured heads, the still picture and its words.

pytest tests/test_attention_lab.py
"""

import functools
import math

import numpy as np
import pytest
import torch

from helpers.data import play_model, shakespeare
from helpers.widgets import AttentionLab
from helpers.widgets._attention_heads import (
    after_same,
    head_scores,
    last_blank,
    one_back,
    word_before,
)
from tests.explorables import assert_refused
from tests.language_models import LETTERS, random_play_model, torch_model, torch_pass

PASSAGE = "to be or not to be, that is the question. " * 4
model = functools.cache(random_play_model)


def lab(text="To be, or not to be", **given) -> AttentionLab:
    return AttentionLab(model(), text, **{"passage": PASSAGE} | given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"text": ""}, "text should be one line of 1 to 60 characters; got 0 characters, ''"),
        ({"text": "x" * 61}, "got 61 characters"),
        ({"text": "a\nb"}, "one line .* got 3 characters"),
        ({"text": "é1"}, "a character that the model knows; got 'é1'"),
        ({"text": None}, "text should be a string; got NoneType"),
        ({"layer": 2}, "layer should be a whole number from 0 to 1; got 2"),
        ({"layer": -1}, "layer should be .* got -1"),
        ({"head": 4}, "head should be a whole number from 0 to 3; got 4"),
        ({"head": 1.0}, r"head should be .* got 1\.0"),
        ({"head": True}, "head should be .* got True"),
        ({"place": 60}, "place should be a whole number from 0 to 59, or None; got 60"),
        ({"place": "3"}, "place should be .* got '3'"),
        ({"passage": "short"}, "passage should be a text of at least the context's 70 .*'short'"),
        ({"passage": 3}, "passage should be a text"),
    ],
)
def test_wrong_input_is_refused(given, message):
    with pytest.raises((TypeError, ValueError), match=message):
        lab(**given)


@pytest.mark.parametrize(("trait", "value"), [("text", ""), ("layer", 9), ("head", None)])
def test_a_refused_value_changes_nothing(trait, value):
    assert_refused(lab(), trait, value, f"{trait} should be")


def test_something_else_than_a_model_is_refused():
    with pytest.raises(TypeError, match=r"play_model should have settings, .* got dict"):
        AttentionLab({}, passage=PASSAGE)


def test_attention_is_that_of_torch():
    """Characters that the model does not know take no part."""
    ids = [LETTERS.index(sign) for sign in "To b, or"]
    expected = torch_pass(torch_model(model()).double(), ids)[1]
    found = torch.tensor(lab("To 1bé, or").attention())
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


def targets(mask: np.ndarray) -> dict[int, list[int]]:
    return {row: np.flatnonzero(line).tolist() for row, line in enumerate(mask) if line.any()}


def test_targets_by_hand():
    assert targets(one_back("abc")) == {1: [0], 2: [1]}
    assert targets(last_blank("a bc\nd ")) == {2: [1], 3: [1], 5: [4]}
    assert targets(word_before("ab c\nde")) == {2: [0, 1], 3: [0, 1], 4: [3], 5: [3], 6: [3]}
    assert targets(after_same("to be, to b")) == {8: [2], 9: [3], 10: [4]}


def test_scores_are_means_of_the_weights_on_the_targets():
    """By a loop over torch's weights."""
    settings, text = lab().settings, "to bear, to beware"
    ids = [LETTERS.index(sign) for sign in text]
    looks = torch_pass(torch_model(model()).double(), ids)[1]
    shares, counted, even = head_scores(settings, lab().weights, [ids, ids], LETTERS)["last_blank"]
    sums, evens, blinds = [], [], []
    for row in range(len(text)):
        blanks = [i for i in range(row + 1) if text[i] == " "]
        if blanks and blanks[-1] < row:
            back = row - blanks[-1]
            sums.append(looks[:, :, row, blanks[-1]])
            blinds.append(looks.diagonal(-back, 2, 3).mean(-1))
            evens.append(1 / (row + 1))
    np.testing.assert_allclose(shares, torch.stack(sums).mean(0), atol=1e-9)
    np.testing.assert_allclose(counted, torch.stack(blinds).mean(0), atol=1e-9)
    assert math.isclose(even, np.mean(evens))


def test_findings_are_the_largest_scores():
    shown = lab()
    ids = [LETTERS.index(sign) for sign in PASSAGE]
    pieces = [ids[i : i + 70] for i in range(0, len(ids), 70)]
    scores = head_scores(shown.settings, shown.weights, pieces, LETTERS)
    assert [found["name"] for found in shown.findings] == list(scores)
    for found in shown.findings:
        shares, counted, even = scores[found["name"]]
        assert found["counted"] == counted[found["layer"], found["head"]]
        assert found["share"] == shares.max() == shares[found["layer"], found["head"]]
        assert found["even"] == even
    assert (shown.layer, shown.head) == (shown.findings[0]["layer"], shown.findings[0]["head"])
    assert shown.measured_on == len(PASSAGE)


def test_heads_of_the_plays_are_what_their_buttons_say():
    """On another part of the plays than the buttons were found on."""
    plays = play_model()
    shown, letters = AttentionLab(plays), plays.characters
    passage = shakespeare().validation[20_000:22_560]
    ids = [letters.index(sign) for sign in passage]
    pieces = [ids[i : i + 128] for i in range(0, len(ids), 128)]
    scores = head_scores(shown.settings, shown.weights, pieces, letters)
    for found in shown.findings:
        shares, counted, even = scores[found["name"]]
        here = found["layer"], found["head"]
        if found["name"] == "after_same":  # this model has no such head
            assert shares.max() < 2 * even
            continue
        assert shares[here] == shares.max() > 5 * even
        # One step back is a matter of counting; the others have to see what stands there.
        assert shares[here] > (1 if found["name"] == "one_back" else 1.5) * counted[here] - 1e-9


def test_a_head_finds_the_earlier_be_and_the_model_does_not_need_it():
    """What the chapter's question is about."""
    plays = play_model()
    found = {}
    for text in ("to be or not to b", "to me or not to b"):
        lab = AttentionLab(plays, text)
        logits, attention = lab._pass()
        shares = torch.tensor(logits[-1]).softmax(-1)
        found[text] = attention[..., -1, 4], shares[plays.characters.index("e")].item()
    (be, with_be), (me, with_me) = found.values()
    assert np.unravel_index(be.argmax(), be.shape) == (3, 2)
    assert be[3, 2] > 0.15
    assert me[3, 2] < be[3, 2] / 2
    assert abs(with_be - with_me) < 0.02 < 0.8 < with_me


def test_picture_says_what_it_shows():
    shown = lab(layer=1, head=3, place=7)
    text, logits = "To be, or not to be", shown._pass()[0]
    weights = shown.attention()[1, 3, 7, :8]
    best = int(weights.argmax())
    sign, back = text[best].replace(" ", "␣"), "itself" if best == 7 else f"{7 - best} back"
    start = f"Layer 2, head 4, character 8 of 19, o, looks at {sign}, {back}: {weights.max():.2f}"
    assert start in shown.alt_text()
    following = LETTERS[logits[7].argmax()].replace(" ", "␣")
    assert f"best next characters: {following}: " in shown.alt_text()
    figure = shown.static_figure()
    drawn = figure.axes[0].images[0].get_array()
    np.testing.assert_array_equal(drawn.filled(0), shown.attention()[1, 3])
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels == [sign.replace(" ", "␣") for sign in text]


def test_a_place_beyond_the_text_is_shown_as_the_last_one():
    assert "character 19 of 19" in lab(place=40).alt_text()
    assert "character 19 of 19" in lab().alt_text()
