"""SlidingWindow: sizes, touched cells and averages are what torch finds for the same settings."""

import re

import numpy as np
import torch
from playwright.sync_api import Locator, Page, expect
from torch import Tensor
from torch.nn.functional import conv1d, conv2d, pad, unfold

from helpers.widgets import SlidingWindow
from tests.browser.cases import number, pixels

SETTINGS = ("Kernel", "Padding", "Stride", "Dilation")
FRAME = 2 * 3 + 0.5  # cells of both frames beyond the image


def example() -> SlidingWindow:
    image = np.random.default_rng(0).integers(0, 256, (8, 7), dtype=np.uint8)
    return SlidingWindow(image, padding=1, stride=2, row=0, column=2)


def arithmetic(evaluate, rng: np.random.Generator) -> None:
    for _ in range(50):
        image = rng.integers(0, 256, rng.integers(4, 13, size=2))
        kernel, padding = int(rng.integers(1, 6)), int(rng.integers(4))
        stride, dilation = (int(rng.integers(1, 4)) for _ in range(2))
        _compare(evaluate, image, kernel, stride, padding, dilation)
    image = rng.integers(0, 256, (12, 4))
    _compare(evaluate, image, 1, 1, 0, 1)  # the output is the input
    _compare(evaluate, image[:7], 5, 1, 3, 3)  # one row of the output, no column
    _compare(evaluate, np.full((4, 4), 255), 4, 3, 0, 1)  # one position
    _compare(evaluate, image, 1, 3, 3, 1)  # some windows lie in the padding alone
    _compare(evaluate, rng.integers(0, 256, (4, 12)), 5, 3, 0, 3)  # fits nowhere


def at_load(root: Locator, window: SlidingWindow) -> None:
    given = torch.frombuffer(bytearray(window.pixels), dtype=torch.uint8)
    given = given.view(window.height, window.width)
    torch.testing.assert_close(_image(root), given, rtol=0, atol=0)
    assert _settings(root) == (window.kernel, window.padding, window.stride, window.dilation)
    _expect_state(root, window.row, window.column)
    output = _averages(given, *_settings(root))
    torch.testing.assert_close(torch.tensor(window.averages()), output, rtol=0, atol=1e-12)


def changes(rng: np.random.Generator) -> list[tuple[str, object]]:
    names = {"kernel": (1, 6), "padding": (0, 4), "stride": (1, 4), "dilation": (1, 4)}
    steps = [(name, int(rng.integers(*names[name]))) for name in list(names) * 10]
    last = {"kernel": 2, "padding": 3, "stride": 3, "dilation": 2, "row": 1, "column": 2}
    return [*steps, *[("row", step) for step in range(4)], *last.items()]


def operate(page: Page, root: Locator) -> None:
    height, width = _image(root).shape
    _set(root, 3, 1, 1, 1)
    _expect_state(root, *_move_by_keyboard(root, height, width))
    _move_by_pointer(root)
    _set(root, 1, 0, 1, 1)
    _click(root, "Output", height - 1, width - 1)
    _expect_state(root, height - 1, width - 1)
    _set(root, 4, 3, 3, 1)  # the output is smaller: its last cell is chosen
    rows, columns = _averages(_image(root), 4, 3, 3, 1).shape
    _expect_state(root, rows - 1, columns - 1)
    _make_it_fit_nowhere(root, height, width)
    _set(root, 2, 0, 3, 1)  # a stride longer than the window leaves cells out
    assert _untouched(root) > 0
    _set(root, 2, 1, 2, 2)  # so does a stride that keeps step with the dilation
    _click(root, "Output", 1, 0)
    _expect_state(root, 1, 0)
    for padding in range(4):
        _set(root, 3, padding, 1, 2)
        assert (_size(root) == [height, width]) == (padding == 2)
    _click(root, "Output", 0, 0)
    _expect_state(root, 0, 0)


