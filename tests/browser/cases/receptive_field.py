"""ReceptiveField: fields, jumps and path counts are gradients of torch's convolutions of ones."""

import re

import numpy as np
import torch
from playwright.sync_api import Locator, Page, expect
from torch.nn.functional import conv1d

from helpers.widgets import ReceptiveField
from tests.browser.cases import number

PRESETS = {
    "Three 3×3 layers": [[3, 1, 1]] * 3,
    "Dilation 1, 2, 4": [[3, 1, 1], [3, 1, 2], [3, 1, 4]],
    "Stride 2 each time": [[3, 2, 1]] * 3,
    "Article's network: 3×3, pooling 2": [[3, 1, 1], [2, 2, 1]],
    "One 7×7 layer": [[7, 1, 1]],
}
PARTS = ("Kernel", "Stride", "Dilation")
ROW, CELL, HEIGHT_BELOW = 3.25, 1.25, 1.625  # rem, as in receptive_field.js


def example() -> ReceptiveField:
    return ReceptiveField([(3, 1, 1), (3, 2, 1), (2, 1, 2)])


def arithmetic(evaluate, rng: np.random.Generator) -> None:
    stacks = [_random_stack(rng) for _ in range(50)]
    edges = [
        [[1, 1, 1]],
        [[1, 3, 4]],
        [[7, 3, 4]] * 5,
        [[2, 3, 1]] * 2,
        [[2, 1, 4]],
        [[3, 1, 2]] * 3,
    ]
    stacks += edges + list(PRESETS.values())
    for layers in stacks:
        _compare_sizes(evaluate, layers)
        _compare_fields(evaluate, layers)
        _compare_paths(evaluate, layers, unit=int(rng.integers(3)))
    assert evaluate("pathCounts", []) == [1]  # a unit of a row reaches itself
    assert evaluate("inputRange", [], 4) == [4, 4]


def at_load(root: Locator, field: ReceptiveField) -> None:
    assert _layers(root) == field.layers
    assert _chosen(root) == field.chosen()
    _expect_numbers(root)
    drawn = _bars(root)
    assert drawn == [(i, n) for i, n in enumerate(field.path_counts().tolist()) if n]


def changes(rng: np.random.Generator) -> list[tuple[str, object]]:
    stacks = [("layers", _random_stack(rng)) for _ in range(20)]
    wide, dilated = ("layers", [[7, 3, 4]] * 5), ("layers", [[3, 1, 4]] * 5)
    units = [("unit", unit) for unit in (0, 2, 1, None, 3)]
    return [*stacks, wide, *units, dilated, *units, ("layer", 2), *units, ("layer", 4), ("unit", 7)]


def operate(page: Page, root: Locator) -> None:
    _choose_presets(root)
    _move_by_keyboard(root)
    _move_by_pointer(root)
    _change_layers(root)
    _add_and_remove(root)
    _answer_the_questions(root)


def outputs(layers: list, length: int) -> int:
    """Units that come out of an input of this length, 0 where a kernel does not fit."""
    try:
        return _through(torch.zeros(1, 1, length, dtype=torch.float64), layers).shape[2]
    except RuntimeError as error:
        if "size" not in str(error):
            raise
        return 0


def paths(layers: list, length: int, unit: int) -> list[int]:
    """Gradient of one output unit with respect to an input of this length; all weights are 1."""
    x = torch.zeros(1, 1, length, dtype=torch.float64, requires_grad=True)
    _through(x, layers)[0, 0, unit].backward()
    return [int(n) for n in x.grad[0, 0]]


def shortest_input(layers: list, units: int) -> int:
    """Length of the shortest input with so many outputs, found by halving."""
    low, high = 0, 1
    while outputs(layers, high) < units:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if outputs(layers, middle) >= units else (middle, high)
    return high


def top_units(layers: list) -> int:
    """Five units where 24 positions are enough for them, three where 48 are, else one."""
    return 5 if outputs(layers, 24) >= 5 else 3 if outputs(layers, 48) >= 3 else 1


def _through(x: torch.Tensor, layers: list) -> torch.Tensor:
    for kernel, stride, dilation in layers:
        ones = torch.ones(1, 1, kernel, dtype=torch.float64)
        x = conv1d(x, ones, stride=stride, dilation=dilation)
    return x


