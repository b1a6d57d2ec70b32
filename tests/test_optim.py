"""Optimisers and schedules by hand are torch's, and their usual mistakes are not.

python -m pytest tests/test_optim.py
"""

import io
import math
import re
from functools import partial

import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st
from torch import nn
from torch.optim import lr_scheduler

from helpers import optim

# ours, torch's, and the settings of both
RULES = {
    "SGD": (optim.SGD, torch.optim.SGD, {"lr": 0.02}),
    "momentum": (optim.SGD, torch.optim.SGD, {"lr": 0.01, "momentum": 0.9}),
    "Nesterov": (optim.SGD, torch.optim.SGD, {"lr": 0.01, "momentum": 0.9, "nesterov": True}),
    "RMSProp": (optim.RMSProp, torch.optim.RMSprop, {"lr": 0.01}),
    "Adam": (optim.Adam, torch.optim.Adam, {"lr": 0.03, "betas": (0.8, 0.99)}),
    "AdamW": (optim.AdamW, torch.optim.AdamW, {"lr": 0.03, "weight_decay": 0.2}),
    "Muon": (optim.Muon, torch.optim.Muon, {"lr": 0.02}),
}
EXACT = [name for name in RULES if name != "Muon"]
ANY_SHAPE = ((), (3,), (2, 5), (2, 3, 2, 2))
MATRICES = ((4, 4), (3, 8), (8, 3), (1, 6))  # square, wide, tall, one row


def start(shapes) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(1)
    return [
        nn.Parameter(torch.randn(shape, generator=generator, dtype=torch.float64))
        for shape in shapes
    ]


def loss_of(ws, step: int) -> torch.Tensor:
    """Curved, of other steepness for each entry, and other in every step."""
    total = torch.zeros((), dtype=torch.float64)
    for i, w in enumerate(ws):
        if i == 1 and step % 3 == 0:
            continue  # a weight that has no gradient in every third step
        steepness = torch.linspace(0.5, 2, w.numel(), dtype=torch.float64).view(w.shape)
        # The last weight's gradients are so small that eps counts.
        scale = 1e-7 if i == len(ws) - 1 else 1
        total = total + scale * ((steepness * w**2).sum() + (3 * w + step).sin().sum())
    return total


def groups(ws) -> list[dict]:
    """Two groups, the second with a rate of its own."""
    return [{"params": ws[:2]}, {"params": ws[2:], "lr": 0.005}]


def scheduled(optimizer):
    return lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / 10) * 0.99**step)


def walk(rule, shapes=ANY_SHAPE, steps=100) -> torch.Tensor:
    """Every weight after every step, (steps, weights)."""
    ws = start(shapes)
    unused = nn.Parameter(torch.ones(2, 2, dtype=torch.float64))
    optimizer = rule([*groups(ws), {"params": [unused]}])
    scheduler = scheduled(optimizer)
    seen = []
    for step in range(steps):
        optimizer.zero_grad()
        loss_of(ws, step).backward()
        optimizer.step()
        scheduler.step()
        seen.append(torch.cat([w.detach().flatten() for w in ws]))
    assert torch.equal(unused, torch.ones(2, 2, dtype=torch.float64))
    return torch.stack(seen)


def gap(ours, theirs, shapes=ANY_SHAPE) -> float:
    return (walk(ours, shapes) - walk(theirs, shapes)).abs().max().item()


@pytest.mark.parametrize("name", EXACT)
def test_an_optimiser_is_torchs_over_100_steps(name):
    """Scalars to 4 dimensions, a weight without gradient, two rates, a schedule; in float64."""
    ours, theirs, setting = RULES[name]
    assert gap(partial(ours, **setting), partial(theirs, **setting)) < 1e-12


def test_muon_is_torchs_in_the_same_precision():
    """Square, wide and tall; the sums are in bfloat16, all else in float64."""
    ours, theirs, setting = RULES["Muon"]
    assert gap(partial(ours, **setting), partial(theirs, **setting), MATRICES) < 1e-12


