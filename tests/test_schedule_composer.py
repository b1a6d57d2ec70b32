"""ScheduleComposer in Python: what it refuses, the run that it trains, the picture that it prints.

pytest tests/test_schedule_composer.py
"""

import io
import json
import math
import re

import numpy as np
import pytest
import torch
from torch import nn

from helpers.widgets import ScheduleComposer, static_html
from helpers.widgets._random import uniforms
from helpers.widgets._schedule_run import batch_order, network, rates
from tests.browser.cases.schedule_composer import (
    PEAKS,
    SHAPES,
    START,
    Reference,
    clothes,
    example,
    mulberry32,
    torch_rates,
)
from tests.explorables import assert_refused

IMAGES, LABELS = clothes(96, 1)
FEW, FEW_LABELS = clothes(40, 2)


@pytest.fixture(scope="module")
def composer() -> ScheduleComposer:
    return example()


@pytest.mark.parametrize("warmup", [0.0, 0.05, 0.3, 0.5])
@pytest.mark.parametrize("shape", SHAPES)
def test_rates_are_torchs(shape, warmup):
    found = rates(shape, 0.4, warmup)
    np.testing.assert_allclose(found, torch_rates(shape, 0.4, warmup), rtol=0, atol=1e-14)
    assert max(found) == pytest.approx(0.4, abs=2e-5)  # one-cycle may peak between two steps
    if warmup and shape != "one_cycle":
        steps = round(300 * warmup)
        expected = [0.4 * (step + 1) / steps for step in range(steps)]
        np.testing.assert_allclose(found[:steps], expected, rtol=0, atol=1e-14)


def test_what_falls_to_zero_gets_there_after_the_last_step():
    for shape in ("linear", "cosine"):
        for warmup in (0.0, 0.2):
            last, before = rates(shape, 1, warmup)[-1], rates(shape, 1, warmup)[-2]
            assert 0 < last < before < 0.01


def test_steps_fall_at_60_and_80_percent():
    found = rates("step", 1, 0.1)
    assert [found[i] for i in (30, 179, 180, 239, 240)] == pytest.approx([1, 1, 0.1, 0.1, 0.01])


@pytest.mark.parametrize("seed", range(3))
def test_random_numbers_are_mulberry32(seed):
    found = uniforms(seed, 20_000)
    assert found[:500].tolist() == mulberry32(seed, 500)
    assert found.dtype == np.float64
    assert abs(found.mean() - 0.5) < 0.01
    assert abs(found.var() - 1 / 12) < 0.002


def test_first_weights_are_spread_like_kaimings():
    """Uniform within the same bound as torch's for ReLU; another seed gives others."""
    for layer in network(0)[::2]:
        wanted = nn.init.kaiming_uniform_(torch.empty(1000, layer.in_features), nonlinearity="relu")
        bound = wanted.abs().max().item()
        assert 0.98 * bound < layer.weight.abs().max().item() <= math.sqrt(6 / layer.in_features)
        assert layer.bias.abs().max() == 0
    assert not torch.equal(network(0)[0].weight, network(1)[0].weight)


def test_every_epoch_takes_each_picture_at_most_once_in_a_new_order():
    order = batch_order(0, 100)
    assert order.shape == (300, 32)
    epochs = order.reshape(100, 96)
    assert all(len(set(epoch)) == 96 for epoch in epochs.tolist())
    assert len(set(map(tuple, epochs.tolist()))) == 100
    assert set(order.flatten().tolist()) == set(range(100))


def test_outcome_is_that_of_torchs_optimiser(composer):
    torch_ = Reference(composer._inputs, composer._labels, composer.train_count)
    for run in [composer.run(), *composer.kept]:
        found, expected = composer.outcome(run), torch_.outcome(run)
        assert found["run"] == run
        np.testing.assert_allclose(found["losses"], expected["losses"], rtol=0, atol=5.1e-6)
        for name in ("training", "validation", "accuracy", "stopped"):
            assert found[name] == pytest.approx(expected[name], abs=1e-12), name


