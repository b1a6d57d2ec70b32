"""OptimizerRace: paths, values and arrivals are those of torch.optim on torch's own gradients."""

import math
import re

import numpy as np
import torch
from playwright.sync_api import Locator, Page, expect

from helpers.widgets import OptimizerRace
from helpers.widgets._surfaces import FINISH, LEVELS, RULES, STARTS, STEPS, arrival, surface_value
from helpers.widgets._surfaces import path as torch_path
from tests.browser.cases import number

SLIDER = {"lr": "Learning rate lr", "momentum": "Momentum β", "step": "Step"}
TOP, BOTTOM = 3, -7  # decades of the chart, as in optimizer_race.js
SHOWN = dict(zip(RULES, ("SGD", "Momentum", "Nesterov", "RMSProp", "Adam", "AdamW"), strict=True))


def example() -> OptimizerRace:
    return OptimizerRace()


def arithmetic(evaluate, rng: np.random.Generator) -> None:
    for surface in STARTS:
        _compare_surface(evaluate, surface, rng)
        _compare_contours(evaluate, surface)
    settings = [_random_settings(rng) for _ in range(50)]
    settings += [(s, (0.5, -0.25), 1.0, 0.0) for s in STARTS]  # the largest rate, no momentum
    settings += [(s, (-2.0, 1.5), 0.001, 0.99) for s in STARTS]
    settings += [("valley", (0.0, 0.0), 0.1, 0.9), ("saddle", (1.0, 0.0), 0.1, 0.9)]  # g = 0
    precise = [_compare_rule(evaluate, rule, *chosen) for chosen in settings for rule in RULES]
    assert sum(precise) > 0.85 * len(precise), "too many runs are too chaotic to be compared"
    _compare_arrivals(evaluate, rng)
    _compare_texts(evaluate, rng)


def at_load(root: Locator, race: OptimizerRace) -> None:
    _expect_race(root, race)


def changes(rng: np.random.Generator) -> list[tuple[str, object]]:
    steps = [("surface", str(rng.choice(list(STARTS)))) for _ in range(8)]
    steps += [("lr", float(10 ** rng.uniform(-3, 0))) for _ in range(8)]
    steps += [("step", int(rng.integers(STEPS + 1))) for _ in range(8)]
    steps += [("start", rng.uniform(-1.5, 1.5, 2).tolist()) for _ in range(8)]
    last = {"rules": list(RULES), "surface": "bend", "lr": 0.02, "momentum": 0.85, "step": 120}
    return [*steps, *last.items()]


def operate(page: Page, root: Locator) -> None:
    """Every control moves the race; what is shown is compared with torch each time."""
    race = OptimizerRace(rules=list(RULES), step=0)
    _choose(root, race)
    for surface, lr, momentum, step in (
        ("saddle", 1.0, 0.99, 3),
        ("rotated", 0.045, 0.0, 30),
        ("bend", 0.001, 0.9, 200),
        ("valley", 0.036, 0.7, 26),
    ):
        race.surface, race.lr, race.momentum, race.step = surface, lr, momentum, step
        _choose(root, race)
        _expect_race(root, race)
    _choose_rules(root, race)
    _move_the_start(page, root, race)
    _play(page, root, race)
    race.surface, race.start = "rotated", None  # another surface brings its own start
    _choose(root, race)
    _expect_race(root, race)


def _random_settings(rng: np.random.Generator) -> tuple:
    start = float(rng.uniform(-2, 2)), float(rng.uniform(-1.5, 1.5))
    lr, beta = float(10 ** rng.uniform(-3, 0)), float(rng.uniform(0, 0.99))
    return str(rng.choice(list(STARTS))), start, lr, beta


def _compare_surface(evaluate, surface: str, rng: np.random.Generator) -> None:
    for point in rng.uniform(-3, 3, (20, 2)).tolist():
        w = torch.tensor(point, dtype=torch.float64, requires_grad=True)
        f = surface_value(surface, w)
        f.backward()
        _close(evaluate("surfaceValue", surface, point), f.detach())
        _close(evaluate("surfaceGradient", surface, point), w.grad)