@pytest.mark.parametrize("name", EXACT)
def test_groups_with_settings_of_their_own_are_torchs(name):
    ours, theirs, setting = RULES[name]
    other = {"momentum": 0.5} if "momentum" in setting else {"lr": 0.001}
    other |= {"eps": 1e-2} if name in ("RMSProp", "Adam") else {}
    other |= {"weight_decay": 0.5} if name == "AdamW" else {}
    ends = []
    for rule in (ours, theirs):
        ws = start(ANY_SHAPE)
        optimizer = rule([{"params": ws[:2], **other}, {"params": ws[2:]}], **setting)
        for step in range(20):
            optimizer.zero_grad()
            loss_of(ws, step).backward()
            optimizer.step()
        ends.append(torch.cat([w.detach().flatten() for w in ws]))
    assert (ends[0] - ends[1]).abs().max() < 1e-12


class NoBiasCorrection(optim.Adam):
    def update(self, w, g, state, lr, betas, eps):
        m = betas[0] * state.get("m", torch.zeros_like(w)) + (1 - betas[0]) * g
        s = betas[1] * state.get("s", torch.zeros_like(w)) + (1 - betas[1]) * g**2
        w -= lr * m / (s.sqrt() + eps)
        state.update(m=m, s=s)


class EpsInsideTheRoot(optim.RMSProp):
    def update(self, w, g, state, lr, alpha, eps):
        s = alpha * state.get("s", torch.zeros_like(w)) + (1 - alpha) * g**2
        w -= lr * g / (s + eps).sqrt()
        state["s"] = s


class CoupledDecay(optim.AdamW):
    def update(self, w, g, state, weight_decay, **settings):
        optim.Adam.update(self, w, g + weight_decay * w, state, **settings)


class NoLookAhead(optim.SGD):
    def update(self, w, g, state, lr, momentum, nesterov):
        super().update(w, g, state, lr, momentum, nesterov=False)


class MuonWithoutLookAhead(optim.Muon):
    def update(self, w, g, state, lr, momentum, weight_decay):
        m = momentum * state.get("m", torch.zeros_like(w)) + (1 - momentum) * g
        w *= 1 - lr * weight_decay
        w -= lr * math.sqrt(max(1, w.shape[0] / w.shape[1])) * optim.orthogonalize(m)
        state["m"] = m


@pytest.mark.parametrize(
    ("name", "wrong", "shapes"),
    [
        ("Adam", NoBiasCorrection, ANY_SHAPE),
        ("RMSProp", EpsInsideTheRoot, ANY_SHAPE),
        ("AdamW", CoupledDecay, ANY_SHAPE),
        ("Nesterov", NoLookAhead, ANY_SHAPE),
        ("Muon", MuonWithoutLookAhead, MATRICES),
    ],
)
def test_a_usual_mistake_is_far_from_torch(name, wrong, shapes):
    """A hundredth, beside the 1e-12 of the right rule."""
    _, theirs, setting = RULES[name]
    assert gap(partial(wrong, **setting), partial(theirs, **setting), shapes) > 1e-2


