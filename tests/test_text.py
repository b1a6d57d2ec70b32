"""Byte-pair encoding equals the tokenizers library's; batches of sequences lose and mix nothing.

python -m pytest tests/test_text.py
"""

import functools
import random
import re
import sys
import unicodedata
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, models
from tokenizers import pre_tokenizers as before

from helpers.text import (
    BytePairEncoding,
    apply_merges,
    bucket,
    learn_merges,
    merge_pair,
    pack,
    pad,
    same_document,
    split_words,
)

ENGLISH = "To be, or not to be, that is the question:\n  whether 'tis nobler\t in the mind. " * 3
CHINESE = "床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。\n明月松間照，清泉石上流。 " * 3
BPE = {
    "English": BytePairEncoding.train(ENGLISH, 290),
    "Chinese": BytePairEncoding.train(CHINESE, 320),
    "bytes": BytePairEncoding([]),
}
every_tokenizer = pytest.mark.parametrize("bpe", BPE.values(), ids=BPE)

# Text that is close to the training text, so that merges apply, or any text at all.
near = st.text(st.sampled_from([*sorted(set(ENGLISH + CHINESE)), *"é\u0301\x1c\x85"]))
texts = st.one_of(near, st.text())
sequences = st.lists(st.lists(st.integers(0, 9), max_size=5), min_size=1, max_size=8)


# ---- words


@given(texts)
def test_words_joined_are_the_text(text):
    words = split_words(text)
    assert "".join(words) == text
    assert all(words)


def test_a_word_takes_one_space_with_it():
    assert split_words("a  b\n c, d_1 é!") == ["a", " ", " b", "\n", " c", ",", " d_1", " é", "!"]
    assert split_words("") == []


def test_a_combining_mark_cuts_a_word():
    """The caveat at `WORDS`: no letter to `re`, so composed forms are better off."""
    assert split_words("Cafe\u0301 Café") == ["Cafe", "\u0301", " Café"]
    assert len(split_words("हिन्दी")) == 6


@pytest.mark.parametrize("text", [b"bytes", None, 7, ["a"]])
def test_what_is_no_string_is_named(text):
    with pytest.raises(TypeError, match=f"Expected a str, not {type(text).__name__}"):
        BPE["English"].encode(text)


# ---- training


def learn_slowly(counts: dict[str, int], n_merges: int) -> list[tuple[int, int]]:
    """The definition: count all pairs anew for each merge."""
    words, merges = {word: list(word.encode()) for word in counts}, []
    while len(merges) < n_merges:
        frequency = Counter()
        for word, ids in words.items():
            for pair in pairwise(ids):
                frequency[pair] += counts[word]
        if not frequency:
            break
        merges.append(min(frequency, key=lambda pair: (-frequency[pair], pair)))
        new = 255 + len(merges)
        words = {word: merge_pair(ids, merges[-1], new) for word, ids in words.items()}
    return merges


@given(st.dictionaries(st.text("abc", min_size=1, max_size=9), st.integers(1, 5), max_size=9))
def test_training_follows_the_definition(counts):
    """Three letters: repeated ones overlap, and ties are everywhere."""
    assert learn_merges(counts, 20) == learn_slowly(counts, 20)


def test_a_tie_goes_to_the_smaller_pair_whatever_the_order_of_the_words():
    assert learn_merges({"zy": 2, "ab": 2, "ba": 2}, 1) == [(ord("a"), ord("b"))]


def test_training_twice_gives_the_same_and_a_smaller_one_is_its_beginning():
    large, again = (BytePairEncoding.train(ENGLISH, 290) for _ in range(2))
    assert large.merges == again.merges
    assert BytePairEncoding.train(ENGLISH, 270).merges == large.merges[: 270 - 256]


def test_training_stops_where_every_word_is_one_token():
    bpe = BytePairEncoding.train("abc abc", 10_000)
    assert bpe.encode("abc abc") == [bpe.tokens.index(b"abc"), bpe.tokens.index(b" abc")]
    assert len(bpe.tokens) < 270


def test_merges_do_not_cross_words():
    bpe = BytePairEncoding.train("ab " * 50, 400)
    assert bpe.tokens[256:] == [b"ab", b" ab"]


@pytest.mark.parametrize("size", [255, 0, -1, True, np.int64(255)])
def test_a_vocabulary_smaller_than_the_bytes_is_refused(size):
    with pytest.raises(ValueError, match=f"counts the 256 bytes too, and cannot be {size}"):
        BytePairEncoding.train(ENGLISH, size)


@pytest.mark.parametrize("size", [300.0, "300", None])
def test_a_vocabulary_size_that_is_no_whole_number_is_refused(size):
    with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
        BytePairEncoding.train(ENGLISH, size)


def test_whole_numbers_of_numpy_are_whole_numbers():
    merges = BytePairEncoding.train(ENGLISH, np.int64(290)).merges
    assert merges == BPE["English"].merges
    assert bucket([9, 1, 8, 2], np.int64(2), torch.Generator(), np.int32(1))
    assert pad([np.array([1, 2])], pad_id=np.int64(3), length=3)[0].tolist() == [[1, 2, 3]]


