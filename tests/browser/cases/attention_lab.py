"""AttentionLab: the page's weights and next characters are those of torch's Llama."""

import functools
import math
import re

import numpy as np
import torch
from playwright.sync_api import Locator, Page, expect

from helpers.data import PlayModel, play_model
from helpers.widgets import AttentionLab
from tests.browser.cases import number
from tests.browser.cases.next_token import compare_sampling
from tests.language_models import LETTERS, random_play_model, torch_model, torch_pass

MARKS = {" ": "␣", "\n": "↵"}
STEPS = {"ArrowLeft": -1, "ArrowRight": 1, "Home": -100, "End": 100, "PageUp": -10, "PageDown": 10}
# Half characters, signs of two code units, a sign twice.
ODD = ["", "a\ud83d", "\ude80\ud83d", "🚀🚀b", "no é, no à, no é", "To be\t1"]


def example() -> AttentionLab:
    return AttentionLab(
        random_play_model(), "What, é you knaves?", layer=1, head=2, place=12, passage=_passage()
    )


def _passage() -> str:
    rng = np.random.default_rng(0)
    return "".join(rng.choice(["the ", "knave ", "o, ", "To be\n"], 60))


def arithmetic(evaluate, rng: np.random.Generator) -> None:
    compare_sampling(evaluate, rng)
    for text in [*ODD, LETTERS, "".join(rng.permutation(list(LETTERS + "0éß")))]:
        ids = [LETTERS.index(sign) for sign in text if sign in LETTERS]
        unknown = list(dict.fromkeys(sign for sign in text if sign not in LETTERS))
        if not re.search("[\ud800-\udfff]", text):  # the browser's driver mends these
            assert evaluate("readText", text, LETTERS) == {"ids": ids, "unknown": unknown}
        mended = re.sub("[\ud800-\udfff]", "\ufffd", text)
        assert evaluate("wellFormed", text) == mended
    for count in (1, 3, 5, 20):
        shares = (rng.integers(0, 6, 12) / 6).tolist()  # with equals
        best = torch.tensor(shares).sort(descending=True, stable=True)
        found = evaluate("largest", shares, count)
        assert [entry["i"] for entry in found] == best.indices[:count].tolist()
        assert [entry["share"] for entry in found] == [shares[i] for i in best.indices[:count]]
        expected = torch.tensor(shares, dtype=torch.float64).mul(9).softmax(0).tolist()
        np.testing.assert_allclose(evaluate("softmax", [9 * s for s in shares]), expected)


def at_load(root: Locator, lab: AttentionLab) -> None:
    assert _field(root).input_value() == lab.text
    assert _head(root) == (lab.layer, lab.head)
    expect(root.get_by_text("Left out, for the model has never read them: é")).to_be_visible()
    _expect_place(root, lab.place)
    _expect_numbers(root)
    _expect_said(root)


def changes(rng: np.random.Generator) -> list[tuple[str, object]]:
    texts = [("text", "".join(rng.choice(list(LETTERS[1:]), 60))) for _ in range(8)]
    heads = [(name, int(rng.integers(2))) for name in ("layer", "head") * 6]
    places = [("place", int(i)) for i in rng.integers(60, size=10)]
    last = [("text", "To be, or not to b"), ("layer", 0), ("head", 3), ("place", 9)]
    return [*texts, *heads, *places, *last]


def operate(page: Page, root: Locator) -> None:
    _type(root)
    _walk_by_keyboard(root)
    _walk_by_pointer(page, root)
    _choose_heads(root)
    _go_to_findings(root)
    _leave_out_what_is_unknown(root)


def _field(root: Locator) -> Locator:
    return root.get_by_role("textbox", name=re.compile("^Text: type one line"))


def _strip(root: Locator) -> Locator:
    return root.get_by_role("slider", name="Character that looks")


def _radio(root: Locator, layer: int, head: int) -> Locator:
    return root.get_by_role("radio", name=f"Layer {layer + 1}, head {head + 1}")


