"""RotaryArrows: turned vectors, products and angles equal those of the book's own `rotate`."""

import functools
import math
import re

import numpy as np
import pytest
import torch
from playwright.sync_api import Locator, Page, expect

from helpers.models.transformer import rotary_table, rotate
from helpers.widgets import RotaryArrows
from tests.browser.cases import number

LAST, BASES, PAIRS = 127, (100, 10_000, 100_000), (4, 6, 8)

table = functools.cache(rotary_table)


def example() -> RotaryArrows:
    return RotaryArrows(query_position=30, key_position=12, pair=1)


def torch_product(query, key, m: int, n: int, base: float) -> torch.Tensor:
    """Share of each pair, `(pairs,)`, from `rotate` on float64 vectors."""
    return (turned(query, m, base) * turned(key, n, base)).view(2, -1).sum(dim=0)


def turned(vector, position: int, base: float) -> torch.Tensor:
    vector = torch.as_tensor(vector, dtype=torch.float64)
    cos, sin = table(LAST + 1, len(vector), base)
    return rotate(vector, cos[position], sin[position])


def sinusoid(position: int, size: int, base: float) -> torch.Tensor:
    cos, sin = table(LAST + 1, size, base)
    return torch.cat([sin[position], cos[position]]).double()


def torch_terms(query, key, m: int, n: int, base: float) -> list[float]:
    """q·k, q·p_n, p_m·k, p_m·p_n."""
    q, k = (torch.as_tensor(v, dtype=torch.float64) for v in (query, key))
    first, second = (sinusoid(position, len(q), base) for position in (m, n))
    return [float(a @ b) for a, b in ((q, k), (q, second), (first, k), (first, second))]


def cut(vector: list, pairs: int) -> list:
    """The first pairs of a vector, as torch's views have them."""
    return torch.tensor(vector, dtype=torch.float64).view(2, -1)[:, :pairs].flatten().tolist()


def arithmetic(evaluate, rng: np.random.Generator) -> None:
    for size in (4, 8, 12, 16, 32):
        query, key = rng.normal(size=(2, size)).tolist()
        for base in BASES:
            m, n = rng.integers(0, LAST + 1, 2).tolist()
            _compare(evaluate, query, key, m, n, base)
    eight = list(range(16))
    for pairs in (1, *PAIRS):
        assert evaluate("firstPairs", eight, pairs) == cut(eight, pairs)


def _compare(evaluate, query, key, m, n, base) -> None:
    """To 1e-6, as the book's table is float32; a wrong place or sign is off by 0.01 and more."""

    def close(found, expected):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * len(query))

    size = len(query)
    speeds = float(base) ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    np.testing.assert_allclose(evaluate("speeds", size, base), speeds, rtol=1e-12)
    for vector, position in ((query, m), (key, n)):
        np.testing.assert_allclose(
            evaluate("turned", vector, position, base), turned(vector, position, base), atol=1e-6
        )
    np.testing.assert_allclose(
        evaluate("sinusoid", m, size, base), sinusoid(m, size, base), atol=1e-6
    )
    shares = evaluate("shares", query, key, m, n, base)
    close(shares, torch_product(query, key, m, n, base))
    close(evaluate("addedTerms", query, key, m, n, base), torch_terms(query, key, m, n, base))
    lengths = [torch.tensor(v).view(2, -1).norm(dim=0).numpy() for v in (query, key)]
    angles = evaluate("angles", query, key, m, n, base)
    assert max(map(abs, angles)) <= 180
    close(lengths[0] * lengths[1] * np.cos(np.radians(angles)), shares)
    straight = evaluate("angles", [1, 1, 0, 0], [1, 1, 0, 0], 2, 1, base)
    assert straight[0] == pytest.approx(math.degrees(1), abs=1e-9)


def at_load(root: Locator, arrows: RotaryArrows) -> None:
    _expect_numbers(root, arrows)


def changes(rng: np.random.Generator) -> list[tuple[str, object]]:
    moves = [(name, int(rng.integers(LAST + 1))) for name in ("query_position", "key_position") * 6]
    return [
        *moves,
        ("vectors", "drawn"),
        ("pairs", 8),
        ("pair", 7),
        *moves[::-1],
        ("base", 100),
        ("pairs", 6),
        ("pair", 2),
        ("base", 100_000),
    ]


def operate(page: Page, root: Locator) -> None:
    _move_by_keyboard(root)
    _move_by_pointer(page, root)
    _choose(root)
    _answer_the_questions(root)


def _slider(root: Locator, name: str) -> Locator:
    return root.get_by_role("slider", name=name)


