"""NextToken: cuts and probabilities of helpers.generation, draws of torch's cumulative sums."""

import functools
import math
import re

import numpy as np
import torch
from playwright.sync_api import Locator, Page

from helpers.checkpoints import load_weights
from helpers.data import play_model
from helpers.generation import next_token_probabilities
from helpers.models.transformer import Llama
from helpers.widgets import NextToken
from helpers.widgets._random import uniforms
from tests.browser.cases import number

TOKENS = "\n !ABCDabcdefghijklmnopqrst"
MARKS = {" ": "␣", "\n": "↵", "\t": "⇥"}
STARTS = {"surely": 6.0, "perhaps so": 2.5, "who knows": 1.0}  # text so far -> spread of the logits
ROWS = 16


def example() -> NextToken:
    return NextToken(_distributions(), TOKENS, prompt="perhaps so", top_p=0.9, drawn=100)


@functools.cache
def _distributions() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        text: spread * torch.randn(len(TOKENS), generator=generator, dtype=torch.float64)
        for text, spread in STARTS.items()
    }


def arithmetic(evaluate, rng: np.random.Generator) -> None:
    compare_sampling(evaluate, rng)
    compare_random(evaluate)
    for _ in range(20):
        probabilities = torch.tensor(rng.dirichlet(np.full(9, 0.5)))
        numbers = rng.random(200)
        counts = drawn(probabilities, numbers).bincount(minlength=9).tolist()
        assert evaluate("drawCounts", probabilities.tolist(), numbers.tolist()) == counts


def compare_sampling(evaluate, rng: np.random.Generator) -> None:
    """Every function of _sampling.js, from any explorable that holds it."""
    for _ in range(50):
        logits = torch.tensor(rng.normal(size=rng.integers(2, 70)) * rng.choice([0.1, 1, 5, 30]))
        settings = {
            "temperature": float(rng.choice([0, 0.05, 0.7, 1, 2, 50])),
            "top_k": None if rng.random() < 0.3 else int(rng.integers(1, 80)),
            "top_p": None if rng.random() < 0.3 else float(rng.uniform(0.01, 1)),
        }
        _compare_probabilities(evaluate, logits, settings)
        order = logits.sort(descending=True, stable=True).indices
        assert evaluate("descending", logits.tolist()) == order.tolist()
    for logits, settings in _edges():
        _compare_probabilities(evaluate, torch.tensor(logits, dtype=torch.float64), settings)
    assert evaluate("descending", [1, 3, 1, 3]) == [1, 3, 0, 2]
    _compare_draws(evaluate, rng)
    for text in ("a", "", " ", "\n\t x", "␣"):
        assert evaluate("tokenName", text) == "".join(MARKS.get(sign, sign) for sign in text)


def compare_random(evaluate) -> None:
    """The function of _random.js."""
    for seed in (0, 1, 2, 2**32 - 1):
        assert evaluate("uniforms", seed, 50) == uniforms(seed, 50).tolist()


def _edges():
    """Ties at both cuts, one token, the largest alone, cuts that keep all, and far numbers."""
    equal = [0.0] * 4  # exactly a quarter each
    for top_p in (0.25, 0.2500001, 0.5, 0.75, 1e-9, 1.0):
        yield equal, {"top_p": top_p}
        yield equal, {"top_p": top_p, "top_k": 2}
    for top_k in (1, 2, 3, 4, 5):
        yield [1.0, 2.0, 2.0, 2.0], {"top_k": top_k}
    for temperature in (0, 1e-3, 1e3):
        yield [3.0, 5.0, 5.0, -900.0], {"temperature": temperature}
        yield [3.0, 5.0, 5.0, -900.0], {"temperature": temperature, "top_k": 3, "top_p": 0.5}
    yield [700.0, -700.0], {}
    yield [1e4, 1e4 - 1], {"temperature": 2.0}
    yield [0.0, -math.inf, 0.0], {"top_k": 2}


