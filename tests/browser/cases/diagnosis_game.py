"""DiagnosisGame: order, score, axes and curves are those of Python; a game is played to its end."""

import math
import re

import numpy as np
from playwright.sync_api import Locator, Page, expect

from helpers.widgets import DiagnosisGame
from helpers.widgets._diagnosis import (
    loss_axis,
    nice_ticks,
    outcome,
    score,
    shuffled_order,
)
from tests.browser.cases import number
from tests.browser.cases.next_token import compare_random
from tests.browser.conftest import mount_on

HEALTHY = "nothing: a healthy run"
LINES = {"training": "train_loss", "validation": "validation_loss"}


def synthetic_runs() -> list[dict]:
    """Five runs of no network at all: formulas in the form of losses."""
    steps = np.arange(0, 101, 5)
    falling, rising = 2 * np.exp(-steps / 25) + 0.3, 2.3 * 10.0 ** (steps / 12)
    losses = {
        HEALTHY: falling,
        "learning rate too high": np.where(steps < 70, rising, np.nan),  # 1.3·10⁶, then nothing
        "labels shuffled": 2.3 + 0.02 * np.sin(steps),
        "Pixels not scaled": 80 * np.exp(-steps / 4) + 0.9,
        "dead units": np.full(len(steps), 2.303),
    }
    hint = {"dead units": "With dead units the loss would not move at all."}
    return [
        _synthetic_run(i, cause, steps, loss) | ({"tell_apart": hint} if "labels" in cause else {})
        for i, (cause, loss) in enumerate(losses.items())
    ]


def _synthetic_run(i: int, cause: str, steps: np.ndarray, loss: np.ndarray) -> dict:
    return {
        "cause": cause,
        "explanation": f"Explanation number {i}. It has two sentences.",
        "steps": steps.tolist(),
        "train_loss": loss.tolist(),
        "validation_loss": (1.1 * loss + 0.05).tolist(),
        "validation_accuracy": np.exp(-np.nan_to_num(loss, nan=2.3)).clip(0.1).tolist(),
        "instruments": {"first loss": f"value {i}.1", "units at zero": f"value {i}.2"},
    }


def example() -> DiagnosisGame:
    return DiagnosisGame(synthetic_runs(), seed=4)


def arithmetic(evaluate, rng: np.random.Generator) -> None:
    compare_random(evaluate)
    for _ in range(40):
        _compare_order(evaluate, rng)
        _compare_score(evaluate, rng)
        _compare_axes(evaluate, rng)
        _compare_curve(evaluate, rng)
    _compare_texts(evaluate, rng)
    assert evaluate("gap", [0, 5, 9], [1.0, 2.0, 3.0]) is None
    for values in ([], [None, None], [0.0, 0.0], [2.0], [-3.0, -3.0], [0, 0, 0, 1e9], [1e300, 1.0]):
        assert evaluate("lossAxis", values) == loss_axis(values)


def at_load(root: Locator, game: DiagnosisGame) -> None:
    run = game.played()[game.place]
    expect(
        root.get_by_text(f"Run {game.place + 1} of {len(game.runs)}", exact=True)
    ).to_be_visible()
    causes = sorted((run["cause"] for run in game.runs), key=str.lower)
    assert _causes(root) == causes
    for name in ("training", "validation"):
        assert _points(root, "Chart of losses", name) == _drawn(game, run, LINES[name])
    first, last = run["train_loss"][0], run["train_loss"][-1]
    read = root.get_by_role("img", name="Chart of losses").get_attribute("aria-label")
    numbers = [number(n) for n in re.findall(r"([−.\d]+) at step", read.split("Validation")[0])]
    np.testing.assert_allclose([numbers[0], numbers[-1]], [first, last], rtol=0.005)
    _expect_no_answer(root, game)


def changes(rng: np.random.Generator) -> list[tuple[str, object]]:
    answers = [[], [3, 1], [0, None], [], [4]]
    found = [("answers", answers), ("place", 3), ("measured", [[], [1], [0, 1], [], [0]])]
    found += [("order", rng.permutation(5).tolist()) for _ in range(10)]
    found += [("place", place) for place in (0, 1, 5, 2, 4, 5)] + [("compare", True)]
    found += [("order", rng.permutation(5).tolist()) for _ in range(10)]
    return [*found, ("choice", 2), ("chance", 0.25), ("order", None), ("seed", 9), ("place", 1)]


