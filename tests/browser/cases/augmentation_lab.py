"""AugmentationLab: picture, histograms and words are what torch and kornia make of the settings."""

import math
import re
from typing import NamedTuple

import numpy as np
import torch
from kornia.enhance import adjust_brightness, adjust_contrast, adjust_contrast_with_mean_subtraction
from kornia.geometry import get_rotation_matrix2d, hflip, warp_affine
from playwright.sync_api import Locator, Page, expect
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from helpers.widgets import AugmentationLab
from helpers.widgets._augmentation import DRAWN, LIMITS, ORIGINAL, augment, drawn_settings
from tests.browser.cases import number, pixels
from tests.browser.cases.schedule_composer import mulberry32

LABELS = {
    "Rotation": ("rotation", 1),
    "Zoom": ("zoom", 1),
    "Shift right": ("shift_right", 100),  # written in percent
    "Shift down": ("shift_down", 100),
    "Contrast": ("contrast", 1),
    "Brightness": ("brightness", 1),
    "Noise": ("noise", 1),
    "Side": ("erased_size", 100),
    "Place across": ("erased_right", 100),
    "Place down": ("erased_down", 100),
}
PADDING = {"black": "zeros", "reflected": "reflection"}


def example() -> AugmentationLab:
    rng = np.random.default_rng(0)
    sizes = {"small": (3, 40, 60), "large": (3, 160, 160)}
    images = {name: rng.integers(0, 256, s, dtype=np.uint8) for name, s in sizes.items()}
    return AugmentationLab(images, **AugmentationLab.draw(4), fill="reflected")


def arithmetic(evaluate, rng: np.random.Generator) -> None:
    for trial in range(50):
        height, width = rng.integers(2, 13, size=2).tolist()
        image = torch.tensor(rng.random((3, height, width)))
        settings = _random_settings(rng, "black" if trial % 2 else "reflected")
        _compare_geometry(evaluate, image, settings)
        _compare_light(evaluate, image, settings)
        _compare_erasing(evaluate, image, settings)
        _compare_counts(evaluate, image * 1.6 - 0.3)
        _compare_whole(evaluate, (image * 255).byte(), settings)
    _compare_edges(evaluate, torch.tensor(rng.random((3, 5, 7))))
    _compare_random_numbers(evaluate)


def at_load(root: Locator, lab: AugmentationLab) -> None:
    source = next(source for source in lab.sources if source["name"] == lab.image_name)
    shape = (3, source["height"], source["width"])
    given = np.frombuffer(lab.pixels, np.uint8, math.prod(shape), source["start"]).reshape(shape)
    torch.testing.assert_close(_picture(root, "Original"), torch.tensor(given), rtol=0, atol=0)
    assert _settings(root) == lab.settings()
    _expect_state(root)
    assert torch.equal(_picture(root, "Augmented"), torch.tensor(lab.augmented().levels))
    assert lab.alt_text().endswith(root.get_by_role("status").inner_text())
    for low, high, _ in list(DRAWN.values())[4:7]:
        expect(root).to_contain_text(f"{low:.2f} to {high:.2f}".replace("-", "−"))


def changes(rng: np.random.Generator) -> list[tuple[str, object]]:
    steps = [(name, value) for seed in range(1, 4) for name, value in drawn_settings(seed).items()]
    return [("image_name", "large"), ("seed", 5), ("fill", "black"), *steps]


def operate(page: Page, root: Locator) -> None:
    _back_to_the_original(root)
    _move_by_keyboard(root)
    _move_by_pointer(root)
    _draw(root)
    _turn_by_half_a_circle(root)
    _cut_off(root)
    root.get_by_label("Photograph").select_option("small")


class Expected(NamedTuple):
    values: Tensor  # float64 (3, height, width), before they are cut to 0…1
    outside: float


