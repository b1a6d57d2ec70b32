"""KernelLab: every number that it shows is what torch computes from the same pixels and weights."""

import io
import re

import numpy as np
import torch
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from torch.nn.functional import conv2d, pad, unfold

from helpers.widgets import KernelLab
from tests.browser.cases import number, pixels

SMOOTH, DIFFERENCE = torch.tensor([1.0, 2.0, 1.0]), torch.tensor([-1.0, 0.0, 1.0])
CENTRE = pad(torch.ones(1, 1), (1, 1, 1, 1))
PLUS = torch.tensor([[0.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 0.0]])
PRESETS = {
    "identity": CENTRE,
    "box": torch.ones(3, 3) / 9,
    "gaussian": torch.outer(SMOOTH, SMOOTH) / 16,
    "sharpen": 6 * CENTRE - PLUS,
    "sobel_vertical": torch.outer(SMOOTH, DIFFERENCE),
    "sobel_horizontal": torch.outer(DIFFERENCE, SMOOTH),
    "emboss": torch.tensor([[-2.0, -1.0, 0.0], [-1.0, 1.0, 1.0], [0.0, 1.0, 2.0]]),
    "outline": 9 * CENTRE - torch.ones(3, 3),
}
BLURS_5 = {"box": torch.ones(5), "gaussian": torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0])}
PRESETS_5 = {name: pad(kernel, (1, 1, 1, 1)) for name, kernel in PRESETS.items()}
PRESETS_5 |= {name: torch.outer(line, line) / line.sum() ** 2 for name, line in BLURS_5.items()}


def example() -> KernelLab:
    rng = np.random.default_rng(0)
    sizes = {"small": (60, 90), "large": (160, 160)}
    return KernelLab({name: rng.integers(0, 256, s, dtype=np.uint8) for name, s in sizes.items()})


def arithmetic(evaluate, rng: np.random.Generator) -> None:
    for trial in range(50):
        size = int(rng.choice([3, 5]))
        height, width = rng.integers(size, size + 6, size=2).tolist()
        kernel, bias = rng.normal(size=(size, size)), float(rng.normal())
        _compare_sums(evaluate, rng.random((height, width)), kernel, bias)
        _compare_greys(evaluate, rng, 10.0 ** int(rng.integers(-2, 3)) if trial else 0.0)
    _compare_sums(evaluate, rng.random((3, 3)), rng.normal(size=(3, 3)), -0.5)  # one output pixel
    _compare_sums(evaluate, rng.random((5, 5)), rng.normal(size=(5, 5)), 0.0)
    _compare_sums(evaluate, rng.random((7, 4)), np.zeros((3, 3)), -2.5)  # nothing but the bias
    _compare_kernels(evaluate, rng)
    _compare_texts(evaluate, rng)


def at_load(root: Locator, lab: KernelLab) -> None:
    shown = _grey(root, "Input")
    height, width = lab.sources[0]["height"], lab.sources[0]["width"]
    given = torch.frombuffer(bytearray(lab.pixels[: height * width]), dtype=torch.uint8)
    torch.testing.assert_close(shown, given.view(height, width), rtol=0, atol=0)
    _expect_sum(root, lab.row, lab.column)
    assert abs(lab.response()[lab.row, lab.column]) == np.abs(lab.response()).max()


def changes(rng: np.random.Generator) -> list[tuple[str, object]]:
    kernels = [("kernel", rng.normal(size=(5, 5)).round(2).tolist()) for _ in range(25)]
    return [("image_name", "large"), *kernels, *[("row", step) for step in range(25)]]


def operate(page: Page, root: Locator) -> None:
    root.get_by_role("button", name="Sobel, vertical edges").click()
    _move_by_keyboard(root)
    _type_kernel(root, rng=np.random.default_rng(0))
    _move_by_pointer(page, root)
    root.get_by_label("Kernel size").select_option("5")
    root.get_by_role("button", name="Gaussian blur").press("Enter")
    _expect_weights(root, PRESETS_5["gaussian"])
    _type_kernel(root, rng=np.random.default_rng(1))
    _point(root, "Input", 1, 1, click=True)
    rows, columns = _size(root, "Output")
    _expect_sum(root, rows - 1, columns - 1)
    _open_own_photo(root)


def _compare_sums(evaluate, image: np.ndarray, kernel: np.ndarray, bias: float) -> None:
    (height, width), size = image.shape, len(kernel)
    x, w = torch.tensor(image), torch.tensor(kernel)
    expected = conv2d(x[None, None], w[None, None], torch.tensor([bias], dtype=x.dtype))[0, 0]
    flat = w.flatten().tolist()
    output = evaluate("crossCorrelate", x.flatten().tolist(), height, width, flat, size, bias)
    _close(output, expected)
    patches = unfold(x[None, None], size)[0].T  # (positions, size · size)
    row, column = expected.shape[0] - 1, expected.shape[1] // 2
    here = patches[row * expected.shape[1] + column]
    _close(evaluate("patchAt", x.flatten().tolist(), width, row, column, size), here)
    _close(evaluate("terms", here.tolist(), flat), here * w.flatten())
    _close(evaluate("weightedSum", here.tolist(), flat, bias), expected[row, column])