def _compare_contours(evaluate, surface: str) -> None:
    """f has the level's value all along its lines; each is closed, and goes around a minimum."""
    minima = {"saddle": [(0, 1), (0, -1)], "bend": [(1, 0.5)]}.get(surface, [(0, 0)])
    for level in (FINISH, *LEVELS):
        found = evaluate("contourLines", surface, level)
        lines = [torch.tensor(line, dtype=torch.float64) for line in found]
        assert len(lines) == (len(minima) if level < 0.5 else 1)
        for line in lines:
            values = surface_value(surface, line)
            torch.testing.assert_close(values, torch.full_like(values, level), rtol=1e-9, atol=0)
            torch.testing.assert_close(line[0], line[-1], rtol=0, atol=1e-6)
            inside = [_turns(line - torch.tensor(place)) for place in minima]
            assert inside.count(1) == (1 if level < 0.5 else len(minima))


def _turns(line: torch.Tensor) -> int:
    """How often a closed line goes around the origin."""
    angles = np.unwrap(torch.atan2(line[:, 1], line[:, 0]).numpy())
    return abs(round((angles[-1] - angles[0]) / (2 * math.pi)))


def _compare_rule(evaluate, rule: str, surface: str, start: tuple, lr: float, beta: float) -> bool:
    """Equal to torch until divergence; says whether that holds to 1e-12.

    Some runs are chaotic: the last digit of the start decides where they are 100 steps later, so
    the order of summation does. What such a digit moves in torch itself is allowed here, too.
    """
    expected = torch_path(rule, surface, start, lr, beta)
    found = torch.tensor(
        evaluate("runRule", rule, surface, start, lr, beta, STEPS), dtype=torch.float64
    )
    assert found.shape == expected.shape == (STEPS + 1, 2)
    end = arrival(surface_value(surface, expected))[1] or STEPS + 1
    error = _distance(found, expected, end)
    if (error <= 1e-12).all():
        return True
    nudged = torch_path(rule, surface, tuple(w * (1 + 1e-15) for w in start), lr, beta)
    allowed = 1e-12 + 1000 * _distance(nudged, expected, end).cummax(0).values
    assert (error <= allowed).all(), (rule, surface, start, lr, beta, error.max())
    return False


def _distance(found: torch.Tensor, expected: torch.Tensor, end: int) -> torch.Tensor:
    """Of the first points of two paths, as a part of the larger weight where it is beyond 1."""
    size = expected[:end].abs().amax(1).clamp(min=1)
    return (found[:end] - expected[:end]).abs().amax(1) / size


def _compare_arrivals(evaluate, rng: np.random.Generator) -> None:
    lists = [(10 ** rng.uniform(-4, 0, 6)).tolist() for _ in range(20)]
    lists += [[1, 1e-3], [1, 9.99e-4], [1e-4, 1e-4], [1, 1e-4, 1], [1e6, 1], [1, 1e6 + 1, 1e-4]]
    lists += [[1, math.inf, 0], [1, math.nan, 0], [2, 1e-4, math.nan], [0]]
    for values in lists:
        settled, diverged = arrival(torch.tensor(values, dtype=torch.float64))
        assert evaluate("divergedAt", values) == diverged
        assert diverged is not None or evaluate("settledAt", values) == settled


def _compare_texts(evaluate, rng: np.random.Generator) -> None:
    for value in [*(10 ** rng.uniform(-300, 6, 50)).tolist(), *(10 ** rng.uniform(-4, 5, 50))]:
        text = evaluate("written", float(value))
        assert abs(_value(text) / value - 1) < (0.0501 if "·" in text else 0.00501)
    texts = {0: "0", 100: "100", 12345: "12300", 0.001: "0.001", 0.00099: "9.9·10⁻⁴"}
    for value, text in texts.items():
        assert evaluate("written", value) == text


def _value(text: str) -> float:
    powers = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    return float(re.sub(r"·10(.+)", lambda m: f"e{m[1].translate(powers)}", text))