def test_pictures_are_averaged_and_standardised():
    """A mean over 4×4 pixels; mean and deviation come from the pictures to learn from alone."""
    composer = ScheduleComposer(IMAGES, LABELS, FEW, FEW_LABELS)
    block = IMAGES[5, 0, 4:8, 8:12].double().mean().round().item()
    assert composer.pictures[5 * 49 + 7 + 2] == block
    inputs = composer._inputs[: composer.train_count]
    assert inputs.mean().abs() < 1e-12
    assert abs(inputs.std(correction=0) - 1) < 1e-12
    shown = np.frombuffer(composer.pictures, np.uint8) * 1.0
    expected = (shown - composer.scale[0]) / composer.scale[1]
    np.testing.assert_allclose(composer._inputs.flatten(), expected, rtol=0, atol=1e-12)


def test_blank_pictures_can_be_given():
    """Their standard deviation is zero, and nothing may be divided by it."""
    blank = torch.zeros_like(IMAGES)
    outcome = ScheduleComposer(blank, LABELS, FEW, FEW_LABELS).outcome()
    assert outcome["stopped"] is None
    assert outcome["training"] > 2


def test_diverged_run_says_when(composer):
    run = START | {"peak": 4.0}
    outcome = composer.outcome(run)
    assert outcome["stopped"] == len(outcome["losses"]) + 1 < 50
    assert outcome["training"] is outcome["validation"] is outcome["accuracy"] is None
    assert max(outcome["losses"]) <= 1000
    diverged = ScheduleComposer(IMAGES, LABELS, FEW, FEW_LABELS, **run)
    assert f"diverged. In step {outcome['stopped']} the loss passed" in diverged.alt_text()
    assert diverged.static_figure()


def test_loss_that_is_no_number_stops_a_run(monkeypatch):
    monkeypatch.setattr("helpers.widgets._schedule_run.LIMIT", math.inf)
    composer = ScheduleComposer(IMAGES, LABELS, FEW, FEW_LABELS, peak=4)
    assert composer.outcome()["stopped"]
    assert not any(map(math.isnan, composer.outcome()["losses"]))


def test_finished_runs_follow_the_settings():
    composer = ScheduleComposer(IMAGES, LABELS, FEW, FEW_LABELS)
    composer.kept = [START]
    composer.peak = np.float64(0.1)
    assert [outcome["run"] for outcome in composer.outcomes] == [composer.run(), START]
    assert composer.outcomes[0]["losses"] != composer.outcomes[1]["losses"]


def test_state_is_small_and_plain(composer):
    """What a page of 1,500 pictures carries: 75 kB of bytes and 3 kB for each run."""
    assert len(composer.pictures) == 136 * 49
    assert len(json.dumps(composer.outcomes, allow_nan=False)) < 4000 * len(composer.outcomes)
    assert {type(value) for value in composer.run().values()} == {str, float, int}


@pytest.mark.parametrize(
    ("place", "value", "error", "message"),
    [
        (0, "pictures", TypeError, r"train_images should be a tensor or an array; got str\."),
        (0, IMAGES.float(), ValueError, r"train_images should be uint8 .*got torch\.float32 of"),
        (0, IMAGES[:, 0], ValueError, r"got torch\.uint8 of shape \(96, 28, 28\)\."),
        (0, IMAGES[:, :, :7, :7], ValueError, r"got torch\.uint8 of shape \(96, 1, 7, 7\)\."),
        (0, IMAGES[:0], ValueError, r"with n from 32 on; got .*of shape \(0, 1, 28, 28\)\."),
        (0, IMAGES[:31], ValueError, r"with n from 32 on; got .*\(31, 1, 28, 28\)\."),
        (1, LABELS[:95], ValueError, r"train_labels should be 96 whole numbers.*shape \(95,\)\."),
        (1, LABELS.double(), ValueError, r"whole numbers, one for each.*got torch\.float64 of"),
        (1, LABELS.tolist(), TypeError, r"train_labels should be a tensor .*got list\."),
        (1, LABELS + 1, ValueError, r"train_labels should lie between 0 and 9; got 10\."),
        (1, LABELS - 1, ValueError, r"train_labels should lie between 0 and 9; got -1\."),
        (2, FEW[:0], ValueError, r"validation_images should .* with n from 1 on; got .*\(0, 1"),
        (3, FEW_LABELS[1:], ValueError, r"validation_labels should be 40 whole numbers"),
    ],
)
def test_wrong_data_are_refused(place, value, error, message):
    data = [IMAGES, LABELS, FEW, FEW_LABELS]
    data[place] = value
    with pytest.raises(error, match=message):
        ScheduleComposer(*data)