def _compare_greys(evaluate, rng: np.random.Generator, scale: float) -> None:
    values = torch.tensor(rng.normal(size=20) * scale)
    end = values.abs().max().item() or 1.0
    for mode, (low, high) in {"clip": (0.0, 1.0), "signed": (-end, end)}.items():
        assert evaluate("greyRange", values.tolist(), mode) == [low, high]
        levels = ((values - low) / (high - low) * 255).clamp(0, 255).round()
        assert evaluate("toGrey", values.tolist(), mode) == levels.tolist()
    rgba = torch.tensor(rng.integers(0, 256, (6, 4)))
    brightness = rgba[:, :3].double() @ torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64)
    assert evaluate("luminance", rgba.flatten().tolist()) == brightness.round().tolist()


def _compare_kernels(evaluate, rng: np.random.Generator) -> None:
    for size, presets in ((3, PRESETS), (5, PRESETS_5)):
        for name, kernel in presets.items():
            _close(evaluate("presetKernel", name, size), kernel, tolerance=1e-7)
    small, large = torch.tensor(rng.normal(size=(3, 3))), torch.tensor(rng.normal(size=(5, 5)))
    _close(evaluate("resizeKernel", small.flatten().tolist(), 5), pad(small, (1, 1, 1, 1)))
    _close(evaluate("resizeKernel", large.flatten().tolist(), 3), large[1:4, 1:4])


def _compare_texts(evaluate, rng: np.random.Generator) -> None:
    for value in rng.normal(scale=3, size=50).tolist():
        assert evaluate("formatNumber", value, 2) == f"{value:.2f}".replace("-", "−")
        assert number(evaluate("shortNumber", value)) == round(value, 3)
    assert evaluate("formatNumber", -0.001, 2) == "0.00"
    for value, text in ((-1, "−1"), (0, "0"), (-0.0001, "0"), (123.456, "123.5")):
        assert evaluate("shortNumber", value) == text


def _close(found, expected: torch.Tensor, tolerance: float = 1e-12) -> None:
    expected = expected.double().flatten()
    torch.testing.assert_close(
        torch.tensor(found, dtype=torch.float64).flatten(), expected, rtol=0, atol=tolerance
    )


def _picture(root: Locator, name: str) -> Locator:
    return root.get_by_role("slider", name=name, exact=True)


def _grey(root: Locator, name: str) -> torch.Tensor:
    return pixels(_picture(root, name).locator("canvas"))[..., 0]


def _size(root: Locator, name: str) -> tuple[int, int]:
    return tuple(_picture(root, name).locator("canvas").evaluate("c => [c.height, c.width]"))


def _expect_sum(root: Locator, row: int, column: int) -> None:
    """Output pixel, written sum and spoken text are torch's for the weights in the fields."""
    weights, bias = _weights(root), number(root.get_by_label("Bias b").input_value())
    size = len(weights)
    spoken = re.compile(rf"row {row}, column {column}: ")
    expect(_picture(root, "Output")).to_have_attribute("aria-valuetext", spoken)
    image = _grey(root, "Input").double() / 255
    output = conv2d(image[None, None], weights[None, None], torch.tensor([bias]).double())[0, 0]
    text = f"{output[row, column]:.3f}".replace("-", "−")
    expect(root.get_by_role("status", name="Output pixel")).to_have_text(text)
    expect(_picture(root, "Input")).to_have_attribute("aria-valuetext", re.compile(f": {text}$"))
    patch = image[row : row + size, column : column + size]
    _expect_patch(root, patch)
    _expect_lines(root, patch, weights, bias, text)
    _expect_grey(root, output, row, column)


def _expect_patch(root: Locator, patch: torch.Tensor) -> None:
    expected = "\n".join(f"{pixel:.2f}" for pixel in patch.flatten())
    expect(root.get_by_role("group", name="Patch x")).to_have_text(expected, use_inner_text=True)


def _expect_lines(root: Locator, patch, weights, bias: float, text: str) -> None:
    lines = root.locator(".lm-line").all()
    assert len(lines) == len(weights)
    for line, pixels_, weights_ in zip(lines, patch, weights, strict=True):
        found = [number(n) for n in re.findall(r"−?[\d.]+", line.inner_text())]
        expected = torch.stack([weights_, pixels_], dim=1).flatten().tolist()
        expected.append(float(weights_ @ pixels_))
        np.testing.assert_allclose(found, expected, atol=0.00501)  # pixels have two decimals
        np.testing.assert_allclose(found[-1], expected[-1], atol=0.000501)
    last = root.locator(".lm-last").inner_text()
    assert last.endswith(f"= {text}")
    added = re.findall(r"[−+]?\s*[\d.]+", last.split("=")[0])
    found = sum(number(n.replace(" ", "")) for n in added)
    expected = float((weights * patch).sum()) + bias
    np.testing.assert_allclose(found, expected, atol=0.0006 * len(added))