def _close(found, expected: torch.Tensor) -> None:
    found = torch.tensor(found, dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def _slider(root: Locator, name: str) -> Locator:
    return root.get_by_role("slider", name=SLIDER.get(name, name))


def _choose(root: Locator, race: OptimizerRace) -> None:
    """Bring the controls to the settings of a race, all by keyboard but for the list."""
    root.get_by_label("Surface").select_option(race.surface)
    for rule, name in SHOWN.items():
        box = root.get_by_role("checkbox", name=name, exact=True)
        if box.is_checked() != (rule in race.rules):
            box.press("Space")
    for name in SLIDER:
        _slide(_slider(root, name), getattr(race, name))


def _slide(slider: Locator, value: float) -> None:
    """Halve the range until the text says the value; the last step is by arrow key."""
    low, high = 0, int(slider.get_attribute("max"))
    while low <= high:
        middle = (low + high) // 2
        slider.fill(str(middle))
        now = float(slider.get_attribute("aria-valuetext").split()[0])
        if abs(now - value) < 1e-9:
            break
        low, high = (middle + 1, high) if now < value else (low, middle - 1)
    assert abs(now - value) < 1e-9, f"the slider has no {value}"
    back = "ArrowRight" if middle else "ArrowLeft"
    slider.press("ArrowLeft" if middle else "ArrowRight")
    assert slider.input_value() != str(middle)
    slider.press(back)


def _expect_race(root: Locator, race: OptimizerRace) -> None:
    """Controls, table, sentence, map and chart for a race that Python has run with torch."""
    expect(_slider(root, "lr")).to_have_attribute("aria-valuetext", f"{race.lr:g}")
    expect(_slider(root, "momentum")).to_have_attribute("aria-valuetext", f"{race.momentum:g}")
    expect(_slider(root, "step")).to_have_attribute("aria-valuetext", f"{race.step} of {STEPS}")
    start = race.start or STARTS[race.surface]
    f = surface_value(race.surface, torch.tensor(start).double())
    place = [f"w{i} = {w:.2f}" for i, w in enumerate(start, 1)]
    spoken = f"{', '.join(place)}, f = ".replace("-", "−")
    expect(_map(root)).to_have_attribute("aria-valuetext", re.compile(re.escape(spoken)))
    said = _map(root).get_attribute("aria-valuetext").split("f = ")[1]
    np.testing.assert_allclose(_value(said), f.item(), rtol=0.051, atol=1e-300)
    expect(root.get_by_role("status")).to_have_text(" ".join(race._sentences()))
    _expect_table(root, race)
    _expect_drawing(root, race)


def _map(root: Locator) -> Locator:
    return root.get_by_role("slider", name="Start of the race")


def _expect_table(root: Locator, race: OptimizerRace) -> None:
    values, arrivals = race.values(), race.arrivals()
    rows = root.locator("tbody tr").all()
    assert len(rows) == len(RULES)
    for rule, row in zip(RULES, rows, strict=True):
        assert row.get_by_role("checkbox").is_checked() == (rule in race.rules)
        name, value, settled = row.locator("th, td").all_inner_texts()
        assert name.strip() == SHOWN[rule]
        step, end = arrivals.get(rule, (None, None))
        if rule not in race.rules:
            assert (value, settled) == ("–", "–")
            continue
        gone = end is not None and race.step >= end
        assert (value == "–") == gone
        if not gone:
            expected = values[rule][race.step].item()
            np.testing.assert_allclose(_value(value), expected, rtol=0.051, atol=1e-300)
        never = "not in 200" if end is None else f"diverged at {end}"
        assert settled == (never if step is None else f"step {step}")


def _expect_drawing(root: Locator, race: OptimizerRace) -> None:
    """Path up to the step, curve of all steps, nothing after divergence, no mark without place."""
    paths, values, arrivals = race.paths(), race.values(), race.arrivals()
    for rule in RULES:
        end = (arrivals[rule][1] or STEPS + 1) if rule in race.rules else 0
        shown, curve = _line(root, "map", rule), _line(root, "curves", rule)
        assert (len(shown), len(curve)) == (min(race.step + 1, end), end)
        if end:
            drawn = paths[rule][: len(shown)] * torch.tensor([1, -1])
            np.testing.assert_allclose(shown, drawn, atol=6e-5)
            heights = TOP - values[rule][:end].clamp(1e-9, 1e9).log10()
            np.testing.assert_allclose(curve, [*enumerate(heights)], atol=6e-5)
        for head in root.locator(f".lm-head[data-rule={rule}]").all():
            assert head.is_hidden() == (race.step >= end)
    attributes = root.evaluate(
        "node => [...node.querySelectorAll('*')].flatMap(one => [...one.attributes])"
        ".map(({ value }) => value).filter(value => /NaN|Infinity|undefined/.test(value))"
    )
    assert attributes == []


def _line(root: Locator, picture: str, rule: str) -> np.ndarray:
    d = root.locator(f".lm-{picture} > .lm-path[data-rule={rule}]").get_attribute("d")
    return np.array(re.findall(r"[-\d.e]+", d), dtype=float).reshape(-1, 2)


def _choose_rules(root: Locator, race: OptimizerRace) -> None:
    """Without any rule the race says so; each comes back at its own place."""
    for name in SHOWN.values():
        root.get_by_role("checkbox", name=name, exact=True).click()
    race.rules = []
    _expect_race(root, race)
    for rule in ("adam", "sgd"):
        root.get_by_role("checkbox", name=SHOWN[rule], exact=True).press("Space")
        race.rules = [*race.rules, rule]
        _expect_race(root, race)


def _move_the_start(page: Page, root: Locator, race: OptimizerRace) -> None:
    for key, start in {
        "Home": [-2, 0.6],
        "ArrowRight": [-1.95, 0.6],
        "PageDown": [-1.95, 0.1],
        "ArrowUp": [-1.95, 0.15],
        "End": [2, 0.15],
    }.items():
        _map(root).press(key)
        race.start = start
        _expect_race(root, race)
    _map(root).scroll_into_view_if_needed()
    _map(root).click(position=_at(root, 1.0, -0.5))
    race.start = _read_start(root)
    np.testing.assert_allclose(race.start, [1.0, -0.5], atol=0.02)
    _expect_race(root, race)
    box, to = _map(root).bounding_box(), _at(root, -1.2, 0.9)
    page.mouse.down()
    page.mouse.move(box["x"] + to["x"], box["y"] + to["y"], steps=3)
    page.mouse.up()
    page.mouse.move(box["x"] + 5, box["y"] + 5)  # let go: the start stays
    race.start = _read_start(root)
    np.testing.assert_allclose(race.start, [-1.2, 0.9], atol=0.02)
    _expect_race(root, race)
    root.get_by_role("button", name="Reset the start").click()
    race.start = None
    _expect_race(root, race)


def _at(root: Locator, w1: float, w2: float) -> dict[str, float]:
    """A point of the map, in pixels from its corner."""
    box = _map(root).bounding_box()
    return {"x": (w1 + 2) / 4 * box["width"], "y": (1.5 - w2) / 3 * box["height"]}


def _read_start(root: Locator) -> list[float]:
    said = _map(root).get_attribute("aria-valuetext")
    return [number(text) for text in re.findall(r"w\d = (−?[\d.]+)", said)]


def _play(page: Page, root: Locator, race: OptimizerRace) -> None:
    """It begins anew after the last step, is silent while it runs, and speaks when it stops."""
    step, said = _slider(root, "step"), root.get_by_role("status")
    step.press("End")
    root.get_by_role("button", name="Play").click()
    expect(said).to_have_attribute("aria-live", "off")
    expect(step).to_have_attribute("aria-valuetext", re.compile(r"^[1-9] of"))
    root.get_by_role("button", name="Pause").press("Enter")
    expect(said).to_have_attribute("aria-live", "polite")
    race.step = int(step.input_value())
    assert 0 < race.step < STEPS
    _expect_race(root, race)
    page.emulate_media(reduced_motion="reduce")
    step.press("Home")
    root.get_by_role("button", name="Play").click()
    expect(step).to_have_attribute("aria-valuetext", f"20 of {STEPS}")
    root.get_by_role("button", name="Pause").click()
    page.emulate_media(reduced_motion="no-preference")
    race.step = 20
    _expect_race(root, race)
