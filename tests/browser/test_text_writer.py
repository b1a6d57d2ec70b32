"""The model of the plays writes in the browser what it writes in torch, and stops when told to.

pytest tests/browser/test_text_writer.py
"""

import numpy as np
import pytest
import torch

from helpers.data import play_model
from helpers.widgets import TextWriter
from tests.browser.cases.text_writer import all_logits, greedy, surprises
from tests.language_models import torch_model

PROMPT, COUNT = "ROMEO:", 200  # more than the context of 128, so the view moves on once
GIVEN = (  # longer than the context, too
    "But, soft! what light through yonder window breaks?\nIt is the east, and Juliet is the sun.\n"
    "Arise, fair sun, and kill the envious moon,\nWho is already sick and pale with grief,\n"
)
GREEDY = {"temperature": 0, "topK": None, "topP": None}
TOLERANCE = 1e-4  # of a probability: torch adds up in float32 here, the browser in float64


@pytest.fixture(scope="module")
def writer() -> TextWriter:
    return TextWriter(play_model(), PROMPT, written="")


@pytest.fixture(scope="module")
def model():
    return torch_model(play_model())  # float32, as readers have it


RUN = """([number, ids, count, sampling]) => {
    const { module, model } = explorables[number];  // its own bytes: a list is slow to send
    const bytes = new Uint8Array(model.get("weights").buffer);
    const given = { settings: model.get("settings"), bytes };
    return module.wholeText(given, ids, count, sampling, Array(count).fill(0.5));
}"""


def run(mounted, ids: list[int], count: int) -> dict:
    return mounted.page.evaluate(RUN, [mounted.number, ids, count, GREEDY])


def numbers_of(text: str) -> list[int]:
    return [play_model().characters.index(character) for character in text]


def test_two_hundred_characters_at_temperature_0_are_those_of_generate(mount, writer, model):
    ids = numbers_of(PROMPT)
    found = run(mount(writer), ids, COUNT)
    assert found["ids"] == greedy(model, ids, COUNT)


def test_probabilities_of_a_given_text_are_those_of_torch(mount, writer, model):
    ids = numbers_of(GIVEN)
    logits = all_logits(model, ids)
    found = run(mount(writer), ids, 0)
    ours, theirs = (2.0 ** -np.array(bits[1:]) for bits in (found["bits"], surprises(logits, ids)))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE)
    last = torch.tensor(found["last"]).softmax(0)
    np.testing.assert_allclose(last, logits[-1].softmax(0), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Math.floor(context / 2)", "Math.floor(context / 4)"),  # goes on with too little
        ("rewind(cache, 0);", "rewind(cache, 1);"),  # keeps what it should forget
        ("reader.ids[start + cache.length]", "reader.ids[cache.length]"),  # reads the beginning
    ],
)
def test_a_wrong_view_of_a_long_text_is_found(mount, writer, model, old, new):
    assert writer._esm.count(old) == 1
    wrong = TextWriter(play_model(), PROMPT, written="")
    wrong._esm = writer._esm.replace(old, new)
    ids = numbers_of(GIVEN)
    expected = surprises(all_logits(model, ids), ids)
    found = run(mount(wrong), ids, 0)["bits"]
    assert np.abs(np.array(found) - expected).max() > 0.05


LEAVE = """async (ending) => {
    const later = window.setTimeout, { model, el, cleanup } = explorables[0];
    const pause = (time) => new Promise((go) => later(go, time));
    let tasks = 0, longest = 0;
    window.setTimeout = (task, ...given) => later(() => {
        const start = performance.now();
        tasks += 1;
        task();
        longest = Math.max(longest, performance.now() - start);
    }, ...given);
    const many = [...el.querySelectorAll("button")][1];
    many.click();
    while (tasks < 2) await pause(1);
    const before = model.get("written").length;
    if (ending === "leave") cleanup();
    else many.click();
    await pause(50);  // a slice that had begun
    const [stopped, counted] = [model.get("written").length, tasks];
    await pause(500);
    return [before, stopped, model.get("written").length, tasks - counted, longest];
}"""


@pytest.mark.parametrize("ending", ["leave", "stop"])
def test_writing_ends_when_the_reader_leaves_or_stops_it(mount, page, writer, ending):
    mount(writer)
    before, stopped, after, tasks_afterwards, longest = page.evaluate(LEAVE, ending)
    assert 0 < before <= stopped < 100, "it should still have been writing"
    assert after == stopped
    assert tasks_afterwards == 0
    print(f"{ending}: {stopped} characters, longest task {longest:.0f} ms")