def _expect_grey(root: Locator, output: torch.Tensor, row: int, column: int) -> None:
    signed = root.get_by_label("Grey levels").input_value() == "signed"
    end = output.abs().max().item() or 1.0
    low, high = (-end, end) if signed else (0.0, 1.0)
    drawn = _grey(root, "Output")
    levels = ((output - low) / (high - low) * 255).clamp(0, 255).round().long()
    # One level: the order of summation differs.
    torch.testing.assert_close(drawn.long(), levels, rtol=0, atol=1)


def _weights(root: Locator) -> torch.Tensor:
    fields = root.get_by_role("spinbutton", name=re.compile(r"^row \d column \d$"))
    values = torch.tensor([number(field.input_value()) for field in fields.all()]).double()
    size = round(len(values) ** 0.5)
    return values.view(size, size)


def _expect_weights(root: Locator, kernel: torch.Tensor) -> None:
    torch.testing.assert_close(_weights(root), kernel.double(), rtol=0, atol=0.000501)


def _move_by_keyboard(root: Locator) -> None:
    """Arrows move by one pixel and stop at the border, PageDown by ten, Home and End to a side."""
    for name in ("Input", "Output"):
        rows, columns = _size(root, "Output")
        keys = ["Home", *["PageUp"] * (rows // 10 + 1), "ArrowUp", "ArrowLeft"]
        keys += ["PageDown", "ArrowDown", *["ArrowRight"] * 3]
        _picture(root, name).focus()
        for key in keys:
            _picture(root, name).press(key)
        _expect_sum(root, 11, 3)
        _picture(root, name).press("End")
        _expect_sum(root, 11, columns - 1)


def _type_kernel(root: Locator, rng: np.random.Generator) -> None:
    fields = root.get_by_role("spinbutton", name=re.compile(r"^row \d column \d$")).all()
    typed = rng.integers(-30, 31, len(fields)) / 10
    for field, weight in zip(fields, typed, strict=True):
        field.fill(str(weight))
    for text in ("-1.0512", "-1.05"):  # the kernel is drawn anew while the field has the focus
        fields[0].press("ControlOrMeta+a")
        fields[0].press_sequentially(text)
        assert fields[0].input_value() == text
    typed[0] = -1.05
    _expect_weights(root, torch.tensor(typed).view(_weights(root).shape))
    root.get_by_label("Bias b").fill("-0.25")
    root.get_by_label("Grey levels").select_option("clip")


def _point(root: Locator, name: str, down: float, across: float, *, click: bool) -> None:
    """Hover over or click on a place of a picture, given as fractions of its height and width."""
    picture = _picture(root, name)
    box = picture.bounding_box()
    x = min(across * box["width"], box["width"] - 1)
    y = min(down * box["height"], box["height"] - 1)
    (picture.click if click else picture.hover)(position={"x": x, "y": y})


def _move_by_pointer(page: Page, root: Locator) -> None:
    """Hovering looks at a pixel, a click keeps it, leaving goes back to the kept one."""
    height, width = _size(root, "Input")
    for name, row, column in (("Output", 20, 31), ("Input", 5, 40)):
        middle = ((row + 1.5) / height, (column + 1.5) / width)  # of the 3×3 patch
        _point(root, name, *middle, click=True)
        _expect_sum(root, row, column)
        _point(root, name, 0.5, 0.75, click=False)
        elsewhere = re.compile(rf"^row (?!{row},)")
        expect(_picture(root, name)).to_have_attribute("aria-valuetext", elsewhere)
        root.get_by_role("status", name="Output pixel").hover()
        _expect_sum(root, row, column)


def _open_own_photo(root: Locator) -> None:
    grey = np.random.default_rng(2).integers(0, 256, (40, 50), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, format="png")
    file = {"name": "own.png", "mimeType": "image/png", "buffer": buffer.getvalue()}
    field = root.get_by_label("Open a photo of your own")
    field.set_input_files({**file, "buffer": b"no picture"})
    expect(root.get_by_text("could not be read")).to_be_visible()
    field.set_input_files(file)
    expect(root.get_by_text("stays in this browser")).to_be_visible()
    shown = _grey(root, "Input")
    torch.testing.assert_close(shown, torch.tensor(grey), rtol=0, atol=0)
    _point(root, "Input", 20.5 / 40, 25.5 / 50, click=True)
    _expect_sum(root, 20 - 2, 25 - 2)
