"""LadderExplorer in Python: records that it refuses, its verdicts, its picture.

pytest tests/test_ladder_explorer.py
"""

import copy
import math

import numpy as np
import pytest

from helpers.evaluation import record
from helpers.widgets import LadderExplorer
from tests.browser.cases.ladder_explorer import METRICS, NOTES, example, ladder_record, paired
from tests.explorables import assert_refused


def test_differences_are_taken_seed_by_seed():
    """Unpaired, the luck of the seeds would hide the gains: its spread is five times the noise."""
    ladder = example()
    losses = [row["values"]["validation_loss"] for row in ladder.rows]
    for rung in range(1, 6):
        for against, other in (("before", rung - 1), ("first", 0)):
            expected = paired(losses[rung], losses[other])
            assert ladder.difference(rung, against) == pytest.approx(expected, abs=1e-12)
    unpaired = math.sqrt((np.var(losses[1], ddof=1) + np.var(losses[0], ddof=1)) / 5)
    assert ladder.difference(1)[1] < unpaired / 2


def test_verdicts_need_two_standard_errors():
    verdicts = [example().verdict(rung) for rung in range(1, 6)]
    assert verdicts == ["gain", "gain", "worse", "none", "gain"]


def test_direction_follows_the_metric():
    made = ladder_record()
    for row in made["rows"].values():
        row["test_accuracy"] = [1 - loss / 10 for loss in row["validation_loss"]]
    higher = LadderExplorer(made, "test_accuracy")
    lower = LadderExplorer(made, "test_accuracy", better="lower")
    assert (higher.better, lower.better) == ("higher", "lower")
    assert (higher.verdict(1), lower.verdict(1)) == ("gain", "worse")


def test_opens_at_the_largest_gain_of_the_first_loss():
    ladder = LadderExplorer(ladder_record())
    assert (ladder.metric, ladder.shown, ladder.rung, ladder.predict) == (
        "validation_loss", "validation_loss", 2, False,
    )  # fmt: skip
    assert LadderExplorer(ladder_record(), rung=0).rung == 0
    assert LadderExplorer(ladder_record(), predict=True).rung == 1  # the largest gain is no hint


def test_metrics_are_those_that_every_row_has():
    made = ladder_record()
    made["rows"]["+ dropout"]["rate"] = [0.1] * 5
    ladder = LadderExplorer(made)
    assert ladder.metrics == {name: name.replace("_", " ") for name in METRICS}
    assert {frozenset(row["values"]) for row in ladder.rows} == {frozenset(METRICS)}
    with pytest.raises(ValueError, match=r"Every row should have rate; the rows have in common: v"):
        LadderExplorer(made, metrics={"rate": "rate"})


@pytest.mark.parametrize("name", ["training_choices", "preprocessing_text", "article_steps"])
def test_any_record_of_the_book_can_be_shown(name):
    ladder = LadderExplorer(record(name))
    assert len(ladder.alt_text().split()) >= 8
    assert len(ladder.static_figure().axes[0].get_yticklabels()) == len(record(name)["rows"])


def test_the_record_itself_is_left_alone():
    made = ladder_record()
    before = copy.deepcopy(made)
    LadderExplorer(made, metrics={"steps": "steps"})
    assert made == before


def broken(change) -> dict:
    made = ladder_record()
    change(made)
    return made


def set_losses(value):
    return lambda made: made["rows"]["classic"].update(validation_loss=value)


def set_row(value):
    return lambda made: made["rows"].update(classic=value)


@pytest.mark.parametrize(
    ("made", "error", "message"),
    [
        ([1, 2], TypeError, r"record should be a dictionary with rows and seeds.*; got list\."),
        ({"seeds": [0, 1]}, TypeError, r"got dict\."),
        (broken(lambda m: m.pop("seeds")), ValueError, r"at least two seeds; got None\."),
        (ladder_record(1), ValueError, r"at least two seeds; got \[0\]\."),
        (broken(lambda m: m["rows"].clear()), ValueError, r"at least two rows; got 0\."),
        (broken(set_losses([1.0] * 4)), ValueError, r"'validation_loss' of row 'classic' should b"),
        (broken(set_losses(1.0)), ValueError, r"5 finite numbers, one for each seed; got 1\.0\."),
        (broken(set_losses([math.nan] * 5)), ValueError, r"finite numbers.*got \[nan"),
        (broken(set_row(None)), TypeError, r"Row 'classic' should be a dictionary .*; got None\."),
        (broken(set_losses(["1"] * 5)), ValueError, r"finite numbers.*got \['1'"),
        (broken(set_losses([True] * 5)), ValueError, r"finite numbers.*got \[True"),
    ],
)
def test_what_is_no_ladder_is_refused(made, error, message):
    with pytest.raises(error, match=message):
        LadderExplorer(made)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"metric": "loss"},
            r"metric should be one of 'validation_loss', .*; got 'loss'\.",
        ),
        ({"metrics": {}}, r"metrics should be a dictionary from metric to its name; got \{\}\."),
        ({"metrics": ["steps"]}, r"metrics should be a dictionary .*got \['steps'\]\."),
        ({"notes": {"+ wings": "No."}}, r"notes should have labels .*classic, .*got \+ wings\."),
        ({"better": "up"}, r"better should be one of 'lower', 'higher'; got 'up'\."),
        ({"rung": 6}, r"rung should be a whole number from 0 to 5; got 6\."),
        ({"rung": True}, r"rung .*got True\."),
    ],
)
def test_wrong_arguments_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        LadderExplorer(ladder_record(), **given)


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("shown", "loss", r"shown should be one of 'validation_loss', .*got 'loss'\."),
        ("against", "last", r"against should be one of 'before', 'first'; got 'last'\."),
        ("guesses", ["gain"], r"guesses should be 6 of 'gain', 'none' or '',.*got \['gain'\]\."),
        ("guesses", ["yes"] * 6, r"guesses should be 6 of"),
    ],
)
def test_wrong_traits_are_refused_and_change_nothing(trait, value, message):
    assert_refused(example(), trait, value, message)


def test_predict_is_true_or_false():
    with pytest.raises(ValueError, match=r"predict should be True or False; got 'yes'\."):
        LadderExplorer(ladder_record(), predict="yes")


def test_picture_shows_every_seed_of_the_shown_metric():
    ladder = example()
    ladder.shown = "steps"
    ax = ladder.static_figure().axes[0]
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    for line, row in zip(dots, ladder.rows, strict=True):
        assert list(line.get_xdata()) == row["values"]["steps"]
    assert [text.get_text() for text in ax.get_yticklabels()] == [r["label"] for r in ladder.rows]


def test_description_holds_the_numbers():
    ladder = example()
    text, (mean, error) = ladder.alt_text(), ladder.difference(2)
    first = np.mean(ladder.rows[0]["values"]["validation_loss"])
    assert f"validation loss goes from {first:.4f} (“classic”) to" in text
    assert "3 of 5 changes gain more than two standard errors" in text
    assert f"“+ rotary positions”: Against “+ warm-up”: −{-mean:.4f} ± {error:.4f}" in text
    ladder.rung = 0
    assert "The ladder starts here." in ladder.alt_text()
    assert ladder.notes == NOTES