def _read(root: Locator) -> dict:
    """The state that the controls show."""
    fields = {
        name: root.get_by_role("combobox", name=name) for name in ("Vectors", "Base", "Pairs")
    }
    values = {name: field.input_value() for name, field in fields.items()}
    pressed = root.locator('.lm-card[aria-pressed="true"] .lm-title').inner_text()
    return {
        "vectors": values["Vectors"],
        "base": int(values["Base"]),
        "pairs": int(values["Pairs"]),
        "query_position": int(_slider(root, "Position m").input_value()),
        "key_position": int(_slider(root, "Position n").input_value()),
        "pair": int(pressed.split()[-1]),
    }


def _expect_state(root: Locator) -> None:
    state, arrows = _read(root), example()
    for name, value in state.items():
        setattr(arrows, name, value)
    _expect_numbers(root, arrows)


def _close(found: str, expected: float, digits: int = 2) -> None:
    """To half of the last digit that is shown, and the 2e-6 of the float32 table."""
    assert abs(number(found.replace("+", "").rstrip("°")) - expected) <= 0.5 * 10**-digits + 2e-6


def _expect_numbers(root: Locator, arrows: RotaryArrows) -> None:
    query, key = arrows.chosen()
    m, n, base = arrows.query_position, arrows.key_position, arrows.base
    distance = str(m - n).replace("-", "−")
    expect(root.locator(".lm-distance")).to_have_text(f"Distance: m − n = {m} − {n} = {distance}")
    shares = torch_product(query, key, m, n, base)
    for found, share in zip(root.locator(".lm-share").all_inner_texts(), shares, strict=True):
        _close(found, share)
    lengths = [np.hypot(*v.reshape(2, -1)) for v in (query, key)]
    cosines = shares.numpy() / (lengths[0] * lengths[1])
    for found, cosine in zip(root.locator(".lm-angle").all_inner_texts(), cosines, strict=True):
        assert math.cos(math.radians(number(found.rstrip("°")))) == pytest.approx(cosine, abs=1e-3)
    total, terms = float(shares.sum()), torch_terms(query, key, m, n, base)
    _close(root.locator(".lm-turned").inner_text().split(" ≈ ")[-1], total)
    _close(root.locator(".lm-one").inner_text().split(" ≈ ")[-1], shares[arrows.pair])
    written = root.locator(".lm-added").inner_text().split(" ≈ ")
    _close(written[-1], sum(terms))
    parts = written[-2].replace(" − ", " −").replace(" + ", " ").split()
    for found, term in zip(parts, terms, strict=True):
        _close(found, term)
    _expect_summary(root, arrows, total)
    _expect_arrows(root, arrows)
    _expect_curves(root, arrows)


def _expect_summary(root: Locator, arrows: RotaryArrows, total: float) -> None:
    """The sentence: one product at every place when turned, a span when added."""
    query, key = arrows.chosen()
    distance = arrows.query_position - arrows.key_position
    places = [(m, m - distance) for m in range(LAST + 1) if 0 <= m - distance <= LAST]
    sums = [sum(torch_terms(query, key, *place, arrows.base)) for place in places]
    text = root.locator(".lm-summary").inner_text()
    if len(places) == 1:
        assert "cannot move" in text
        return
    found = re.search(
        r"is ([−\d.]+) at each of the (\d+) .* between ([−\d.]+) and ([−\d.]+);", text
    )
    assert int(found[2]) == len(places)
    for shown, wanted in zip(found.group(1, 3, 4), (total, min(sums), max(sums)), strict=True):
        _close(shown, wanted)


def _points(path: Locator) -> np.ndarray:
    """The corners of a path, `(n, 2)`, y upwards."""
    found = re.findall(r"[ML](\S+?) ([^ML]+)", path.get_attribute("d"))
    return np.array(found, dtype=float) * [1, -1]


def _expect_arrows(root: Locator, arrows: RotaryArrows) -> None:
    """Each arrow ends where `rotate` turns it to; the longest one reaches its circle."""
    both = dict(zip(("query", "key"), arrows.chosen(), strict=True))
    longest = max(np.hypot(*vector.reshape(2, -1)).max() for vector in both.values())
    for name, vector in both.items():
        position = getattr(arrows, f"{name}_position")
        ends = turned(vector, position, arrows.base).view(2, -1).T.numpy() / longest
        for pair, end in enumerate(ends):
            path = root.locator(".lm-card").nth(pair).locator(f".lm-{name}:not(.lm-start)")
            np.testing.assert_allclose(_points(path)[1], end, rtol=0, atol=1e-5)


