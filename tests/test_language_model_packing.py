"""A language model on its way to the browser: nothing is lost, bad input is named, numpy is right.

pytest tests/test_language_model_packing.py
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.widgets._language_model import model_traits, unpacked
from tests.language_models import (
    numpy_pass,
    random_play_model,
    rounded_rows,
    torch_model,
    torch_pass,
)


@settings(max_examples=20)
@given(st.integers(0, 2**31), st.floats(1e-6, 1e4))
def test_every_weight_comes_back_to_the_last_digit(seed, size):
    play_model = random_play_model(seed=seed)
    name = "layers.1.mlp.down_proj.weight"
    play_model.weights[name] = rounded_rows(play_model.weights[name] * size)
    play_model.weights[name][2] = 0
    traits = model_traits(play_model)
    back = unpacked(traits["settings"], traits["weights"])
    assert set(back) == set(play_model.weights)
    for name, weight in play_model.weights.items():
        np.testing.assert_array_equal(back[name], weight.double().numpy(), err_msg=name)


@pytest.mark.parametrize("largest", [1, 60, 126, 128])
def test_rows_that_use_few_levels_come_back(largest):
    """Another rounding than ours may leave the level 127 out, or use −128."""
    play_model = random_play_model()
    name = "layers.0.self_attn.k_proj.weight"
    shape = play_model.weights[name].shape
    levels = torch.randint(-largest, largest, shape, generator=torch.Generator().manual_seed(0))
    levels[:, 0] = -largest
    play_model.weights[name] = levels.float() * (torch.rand(shape[0], 1) + 0.01)
    traits = model_traits(play_model)
    back = unpacked(traits["settings"], traits["weights"])[name]
    np.testing.assert_array_equal(back, play_model.weights[name].double().numpy())


@pytest.mark.parametrize(
    "shape",
    [
        {"hidden_dim": 12, "n_layers": 1, "n_heads": 3, "n_kv_heads": 1, "mlp_dim": 20},
        {"hidden_dim": 40, "n_layers": 3, "n_heads": 5, "n_kv_heads": 5, "eps": 1e-3},
        {"hidden_dim": 48, "n_layers": 2, "n_heads": 6, "n_kv_heads": 2, "base": 500.0},
    ],
)
def test_numpy_computes_what_torch_computes(shape):
    play_model = random_play_model(**shape)
    ids = torch.randint(60, (33,), generator=torch.Generator().manual_seed(1)).tolist()
    expected = torch_pass(torch_model(play_model).double(), ids)
    for ours, theirs in zip(numpy_pass(play_model, ids), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10 * theirs.abs().max().item())


WRONG = {
    "no model": (lambda m: m.weights, TypeError, "should have settings, characters and weights"),
    "a size is missing": (
        lambda m: m._replace(settings={k: v for k, v in m.settings.items() if k != "n_heads"}),
        ValueError, "settings should be a dictionary with vocab_size, context, hidden_dim",
    ),
    "an unknown setting": (
        lambda m: m._replace(settings=m.settings | {"bias": True}), ValueError, "perhaps base",
    ),
    "no layers": (
        lambda m: m._replace(settings=m.settings | {"n_layers": 0}),
        ValueError, "n_layers should be a whole number from 1 on; got 0",
    ),
    "heads that do not divide": (
        lambda m: m._replace(settings=m.settings | {"n_heads": 8}),
        ValueError, "got 24, 8 and 2",
    ),
    "a character twice": (
        lambda m: m._replace(characters="aa" + m.characters[2:]),
        ValueError, "characters should be a string of vocab_size = 62 different",
    ),
    "a weight is missing": (
        lambda m: m._replace(weights={k: v for k, v in m.weights.items() if k != "norm.weight"}),
        ValueError, r"weights lack \['norm.weight'\]",
    ),
    "another shape": (
        lambda m: m._replace(weights=m.weights | {"norm.weight": torch.ones(23)}),
        ValueError, r"norm.weight should be float32 of shape \(24,\); got float32 of shape \(23,\)",
    ),
    "float64": (
        lambda m: m._replace(weights=m.weights | {"norm.weight": torch.ones(24).double()}),
        ValueError, "got float64",
    ),
    "nan": (
        lambda m: m._replace(weights=m.weights | {"norm.weight": torch.full((24,), np.nan)}),
        ValueError, "norm.weight should hold finite numbers",
    ),
    "not rounded": (
        lambda m: m._replace(
            weights=m.weights | {"embed_tokens.weight": m.weights["embed_tokens.weight"].sin()}
        ),
        ValueError, "row 0 of embed_tokens.weight is not one float32 factor times whole numbers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_model_is_refused(name):
    change, error, message = WRONG[name]
    with pytest.raises(error, match=message):
        model_traits(change(random_play_model()))
