"""`ModernGPT`: the classic GPT with its switches off, and what each switch must keep.

python -m pytest tests/test_modern.py
"""

import dataclasses

import pytest
import torch
from torch.nn.functional import rms_norm

from helpers.generation import generate
from helpers.models.modern import ModernGPT, Switches, UnitRMS, attend_back_half, turn
from helpers.models.transformer import GPT, attend_back, rotary_table, rotate

SHAPE = {"context": 17, "hidden_dim": 24, "n_layers": 2, "n_heads": 3}
SWITCHES = [field.name for field in dataclasses.fields(Switches)]
EXACT = [name for name in SWITCHES if name != "half"]


def drawn(model, seed=0):
    """Every parameter at random, so that nothing is hidden by a zero or a one."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) * weight.shape[-1] ** -0.5)
    return model


def some_ids(batch=2, time=17, seed=0):
    return torch.randint(29, (batch, time), generator=torch.Generator().manual_seed(seed))


def test_with_every_switch_off_it_is_the_classic_gpt():
    """The same weight names, and the same logits in float64."""
    classic, modern = drawn(GPT(29, **SHAPE)).double(), ModernGPT(29, **SHAPE).double()
    modern.load_state_dict(classic.state_dict())
    torch.testing.assert_close(modern(some_ids()), classic(some_ids()), rtol=0, atol=1e-12)


def test_with_every_switch_off_it_starts_as_the_classic_gpt():
    """The same draws in the same order: a ladder may start from either."""
    torch.manual_seed(0)
    classic = GPT(29, **SHAPE).state_dict()
    torch.manual_seed(0)
    modern = ModernGPT(29, **SHAPE).state_dict()
    assert list(modern) == list(classic)
    for name, weight in classic.items():
        torch.testing.assert_close(modern[name], weight, rtol=0, atol=0)


@pytest.mark.parametrize("names", [[name] for name in SWITCHES] + [SWITCHES, EXACT])
def test_no_token_sees_a_later_one(names):
    model, ids = drawn(ModernGPT(29, **SHAPE, **dict.fromkeys(names, True))), some_ids()
    changed = ids.clone()
    changed[:, 9:] = (changed[:, 9:] + 1) % 29
    before, after = model(ids), model(changed)
    torch.testing.assert_close(before[:, :9], after[:, :9], rtol=0, atol=0.02)
    assert (before[:, 9] - after[:, 9]).abs().max() > 0.1


@pytest.mark.parametrize("names", [[name] for name in EXACT] + [EXACT])
def test_with_a_cache_the_same_tokens_come(names):
    model = drawn(ModernGPT(29, **SHAPE, **dict.fromkeys(names, True))).double()
    texts = [
        generate(
            model, some_ids(time=3), 40, generator=torch.Generator().manual_seed(1), cached=cached
        )
        for cached in (True, False)
    ]
    assert torch.equal(*texts)


def test_the_norm_is_that_of_torch_and_so_is_its_gradient():
    x = torch.randn(3, 5, 7, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(UnitRMS.apply(x), rms_norm(x, (7,)), rtol=1e-5, atol=0)
    assert torch.autograd.gradcheck(UnitRMS.apply, (x,))


def test_turning_is_rotating_with_neighbours_as_pairs():
    x, (cos, sin) = torch.randn(2, 3, 11, 8), rotary_table(11, 8)
    apart = torch.cat([x[..., ::2], x[..., 1::2]], -1)  # first members, then second ones
    expected = rotate(apart, cos, sin).unflatten(-1, (2, 4)).mT.flatten(-2)
    torch.testing.assert_close(turn(x, torch.complex(cos, sin)), expected)


def test_bfloat16_changes_logits_a_little_and_gradients_arrive_in_float32():
    on = dict.fromkeys(EXACT, True)
    exact, half = drawn(ModernGPT(29, **SHAPE, **on)), ModernGPT(29, **SHAPE, **on, half=True)
    half.load_state_dict(exact.state_dict())
    difference = (exact(some_ids()) - half(some_ids())).abs().max()
    assert 0 < difference < 0.1
    half(some_ids()).square().sum().backward()
    assert all(w.grad.dtype == torch.float32 and w.grad.any() for w in half.parameters())


def test_with_zero_init_all_tokens_are_equally_likely_at_first():
    model = ModernGPT(29, **SHAPE, zero_init=True)
    assert not model(some_ids()).any()


def test_an_unknown_switch_is_refused():
    with pytest.raises(TypeError, match="rotory"):
        ModernGPT(29, **SHAPE, rotory=True)


@pytest.mark.parametrize(("n_queries", "n_keys"), [(7, 7), (2, 7), (1, 1)])
def test_attention_by_hand_is_that_of_chapter_10(n_queries, n_keys):
    """In float64, where `half` would round; and a scale that is forgotten is far off."""
    queries = torch.randn(2, 3, n_queries, 8, dtype=torch.float64)
    keys, values = torch.randn(2, 2, 3, n_keys, 8, dtype=torch.float64)
    expected = attend_back(queries, keys, values)
    assert (attend_back_half(queries, keys, values) - expected).abs().max() < 1e-12
    if n_keys > 1:
        assert (attend_back_half(8**0.5 * queries, keys, values) - expected).abs().max() > 1e-3
