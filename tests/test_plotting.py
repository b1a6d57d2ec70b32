"""Figures show the values they are given, and their colours can be told apart.

python -m pytest tests/test_plotting.py
"""

import itertools

import matplotlib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.formatters import DisplayFormatter
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose

from helpers import plotting
from helpers.plotting import FACE, INK, PALETTE, annotate_matrix, contrast, show_images, tile

matplotlib.use("agg")


@pytest.fixture(autouse=True)
def style():
    """The book's style in each test, and the old one after it."""
    with matplotlib.rc_context():
        plotting.use_style()
        yield
        plt.close("all")


def drawn(axes) -> np.ndarray:
    """The values that the axes show."""
    return np.asarray(axes.images[0].get_array())


# Colour vision without the red, the green or the blue cone: Machado, Oliveira and Fernandes,
# "A Physiologically-based Model for Simulation of Color Vision Deficiency" (2009), severity 1.
VISION = {
    "normal": np.eye(3),
    "no red cone": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green cone": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no blue cone": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def lab(colour: str, vision: str) -> np.ndarray:
    """CIE L*a*b* (D65) of a colour as that vision sees it."""
    rgb = np.array(matplotlib.colors.to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(VISION[vision]) @ linear, 0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(to_xyz) @ seen / [0.9505, 1, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISION)
def test_any_two_colours_of_the_palette_can_be_told_apart(vision):
    """A difference of 10 in L*a*b* is plain even for thin lines that do not touch."""
    for one, other in itertools.combinations(PALETTE, 2):
        difference = np.linalg.norm(lab(one, vision) - lab(other, vision))
        assert difference > 15, f"{one} and {other}"


def test_every_colour_stands_out_from_the_background():
    """WCAG 2.2 asks 3 of graphics and 4.5 of text."""
    assert min(contrast(colour, FACE) for colour in PALETTE) >= 3
    assert contrast(INK, FACE) >= 4.5


@given(st.sampled_from(PALETTE), st.sampled_from([*PALETTE, FACE, "white"]))
def test_contrast_is_symmetric_and_between_1_and_21(one, other):
    assert contrast(one, other) == contrast(other, one)
    assert 1 <= contrast(one, other) <= contrast("black", "white") == pytest.approx(21)


def test_the_style_reaches_the_saved_figure(tmp_path):
    """7 inches wide, 150 dots per inch, with the light background in its corner."""
    figure, axes = plt.subplots()
    line = axes.plot([0, 1])[0]
    figure.savefig(tmp_path / "figure.png")
    pixels = plt.imread(tmp_path / "figure.png")
    assert pixels.shape[1] == 7 * 150
    assert_allclose(pixels[0, 0], [*matplotlib.colors.to_rgb(FACE), 1], atol=1 / 255)
    assert line.get_color() == PALETTE[0]


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), st.integers(1, 6))
@settings(max_examples=15)
def test_a_grid_shows_every_image_pixel_by_pixel(n, height, width, columns):
    images = torch.rand(n, height, width)
    grid = show_images(images, columns=columns)
    assert len(grid) == n
    for axes, image in zip(grid, images, strict=True):
        assert_allclose(drawn(axes), image)
        assert axes.images[0].get_interpolation() == "nearest"
    assert len({round(axes.get_position().y0, 3) for axes in grid}) == -(-n // columns)
    plt.close("all")


def test_channels_come_last_in_matplotlib_and_one_channel_is_grey():
    colour, grey = torch.rand(2, 3, 4, 5), torch.rand(2, 1, 4, 5)
    assert_allclose(drawn(show_images(colour)[1]), colour[1].permute(1, 2, 0))
    assert_allclose(drawn(show_images(grey)[1]), grey[1, 0])


def test_whole_pixels_are_255_levels_and_lists_may_mix_sizes():
    images = [np.full((2, 3), 51, dtype=np.uint8), torch.full((4, 4), 255, dtype=torch.uint8)]
    grid = show_images(images, titles=["a", 2])
    assert_allclose(drawn(grid[0]), 0.2)
    assert_allclose(drawn(grid[1]), 1)
    assert [axes.get_title() for axes in grid] == ["a", "2"]


@pytest.mark.parametrize(
    ("options", "limits"),
    [
        ({"value_range": None}, (-1, 3)),
        ({"value_range": (-2, 2)}, (-2, 2)),
        ({"diverging": True}, (-3, 3)),
    ],
)
def test_all_images_share_one_scale(options, limits):
    images = torch.tensor([[[-1.0, 0.0]], [[1.0, 3.0]]])
    for axes in show_images(images, **options):
        assert axes.images[0].get_clim() == limits


def test_diverging_has_a_colour_bar_and_white_at_0():
    grid = show_images(torch.tensor([[[-1.0, 0.0, 2.0]]]), diverging=True)
    assert len(grid[0].figure.axes) == 2
    blue, white, red = (grid[0].images[0].to_rgba(value) for value in (-2, 0, 2))
    assert min(white[:3]) > 0.95
    assert blue[2] > blue[0] + 0.3
    assert red[0] > red[2] + 0.2


def test_colours_are_stretched_like_greys():
    images = torch.tensor([0.0, 5.0, 10.0]).view(1, 1, 1, 3).expand(1, 3, 1, 3)
    assert_allclose(drawn(show_images(images, value_range=None)[0])[0, :, 0], [0, 0.5, 1])


@pytest.mark.parametrize(
    ("images", "options", "error", "message"),
    [
        ([], {}, ValueError, "no image to show"),
        (torch.rand(4, 4), {}, ValueError, "put a single image into a list"),
        (torch.rand(1, 2, 4, 4), {}, ValueError, r"1 or 3 channels.*not \(2, 4, 4\)"),
        ([[[0.0]]], {}, TypeError, "a tensor or an array, not list"),
        (torch.rand(2, 4, 4), {"titles": ["a"]}, ValueError, "2 images need .* and 1 came"),
        (torch.rand(2, 4, 4), {"columns": 0}, ValueError, "columns must be at least 1, not 0"),
        (torch.rand(2, 3, 4, 4), {"diverging": True}, ValueError, "colour images cannot"),
        (torch.full((1, 2, 2), 255.0), {}, ValueError, "span 255 to 255, not 0…1: pass value_r"),
        (torch.full((1, 2, 2), torch.nan), {}, ValueError, "not finite"),
    ],
)
def test_show_images_refuses_what_it_cannot_show(images, options, error, message):
    with pytest.raises(error, match=message):
        show_images(images, **options)
    assert not plt.get_fignums()


def test_a_grid_as_last_line_of_a_cell_prints_nothing():
    """The figure is shown already: a second output would break the caption."""
    assert DisplayFormatter().format(show_images(torch.rand(2, 3, 3))) == ({}, {})


def test_numbers_stand_in_their_cells_and_can_be_read():
    matrix = torch.linspace(-1, 1, 15).reshape(3, 5)
    axes = annotate_matrix(show_images([matrix], diverging=True)[0], matrix, "{:.1f}")
    assert len(axes.texts) == 15
    for text in axes.texts:
        column, row = text.get_position()
        value = matrix[row, column].item()
        assert text.get_text() == f"{value:.1f}"
        assert contrast(text.get_color(), axes.images[0].to_rgba(value)) >= 4.4


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (torch.rand(3), r"16 rows and 16 columns, not shape \(3,\)"),
        (torch.rand(17, 2), r"not shape \(17, 2\)"),
        (torch.rand(2, 3), r"shape \(2, 2\), the matrix is \(2, 3\)"),
    ],
)
def test_annotate_matrix_refuses_what_does_not_fit(matrix, message):
    axes = show_images([torch.rand(2, 2)])[0]
    with pytest.raises(ValueError, match=message):
        annotate_matrix(axes, matrix)


