"""Broadcasting in Python: what it accepts, what it computes, its texts, its still picture.

pytest tests/test_broadcasting.py
"""

import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.widgets import Broadcasting, static_html
from tests.explorables import assert_refused

COMMENT = re.compile(r"^\s*/\*\*.*?\*/|(?<!\S)// [^\n]*", re.DOTALL | re.MULTILINE)


def counted(shape, step: int) -> torch.Tensor:
    return step * torch.arange(1, torch.Size(shape).numel() + 1).view(tuple(shape))


def random_shape(rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(rng.integers(1, 5, size=rng.integers(0, 4)).tolist())


def test_it_opens_with_a_column_and_a_row():
    lesson = Broadcasting()
    assert (lesson.first, lesson.second, lesson.operation) == ([4, 1], [3], "add")
    assert (lesson.mode, lesson.axes, lesson.keepdim) == ("combine", [0], False)


@pytest.mark.parametrize("operation", ["add", "subtract", "multiply"])
def test_combined_result_is_torch_s_and_none_where_torch_refuses(operation):
    rng = np.random.default_rng(0)
    outcomes = set()
    for _ in range(100):
        first, second = random_shape(rng), random_shape(rng)
        result = Broadcasting(first, second, operation=operation).result()
        outcomes.add(result is None)
        try:
            expected = getattr(torch, operation)(counted(first, 10), counted(second, 1))
        except RuntimeError:
            assert result is None
        else:
            torch.testing.assert_close(torch.tensor(result), expected, rtol=0, atol=0)
    assert outcomes == {True, False}


@pytest.mark.parametrize("keepdim", [False, True])
def test_sum_is_torch_s(keepdim):
    lesson = Broadcasting((2, 3, 4))
    lesson.mode, lesson.keepdim = "sum", keepdim
    for axes in ([0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]):
        lesson.axes = axes
        expected = counted((2, 3, 4), 10).sum(dim=axes, keepdim=keepdim)
        torch.testing.assert_close(torch.tensor(lesson.result()), expected, rtol=0, atol=0)


def test_sum_ignores_axes_that_the_tensor_does_not_have():
    lesson = Broadcasting((2, 3))
    lesson.mode, lesson.axes = "sum", [2, 0]
    assert lesson.axes == [0, 2]
    assert lesson.result().tolist() == [50, 70, 90]


def test_marked_cells_are_those_that_the_result_was_made_of():
    """The sum of the marked cells of A and B is the chosen cell of the result."""
    rng = np.random.default_rng(1)
    for _ in range(50):
        lesson = Broadcasting(random_shape(rng), random_shape(rng))
        lesson.mode = rng.choice(["combine", "sum"])
        lesson.keepdim, lesson.cell = bool(rng.random() < 0.5), rng.integers(0, 4, 3).tolist()
        lesson.axes = [axis for axis in range(3) if rng.random() < 0.5]
        *sources, (_, result, chosen) = lesson._tensors()
        if lesson.result() is None:
            continue
        assert chosen.sum() == 1
        assert sum(values[marked].sum() for _, values, marked in sources) == result[chosen].item()


@pytest.mark.parametrize("name", ["first", "second"])
@pytest.mark.parametrize("shape", [(5,), (0, 2), (1, 1, 1, 1), (2.0,), "34", 3, (True,), None])
def test_wrong_shapes_are_refused(name, shape):
    expected = rf"{name} should be a tuple of at most 3 whole numbers from 1 to 4; got "
    with pytest.raises(ValueError, match=expected + re.escape(f"{shape!r}.")):
        Broadcasting(**{name: shape})


def test_a_shape_of_torch_or_numpy_is_taken():
    lesson = Broadcasting(torch.ones(2, 3).shape, tuple(np.array([1, 3])))
    assert (lesson.first, lesson.second) == ([2, 3], [1, 3])
    assert all(type(length) is int for length in lesson.second)


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("mode", "mean", "mode should be one of 'combine', 'sum'; got 'mean'"),
        ("operation", "+", r"operation should be one of 'add', 'subtract', 'multiply'; got '\+'"),
        ("axes", [3], r"axes should be a tuple of at most 3 whole numbers from 0 to 2; got \[3\]"),
        ("axes", [-1], r"from 0 to 2; got \[-1\]"),
        ("axes", [1, 1], r"axes should name each axis once; got \[1, 1\]"),
        ("cell", [4], r"cell should be .* from 0 to 3; got \[4\]"),
        ("cell", [0.5], r"got \[0\.5\]"),
    ],
)
def test_wrong_traits_are_refused_and_change_nothing(trait, value, message):
    assert_refused(Broadcasting(), trait, value, message)


def test_keepdim_is_true_or_false():
    with pytest.raises(Exception, match=r"keepdim.*boolean"):
        Broadcasting().keepdim = "yes"


def test_every_text_is_in_the_table_and_used():
    """A key that no line of the module looks up, or one that the table lacks, is an error."""
    code = COMMENT.sub("", Broadcasting._esm)
    used = set(re.findall(r'\bt\("(\w+)"', code))
    for start in re.findall(r"\bt\(`(\w+_)\$\{", code):
        used |= {key for key in Broadcasting.STRINGS if key.startswith(start)}
    assert used == set(Broadcasting.STRINGS)


def test_every_preset_has_a_name_and_shapes_that_python_takes():
    presets = re.findall(
        r"^  (\w+): \{ first: \[(.*?)\], second: \[(.*?)\], operation: \"(\w+)\"",
        Broadcasting._esm,
        re.MULTILINE,
    )
    names = {name for name, *_ in presets}
    assert {f"preset_{name}" for name in names} == {
        key for key in Broadcasting.STRINGS if key.startswith("preset_")
    }
    for name, *shapes, operation in presets:
        first, second = (tuple(int(n) for n in shape.split(",") if n) for shape in shapes)
        result = Broadcasting(first, second, operation=operation).result()
        assert (result is None) == (name == "clash")


def test_description_says_shapes_and_chosen_cell():
    lesson = Broadcasting((4, 1), (3,), operation="subtract")
    lesson.cell = [0, 2]
    assert "A of shape (4, 1), B of shape (3,), result of shape (4, 3)" in lesson.alt_text()
    assert lesson.alt_text().endswith("result[0, 2] = 7")
    lesson.cell = [3, 3]  # outside: the nearest cell inside
    assert lesson.alt_text().endswith("result[3, 2] = 37")
    assert "(4, 2) and (3,): clash." in Broadcasting((4, 2), (3,)).alt_text()
    assert Broadcasting((), ()).alt_text().endswith("result = 11")


@pytest.mark.parametrize("shapes", [((4, 1), (3,)), ((4, 2), (3,)), ((), ()), ((4, 4, 4),) * 2])
@pytest.mark.parametrize("mode", ["combine", "sum"])
def test_still_picture_shows_every_number(shapes, mode):
    lesson = Broadcasting(*shapes)
    lesson.mode = mode
    figure = lesson.static_figure()
    shown = [text.get_text() for text in figure.axes[0].texts if text.get_text().isdecimal()]
    tensors = [values for _, values, _ in lesson._tensors()]
    assert shown == [str(n) for values in tensors for n in values.flatten()]
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    assert Image.open(buffer).width <= 1400
    assert len(static_html(lesson)) < 400_000
