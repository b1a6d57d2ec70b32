"""SlidingWindow in Python: averages as torch's, bad input, the still picture and its words.

pytest tests/test_sliding_window.py
"""

import io
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.widgets import SlidingWindow, static_html
from tests.explorables import assert_refused

NAMES = {"kernel": (1, 5), "padding": (0, 3), "stride": (1, 3), "dilation": (1, 3)}


def photo(height: int = 8, width: int = 8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (height, width), dtype=torch.uint8, generator=generator)


def expected(image: torch.Tensor, kernel=3, padding=0, stride=1, dilation=1) -> torch.Tensor:
    weight = torch.full((1, 1, kernel, kernel), 1 / kernel**2, dtype=torch.float64)
    image = image[None, None].double() / 255
    return torch.nn.functional.conv2d(image, weight, None, stride, padding, dilation)[0, 0]


@settings(max_examples=60)
@given(
    st.tuples(st.integers(4, 12), st.integers(4, 12)),
    st.fixed_dictionaries({name: st.integers(*ends) for name, ends in NAMES.items()}),
)
def test_averages_are_those_of_conv2d(shape, chosen):
    window = SlidingWindow(photo(*shape), **chosen)
    if chosen["dilation"] * (chosen["kernel"] - 1) + 1 > min(shape) + 2 * chosen["padding"]:
        assert window.averages().shape == (0, 0)
    else:
        torch.testing.assert_close(
            torch.tensor(window.averages()), expected(photo(*shape), **chosen), rtol=0, atol=1e-12
        )


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (photo().float(), r"uint8 of shape .* got float32 of shape \(8, 8\)\."),
        (photo()[None], r"got uint8 of shape \(1, 8, 8\)"),
        (photo(3, 8), r"each 4 to 12 cells; got uint8 of shape \(3, 8\)"),
        (photo(8, 13), r"got uint8 of shape \(8, 13\)"),
        (None, r"got object of shape \(\)"),
    ],
)
def test_wrong_images_are_refused(image, message):
    with pytest.raises(ValueError, match=message):
        SlidingWindow(image)


@pytest.mark.parametrize("name", NAMES)
def test_settings_outside_their_range_are_refused_and_change_nothing(name):
    low, high = NAMES[name]
    window = SlidingWindow(photo())
    message = rf"^{name} should be a whole number from {low} to {high}; got .*\.$"
    for value in (low - 1, high + 1, 2.0, "2", True, None):
        assert_refused(window, name, value, message)
        with pytest.raises(ValueError, match=message):
            SlidingWindow(photo(), **{name: value})
    for value in (low, high, np.int64(high)):
        setattr(window, name, value)
        assert getattr(window, name) == value


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({"row": 3}, "row should be a whole number from 0 to 2; got 3"),
        ({"column": 2}, "column should be a whole number from 0 to 1; got 2"),
        ({"row": -1}, "row should be .* got -1"),
        ({"column": 0.0}, r"column should be .* got 0\.0"),
        ({"kernel": 5, "dilation": 3, "row": 1}, "row should be .* from 0 to 0; got 1"),
    ],
)
def test_places_outside_the_output_are_refused(place, message):
    with pytest.raises(ValueError, match=message):
        SlidingWindow(photo(8, 6), **{"stride": 2} | place)


def test_a_place_stays_within_the_largest_output():
    window = SlidingWindow(photo(8, 6))
    for name, last in (("row", 13), ("column", 11)):
        setattr(window, name, last)
        with pytest.raises(ValueError, match=rf"{name} should be .* from 0 to {last}; got"):
            setattr(window, name, last + 1)


def test_given_state_is_kept():
    window = SlidingWindow(photo(), kernel=2, padding=1, stride=3, dilation=2, row=2, column=1)
    chosen = (window.kernel, window.padding, window.stride, window.dilation)
    assert (*chosen, window.row, window.column) == (2, 1, 3, 2, 2, 1)


def test_later_changes_of_the_given_image_change_nothing():
    image = photo().numpy()
    window = SlidingWindow(image)
    before = window.averages()
    image[:] = 0
    np.testing.assert_array_equal(window.averages(), before)


def test_picture_says_what_it_shows():
    """By hand: windows start at rows and columns −1, 1, 3, 5; row and column 8 are padding."""
    window = SlidingWindow(photo(), padding=1, stride=2, row=0, column=1)
    mean = f"{photo()[:2, 1:4].sum().item() / 9 / 255:.3f}"
    words = (
        f"Output row 0, column 1 is {mean}: the average of input rows −1, 0, 1 and columns "
        "1, 2, 3. Padding under this window: 3 of 9 cells. Input cells under no window: 0 of 64."
    )
    assert window.alt_text().endswith(words)
    figure = window.static_figure()
    assert figure.get_suptitle() == "Height and width: ⌊(8 + 2·1 − 1·(3 − 1) − 1) / 2⌋ + 1 = 4"
    assert [ax.get_title() for ax in figure.axes] == [
        "Input: 8 × 8 cells, padded 10 × 10",
        "Output: 4 × 4 cells",
    ]
    assert marked(figure, "o") == list(itertools.product([-1, 0, 1], [1, 2, 3]))
    assert marked(figure, "x") == [
        (r, c) for r in range(-1, 9) for c in range(-1, 9) if 8 in (r, c)
    ]


def test_picture_counts_cells_that_a_wide_stride_leaves_out():
    """By hand: of 8 rows and columns, windows of 2 with stride 3 leave out 2 and 5."""
    window = SlidingWindow(photo(), kernel=2, stride=3)
    assert window.alt_text().endswith("under no window: 28 of 64.")
    left_out = [(r, c) for r in range(8) for c in range(8) if {r, c} & {2, 5}]
    assert marked(window.static_figure(), "x") == left_out


def test_picture_where_the_window_fits_nowhere():
    window = SlidingWindow(photo(8, 6), kernel=4, dilation=2)
    assert "spans 7 × 7 cells, the padded input has 8 × 6: it fits nowhere" in window.alt_text()
    assert window.alt_text().endswith("under no window: 48 of 48.")
    figure = window.static_figure()
    assert figure.axes[1].get_title() == "Output: no output"
    assert [line.rsplit(" = ", 1)[1] for line in figure.get_suptitle().split("\n")] == ["2", "0"]
    assert marked(figure, "o") == []


def test_a_place_beyond_the_output_is_shown_as_the_last_one():
    window = SlidingWindow(photo(), row=5, column=5)
    window.stride = 3
    assert "Output row 1, column 1 is " in window.alt_text()
    window.stride = 1
    assert "Output row 5, column 5 is " in window.alt_text()


@pytest.mark.parametrize(("kernel", "last"), [(1, "the cell in"), (2, "the average of")])
def test_one_cell_is_no_average(kernel, last):
    assert last in SlidingWindow(photo(), kernel=kernel).alt_text()


@pytest.mark.parametrize("side", [4, 12])
def test_largest_and_smallest_picture_are_drawn(side):
    window = SlidingWindow(photo(side, side), kernel=1, padding=3, stride=2)
    window.static_figure().savefig(io.BytesIO(), dpi=110)
    assert len(static_html(window)) < 400_000


def marked(figure, marker: str) -> list[tuple[int, int]]:
    """(row, column) of the cells of the input with a mark of this form, in order."""
    lines = [line for line in figure.axes[0].lines if line.get_marker() == marker]
    return sorted({(int(line.get_ydata()[0]), int(line.get_xdata()[0])) for line in lines})