def operate(page: Page, root: Locator) -> None:
    count = int(re.search(r"Run 1 of (\d+)", root.inner_text())[1])
    causes = _causes(root)
    _walk(root, count)
    measured = _measure(root)
    _compare_with_healthy(root)
    root.get_by_role("button", name="This is the cause").click()
    expect(root.get_by_text("Pick a cause first.")).to_be_visible()
    tries = _solve_by_keyboard(page, root)
    for place in range(1, count):
        root.get_by_role("button", name="Next run").press("Enter")
        expect(root.get_by_text(f"Run {place + 1} of {count}", exact=True)).to_be_focused()
        root.get_by_role("button", name="Show me the answer").click()
        expect(root.locator(".lm-feedback")).to_be_focused()
        expect(root.locator(".lm-feedback")).to_have_text(re.compile(r"^The answer: "))
    root.get_by_role("button", name="See the result").click()
    _expect_result(root, causes, tries, measured)
    root.get_by_role("button", name="Play again").click()
    expect(root.get_by_text(f"Run 1 of {count}", exact=True)).to_be_focused()
    expect(_chip(root, count)).to_have_accessible_name(f"Run {count}: not yet solved")
    expect(root.get_by_role("radio", disabled=True)).to_have_count(0)


def _compare_order(evaluate, rng: np.random.Generator) -> None:
    seed, count = int(rng.integers(2**32)), int(rng.integers(2, 12))
    order = shuffled_order(seed, count)
    assert evaluate("shuffledOrder", seed, count) == order
    following = ((seed + i) % 2**32 for i in range(1, 1000))
    assert evaluate("nextSeed", seed, order) == next(
        other for other in following if shuffled_order(other, count) != order
    )
    names = ["".join(rng.choice(list("abAB é"), 6)) + str(i) for i in range(count)]
    by_name = sorted(range(count), key=lambda i: names[i].lower())
    assert evaluate("alphabetical", names) == by_name


def _compare_score(evaluate, rng: np.random.Generator) -> None:
    count = int(rng.integers(3, 10))
    answers = [rng.permutation(count)[: rng.integers(count + 1)].tolist() for _ in range(count)]
    answers = [[*given, None] if rng.random() < 0.2 else given for given in answers]
    measured = [list(range(rng.integers(4))) for _ in range(count)]
    assert evaluate("score", answers, measured) == score(answers, measured)
    for run, given in enumerate(answers):
        assert evaluate("outcome", run, given) == outcome(run, given)
    order, place = rng.permutation(count).tolist(), int(rng.integers(count + 1))
    following = [*range(place + 1, count), *range(min(place + 1, count))]
    is_open = [outcome(run, answers[run]) == "open" for run in order]
    expected = next((i for i in following if is_open[i]), count)
    assert evaluate("nextOpen", order, answers, place) == expected


def _compare_axes(evaluate, rng: np.random.Generator) -> None:
    low = float(rng.normal() * 10.0 ** rng.integers(-3, 4))
    high, count = low + float(10.0 ** rng.uniform(-3, 6)), int(rng.integers(2, 8))
    ticks = nice_ticks(low, high, count)
    assert evaluate("niceTicks", low, high, count) == ticks
    kinds = {"kind": "linear", "low": low, "high": high}
    on_axis = [tick for tick in nice_ticks(low, high, 4) if low <= tick <= high]
    assert evaluate("stepAxis", low, high) == kinds | {"ticks": on_axis}
    ticks = nice_ticks(low, high, 5)
    expected = {"kind": "linear", "low": ticks[0], "high": ticks[-1], "ticks": ticks}
    assert evaluate("linearAxis", low, high) == expected
    values = _some_losses(rng)
    assert evaluate("lossAxis", values) == loss_axis(values)


def _some_losses(rng: np.random.Generator) -> list[float | None]:
    """Of every kind: near each other or far apart, with zeros, gaps or values below zero."""
    values = 10.0 ** rng.normal(0, rng.choice([0.1, 1, 5]), size=int(rng.integers(2, 40)))
    values -= rng.choice([0, 0, 1]) * rng.random()
    gone = rng.random(len(values)) < rng.choice([0, 0.3])
    zero = rng.random(len(values)) < rng.choice([0, 0.2])
    kept = np.where(zero, 0, values).tolist()
    return [None if skip else value for skip, value in zip(gone, kept, strict=True)]