def _head(root: Locator) -> tuple[int, int]:
    """Layer and head of the one radio button that is chosen, which alone can be reached by tab."""
    chosen = root.get_by_role("radio", checked=True)
    expect(chosen).to_have_count(1)
    stops = root.locator("[role=radio][tabindex='0']")
    expect(stops).to_have_count(1)
    expect(stops).to_have_attribute("aria-checked", "true")
    layer, head = re.findall(r"\d+", chosen.get_attribute("aria-label"))
    return int(layer) - 1, int(head) - 1


def _signs(root: Locator) -> list[str]:
    marks = {mark: sign for sign, mark in MARKS.items()}
    return [marks.get(sign, sign) for sign in root.locator(".lm-glyph").all_inner_texts()]


@functools.cache
def _model(heads: int) -> PlayModel:
    """The random model above, or that of the plays, which has more heads."""
    model = random_play_model()
    few = model.settings["n_layers"] * model.settings["n_heads"]
    return model if heads == few else play_model()


@functools.cache
def _expected(heads: int, text: str) -> tuple[str, torch.Tensor, torch.Tensor]:
    """Characters, probabilities (time, vocab_size) and attention weights: torch's, in float64."""
    model = _model(heads)
    ids = [model.characters.index(sign) for sign in text]
    logits, looks = torch_pass(torch_model(model).double(), ids)
    return model.characters, logits.softmax(-1), looks


def _place(root: Locator) -> int:
    return int(_strip(root).get_attribute("aria-valuenow")) - 1


def _expect_place(root: Locator, place: int) -> None:
    signs = _signs(root)
    sign = MARKS.get(signs[place], signs[place])
    spoken = f"character {place + 1} of {len(signs)}, {sign}"
    expect(_strip(root)).to_have_attribute("aria-valuetext", spoken)
    expect(root.locator(".lm-letter").nth(place)).to_have_class(re.compile("lm-looking"))
    expect(root.locator(".lm-looking")).to_have_count(1)


def _expect_numbers(root: Locator) -> None:
    """Rods, strongest three, best five: torch's, for the chosen head and place."""
    signs, place, (layer, head) = _signs(root), _place(root), _head(root)
    heads = root.get_by_role("radio").count()
    letters, shares, looks = _expected(heads, "".join(signs))
    weights = looks[layer, head, place]
    heights = "rods => rods.map((rod) => parseFloat(rod.style.height))"
    drawn = root.locator(".lm-rod").evaluate_all(heights)
    np.testing.assert_allclose(drawn, 100 * weights, atol=1e-4)
    found = _listed(root, 0)
    assert len(found) == min(3, place + 1)
    for (name, share), i in zip(found, _best(weights[: place + 1], 3), strict=True):
        back = "itself" if i == place else f"{place - i} back"
        assert name == f"{MARKS.get(signs[i], signs[i])}, {back}"
        assert math.isclose(share, weights[i], abs_tol=0.0051)
    for (name, share), i in zip(_listed(root, 1), _best(shares[place], 5), strict=True):
        assert name == MARKS.get(letters[i], letters[i])
        assert math.isclose(share, shares[place, i], abs_tol=0.0051)


def _best(shares: torch.Tensor, count: int) -> list[int]:
    return shares.sort(descending=True, stable=True).indices[:count].tolist()


def _listed(root: Locator, which: int) -> list[tuple[str, float]]:
    rows = root.locator(".lm-shares").nth(which).locator("li")
    names = rows.locator(".lm-name").all_inner_texts()
    shares = rows.locator(".lm-number-of").all_inner_texts()
    return [(name, number(share)) for name, share in zip(names, shares, strict=True)]


def _expect_said(root: Locator) -> None:
    """What a screen reader is told holds the numbers of the lists."""
    layer, head = _head(root)
    parts = ["; ".join(f"{n}: {s:.2f}" for n, s in _listed(root, i)) for i in (0, 1)]
    said = (
        f"Layer {layer + 1}, head {head + 1}, {_strip(root).get_attribute('aria-valuetext')}, "
        f"looks at {parts[0]}. The model's best next characters: {parts[1]}."
    )
    expect(root.locator(".lm-said")).to_have_text(said)


