"""LadderExplorer: means, standard errors and verdicts of each rung equal torch's."""

import math
import re

import numpy as np
import pytest
import torch
from playwright.sync_api import Locator, Page, expect

from helpers.evaluation import record
from helpers.widgets import LadderExplorer
from tests.browser.cases import number

METRICS = {"validation_loss": "validation loss", "steps": "steps", "parameters": "parameters"}
PAGE_METRICS = {  # as chapter 13 names them
    "loss": "validation loss",
    "steps": "steps in the same seconds",
    "parameters": "weights",
}
NOTES = {
    "classic": "The recipe that most tutorials give.",
    "+ warm-up": "The rate rises for the first tenth of the steps.",
    "+ rotary positions": "Queries and keys turn with their positions.",
}


def ladder_record(seeds: int = 5) -> dict:
    """A record in the form of `helpers/records/ladder.json`: one gain, one loss, one of nothing."""
    generator = torch.Generator().manual_seed(3)
    luck = 0.02 * torch.randn(seeds, generator=generator, dtype=torch.float64)
    rows = {}
    labels = {"classic": 1.9, "+ warm-up": 1.8, "+ rotary positions": 1.62, "+ dropout": 1.66}
    labels |= {"+ weight tying": 1.6605, "+ a larger batch on many more characters": 1.55}
    for i, (label, loss) in enumerate(labels.items()):
        noise = 0.004 * torch.randn(seeds, generator=generator, dtype=torch.float64)
        rows[label] = {
            "validation_loss": (loss + luck + noise).tolist(),
            "steps": [1200 - 100 * i + seed for seed in range(seeds)],
            "parameters": [412_000 + 1024 * i] * seeds,
        }
    return {"name": "ladder", "seeds": list(range(seeds)), "rows": rows}


def example() -> LadderExplorer:
    return LadderExplorer(ladder_record(), metrics=METRICS, notes=NOTES)


def _on_page(root: Locator) -> LadderExplorer:
    """The example, or the ladder of chapter 13, where a page shows that one."""
    labels, loaded = root.locator(".lm-name").all_inner_texts(), record("ladder")
    if labels == list(ladder_record()["rows"]):
        return example()
    rows = {label: loaded["rows"][label] for label in labels}
    return LadderExplorer({**loaded, "rows": rows}, "loss", metrics=PAGE_METRICS)


def paired(here: list[float], there: list[float]) -> tuple[float, float]:
    """Mean difference and standard error, from torch."""
    both = torch.tensor(here, dtype=torch.float64) - torch.tensor(there, dtype=torch.float64)
    return both.mean().item(), both.std(correction=1).item() / math.sqrt(len(both))


def arithmetic(evaluate, rng: np.random.Generator) -> None:
    for count in (2, 3, 5, 12):
        here, there = rng.normal(1.5, 0.1, size=(2, count)).tolist()
        wanted = torch.tensor(here, dtype=torch.float64)
        assert evaluate("mean", here) == pytest.approx(wanted.mean().item(), abs=1e-12)
        assert evaluate("spread", here) == pytest.approx(wanted.std().item(), abs=1e-12)
        found = evaluate("difference", here, there)
        np.testing.assert_allclose(found, paired(here, there), rtol=0, atol=1e-12)
    for pair, lower in (((-0.3, 0.1), "gain"), ((-0.2, 0.1), "none"), ((0.3, 0.1), "worse")):
        higher = {"gain": "worse", "worse": "gain", "none": "none"}[lower]
        assert evaluate("verdict", pair, "lower") == lower
        assert evaluate("verdict", pair, "higher") == higher
    assert evaluate("verdict", [0, 0], "lower") == "none"
    _compare_ticks(evaluate, rng)
    _compare_written(evaluate, rng)


def _compare_ticks(evaluate, rng: np.random.Generator) -> None:
    """Two to five round numbers, evenly spaced, between the bounds."""
    for _ in range(40):
        scale = 10.0 ** rng.integers(-3, 6)
        low = float(5 * rng.normal() * scale)
        high = low + float(rng.uniform(0.1, 1) * scale)
        found = np.array(evaluate("ticks", low, high))
        assert 2 <= len(found) <= 5, (low, high, found)
        step = found[1] - found[0]
        np.testing.assert_allclose(np.diff(found), step, rtol=1e-6)
        assert low - 1e-6 * step <= found[0] < low + step
        assert high - step < found[-1] <= high + 1e-6 * step
        digit = step / 10 ** math.floor(math.log10(step) + 1e-9)
        assert min(abs(digit - d) for d in (1, 2, 5, 10)) < 1e-4


def _compare_written(evaluate, rng: np.random.Generator) -> None:
    for largest, digits in ((0.2, 4), (9.99, 4), (10, 2), (99.9, 2), (100, 0), (5e6, 0)):
        assert evaluate("decimals", largest) == digits
        for value in (largest, -largest, float(rng.normal()) * largest):
            text = f"{abs(value):,.{digits}f}"
            expected = ("−" if value < 0 and float(text.replace(",", "")) else "") + text
            assert evaluate("written", value, digits) == expected
    assert evaluate("written", 0.5, 4, True) == "+0.5000"
    assert [evaluate("written", x, 4, True) for x in (0, 1e-6, -1e-6)] == ["0.0000"] * 3


