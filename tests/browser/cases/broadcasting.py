"""Broadcasting: shapes, sources and sums are those of torch, wherever the reader goes."""

import re

import numpy as np
import torch
from playwright.sync_api import Locator, Page, expect

from helpers.widgets import Broadcasting
from tests.browser.cases import number

OPERATIONS = {"add": torch.add, "subtract": torch.subtract, "multiply": torch.multiply}
SIGNS = {"+": "add", "−": "subtract", "·": "multiply"}
FATES = {
    "first_stretched": "A stretched from 1",
    "second_stretched": "B stretched from 1",
    "first_missing": "missing in A, added in front",
    "second_missing": "missing in B, added in front",
}
EDGES = [((), ()), ((), (3,)), ((2, 3, 4), ()), ((1,), (1, 1)), ((4,), (4, 1)), ((3, 2, 4), (3,)),
         ((2, 3, 4), (3, 2, 2)), ((2, 4), (3, 4))]  # fmt: skip


def example() -> Broadcasting:
    return Broadcasting((4, 1), (3,))


def arithmetic(evaluate, rng: np.random.Generator) -> None:
    for first, second in [*EDGES, *[(_shape(rng), _shape(rng)) for _ in range(50)]]:
        _compare_shapes(evaluate, first, second)
        _compare_fates(evaluate, first, second)
        _compare_places(evaluate, first)
        for keepdim in (False, True):
            axes = [axis for axis in range(len(first)) if rng.random() < 0.5]
            _compare_sums(evaluate, first, axes, keepdim)
    for axes in ([], [0, 1, 2], [1]):
        _compare_sums(evaluate, (2, 3, 4), axes, True)


def at_load(root: Locator, lesson: Broadcasting) -> None:
    result = lesson.result()
    _expect_cells(_result(root), torch.tensor(result))
    index = tuple(lesson.cell)
    expect(_equation(root)).to_have_text(re.compile(f"= {result[index]}$"))
    _expect_combined(root)


def changes(rng: np.random.Generator) -> list[tuple[str, object]]:
    shapes = [(trait, _shape(rng)) for _ in range(15) for trait in ("first", "second")]
    cells = [("cell", rng.integers(0, 4, 3).tolist()) for _ in range(10)]
    largest = [("first", [4, 4, 4]), ("second", [4, 1, 4]), ("operation", "multiply")]
    sums = [("mode", "sum"), ("axes", [0, 2]), ("keepdim", True), ("axes", [1])]
    return [*shapes, *cells, *largest, *sums]


def operate(page: Page, root: Locator) -> None:
    root.get_by_role("button", name="Column and row").click()
    _move_by_keyboard(root)
    _point_and_tap(page, root)
    _build_shapes(root)
    _meet_a_clash(root)
    _sum_over_axes(root)
    root.get_by_role("radio", name="Combine two tensors").check()
    root.get_by_role("button", name="(4,) with (4, 1)").press("Enter")
    assert _expect_combined(root) == (4, 4)
    expect(root.get_by_label("Operation")).to_have_value("subtract")


def _shape(rng: np.random.Generator) -> list[int]:
    return rng.integers(1, 5, size=rng.integers(0, 4)).tolist()


def _combined(first, second, operation: str = "add") -> torch.Tensor | None:
    try:
        return OPERATIONS[operation](_counted(first, 10), _counted(second, 1))
    except RuntimeError:
        return None


def _counted(shape, step: int) -> torch.Tensor:
    return step * torch.arange(1, torch.Size(shape).numel() + 1).view(tuple(shape))


def _compare_shapes(evaluate, first, second) -> None:
    result = _combined(first, second)
    assert evaluate("shapeText", list(first)) == str(tuple(first))
    if result is None:
        assert evaluate("broadcastShapes", first, second) is None
        with np.testing.assert_raises(RuntimeError) as raised:
            torch.ones(*first) + torch.ones(*second)
        assert evaluate("clashMessage", first, second) == str(raised.exception)
        return
    shape = list(torch.broadcast_shapes(tuple(first), tuple(second)))
    assert evaluate("broadcastShapes", first, second) == shape == list(result.shape)
    for operation in OPERATIONS:
        a, b = (_counted(first, 10).flatten().tolist(), _counted(second, 1).flatten().tolist())
        found = evaluate("combineValues", a, first, b, second, operation)
        assert found == _combined(first, second, operation).flatten().tolist()
    cells = _counted(first, 1).broadcast_to(shape)
    for index in np.ndindex(*shape):
        source = evaluate("sourceIndex", list(index), first)
        assert _counted(first, 1)[tuple(source)] == cells[index]


