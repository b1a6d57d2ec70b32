"""OptimizerRace in Python: what the race shows at load, the answers of its questions, bad input.

pytest tests/test_optimizer_race.py
"""

import io
import math
import re

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from helpers.widgets import OptimizerRace, static_html
from helpers.widgets._surfaces import (
    BEND,
    FINISH,
    HEIGHT,
    KAPPA,
    LEVELS,
    LIMIT,
    RULES,
    STARTS,
    STEPS,
    WIDTH,
    arrival,
    path,
    surface_value,
)
from helpers.widgets.optimizer_race import LOOKS
from tests.explorables import assert_refused

MINIMA = {"valley": [[0, 0]], "rotated": [[0, 0]], "bend": [[1, 0.5]], "saddle": [[0, 1], [0, -1]]}


def arrivals(**given) -> dict:
    return OptimizerRace(**{"rules": list(RULES)} | given).arrivals()


def test_at_load_momentum_arrives_several_times_sooner_than_sgd_at_its_largest_rate():
    """The rate is the largest of the slider with which plain SGD arrives on the valley."""
    race = OptimizerRace()
    (sgd, _), (momentum, _) = race.arrivals()["sgd"], race.arrivals()["momentum"]
    assert (sgd, momentum) == (100, 26)
    assert arrivals(lr=0.04)["sgd"] == (None, None)
    assert race.step >= momentum  # at load momentum is seen to have arrived, SGD is not
    assert race.values()["momentum"][race.step] < FINISH < race.values()["sgd"][race.step] / 100


def test_sgd_diverges_above_two_divided_by_the_curvature():
    """At 2/κ it jumps from wall to wall for ever; Nesterov's limit is lower, momentum's higher."""
    assert 2 / KAPPA == 0.04
    assert arrivals(lr=0.038)["sgd"][0] is not None
    across = OptimizerRace(lr=0.04).paths()["sgd"][:, 1]
    torch.testing.assert_close(across.abs(), torch.full_like(across, 0.6), rtol=0, atol=1e-12)
    assert arrivals(lr=0.045)["sgd"] == (None, 27)
    for beta in (0.3, 0.7, 0.9):
        limits = {"momentum": 2 * (1 + beta), "nesterov": 2 * (1 + beta) / (1 + 2 * beta)}
        for rule, limit in limits.items():
            below, above = (
                path(rule, "valley", (0.0, 0.6), factor * limit / KAPPA, beta)
                for factor in (0.98, 1.02)
            )
            assert below[-1, 1].abs() < 0.3 * below[0, 1].abs()
            assert above[-1, 1].abs() > 3 * above[0, 1].abs()


def test_turning_the_valley_turns_the_paths_of_sgd_and_slows_adam_down():
    valley, turned = (OptimizerRace(s, rules=list(RULES)) for s in ("valley", "rotated"))
    turn = math.sqrt(0.5) * torch.tensor([[1.0, 1.0], [-1.0, 1.0]], dtype=torch.float64)
    for rule in ("sgd", "momentum"):
        expected = valley.paths()[rule] @ turn
        torch.testing.assert_close(turned.paths()[rule], expected, rtol=0, atol=1e-9)
    for rule in ("sgd", "momentum", "nesterov"):
        assert turned.arrivals()[rule] == valley.arrivals()[rule]
    assert [valley.arrivals()[r][0] for r in ("rmsprop", "adam", "adamw")] == [26, 95, 93]
    assert [turned.arrivals()[r][0] for r in ("rmsprop", "adam", "adamw")] == [151, None, None]


def test_a_lower_rate_asks_for_more_momentum():
    """At rate 0.01 plain SGD needs more than 200 steps; β 0.83 needs 47, and 0.9 needs 86."""
    steps = {}
    for percent in range(100):
        race = OptimizerRace(lr=0.01, momentum=percent / 100, rules=["momentum"])
        steps[percent] = race.arrivals()["momentum"][0] or STEPS + 1
    assert steps[0] == STEPS + 1
    assert min(steps, key=steps.get) == 83
    assert (steps[83], steps[90], steps[95]) == (47, 86, 177)