def at_load(root: Locator, ladder: LadderExplorer) -> None:
    assert ladder.rung == 2  # the largest gain over the rung before
    _expect_ladder(root, ladder)


def changes(rng: np.random.Generator) -> list[tuple[str, object]]:
    rungs = [("rung", int(i)) for i in rng.permutation(6)]
    guesses = ["", "gain", "none", "", "gain", ""]
    return [
        *rungs, ("against", "first"), *rungs[::-1], ("shown", "steps"), ("predict", True),
        *rungs, ("guesses", guesses), *rungs[::-1], ("shown", "parameters"), ("rung", 2),
    ]  # fmt: skip


def operate(page: Page, root: Locator) -> None:
    predict = root.get_by_role("button", name="Predict first")
    if predict.get_attribute("aria-pressed") == "true":  # so chapter 13 shows it
        assert root.locator(".lm-closed").filter(visible=True).count() > 5
        predict.click()
    _choose_by_keyboard(page, root)
    _choose_by_pointer(root)
    _choose_axis_and_comparison(root)
    if len(_on_page(root).rows) == len(example().rows):
        _predict(root)


def _read(root: Locator) -> LadderExplorer:
    """The explorable in the state that the controls show."""
    ladder = _on_page(root)
    rungs = [field.is_checked() for field in root.get_by_role("radio").all()]
    assert rungs.count(True) == 1
    ladder.rung = rungs.index(True)
    ladder.shown = root.get_by_role("combobox", name="Axis").input_value()
    ladder.against = root.get_by_role("combobox", name="Compare with").input_value()
    return ladder


def _expect_ladder(root: Locator, ladder: LadderExplorer) -> None:
    labels = [row["label"] for row in ladder.rows]
    assert root.locator(".lm-name").all_inner_texts() == labels
    chosen = root.locator('.lm-rung[data-chosen="true"] .lm-name')
    expect(chosen).to_have_text(labels[ladder.rung])
    expect(root.locator(".lm-rung:has(+ .lm-detail) .lm-name")).to_have_text(labels[ladder.rung])
    _expect_dots(root, ladder)
    _expect_finding(root, ladder)
    _expect_table(root, ladder)
    note, expected = root.locator(".lm-what"), ladder.notes.get(labels[ladder.rung])
    assert note.is_visible() == (expected is not None)
    if expected:
        expect(note).to_have_text(expected)


def _left(mark: Locator) -> list[tuple[float, float]]:
    """Left end and width of each mark, in percent."""
    styles = mark.evaluate_all("nodes => nodes.map(node => [node.style.left, node.style.width])")
    return [tuple(float(part.rstrip("%") or 0) for part in style) for style in styles]


def _expect_dots(root: Locator, ladder: LadderExplorer) -> None:
    """Every seed, mean, deviation and step at its place between the smallest and the largest."""
    values = torch.tensor([row["values"][ladder.shown] for row in ladder.rows]).double()
    low, high = values.min(), values.max()
    place = lambda x: 100 * (x - low + 0.06 * (high - low)) / (1.12 * (high - low))  # noqa: E731
    for i, rung in enumerate(root.locator(".lm-rung").all()):
        marks = {
            name: _left(rung.locator(f".lm-{name}")) for name in ("dot", "mean", "sd", "tread")
        }
        np.testing.assert_allclose([x for x, _ in marks["dot"]], place(values[i]), atol=1e-3)
        mean, sd = values[i].mean(), values[i].std()
        np.testing.assert_allclose(marks["mean"][0][0], place(mean), atol=1e-3)
        ends = [marks["sd"][0][0], sum(marks["sd"][0])]
        np.testing.assert_allclose(ends, [place(mean - sd), place(mean + sd)], atol=1e-3)
        if i:
            ends = sorted(place(values[j].mean()).item() for j in (i - 1, i))
            left, width = marks["tread"][0]
            np.testing.assert_allclose([left, left + width], ends, atol=1e-3)
    change = _left(root.locator(".lm-change"))
    assert len(change) == (ladder.rung > 0)
    for left, width in change:
        other = 0 if ladder.against == "first" else ladder.rung - 1
        ends = sorted(place(values[j].mean()).item() for j in (ladder.rung, other))
        np.testing.assert_allclose([left, left + width], ends, atol=1e-3)