@pytest.mark.parametrize("merges", [[(97, 256)], [(97, 98), (257, 97)], [(-1, 97)]])
def test_a_merge_of_an_id_that_does_not_exist_yet_is_refused(merges):
    with pytest.raises(ValueError, match=f"Merge {len(merges) - 1} may join ids from 0 to"):
        BytePairEncoding(merges)


def test_a_merge_that_is_there_already_is_refused():
    """Its second token could never come out of `encode`."""
    with pytest.raises(ValueError, match=re.escape("Merge 2 repeats merge 0: (1, 2)")):
        BytePairEncoding([(1, 2), (256, 3), (1, 2)])


# ---- encoding and decoding


@every_tokenizer
@given(texts)
def test_decoding_gives_the_text_back(bpe, text):
    ids = bpe.encode(text)
    assert bpe.decode(ids) == text
    assert all(0 <= i < len(bpe.tokens) for i in ids)
    assert b"".join(bpe.tokens[i] for i in ids) == text.encode()


def test_an_empty_text_has_no_tokens():
    assert BPE["English"].encode("") == []
    assert BPE["English"].decode([]) == ""


def test_the_first_256_ids_are_the_bytes():
    assert BPE["bytes"].tokens == [bytes([byte]) for byte in range(256)]
    assert BPE["bytes"].encode("月") == [0xE6, 0x9C, 0x88]


def test_what_was_learned_first_is_merged_first():
    ranks = {(2, 3): 0, (1, 2): 1, (1, 256): 2}
    assert apply_merges([1, 2, 3], ranks) == [258]
    assert apply_merges([1, 2, 1, 2, 3], ranks) == [257, 258]
    assert merge_pair([5, 5, 5], (5, 5), 256) == [256, 5]


def test_half_a_character_is_shown_as_such():
    moon = BPE["bytes"].encode("月")
    assert BPE["bytes"].decode(moon[:2]) == "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("ids", [[-1], [300], [0, 10_000]])
def test_an_id_outside_the_vocabulary_is_named(ids):
    with pytest.raises(ValueError, match=f"Ids go from 0 to 289, but {ids[-1]} came"):
        BPE["English"].decode(ids)


@pytest.mark.parametrize("ids", [["a"], [1.0], [None]])
def test_an_id_that_is_no_whole_number_is_refused(ids):
    with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
        BPE["English"].decode(ids)


def test_decoding_takes_a_tensor():
    ids = torch.tensor(BPE["English"].encode("to be"))
    assert BPE["English"].decode(ids) == "to be"


def test_half_of_a_surrogate_pair_is_refused():
    """Python allows it in a str, UTF-8 does not."""
    with pytest.raises(ValueError, match="surrogates not allowed"):
        BPE["English"].encode("ok \ud83d")
    with pytest.raises(ValueError, match="surrogates not allowed"):
        BytePairEncoding.train("\ud83d" * 2, 300)


# ---- the library


def pattern() -> str:
    """`WORDS` with this Python's own sets spelled out: the library's Unicode has another age."""
    points = range(sys.maxunicode + 1)
    word, space = (
        _ranges([c for c in points if re.match(kind, chr(c))]) for kind in (r"\w", r"\s")
    )
    return rf" ?[{word}]+| ?[^{word}{space}]+|[{space}]+(?![^{space}])|[{space}]+"


def _ranges(points: list[int]) -> str:
    """Sorted code points as the inside of a character class."""
    runs = []
    for point in points:
        if runs and runs[-1][1] == point - 1:
            runs[-1][1] = point
        else:
            runs.append([point, point])
    return "".join(rf"\x{{{low:x}}}-\x{{{high:x}}}" for low, high in runs)


