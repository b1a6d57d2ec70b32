"""The count model equals a slow one made of dictionaries, and its probabilities sum to one.

python -m pytest tests/test_ngrams.py
"""

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.ngrams import CountModel, discounts

VOCAB = 4
texts = st.lists(st.integers(0, VOCAB - 1), min_size=2, max_size=40)
windows = st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=12)


def slow_discounts(counts: list[int]) -> dict[int, float]:
    """Chen and Goodman 1999, equation 17, number by number."""
    n = {j: max(1, counts.count(j)) for j in (1, 2, 3)} | {4: max(1, counts.count(4))}
    y = n[1] / (n[1] + 2 * n[2])
    return {j: min(max(j - (j + 1) * y * n[j + 1] / n[j], 0.1), j - 0.1) for j in (1, 2, 3)}


def slow_counts(ids: list[int], order: int, length: int) -> Counter:
    """Of each n-gram after a context of `length`: times seen, or different tokens before it."""
    grams = Counter(tuple(ids[i : i + length + 1]) for i in range(len(ids) - length))
    if length == order - 1:
        # Order 1 counts what is predicted: the first token of a text never is.
        return grams if length else Counter((i,) for i in ids[1:])
    return Counter(gram[1:] for gram in {tuple(ids[i : i + length + 2]) for i in range(len(ids))}
                   if len(gram) == length + 2)  # fmt: skip


def slow_probability(ids: list[int], order: int, context: tuple, token: int) -> float:
    """The definition, read aloud: discounted share, plus what is left for the shorter context."""
    lower = (
        slow_probability(ids, order, context[1:], token) if context else 1 / VOCAB
    )  # all tokens are equal where nothing is known
    counts = slow_counts(ids, order, len(context))
    followers = {gram[-1]: n for gram, n in counts.items() if gram[:-1] == context}
    if not followers:
        return lower
    taken = slow_discounts(list(counts.values()))
    total, n = sum(followers.values()), followers.get(token, 0)
    left = sum(taken[min(m, 3)] for m in followers.values())
    return ((n - taken[min(n, 3)] if n else 0) + left * lower) / total


def fast(ids: list[int], order: int, window: list[int]) -> torch.Tensor:
    """Probabilities after the whole window."""
    model = CountModel(torch.tensor(ids), VOCAB, order)
    return model.log_probabilities(torch.tensor([window]))[0, -1].exp()


def test_order_1_by_hand():
    """0 came twice, 1 once; the discounts are 1/3 and 1, and 4/9 is left for two tokens."""
    model = CountModel(torch.tensor([0, 0, 0, 1]), vocab_size=2, order=1)
    p = model.log_probabilities(torch.tensor([[1]])).exp()
    torch.testing.assert_close(p, torch.tensor([[[5 / 9, 4 / 9]]]))


def test_order_2_by_hand():
    """After 0: once 0, twice 1; discounts 0.2 and 1.7. Below: 0 followed two tokens, 1 one."""
    model = CountModel(torch.tensor([0, 1, 0, 1, 0, 0]), vocab_size=2, order=2)
    p = model.log_probabilities(torch.tensor([[0]])).exp()[0, 0]
    left = (0.2 + 1.7) / 3
    torch.testing.assert_close(p, torch.tensor([0.8 / 3 + left * 5 / 9, 0.3 / 3 + left * 4 / 9]))


@settings(max_examples=50)
@given(texts, windows, st.integers(1, 5))
def test_equals_the_slow_model(ids, window, order):
    context = tuple(window[max(0, len(window) - order + 1) :])
    slow = [slow_probability(ids, order, context, token) for token in range(VOCAB)]
    torch.testing.assert_close(fast(ids, order, window), torch.tensor(slow), atol=1e-6, rtol=0)


def test_the_tolerance_would_show_ordinary_counts_in_shorter_contexts():
    """1 always follows 0, so below it counts once: that is the idea of Kneser and Ney."""
    ids = [0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 3, 2, 0, 3]
    p = fast(ids, 2, [1])
    assert p[1] < 0.5 * ids.count(1) / len(ids)
    plain = CountModel(torch.tensor(ids), VOCAB, 1).log_probabilities(torch.tensor([[1]])).exp()
    assert plain[0, 0, 1] > fast(ids, 2, [1])[1] + 0.05