def expected(image: Tensor, settings: dict) -> Expected:
    """What torch makes of a picture, uint8 (3, height, width)."""
    values = image.double() / 255
    values = values.flip(2) if settings["flip"] else values
    values, outside = _torch_warp(values, settings)
    values = (values - values.mean()) * settings["contrast"] + values.mean()
    noise = _normals(settings["seed"], values.numel()).view_as(values)
    values = values + settings["brightness"] + settings["noise"] * noise
    top, left, side = _square(*image.shape[1:], settings)
    values[:, top : top + side, left : left + side] = 0
    return Expected(values, outside)


def _torch_warp(values: Tensor, settings: dict) -> tuple[Tensor, float]:
    """By affine_grid and grid_sample, whose matrix maps output to input between −1 and 1."""
    _, height, width = values.shape
    angle = math.radians(settings["rotation"])
    cos, sin = math.cos(angle), math.sin(angle)
    turn = settings["zoom"] * torch.tensor([[cos, sin], [-sin, cos]], dtype=torch.float64)
    shift = [settings["shift_right"] * width, settings["shift_down"] * height]
    forward = torch.eye(3, dtype=torch.float64)  # of distances from the centre, in pixels
    forward[:2, :2], forward[:2, 2] = turn, torch.tensor(shift, dtype=torch.float64)
    scale = torch.diag(torch.tensor([2 / width, 2 / height, 1], dtype=torch.float64))
    theta = scale @ forward.inverse() @ scale.inverse()
    grid = affine_grid(theta[None, :2], [1, *values.shape], align_corners=False)
    padding = PADDING[settings["fill"]]
    warped = grid_sample(values[None], grid, "bilinear", padding, align_corners=False)[0]
    return warped, (grid.abs() > 1 + 1e-9).any(dim=3).double().mean().item()


def _kornia_warp(values: Tensor, settings: dict) -> Tensor:
    """By the matrix that turns and zooms pixels about the centre, and then shifts them."""
    _, height, width = values.shape
    as_row = {"dtype": torch.float64}
    centre = torch.tensor([[(width - 1) / 2, (height - 1) / 2]], **as_row)
    zoom = torch.full((1, 2), settings["zoom"], **as_row)
    matrix = get_rotation_matrix2d(centre, torch.tensor([settings["rotation"]], **as_row), zoom)
    shift = [settings["shift_right"] * width, settings["shift_down"] * height]
    matrix[0, :, 2] += torch.tensor(shift, **as_row)
    padding = PADDING[settings["fill"]]
    options = {"padding_mode": padding, "align_corners": False}
    return warp_affine(values[None], matrix, (height, width), **options)[0]


def _normals(seed: int, count: int) -> Tensor:
    """Box and Muller's method by complex numbers, from the generator as its author wrote it."""
    half = (count + 1) // 2
    numbers = torch.tensor(mulberry32(2 * seed + 1, 2 * half), dtype=torch.float64)
    first, second = numbers.view(2, half)
    points = torch.polar((-2 * torch.log1p(-first)).sqrt(), 2 * math.pi * second)
    return torch.cat([points.real, points.imag])[:count]


def _square(height: int, width: int, settings: dict) -> tuple[int, int, int]:
    side = math.floor(settings["erased_size"] * min(height, width) + 0.5)
    top = math.floor(settings["erased_down"] * (height - side) + 0.5)
    return top, math.floor(settings["erased_right"] * (width - side) + 0.5), side


def _random_settings(rng: np.random.Generator, fill: str) -> dict:
    numbers = {name: float(rng.uniform(*limits)) for name, limits in LIMITS.items()}
    return {"flip": bool(rng.integers(2)), "fill": fill, "seed": int(rng.integers(1000)), **numbers}