def test_nothing_leaves_the_ridge_of_the_saddle():
    """With w2 = 0 that slope is 0 for ever; a hair beside the ridge, every rule comes down."""
    assert set(arrivals(surface="saddle", start=(-1.6, 0)).values()) == {(None, None)}
    ends = OptimizerRace("saddle", start=(-1.6, 0), rules=list(RULES)).values()
    assert ends["sgd"][-1] == pytest.approx(0.5)
    assert all(settled for settled, _ in arrivals(surface="saddle").values())


def test_decay_keeps_adamw_away_from_the_minimum_of_the_ravine():
    """At rate 0.5 it stands still beside it: its decay, too, is multiplied by the rate."""
    race = OptimizerRace("bend", lr=0.5, rules=["adam", "adamw"])
    assert race.arrivals() == {"adam": (113, None), "adamw": (None, None)}
    last = race.values()["adamw"][-40:]
    assert last.min() > FINISH
    assert last.max() < 3 * FINISH


@pytest.mark.parametrize("surface", STARTS)
def test_surface_is_lowest_at_its_minima(surface):
    w = torch.tensor(MINIMA[surface], dtype=torch.float64, requires_grad=True)
    f = surface_value(surface, w)
    f.sum().backward()
    assert f.detach().abs().max() < 1e-15
    assert w.grad.abs().max() < 1e-15
    generator = torch.Generator().manual_seed(0)
    around = torch.rand(1000, 2, generator=generator, dtype=torch.float64) * 4 - 2
    assert surface_value(surface, around).min() > 0
    assert abs(STARTS[surface][0]) <= WIDTH
    assert abs(STARTS[surface][1]) <= HEIGHT


def test_formulas_say_what_is_computed():
    """Each formula of the strings, evaluated by Python, is the surface."""
    w1, w2 = 0.7, -1.2
    values = {"w1": w1, "w2": w2, "u": (w1 + w2) / math.sqrt(2), "v": (w2 - w1) / math.sqrt(2)}
    for surface in STARTS:
        formula = OptimizerRace.STRINGS[f"formula_{surface}"].split(" = ")[1].split(", ")[0]
        for sign, code in {"²": "**2", "⁴": "**4", "·": "*", "−": "-"}.items():
            formula = formula.replace(sign, code)
        expected = surface_value(surface, torch.tensor([w1, w2], dtype=torch.float64))
        assert eval(formula, values) == pytest.approx(expected.item())
    assert f"{KAPPA}·w2²" in OptimizerRace.STRINGS["formula_valley"]
    assert f"{BEND}·(" in OptimizerRace.STRINGS["formula_bend"]
    assert ", ".join(f"{level:g}" for level in LEVELS) in OptimizerRace.STRINGS["hint"]


