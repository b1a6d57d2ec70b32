"""TextWriter: the browser writes what helpers.generation writes, from the same probabilities."""

import functools
import math

import numpy as np
import torch
from playwright.sync_api import Locator, Page, expect

from helpers.data import play_model
from helpers.generation import generate, next_token_probabilities
from helpers.widgets import TextWriter
from helpers.widgets._random import uniforms
from tests.browser.cases import number
from tests.browser.cases.next_token import compare_random, compare_sampling, drawn
from tests.language_models import LETTERS, random_play_model, torch_model

CONTEXT = 30  # of the example: a hundred letters fill it again and again
MARKS = {" ": "␣", "\n": "↵"}
DEEP = 8  # bits of the deepest shade


def example() -> TextWriter:
    written = "What light\nthrough yonder window breaks?"
    return TextWriter(random_play_model(context=CONTEXT), written=written, place=5, top_p=0.9)


@functools.cache
def reference(vocab_size: int):
    """Model and characters of a page: the example's, or those of the plays. In float64."""
    kept = random_play_model(context=CONTEXT) if vocab_size == len(LETTERS) else play_model()
    return torch_model(kept).double(), kept.characters


def arithmetic(evaluate, rng: np.random.Generator) -> None:
    compare_sampling(evaluate, rng)
    compare_random(evaluate)
    for context in (1, 2, 3, 4, 7, 8, 30):
        expected = starts(100, context)
        assert [evaluate("contextStart", length, context) for length in range(101)] == expected
    for _ in range(20):
        logits = torch.tensor(5 * rng.normal(size=rng.integers(1, 70)))
        token = int(rng.integers(len(logits)))
        bits = -logits.log_softmax(0)[token].item() / math.log(2)
        assert math.isclose(evaluate("surpriseBits", logits.tolist(), token), bits, abs_tol=1e-9)
        rank = 1 + int((logits > logits[token]).sum())
        assert evaluate("rankOf", logits.tolist(), token) == rank
        shares = evaluate("softmax", logits.tolist())
        np.testing.assert_allclose(shares, logits.softmax(0), atol=1e-12)
    play = example()
    given = {"settings": play.settings, "bytes": list(play.weights)}
    for settings in (
        {"temperature": 0, "top_k": None, "top_p": None},
        {"temperature": 0.8, "top_k": None, "top_p": 0.9},
        {"temperature": 1.5, "top_k": 7, "top_p": None},
    ):
        _compare_texts(evaluate, given, settings, rng)


def _compare_texts(evaluate, given: dict, settings: dict, rng: np.random.Generator) -> None:
    """200 letters beyond the context, and the bits of each, which is torch's loss."""
    model, characters = reference(len(LETTERS))
    ids, numbers = rng.integers(0, len(characters), 9).tolist(), rng.random(200)
    names = dict(zip(("temperature", "topK", "topP"), settings.values(), strict=True))
    found = evaluate("wholeText", given, ids, 200, names, numbers.tolist())
    assert found["ids"] == write(model, ids, numbers, settings)
    if settings["temperature"] == 0:
        assert found["ids"] == greedy(model, ids, 200)
    logits = all_logits(model, found["ids"])
    np.testing.assert_allclose(found["bits"], surprises(logits, found["ids"]), atol=1e-9)
    np.testing.assert_allclose(found["last"], logits[-1], atol=1e-9)


def greedy(model, ids: list[int], count: int) -> list[int]:
    """Generation as the book has it, at temperature 0."""
    given = {"temperature": 0, "generator": torch.Generator().manual_seed(0)}
    return generate(model, torch.tensor([ids]), count, **given)[0].tolist()


