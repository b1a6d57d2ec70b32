"""The recipes: which weight goes to which optimiser, schedules, budgets, and that they learn.

python -m pytest tests/test_language_recipes.py
"""

import ast
import time
from dataclasses import replace

import pytest
import torch
from torch.optim import Muon

from benchmarks import classic_recipe
from helpers import language_recipes
from helpers.language import window_loss
from helpers.language_recipes import (
    ANYTHING,
    CLASSIC,
    CLASSIC_STEPS,
    PLAIN,
    SHORT,
    classic_schedule,
    hold_then_fall,
    learn,
    of_seconds,
    of_steps,
    optimizers_for,
)
from helpers.optim import warmup_cosine
from helpers.recipes import RECIPES
from tests.notebooks import ROOT, code, read

SMALL = {"n_layers": 2, "n_heads": 2, "hidden_dim": 16}


def small(recipe):
    return replace(recipe, shape=SMALL, context=16, batch_size=4)


@pytest.mark.parametrize("recipe", [CLASSIC, PLAIN, SHORT, ANYTHING])
def test_every_weight_has_exactly_one_optimizer(recipe):
    model = small(recipe).model(29)
    moved = [
        id(w) for o in recipe.optimizers(model) for group in o.param_groups for w in group["params"]
    ]
    assert sorted(moved) == sorted(id(w) for w in model.parameters())


def test_muon_moves_the_products_inside_the_blocks_and_no_table():
    model = small(ANYTHING).model(29)
    muon, adam = optimizers_for(model)
    assert isinstance(muon, Muon)
    names = {id(w): name for name, w in model.named_parameters()}
    moved = {names[id(w)] for w in muon.param_groups[0]["params"]}
    assert moved == {
        f"h.{i}.{part}.weight"
        for i in range(2)
        for part in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
    }
    assert {"wte.weight", "lm_head.weight"} < {names[id(w)] for w in adam.param_groups[0]["params"]}


def test_schedules_are_continuous_and_end_where_they_say():
    shares = torch.linspace(0, 1, 1001).tolist()
    for schedule, start, end in [(classic_schedule, 0.01, 0.1), (hold_then_fall, 1, 0)]:
        factors = torch.tensor([schedule(share) for share in shares])
        assert factors.diff().abs().max() < 0.021  # the warm-up's slope over a thousandth
        assert factors[0] == pytest.approx(start)
        assert factors[-1] == pytest.approx(end)
        assert factors.max() == pytest.approx(1)


def test_the_fast_schedule_holds_for_half_the_run():
    assert [hold_then_fall(share) for share in (0, 0.25, 0.5, 0.75, 1)] == [1, 1, 1, 0.5, 0]
    assert [RECIPES["modern"].schedule(step, 4) for step in range(4)] == [1, 1, 1, 0.5]


def chapters_classic_rate():
    """The function that chapter 13 writes out."""
    [cell] = [
        cell.source
        for cell in code(read(ROOT / "book/13_pretraining.ipynb"))
        if "def classic_rate(" in cell.source
    ]
    [definition] = [
        node for node in ast.parse(cell).body if getattr(node, "name", "") == "classic_rate"
    ]
    names = {"warmup_cosine": warmup_cosine}
    exec(ast.unparse(definition), names)
    return names["classic_rate"]


def test_the_classic_recipe_is_the_same_wherever_it_stands():
    """In the ladder, in the benchmark of its own, on the command line, and in chapter 13."""
    written_out = chapters_classic_rate()
    assert (classic_recipe.CONTEXT, classic_recipe.BATCH_SIZE) == (64, 12)
    assert (CLASSIC.context, CLASSIC.batch_size) == (64, 12)
    for step in range(CLASSIC_STEPS):
        rate = classic_recipe.classic_rate(step)
        assert rate == RECIPES["gpt"].schedule(step, CLASSIC_STEPS)
        # `of_steps` counts the steps done, and so is one behind.
        assert rate == CLASSIC.schedule(of_steps(CLASSIC_STEPS)(step + 1))
        assert abs(rate - written_out(step)) < 1e-3  # its cosine is a step behind
    assert CLASSIC.schedule(0) == classic_recipe.classic_rate(0)


@pytest.mark.parametrize("recipe", [CLASSIC, PLAIN, ANYTHING])
def test_a_recipe_learns_a_repeated_line_by_heart(recipe):
    """Far below the loss of one who knows only how often each character comes."""
    ids = torch.tensor([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 0, 2]).repeat(20)
    torch.manual_seed(0)
    model = small(recipe).model(10)
    faster = {"optimizers": lambda m: language_recipes.classic_optimizers(m, 1e-2)}
    chosen = replace(small(recipe), **(faster if recipe is CLASSIC else {}))
    steps = learn(model, ids, chosen, of_steps(60), generator=torch.Generator().manual_seed(0))
    assert steps == 60
    assert window_loss(model, ids, 16) < 1.1  # of log(10) = 2.3 without any knowledge


def test_a_run_of_seconds_ends_with_them():
    """The clock is ours, so nothing depends on the machine: a step takes a second."""
    seconds = iter(range(100))
    share = of_seconds(10, clock=lambda: next(seconds))
    recipe = small(PLAIN)
    ids = torch.randint(29, (100,))
    generator = torch.Generator().manual_seed(0)
    assert learn(recipe.model(29), ids, recipe, share, generator=generator) == 9


def test_processor_seconds_do_not_pass_in_sleep():
    share = of_seconds(1, clock=time.process_time)
    time.sleep(0.2)
    assert share(0) < 0.1


def test_bfloat16_is_left_out_where_it_is_slow(monkeypatch):
    monkeypatch.setattr(language_recipes, "half_is_faster", lambda: False)
    model = small(PLAIN).model(29)
    assert not any(getattr(part, "half_precision", False) for part in model.modules())
