"""RotaryArrows in Python: what it refuses, the products that it prints, its picture.

pytest tests/test_rotary_arrows.py
"""

import math

import numpy as np
import pytest
import torch

from helpers.widgets import RotaryArrows
from tests.browser.cases.rotary_arrows import LAST, torch_product, torch_terms
from tests.explorables import assert_refused

QUERY = torch.randn(8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
KEY = torch.randn(8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("base", [100, 10_000, 100_000])
def test_products_are_those_of_rotate(base):
    arrows = RotaryArrows(QUERY, KEY, base=base)
    for m, n in ((0, 0), (5, 2), (2, 5), (127, 0), (90, 46)):
        expected = torch_product(QUERY, KEY, m, n, base)
        np.testing.assert_allclose(arrows.shares(m - n), expected, rtol=0, atol=2e-6)
        added = sum(torch_terms(QUERY, KEY, m, n, base))
        assert arrows.added_product(m, n) == pytest.approx(added, abs=2e-6)


def test_turned_keeps_the_product_where_added_does_not():
    """The other way round, this explorable would show the opposite of its lesson."""
    places = [(m, m - 18) for m in range(18, 128)]
    turned = [float(torch_product(QUERY, KEY, m, n, 10_000).sum()) for m, n in places]
    added = [RotaryArrows(QUERY, KEY).added_product(m, n) for m, n in places]
    assert max(turned) - min(turned) < 5e-6
    assert max(added) - min(added) > 1


def test_places_keep_the_distance_and_lie_on_the_axis():
    arrows = RotaryArrows(query_position=10, key_position=40)
    places = arrows.places()
    assert len(places) == LAST + 1 - 30
    assert {m - n for m, n in places} == {-30}
    assert (min(map(min, places)), max(map(max, places))) == (0, LAST)


def test_pairs_of_the_ready_vectors_are_cut_from_both_halves():
    arrows = RotaryArrows(pairs=4)
    assert [len(vector) for vector in arrows.chosen()] == [8, 8]
    assert arrows.chosen()[0].tolist() == [1] * 4 + [0] * 4
    arrows.vectors, arrows.pairs = "drawn", 6
    expected = np.array(arrows.choices["drawn"]["key"])[[0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13]]
    np.testing.assert_array_equal(arrows.chosen()[1], expected)
    given = RotaryArrows(QUERY, KEY, pairs=4)
    assert given.vectors == "given"
    np.testing.assert_array_equal(given.chosen()[0], QUERY)


def test_fastest_pair_is_nearly_back_at_44():
    """The folded answer of the chapter: no other distance up to 127 but 88 comes as near."""
    near = {d: RotaryArrows().shares(d)[0] for d in range(1, LAST + 1)}
    best = sorted(near, key=near.get, reverse=True)[:2]
    assert best == [44, 88]
    assert RotaryArrows().shares(44) == pytest.approx(
        [0.99984, -0.30733, 0.90475, 0.99903], abs=1e-5
    )


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"query": QUERY}, TypeError, "query and key should be given together"),
        ({"query": QUERY[:7], "key": KEY}, ValueError, r"query should be an even .*got shape \(7,"),
        ({"query": QUERY, "key": KEY[:2]}, ValueError, r"key should be an even .*4 to 32; .*\(2,"),
        ({"query": QUERY, "key": KEY[:6]}, ValueError, "equally long; got 8 and 6 numbers"),
        (
            {"query": QUERY, "key": KEY * math.nan},
            ValueError,
            "key should be an even number of fin",
        ),
        ({"query": "words", "key": KEY}, ValueError, "query should be an even .*; got 'words'"),
        (
            {"query": torch.ones(8, requires_grad=True), "key": KEY},
            ValueError,
            "query should be an even .*got a tensor that needs a gradient",
        ),
        (
            {"base": np.array([1, 2])},
            ValueError,
            r"base .*got array\(\[1, 2\]\)\.",
        ),
        ({"query": QUERY[None], "key": KEY}, ValueError, r"got shape \(1, 8\)"),
        ({"query_position": 128}, ValueError, r"query_position .* from 0 to 127; got 128\."),
        ({"key_position": -1}, ValueError, r"key_position .*got -1\."),
        ({"key_position": 1.5}, ValueError, r"key_position .*got 1\.5\."),
        ({"base": 1000}, ValueError, r"base should be one of 100, 10000, 100000; got 1000\."),
        ({"pairs": 5}, ValueError, r"pairs should be one of 4, 6, 8; got 5\."),
        ({"pair": True}, ValueError, r"pair should be a whole number from 0 to 15; got True\."),
    ],
)
def test_wrong_settings_are_refused(given, error, message):
    with pytest.raises(error, match=message):
        RotaryArrows(**given)


def test_vectors_that_were_not_given_cannot_be_chosen():
    message = r"vectors should be one of 'alike', 'drawn'; got 'given'\."
    assert_refused(RotaryArrows(), "vectors", "given", message)


def test_picture_shows_both_curves_and_every_pair():
    arrows = RotaryArrows(QUERY, KEY, query_position=30, key_position=12)
    *circles, curve, shift = arrows.static_figure().axes
    assert len(circles) == 4
    drawn = dict(zip(*curve.lines[0].get_data(), strict=True))
    for distance in (-127, 18, 127):
        assert drawn[distance] == pytest.approx(arrows.product(distance), abs=1e-12)
    flat, added = (line.get_ydata() for line in shift.lines[:2])
    assert np.ptp(flat) == 0
    assert added[12] == pytest.approx(arrows.added_product(30, 12))


def test_description_holds_the_numbers():
    arrows = RotaryArrows(query_position=3, key_position=10)
    text = arrows.alt_text()
    assert (
        f"Distance −7: turned, the product is {arrows.product(-7):.2f} at each of the 121" in text
    )
    assert "cannot move" in RotaryArrows(query_position=127, key_position=0).alt_text()