def _compare(evaluate, image: np.ndarray, kernel: int, stride: int, padding: int, dilation: int):
    settings, (height, width) = (kernel, stride, padding, dilation), image.shape
    expected = _averages(torch.tensor(image), kernel, padding, stride, dilation)
    given = image.flatten().tolist(), height, width
    _close(evaluate("windowMeans", *given, *settings), expected.flatten() * 255)
    lines = []
    for size in (height, width):
        positions = _positions(size, kernel, padding, stride, dilation)
        found = evaluate("outputSize", size, *settings)
        assert found == len(positions) if len(positions) else found < 1
        touched = [evaluate("touched", i, *settings) for i in range(len(positions))]
        assert touched == positions
        counts = _coverage(size, kernel, padding, stride, dilation)
        assert evaluate("coverage", size, *settings) == counts.tolist()
        lines.append(positions)
    for row, column in np.ndindex(expected.shape):
        if (row + column) % 5 == 0:
            here = evaluate("windowMean", *given, lines[0][row], lines[1][column])
            _close(here, expected[row, column] * 255)


def _averages(image: Tensor, kernel: int, padding: int, stride: int, dilation: int) -> Tensor:
    """torch's output, 0…1; empty where torch says that the kernel is larger than the input."""
    # Whole numbers until the end: the last digit that is shown depends on no order of summation.
    ones = torch.ones(1, 1, kernel, kernel, dtype=torch.float64)
    try:
        sums = conv2d(image[None, None].double(), ones, None, stride, padding, dilation)
    except RuntimeError as error:
        if "can't be greater than actual input size" not in str(error):
            raise
        return torch.zeros(0, 0, dtype=torch.float64)
    return sums[0, 0] / kernel**2 / 255


def _positions(size: int, kernel: int, padding: int, stride: int, dilation: int) -> list:
    """The rows under each position of the window, cut out by torch from a column of numbers."""
    if size + 2 * padding < dilation * (kernel - 1) + 1:
        return []
    rows = torch.arange(-padding, size + padding).double()
    cut = unfold(rows[None, None, :, None], (kernel, 1), dilation, stride=(stride, 1))
    return cut[0].T.int().tolist()  # (positions, kernel)


def _coverage(size: int, kernel: int, padding: int, stride: int, dilation: int) -> Tensor:
    """How many outputs each input takes part in: the gradient of their sum with weights 1."""
    line = torch.zeros(1, 1, size, requires_grad=True)
    try:
        output = conv1d(line, torch.ones(1, 1, kernel), None, stride, padding, dilation)
    except RuntimeError:
        return torch.zeros(size).int()
    output.sum().backward()
    return line.grad[0, 0].int()