def _compare_geometry(evaluate, image: Tensor, settings: dict) -> None:
    _, height, width = image.shape
    flat = image.flatten().tolist()
    _close(evaluate("flipped", flat, width), hflip(image))
    map_ = evaluate("inverseMap", height, width, settings)
    found = evaluate("warped", flat, height, width, map_, settings["fill"])
    warped, outside = _torch_warp(image, settings)
    _close(found, warped)
    _close(found, _kornia_warp(image, settings))
    assert abs(evaluate("outsideShare", height, width, map_) - outside) < 1e-12


def _compare_light(evaluate, image: Tensor, settings: dict) -> None:
    flat, contrast, brightness = (
        image.flatten().tolist(),
        settings["contrast"],
        settings["brightness"],
    )
    as_it_is = {"clip_output": False}
    scaled = adjust_contrast(image, contrast, **as_it_is)
    offset = (image.mean() * (1 - contrast) + brightness).item()
    found = evaluate("adjusted", flat, contrast, brightness)
    _close(found, adjust_brightness(scaled, offset, **as_it_is))
    grey = image[:1]  # of three channels kornia takes a weighted mean, with weights in float32
    found = evaluate("adjusted", grey.flatten().tolist(), contrast, 0)
    found = torch.tensor(found, dtype=torch.float64).clamp(0, 1)
    _close(found, adjust_contrast_with_mean_subtraction(grey, contrast))
    noise = _normals(settings["seed"], image.numel())
    found = evaluate("noisy", flat, settings["noise"], settings["seed"])
    _close(found, image.flatten() + settings["noise"] * noise)


def _compare_erasing(evaluate, image: Tensor, settings: dict) -> None:
    _, height, width = image.shape
    top, left, side = _square(height, width, settings)
    assert evaluate("erasedSquare", height, width, settings) == [top, left, side]
    assert top + side <= height
    assert left + side <= width
    left_over = image.clone()
    left_over[:, top : top + side, left : left + side] = 0
    found = evaluate("erased", image.flatten().tolist(), height, width, [top, left, side])
    _close(found, left_over)


def _compare_counts(evaluate, values: Tensor) -> None:
    found = evaluate("toLevels", values.flatten().tolist())
    levels = (255 * values.clamp(0, 1) + 0.5).floor().byte().flatten()
    assert _numbers(found["levels"]) == levels.tolist()
    assert found["low"] == (values < 0).sum(dim=(1, 2)).tolist()
    assert found["high"] == (values > 1).sum(dim=(1, 2)).tolist()
    counts = torch.histc(levels.double(), bins=64, min=0, max=256)
    assert evaluate("histogram", levels.tolist(), 64) == counts.tolist()
    _close(evaluate("moments", levels.tolist()), _moments(levels), tolerance=1e-9)


def _compare_whole(evaluate, image: Tensor, settings: dict) -> None:
    """With torch, and with the Python that draws the still picture."""
    values = (image.double() / 255).flatten().tolist()
    found = evaluate("augment", values, *image.shape[1:], settings)
    levels = torch.tensor(_numbers(found["levels"])).byte().view_as(image)
    here, python = expected(image, settings), augment(image.numpy(), settings)
    _expect_levels(levels, here.values)
    assert torch.equal(levels, torch.tensor(python.levels))
    for outside in (here.outside, python.outside):
        assert abs(found["outside"] - outside) < 1e-12
    size = image[0].numel()
    for end, lost in (("low", here.values < -1e-9), ("high", here.values > 1 + 1e-9)):
        assert found[end] == lost.sum(dim=(1, 2)).tolist()
        np.testing.assert_allclose(getattr(python, end) * size, found[end], atol=1e-9)