def starts(length: int, context: int) -> list[int]:
    """Where the model's view begins after 0, 1, … tokens, counted as `generate` counts."""
    found, start = [], 0
    for n in range(length + 1):
        if n - start > context:
            start = n - max(1, context // 2)
        found.append(start)
    return found


@torch.no_grad()
def all_logits(model, ids: list[int]) -> torch.Tensor:
    """Row n: what the model says after n tokens, (len(ids) + 1, vocab_size); row 0 is zero."""
    rows = [torch.zeros(model.vocab_size, dtype=torch.float64)]
    begins = starts(len(ids), model.context)
    for start in sorted(set(begins)):
        ends = [n for n in range(1, len(ids) + 1) if begins[n] == start]
        if ends:
            seen = model(torch.tensor([ids[start : ends[-1]]]))[0]
            rows += [seen[n - start - 1] for n in ends]
    return torch.stack(rows)


def surprises(logits: torch.Tensor, ids: list[int]) -> list[float]:
    """Bits of each token; 0 for the first."""
    rows = logits[: len(ids)].log_softmax(-1)
    return [0] + [-rows[n, ids[n]].item() / math.log(2) for n in range(1, len(ids))]


@torch.no_grad()
def write(model, ids: list[int], numbers: np.ndarray, settings: dict) -> list[int]:
    """One token for each random number, each time from all that the model may see."""
    ids = list(ids)
    begins = starts(len(ids) + len(numbers), model.context)
    for i in range(len(numbers)):
        logits = model(torch.tensor([ids[begins[len(ids)] :]]))[0, -1]
        shares = next_token_probabilities(logits, **settings)
        ids.append(int(drawn(shares, numbers[i : i + 1])[0]))
    return ids


def at_load(root: Locator, play: TextWriter) -> None:
    expect_state(root)
    assert _prompt(root) == play.prompt
    assert _written(root) == play.written
    assert _place(root) == min(play.place, len(play.written))


def changes(rng: np.random.Generator) -> list[tuple[str, object]]:
    text = "Good morrow, my lord"
    found = [("written", text[: rng.integers(3, 20)]) for _ in range(8)]
    found += [("place", int(rng.integers(0, 20))) for _ in range(8)]
    found += [("temperature", round(float(rng.uniform(0, 2)), 2)) for _ in range(5)]
    found += [("top_k", int(rng.integers(1, 60))) for _ in range(5)]
    last = {"top_k": 20, "top_p": 0.8, "seed": 3, "prompt": "JULIET:\n", "written": text}
    return [*found, *last.items(), ("place", 6)]


def operate(page: Page, root: Locator) -> None:
    _type_a_prompt(root)
    _write_the_likeliest(root)
    _write_by_chance(root)
    _go_back_by_keyboard(root)
    _go_back_by_pointer(root)
    _refuse_what_the_model_does_not_know(root)


def _slider(root: Locator, name: str) -> Locator:
    return root.get_by_role("slider", name=name, exact=name == "Text")


def _button(root: Locator, name: str) -> Locator:
    return root.get_by_role("button", name=name, exact=True)


def _field(root: Locator) -> Locator:
    return root.get_by_role("textbox", name="The text begins with")


def _prompt(root: Locator) -> str:
    return _field(root).input_value()


def _written(root: Locator) -> str:
    """The letters after the prompt, as they stand in the text."""
    letters = root.locator(".lm-text > span:not(.lm-asked):not(.lm-caret)")
    return "".join(letters.all_text_contents()).replace("↵\n", "\n")


def _place(root: Locator) -> int:
    return int(_slider(root, "Text").get_attribute("aria-valuenow"))


def _settings(root: Locator) -> dict:
    words = [
        _slider(root, n).get_attribute("aria-valuetext") for n in ("Temperature", "Top-k", "Top-p")
    ]
    return {
        "temperature": number(words[0]),
        "top_k": None if words[1].startswith("all") else int(words[1]),
        "top_p": None if words[2].startswith("all") else number(words[2]),
    }


def _truth(root: Locator):
    return reference(int(_slider(root, "Top-k").get_attribute("max")))


def _wait(root: Locator) -> None:
    """Until the writing is over and all is read."""
    expect(_button(root, "Write 100")).to_be_visible(timeout=60_000)
    expect(root.locator(".lm-candidate strong").first).not_to_have_text("…", timeout=60_000)
    if _slider(root, "Text").get_attribute("aria-valuemax") != "0":
        expect(_figure(root, "bits")).not_to_have_text("–", timeout=60_000)


def _figure(root: Locator, name: str) -> Locator:
    return root.locator(f"[data-figure={name}] strong")


def expect_state(root: Locator) -> None:
    """Bits, shades, sentence and candidates are torch's for the text that stands there."""
    _wait(root)
    model, characters = _truth(root)
    prompt, written, place = _prompt(root), _written(root), _place(root)
    ids = [characters.index(character) for character in prompt + written]
    logits = all_logits(model, ids)
    bits = surprises(logits, ids)
    own, at = bits[len(prompt) :], len(prompt) + place
    expect(_figure(root, "count")).to_have_text(str(len(written)))
    if written:
        assert abs(number(_figure(root, "bits").inner_text()) - np.mean(own)) < 0.0051
        told = root.get_by_role("status").filter(has_text="bits per character")
        expect(told).to_contain_text(f"{len(written)} characters written, {np.mean(own):.2f} ")
    shades = root.locator(".lm-text > span:not(.lm-caret)").evaluate_all(
        "nodes => nodes.map((node) => Number(node.style.getPropertyValue('--lm-share')))"
    )
    np.testing.assert_allclose(shades, np.minimum(np.array(bits) / DEEP, 1), atol=5.1e-4)
    _expect_sentence(root, logits[at], written[place : place + 1], bits[at : at + 1])
    _expect_candidates(root, logits[at], characters)


def _expect_sentence(root: Locator, logits: torch.Tensor, letter: str, bits: list) -> None:
    said = root.locator(".lm-candidates .lm-title").inner_text()
    assert _slider(root, "Text").get_attribute("aria-valuetext") == said
    if not letter:
        assert said.startswith("At the end, after ")
        return
    token = _truth(root)[1].index(letter)
    assert f"is “{MARKS.get(letter, letter)}”: the model gave it" in said
    assert abs(number(said.split(" bits")[0].split()[-1]) - bits[0]) < 0.051
    assert f"rank {1 + int((logits > logits[token]).sum())} of" in said


def _expect_candidates(root: Locator, logits: torch.Tensor, characters: str) -> None:
    own, now = logits.softmax(0), next_token_probabilities(logits, **_settings(root))
    best = logits.sort(descending=True, stable=True).indices[:5].tolist()
    rows = root.locator(".lm-candidate")
    names = [MARKS.get(characters[i], characters[i]) for i in best]
    assert rows.locator("strong").all_inner_texts() == names
    for i, row in zip(best, rows.all(), strict=True):
        value = row.locator(".lm-share").inner_text()
        assert (value == "cut") == (now[i] == 0)
        if value != "cut":
            assert abs(number(value.removesuffix(" %")) - 100 * now[i].item()) < 0.051
        label = row.locator(".lm-unseen").text_content()
        share = number(label.rsplit("model ", 1)[1].removesuffix(" %"))
        assert abs(share - 100 * own[i].item()) < 0.051


def _set(root: Locator, temperature: int, top_k: int, top_p: int) -> None:
    """Steps of 0.05 from 0; steps from 1, 0 for no cut; steps of 0.01 down from no cut."""
    for name, key, first, steps in (
        ("Temperature", "ArrowRight", "Home", temperature),
        ("Top-k", "ArrowRight", "Home" if top_k else "End", max(top_k - 1, 0)),
        ("Top-p", "ArrowLeft", "End", top_p),
    ):
        _slider(root, name).press(first)
        for _ in range(steps):
            _slider(root, name).press(key)


def _type_a_prompt(root: Locator) -> None:
    _field(root).fill("JULIET:\nO")
    assert _written(root) == ""
    expect(root.get_by_role("status").filter(has_text="Nothing is written yet.")).to_have_count(1)
    expect_state(root)


def _write_the_likeliest(root: Locator) -> None:
    _set(root, 0, 0, 0)
    _button(root, "Next character").click()
    expect(_figure(root, "count")).to_have_text("1")
    _button(root, "Next character").press("Enter")
    expect(_figure(root, "count")).to_have_text("2")
    _button(root, "Write 100").click()
    expect(_figure(root, "count")).to_have_text("102", timeout=60_000)
    expect_state(root)
    model, characters = _truth(root)
    ids = [characters.index(character) for character in _prompt(root)]
    expected = "".join(characters[i] for i in greedy(model, ids, 102))
    assert _prompt(root) + _written(root) == expected
    assert number(_figure(root, "speed").inner_text().replace(",", "")) > 1


def _write_by_chance(root: Locator) -> None:
    _set(root, 16, 20, 5)
    root.get_by_label("Random numbers").select_option("3")
    _button(root, "Start again").click()
    assert _written(root) == ""
    _button(root, "Write 100").press("Enter")
    expect(_figure(root, "count")).to_have_text("100", timeout=60_000)
    expect_state(root)
    assert _written(root) == _expected(root, "", 100)


def _expected(root: Locator, written: str, count: int) -> str:
    """What stands after so many more letters, drawn with the numbers of seed 3."""
    model, characters = _truth(root)
    ids = [characters.index(character) for character in _prompt(root) + written]
    numbers = uniforms(3, len(written) + count)[len(written) :]
    ids = write(model, ids, numbers, _settings(root))
    return "".join(characters[i] for i in ids)[len(_prompt(root)) :]


def _go_back_by_keyboard(root: Locator) -> None:
    text, before = _slider(root, "Text"), _written(root)
    for key, place in (("ArrowLeft", 99), ("PageUp", 89), ("Home", 0), ("ArrowRight", 1)):
        text.press(key)
        assert _place(root) == place
        expect_state(root)
    text.press("End")
    for _ in range(3):
        text.press("PageUp")
    second = root.locator(".lm-candidate").nth(1).locator("strong").inner_text()
    text.press("2")
    assert _written(root)[:-1] == before[:70]
    assert MARKS.get(_written(root)[-1], _written(root)[-1]) == second
    expect_state(root)
    _button(root, "Next character").click()
    expect(_figure(root, "count")).to_have_text("72")
    assert _written(root) == _expected(root, _written(root)[:71], 1)


def _go_back_by_pointer(root: Locator) -> None:
    before = _written(root)
    place = next(i for i in range(20, 60) if before[i].isalpha())
    letters = root.locator(".lm-text > span:not(.lm-asked):not(.lm-caret)")
    letters.nth(place).click()
    assert _place(root) == place
    expect_state(root)
    root.locator(".lm-candidate").nth(2).click()
    assert _written(root)[:-1] == before[:place]
    expect_state(root)
    letters.nth(place - 5).click()
    root.locator(".lm-candidate").first.press("Enter")
    assert len(_written(root)) == place - 4
    expect_state(root)


def _refuse_what_the_model_does_not_know(root: Locator) -> None:
    message, before = root.locator(".lm-message"), _written(root)
    _field(root).fill("")
    expect(message).to_have_text("The model needs at least one character to begin with.")
    assert _written(root) == before
    _slider(root, "Text").focus()
    assert _prompt(root) == "JULIET:\nO"
    _field(root).fill("Ré€")
    expect(message).to_contain_text("“é” “€”")
    assert _prompt(root) == "R"
    expect_state(root)
    _field(root).fill("ROMEO")
    expect(message).to_be_hidden()
    expect_state(root)
