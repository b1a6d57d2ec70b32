"""DiagnosisGame in Python: bad input, order of play, score, axis of losses, the still picture.

pytest tests/test_diagnosis_game.py
"""

import copy
import io
import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.widgets import DiagnosisGame, static_html
from helpers.widgets._diagnosis import loss_axis, nice_ticks, outcome, score, shuffled_order
from tests.browser.cases.diagnosis_game import HEALTHY, example, synthetic_runs
from tests.explorables import assert_refused

NAN, INF = math.nan, math.inf


def changed(number: int = 1, **values) -> list[dict]:
    """The synthetic runs with one of them changed; None takes a key away."""
    runs = synthetic_runs()
    runs[number] = {k: v for k, v in (runs[number] | values).items() if v is not None}
    return runs


@pytest.mark.parametrize(
    ("runs", "error", "message"),
    [
        ("runs", TypeError, "runs should be a list of at least 3 dictionaries; got str"),
        (None, TypeError, "got NoneType"),
        (synthetic_runs()[:2], ValueError, "at least 3 dictionaries; got 2 of them"),
        ([1, 2, 3], TypeError, r"runs\[0\] should be a dictionary; got int"),
        (changed(steps=None), ValueError, r"runs\[1\] should have the keys .*; steps is missing"),
        (changed(loss=[1]), ValueError, "; loss is unknown"),
        (changed(cause=""), ValueError, r"cause of runs\[1\] should be a text; got ''"),
        (changed(explanation=3), ValueError, "explanation .* should be a text; got 3"),
        (changed(cause="labels shuffled"), ValueError, "causes; got 'labels shuffled' twice"),
        (changed(steps=[1, 2]), ValueError, "equal lengths; got steps 2, train_loss 21, "),
        (changed(train_loss=[1.0]), ValueError, r"at least 2 numbers; got shape \(1,\)"),
        (changed(train_loss=[[1.0, 2.0]]), ValueError, r"got shape \(1, 2\)"),
        (changed(train_loss=["high", 2.0]), ValueError, "list of numbers; got"),
        (changed(steps=list(range(20, -1, -1))), ValueError, "steps .* finite and increase; got"),
        (changed(steps=[*range(20), INF]), ValueError, "steps .* finite and increase; got"),
        (changed(validation_accuracy=[0.5] * 20 + [1.01]), ValueError, "0 to 1; got 1.01"),
        (changed(validation_accuracy=[NAN] * 21), ValueError, "accuracy .* 0 to 1; got nan"),
        (changed(instruments={"first loss": "1"}), ValueError, r"got \['first loss'\] in runs\[1"),
        (
            changed(instruments={"units at zero": "1", "first loss": "2"}),
            ValueError,
            r"same instruments in the same order, \['first loss', 'units at zero'\]; got",
        ),
        (changed(instruments={"first loss": 2.3}), ValueError, "should be a text; got 2.3"),
        (changed(instruments=["first loss"]), ValueError, "dictionary from text to text; got"),
        (changed(tell_apart={"rain": "No."}), ValueError, "causes of other runs; got 'rain'"),
        (changed(tell_apart={"learning rate too high": "No."}), ValueError, "other runs; got 'lea"),
    ],
)
def test_wrong_runs_are_refused_in_one_sentence(runs, error, message):
    with pytest.raises(error, match=message) as caught:
        DiagnosisGame(runs)
    assert str(caught.value).count(". ") == 0
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("order", [0, 1, 2, 3], r"order should hold each number from 0 to 4 once; got \[0, 1"),
        ("order", [0, 1, 2, 3, 3], "order should hold"),
        ("order", [0, 1, 2, 3, 4.0], "order should hold"),
        ("order", "01234", "order should hold"),
        ("seed", -1, "seed should be a whole number from 0 to 4294967295; got -1"),
        ("seed", 2**32, "got 4294967296"),
        ("seed", None, "got None"),
        ("place", 6, "place should be a whole number from 0 to 5; got 6"),
        ("place", True, "got True"),
        ("choice", 5, "choice should be a whole number from 0 to 4, or None; got 5"),
        ("chance", 1.5, "chance should be a number from 0 to 1; got 1.5"),
        ("chance", NAN, "got nan"),
        ("healthy", None, "healthy should be a text; got None"),
        ("compare", 1, "compare should be True or False; got 1"),
        ("answers", [[]] * 4, "answers should be 5 lists, one for each run; got"),
        ("answers", [[], [], [], [], 3], "answers should be 5 lists"),
        ("answers", [[5], [], [], [], []], r"answers should be .* from 0 to 4; got \[5\]"),
        ("answers", [[None, 1], [], [], [], []], r"got \[None, 1\]"),
        ("measured", [[2], [], [], [], []], "measured should be .* from 0 to 1; got"),
        ("measured", [[None], [], [], [], []], r"got \[None\]"),
    ],
)
def test_wrong_traits_are_refused_and_change_nothing(trait, value, message):
    assert_refused(example(), trait, value, message)


@pytest.mark.parametrize("name", ["order", "seed", "chance", "healthy"])
def test_constructor_checks_its_settings(name):
    with pytest.raises(ValueError, match=rf"^{name} should "):
        DiagnosisGame(synthetic_runs(), **{name: -1})


def test_losses_without_a_number_become_none_and_keep_their_place():
    loss = torch.tensor([2.30258509, 1e5, NAN, INF, -INF] + [1.0] * 16)
    game = DiagnosisGame(changed(train_loss=loss))
    assert game.runs[1]["train_loss"] == [2.30259, 1e5, None, None, None, *[1.0] * 16]


