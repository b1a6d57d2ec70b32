"""ScheduleComposer: rates of torch's schedulers, and whole runs equal to torch.optim.SGD's."""

import math
import re
from itertools import pairwise

import numpy as np
import torch
from playwright.sync_api import Locator, Page, expect
from torch import nn
from torch.nn.functional import avg_pool2d, cross_entropy, interpolate
from torch.optim import SGD, lr_scheduler

from helpers.data import fashion_mnist
from helpers.widgets import ScheduleComposer
from helpers.widgets._schedule_run import batch_order, network
from tests.browser.cases import number, pixels

STEPS, SIZES = 300, (49, 64, 64, 10)
SHAPES = {
    "constant": "Constant",
    "linear": "Linear to zero",
    "cosine": "Cosine to zero",
    "step": "Steps: ÷10 at 60 % and 80 %",
    "one_cycle": "One-cycle",
}
PEAKS = [float(f"{10 ** (i / 10 - 2):.2g}") for i in range(27)]  # positions of the slider
START = {"shape": "constant", "peak": 0.1, "warmup": 0.0, "seed": 1}


def example() -> ScheduleComposer:
    return ScheduleComposer(*clothes(96, 1), *clothes(40, 2), peak=0.2, kept=[START])


def clothes(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ten blurred patterns and noise: pictures (n, 1, 28, 28) uint8 and their labels (n,)."""
    patterns = torch.rand(10, 1, 7, 7, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 10, (count,), generator=generator)
    noise = torch.rand(count, 1, 28, 28, generator=generator)
    pictures = 0.5 * interpolate(patterns[labels], 28) + 0.5 * noise
    return (255 * pictures).byte(), labels


def arithmetic(evaluate, rng: np.random.Generator) -> None:
    _compare_rates(evaluate, rng)
    _compare_random_numbers(evaluate, rng)
    for _ in range(10):
        _compare_gradients(evaluate, rng)
    for index, shape in enumerate(SHAPES):
        warmup = 0.15 * (index % 2)
        run = {"shape": shape, "peak": PEAKS[14 + index], "warmup": warmup, "seed": index}
        _compare_runs(evaluate, run)
    _compare_diverged(evaluate)
    losses = rng.normal(size=50)
    means = [losses[max(0, i - 19) : i + 1].mean() for i in range(50)]
    np.testing.assert_allclose(evaluate("smoothed", losses.tolist(), 20), means, atol=1e-12)
    levels = torch.tensor([0, 7, 255])
    expected = (levels.double() - 60.5) / 32.25
    assert evaluate("standardised", levels.tolist(), [60.5, 32.25]) == expected.tolist()


def at_load(root: Locator, composer: ScheduleComposer) -> None:
    """Everything is finished, before any training in the browser."""
    assert root.locator(".lm-busy").is_hidden()
    assert _chosen(root) == composer.run()
    torch_ = Reference(composer._inputs, composer._labels, composer.train_count)
    _expect_rows(root, torch_, [composer.run(), *composer.kept])
    _expect_curves(root, torch_, [composer.run(), *composer.kept])


def changes(rng: np.random.Generator) -> list[tuple[str, object]]:
    runs = [START | {"shape": shape, "seed": 2} for shape in SHAPES]
    found = [("kept", runs), ("warmup", 0.1), ("seed", 3)]
    found += [("shape", shape) for shape in SHAPES] + [("peak", peak) for peak in PEAKS[8:13]]
    return [*found, ("kept", runs[1:2])]


def operate(page: Page, root: Locator) -> None:
    torch_ = _reference(root)
    root.get_by_role("button", name="Forget kept runs").click()
    _move_by_keyboard(root, torch_)
    _move_by_pointer(root, torch_)
    _watch_progress(root, torch_)
    _keep_and_forget(root, torch_)
    _diverge(root, torch_)


def torch_rates(shape: str, peak: float, warmup: float, steps: int = STEPS) -> list[float]:
    """The schedule as the book defines it, from torch's parts."""
    optimizer = SGD([torch.zeros(1)], lr=peak)
    rise = round(warmup * steps)
    left = steps - rise
    milestones = [round(share * steps) - rise for share in (0.6, 0.8)]
    if shape == "one_cycle":
        schedule = lr_scheduler.OneCycleLR(optimizer, peak, steps, pct_start=warmup or 0.3)
    else:
        after = {
            "constant": lambda: lr_scheduler.LambdaLR(optimizer, lambda step: 1),
            "linear": lambda: lr_scheduler.PolynomialLR(optimizer, left),
            "cosine": lambda: lr_scheduler.CosineAnnealingLR(optimizer, left),
            "step": lambda: lr_scheduler.MultiStepLR(optimizer, milestones),
        }
        parts = [lr_scheduler.LinearLR(optimizer, 1 / max(rise, 1), 1, max(rise - 1, 1))]
        parts.append(after[shape]())
        schedule = lr_scheduler.SequentialLR(optimizer, parts, [rise]) if rise else None
        schedule = schedule or _fresh(optimizer, peak, after[shape])
    rates = []
    for _ in range(steps):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        schedule.step()
    return rates


def _fresh(optimizer, peak: float, schedule):
    """Without a warm-up: forget what other schedules have done to the optimiser."""
    optimizer.param_groups[0].update(lr=peak, initial_lr=peak)
    return schedule()


class Reference:
    """What torch makes of the pictures of a page; each run is trained once."""

    def __init__(self, inputs: torch.Tensor, labels: torch.Tensor, train_count: int) -> None:
        self.inputs, self.labels, self.train_count = inputs, labels, train_count
        self.finished = {}

    def outcome(self, run: dict) -> dict:
        """Losses of all steps, parameters and results; `stopped` where the run diverges."""
        key = str(sorted(run.items()))
        if key not in self.finished:
            self.finished[key] = self._train(run)
        return self.finished[key]

    def _train(self, run: dict) -> dict:
        model, losses = network(run["seed"]), []
        optimizer = SGD(model.parameters(), lr=1)
        rates = torch_rates(run["shape"], run["peak"], run["warmup"])
        for rate, rows in zip(rates, batch_order(run["seed"], self.train_count), strict=True):
            loss = cross_entropy(model(self.inputs[rows]), self.labels[rows])
            if not loss <= 1000:
                return {"losses": losses, "stopped": len(losses) + 1}
            losses.append(loss.item())
            optimizer.param_groups[0]["lr"] = rate
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        parameters = torch.cat([p.detach().flatten() for p in model.parameters()]).tolist()
        return {"losses": losses, "stopped": None, "parameters": parameters, **self._score(model)}

    @torch.no_grad()
    def _score(self, model: nn.Module) -> dict:
        cut = self.train_count
        train, validation = model(self.inputs[:cut]), model(self.inputs[cut:])
        return {
            "training": cross_entropy(train, self.labels[:cut]).item(),
            "validation": cross_entropy(validation, self.labels[cut:]).item(),
            "accuracy": (validation.argmax(1) == self.labels[cut:]).double().mean().item(),
        }


def mulberry32(seed: int, count: int) -> list[float]:
    """The generator as its author wrote it, with whole numbers cut to 32 bits."""
    found, cut = [], 2**32 - 1
    for _ in range(count):
        seed = (seed + 0x6D2B79F5) & cut
        t = ((seed ^ (seed >> 15)) * (seed | 1)) & cut
        t = (t ^ (t + (t ^ (t >> 7)) * (t | 61))) & cut
        found.append((t ^ (t >> 14)) / 2**32)
    return found


def _compare_rates(evaluate, rng: np.random.Generator) -> None:
    for shape in SHAPES:
        for warmup in (0.0, 0.05, 0.1, 0.35, 0.5):
            for steps in (40, 300):
                peak = float(rng.choice(PEAKS))
                run = {"shape": shape, "peak": peak, "warmup": warmup}
                found = evaluate("learningRates", run, steps)
                expected = torch_rates(shape, peak, warmup, steps)
                np.testing.assert_allclose(found, expected, atol=1e-13, rtol=0)


def _compare_random_numbers(evaluate, rng: np.random.Generator) -> None:
    for seed in range(3):
        assert evaluate("uniforms", seed, 100) == mulberry32(seed, 100)
        flat = torch.cat([p.detach().flatten() for p in network(seed).parameters()])
        assert evaluate("firstParameters", seed, list(SIZES)) == flat.tolist()
        count = int(rng.integers(32, 200))
        order = batch_order(seed, count).flatten().tolist()
        assert evaluate("batchOrder", seed, count, 32, STEPS) == order


def _compare_gradients(evaluate, rng: np.random.Generator) -> None:
    """One batch through a random network: loss, all slopes, right answers, as autograd has them."""
    sizes = rng.integers(2, 9, size=rng.integers(2, 5)).tolist()
    layers = [nn.Linear(*pair) for pair in pairwise(sizes)]
    parts = [part for layer in layers for part in (layer, nn.ReLU())][:-1]
    model = nn.Sequential(*parts).double()
    rows = int(rng.integers(1, 6))
    x = torch.tensor(rng.normal(size=(rows, sizes[0])) * 10)
    y = torch.tensor(rng.integers(0, sizes[-1], rows))
    loss = cross_entropy(model(x), y)
    loss.backward()
    flat = torch.cat([p.detach().flatten() for p in model.parameters()]).tolist()
    given = [flat, sizes, x.flatten().tolist(), y.tolist()]
    sums, right = evaluate("scores", *given)
    np.testing.assert_allclose(sums / rows, loss.item(), atol=1e-12)
    assert right == (model(x).argmax(1) == y).sum()
    found = evaluate("lossAndGradient", *given)
    np.testing.assert_allclose(found["loss"], loss.item(), atol=1e-12)
    slopes = torch.cat([p.grad.flatten() for p in model.parameters()])
    np.testing.assert_allclose(_listed(found["gradient"]), slopes, atol=1e-12)


def _listed(numbers) -> list[float]:
    """A typed array inside an object arrives as a dictionary from index to number."""
    return list(numbers.values()) if isinstance(numbers, dict) else list(numbers)


def _compare_runs(evaluate, run: dict) -> None:
    """All 300 steps. From a peak of about 1 on, runs are chaotic: rounding grows a billionfold."""
    problem, torch_ = _problem()
    found, expected = evaluate("wholeRun", problem, run), torch_.outcome(run)
    assert found["stopped"] is expected["stopped"] is None
    for name in ("losses", "parameters", "training", "validation", "accuracy"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-9, rtol=0, err_msg=name)
    assert expected["losses"][-1] < 0.7 * expected["losses"][0], "it should have learned"


def _compare_diverged(evaluate) -> None:
    problem, torch_ = _problem()
    run = {"shape": "constant", "peak": 4.0, "warmup": 0.0, "seed": 0}
    found, expected = evaluate("wholeRun", problem, run), torch_.outcome(run)
    assert found["stopped"] == expected["stopped"] > 1
    np.testing.assert_allclose(found["losses"], expected["losses"], rtol=1e-9)
    not_numbers = evaluate("wholeRun", problem | {"scale": [0, 1e-310]}, run)  # infinite inputs
    assert (not_numbers["stopped"], not_numbers["losses"]) == (1, [])


def _problem() -> tuple[dict, Reference]:
    composer = example()
    problem = {"scale": composer.scale, "trainCount": composer.train_count}
    problem |= {"bytes": list(composer.pictures), "labels": list(composer.labels)}
    return problem, Reference(composer._inputs, composer._labels, composer.train_count)


def _reference(root: Locator) -> Reference:
    """For the pictures on the page: the example's, or the first ones of Fashion-MNIST."""
    about = root.locator(".lm-about").inner_text()
    train, validation = (int(n.replace(",", "")) for n in re.findall(r"\d[\d,]*", about)[:2])
    found = clothes(96, 1), clothes(40, 2)
    if (train, validation) != (96, 40):
        data = fashion_mnist()
        found = (
            (data.train_images[:train], data.train_labels[:train]),
            (
                data.validation_images[:validation],
                data.validation_labels[:validation],
            ),
        )
    pictures, labels = (torch.cat(both) for both in zip(*found, strict=True))
    small = avg_pool2d(pictures.float(), 4).round()
    shown = pixels(root.locator("canvas"))[..., 0]
    for i in range(16):
        assert torch.equal(shown[:, 8 * i : 8 * i + 7], small[i, 0].byte())
    flat = small.flatten(1).double()
    scale = flat[:train].mean(), flat[:train].std(correction=0)
    return Reference((flat - scale[0]) / scale[1], labels, train)


def _range(root: Locator, name: str) -> Locator:
    return root.get_by_role("slider", name=name)


def _chosen(root: Locator) -> dict:
    words = [_range(root, name).get_attribute("aria-valuetext") for name in ("Peak", "Warm-up")]
    return {
        "shape": root.get_by_label("After the warm-up").input_value(),
        "peak": float(words[0]),
        "warmup": float(words[1].removesuffix(" %")) / 100,
        "seed": int(root.get_by_label("Random start").input_value()),
    }


def _expect_result(root: Locator, torch_: Reference, kept: tuple = ()) -> None:
    """Sentence, table and curves are torch's for what the controls say, once it has trained."""
    expect(root.locator(".lm-busy")).to_be_hidden(timeout=30_000)  # for a busy machine
    waiting = root.get_by_role("cell", name="…")  # kept runs are trained after the present one
    expect(waiting).to_have_count(0, timeout=30_000)
    runs = [_chosen(root), *kept]
    _expect_rows(root, torch_, runs)
    _expect_curves(root, torch_, runs)


def _expect_rows(root: Locator, torch_: Reference, runs: list[dict]) -> None:
    rows = root.locator("tbody tr").all()
    assert len(rows) == len(runs)
    _expect_sentence(root, torch_.outcome(runs[0]))
    if len(runs) == 1:
        assert root.get_by_role("table").count() == 0  # the sentence says it all
        return
    for row, run in zip(rows, runs, strict=True):
        expected, name = torch_.outcome(run), _text(row.get_by_role("rowheader"))
        words = [SHAPES[run["shape"]], f"peak {run['peak']:g}", f"{100 * run['warmup']:g} %"]
        assert all(word in name for word in [*words, f"start {run['seed']}"]), name
        cells = row.get_by_role("cell").all_inner_texts()
        if expected["stopped"]:
            assert cells == [f"diverged in step {expected['stopped']}"]
            continue
        found = [number(cell.removesuffix(" %")) for cell in cells]
        wanted = [expected["training"], expected["validation"], 100 * expected["accuracy"]]
        assert _same(found, wanted), (found, run)


def _text(node: Locator) -> str:
    return node.inner_text().replace("\u00a0", " ")


def _expect_sentence(root: Locator, expected: dict) -> None:
    sentence = _text(root.locator("[aria-live=polite]"))
    if expected["stopped"]:
        assert f"diverged. In step {expected['stopped']} the loss passed 1,000" in sentence
        return
    wanted = [expected["training"], expected["validation"], 100 * expected["accuracy"]]
    told = sentence[sentence.index("training loss") : sentence.index(" %.")]
    found = [number(n) for n in re.findall(r"[\d.]+", told)]
    assert _same(found, wanted), sentence
    assert ("hardly better" in sentence) == (expected["training"] > 2.25)


def _same(found: list[float], wanted: list[float]) -> bool:
    """Two losses with three decimals and a percentage with one."""
    return bool((np.abs(np.subtract(found, wanted)) <= [0.00051, 0.00051, 0.051]).all())


def _expect_curves(root: Locator, torch_: Reference, runs: list[dict]) -> None:
    highest = 1.05 * max(run["peak"] for run in runs)
    for at, run in enumerate(runs):
        line = f"[data-kept='{at}']" if at else ".lm-now"
        drawn = _heights(root.locator(f".lm-rates path{line}"), highest)
        rates = torch_rates(run["shape"], run["peak"], run["warmup"])
        np.testing.assert_allclose(drawn, rates, atol=1e-4 * highest)
        losses = np.array(torch_.outcome(run)["losses"])
        smooth = [losses[max(0, i - 19) : i + 1].mean() for i in range(len(losses))]
        _expect_losses(root.locator(f".lm-losses path{line}"), smooth)
        if at == 0:
            _expect_losses(root.locator(".lm-raw"), losses)


def _expect_losses(line: Locator, losses) -> None:
    """The axis is logarithmic, from 0.2 to 5; what is far above is cut off."""
    drawn = _heights(line, 1) if len(losses) else []  # Python sends five decimals of each loss
    heights = np.log(np.array(losses) / 0.2) / np.log(5 / 0.2)
    np.testing.assert_allclose(drawn, heights.clip(-1, 9), atol=1e-3)


def _heights(line: Locator, top: float) -> np.ndarray:
    points = np.array(re.findall(r"(\d+) (-?[\d.]+)", line.get_attribute("d")), dtype=float)
    np.testing.assert_array_equal(points[:, 0], np.arange(len(points)))
    return (1 - points[:, 1]) * top


def _move_by_keyboard(root: Locator, torch_: Reference) -> None:
    peak, warmup = _range(root, "Peak"), _range(root, "Warm-up")
    peak.focus()
    for key in ("Home", *["ArrowRight"] * 13):
        peak.press(key)
    warmup.press("Home")
    for shape in SHAPES:
        root.get_by_label("After the warm-up").select_option(shape)
        _expect_result(root, torch_)
        warmup.press("ArrowRight")
        assert _chosen(root)["peak"] == PEAKS[13]
    assert math.isclose(_chosen(root)["warmup"], 0.25)
    root.get_by_label("Random start").select_option("4")
    _expect_result(root, torch_)
    warmup.press("Home")
    expect(root.get_by_text("for 30 % of the steps")).to_be_visible()
    _expect_result(root, torch_)
    warmup.press("ArrowRight")
    expect(root.get_by_text("for 30 % of the steps")).to_be_hidden()


def _move_by_pointer(root: Locator, torch_: Reference) -> None:
    for name, middle in (("Peak", PEAKS[13]), ("Warm-up", 0.25)):
        box = _range(root, name).bounding_box()
        _range(root, name).click(position={"x": box["width"] / 2, "y": box["height"] / 2})
        key = "peak" if name == "Peak" else "warmup"
        assert abs(_chosen(root)[key] - middle) < 0.06
    _expect_result(root, torch_)


def _watch_progress(root: Locator, torch_: Reference) -> None:
    """While it trains, the bar fills and the curve grows: the page is drawn again and again."""
    root.evaluate("""root => {
        const bar = root.querySelector("progress"), raw = () => root.querySelector(".lm-raw");
        root.seen = [];
        const note = () => root.seen.push([bar.value, raw().getTotalLength() > 0]);
        root.watcher = new MutationObserver(note);
        root.watcher.observe(bar, { attributes: true });
    }""")
    root.get_by_label("Random start").select_option("5")
    _expect_result(root, torch_)
    seen = root.evaluate("root => { root.watcher.disconnect(); return root.seen; }")
    steps = [step for step, _ in seen]
    assert steps == sorted(steps)
    assert len(set(steps) - {0, STEPS}) > 1, "the page was blocked while it trained"
    assert any(drawn for _, drawn in seen[:-2])


def _keep_and_forget(root: Locator, torch_: Reference) -> None:
    keep = root.get_by_role("button", name="Keep this run")
    forget = root.get_by_role("button", name="Forget kept runs")
    shape, count = root.get_by_label("After the warm-up"), root.get_by_role("status")
    kept = []
    for name in list(SHAPES)[:3]:
        shape.select_option(name)
        keep.press("Enter")
        kept.append(_chosen(root))
        expect(count).to_have_text(f"{len(kept)} of 5 runs kept, this one among them")
    keep.click()  # it is kept already
    shape.select_option("step")
    expect(count).to_have_text("3 of 5 runs kept")
    _expect_result(root, torch_, kept)
    forget.click()
    _expect_result(root, torch_)
    for seed in range(6):
        root.get_by_label("Random start").select_option(str(seed))
        keep.click()
    assert root.locator("tbody tr").count() == 6  # five at most, and the present one
    expect(count).to_have_text("5 of 5 runs kept")
    forget.press("Space")


def _diverge(root: Locator, torch_: Reference) -> None:
    root.get_by_label("After the warm-up").select_option("constant")
    _range(root, "Warm-up").press("Home")
    _range(root, "Peak").press("End")
    _expect_result(root, torch_)
    assert torch_.outcome(_chosen(root))["stopped"]
    _range(root, "Peak").press("Home")
    _expect_result(root, torch_)
