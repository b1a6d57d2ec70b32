"""The language model in the browser: logits and attention weights are those of torch's Llama.

pytest tests/browser/test_language_model.py
"""

import base64

import numpy as np
import pytest
import torch

from helpers.widgets._language_model import model_traits
from helpers.widgets.base import SHARED
from tests.language_models import random_play_model, torch_model, torch_pass

# Odd shapes, so that no axis fits another.
SHAPES = [
    {"hidden_dim": 12, "n_layers": 1, "n_heads": 3, "n_kv_heads": 1, "mlp_dim": 20},
    {"hidden_dim": 40, "n_layers": 3, "n_heads": 5, "n_kv_heads": 5, "mlp_dim": 24},
    {"hidden_dim": 48, "n_layers": 2, "n_heads": 6, "n_kv_heads": 2, "mlp_dim": 70, "base": 500.0},
]
ONE = {"hidden_dim": 24, "n_heads": 6, "n_kv_heads": 3, "n_layers": 2, "eps": 1e-3}

MODULES = ("_common", "_language_model")
# Of the largest logit: the browser adds up in float64, torch in float32.
TOLERANCE = 1e-4

LOAD = """async (code) => {
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    window.tools = await import(url);
    window.bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    window.textOf = (numbers) => btoa(Array.from(new Uint8Array(Float64Array.from(numbers).buffer),
        (byte) => String.fromCharCode(byte)).join(""));
}"""
RUN = """([settings, weights, ids]) => {
    const model = tools.decodeModel(settings, bytesOf(weights)), cache = tools.emptyCache(model);
    const logits = ids.flatMap((id) => Array.from(tools.step(model, cache, id, true)));
    const rows = cache.attention.flat().flatMap((head) => head.flatMap((row) =>
        [...row, ...Array(ids.length).fill(0)].slice(0, ids.length)));
    return [textOf(logits), textOf(rows)];
}"""


@pytest.fixture
def load(page):
    """`load(old=new, …)` puts the module on the page, perhaps with a piece of it replaced."""

    def loaded(*replaced: tuple[str, str]):
        code = "".join(
            (SHARED / f"{name}.js").read_text() for name in ("_common", "_language_model")
        )
        for old, new in replaced:
            assert code.count(old) == 1, old
            code = code.replace(old, new)
        page.goto("about:blank")
        page.evaluate(LOAD, code)
        return lambda play_model, ids: browser_pass(page, play_model, ids)

    return loaded