def _expect_finding(root: Locator, ladder: LadderExplorer) -> None:
    """The sentence, seen and spoken: mean and sd, the paired difference, the verdict."""
    text = root.locator(".lm-finding").inner_text()
    expect(root.locator(".lm-spoken")).to_have_text(text)
    losses = [row["values"][next(iter(ladder.metrics))] for row in ladder.rows]
    here = torch.tensor(losses[ladder.rung], dtype=torch.float64)
    value = (
        f"validation loss: {here.mean():.4f} ± {here.std():.4f} (mean ± sd of {len(here)} seeds)."
    )
    assert text.startswith(value)
    if ladder.rung == 0:
        assert text == f"{value} The ladder starts here."
        return
    other = 0 if ladder.against == "first" else ladder.rung - 1
    mean, error = paired(losses[ladder.rung], losses[other])
    found = re.search(r"Against “(.*)”: ([+−]?[\d.]+) ± ([\d.]+) \(mean difference", text)
    assert found[1] == ladder.rows[other]["label"]
    assert (number(found[2]), number(found[3])) == pytest.approx((mean, error), abs=5.1e-5)
    words = "A gain:" if mean < -2 * error else "Worse:" if mean > 2 * error else "Within two"
    assert words in text


def _expect_table(root: Locator, ladder: LadderExplorer) -> None:
    table = root.locator(".lm-facts")
    assert table.is_visible() == (ladder.rung > 0)
    if ladder.rung == 0:
        return
    other = 0 if ladder.against == "first" else ladder.rung - 1
    metric_of = {name: metric for metric, name in ladder.metrics.items()}
    rows = table.locator("tbody tr").all()  # a saved page may have them in another order
    assert sorted(row.get_by_role("rowheader").inner_text() for row in rows) == sorted(metric_of)
    for row in rows:
        metric = metric_of[row.get_by_role("rowheader").inner_text()]
        here, there = (ladder.rows[i]["values"][metric] for i in (ladder.rung, other))
        cells = [cell.replace(",", "") for cell in row.locator("td").all_inner_texts()]
        change, error = cells[2].split(" ± ")
        shown = [number(text.replace("+", "")) for text in (cells[0], cells[1], change, error)]
        expected = [np.mean(here), np.mean(there), *paired(here, there)]
        limit = 5.1e-5 if "loss" in metric else 0.501
        np.testing.assert_allclose(shown, expected, rtol=0, atol=limit)


def _choose_by_keyboard(page: Page, root: Locator) -> None:
    before = _read(root)
    root.get_by_role("radio", checked=True).focus()
    for _ in before.rows:  # once round, past the last to the first
        page.keyboard.press("ArrowDown")
        _expect_ladder(root, _read(root))
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")  # a form without a button to send it: nothing may happen
    assert _read(root).rung == before.rung - 1


def _choose_by_pointer(root: Locator) -> None:
    for i in (0, 4, 3):
        root.locator(".lm-rung .lm-track").nth(i).click()  # the picture, not only the name
        ladder = _read(root)
        assert ladder.rung == i
        _expect_ladder(root, ladder)
    if len(ladder.rows) == len(example().rows):
        expect(root.locator(".lm-finding")).to_contain_text("Worse: more than two standard errors.")


def _choose_axis_and_comparison(root: Locator) -> None:
    for against in ("first", "before"):
        root.get_by_role("combobox", name="Compare with").select_option(against)
        for shown in reversed(_on_page(root).metrics):
            root.get_by_role("combobox", name="Axis").select_option(shown)
            _expect_ladder(root, _read(root))
    assert 1 < number(root.locator(".lm-tick").first.inner_text()) < 2


def _predict(root: Locator) -> None:
    predict, score = root.get_by_role("button", name="Predict first"), root.locator(".lm-score")
    predict.press("Enter")
    expect(score).to_contain_text("No guess yet")
    assert root.locator(".lm-closed").filter(visible=True).count() == 5
    assert root.locator(".lm-rung").nth(3).locator(".lm-dot").count() == 0
    expect(root.locator(".lm-spoken")).to_contain_text("improve the validation loss over")
    root.get_by_role("button", name="Yes, a gain").click()  # rung 3 is worse
    expect(score).to_have_text("0 of 1 guesses right")
    expect(root.locator(".lm-spoken")).to_contain_text("You guessed otherwise.")
    assert root.locator(".lm-rung").nth(3).locator(".lm-dot").count() == 5
    expect(root.locator(".lm-spoken")).to_contain_text("Against “+ rotary positions”: +0.03")
    assert root.locator(".lm-rung").nth(2).locator(".lm-dot").count() == 0  # that one stays closed
    assert root.locator(".lm-tread").count() == 0
    for rung, guess, count in ((4, "No gain", "1 of 2"), (2, "Yes, a gain", "2 of 3")):
        root.locator(".lm-rung").nth(rung).click()
        root.get_by_role("button", name=guess).press("Enter")
        expect(score).to_have_text(f"{count} guesses right")
        expect(root.locator(".lm-spoken")).to_contain_text("You were right.")
    root.get_by_role("button", name="Forget guesses").click()
    expect(score).to_contain_text("No guess yet")
    predict.click()
    expect(predict).to_have_attribute("aria-pressed", "false")
    _expect_ladder(root, _read(root))