def _close(found, expected: Tensor) -> None:
    found = torch.tensor(found, dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


def _slider(root: Locator, name: str) -> Locator:
    return root.get_by_role("slider", name=name, exact=True)


def _image(root: Locator) -> Tensor:
    return pixels(_slider(root, "Input").locator("canvas"))[..., 0]


def _settings(root: Locator) -> tuple[int, ...]:
    """Kernel, padding, stride, dilation: of the ranges, after a look at the values beside them."""
    ranges = [_slider(root, name) for name in SETTINGS]
    values = [int(field.input_value()) for field in ranges]
    assert [int(text) for text in root.locator(".lm-value").all_inner_texts()] == values
    return tuple(values)


def _set(root: Locator, *settings: int) -> None:
    """Kernel, padding, stride, dilation by keyboard: to the lowest value, then up."""
    for name, value in zip(SETTINGS, settings, strict=True):
        field = _slider(root, name)
        field.press("Home")
        for _ in range(value - int(field.get_attribute("min"))):
            field.press("ArrowRight")
    assert _settings(root) == settings


def _size(root: Locator) -> list[int]:
    """Height and width of the output, as the formulas have it: one stands for both."""
    results = root.locator(".lm-formula strong").all_inner_texts()
    return [int(number(results[0])), int(number(results[-1]))]


def _untouched(root: Locator) -> int:
    said = root.get_by_role("status").inner_text()
    return int(re.search(r"Input cells under no window: (\d+) of \d+\.$", said)[1])


def _expect_state(root: Locator, row: int, column: int) -> None:
    """Everything on the page, for the settings of the ranges and one cell of the output."""
    image, settings = _image(root), _settings(root)
    output = _averages(image, *settings)
    mean = f"{output[row, column]:.3f}"
    spoken = f"row {row}, column {column}: {mean}"
    for name in ("Input", "Output"):
        expect(_slider(root, name)).to_have_attribute("aria-valuetext", spoken)
        expect(_slider(root, name)).to_have_attribute("aria-disabled", "false")
    drawn = pixels(_slider(root, "Output").locator("canvas"))[..., 0]
    torch.testing.assert_close(drawn, (output * 255).round().byte(), rtol=0, atol=0)
    windows = [_positions(size, *settings) for size in image.shape]
    rows, columns = windows[0][row], windows[1][column]
    padded = [(r, c) for r in rows for c in columns if not _inside(image, r, c)]
    expect(root.get_by_role("status")).to_contain_text(f"row {row}, column {column} is {mean}: ")
    counted = f"Padding under this window: {len(padded)} of {settings[0] ** 2} cells."
    expect(root.get_by_role("status")).to_contain_text(counted)
    for numbers in (rows, columns):
        expect(root.get_by_role("status")).to_contain_text(_listed(numbers))
    for mark in ("dot", "hit"):
        assert _marked(root, mark) == sorted((r, c) for r in rows for c in columns)
    _expect_box(_slider(root, "Input"), image, rows[0], columns[0], rows[-1] - rows[0] + 1)
    corner = [(side - size) / 2 for side, size in zip(image.shape, output.shape, strict=True)]
    _expect_box(_slider(root, "Output"), image, corner[0] + row, corner[1] + column, 1)
    _expect_formulas(root, image.shape, settings)
    _expect_left_out(root, image, settings)


def _expect_formulas(root: Locator, shape: torch.Size, settings: tuple[int, ...]) -> None:
    """Each side of each equation, computed by Python, is torch's size."""
    lines = root.locator(".lm-sizes .lm-formula").all_inner_texts()
    assert len(lines) == (1 if shape[0] == shape[1] else 2)
    kernel, padding, stride, dilation = settings
    for line, size in zip(lines, shape, strict=False):
        assert f"({size} + 2·{padding} − {dilation}·({kernel} − 1) − 1) / {stride}" in line
        for side in line.split("="):
            sum_ = side.replace("⌊", "(").replace("⌋", ")").replace("/", "//")
            value = eval(sum_.replace("·", "*").replace("−", "-"))
            expected = len(_positions(size, *settings))
            assert value == expected if expected else value < 1


def _expect_left_out(root: Locator, image: Tensor, settings: tuple[int, ...]) -> None:
    """Crosses where the gradient is 0; of the padding too, as torch finds when it is input."""
    kernel, padding, stride, dilation = settings
    padded = pad(image, (padding,) * 4)
    down, across = (_coverage(size, kernel, 0, stride, dilation) for size in padded.shape)
    left_out = (torch.outer(down, across) == 0).nonzero() - padding
    expected = [tuple(place) for place in left_out.tolist()]
    assert _marked(root, "cross") == expected
    assert _untouched(root) == sum(_inside(image, *place) for place in expected)
    zeros = [(r - padding, c - padding) for r, c in np.ndindex(*padded.shape)]
    assert _marked(root, "dashes") == [place for place in zeros if not _inside(image, *place)]


def _marked(root: Locator, shape: str) -> list[tuple[int, int]]:
    """(row, column) of the cells of the input that carry a mark, in order."""
    path = _slider(root, "Input").locator(f".lm-draw-{shape}").get_attribute("d")
    starts = re.findall(r"M(-?[\d.]+) (-?[\d.]+)", path)
    return sorted({(int(float(y) // 1), int(float(x) // 1)) for x, y in starts})


def _inside(image: Tensor, row: int, column: int) -> bool:
    return 0 <= row < image.shape[0] and 0 <= column < image.shape[1]


def _listed(numbers: list[int]) -> str:
    return ", ".join(str(number) for number in numbers).replace("-", "−")


def _expect_box(grid: Locator, image: Tensor, row: float, column: float, size: int) -> None:
    """The outline stands where the cells are, in pixels of the screen."""
    # Both at one moment: a page may still be scrolling to what has the focus.
    frame, found = grid.evaluate(
        """node => [node, node.querySelector(".lm-mark")].map((part) => {
            const box = part.getBoundingClientRect();
            return [box.x, box.y, box.width, box.height];
        })"""
    )
    cell = frame[2] / (image.shape[1] + FRAME)
    left, top = frame[0] + (column + FRAME / 2) * cell, frame[1] + (row + FRAME / 2) * cell
    np.testing.assert_allclose(found, [left, top, size * cell, size * cell], atol=0.1)


def _move_by_keyboard(root: Locator, height: int, width: int) -> tuple[int, int]:
    """Arrows move by one cell and stop at the border, Home and End go to a side."""
    for name, start in (("Input", "PageUp"), ("Output", "PageUp")):
        for key in (*[start] * 2, "Home", "ArrowUp", "ArrowLeft", "ArrowDown", "ArrowRight"):
            _slider(root, name).press(key)
        _expect_state(root, 1, 1)
        _slider(root, name).press("End")
        _expect_state(root, 1, width - 1)
    for key in ("PageDown", "PageDown", "ArrowDown"):
        _slider(root, "Output").press(key)
    return height - 1, width - 1


def _point(root: Locator, name: str, row: float, column: float) -> dict[str, float]:
    """Where a cell of the input or the output has its middle, in pixels from the frame's corner."""
    image, corner = _image(root), [0.0, 0.0]
    if name == "Output":
        output = _averages(image, *_settings(root)).shape
        corner = [(side - size) / 2 for side, size in zip(image.shape, output, strict=True)]
    cell = _slider(root, name).bounding_box()["width"] / (image.shape[1] + FRAME)
    y, x = ((i + c + 0.5 + FRAME / 2) * cell for i, c in zip((row, column), corner, strict=True))
    return {"x": x, "y": y}


def _click(root: Locator, name: str, row: float, column: float) -> None:
    _slider(root, name).click(position=_point(root, name, row, column))


def _tap(root: Locator, name: str, row: int, column: int) -> None:
    """The events of a finger: it comes without a move before, and is gone at once."""
    point, box = _point(root, name, row, column), _slider(root, name).bounding_box()
    at = {"clientX": box["x"] + point["x"], "clientY": box["y"] + point["y"]}
    script = """(node, at) => ["pointerenter", "pointerup", "pointerleave"].forEach((type) =>
        node.dispatchEvent(new PointerEvent(type, { ...at, pointerType: "touch" })))"""
    _slider(root, name).evaluate(script, at)


def _move_by_pointer(root: Locator) -> None:
    """Hovering looks at a window, a click or tap keeps it, leaving goes back to the kept one."""
    _set(root, 3, 2, 1, 2)
    _click(root, "Input", 2, 3)  # the middle of the window that starts at row 0, column 1
    _expect_state(root, 2, 3)
    _click(root, "Output", 1, 0)
    _expect_state(root, 1, 0)
    _slider(root, "Output").hover(position=_point(root, "Output", 3, 2))
    _expect_state(root, 3, 2)
    root.get_by_role("status").hover()
    _expect_state(root, 1, 0)
    _tap(root, "Output", 2, 1)
    _expect_state(root, 2, 1)
    _set(root, 2, 0, 2, 1)
    _click(root, "Input", 2.4, 1.6)
    _expect_state(root, 1, 1)


def _make_it_fit_nowhere(root: Locator, height: int, width: int) -> None:
    """Said with both sizes; keys and clicks do nothing, and the grid comes back afterwards."""
    _set(root, 5, 0, 1, 3)
    nowhere = f"spans 13 × 13 cells, the padded input has {height} × {width}"
    expect(root.get_by_role("status")).to_contain_text(nowhere)
    assert _untouched(root) == height * width
    expect(_slider(root, "Output").locator("canvas")).to_be_hidden()
    expect(_slider(root, "Output")).to_have_attribute("aria-valuetext", "no output")
    _expect_formulas(root, torch.Size([height, width]), _settings(root))
    _slider(root, "Input").press("ArrowDown")
    _slider(root, "Input").click(force=True)  # it says that it is disabled
    _set(root, 3, 0, 1, 1)
    _expect_state(root, height - 3, width - 3)