def _expect_curves(root: Locator, arrows: RotaryArrows) -> None:
    """Up to their scale, the two curves are torch's."""
    query, key = arrows.chosen()
    curve = _points(root.locator(".lm-chart").nth(0).locator(".lm-line"))
    pairs = [
        torch_product(query, key, max(d, 0), max(-d, 0), arrows.base) for d in range(-127, 128)
    ]
    np.testing.assert_array_equal(curve[:, 0], np.arange(-LAST, LAST + 1))
    _same_shape(curve[:, 1], [float(shares.sum()) for shares in pairs])
    distance = arrows.query_position - arrows.key_position
    style = root.locator(".lm-ring").nth(0).get_attribute("style")
    left, top = (float(value) / 100 for value in re.findall(r"([\d.]+)%", style))
    assert left == pytest.approx((distance + LAST) / (2 * LAST), abs=1e-5)
    assert -top == pytest.approx(curve[distance + LAST, 1], abs=1e-4)
    thin = _points(root.locator(".lm-thin"))
    _same_shape(thin[:, 1], [float(shares[arrows.pair]) for shares in pairs])
    added = _points(root.locator(".lm-dashed"))
    if len(added) == 1:
        return  # m and n at opposite ends: no line
    places = [(int(m), int(m) - distance) for m in added[:, 0]]
    _same_shape(added[:, 1], [sum(torch_terms(query, key, *p, arrows.base)) for p in places])


def _same_shape(drawn: np.ndarray, expected: list[float]) -> None:
    """Some height and scale lay one over the other."""
    columns = np.stack([np.array(expected), np.ones(len(expected))], axis=1)
    found = np.linalg.lstsq(columns, drawn, rcond=None)[0]
    np.testing.assert_allclose(drawn, columns @ found, rtol=0, atol=2e-5)
    assert found[0] > 0


def _move_by_keyboard(root: Locator) -> None:
    query, key, both = (_slider(root, name) for name in ("Position m", "Position n", "Move both"))
    for slider, press in ((query, "Home"), (key, "End"), (query, "End"), (key, "Home")):
        slider.press(press)
        _expect_state(root)
    expect(root.locator(".lm-summary")).to_contain_text("At this distance the two cannot move.")
    for _ in range(7):
        query.press("ArrowLeft")
    key.press("ArrowRight")
    _expect_state(root)
    before = _read(root), root.locator(".lm-turned").inner_text()
    for press in ("Home", "ArrowRight", "End"):
        both.press(press)
        _expect_state(root)
    after = _read(root)
    assert after["query_position"] == LAST != before[0]["query_position"]
    assert after["key_position"] - before[0]["key_position"] == LAST - before[0]["query_position"]
    assert root.locator(".lm-turned").inner_text() == before[1]


def _move_by_pointer(page: Page, root: Locator) -> None:
    for name, share in (("Position m", 0.3), ("Position n", 0.7), ("Move both", 0.5)):
        slider = _slider(root, name)
        box = slider.bounding_box()
        slider.click(position={"x": share * box["width"], "y": box["height"] / 2})
        _expect_state(root)
    state = _read(root)
    assert state["query_position"] < state["key_position"]
    expect(root.locator(".lm-distance")).to_contain_text("= −")


def _choose(root: Locator) -> None:
    for label, values in (
        ("Vectors", ("drawn",)),
        ("Pairs", ("6", "8")),
        ("Base", ("100", "100000")),
    ):
        for value in values:
            root.get_by_role("combobox", name=label).select_option(value)
            _expect_state(root)
    cards = root.locator(".lm-card")
    assert cards.count() == 8
    cards.nth(7).click()
    _expect_state(root)
    cards.nth(2).press("Enter")
    expect(cards.nth(2)).to_have_attribute("aria-pressed", "true")
    expect(cards.nth(7)).to_have_attribute("aria-pressed", "false")
    _expect_state(root)
    cards.nth(7).click()
    root.get_by_role("combobox", name="Pairs").select_option("4")  # the last pair takes over
    expect(cards.nth(3)).to_have_attribute("aria-pressed", "true")
    _expect_state(root)


def _set(root: Locator, m: int, n: int) -> None:
    for name, value in (("Position m", m), ("Position n", n)):
        _slider(root, name).fill(str(value))
    _expect_state(root)


def _answer_the_questions(root: Locator) -> None:
    """At distance 44 the fastest of four pairs is back to 0.4 degrees, the second is not."""
    root.get_by_role("combobox", name="Vectors").select_option("alike")
    root.get_by_role("combobox", name="Base").select_option("10000")
    _set(root, 44, 0)
    assert root.locator(".lm-share").all_inner_texts() == ["+1.00", "−0.31", "+0.90", "+1.00"]
    _set(root, 100, 0)
    assert root.locator(".lm-share").all_inner_texts() == ["+0.86", "−0.84", "+0.54", "+1.00"]
