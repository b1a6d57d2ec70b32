"""Scores are right, bands can fail, and records are shown as they are.

python -m pytest tests/test_evaluation.py
"""

import math
import statistics

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score
from torch import nn
from torch.testing import assert_close

from helpers import evaluation
from helpers.evaluation import accuracy, band, expect, predict, record, show_record, unit_floats

RUNS = [0.90, 0.91, 0.92, 0.91, 0.91]  # band 0.8817 to 0.9383
seeds = st.integers(0, 2**32)


@given(seeds, st.integers(1, 50), st.integers(1, 5))
def test_accuracy_is_that_of_sklearn(seed, n, classes):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, classes, generator=generator)
    labels = torch.randint(classes, (n,), generator=generator)
    wanted = accuracy_score(labels.numpy(), logits.argmax(dim=1).numpy())
    assert accuracy(logits, labels) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(
    ("logits", "labels", "error", "message"),
    [
        (torch.zeros(3), torch.zeros(3).long(), ValueError, r"not \(3,\) and \(3,\)"),
        (torch.zeros(3, 2), torch.zeros(2).long(), ValueError, r"not \(3, 2\) and \(2,\)"),
        (torch.zeros(3, 2), torch.zeros(3, 1).long(), ValueError, r"\(3, 1\)"),
        (torch.zeros(0, 2), torch.zeros(0).long(), ValueError, "n > 0"),
        (torch.zeros(3, 2), torch.zeros(3), TypeError, "not torch.float32"),
        (torch.zeros(3, 2), [0, 0, 0], TypeError, "not Tensor and list"),
        (torch.full((3, 2), math.nan), torch.zeros(3).long(), ValueError, "diverged"),
    ],
)
def test_accuracy_refuses_what_it_cannot_score(logits, labels, error, message):
    """Shapes (n, 1) would broadcast to n × n comparisons: a wrong number, and no error."""
    with pytest.raises(error, match=message):
        accuracy(logits, labels)


def test_unit_floats_maps_0_to_255_onto_0_to_1():
    pixels = torch.arange(256, dtype=torch.uint8)
    assert_close(unit_floats(pixels), torch.linspace(0, 1, 256), atol=1e-7, rtol=0)
    assert unit_floats(torch.rand(3, dtype=torch.float64)).dtype == torch.float32


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (torch.tensor([0.0, 255.0]), ValueError, "these span 0 to 255: divide them by 255"),
        (torch.tensor([-0.1, 1.0]), ValueError, "-0.1 to 1"),
        (torch.tensor([0.5, math.nan]), ValueError, "nan"),
        (torch.tensor([0, 255]), TypeError, "not torch.int64"),
        (np.zeros(3), TypeError, "not ndarray"),
    ],
)
def test_unit_floats_refuses_pixels_on_another_scale(images, error, message):
    with pytest.raises(error, match=message):
        unit_floats(images)


def small_model() -> nn.Module:
    """Dropout tells evaluation mode from training mode."""
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(4, 3))


@pytest.mark.parametrize("training", [True, False])
def test_predict_gives_the_logits_of_evaluation_mode_and_keeps_the_mode(training):
    model, images = small_model(), torch.rand(10, 1, 2, 2)
    wanted = model.eval()(images).detach()
    logits = predict(model.train(training), images, batch_size=3)
    assert_close(logits, wanted)
    assert not logits.requires_grad
    assert model.training == training


def test_predict_divides_whole_pixels_and_refuses_none():
    model = small_model()
    pixels = torch.tensor([0, 51, 102, 255], dtype=torch.uint8).view(1, 1, 2, 2)
    assert_close(predict(model, pixels), predict(model, pixels.float() / 255))
    with pytest.raises(ValueError, match="no image to predict"):
        predict(model, pixels[:0])


@given(st.lists(st.floats(-1e6, 1e6), min_size=5, max_size=9))
def test_a_band_is_the_mean_and_four_sample_deviations(values):
    low, high = band(values)
    assert (low + high) / 2 == pytest.approx(statistics.fmean(values), abs=1e-6)
    assert (high - low) / 8 == pytest.approx(np.std(values, ddof=1), abs=1e-6)


@pytest.mark.parametrize(
    ("values", "message"),
    [([0.1] * 4, "at least 5 measured values, and 4 came"), ([0.1] * 4 + [math.nan], "finite")],
)
def test_a_band_needs_five_finite_values(values, message):
    with pytest.raises(ValueError, match=message):
        band(values)


@pytest.fixture(params=["0", "1"], ids=["reader", "strict"])
def strict(request, monkeypatch) -> bool:
    monkeypatch.setenv("BOOK_STRICT", request.param)
    return request.param == "1"