@settings(max_examples=40)
@given(texts, st.lists(windows.filter(lambda w: len(w) == 3), min_size=1, max_size=4))
def test_probabilities_sum_to_one_and_none_is_zero(ids, rows):
    p = CountModel(torch.tensor(ids), VOCAB, 4).log_probabilities(torch.tensor(rows)).exp()
    assert p.shape == (len(rows), 3, VOCAB)
    assert (p > 0).all()
    torch.testing.assert_close(p.sum(-1), torch.ones(p.shape[:2]))


@settings(max_examples=40)
@given(texts, windows, st.integers(0, VOCAB - 1))
def test_nothing_looks_ahead(ids, window, token):
    """What comes later in the row changes nothing before it."""
    model = CountModel(torch.tensor(ids), VOCAB, 4)
    now = model.log_probabilities(torch.tensor([window]))
    later = model.log_probabilities(torch.tensor([[*window, token]]))
    assert torch.equal(now, later[:, :-1])


@settings(max_examples=40)
@given(texts, windows, windows)
def test_only_the_last_tokens_count(ids, window, before):
    """Order 3 looks at two tokens, wherever the row begins."""
    model = CountModel(torch.tensor(ids), VOCAB, 3)
    alone = model.log_probabilities(torch.tensor([window[-2:]]))
    if len(window) >= 2:
        longer = model.log_probabilities(torch.tensor([before + window[-2:]]))
        assert torch.equal(alone[:, -1], longer[:, -1])


def test_discounts_follow_the_counts_of_counts():
    """n = 4, 2, 1, 1, so Y = 4 / 8: 1 - 2·½·2/4, 2 - 3·½·1/2, and 3 - 4·½·1/1."""
    taken = discounts(torch.tensor([1, 1, 1, 1, 2, 2, 3, 4, 7]))
    torch.testing.assert_close(taken, torch.tensor([0.5, 1.25, 1.0], dtype=torch.float64))


@pytest.mark.parametrize(
    ("ids", "order", "error", "message"),
    [
        ([], 3, ValueError, "not empty"),
        ([1], 3, ValueError, "2 or more"),
        ([[1, 2]], 3, ValueError, "ids .time."),
        ([1, 2, 3], 0, ValueError, "at least 1"),
        ([1, 2, 3], 2.5, TypeError, "integer"),
        ([1, VOCAB], 3, ValueError, "from 0 to 3"),
        ([-1, 1], 3, ValueError, "from 0 to 3"),
        ([0.5, 1.0], 3, TypeError, "int64"),
    ],
)
def test_bad_texts_are_named(ids, order, error, message):
    ids = torch.tensor(ids, dtype=None if ids else torch.int64)
    with pytest.raises(error, match=message):
        CountModel(ids, VOCAB, order)


@pytest.mark.parametrize(
    ("ids", "message"), [([[4]], "from 0 to 3"), ([1, 2], "batch, time"), ([[]], "batch, time")]
)
def test_bad_contexts_are_named(ids, message):
    model = CountModel(torch.tensor([0, 1, 2]), VOCAB, 2)
    with pytest.raises(ValueError, match=message):
        model.log_probabilities(torch.tensor(ids).long())


COUNTS = CountModel(torch.tensor([0, 1, 2, 3, 1, 2, 0, 1, 3, 1, 2]), VOCAB, 3)
IDS = torch.tensor([[0, 1, 2], [3, 3, 1]])


def test_by_order_ends_in_the_whole_model_and_begins_without_context():
    every = COUNTS.by_order(IDS)
    assert every.shape == (2, 3, 3, VOCAB)
    assert torch.equal(every[:, :, -1], COUNTS.log_probabilities(IDS))
    assert (every[:, :, 0] == every[0, 0, 0]).all()


def test_length_counts_different_ngrams_of_every_order():
    """a b a b a c: 3 letters, and the pairs ab, ba, ac."""
    assert len(CountModel(torch.tensor([0, 1, 0, 1, 0, 2]), vocab_size=3, order=2)) == 3 + 3