def test_numbers_of_both_languages_are_the_same():
    esm, css = OptimizerRace._esm, OptimizerRace._css
    for name, value in {"STEPS": STEPS, "WIDTH": WIDTH, "HEIGHT": HEIGHT, "LIMIT": LIMIT}.items():
        assert float(re.search(rf"\b{name} = ([\d.e]+)", esm)[1]) == value
    colours = dict(re.findall(r'data-rule="(\w+)"\] \{ --lm-rule: (#\w+)', css))
    assert colours == {rule: to_hex(look[0]) for rule, look in LOOKS.items()}
    assert len(set(colours.values())) == len({look[2] for look in LOOKS.values()}) == len(RULES)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 1e-4, 1e-5], (1, None)),
        ([1, 1e-4, 1, 1e-4], (3, None)),  # passing by is no arrival
        ([1, 1e-4, FINISH], (None, None)),
        ([1e-4, 1e-4], (0, None)),
        ([1, LIMIT, 1e-4], (2, None)),
        ([1, 2 * LIMIT, 1e-4], (None, 1)),
        ([1, math.inf, 0], (None, 1)),
        ([1, 1, math.nan], (None, 2)),
    ],
)
def test_arrival_and_divergence(values, expected):
    assert arrival(torch.tensor(values, dtype=torch.float64)) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lr": 0}, r"^lr should be a number from 0\.001 to 1; got 0\.$"),
        ({"lr": -0.1}, r"lr should be .* got -0\.1"),
        ({"lr": float("nan")}, "lr should be a number .* got nan"),
        ({"lr": float("inf")}, "got inf"),
        ({"lr": 1.01}, r"got 1\.01"),
        ({"lr": "0.1"}, "lr should be a number .* got '0.1'"),
        ({"lr": True}, "got True"),
        ({"lr": None}, "got None"),
        ({"momentum": 1}, r"momentum should be a number from 0 to 0\.99; got 1\."),
        ({"momentum": -0.1}, r"got -0\.1"),
        ({"momentum": float("nan")}, "got nan"),
        ({"surface": "hill"}, "surface should be one of 'valley', 'rotated', .*; got 'hill'"),
        ({"surface": None}, "surface should be one of .* got None"),
        ({"rules": "sgd"}, "rules should be a list of names of rules; got 'sgd'"),
        ({"rules": ["muon"]}, "each of rules should be one of 'sgd', .*; got 'muon'"),
        ({"step": 201}, "step should be a whole number from 0 to 200; got 201"),
        ({"step": 1.0}, r"got 1\.0"),
        ({"step": True}, "got True"),
        ({"start": (0, 2)}, r"w2 of start should be a number from −1\.5 to 1\.5; got 2"),
        ({"start": (float("nan"), 0)}, "w1 of start should be .* got nan"),
        ({"start": 1}, r"start should be None or two numbers \(w1, w2\); got 1"),
        ({"start": (1, 2, 3)}, r"got \(1, 2, 3\)"),
    ],
)
def test_wrong_settings_are_refused_and_change_nothing(given, message):
    with pytest.raises(ValueError, match=message):
        OptimizerRace(**given)
    assert_refused(OptimizerRace(), *next(iter(given.items())), message)


def test_given_state_is_kept():
    race = OptimizerRace(
        "bend", lr=np.float32(0.5), momentum=0, rules=("adam", "sgd"), step=7, start=(1, -1.5)
    )
    assert (race.surface, race.lr, race.momentum, race.step) == ("bend", 0.5, 0, 7)
    assert (race.rules, race.start) == (["sgd", "adam"], [1, -1.5])


def test_picture_says_what_it_shows():
    race = OptimizerRace(rules=["sgd", "momentum", "nesterov", "adam"])
    words = (
        "Lowest f after 30 steps: Momentum, 2.8·10⁻⁴. "
        "Below 0.001 for good, from step: Momentum 26, Adam 95, SGD 100. "
        "Diverged, f above a million, at step: Nesterov 11."
    )
    assert race.alt_text().endswith(words)
    left, right = race.static_figure().axes
    lengths = [len(line.get_xdata()) for line in left.lines]
    assert lengths == [31, 31, 11, 31, 1]  # the last one is the start
    assert [text.get_text() for text in right.get_legend().get_texts()] == [
        "SGD",
        "Momentum",
        "Nesterov",
        "Adam",
    ]


def test_rules_that_share_the_lead_are_named_together():
    race = OptimizerRace(momentum=0, rules=["sgd", "momentum", "nesterov"])
    assert "Lowest f after 30 steps: SGD, Momentum, Nesterov, 0.16." in race.alt_text()


@pytest.mark.parametrize("given", [{"rules": []}, {"lr": 1.0, "rules": ["sgd"]}, {"step": 0}])
def test_edges_are_drawn(given):
    """Nobody races; everybody has diverged; nobody has moved yet."""
    race = OptimizerRace(**given)
    race.static_figure().savefig(io.BytesIO())
    assert len(static_html(race)) < 400_000
    assert ("No rule takes part" in race.alt_text()) == (given.get("rules") == [])
    assert ("Lowest f" in race.alt_text()) == ("step" in given)