def test_a_tile_shows_every_value_in_its_place_with_the_colours_of_show_images():
    images = torch.linspace(-2, 2, 5 * 2 * 3).reshape(5, 2, 3)
    sheet = tile(images, columns=3, limit=2.0, zoom=4)
    assert sheet.shape == (4 * (2 + 1 + 2), 4 * (3 + 1 + 3 + 1 + 3), 3)
    assert sheet.dtype == np.uint8
    shown = show_images(images, columns=3, diverging=True)
    for i, axes in enumerate(shown):
        colours = axes.images[0].to_rgba(drawn(axes), bytes=True)[..., :3]
        top, left = 4 * 3 * (i // 3), 4 * 4 * (i % 3)
        for row, column in itertools.product(range(8), range(12)):
            pixel = sheet[top + row, left + column]
            assert_allclose(pixel, colours[row // 4, column // 4], atol=1)
    assert (sheet[8:12] == 255).all()  # white between the rows of images
    assert (sheet[12:, 32:] == 255).all()  # and where there is no image


@pytest.mark.parametrize(
    ("images", "limit"),
    [
        (torch.rand(3, 3), 1.0),
        (torch.rand(0, 3, 3), 1.0),
        (torch.rand(1, 3, 3), 0.0),
        (torch.rand(1, 3, 3), float("nan")),
    ],
)
def test_tile_refuses_what_it_cannot_draw(images, limit):
    with pytest.raises(ValueError, match=r"Expected images \(n, height, width\) and a limit"):
        tile(images, columns=1, limit=limit)
