"""ReceptiveField in Python: what it refuses, what it computes, the picture that it prints.

pytest tests/test_receptive_field.py
"""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from helpers.widgets import ReceptiveField, static_html
from tests.browser.cases.receptive_field import paths, shortest_input, top_units
from tests.explorables import assert_refused

STACKS = [
    [[3, 1, 1]],
    [[1, 3, 4]],
    [[3, 1, 1], [2, 2, 1]],
    [[3, 1, 2]] * 3,
    [[2, 3, 1], [3, 1, 4], [2, 2, 2]],
    [[7, 3, 4]] * 5,
]


@pytest.mark.parametrize("layers", STACKS, ids=str)
def test_path_counts_are_gradients_of_a_convolution_of_ones(layers):
    """At the chosen unit of every row, and every input position."""
    field = ReceptiveField(layers)
    length = shortest_input(layers, top_units(layers))
    for layer in range(1, len(layers) + 1):
        field.layer = layer
        _, unit = field.chosen()
        assert field.path_counts().tolist() == paths(layers[:layer], length, unit)
        assert field.path_counts().dtype == np.int64


@pytest.mark.parametrize("layers", STACKS, ids=str)
def test_jump_and_field_are_distances_between_gradients(layers):
    for depth, (jump, size) in enumerate(ReceptiveField(layers).fields(), start=1):
        length = shortest_input(layers[:depth], 2)
        first, second = (np.flatnonzero(paths(layers[:depth], length, unit)) for unit in (0, 1))
        assert jump == second[0] - first[0]
        assert size == first[-1] - first[0] + 1


def test_paths_of_a_row_between():
    """Three 3×3 layers: two layers below the chosen unit, the counts are 1 2 3 2 1."""
    field = ReceptiveField([(3, 1, 1)] * 3)
    assert field.path_counts(row=1).tolist() == [0, 0, 1, 2, 3, 2, 1, 0, 0]
    assert field.path_counts(row=3).tolist() == [0, 0, 1, 0, 0]


def test_chosen_unit_is_the_middle_of_the_top_row_until_one_is_given():
    field = ReceptiveField([(3, 1, 1)] * 2)
    assert field.chosen() == (2, 2)
    field.layers = [(3, 2, 1)] * 3  # three units are left in the top row
    assert field.chosen() == (3, 1)
    field.unit, field.layer = 9, 7  # past the end: the last one
    assert field.chosen() == (3, 2)
    assert ReceptiveField([(3, 1, 1)], unit=4).chosen() == (1, 4)


def test_whole_numbers_of_numpy_become_plain_ones():
    """What a trait holds must be what JSON can carry."""
    field = ReceptiveField(tuple(map(tuple, np.array([[3, 1, 1], [2, 2, 1]]))), unit=np.int64(1))
    assert field.layers == [[3, 1, 1], [2, 2, 1]]
    assert {type(n) for layer in field.layers for n in layer} | {type(field.unit)} == {int}


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        ("3x3", TypeError, r"list of 1 to 5 \(kernel, stride, dilation\) triples; got str\."),
        (torch.ones(2, 3), TypeError, r"got Tensor\."),
        (None, TypeError, r"got NoneType\."),
        ([], ValueError, r"list of 1 to 5 .* triples; got 0 of them\."),
        ([(3, 1, 1)] * 6, ValueError, r"got 6 of them\."),
        ([(3, 1, 1), (3, 1)], ValueError, r"layers\[1\] should be \(kernel, .*got \(3, 1\)\."),
        ([3, 1, 1], ValueError, r"layers\[0\] should be .* three numbers; got 3\."),
        ([(8, 1, 1)], ValueError, r"^kernel of layers\[0\] should be .* from 1 to 7; got 8\."),
        ([(0, 1, 1)], ValueError, r"a whole number from 1 to 7; got 0\."),
        ([(3, 1, 1), (3, 4, 1)], ValueError, r"^stride of layers\[1\] .* from 1 to 3; got 4\."),
        ([(3, 1, 5)], ValueError, r"^dilation of .* from 1 to 4; got 5\."),
        ([(3, 1.0, 1)], ValueError, r"^stride of .* from 1 to 3; got 1\.0\."),
        ([(3, True, 1)], ValueError, r"^stride of .* from 1 to 3; got True\."),
    ],
)
def test_wrong_layers_are_refused_and_change_nothing(layers, error, message):
    with pytest.raises(error, match=message):
        ReceptiveField(layers)
    assert_refused(ReceptiveField([(3, 1, 1)]), "layers", layers, message, error)


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("unit", -1, r"unit should be a whole number from 0 on, or None; got -1\."),
        ("unit", 1.5, r"unit should be a whole number .*got 1\.5\."),
        ("unit", True, r"got True\."),
        ("layer", 0, r"layer should be a whole number from 1 on, or None; got 0\."),
        ("layer", "top", r"got 'top'\."),
    ],
)
def test_wrong_places_are_refused_and_change_nothing(trait, value, message):
    assert_refused(ReceptiveField([(3, 1, 1)]), trait, value, message)


def test_unit_outside_the_top_row_is_refused():
    with pytest.raises(ValueError, match=r"unit should be .* from 0 to 4, or None; got 5\."):
        ReceptiveField([(3, 1, 1)], unit=5)
    with pytest.raises(ValueError, match=r"from 0 to 0, or None; got 1\."):
        ReceptiveField([(7, 3, 4)] * 5, unit=1)


@pytest.mark.parametrize("layers", STACKS, ids=str)
def test_static_picture_shows_the_counts(layers):
    field = ReceptiveField(layers)
    figure = field.static_figure()
    assert isinstance(figure, Figure)
    heights = [bar.get_height() for bar in figure.axes[1].patches]
    assert heights == field.path_counts().tolist()
    assert len(static_html(field)) < 400_000


def test_static_picture_follows_the_state():
    field = ReceptiveField([(3, 1, 1)] * 2)
    before = static_html(field)
    field.unit = 0
    assert static_html(field) != before


def test_description_says_what_is_reached_and_what_is_missed():
    field = ReceptiveField([(3, 1, 2)] * 3)
    text = field.alt_text()
    assert len(text.split()) >= 8
    assert "spans 13 input positions, from 2 to 14, and uses 7 of them" in text
    assert "misses 3, 5, 7, 9, 11, 13." in text
    assert "1, 3, 6, 7, 6, 3, 1" in text
    assert "on all from 2 to 8" in ReceptiveField([(3, 1, 1)] * 3).alt_text()
    assert "depends on position 6 alone" in ReceptiveField([(1, 3, 1)]).alt_text()
    assert "and 2166 more" in ReceptiveField([(7, 3, 4)] * 5).alt_text()