def test_more_than_a_page_can_carry_is_refused():
    many, labels = IMAGES.repeat(32, 1, 1, 1), LABELS.repeat(32)
    with pytest.raises(ValueError, match=r"hold at most 3,000 pictures together.*; got 3,112\."):
        ScheduleComposer(many, labels, FEW, FEW_LABELS)


@pytest.mark.parametrize(
    ("trait", "value", "error", "message"),
    [
        ("peak", 0, ValueError, r"peak should be a number from 0\.01 to 4; got 0\."),
        ("peak", -0.1, ValueError, r"got -0\.1\."),
        ("peak", math.nan, ValueError, r"got nan\."),
        ("peak", math.inf, ValueError, r"got inf\."),
        ("peak", "0.1", ValueError, r"got '0\.1'\."),
        ("peak", True, ValueError, r"got True\."),
        ("warmup", 0.55, ValueError, r"warmup should be a number from 0 to 0\.5; got 0\.55\."),
        ("warmup", -0.05, ValueError, r"got -0\.05\."),
        ("warmup", 0.12, ValueError, r"warmup should be a multiple of 0\.05; got 0\.12\."),
        ("shape", "sine", ValueError, r"one of 'constant', .*'one_cycle'; got 'sine'\."),
        ("shape", None, ValueError, r"got None\."),
        ("seed", 10, ValueError, r"seed should be a whole number from 0 to 9; got 10\."),
        ("seed", 1.0, ValueError, r"got 1\.0\."),
        ("kept", {}, TypeError, r"kept should be a list of at most 5 runs; got dict\."),
        ("kept", [START] * 6, ValueError, r"at most 5 runs; got 6 of them\."),
        ("kept", [{"peak": 1}], ValueError, r"dictionaries of shape, peak, .*got \{'peak': 1\}\."),
        ("kept", [START | {"peak": 0}], ValueError, r"peak should be a number .*got 0\."),
    ],
)
def test_wrong_settings_are_refused_and_change_nothing(composer, trait, value, error, message):
    assert_refused(composer, trait, value, message, error)
    with pytest.raises(error, match=message):
        ScheduleComposer(IMAGES, LABELS, FEW, FEW_LABELS, **{trait: value})


def test_slider_of_the_page_reaches_the_limits(composer):
    for peak in (PEAKS[0], PEAKS[-1]):
        assert composer.outcome(START | {"peak": peak})
    assert (PEAKS[0], PEAKS[-1]) == (0.01, 4.0)


def test_picture_shows_schedule_and_losses_of_every_run(composer):
    figure = composer.static_figure()
    top, bottom = figure.axes
    runs = [*composer.kept, composer.run()]  # the present run is drawn last, on top
    for line, run in zip(top.lines, runs, strict=True):
        wanted = torch_rates(run["shape"], run["peak"], run["warmup"])
        np.testing.assert_allclose(line.get_ydata(), wanted, rtol=0, atol=1e-12)
    losses = composer.outcomes[0]["losses"]
    drawn = [line.get_ydata() for line in bottom.lines]
    assert any(len(data) == 300 and list(data) == losses for data in drawn)
    assert any(data[-1] == pytest.approx(np.mean(losses[-20:])) for data in drawn)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    assert len(static_html(composer)) < 400_000


def test_description_holds_the_numbers(composer):
    text, outcome = composer.alt_text(), composer.outcomes[0]
    assert len(text.split()) >= 8
    assert f"training loss {outcome['training']:.3f}" in text
    assert f"validation accuracy {100 * outcome['accuracy']:.1f} %." in text
    assert re.search(r"Constant, peak\s0\.1, warm-up\s0\s%, start\s1", text)
    assert "hardly" not in text


def test_description_names_a_run_that_learns_nothing():
    blank = torch.zeros_like(IMAGES)
    composer = ScheduleComposer(blank, LABELS, FEW, FEW_LABELS, peak=0.01)
    assert composer.outcome()["training"] > 2.25
    assert "hardly better than guessing" in composer.alt_text()