def test_later_changes_of_the_given_runs_change_nothing():
    runs = synthetic_runs()
    game = DiagnosisGame(runs)
    before = copy.deepcopy(game.runs)
    runs[0]["train_loss"][0], runs[0]["cause"] = 9.0, "another"
    assert game.runs == before


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_order_holds_every_run_once(seed, count):
    assert sorted(shuffled_order(seed, count)) == list(range(count))


def test_every_order_comes_equally_often():
    """24 orders of 4 in 24,000 consecutive seeds: 1,000 each, standard deviation 31."""
    counts = Counter(tuple(shuffled_order(seed, 4)) for seed in range(24_000))
    assert len(counts) == 24
    assert all(abs(count - 1000) < 5 * 31 for count in counts.values())


def test_generator_is_mulberry32():
    """Its first number for seed 0, as a fraction of 2³², is known: 0.26642920868471265."""
    found = [shuffled_order(0, count)[-1] for count in (2, 10, 1000, 100_000)]
    assert found == [0, 2, 266, 26642]


def test_runs_are_played_in_the_given_order_or_that_of_the_seed():
    runs = synthetic_runs()
    given_ = DiagnosisGame(runs, order=(4, 0, 3, 1, 2))
    assert [run["cause"] for run in given_.played()] == [runs[i]["cause"] for i in (4, 0, 3, 1, 2)]
    seeded = DiagnosisGame(runs, seed=7)
    order = shuffled_order(7, 5)
    assert [run["cause"] for run in seeded.played()] == [runs[i]["cause"] for i in order]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([], "open"),
        ([1], "open"),
        ([2], "first"),
        ([1, 2], "later"),
        ([None], "shown"),
        ([1, None], "shown"),
    ],
)
def test_outcome_of_a_run(answers, expected):
    assert outcome(2, answers) == expected


def test_score_counts_what_was_played():
    game = example()
    assert game.score() == {"first": 0, "later": 0, "shown": 0, "open": 5, "measurements": 0}
    game.answers, game.measured = [[0], [0, 1], [4, None], [4], []], [[0, 1], [], [1], [], []]
    assert game.score() == {"first": 1, "later": 1, "shown": 1, "open": 2, "measurements": 3}
    assert score([[0]], [[]])["first"] == 1


@settings(max_examples=100)
@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 8))
def test_ticks_are_round_evenly_spaced_and_just_enough(low, length, count):
    ticks = np.array(nice_ticks(low, low + length, count))
    steps = np.diff(ticks)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-6, atol=1e-6)
    digit = steps[0] / 10.0 ** math.floor(math.log10(steps[0] * (1 + 1e-6)))
    assert min(abs(digit - nice) for nice in (1, 2, 5)) < 1e-3
    slack = 1e-6 * (steps[0] + abs(low))
    assert ticks[0] <= low + slack < ticks[1] + 2 * slack
    assert ticks[-2] - 2 * slack < low + length - slack <= ticks[-1]
    assert len(ticks) <= count + 2


@pytest.mark.parametrize(
    ("losses", "kind", "low", "high"),
    [
        ([2.3, 1.0, 0.4], "linear", 0, 2.5),
        ([2.3, 1e5, 0.4, None], "log", 0.1, 1e5),
        ([80.0, 2.3, 0.9, 0.8], "log", 0.1, 100),
        ([2.3] * 9 + [1e30], "log", 1, 1e6),  # what lies beyond is drawn on the edge
        ([0.0, 0.0, 1.0, 2.0, 1e5], "linear", 0, 30),
        ([-0.9, -0.5, -0.1], "linear", -1, 0),
        ([None, None], "linear", 0, 1),
        ([0.0, 0.0], "linear", 0, 1),
    ],
)
def test_no_loss_hides_the_others(losses, kind, low, high):
    axis = loss_axis(losses)
    assert (axis["kind"], axis["low"], axis["high"]) == (kind, low, high)
    assert (axis["ticks"][0], axis["ticks"][-1]) == (low, high)


def test_picture_and_description_hold_letters_and_no_cause():
    game = example()
    figure = game.static_figure()
    letters = [ax.get_title(loc="left") for ax in figure.axes if ax.get_title(loc="left")]
    assert letters == ["A", "B", "C", "D", "E"]
    figure.savefig(svg := io.StringIO(), format="svg")
    shown = game.alt_text() + static_html(game).split("base64")[0] + svg.getvalue()
    assert "A: training loss" in shown
    for run in game.runs:
        assert run["cause"] not in shown
        assert run["explanation"] not in shown


def test_picture_draws_the_runs_in_the_order_of_play():
    game = DiagnosisGame(synthetic_runs(), order=[2, 1, 0, 3, 4])
    upper = [ax for ax in game.static_figure().axes if ax.get_title(loc="left")]
    for ax, run in zip(upper, game.played(), strict=True):
        training, validation = ax.lines
        expected = np.array(run["validation_loss"], dtype=float)
        np.testing.assert_allclose(validation.get_ydata(), expected)
        assert (
            ax.get_yscale()
            == loss_axis(
                [
                    v
                    for one in (run, game.runs[0])
                    for v in one["train_loss"] + one["validation_loss"]
                ]
            )["kind"]
        )
        assert training.get_linestyle() != validation.get_linestyle()
    texts = [text.get_text() for ax in upper for text in ax.texts]
    assert texts == ["not a number from step 70."]


@pytest.mark.parametrize("count", [3, 7, 30])
def test_picture_of_few_and_many_runs(count):
    runs = [
        synthetic_runs()[i % 5] | {"cause": f"cause {i}", "tell_apart": {}} for i in range(count)
    ]
    game = DiagnosisGame(runs)
    titles = [ax.get_title(loc="left") for ax in game.static_figure().axes]
    last = ["C", "G", "AD"][[3, 7, 30].index(count)]
    assert [title for title in titles if title][-1] == last
    assert HEALTHY not in game.alt_text()