@pytest.mark.parametrize("name", RULES)
def test_the_state_survives_a_file_bit_for_bit(name):
    """Twenty steps, or twelve, a file, another optimiser of other settings, and eight."""
    rule, _, setting = RULES[name]
    shapes = MATRICES if name == "Muon" else ANY_SHAPE
    ws = start(shapes)
    optimizer = rule(groups(ws), **setting)
    scheduler = scheduled(optimizer)
    for step in range(20):
        if step == 12:
            file = io.BytesIO()
            torch.save([optimizer.state_dict(), scheduler.state_dict(), ws], file)
            saved = torch.load(io.BytesIO(file.getvalue()), weights_only=True)
            copies = [nn.Parameter(w.detach().clone()) for w in saved[2]]
            other = rule(groups(copies), lr=0.5)
            other_scheduler = scheduled(other)
            other.load_state_dict(saved[0])
            other_scheduler.load_state_dict(saved[1])
        for moved, by, schedule in [(ws, optimizer, scheduler)] + (
            [(copies, other, other_scheduler)] if step >= 12 else []
        ):
            by.zero_grad()
            loss_of(moved, step).backward()
            by.step()
            schedule.step()
    assert all(map(torch.equal, ws, copies))
    assert optimizer.param_groups[1]["lr"] == other.param_groups[1]["lr"]


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("lr", [0, 0.0, -0.1, math.nan, math.inf])
def test_a_rate_that_cannot_be_is_refused(name, lr):
    """For all weights, and for one group of them."""
    rule, _, setting = RULES[name]
    w = nn.Parameter(torch.ones(2, 2))
    message = rf"lr must be positive, such as 1e-3, not {lr!r}\."
    with pytest.raises(ValueError, match=message):
        rule([w], **{**setting, "lr": lr})
    with pytest.raises(ValueError, match=message):
        rule([{"params": [w], "lr": lr}], **setting)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4)])
def test_muon_refuses_what_is_no_matrix(shape):
    ws = [nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(shape))]
    with pytest.raises(ValueError, match=re.escape(f"matrices, not shape {shape}.")):
        optim.Muon(ws, lr=0.1)


def matrix(rows: int, columns: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, columns, generator=generator, dtype=torch.float64)


sizes = st.integers(1, 24)


@given(rows=sizes, columns=sizes, seed=st.integers(0, 999))
def test_orthogonalize_maps_singular_values_and_keeps_singular_vectors(rows, columns, seed):
    """Each σ, as a share of the norm, goes five times through the polynomial, and no further."""
    x = matrix(rows, columns, seed)
    before = x.clone()
    out = optim.orthogonalize(x, dtype=torch.float64)
    assert torch.equal(x, before)
    assert out.shape == x.shape
    left, sigma, right = torch.linalg.svd(x, full_matrices=False)
    sigma = sigma / sigma.norm()
    for _ in range(5):
        sigma = 3.4445 * sigma - 4.7750 * sigma**3 + 2.0315 * sigma**5
    assert (left.T @ out @ right.T - sigma.diag()).abs().max() < 1e-9
    assert (out - left @ sigma.diag() @ right).abs().max() < 1e-9


@pytest.mark.parametrize(
    ("dtype", "low", "high"), [(torch.float64, 0.68, 1.21), (torch.bfloat16, 0.65, 1.25)]
)
def test_orthogonalize_brings_singular_values_into_the_range_it_states(dtype, low, high):
    """All above 1/500 of the norm, from a matrix that has them at every size."""
    left, right = torch.linalg.qr(matrix(40, 40, 0))[0], torch.linalg.qr(matrix(60, 60, 1))[0]
    for smallest in (1 / 500, 1 / 50, 1 / 8):
        sigma = torch.logspace(math.log10(smallest), 0, 40, dtype=torch.float64)
        share = sigma / sigma.norm()
        x = left @ sigma.diag() @ right[:40]
        for m in (x, x.T):
            out = optim.orthogonalize(1000 * m, dtype=dtype)
            gains = (left.T @ (out if m is x else out.T) @ right[:40].T).diag()
            assert low < gains[share > 1 / 500].min() < 1 < gains.max() < high


def test_a_single_singular_value_and_a_zero_gradient_are_no_exception():
    one = torch.outer(torch.arange(1.0, 5), torch.arange(1.0, 4))
    assert 0.65 < torch.linalg.matrix_norm(optim.orthogonalize(one), 2) < 1.25
    assert torch.equal(optim.orthogonalize(torch.zeros(3, 2)), torch.zeros(3, 2))


