"""FramePlayer: picture, label, range and count agree, and playing stops at the last frame."""

import re

import numpy as np
import torch
from playwright.sync_api import Locator, Page, expect

from helpers.widgets import FramePlayer
from tests.browser.cases import pixels

COUNT = 12


def example() -> FramePlayer:
    frames = np.random.default_rng(0).integers(0, 256, (COUNT, 20, 30, 3), dtype=np.uint8)
    labels = [f"step {10 * i}, loss {1 / (i + 1):.2f}" for i in range(COUNT)]
    alt = "coloured dots without any order, new ones in every frame"
    return FramePlayer(frames, labels, alt=alt, seconds=0.05)


def arithmetic(evaluate, rng: np.random.Generator) -> None:
    for _ in range(50):
        sizes = rng.integers(1, 9, size=rng.integers(1, 8)).tolist()
        files = torch.from_numpy(rng.integers(0, 256, sum(sizes)))
        offsets = np.cumsum([0, *sizes]).tolist()
        frame = int(rng.integers(len(sizes)))
        expected = torch.split(files, sizes)[frame].tolist()
        assert evaluate("frameBytes", files.tolist(), offsets, frame) == expected
        last = frame == len(sizes) - 1
        assert evaluate("following", frame, len(sizes)) == (None if last else frame + 1)
        assert evaluate("playingFrom", frame, len(sizes)) == (0 if last else frame)


def at_load(root: Locator, player: FramePlayer) -> None:
    given = torch.tensor(player.picture(player.frame))
    torch.testing.assert_close(pixels(root.get_by_role("img")), given, rtol=0, atol=0)
    expect(root.get_by_role("status")).to_have_text(player.labels[player.frame])


def changes(rng: np.random.Generator) -> list[tuple[str, int]]:
    return [("frame", step % COUNT) for step in range(50)]


def operate(page: Page, root: Locator) -> None:
    slider = root.get_by_role("slider", name="Frame")
    count = int(slider.get_attribute("max")) + 1
    _step_by_keyboard(root, slider, count)
    slider.click()  # the middle of the range
    assert abs(int(slider.input_value()) - (count - 1) / 2) <= 1
    _expect_frame(root, int(slider.input_value()), count)
    _play_to_the_end(page, root, slider, count)


def _step_by_keyboard(root: Locator, slider: Locator, count: int) -> None:
    slider.focus()
    steps = (("Home", 0), ("ArrowRight", 1), ("End", count - 1), ("ArrowLeft", count - 2))
    for key, frame in steps:
        slider.press(key)
        _expect_frame(root, frame, count)


def _play_to_the_end(page: Page, root: Locator, slider: Locator, count: int) -> None:
    """From the last frame playing starts over; a pause holds; it stops at the last frame."""
    slider.press("End")
    root.get_by_role("button", name="Play").click()
    expect(slider).not_to_have_value(str(count - 1))
    slider.press("ArrowRight")  # the reader's hand stops it
    assert root.get_by_role("button").inner_text() == "Play"
    root.get_by_role("button", name="Play").click()
    root.get_by_role("button", name="Pause").press("Space")
    _expect_frame(root, int(slider.input_value()), count)
    slider.press("End")
    slider.press("ArrowLeft")
    root.get_by_role("button", name="Play").press("Enter")
    _expect_frame(root, count - 1, count)
    expect(root.get_by_role("button")).to_have_text("Play")


def _expect_frame(root: Locator, frame: int, count: int) -> None:
    """Range, count, label and picture speak of the same frame; exactly one picture can be seen."""
    slider = root.get_by_role("slider", name="Frame")
    expect(slider).to_have_value(str(frame))
    expect(root.get_by_text(f"{frame + 1} of {count}", exact=True)).to_be_visible()
    label = slider.get_attribute("aria-valuetext")
    expect(root.get_by_role("status")).to_have_text(label)
    expect(root.get_by_role("img")).to_have_count(1)
    expect(root.get_by_role("img")).to_have_accessible_name(re.compile(re.escape(label) + "$"))
