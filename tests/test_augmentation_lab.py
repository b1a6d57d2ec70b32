"""AugmentationLab in Python: torch's picture, reproducible draws, bad input, the still picture.

pytest tests/test_augmentation_lab.py
"""

import io
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.widgets import AugmentationLab, static_html
from helpers.widgets._augmentation import DRAWN, FILLS, LIMITS, ORIGINAL, normals
from tests.browser.cases.augmentation_lab import expected
from tests.explorables import assert_refused

LIMITS_OF = {name: (float(low), float(high)) for name, (low, high) in LIMITS.items()}


def photo(height: int = 30, width: int = 40) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=generator)


def lab(height: int = 30, width: int = 40, **given) -> AugmentationLab:
    return AugmentationLab({"dots": photo(height, width)}, **given)


@settings(max_examples=60)
@given(
    st.tuples(st.integers(16, 24), st.integers(16, 24)),
    st.fixed_dictionaries({name: st.floats(*limits) for name, limits in LIMITS_OF.items()}),
    st.booleans(),
    st.sampled_from(FILLS),
    st.integers(0, 999_999),
)
def test_picture_and_shares_are_those_of_torch(shape, numbers, flip, fill, seed):
    chosen = {**numbers, "flip": flip, "fill": fill, "seed": seed}
    found, wanted = lab(*shape, **chosen).augmented(), expected(photo(*shape), chosen)
    exact = 255 * wanted.values.clamp(0, 1).numpy() + 0.5
    assert (np.floor(exact - 1e-6) <= found.levels).all()
    assert (found.levels <= np.floor(exact + 1e-6)).all()
    lost = [(wanted.values < -1e-9), (wanted.values > 1 + 1e-9)]
    for share, cut in zip((found.low, found.high), lost, strict=True):
        # A value may lie within rounding of the limit: at most one in a picture.
        np.testing.assert_allclose(
            share, cut.double().mean(dim=(1, 2)), atol=1.1 / math.prod(shape)
        )
    assert found.outside == pytest.approx(wanted.outside, abs=1.1 / math.prod(shape))


def test_without_settings_it_is_the_original():
    found = lab().augmented()
    np.testing.assert_array_equal(found.levels, photo())
    assert (found.low.sum(), found.high.sum(), found.outside) == (0, 0, 0)
    assert lab().settings() == {**ORIGINAL, "seed": 0}
    assert lab().alt_text().split("Changed settings: ")[1].startswith("none. This is the original")


def test_flip_and_turns_move_whole_pixels():
    square = photo(20, 20)
    for given_, wanted in (
        ({"flip": True}, square.flip(2)),
        ({"rotation": 90}, square.rot90(1, (1, 2))),  # against the clock
        ({"rotation": 180}, square.rot90(2, (1, 2))),
        ({"flip": True, "rotation": -90}, square.flip(2).rot90(-1, (1, 2))),
    ):
        np.testing.assert_array_equal(lab(20, 20, **given_).augmented().levels, wanted)
    right = lab(20, 20, shift_right=0.25, shift_down=-0.1).augmented()
    np.testing.assert_array_equal(right.levels[:, :18, 5:], square[:, 2:, :15])
    assert right.levels[:, 18:].max() == right.levels[:, :, :5].max() == 0
    assert right.outside == pytest.approx(1 - 0.75 * 0.9)


def test_values_are_cut_off_where_they_are_too_bright():
    """By hand: of three grey stripes at 0, 0.4 and 0.8, adding 0.3 cuts the last one."""
    stripes = torch.tensor([0, 102, 204], dtype=torch.uint8).repeat_interleave(8)
    image = stripes.expand(3, 16, -1).contiguous()
    found = AugmentationLab({"stripes": image}, brightness=0.3).augmented()
    assert np.unique(found.levels).tolist() == [77, 179, 255]  # 76.5 and 178.5 are rounded up
    np.testing.assert_allclose([*found.low, *found.high], [0, 0, 0, 1 / 3, 1 / 3, 1 / 3])
    words = AugmentationLab({"stripes": image}, brightness=0.3).alt_text()
    assert "33.3 % of the values were cut off at 255." in words
    assert "Every pixel comes from inside the picture." in words


def test_contrast_zero_leaves_the_mean():
    levels = lab(contrast=0).augmented().levels
    assert np.unique(levels).tolist() == [math.floor(photo().double().mean() + 0.5)]


def test_erased_square_is_black_and_inside():
    for across, down in ((0, 0), (1, 1), (0.5, 0.25)):
        found = lab(erased_size=0.5, erased_right=across, erased_down=down).augmented().levels
        top, left = math.floor(15 * down + 0.5), math.floor(25 * across + 0.5)
        wanted = photo().clone()
        wanted[:, top : top + 15, left : left + 15] = 0
        np.testing.assert_array_equal(found, wanted)


def test_noise_has_the_deviation_that_is_asked_for_and_comes_back():
    grey = torch.full((3, 100, 100), 128, dtype=torch.uint8)
    first = AugmentationLab({"grey": grey}, noise=0.1, seed=3).augmented().levels
    again = AugmentationLab({"grey": grey}, noise=0.1, seed=3).augmented().levels
    other = AugmentationLab({"grey": grey}, noise=0.1, seed=4).augmented().levels
    np.testing.assert_array_equal(first, again)
    assert abs(first.mean() - 128) < 0.6  # four standard errors
    assert abs(first.std() - 25.5) < 0.45
    pairs = [(first, other), (first[0], first[1]), (first[:, 1:], first[:, :-1])]
    for one, two in pairs:
        assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.04