def browser_pass(page, play_model, ids) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (time, vocab_size) and attention weights (n_layers, n_heads, time, time), float64."""
    traits = model_traits(play_model)
    given = [traits["settings"], base64.b64encode(traits["weights"]).decode(), ids]
    logits, rows = (np.frombuffer(base64.b64decode(t)) for t in page.evaluate(RUN, given))
    heads = [play_model.settings[name] for name in ("n_layers", "n_heads")]
    shape = (*heads, len(ids), len(ids))
    return torch.tensor(logits.reshape(len(ids), -1)), torch.tensor(rows.reshape(shape))


def some_ids(play_model, time: int = 41, seed: int = 1) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(len(play_model.characters), (time,), generator=generator).tolist()


def differences(ours, theirs) -> tuple[float, float]:
    """Of logits, as a share of the largest; of attention weights."""
    largest = theirs[0].abs().max()
    assert largest > 3
    return (ours[0] - theirs[0]).abs().max() / largest, (ours[1] - theirs[1]).abs().max()


@pytest.mark.parametrize("shape", SHAPES)
def test_logits_and_attention_are_those_of_torch(load, shape):
    play_model = random_play_model(**shape)
    ids = some_ids(play_model)
    found, model = load()(play_model, ids), torch_model(play_model)
    assert max(differences(found, torch_pass(model, ids))) < TOLERANCE
    # In float64 on both sides nothing is left but the order of the sums.
    assert max(differences(found, torch_pass(model.double(), ids))) < 1e-10


BREAKS = {
    "pairs are neighbours": [
        ("first = x[start + i], second = x[start + pairs + i]",
         "first = x[start + 2 * i], second = x[start + 2 * i + 1]"),
        ("x[start + i] = first", "x[start + 2 * i] = first"),
        ("x[start + pairs + i] = second", "x[start + 2 * i + 1] = second"),
    ],
    "keys of later tokens": [("count: position + 1", "count: model.settings.context")],
    "not its own key": [("count: position + 1", "count: Math.max(1, position)")],
    "heads take turns": [("Math.floor((head * n_kv_heads) / n_heads)", "(head % n_kv_heads)")],
    "positions from 1": [("headDim, position, model), out", "headDim, position + 1, model), out")],
    "another base": [("base **", "(base + 1000) **")],
    "another epsilon": [("/ x.length + eps", "/ x.length + 1e-5")],
    "the other gate": [("multiply(gate_proj, x).map", "multiply(up_proj, x).map"),
                       ("const up = multiply(up_proj", "const up = multiply(gate_proj")],
    "no square root": [("sum / Math.sqrt(headDim)", "sum")],
    "the mean is taken out": [("value * factor * weight", "(value - x[0]) * factor * weight")],
}  # fmt: skip


@pytest.mark.parametrize("name", BREAKS)
def test_a_wrong_pass_is_found(load, name):
    play_model = random_play_model(**ONE)
    ids = some_ids(play_model)
    expected = torch_pass(torch_model(play_model), ids)
    assert max(differences(load()(play_model, ids), expected)) < TOLERANCE
    found = load(*BREAKS[name])(play_model, ids)
    assert max(differences(found, expected)) > 100 * TOLERANCE


REREAD = """([settings, weights, ids, kept]) => {
    const model = tools.decodeModel(settings, bytesOf(weights)), cache = tools.emptyCache(model);
    const read = (list) => list.map((id) => Array.from(tools.step(model, cache, id, true)));
    const first = read(ids);
    tools.rewind(cache, kept);
    const length = cache.length, again = read(ids.slice(kept));
    return [length, JSON.stringify(again) === JSON.stringify(first.slice(kept)),
        cache.attention.flat().every((rows) => rows.every((row, i) => row.length === i + 1))];
}"""


@pytest.mark.parametrize("kept", [0, 3, 9])
def test_a_cache_goes_back_to_an_earlier_token(load, page, kept):
    load()
    play_model = random_play_model()
    traits = model_traits(play_model)
    given = [traits["settings"], base64.b64encode(traits["weights"]).decode()]
    found = page.evaluate(REREAD, [*given, some_ids(play_model, 9), kept])
    assert found == [kept, True, True]


@pytest.mark.parametrize(
    ("ids", "cut", "message"),
    [([99], 0, "id 99"), ([-1], 0, "id -1"), ([0] * 71, 0, "context 70"), ([0], 1, "weights:")],
)
def test_what_the_model_cannot_read_is_refused(load, page, ids, cut, message):
    """A token that it does not know, one too many, bytes of another model."""
    load()
    traits = model_traits(random_play_model())
    weights = traits["weights"][: len(traits["weights"]) - cut]
    run = f"(given) => {{ try {{ ({RUN})(given); }} catch (error) {{ return error.message; }} }}"
    said = page.evaluate(run, [traits["settings"], base64.b64encode(weights).decode(), ids])
    assert message in said


TIME = """([settings, weights, ids]) => {
    const bytes = bytesOf(weights);
    let start = performance.now();
    const model = tools.decodeModel(settings, bytes), decoding = performance.now() - start;
    const times = Array.from({ length: 5 }, () => {
        const cache = tools.emptyCache(model);
        start = performance.now();
        for (const id of ids) tools.step(model, cache, id, true);
        return (performance.now() - start) / ids.length;
    });
    return [decoding, Math.min(...times)];
}"""


@pytest.mark.benchmark
def test_a_token_takes_a_few_milliseconds(load, page):
    """Of a model as large as that of the plays, over a context of 128."""
    size = {"context": 128, "hidden_dim": 96, "n_layers": 4, "mlp_dim": 256}
    play_model = random_play_model(**size)
    traits = model_traits(play_model)
    load()
    given = [traits["settings"], base64.b64encode(traits["weights"]).decode()]
    decoding, token = page.evaluate(TIME, [*given, some_ids(play_model, 128)])
    print(f"{len(traits['weights']):,} bytes decoded in {decoding:.0f} ms, {token:.2f} ms a token")
    assert token < 10