def _compare_curve(evaluate, rng: np.random.Generator) -> None:
    values = _some_losses(rng)
    steps = np.cumsum(rng.integers(1, 9, size=len(values))).tolist()
    across = {"kind": "linear", "low": steps[0], "high": steps[-1], "ticks": []}
    up = loss_axis(values)
    for value in (loss for loss in values if loss is not None):
        found = evaluate("toUnit", value, up)
        np.testing.assert_allclose(found, _unit(value, up), rtol=0, atol=1e-9)
    found = evaluate("pieces", steps, values, across, up)
    expected = _pieces(steps, values, across, up)
    assert [len(piece) for piece in found] == [len(piece) for piece in expected]
    flat = [[point for piece in pieces for point in piece] for pieces in (found, expected)]
    np.testing.assert_allclose(*[np.reshape(points, (-1, 2)) for points in flat], rtol=0, atol=1e-9)
    missing = [step for step, value in zip(steps, values, strict=True) if value is None]
    expected = [missing[0], None if values[-1] is None else missing[-1]] if missing else None
    assert evaluate("gap", steps, values) == expected
    places = np.floor(np.linspace(0, len(values) - 1, 5) + 0.5).astype(int)
    assert evaluate("spread", len(values)) == sorted(set(places.tolist()))


def _unit(value, axis: dict):
    """Where values stand on an axis, by numpy's interpolation, which keeps to its ends."""
    ends = np.array([axis["low"], axis["high"]])
    if axis["kind"] == "log":
        value, ends = np.log10(np.maximum(value, 1e-300)), np.log10(ends)
    return np.interp(value, ends, [0, 1])


def _pieces(steps: list, values: list, across: dict, up: dict) -> list[list]:
    found = [[]]
    for step, value in zip(steps, values, strict=True):
        if value is None:
            found.append([])
        else:
            found[-1].append([float(_unit(step, across)), float(1 - _unit(value, up))])
    return [piece for piece in found if piece]


def _compare_texts(evaluate, rng: np.random.Generator) -> None:
    for value in (rng.normal(size=40) * 10.0 ** rng.integers(-3, 4, size=40)).tolist():
        if 1e-3 <= abs(value) < 9990:
            found = number(evaluate("written", value))
            assert math.isclose(found, value, rel_tol=0.005)
    texts = {0: "0", -2.5: "−2.5", 2.30259: "2.3", 1000: "1000", 1e4: "10⁴", 1.25e6: "1.3·10⁶"}
    for value, text in (texts | {1e-5: "10⁻⁵", -4.2e30: "−4.2·10³⁰", 0.001: "0.001"}).items():
        assert evaluate("written", value) == text


def _causes(root: Locator) -> list[str]:
    return root.get_by_role("radiogroup", name="Causes").locator("label").all_inner_texts()


def _chip(root: Locator, place: int) -> Locator:
    return root.get_by_role("group", name="Runs").get_by_role("button").nth(place - 1)


def _points(root: Locator, chart: str, name: str) -> list[list[list[float]]]:
    """The pieces of a curve as they are drawn, in parts of width and height."""
    line = root.get_by_role("img", name=chart).locator(f".lm-line[data-line={name}]:not(.lm-faint)")
    drawn = line.get_attribute("d").split("M")[1:]
    return [[[float(n) for n in point.split()] for point in part.split("L")] for part in drawn]


def _drawn(game: DiagnosisGame, run: dict, key: str) -> list[list[list[float]]]:
    healthy = [one for one in game.runs if one["cause"] == game.healthy]
    losses = [loss for one in (run, *healthy) for name in LINES.values() for loss in one[name]]
    across = {"kind": "linear", "low": run["steps"][0], "high": run["steps"][-1]}
    pieces = _pieces(run["steps"], run[key], across, loss_axis(losses))
    return [[[round(part, 4) for part in point] for point in piece] for piece in pieces]