def _type(root: Locator) -> None:
    """Letter by letter, from a text that begins like the last one and from another."""
    for text in ("To be or not to b", "To be or knot", "a"):
        _field(root).fill(text)
        assert "".join(_signs(root)) == text
        _expect_place(root, len(text) - 1)  # the last one looks
        _expect_numbers(root)
    _field(root).press_sequentially("h, me")
    assert "".join(_signs(root)) == "ah, me"
    _expect_numbers(root)
    _expect_said(root)
    _field(root).fill("x" * 70)
    assert "".join(_signs(root)) == "x" * 60


def _walk_by_keyboard(root: Locator) -> None:
    _field(root).fill("O that this too too solid flesh")
    _expect_place(root, 30)
    place = 30
    for key in ("ArrowLeft", "Home", "ArrowLeft", "PageDown", "ArrowRight", "PageUp", "End"):
        _strip(root).press(key)
        place = min(max(place + STEPS[key], 0), 30)
        _expect_place(root, place)
    _strip(root).press("PageUp")
    _expect_numbers(root)
    _expect_said(root)


def _walk_by_pointer(page: Page, root: Locator) -> None:
    """Hovering looks, a click keeps, leaving goes back to the kept one; in strip and map."""
    letters = root.locator(".lm-letter")
    letters.nth(7).click()
    _expect_place(root, 7)
    letters.nth(3).hover()
    _expect_place(root, 3)
    _expect_numbers(root)
    _field(root).hover()
    _expect_place(root, 7)
    picture = root.locator(".lm-large .lm-picture")
    box = picture.bounding_box()
    row = box["height"] / len(_signs(root))
    picture.click(position={"x": box["width"] / 2, "y": 20.5 * row})
    _field(root).hover()
    _expect_place(root, 20)
    mark = root.locator(".lm-large .lm-mark").bounding_box()
    box = picture.bounding_box()
    np.testing.assert_allclose([mark["y"] - box["y"], mark["width"]],
                               [20 * row, 21 * row], atol=0.5)  # fmt: skip


def _choose_heads(root: Locator) -> None:
    _radio(root, 0, 0).click()
    for key, expected in (
        ("ArrowRight", (0, 1)), ("ArrowDown", (1, 1)), ("ArrowLeft", (1, 0)), ("ArrowLeft", (1, 0)),
    ):  # fmt: skip
        root.get_by_role("radio", checked=True).press(key)
        assert _head(root) == expected
        expect(root.get_by_role("radio", checked=True)).to_be_focused()
        _expect_numbers(root)
    _radio(root, 0, 3).click()
    assert _head(root) == (0, 3)
    _expect_numbers(root)


def _go_to_findings(root: Locator) -> None:
    """Each button's number is repeated in the sentence below; the pressed one is the shown one."""
    buttons = root.get_by_role("button")
    for i in range(buttons.count()):
        buttons.nth(i).click()
        expect(buttons.nth(i)).to_have_attribute("aria-pressed", "true")
        layer, head = _head(root)
        said = root.locator(".lm-measured")
        expect(said).to_contain_text(f"Of all heads, layer {layer + 1}, head {head + 1} puts")
        share, even = map(float, re.findall(r"0\.\d\d", said.inner_text())[:2])
        unskilled = "no head of this model is made for it" in said.inner_text()
        assert share < 2 * even + 0.02 if unskilled else share > 2 * even - 0.02
        _expect_numbers(root)


def _leave_out_what_is_unknown(root: Locator) -> None:
    _field(root).fill("no é, no à")
    assert "".join(_signs(root)) == "no , no "
    expect(root.get_by_text("Left out, for the model has never read them: é à")).to_be_visible()
    _expect_numbers(root)
    for text in ("", "éà"):
        _field(root).fill(text)
        expect(root.get_by_text("Here is nothing that the model can read")).to_be_visible()
        assert "".join(_signs(root)) == "no , no "
    _strip(root).press("Home")  # leaves the field, which shows the last text again
    assert _field(root).input_value() == "no é, no à"
    _field(root).fill("Good night")
    expect(root.get_by_text("Left out")).to_have_count(0)
    _expect_numbers(root)