@pytest.fixture(scope="module")
def split():
    return before.Sequence(
        [
            before.Split(Regex(pattern()), "isolated"),
            before.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def as_signs(token: bytes) -> str:
    """The library writes each byte as a visible character: GPT-2's table."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return "".join(chr(b) if b in visible else chr(256 + hidden.index(b)) for b in token)


def library(bpe: BytePairEncoding, split) -> Tokenizer:
    names = [as_signs(token) for token in bpe.tokens]
    merges = [(names[left], names[right]) for left, right in bpe.merges]
    tokenizer = Tokenizer(models.BPE({name: i for i, name in enumerate(names)}, merges))
    tokenizer.pre_tokenizer = split
    return tokenizer


@every_tokenizer
def test_ids_equal_the_library_s(bpe, split):
    """Texts near the training text, random Unicode, and every kind of white space."""
    theirs = library(bpe, split)
    draw = random.Random(5)
    spaces = [chr(c) for c in range(sys.maxunicode + 1) if chr(c).isspace()]
    assigned = [chr(c) for c in range(sys.maxunicode + 1) if unicodedata.category(chr(c))[0] != "C"]
    kinds = [[*ENGLISH, *CHINESE], assigned, [*spaces, *"ab,1²é_", "\u0301", "\u200b"]]
    for signs in kinds:
        for _ in range(40):
            text = "".join(draw.choices(signs, k=80))
            assert bpe.encode(text) == theirs.encode(text).ids, text


# ---- batches


@given(sequences)
def test_padding_adds_and_loses_nothing(rows):
    ids, mask = pad(rows, pad_id=-1)
    assert ids.dtype == torch.int64
    assert ids.shape == mask.shape == (len(rows), max(map(len, rows)))
    assert [row[real].tolist() for row, real in zip(ids, mask, strict=True)] == rows
    assert (ids[~mask] == -1).all()
    assert [real.tolist() for real in mask] == [
        [t < len(row) for t in range(mask.shape[1])] for row in rows
    ]


def test_padding_to_a_given_length():
    ids, mask = pad([[1, 2]], length=4)
    assert ids.tolist() == [[1, 2, 0, 0]]
    assert mask.tolist() == [[True, True, False, False]]


def test_no_sequence_and_a_sequence_that_is_too_long_are_named():
    with pytest.raises(ValueError, match="There is no sequence"):
        pad([])
    with pytest.raises(ValueError, match="3 ids do not fit into 2 positions"):
        pad([[1, 2, 3], [1]], length=2)
    with pytest.raises(ValueError, match="3 ids do not fit into 2 positions"):
        pack([[1], [1, 2, 3]], length=2)


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(1, 7), st.integers(1, 3))
def test_buckets_hold_everything_once(lengths, batch_size, pool):
    batches = bucket(lengths, batch_size, torch.Generator().manual_seed(0), pool)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(len(batch) <= batch_size for batch in batches)


def test_buckets_hold_similar_lengths_and_other_ones_each_time():
    lengths, generator = list(range(64)), torch.Generator().manual_seed(0)
    first, second = (bucket(lengths, 8, generator, pool=4) for _ in range(2))
    assert first != second
    spread = [max(batch) - min(batch) for batch in first]
    assert sum(spread) / len(spread) < 24  # of random batches: about 50


@pytest.mark.parametrize("ids", [[[1.9]], [[1], ["2"]], [[None]]])
def test_padding_refuses_what_is_no_id(ids):
    for batch in (pad, functools.partial(pack, length=2)):
        with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
            batch(ids)
    with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
        pad([[1]], pad_id=0.5)


def test_ids_are_int64_whatever_the_padding():
    assert pad([[1], []], pad_id=False)[0].dtype == torch.int64
    assert pad([[]], length=2)[0].dtype == torch.int64


@pytest.mark.parametrize("setting", [{"batch_size": 0}, {"pool": -1}, {"batch_size": True}])
def test_buckets_of_no_size_are_refused(setting):
    name, value = next(iter(setting.items()))
    arguments = {"batch_size": 2, "pool": 2} | setting
    with pytest.raises(ValueError, match=f"{name} must be a whole number from 1 on, not {value}"):
        bucket([1, 2], generator=torch.Generator(), **arguments)
    with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
        bucket([1, 2], generator=torch.Generator(), **arguments | {name: 2.5})


@given(sequences, st.integers(5, 12))
def test_packing_keeps_every_sequence_whole(rows, length):
    ids, documents = pack(rows, length, pad_id=-1)
    assert ids.shape == documents.shape == (len(ids), length)
    assert ((ids == -1) == (documents == 0)).all()
    found = [
        line[of == number].tolist()
        for line, of in zip(ids, documents, strict=True)
        for number in range(1, of.max().item() + 1)
    ]
    full = [row for row in rows if row]
    assert sorted(filter(None, found)) == sorted(full)
    assert len(ids) <= len(rows)


def test_each_goes_into_the_first_row_with_room():
    ids, documents = pack([[1] * 3, [2] * 3, [3], [4]], length=4)
    assert ids.tolist() == [[1, 1, 1, 3], [2, 2, 2, 4]]
    assert documents.tolist() == [[1, 1, 1, 2], [1, 1, 1, 2]]


def attend(x: torch.Tensor, allowed: torch.Tensor | None = None) -> torch.Tensor:
    return torch.nn.functional.scaled_dot_product_attention(x, x, x, attn_mask=allowed)


def test_a_packed_row_gives_what_its_parts_give_alone():
    rows = [[1, 2, 3], [4, 5], [6, 7, 8, 9], [1]]
    ids, documents = pack(rows, 6)
    table = torch.randn(10, 4, generator=torch.Generator().manual_seed(0)).double()
    together = attend(table[ids], same_document(documents))
    apart = attend(table[ids], (documents > 0)[:, None, :].expand(-1, 6, -1))
    alone = attend(table[torch.tensor([rows[0]])])[0]
    torch.testing.assert_close(together[0, :3], alone, rtol=0, atol=1e-10)
    assert (apart[0, :3] - alone).abs().max() > 1e-2