def _random_stack(rng: np.random.Generator) -> list[list[int]]:
    return rng.integers(1, [8, 4, 5], size=(rng.integers(1, 6), 3)).tolist()


def _compare_sizes(evaluate, layers: list) -> None:
    for units in (1, 2, 5):
        length = evaluate("inputSize", layers, units)
        assert (outputs(layers, length), outputs(layers, length - 1)) == (units, units - 1)
    assert evaluate("topUnits", layers) == top_units(layers)


def _compare_fields(evaluate, layers: list) -> None:
    """Width of a unit's gradient, and the distance from its neighbour's, layer by layer."""
    expected = []
    for depth in range(1, len(layers) + 1):
        below = layers[:depth]
        length = shortest_input(below, 2)
        first, second = (np.flatnonzero(paths(below, length, unit)) for unit in (0, 1))
        size = int(first[-1] - first[0]) + 1
        expected.append({"jump": int(second[0] - first[0]), "size": size})
    assert evaluate("receptiveFields", layers) == expected


def _compare_paths(evaluate, layers: list, unit: int) -> None:
    length = shortest_input(layers, 3)
    counts = paths(layers, length, unit)
    first, last = evaluate("inputRange", layers, unit)
    assert [first, last] == np.flatnonzero(counts)[[0, -1]].tolist()
    found = [0] * first + evaluate("pathCounts", layers) + [0] * (length - 1 - last)
    assert found == counts


def _slider(root: Locator) -> Locator:
    return root.get_by_role("slider", name="Chosen unit")


def _layers(root: Locator) -> list[list[int]]:
    """The stack as the fields of the table have it."""
    rows = root.locator("tbody tr").filter(visible=True)
    read = "rows => rows.map(row => [...row.querySelectorAll('select')].map(field => +field.value))"
    return rows.evaluate_all(read)


def _chosen(root: Locator) -> tuple[int, int]:
    text = _slider(root).get_attribute("aria-valuetext")
    return tuple(map(int, re.match(r"layer (\d+), unit (\d+):", text).groups()))


def _expect_chosen(root: Locator, layer: int, unit: int) -> None:
    spoken = re.compile(rf"^layer {layer}, unit {unit}:")
    expect(_slider(root)).to_have_attribute("aria-valuetext", spoken)
    expect(_slider(root)).to_have_attribute("aria-valuenow", str(unit))
    _expect_numbers(root)


def _expect_numbers(root: Locator) -> None:
    """Sentence, table, cells and bars are torch's for the stack and the chosen unit."""
    layers, (layer, unit) = _layers(root), _chosen(root)
    length = shortest_input(layers, top_units(layers))
    counts = np.array(paths(layers[:layer], length, unit))
    used = np.flatnonzero(counts)
    _expect_sentence(root, counts, used)
    _expect_table(root, layers)
    _expect_picture(root, layers, counts)
    if len(counts) <= 64:
        _expect_lines(root, layers[:layer], unit, length)
    spoken = _slider(root).get_attribute("aria-valuetext")
    assert spoken == f"layer {layer}, unit {unit}: positions {used[0]} to {used[-1]}"


def _expect_sentence(root: Locator, counts: np.ndarray, used: np.ndarray) -> None:
    text = root.locator("[aria-live=polite]").inner_text()
    found = [int(n) for n in re.findall(r"\d+", text)][2:]  # after unit and layer
    first, last, span = used[0], used[-1], used[-1] - used[0] + 1
    missed = np.setdiff1d(np.arange(first, last), used)
    if span == 1:
        assert found == [first, 1]
        return
    expected = [len(used), len(counts), first, last]
    if len(missed):
        expected = [span, first, last, len(used), *missed[:12]]
        expected += [len(missed) - 12] if len(missed) > 12 else []
    peaks = np.flatnonzero(counts == counts.max())
    where = peaks if len(peaks) < 3 else [len(peaks)]
    expected += [1] if counts.max() == 1 else [counts.sum(), counts.max(), *where, 1]
    assert found == expected, text