def _expect_no_answer(root: Locator, game: DiagnosisGame) -> None:
    """The page is the same, letter by letter, where the same curves have other causes."""
    page = root.text_content()
    assert not any(run["explanation"] in page for run in game.runs)
    assert not any(value in page for run in game.runs for value in run["instruments"].values())
    others = [run for run in game.runs if run["cause"] != game.healthy]
    told = {run["cause"]: other for run, other in zip(others, others[1:] + others[:1], strict=True)}
    keys = ("cause", "explanation", "instruments")
    twins = [
        {**run, "tell_apart": {}} | {key: told.get(run["cause"], run)[key] for key in keys}
        for run in game.runs
    ]
    twin = mount_on(root.page, DiagnosisGame(twins, seed=game.seed))
    assert twin.root.evaluate("node => node.outerHTML") == root.evaluate("node => node.outerHTML")
    twin.unmount()


def _walk(root: Locator, count: int) -> None:
    """The row of runs leads to any run, and back."""
    _chip(root, count).press("Enter")
    expect(root.get_by_text(f"Run {count} of {count}", exact=True).first).to_be_visible()
    expect(root.get_by_role("status").last).to_have_text(f"Run {count} of {count}")
    expect(_chip(root, count)).to_have_attribute("aria-current", "true")
    _chip(root, 1).click()
    expect(root.locator(".lm-name")).to_have_text(f"Run 1 of {count}")


def _measure(root: Locator) -> int:
    """One instrument, pressed twice, counts once; its value is seen and spoken."""
    instrument = root.get_by_role("button", name="Measure: ").first
    if instrument.count() == 0:
        return 0
    name, heading = instrument.inner_text().removeprefix("Measure: "), root.get_by_text(" used")
    known = root.get_by_role("button", name=name).first
    all_ = int(re.search(r"0 of (\d+) used", heading.inner_text())[1])
    instrument.press("Enter")
    expect(known).to_be_focused()
    value = known.locator("strong").inner_text()
    assert value
    expect(root.get_by_role("status").last).to_have_text(f"{name}: {value}")
    known.click()
    expect(heading).to_have_text(f"1 of {all_} used")
    return 1


def _compare_with_healthy(root: Locator) -> None:
    box, faint = root.get_by_role("checkbox"), root.locator(".lm-plot .lm-faint")
    if box.count() == 0:
        return
    assert {line.get_attribute("d") for line in faint.all()} <= {None, ""}
    box.press("Space")
    expect(box).to_be_checked()
    assert all(line.get_attribute("d").startswith("M") for line in faint.all())
    box.press("Space")
    assert {line.get_attribute("d") for line in faint.all()} == {""}


def _solve_by_keyboard(page: Page, root: Locator) -> int:
    """Answers with one cause after the other until one is right; returns how many it took."""
    radios, feedback = root.get_by_role("radio"), root.locator(".lm-feedback")
    radios.nth(1).press("Space")
    radios.nth(1).press("ArrowUp")
    expect(radios.nth(0)).to_be_checked()
    for tries in range(1, radios.count() + 1):
        name = _causes(root)[tries - 1]
        radios.nth(tries - 1).press("Space")
        radios.nth(tries - 1).press("Enter")
        expect(feedback).to_be_focused()
        expect(feedback).to_have_text(re.compile(rf"^(Right|Not this).*: {re.escape(name)}\. \w"))
        if feedback.inner_text().startswith("Right"):
            state = "the first try" if tries == 1 else f"try {tries}"
            expect(_chip(root, 1)).to_have_accessible_name(f"Run 1: found at {state}")
            return tries
        expect(radios.nth(tries - 1)).to_be_disabled()
        expect(radios.nth(tries - 1)).not_to_be_checked()
    raise AssertionError("no cause was the right one")


def _expect_result(root: Locator, causes: list[str], tries: int, measured: int) -> None:
    """What is counted is what was done: the first run solved, the others shown."""
    count, first = len(causes), int(tries == 1)
    shown = root.locator(".lm-counts").inner_text()
    expected = [first, count, 1 - first, count - 1, 0, measured]
    assert [int(n) for n in re.findall(r"\d+", shown)] == expected
    named = [text.split(". ", 1)[1] for text in root.locator("li strong").all_inner_texts()]
    assert sorted(named, key=str.lower) == causes