def _compare_fates(evaluate, first, second) -> None:
    """Each fate agrees with what torch makes of this axis alone."""
    fates = evaluate("axisFates", first, second)
    assert [fate["axis"] for fate in fates] == list(range(-max(len(first), len(second)), 0))
    for fate in fates:
        own = [_at(first, fate["axis"]), _at(second, fate["axis"])]
        assert [fate["first"], fate["second"]] == own
        alone = _combined(*[[] if length is None else [length] for length in own])
        assert (fate["fate"] == "clash") == (alone is None)
        assert fate["length"] == (None if alone is None else alone.numel())
        missing = {"first_missing": [True, False], "second_missing": [False, True]}
        assert missing.get(fate["fate"], [False] * 2) == [length is None for length in own]
        stretched = {"first_stretched": 0, "second_stretched": 1}.get(fate["fate"])
        if stretched is not None:
            assert own[stretched] == 1 != own[1 - stretched]
        assert (fate["fate"] == "equal") == (own[0] == own[1])


def _at(shape, axis: int) -> int | None:
    return shape[axis] if -axis <= len(shape) else None


def _compare_places(evaluate, shape) -> None:
    places = torch.arange(torch.Size(shape).numel()).view(tuple(shape))
    assert evaluate("cellCount", shape) == places.numel()
    assert evaluate("countedValues", shape, 10) == _counted(shape, 10).flatten().tolist()
    for index in list(np.ndindex(*shape))[:: max(1, places.numel() // 5)]:
        place = places[index].item()
        assert evaluate("flatIndex", list(index), shape) == place
        assert evaluate("indexAt", place, shape) == list(index)


def _compare_sums(evaluate, shape, axes: list[int], keepdim: bool) -> None:
    values = _counted(shape, 10)
    # An empty list of axes means "all of them" to torch; the explorable adds over none.
    expected = values.sum(dim=axes, keepdim=keepdim) if axes else values
    assert evaluate("reduceShape", shape, axes, keepdim) == list(expected.shape)
    flat = values.flatten().tolist()
    assert evaluate("reduceValues", flat, shape, axes, keepdim) == expected.flatten().tolist()
    added = []
    for index in np.ndindex(*expected.shape):
        places = evaluate("reducedPlaces", list(index), shape, axes, keepdim)
        assert values.flatten()[places].sum() == expected[index]
        added += places
    assert sorted(added) == list(range(values.numel()))


def _result(root: Locator) -> Locator:
    return root.get_by_role("slider", name="result")


def _equation(root: Locator) -> Locator:
    return root.locator("output.lm-equation")


def _expect_cells(grid: Locator, values: torch.Tensor) -> None:
    """The numbers of a tensor, row by row."""
    shown = [number(text) for text in grid.locator(".lm-cell").all_inner_texts()]
    assert shown == values.flatten().tolist()


def _marked(grid: Locator) -> list[int]:
    script = "cells => cells.flatMap((c, i) => c.classList.contains('lm-marked') ? [i] : [])"
    return grid.locator(".lm-cell").evaluate_all(script)


def _lengths(root: Locator, name: str) -> list[int]:
    fields = root.get_by_role("combobox", name=re.compile(f"^{name}, axis")).all()
    return [int(field.input_value()) for field in fields]


def _tensor(root: Locator, name: str) -> Locator:
    return root.get_by_role("img", name=re.compile(f"^{name}, shape"))


def _expect_combined(root: Locator) -> tuple[int, ...]:
    """What stands on the page for two shapes that fit is torch's; returns the result's shape."""
    first, second = _lengths(root, "A"), _lengths(root, "B")
    operation = root.get_by_label("Operation").input_value()
    a, b, result = _counted(first, 10), _counted(second, 1), _combined(first, second, operation)
    expect(root.get_by_role("status").first).to_contain_text(f"shape {tuple(result.shape)}.")
    for grid, values in ((_tensor(root, "A"), a), (_tensor(root, "B"), b), (_result(root), result)):
        _expect_cells(grid, values)
    (place,) = _marked(_result(root))
    for name, values in (("A", a), ("B", b)):
        places = torch.arange(values.numel()).view(values.shape).broadcast_to(result.shape)
        assert _marked(_tensor(root, name)) == [places.flatten()[place].item()]
    _expect_equation(root, {"A": a, "B": b, "result": result}, place)
    return tuple(result.shape)


def _expect_equation(root: Locator, tensors: dict[str, torch.Tensor], place: int) -> None:
    """Every `A[2, 0]` of the written sum is the number that follows in its place."""
    text = " ".join(_equation(root).inner_text().split())
    expect(_result(root)).to_have_attribute("aria-valuetext", text)
    left, cells, numbers, last = text.split(" = ")
    operation = next(SIGNS[sign] for sign in SIGNS if f" {sign} " in cells)
    sign = next(sign for sign in SIGNS if f" {sign} " in cells)
    assert operation == root.get_by_label("Operation").input_value()
    values = [_look_up(tensors, cell) for cell in cells.split(f" {sign} ")]
    assert values == [number(n) for n in numbers.split(f" {sign} ")]
    assert number(last) == _look_up(tensors, left) == tensors["result"].flatten()[place]
    assert number(last) == OPERATIONS[operation](*map(torch.tensor, values))


def _look_up(tensors: dict[str, torch.Tensor], cell: str) -> int:
    name, _, index = cell.rstrip("]").partition("[")
    return tensors[name][tuple(map(int, index.split(", "))) if index else ()].item()


def _move_by_keyboard(root: Locator) -> None:
    """Arrows stop at the border; with three axes, down goes on into the next slice."""
    _result(root).focus()
    for key, place in (("Home", 6), ("PageUp", 0), ("ArrowUp", 0), ("ArrowRight", 1),
                       ("ArrowDown", 4), ("End", 5), ("ArrowRight", 5), ("PageDown", 11),
                       ("ArrowLeft", 10)):  # fmt: skip
        _result(root).press(key)
        assert _marked(_result(root)) == [place], key
        _expect_combined(root)
    root.get_by_role("button", name="Mean per channel, shape (3, 1, 1)").press("Enter")
    _result(root).press("PageUp")
    for _ in range(2):
        _result(root).press("ArrowUp")
    for _ in range(2):  # from the first row of slice 0 into slice 1
        _result(root).press("ArrowDown")
    place = _marked(_result(root))[0]
    assert 8 <= place < 12
    _expect_combined(root)


def _point_and_tap(page: Page, root: Locator) -> None:
    """Hovering looks at a cell, a click keeps it, leaving goes back to the kept one."""
    cells = _result(root).locator(".lm-cell")
    cells.nth(5).click()
    assert _marked(_result(root)) == [5]
    cells.nth(18).hover()
    expect(cells.nth(18)).to_have_class(re.compile("lm-marked"))
    _expect_combined(root)
    _equation(root).hover()
    expect(cells.nth(5)).to_have_class(re.compile("lm-marked"))
    _expect_combined(root)


def _build_shapes(root: Locator) -> None:
    """From no axis to three, each new one in front; every length and every operation."""
    for count in "0123":
        root.get_by_role("group", name="Axes of B").get_by_label(count, exact=True).check()
        assert len(_lengths(root, "B")) == int(count)
    for lengths in ("111", "324"):
        for axis, length in zip((3, 2, 1), lengths, strict=True):
            root.get_by_role("combobox", name=f"B, axis −{axis}").select_option(length)
        _expect_combined(root)
    for operation in ("add", "multiply"):
        root.get_by_label("Operation").select_option(operation)
        assert _expect_combined(root) == (3, 2, 4)
    root.get_by_role("group", name="Axes of A").get_by_label("0", exact=True).check()
    assert _expect_combined(root) == (3, 2, 4)
    row = root.get_by_role("row", name=re.compile("^fate"))
    expect(row.get_by_role("cell").nth(0)).to_have_text(FATES["first_missing"])


def _meet_a_clash(root: Locator) -> None:
    root.get_by_role("button", name="Mean per channel, shape (3,)").click()
    fates = root.get_by_role("row", name=re.compile("^fate")).get_by_role("cell")
    expect(fates).to_have_text([FATES["second_missing"], FATES["second_missing"], "clash"])
    with np.testing.assert_raises(RuntimeError) as raised:
        torch.ones(3, 2, 4) - torch.ones(3)
    verdict = root.get_by_role("status").first
    expect(verdict).to_contain_text("clash at axis −1: the lengths 4 and 3 differ")
    expect(verdict.get_by_role("code")).to_have_text(str(raised.exception))
    expect(_result(root)).to_be_hidden()
    expect(root.get_by_text("No result.")).to_be_visible()


def _sum_over_axes(root: Locator) -> None:
    root.get_by_role("radio", name="Sum over axes").check()
    for box in root.get_by_role("checkbox", name=re.compile("^sum over")).all():
        box.uncheck()
    expect(root.get_by_role("status").first).to_contain_text("nothing is added up")
    _expect_sum(root, [], keepdim=False)
    for axes in ([0], [0, 1], [0, 1, 2]):
        root.get_by_role("checkbox", name=f"sum over axis {axes[-1]}").check()
        _expect_sum(root, axes, keepdim=False)
    root.get_by_label("keepdim=True").check()
    _expect_sum(root, [0, 1, 2], keepdim=True)
    root.get_by_role("checkbox", name="axis −2").press("Space")
    _result(root).press("PageDown")
    _expect_sum(root, [0, 2], keepdim=True)
    assert _marked(_result(root)) == [1]
    root.get_by_label("keepdim=True").uncheck()
    _result(root).press("Home")
    _expect_sum(root, [0, 2], keepdim=False)


def _expect_sum(root: Locator, axes: list[int], *, keepdim: bool) -> None:
    values = _counted(_lengths(root, "A"), 10)
    result = values.sum(dim=axes, keepdim=keepdim) if axes else values
    _expect_cells(_result(root), result)
    expect(root.get_by_text(f"shape {tuple(result.shape)}").last).to_be_visible()
    added = values.flatten()[_marked(_tensor(root, "A"))]
    (place,) = _marked(_result(root))
    assert added.sum() == result.flatten()[place]
    assert len(added) == values.numel() // result.numel()
    steps = " ".join(_equation(root).inner_text().split()).split(" = ")
    assert number(steps[-1]) == result.flatten()[place]
    shown = steps[-2].split(" + ")
    assert shown[0] == (str(added[0].item()) if axes else steps[-2])
    if axes:
        assert shown[-1] == str(added[-1].item())