def _compare_probabilities(evaluate, logits: torch.Tensor, settings: dict) -> None:
    expected = next_token_probabilities(logits, **settings)
    names = {"temperature": "temperature", "top_k": "topK", "top_p": "topP"}
    given = {names[name]: value for name, value in settings.items()}
    found = evaluate("nextTokenProbabilities", logits.tolist(), given)
    found = torch.tensor(found, dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)
    assert ((found > 0) == (expected > 0)).all()
    bits = torch.distributions.Categorical(expected).entropy() / math.log(2)
    assert abs(evaluate("entropyBits", expected.tolist()) - bits.item()) < 1e-6


def drawn(probabilities: torch.Tensor, numbers: np.ndarray) -> torch.Tensor:
    """The first token whose cumulative sum is above the number; never one without probability."""
    found = torch.searchsorted(probabilities.cumsum(0), torch.from_numpy(numbers), right=True)
    return found.clamp(max=int(probabilities.nonzero()[-1]))


def _compare_draws(evaluate, rng: np.random.Generator) -> None:
    for _ in range(50):
        probabilities = torch.tensor(rng.dirichlet(np.full(rng.integers(1, 9), 0.5)))
        probabilities[int(rng.integers(len(probabilities)))] *= rng.choice([0, 1])
        if probabilities.sum() == 0:
            continue
        probabilities /= probabilities.sum()
        numbers = [0.0, float(rng.random()), 1 - 2**-32]
        expected = drawn(probabilities, np.array(numbers)).tolist()
        assert [evaluate("drawToken", probabilities.tolist(), u) for u in numbers] == expected
    assert [evaluate("drawToken", [0, 0.5, 0.5, 0], u) for u in (0, 0.5, 0.9999)] == [1, 2, 2]
    assert evaluate("drawToken", [0.3, 0.3, 0.3, 0], 0.95) == 2  # a sum far below 1


def at_load(root: Locator, play: NextToken) -> None:
    expect_numbers(root)
    assert _settings(root) == {
        "prompt": play.prompt, "temperature": play.temperature, "top_k": play.top_k,
        "top_p": play.top_p,
    }  # fmt: skip
    assert _drawn(root) == play.drawn


def changes(rng: np.random.Generator) -> list[tuple[str, object]]:
    found = [("temperature", round(float(rng.uniform(0, 2)), 2)) for _ in range(8)]
    found += [("top_k", int(rng.integers(1, len(TOKENS)))) for _ in range(8)]
    found += [("top_p", round(float(rng.uniform(0.05, 1)), 2)) for _ in range(8)]
    return [*found, ("prompt", "who knows"), ("drawn", 1000), ("seed", 3), ("top_k", 20)]


def operate(page: Page, root: Locator) -> None:
    for text in root.get_by_label("Text so far").locator("option").all_inner_texts():
        root.get_by_label("Text so far").select_option(label=text)
        _reset(root)
        expect_numbers(root)
    _move_by_keyboard(root)
    _move_by_pointer(root)
    _draw(root)


def _slider(root: Locator, name: str) -> Locator:
    return root.get_by_role("slider", name=name)


def _reset(root: Locator) -> None:
    """Temperature 1 and no cut, no draws."""
    _slider(root, "Temperature").press("Home")
    for _ in range(20):
        _slider(root, "Temperature").press("ArrowRight")
    _slider(root, "Top-k").press("End")
    _slider(root, "Top-p").press("End")
    root.get_by_role("button", name="Forget the draws").click()


def _move_by_keyboard(root: Locator) -> None:
    _slider(root, "Temperature").press("Home")
    expect_numbers(root)
    assert _figure(root, "kept").startswith("1 of ")
    for keys in (["ArrowRight"] * 3, ["End"], ["ArrowLeft"] * 5):
        for key in keys:
            _slider(root, "Temperature").press(key)
        expect_numbers(root)
    for name in ("Top-k", "Top-p"):
        for keys in (["Home"], ["ArrowRight"] * 4, ["PageUp"], ["End"], ["ArrowLeft"] * 3):
            for key in keys:
                _slider(root, name).press(key)
            expect_numbers(root)


def _move_by_pointer(root: Locator) -> None:
    for name in ("Temperature", "Top-k", "Top-p"):
        box = _slider(root, name).bounding_box()
        _slider(root, name).click(position={"x": box["width"] / 3, "y": box["height"] / 2})
        expect_numbers(root)
    assert 0.5 < _settings(root)["temperature"] < 0.85