def rates_of_torch(make, steps: int) -> list[float]:
    """The factor in every step, for a base rate of 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    rates = []
    for step in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step + 1 < steps:
            scheduler.step()
    return rates


rises = st.sampled_from([0.0, 0.05, 0.1, 0.25, 0.3, 0.5, 0.9, 0.999])


@given(steps=st.integers(1, 150), rise=rises)
@example(steps=1, rise=0.3)
@example(steps=2, rise=0.3)
@example(steps=2, rise=0.0)
def test_one_cycle_is_torchs(steps, rise):
    assume(rise * steps != 1)  # there torch divides by zero; see the test of edges
    make = partial(
        lr_scheduler.OneCycleLR,
        max_lr=1.0,
        total_steps=steps,
        pct_start=rise,
        cycle_momentum=False,
    )
    ours = [optim.one_cycle(step, steps, rise) for step in range(steps)]
    assert ours == pytest.approx(rates_of_torch(make, steps), abs=1e-12)


@given(fall=st.integers(1, 100), warmup=st.integers(0, 50))
@example(fall=1, warmup=0)
@example(fall=1, warmup=2)
def test_warmup_cosine_is_torchs(fall, warmup):
    """LinearLR up to the peak, then CosineAnnealingLR. With one step of warm-up torch divides by
    zero; there the first rate is the peak, and the rest as without.
    """

    def make(optimizer):
        cosine = partial(lr_scheduler.CosineAnnealingLR, optimizer, T_max=fall)
        if warmup < 2:
            return cosine()
        rise = lr_scheduler.LinearLR(optimizer, 1 / warmup, total_iters=warmup - 1)
        return lr_scheduler.SequentialLR(optimizer, [rise, cosine()], [warmup])

    steps = warmup + fall
    ours = [optim.warmup_cosine(step, steps, warmup) for step in range(steps)]
    theirs = rates_of_torch(make, steps if warmup != 1 else fall)
    assert ours == pytest.approx([1.0] * (warmup == 1) + theirs, abs=1e-12)


@pytest.mark.parametrize(
    ("schedule", "arguments", "expected"),
    [
        (optim.warmup_cosine, (0, 1), 1.0),
        (optim.warmup_cosine, (1, 1), 0.0),  # a scheduler asks for one more than there are
        (optim.warmup_cosine, (0, 1, 1), 1.0),
        (optim.warmup_cosine, (1, 1, 1), 0.0),
        (optim.warmup_cosine, (3, 4, 4), 1.0),
        (optim.warmup_cosine, (4, 4, 4), 0.0),
        (optim.warmup_cosine, (3, 4, 8), 0.5),
        (optim.warmup_cosine, (7, 4), 0.0),  # and does not rise again
        (optim.one_cycle, (0, 1), 4e-6),
        (optim.one_cycle, (1, 1), 4e-6),
        (optim.one_cycle, (11, 11), 4e-6),
        (optim.one_cycle, (15, 11), 4e-6),
        (optim.one_cycle, (0, 10, 0.1), 1.0),  # the first step is the peak; torch divides by zero
        (optim.one_cycle, (0, 10, 1e-12), 0.975528),  # the peak would be one step before the first
        (optim.one_cycle, (9, 10, 0.999), 4e-6),  # one step to fall in
        (optim.one_cycle, (0, 1, 0.999), 4e-6),
    ],
)
def test_a_schedule_at_its_edges(schedule, arguments, expected):
    assert schedule(*arguments) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("steps", "rise"), [(0, 0.3), (-1, 0.3), (10, 1.0), (10, -0.1), (10, math.nan), (10, 2)]
)
def test_one_cycle_refuses_lengths_that_cannot_be(steps, rise):
    with pytest.raises(ValueError, match=f"steps >= 1 and 0 <= rise < 1, not {steps}, {rise}"):
        optim.one_cycle(0, steps, rise)


@pytest.mark.parametrize("factor", [optim.warmup_cosine, optim.one_cycle])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_a_schedule_runs_to_its_end_under_lambda_lr(factor, steps):
    """`step()` after the last step asks for the factor of step `steps`."""
    optimizer = optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda step: factor(step, steps))
    for _ in range(steps):
        optimizer.step()
        scheduler.step()
    assert 0 <= optimizer.param_groups[0]["lr"] < 1e-5