def test_expect_prints_value_band_and_broken_on_one_line(capsys, strict):
    expect("test accuracy", torch.tensor(0.91), seeds=RUNS, broken=0.1)
    assert capsys.readouterr().out == (
        "test accuracy: 0.91\nexpected 0.8817 to 0.9383 (mean ± 4 sd of 5 runs); "
        "broken it would be 0.1\n"
    )


@pytest.mark.parametrize("value", [0.88, 0.94, 0.1, math.nan])
def test_expect_outside_the_band_raises_only_when_strict(capsys, strict, value):
    if strict:
        with pytest.raises(AssertionError, match=r"test accuracy is .*, outside 0\.8817 to .*hard"):
            expect("test accuracy", value, seeds=RUNS, broken=0.1)
        return
    expect("test accuracy", value, seeds=RUNS, broken=0.1)
    text = capsys.readouterr().out
    assert f"test accuracy: {value:.4g}" in text
    for reason in ("hardware", "threads", "version of torch", "changed setting"):
        assert reason in text


@pytest.mark.parametrize("broken", [0.8818, 0.91, 0.9382, math.nan])
def test_expect_refuses_a_band_that_holds_the_broken_value(strict, broken):
    """Such a band would pass whatever happens."""
    with pytest.raises(ValueError, match="too wide to tell"):
        expect("test accuracy", 0.91, seeds=RUNS, broken=broken)


def test_a_reader_without_the_variable_is_not_stopped(monkeypatch):
    monkeypatch.delenv("BOOK_STRICT", raising=False)
    expect("test accuracy", 0.1, seeds=RUNS, broken=0.2)


def test_an_unknown_record_is_refused_and_the_known_ones_are_listed():
    with pytest.raises(ValueError, match=r"no record 'cnn'; there are: .*article_cnn"):
        record("cnn")
    with pytest.raises(ValueError, match="no record"):
        record("../records/article_cnn")


LOADED = {
    "name": "x",
    "seeds": [0, 1, 2, 3, 4],
    "date": "2026-01-02",
    "machine": "2 cores",
    "versions": {"torch": "2.13.0"},
    "command": "python -m benchmarks.x",
    "rows": {
        "lr < 0.1": {"test_accuracy": [0.5, 0.5, 0.5, 0.5, 0.75], "loss": [1.0, 2, 3, 4, 5]},
        "b": {"test_accuracy": [0.1] * 5, "loss": [0.1] * 5},
    },
}


@pytest.fixture
def loaded(monkeypatch):
    monkeypatch.setattr(evaluation, "record", lambda name: LOADED)


@pytest.mark.usefixtures("loaded")
def test_a_record_is_shown_as_mean_and_deviation_with_its_origin():
    text = repr(show_record("x"))
    assert text.splitlines()[0].split() == ["test", "accuracy", "loss"]
    assert text.splitlines()[1].split("  ") == ["lr < 0.1", "55.00 % ± 11.18", "3 ± 1.6"]
    for origin in ("5 seeds", "2026-01-02", "2 cores", "torch 2.13.0", "python -m benchmarks.x"):
        assert origin in text


def test_a_count_is_written_as_one_and_a_large_number_in_full(monkeypatch):
    """Counts are the same for every seed, so ± 0 says nothing."""
    rows = {"a": {"count": [0.78] * 5, "ratio": [12000.0, 12001, 12002, 12003, 12004]}}
    monkeypatch.setattr(evaluation, "record", lambda name: {**LOADED, "rows": rows})
    assert repr(show_record("x")).splitlines()[1].split() == ["a", "0.78", "12,002", "±", "2"]


@pytest.mark.usefixtures("loaded")
def test_a_record_in_html_says_the_same_and_is_escaped():
    table = show_record("x", {"loss": "loss (nats)"})
    page = table._repr_html_()
    assert '<th scope="row">lr &lt; 0.1</th><td>3 ± 1.6</td>' in page
    assert "loss (nats)" in page
    assert "accuracy" not in page
    assert table.foot in page
    assert 'tabindex="0" role="region" aria-label="Record x"' in page  # it may scroll sideways


@pytest.mark.usefixtures("loaded")
def test_an_unknown_metric_is_refused():
    with pytest.raises(ValueError, match="'x' has no f1; it has test_accuracy, loss"):
        show_record("x", {"f1": "F1"})


@pytest.mark.usefixtures("loaded")
def test_a_group_of_rows_is_shown_without_its_name():
    table = show_record("x", only="lr ")
    assert [row[0] for row in table.body] == ["< 0.1"]
    assert len(show_record("x").body) == 2  # and the record itself stays whole
    rest = show_record("x", without="lr ")
    assert [row[0] for row in rest.body] == [k for k in LOADED["rows"] if k != "lr < 0.1"]
    with pytest.raises(ValueError, match=r"No row .* begins with 'eps'.*lr < 0.1"):
        show_record("x", only="eps")


def test_the_book_s_own_record_can_be_shown():
    assert "article_cnn" in repr(show_record("article_cnn"))