def _draw(root: Locator) -> None:
    draw = root.get_by_role("button", name="Draw 100 tokens")
    _reset(root)
    draw.click()
    expect_numbers(root)
    draw.press("Enter")
    assert _drawn(root) == 200
    _slider(root, "Top-k").press("Home")
    expect_numbers(root)
    assert root.locator("tbody tr").first.locator("td").last.inner_text() == "200"
    for _ in range(9):
        draw.click()
    assert _drawn(root) == 1000
    expect_numbers(root)
    root.get_by_role("button", name="Forget the draws").press("Space")
    assert _drawn(root) == 0
    expect_numbers(root)


def _settings(root: Locator) -> dict:
    words = {n: _slider(root, n).get_attribute("aria-valuetext") for n in ("Top-k", "Top-p")}
    count = int(_figure(root, "kept").split(" of ")[1])
    return {
        "prompt": root.get_by_label("Text so far").input_value(),
        "temperature": number(_slider(root, "Temperature").get_attribute("aria-valuetext")),
        "top_k": count if words["Top-k"].startswith("all") else int(words["Top-k"]),
        "top_p": None if words["Top-p"].startswith("all") else number(words["Top-p"]),
    }


def _figure(root: Locator, name: str) -> str:
    return root.locator(f"[data-figure={name}] strong").inner_text()


def _drawn(root: Locator) -> int:
    text = root.locator("[data-figure=draws] .lm-note").inner_text()
    return int(re.sub(r"\D", "", text) or 0)


@functools.cache
def _model():
    kept = play_model()
    model = Llama(**kept.settings)
    load_weights(model, kept.weights)
    return model.eval(), kept.characters


def _truth(root: Locator) -> tuple[str, torch.Tensor]:
    """Tokens and logits of the text on the page: the example's, or those of the plays' model."""
    prompt = root.get_by_label("Text so far").input_value()
    if prompt in STARTS:
        return TOKENS, _distributions()[prompt]
    model, characters = _model()
    ids = torch.tensor([[characters.index(character) for character in prompt]])
    with torch.no_grad():
        return characters, model(ids)[0, -1].double()


def expect_numbers(root: Locator) -> None:
    """Figures and rows are those of torch for what the controls say."""
    tokens, logits = _truth(root)
    given, count = _settings(root), _drawn(root)
    del given["prompt"]
    before, after = logits.softmax(0), next_token_probabilities(logits, **given)
    counts = drawn(after, uniforms(0, count)).bincount(minlength=len(tokens))
    order = logits.sort(descending=True, stable=True).indices
    assert _figure(root, "kept") == f"{int((after > 0).sum())} of {len(tokens)}"
    bits = torch.distributions.Categorical(after).entropy().item() / math.log(2)
    assert abs(number(_figure(root, "entropy").removesuffix(" bits")) - bits) < 0.011
    name, share = _figure(root, "likeliest").removesuffix(" %").split()
    assert name == MARKS.get(tokens[order[0]], tokens[order[0]])
    assert abs(number(share) - 100 * after.max().item()) < 0.11
    _expect_rows(root, tokens, order, (before, after, counts if count else None))


def _expect_rows(root: Locator, tokens: str, order: torch.Tensor, numbers: tuple) -> None:
    before, after, counts = numbers
    rows = root.locator("tbody tr").evaluate_all(
        "rows => rows.map((row) => [...row.cells].map((cell) => cell.textContent))"
    )
    groups = [order[i : i + 1] for i in range(min(ROWS, len(tokens)))]
    groups += [order[ROWS:]] if len(tokens) > ROWS else []
    assert len(rows) == len(groups)
    for (name, _, own, now, count), places in zip(rows, groups, strict=True):
        if len(places) == 1:
            assert name == MARKS.get(tokens[places[0]], tokens[places[0]])
        assert abs(number(own) - 100 * before[places].sum().item()) < 0.11
        assert (now == "cut") == (after[places].sum() == 0)
        if now != "cut":
            assert abs(number(now) - 100 * after[places].sum().item()) < 0.11
        assert count == ("–" if counts is None else str(int(counts[places].sum())))