def _expect_table(root: Locator, layers: list) -> None:
    rows = root.locator("tbody tr").filter(visible=True)
    read = "rows => rows.map(row => [...row.cells].slice(-2).map(cell => cell.textContent))"
    for depth, (jump, size) in enumerate(rows.evaluate_all(read), start=1):
        below = layers[:depth]
        length = shortest_input(below, 2)
        first, second = (np.flatnonzero(paths(below, length, unit)) for unit in (0, 1))
        for text, expected in ((jump, second[0] - first[0]), (size, first[-1] - first[0] + 1)):
            left, right = text.split("=")
            assert number(left) == expected
            assert _value(right) == expected, text  # the formula with its numbers says the same


def _value(formula: str) -> int:
    """The value of a formula such as 5 + (3 − 1)·1·2 or 2·3."""
    sum_ = re.fullmatch(r"\s*(\d+) \+\s*\((\d+) − 1\)·(\d+)·(\d+)", formula)
    if sum_:
        before, kernel, dilation, jump = map(int, sum_.groups())
        return before + (kernel - 1) * dilation * jump
    jump, stride = map(int, formula.split("·"))
    return jump * stride


def _expect_picture(root: Locator, layers: list, counts: np.ndarray) -> None:
    """Bars, written counts and the shades of the input row; strips where the input is too long."""
    expected = [(i, n) for i, n in enumerate(counts.tolist()) if n]
    assert _bars(root) == expected
    used = np.flatnonzero(counts)
    cells = root.locator(".lm-used[data-row='0']").evaluate_all(
        "cells => cells.map(c => [+c.getAttribute('x'), +c.getAttribute('fill-opacity')])"
    )
    line = root.locator(".lm-counts").text_content()
    if len(counts) > 64:
        assert len(cells) == 1
        assert f"needs {len(counts)} positions" in line
        return
    shades = [(i + 0.06, 0.15 + 0.85 * n / counts.max()) for i, n in expected]
    np.testing.assert_allclose(cells, shades, atol=1e-9)
    listed = [int(n) for n in re.findall(r"\d+", line)]
    assert listed == [used[0], used[-1], *counts[used[0] : used[-1] + 1]]
    assert root.locator(".lm-unit").count() == sum(_row_lengths(layers))


def _expect_lines(root: Locator, layers: list, unit: int, length: int) -> None:
    """A line leads from above the middle of what a unit spans to that of each of its parts."""
    drawn = root.locator(".lm-links").get_attribute("d")
    found = [tuple(map(float, line)) for line in re.findall(r"M([\d.]+) [\d.]+L([\d.]+)", drawn)]
    sizes = [outputs(layers[:row], length) for row in range(len(layers) + 1)]
    expected = []
    for row in range(1, len(layers) + 1):
        for above in np.flatnonzero(paths(layers[row:], sizes[row], unit)):
            parts = np.flatnonzero(paths(layers[row - 1 : row], sizes[row - 1], above))
            start = _middle(layers[:row], length, above)
            expected += [(start, _middle(layers[: row - 1], length, part)) for part in parts]
    np.testing.assert_allclose(sorted(found), sorted(expected), atol=1e-9)


def _middle(layers: list, length: int, unit: int) -> float:
    used = np.flatnonzero(paths(layers, length, unit))
    return (used[0] + used[-1] + 1) / 2


def _row_lengths(layers: list) -> list[int]:
    units = top_units(layers)
    return [shortest_input(layers[row:], units) for row in range(len(layers) + 1)]


def _bars(root: Locator) -> list[tuple[int, int]]:
    """(position, paths) of every bar: heights are relative to the greatest count."""
    bars = root.locator(".lm-path-bar").evaluate_all(
        "bars => bars.map(b => [+b.getAttribute('x'), +b.getAttribute('height')])"
    )
    heights = [height for _, height in bars]
    assert max(heights) == 1
    return [(int(x), round(height / min(heights))) for x, height in bars]  # the least count is 1


def _set_layers(root: Locator, layers: list) -> None:
    """A stack by the fields of the table, once it has as many layers."""
    for depth, layer in enumerate(layers, start=1):
        for part, value in zip(PARTS, layer, strict=True):
            root.get_by_label(f"{part} of layer {depth}").select_option(str(value))
    assert _layers(root) == layers