def _compare_edges(evaluate, image: Tensor) -> None:
    """No change, whole turns, the ends of every range, one pixel, and places far outside."""
    still, flat = {**ORIGINAL, "seed": 0}, image.flatten().tolist()
    whole = evaluate("augment", flat, 5, 7, still)
    _close(_numbers(whole["levels"]), (255 * image + 0.5).floor())
    assert whole["outside"] == sum(whole["low"] + whole["high"]) == 0
    for quarters in (-2, -1, 1, 2):  # against the clock, as torch counts them
        square = image[:, :, :5]
        settings = {**still, "rotation": 90 * quarters}
        map_ = evaluate("inverseMap", 5, 5, settings)
        found = evaluate("warped", square.flatten().tolist(), 5, 5, map_, "black")
        _close(found, square.rot90(quarters, (1, 2)))
        assert evaluate("outsideShare", 5, 5, map_) == 0
    for name in ("rotation", "zoom", "shift_right", "shift_down"):
        for value in LIMITS[name]:
            for fill in PADDING:
                _compare_geometry(evaluate, image, {**still, "fill": fill, name: float(value)})
    far = {"zoom": 0.01, "shift_right": 3.0, "shift_down": -2.0, "rotation": 10.0}
    _compare_geometry(evaluate, image, {**still, **far, "fill": "reflected"})
    _compare_geometry(evaluate, image[:, :1, :1], {**still, "zoom": 0.3, "fill": "reflected"})
    assert [evaluate("reflected", x, 4) for x in (-0.5, -1, -1.5, 3.5, 4, 7.4, 8)] == [
        *(0, 0, 0.5, 3, 3, 0, 0.0),
    ]
    half = {**still, "erased_size": 0.5}  # of 5 rows: 2.5, rounded up
    assert evaluate("erasedSquare", 5, 7, half) == [1, 2, 3]
    assert evaluate("erasedSquare", 5, 7, {**half, "erased_right": 1, "erased_down": 0})[:2] == [
        0,
        4,
    ]
    assert evaluate("histogram", [0, 3, 4, 251, 252, 255], 64)[::63] == [2, 2]


def _compare_random_numbers(evaluate) -> None:
    for seed in range(50):
        assert evaluate("drawnSettings", seed) == drawn_settings(seed)
    for seed in (0, 1, 999_999):
        assert evaluate("uniforms", seed, 100) == mulberry32(seed, 100)
        _close(evaluate("normals", seed, 101), _normals(seed, 101))
    many = torch.tensor(evaluate("normals", 7, 20_000))
    below = torch.distributions.Normal(0, 1).cdf(torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0]))
    shares = [(many < limit).double().mean().item() for limit in (-2, -1, 0, 1, 2)]
    np.testing.assert_allclose(shares, below, atol=0.012)  # 3.4 standard errors of a half


def _numbers(found) -> list[int]:
    """A typed array inside an object comes back with its positions as names."""
    return list(found.values()) if isinstance(found, dict) else list(found)


def _moments(levels: Tensor) -> Tensor:
    return torch.stack([levels.double().mean(), levels.double().std(correction=0)])


def _close(found, wanted: Tensor, tolerance: float = 1e-11) -> None:
    found = torch.as_tensor(found, dtype=torch.float64).flatten()
    torch.testing.assert_close(found, wanted.double().flatten(), rtol=0, atol=tolerance)


def _expect_levels(found: Tensor, values: Tensor) -> None:
    """Rounded; where a value lies half-way between two levels, the order of summation decides."""
    exact = 255 * values.clamp(0, 1) + 0.5
    assert ((exact - 1e-6).floor() <= found).all()
    assert (found <= (exact + 1e-6).floor()).all()


def _picture(root: Locator, name: str) -> Tensor:
    """uint8 (3, height, width)."""
    return pixels(root.get_by_role("img", name=name, exact=True)).permute(2, 0, 1)


def _slider(root: Locator, label: str) -> Locator:
    return root.get_by_role("slider", name=label, exact=True)