@pytest.mark.parametrize("count", [1, 2, 7])
def test_normal_numbers_come_in_any_count(count):
    assert normals(5, count).shape == (count,)
    assert normals(5, count)[0] == normals(5, count)[0]


def test_draws_stay_in_their_ranges_and_fill_them():
    draws = [AugmentationLab.draw(seed) for seed in range(400)]
    for name, (low, high, parts) in DRAWN.items():
        found = np.array([draw[name] for draw in draws])
        assert low <= found.min() < low + 0.05 * (high - low)
        assert high >= found.max() > high - 0.05 * (high - low)
        np.testing.assert_allclose(found * parts, np.round(found * parts), atol=1e-9)
        assert LIMITS[name][0] <= low < high <= LIMITS[name][1]
    assert 160 < sum(draw["flip"] for draw in draws) < 240
    assert AugmentationLab.draw(7) == AugmentationLab.draw(7) != AugmentationLab.draw(8)


def test_a_draw_can_be_given_back():
    drawn = AugmentationLab.draw(7)
    held = lab(**drawn, fill="reflected").settings()
    assert held == {**drawn, "fill": "reflected"}


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (photo().float(), r"'x' should be uint8 of shape \(3, height, width\).* got float32"),
        (photo()[0], r"16 to 160 pixels; got uint8 of shape \(30, 40\)\."),
        (photo()[:1], r"got uint8 of shape \(1, 30, 40\)"),
        (photo().permute(1, 2, 0), r"got uint8 of shape \(30, 40, 3\)"),
        (photo(15), r"got uint8 of shape \(3, 15, 40\)"),
        (photo(30, 161), r"got uint8 of shape \(3, 30, 161\)"),
        (None, r"got object of shape \(\)"),
    ],
)
def test_wrong_pictures_are_refused(image, message):
    with pytest.raises(ValueError, match=message):
        AugmentationLab({"x": image})


@pytest.mark.parametrize("name", LIMITS)
def test_numbers_outside_their_range_are_refused_and_change_nothing(name):
    low, high = LIMITS[name]
    here = lab()
    for value in (low - 0.01, high + 0.01, math.nan, math.inf, "1", True, None, [1.0]):
        assert_refused(here, name, value, rf"^{name} should be a number from .* to .*; got ")
        with pytest.raises(ValueError, match=rf"^{name} should be a number"):
            lab(**{name: value})
    for value in (low, high, np.float32(high), np.int64(high)):
        setattr(here, name, value)
        assert getattr(here, name) == value
        assert type(getattr(here, name)) is float


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("flip", 1, "flip should be True or False; got 1"),
        ("flip", None, "flip should be True or False; got None"),
        ("fill", "white", "fill should be one of 'black', 'reflected'; got 'white'"),
        ("fill", None, "got None"),
        ("image_name", "dog", "image_name should be one of 'dots'; got 'dog'"),
        ("seed", -1, "seed should be a whole number from 0 to 999999; got -1"),
        ("seed", 10**6, "got 1000000"),
        ("seed", 1.0, r"got 1\.0"),
        ("seed", True, "got True"),
    ],
)
def test_wrong_choices_are_refused_and_change_nothing(trait, value, message):
    assert_refused(lab(), trait, value, message)


def test_wrong_draws_and_unknown_settings_are_refused():
    with pytest.raises(ValueError, match="seed should be a whole number from 0 to 999999; got -1"):
        AugmentationLab.draw(-1)
    with pytest.raises(
        TypeError, match=r"A setting should be one of image_name, .* got angle, hue"
    ):
        lab(hue=0.1, angle=3)
    with pytest.raises(TypeError, match="dictionary from name to picture"):
        AugmentationLab(photo())


def test_later_changes_of_the_given_picture_change_nothing():
    image = photo().numpy()
    here = AugmentationLab({"dots": image})
    before = here.augmented().levels
    image[:] = 0
    np.testing.assert_array_equal(here.augmented().levels, before)


def test_still_picture_shows_histograms_and_words():
    here = lab(brightness=0.4, rotation=10)
    figure, found = here.static_figure(), here.augmented()
    assert "% of the pixels lie outside the picture and were filled with black." in here.alt_text()
    assert figure.get_supxlabel().replace("\n", " ") in here.alt_text()
    pictures = [photo().numpy(), found.levels]
    for column in range(2):
        drawn = figure.axes[column].images[0].get_array()
        np.testing.assert_array_equal(drawn, pictures[column].transpose(1, 2, 0))
        for channel in range(3):
            bars = figure.axes[2 + 2 * channel + column].patches[0].get_data().values
            levels = torch.tensor(pictures[column][channel]).double()
            shares = torch.histc(levels, bins=64, min=0, max=256) / levels.numel()
            np.testing.assert_allclose(bars, 100 * shares)
    cut = [bar.get_height() for bar in figure.axes[3].containers[0]]
    np.testing.assert_allclose(cut, [100 * found.low[0], 100 * found.high[0]])
    assert cut[1] > 1


def test_still_picture_follows_the_state():
    here = lab()
    before = static_html(here)
    here.zoom = 1.5
    assert static_html(here) != before


@pytest.mark.parametrize("level", [0, 128, 255])
def test_blank_and_largest_picture_are_drawn(level):
    image = torch.full((3, 160, 160), level, dtype=torch.uint8)
    here = AugmentationLab({"blank": image}, **AugmentationLab.draw(2))
    here.static_figure().savefig(io.BytesIO(), dpi=110)
    assert len(static_html(here)) < 400_000
    AugmentationLab({"blank": image}).static_figure().savefig(io.BytesIO(), dpi=110)