def _choose_presets(root: Locator) -> None:
    choice = root.get_by_label("Stack of layers")
    for name, layers in PRESETS.items():
        choice.select_option(label=name)
        assert _layers(root) == layers
        _expect_chosen(root, len(layers), top_units(layers) // 2)


def _move_by_keyboard(root: Locator) -> None:
    """Left, right, Home and End stay in the row; up and down go to the unit that is nearest."""
    root.get_by_label("Stack of layers").select_option(label="Stride 2 each time")
    steps = [("Home", 3, 0), ("ArrowLeft", 3, 0), ("ArrowUp", 3, 0), ("ArrowRight", 3, 1)]
    steps += [("End", 3, 2), ("ArrowRight", 3, 2), ("ArrowDown", 2, 5), ("ArrowDown", 1, 11)]
    steps += [("ArrowDown", 1, 11), ("Home", 1, 0), ("ArrowUp", 2, 0), ("ArrowUp", 3, 0)]
    _slider(root).focus()
    for key, layer, unit in steps:
        _slider(root).press(key)
        _expect_chosen(root, layer, unit)


def _point(root: Locator, layer: int, unit: int, *, click: bool) -> None:
    """Hover over or click on a unit: it stands above the middle of what it spans."""
    layers, box = _layers(root), _slider(root).bounding_box()
    length = shortest_input(layers, top_units(layers))
    height = len(layers) * ROW + HEIGHT_BELOW
    x = _middle(layers[:layer], length, unit) / length * box["width"]
    y = ((len(layers) - layer) * ROW + CELL / 2) / height * box["height"]
    (_slider(root).click if click else _slider(root).hover)(position={"x": x, "y": y})


def _move_by_pointer(root: Locator) -> None:
    """Hovering looks at a unit, a click keeps it, leaving goes back to the kept one."""
    _point(root, 3, 2, click=True)
    _expect_chosen(root, 3, 2)
    for layer, unit in ((1, 4), (2, 0), (3, 0)):
        _point(root, layer, unit, click=False)
        _expect_chosen(root, layer, unit)
    root.get_by_label("Stack of layers").hover()
    _expect_chosen(root, 3, 2)
    _point(root, 1, 9, click=True)
    root.get_by_label("Stack of layers").hover()
    _expect_chosen(root, 1, 9)


def _change_layers(root: Locator) -> None:
    last = np.random.default_rng(0).integers(1, [8, 4, 5], size=(3, 3)).tolist()
    root.get_by_label("Stack of layers").select_option(label="Dilation 1, 2, 4")
    for layers in ([[2, 3, 1], [1, 1, 1], [3, 1, 4]], [[7, 3, 4]] * 3, last):
        _set_layers(root, layers)
        _expect_numbers(root)
        expect(root.get_by_label("Stack of layers")).to_have_value("own")


def _add_and_remove(root: Locator) -> None:
    """A new layer is like the topmost one; the chosen unit stays in the top row."""
    root.get_by_label("Stack of layers").select_option(label="One 7×7 layer")
    add, remove = (root.get_by_role("button", name=f"{verb} a layer") for verb in ("Add", "Remove"))
    for depth in (2, 3, 4, 5, 5):
        add.press("Enter")
        assert _layers(root) == [[7, 1, 1]] * depth
        _expect_chosen(root, depth, top_units(_layers(root)) // 2)
    expect(add).to_have_attribute("aria-disabled", "true")
    for depth in (4, 3, 2, 1, 1):
        remove.click(force=True)  # at the last layer it says that it is disabled
        _expect_chosen(root, depth, top_units(_layers(root)) // 2)
    expect(remove).to_have_attribute("aria-disabled", "true")
    expect(add).to_have_attribute("aria-disabled", "false")


def _answer_the_questions(root: Locator) -> None:
    """Two 3×3 layers see what one 5×5 sees; dilation 2, 2, 2 misses every other position."""
    live, add = root.locator("[aria-live=polite]"), root.get_by_role("button", name="Add a layer")
    _set_layers(root, [[5, 1, 1]])
    assert [n for _, n in _bars(root)] == [1, 1, 1, 1, 1]
    _set_layers(root, [[3, 1, 1]])
    add.click()
    assert [n for _, n in _bars(root)] == [1, 2, 3, 2, 1]
    add.click()
    _set_layers(root, [[3, 1, 2]] * 3)
    expect(live).to_contain_text("spans 13 input positions, from 2 to 14, and uses 7 of them")
    expect(live).to_contain_text("misses 3, 5, 7, 9, 11, 13.")