def _settings(root: Locator) -> dict:
    """What the controls hold; the value beside each range says the same."""
    found = {}
    for label, (name, parts) in LABELS.items():
        field = _slider(root, label)
        found[name] = number(field.input_value())
        said = number(re.search(r"[−\d.]+", field.get_attribute("aria-valuetext"))[0])
        np.testing.assert_allclose(said, parts * found[name], atol=1e-9)
    seed = root.get_by_text(re.compile(r"^Seed")).inner_text()
    found["seed"] = int(re.search(r"\d+", seed)[0])
    found["flip"] = root.get_by_role("checkbox").is_checked()
    found["fill"] = root.get_by_label("Outside the picture").input_value()
    return found


def _expect_state(root: Locator, **settings) -> None:
    """Picture, histograms and words are torch's for what the controls hold."""
    held, before = _settings(root), _picture(root, "Original")
    assert {name: held[name] for name in settings} == settings
    wanted = expected(before, held)
    after = _picture(root, "Augmented")
    _expect_levels(after, wanted.values)
    lost = [wanted.values < -1e-9, wanted.values > 1 + 1e-9]
    _expect_histograms(root, before, after, lost)
    _expect_words(root, before, after, lost, wanted.outside)


def _expect_histograms(root: Locator, before: Tensor, after: Tensor, lost: list[Tensor]) -> None:
    """Bars against torch.histc; the full height is the tallest bar that stands at no end."""
    shares = [[_shares(channel) for channel in picture] for picture in (before, after)]
    top = max(bins[1:-1].max() for picture in shares for bins in picture)
    charts = root.locator(".lm-histogram")
    for i in range(6):
        chart, side, channel = charts.nth(i), i // 3, i % 3
        assert number(chart.locator("svg").get_attribute("viewBox").split()[3]) == top
        np.testing.assert_allclose(_bars(chart, "bars"), shares[side][channel], atol=1e-12)
        cut = [side * end[channel].double().mean().item() for end in lost]
        np.testing.assert_allclose(_bars(chart, "cut"), cut, atol=1e-12)
        outline = re.findall(r"V-?([\d.e-]+)h1", chart.locator(".lm-outline").get_attribute("d"))
        np.testing.assert_allclose(list(map(float, outline)), shares[0][channel] if side else [])
        for end, share in zip(("low", "high"), cut, strict=True):
            said = chart.locator(f".lm-{end}").inner_text()
            assert (said != "") == (share > 0)
            np.testing.assert_allclose(
                number(said.removesuffix(" %") or "0"), 100 * share, atol=0.0501
            )


def _bars(chart: Locator, name: str) -> list[float]:
    drawn = chart.locator(f".lm-{name}").get_attribute("d")
    return [float(height) for height in re.findall(r"h1v([\d.e-]+)z", drawn)]


def _shares(levels: Tensor) -> np.ndarray:
    return (torch.histc(levels.double(), bins=64, min=0, max=256) / levels.numel()).numpy()


def _expect_words(root: Locator, before: Tensor, after: Tensor, lost: list, outside: float) -> None:
    """Every number of the live sentences, in the order in which they come."""
    text = root.get_by_role("status").inner_text()
    said = [number(n) for n in re.findall(r"−?\d+\.\d", text)]
    (mean_before, sd_before), (mean, sd) = (_moments(levels) for levels in (before, after))
    if torch.equal(before, after):
        assert "the original picture" in text
        np.testing.assert_allclose(said, [mean, sd], atol=0.0501)
        return
    shares = [100 * end.double().mean().item() for end in lost]
    cut = [share for share in shares if share]
    wanted = [mean_before, mean, sd_before, sd, *cut, *([100 * outside] if outside else [])]
    np.testing.assert_allclose(said, wanted, atol=0.0501)
    for share, words in zip(shares, ("off at 0", r"(off|%) at 255"), strict=True):
        assert bool(re.search(words, text)) == (share > 0)
    assert ("No value was cut off." in text) == (not cut)
    assert ("lie outside the picture" in text) == (outside > 0)
    mirrored = root.get_by_label("Outside the picture").input_value() == "reflected"
    assert ("mirror image" in text) == (mirrored and outside > 0)


