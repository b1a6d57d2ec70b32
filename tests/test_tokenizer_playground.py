"""TokenizerPlayground in Python: what it sends to the page, bad input, the still picture.

pytest tests/test_tokenizer_playground.py
"""

import io
import re

import numpy as np
import pytest

from helpers.text import BytePairEncoding
from helpers.widgets import TokenizerPlayground, static_html
from helpers.widgets.tokenizer_playground import SAMPLES
from tests.browser.cases.tokenizer_playground import example
from tests.explorables import assert_refused

SLOW = BytePairEncoding.train("low lower lowest slow slower", 262)


def play(text: str = "slow", **given) -> TokenizerPlayground:
    return TokenizerPlayground({"English": SLOW}, text, **given)


def inside(runs: list[int]) -> list[int]:
    """The code points inside a class that is given by its runs."""
    ends = np.cumsum(runs)
    return [c for end, length in zip(ends[1::2], runs[1::2], strict=True)
            for c in range(end - length, end)]  # fmt: skip


@pytest.mark.parametrize(("name", "pattern"), [("word_runs", r"\w"), ("space_runs", r"\s")])
def test_page_carries_python_s_own_character_classes(name, pattern):
    expected = [c for c in range(0x110000) if re.match(pattern, chr(c))]
    assert inside(getattr(play(), name)) == expected


def test_merges_come_back_as_they_went_in():
    both = example()
    pairs = np.frombuffer(both.merges, dtype="<u2").reshape(-1, 2).tolist()
    for source in both.sources:
        bpe = both._tokenizers[source["name"]]
        assert [tuple(pair) for pair in pairs[: source["merges"]]] == bpe.merges
        pairs = pairs[source["merges"] :]
    assert pairs == []


def test_ids_are_those_of_the_first_merges():
    for size in range(256, len(SLOW.tokens) + 1):
        cut = BytePairEncoding(SLOW.merges[: size - 256])
        assert play("slower 月", vocab_size=size).encode() == cut.encode("slower 月")
    assert play("slower 月", vocab_size=256).encode() == list("slower 月".encode())


def test_it_opens_with_all_merges_of_the_largest_and_the_first_sample():
    both = example()
    assert both.vocab_size == max(len(bpe.tokens) for bpe in both._tokenizers.values())
    opened = TokenizerPlayground({"English": SLOW})
    assert (opened.text, opened.tokenizer) == (next(iter(SAMPLES.values())), "English")
    assert (opened.piece, opened.step) == (0, 0)


def test_samples_can_be_replaced():
    own = TokenizerPlayground({"English": SLOW}, samples={"One": "low", "Two": ""})
    assert own.samples == [{"name": "One", "text": "low"}, {"name": "Two", "text": ""}]
    assert own.text == "low"


@pytest.mark.parametrize(
    ("tokenizers", "error", "message"),
    [
        (SLOW, TypeError, "tokenizers should be a dictionary from name to BytePairEncoding; got <"),
        ({}, TypeError, r"got \{\}"),
        ({"": SLOW}, TypeError, "got '': BytePairEncoding"),
        ({"English": SLOW.merges}, TypeError, "got 'English': list"),
        (
            {"huge": BytePairEncoding([(i, i // 256) for i in range(65_281)])},
            ValueError,
            "'huge' should have at most 65,536 tokens; got 65,537",
        ),
    ],
)
def test_wrong_tokenizers_are_refused(tokenizers, error, message):
    with pytest.raises(error, match=message):
        TokenizerPlayground(tokenizers)


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("text", None, "text should be a string; got NoneType"),
        ("text", b"slow", "text should be a string; got bytes"),
        ("text", "a\ud83d", r"half of a surrogate pair, U\+D83D at place 1\."),
        ("tokenizer", "Dutch", "tokenizer should be one of 'English'; got 'Dutch'"),
        ("tokenizer", None, "got None"),
        ("vocab_size", 255, "vocab_size should be a whole number from 256 to 262; got 255"),
        ("vocab_size", 263, "got 263"),
        ("vocab_size", 256.0, r"got 256\.0"),
        ("piece", -1, "piece should be a whole number from 0 on; got -1"),
        ("piece", True, "got True"),
        ("step", "1", "step should be a whole number from 0 on; got '1'"),
    ],
)
def test_wrong_traits_are_refused_and_change_nothing(trait, value, message):
    assert_refused(play(), trait, value, message)


@pytest.mark.parametrize(
    ("samples", "error", "message"),
    [
        (["low"], TypeError, r"samples should be a dictionary from name to text; got \['low'\]"),
        ({}, TypeError, r"got \{\}"),
        ({"": "low"}, TypeError, "from name to text"),
        ({"One": 1}, ValueError, "sample 'One' should be a string; got int"),
        ({"One": "\udc00"}, ValueError, "sample 'One' should hold whole characters"),
    ],
)
def test_wrong_samples_are_refused(samples, error, message):
    with pytest.raises(error, match=message):
        TokenizerPlayground({"English": SLOW}, samples=samples)


def test_description_says_counts_tokens_and_ids():
    text = "slow\n月"
    alt = play(text).alt_text()
    ratio = f"{len(text) / len(SLOW.encode(text)):.2f}"
    assert f"Characters: 6. Bytes: 8. Tokens: {len(SLOW.encode(text))}. " in alt
    assert f"Characters per token: {ratio}." in alt
    assert alt.endswith("↵ 10, E6 230, 9C 156, 88 136.")
    assert play("").alt_text().endswith("The text is empty: no tokens.")


def test_still_picture_shows_every_token_with_its_id():
    """Marks for white space, bytes for cut characters, numbers for what no font draws."""
    text = "slow $1 \t$ cafe\u0301\u200d\U0010fffe"
    opened = play(text)
    shown = [t.get_text() for t in opened.static_figure().axes[0].texts]
    ids = opened.encode()
    assert shown[1::2] == [str(i) for i in ids]
    assert "".join(shown[::2]) == "slow␣$1␣⇥$␣cafeCC81E2808DF48FBFBE"
    whole = TokenizerPlayground({"x": BytePairEncoding([(0xC2, 0xAD)])}, "\xad")  # a soft hyphen
    assert whole.static_figure().axes[0].texts[0].get_text() == "U+00AD"


def test_still_picture_of_a_long_text_says_what_it_leaves_out():
    opened = play("low, " * 2000)
    figure = opened.static_figure()
    drawn = len(figure.axes[0].texts) // 2
    left = len(opened.encode()) - drawn
    assert figure.get_supxlabel() == f"{left:,} more tokens are counted, but not drawn."
    assert len(static_html(opened)) < 400_000


@pytest.mark.parametrize("text", [*SAMPLES.values(), "", "\ufeff\x1c", "\U00031350 🚀"])
def test_still_picture_of_any_text_is_drawn(text):
    """A character without a glyph would raise a warning, which fails here."""
    example_ = example()
    example_.text = text
    for name in example_._tokenizers:
        example_.tokenizer = name
        example_.static_figure().savefig(io.BytesIO(), dpi=110)


def test_state_of_two_tokenizers_is_some_kilobytes():
    both = example()
    merges = sum(source["merges"] for source in both.sources)
    assert len(both.merges) == 4 * merges
    assert len(str(both.word_runs)) + len(str(both.space_runs)) < 7000