def _back_to_the_original(root: Locator) -> None:
    root.get_by_role("button", name="Back to the original").press("Enter")
    _expect_state(root, **{name: value for name, value in ORIGINAL.items() if name != "fill"})
    assert torch.equal(_picture(root, "Augmented"), _picture(root, "Original"))


def _move_by_keyboard(root: Locator) -> None:
    """Arrows move a range by one step, Home and End to its ends; Space flips."""
    root.get_by_role("checkbox", name="Flip left and right").press("Space")
    for _ in range(3):
        _slider(root, "Rotation").press("ArrowLeft")
    _expect_state(root, flip=True, rotation=-3)
    for label, (name, _) in LABELS.items():
        for key, value in (("Home", LIMITS[name][0]), ("End", LIMITS[name][1])):
            _slider(root, label).press(key)
            assert _settings(root)[name] == value
    _expect_state(root, rotation=180, zoom=2, shift_right=0.5, noise=0.3, erased_size=0.6)
    root.get_by_label("Outside the picture").select_option("reflected")
    for label in ("Zoom", "Noise", "Side", "Shift down"):
        _slider(root, label).press("Home")
    _expect_state(root, zoom=0.5, noise=0, erased_size=0, shift_down=-0.5, fill="reflected")


def _move_by_pointer(root: Locator) -> None:
    """A click on a range moves its knob there, a click on the name of the box flips."""
    for fill, shares in (("black", (0.6, 0.35)), ("reflected", (0.45, 0.7)), ("black", (0.4, 0.5))):
        root.get_by_label("Outside the picture").select_option(fill)
        for i, (label, (name, _)) in enumerate(LABELS.items()):
            box, share = _slider(root, label).bounding_box(), shares[i % 2]
            middle = {"x": share * box["width"], "y": box["height"] / 2}
            _slider(root, label).click(position=middle)
            low, high = LIMITS[name]
            found = (_settings(root)[name] - low) / (high - low)
            assert abs(found - share) < 0.09, name  # the knob's width is not part of its way
        flip = not _settings(root)["flip"]
        root.get_by_text("Flip left and right").click()
        _expect_state(root, flip=flip, fill=fill)


def _draw(root: Locator) -> None:
    """Each draw is that of the next number; what lies outside stays as it was chosen."""
    button = root.get_by_role("button", name="New random draw")
    for fill in ("reflected", "black", "black"):
        root.get_by_label("Outside the picture").select_option(fill)
        before = _settings(root)["seed"]
        (button.press("Enter") if fill == "reflected" else button.click())
        _expect_state(root, fill=fill, **AugmentationLab.draw(before + 1))
    _back_to_the_original(root)
    assert _settings(root)["seed"] == before + 1  # the next draw is a new one


def _turn_by_half_a_circle(root: Locator) -> None:
    _slider(root, "Rotation").press("End")
    turned = _picture(root, "Original").rot90(2, (1, 2))
    assert torch.equal(_picture(root, "Augmented"), turned)
    assert "Every pixel comes from inside" in root.get_by_role("status").inner_text()
    _slider(root, "Rotation").press("Home")
    assert torch.equal(_picture(root, "Augmented"), turned)


def _cut_off(root: Locator) -> None:
    """More brightness cuts off at 255, more contrast at both ends."""
    _back_to_the_original(root)
    _slider(root, "Brightness").press("End")
    words = root.get_by_role("status")
    expect(words).to_contain_text("% of the values were cut off at 255.")
    _expect_state(root, brightness=0.5)
    _slider(root, "Contrast").press("End")
    _slider(root, "Brightness").press("Home")
    _expect_state(root, brightness=-0.5, contrast=2)
    for _ in range(50):
        _slider(root, "Brightness").press("ArrowRight")
    expect(words).to_contain_text(re.compile(r"cut off at 0 and [\d.]+ % at 255\."))
    _expect_state(root, brightness=0, contrast=2)
