"""Checks of chapter 12, training."""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers.exercises import Wrong, ask, call_text, compare, random_cases


def warmup_linear(answer):
    """`warmup_linear(step, steps, warmup)`: the factor on the peak rate, up and down in lines."""
    cases = [{"step": step, "steps": 10, "warmup": 4} for step in range(11)]
    for case in random_cases(60, warmup=(1, 6), fall=(2, 9), share=(0, 10**6)):
        steps = case["warmup"] + case["fall"]
        cases.append(
            {"step": case["share"] % (steps + 1), "steps": steps, "warmup": case["warmup"]}
        )
    _check_kind(answer, cases[0], _is_number, "return one number, such as 0.25.")
    compare(answer, _warmup(), cases, WARMUP_MISTAKES, _same_number)
    edges = [{"step": step, "steps": 5, "warmup": warmup} for warmup in (0, 4) for step in range(6)]
    try:
        compare(answer, _warmup(), edges, NO_WARMUP_MISTAKES, _same_number)
    except Wrong as mistake:
        if not isinstance(mistake.__cause__, ZeroDivisionError):
            raise
        raise Wrong(f"{mistake} Hint: {DIVIDED_BY_WARMUP}") from mistake
    return (
        "Step 0 already moves, by a warmup-th of the peak. The fall has steps − warmup equal parts "
        "and ends at 0, which LambdaLR asks for after the last step."
    )


def smoothed_gradient(answer):
    """`smoothed_gradient(logits, labels, smoothing)`: (softmax − target) / batch."""
    first = torch.tensor([[0.0, 0.0, 0.0], [2.0, 0.0, -2.0]], dtype=torch.float64)
    cases = [{"logits": first, "labels": torch.tensor([0, 2]), "smoothing": 0.3}]
    for case in random_cases(12, batch=(1, 4), classes=(2, 5), tenths=(0, 9)):
        logits = _random(case["batch"], case["classes"])
        labels = _random(case["batch"], case["classes"]).argmax(dim=1)
        cases.append({"logits": logits, "labels": labels, "smoothing": case["tenths"] / 10})
    hint = "return a tensor with the shape of the logits: one slope for each of them."
    _check_kind(answer, cases[0], lambda result, c: _fits(result, c["logits"]), hint)
    compare(_on_copies(answer), _slope(), cases, SMOOTHED_MISTAKES, _same_tensor)
    # Whole numbers, which float32 holds exactly, for readers who compute in it.
    large = [{**case, "logits": (1000 * case["logits"]).round()} for case in cases[:4]]
    compare(_on_copies(answer), _slope(), large, LARGE_LOGITS_MISTAKES, _same_tensor)
    _check_inputs_kept(answer, cases[0])
    return (
        "The logarithm of the sum has the softmax as its slope, the rest is linear in the logits "
        "with the targets as weights, and the mean divides by the batch. Each row adds up to 0."
    )


def clip_by_norm(answer):
    """`clip_by_norm(gradients, max_norm)`: all scaled together where their norm is too large."""
    paper = [torch.tensor([1.0, 2.0]).double(), torch.tensor([[2.0, 4.0]]).double()]  # norm 5
    cases = [{"gradients": paper, "max_norm": limit} for limit in (2.0, 10.0)]
    for case in random_cases(12, tensors=(1, 4), quarters=(1, 7)):
        shapes = [(2, 3), (2,), (), (1, 2, 2)][: case["tensors"]]
        gradients = [_random(*shape) for shape in shapes]
        limit = round(_norm(gradients).item() * case["quarters"] / 4, 3)
        cases.append({"gradients": gradients, "max_norm": limit})
    hint = "return a list with one tensor for each gradient, of the same shape."
    _check_kind(answer, cases[0], lambda result, c: _fit(result, c["gradients"]), hint)
    compare(_on_copies(answer), _clipped(), cases, CLIP_MISTAKES, _same_tensors)
    zeros = [{"gradients": [torch.zeros_like(g) for g in paper], "max_norm": 1.0}]
    compare(_on_copies(answer), _clipped(), zeros, CLIP_ZERO_MISTAKES, _same_tensors)
    for case in cases[:2]:
        _check_inputs_kept(answer, case)
    return (
        "One norm for all tensors and one factor, at most 1, for all: the long vector gets "
        "shorter and keeps its direction."
    )


def accumulate(answer):
    """`accumulated_gradient(w, inputs, targets, loss_fn, part_size)`: that of the whole batch."""
    cases = [_paper_batch()]
    for case in random_cases(12, n=(4, 9), features=(1, 3), outputs=(0, 2), part=(2, 4)):
        cases.append(_batch(case["n"], case["features"], case["outputs"], case["part"]))
    fits = lambda result, c: isinstance(result, Tensor) and _fits(result, c["w"])  # noqa: E731
    _check_kind(answer, cases[0], fits, GRADIENT_KIND)
    compare(_on_copies(answer), _whole_gradient, cases, ACCUMULATE_MISTAKES, _same_tensor)
    edges = [_batch(3, 2, 0, part) for part in (1, 3, 5)]
    compare(_on_copies(answer), _whole_gradient, edges, [], _same_tensor)
    for case in (left := [_paper_batch(), *(_batch(5, 2, 0, 2) for _ in range(3))]):
        case["w"].grad = torch.ones_like(case["w"])
    compare(_on_copies(answer), _whole_gradient, left, LEFT_OVER_MISTAKES, _same_tensor)
    _check_memory(answer)
    return (
        "The mean over the batch is the sum of the parts' means, each times its share of the rows, "
        "and gradients add up like losses. Memory holds one part at a time."
    )


def lion_step(answer):
    """`lion_step(w, g, m, lr, beta1, beta2, weight_decay)`: the new w and the new m."""
    # Signs of g, old m, new m and of their mixtures with w all differ somewhere.
    paper = {"w": [4.0, 2.0, 1.0], "g": [2.0, 0.5, -20.0], "m": [-1.0, 1.0, 1.0]}
    case = {name: torch.tensor(values).double() for name, values in paper.items()}
    cases = [{**case, "lr": 0.1, "beta1": 0.9, "beta2": 0.5, "weight_decay": 0.5}]
    limits = {"lr": (1, 5), "beta1": (1, 9), "beta2": (1, 9), "weight_decay": (0, 5)}
    for case in random_cases(12, axes=(0, 2), length=(3, 4), **limits):
        shape = (case["length"],) * case["axes"]
        settings = {name: case[name] / 10 for name in limits}
        cases.append({name: _random(*shape) for name in "wgm"} | settings)
    hint = "return two tensors, the new w and the new m, both of the shape of w."
    _check_kind(answer, cases[0], lambda result, c: _fit(result, [c["w"], c["m"]]), hint)
    compare(_on_copies(answer), _lion(), cases, LION_MISTAKES, _same_tensors)
    still = torch.tensor([0.0, 1.0, -1.0]).double()  # nothing pulls at the first weight
    edge = [{**cases[0], "g": still, "m": still}]
    compare(_on_copies(answer), _lion(), edge, LION_ZERO_MISTAKES, _same_tensors)
    _check_inputs_kept(answer, cases[0])
    return (
        "With the usual 0.9 and 0.99, the step takes the new gradient more into account than what "
        "is kept does. One tensor m is all the state, half of Adam's."
    )


# What the checks share.


def _random(*shape: int) -> Tensor:
    """Normal numbers in float64, anew at every call; the reader's generator is left alone."""
    generator = torch.Generator()
    generator.seed()
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def _copy(value: Any) -> Any:
    """A tensor copied with its gradient, a list of tensors copied; anything else as it is."""
    if isinstance(value, list):
        return [_copy(part) for part in value]
    if not isinstance(value, Tensor):
        return value
    copied = value.detach().clone().requires_grad_(value.requires_grad)
    copied.grad = None if value.grad is None else value.grad.clone()
    return copied


def _on_copies(answer: Callable) -> Callable:
    """The reader's function on copies, so that it cannot change what it is compared with."""

    @functools.wraps(answer)
    def run(*inputs):
        return answer(*map(_copy, inputs))

    return run


def _check_kind(answer: Any, case: Mapping, fits: Callable[[Any, Mapping], bool], hint: str):
    result = ask(answer, **{name: _copy(value) for name, value in case.items()})
    if not fits(result, case):
        raise Wrong(f"{call_text(answer, case)} gave {result!r}. Hint: {hint}")


def _check_inputs_kept(answer: Callable, case: Mapping) -> None:
    inputs = {name: _copy(value) for name, value in case.items()}
    ask(answer, **inputs)
    for name, value in case.items():
        if isinstance(value, (Tensor, list)) and not _same(inputs[name], value):
            raise Wrong(
                f"{call_text(answer, case)} is right, but afterwards {name} is {inputs[name]!r}. "
                f"Hint: {name} was changed in place (-=, *=, clamp_ and the like do that); make a "
                "new tensor."
            )


def _same(first: Any, second: Any) -> bool:
    return (_same_tensors if isinstance(second, list) else _same_tensor)(first, second)


def _tensor(value: Any) -> Tensor | None:
    try:
        return torch.as_tensor(value, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        return None


def _fits(result: Any, wanted: Tensor) -> bool:
    values = _tensor(result)
    return values is not None and values.shape == wanted.shape


def _fit(results: Any, wanted: list[Tensor]) -> bool:
    listed = isinstance(results, (list, tuple)) and len(results) == len(wanted)
    return listed and all(map(_fits, results, wanted))


def _same_tensor(result: Any, wanted: Tensor) -> bool:
    """The same shape, and the same numbers to the accuracy of float32."""
    if not _fits(result, wanted):
        return False
    wanted = wanted.double()
    return torch.allclose(_tensor(result), wanted, rtol=1e-5, atol=1e-6, equal_nan=True)


def _same_tensors(results: Any, wanted: Any) -> bool:
    return _fit(results, wanted) and all(map(_same_tensor, results, wanted))


def _is_number(result: Any, _: Mapping | None = None) -> bool:
    plain = isinstance(result, (int, float)) and not isinstance(result, bool)
    return plain or (isinstance(result, Tensor) and result.ndim == 0 and not result.is_complex())


def _same_number(result: Any, wanted: float) -> bool:
    return _is_number(result) and math.isclose(float(result), wanted, rel_tol=1e-6, abs_tol=1e-9)


# 1. Warm-up and a line.


def _rise(step, steps, warmup):
    return (step + 1) / warmup


def _fall(step, steps, warmup):
    return (steps - step) / (steps - warmup)


def _warmup(rise=_rise, fall=_fall):
    """The schedule, in which one part may be replaced by a mistake."""
    return lambda **c: rise(**c) if c["step"] < c["warmup"] else fall(**c)


DIVIDED_BY_WARMUP = (
    "without a warm-up there is nothing to divide by; ask first whether step < warmup."
)
WARMUP_MISTAKES = [
    (
        _warmup(rise=lambda step, steps, warmup: step / warmup),
        "step 0 gets the rate 0 and is wasted: the first of warmup equal parts is already there.",
    ),
    (
        _warmup(rise=lambda step, steps, warmup: (step + 1) / (warmup + 1)),
        "the rise has warmup steps, so step warmup − 1 has 1: divide by warmup.",
    ),
    (
        _warmup(rise=lambda step, steps, warmup: 1.0),
        "there is no rise: before step warmup the factor is (step + 1) / warmup.",
    ),
    (
        lambda step, steps, warmup: 1 - step / steps,
        "this is a fall alone, over the whole run; the rise comes first.",
    ),
    (
        _warmup(fall=lambda step, steps, warmup: 1.0),
        "the fall is missing: after the warm-up the factor stays 1 here.",
    ),
    (
        _warmup(fall=lambda step, steps, warmup: 1 - step / steps),
        "the fall is counted from step 0; it begins at 1 in step warmup.",
    ),
    (
        lambda step, steps, warmup: min((step + 1) / warmup, 1) * (1 - step / steps),
        "rise and fall are multiplied, so 1 is never reached; use one of them at a time.",
    ),
    (
        _warmup(fall=lambda step, steps, warmup: 1 - (step - warmup) / steps),
        "0 is not reached at the end: the fall has steps − warmup parts, not steps.",
    ),
    (
        _warmup(fall=lambda step, steps, warmup: (steps - 1 - step) / (steps - 1 - warmup)),
        "0 is reached one step early: it belongs to step = steps, not to the last step before.",
    ),
    (
        _warmup(fall=lambda step, steps, warmup: max(0, steps - 1 - step) / (steps - 1 - warmup)),
        "0 is reached one step early, and stays: it belongs to step = steps only.",
    ),
    (
        _warmup(fall=lambda step, steps, warmup: (steps - step) / (steps - warmup + 1)),
        "the fall begins one step early: step warmup still has 1.",
    ),
    (
        _warmup(fall=lambda step, steps, warmup: (step - warmup) / (steps - warmup)),
        "the second part rises from 0 to 1; take 1 minus it.",
    ),
    (
        _warmup(fall=lambda **c: (1 + math.cos(math.pi * (1 - _fall(**c)))) / 2),
        "this falls as half a cosine, as in the text; a straight line is asked for.",
    ),
    (
        _warmup(lambda **c: math.floor(_rise(**c)), lambda **c: math.floor(_fall(**c))),
        "// throws away what comes after the point: divide with /.",
    ),
]
NO_WARMUP_MISTAKES = [
    (
        lambda **c: _warmup()(**c) if c["warmup"] else 1.0,
        "without a warm-up there is still the fall, from 1 in step 0.",
    ),
    (
        lambda **c: _warmup()(**{**c, "warmup": max(1, c["warmup"])}),
        "a warm-up of 0 is not one of 1: there is no rise, and the fall begins in step 0.",
    ),
]


# 2. The gradient of the smoothed loss.


def _softmax(logits: Tensor) -> Tensor:
    return logits.softmax(dim=1)


def _hot(logits: Tensor, labels: Tensor) -> Tensor:
    return F.one_hot(labels, logits.shape[1]).double()


def _target(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    return (1 - smoothing) * _hot(logits, labels) + smoothing / logits.shape[1]


def _other_target(right: Callable, others: Callable) -> Callable:
    """A target that gives these shares, each of (smoothing, classes), to the classes."""

    def target(logits, labels, smoothing):
        hot, setting = _hot(logits, labels), (smoothing, logits.shape[1])
        return right(*setting) * hot + others(*setting) * (1 - hot)

    return target


def _slope(p=_softmax, target=_target, size=len, sign=1):
    """The gradient, in which one part may be replaced by a mistake."""
    return lambda logits, labels, smoothing: (
        sign * (p(logits) - target(logits, labels, smoothing)) / size(logits)
    )


SMOOTHED_MISTAKES = [
    (
        _slope(size=lambda logits: 1),
        "the loss is a mean over the batch, so each row's gradient is divided by the batch.",
    ),
    (_slope(sign=-1), "the sign is turned round: a larger right logit makes the loss smaller."),
    (
        _slope(size=lambda logits: 1, sign=-1),
        "two things at once: the sign is turned round, and the mean over the batch is missing.",
    ),
    (
        _slope(size=lambda logits: logits.numel()),
        "the mean is over the rows of the batch; the classes are not counted.",
    ),
    (
        _slope(size=lambda logits: logits.shape[1]),
        "divide by the size of the batch, len(logits), instead of the number of classes.",
    ),
    (
        _slope(target=lambda logits, labels, smoothing: _hot(logits, labels)),
        "smoothing is ignored: the target of the right class is less than 1.",
    ),
    (
        _slope(target=_other_target(lambda s, k: 1 - s, lambda s, k: s / (k - 1))),
        "smoothing is shared out among all classes, the right one included, s/K each.",
    ),
    (
        _slope(target=_other_target(lambda s, k: 1 - s, lambda s, k: s / k)),
        "the right class gets its share s/K of the smoothing as well; targets add up to 1.",
    ),
    (
        _slope(target=_other_target(lambda s, k: 1 + s / k, lambda s, k: s / k)),
        "the targets add up to more than 1: the right class gives away s before the sharing.",
    ),
    (
        _slope(target=_other_target(lambda s, k: 1 - s, lambda s, k: 0.0)),
        "what the right class gives away is lost here: every class gets s/K.",
    ),
    (
        _slope(target=_other_target(lambda s, k: s / k, lambda s, k: s / k)),
        "the labels have no effect: the right class lacks its 1 − s.",
    ),
    (
        _slope(target=lambda logits, labels, smoothing: torch.zeros_like(logits)),
        "this is the softmax alone; the targets are to be subtracted.",
    ),
    (
        _slope(p=lambda logits: logits.softmax(dim=0)),
        "the softmax goes over the batch here; over the classes it is dim=1.",
    ),
    (
        _slope(p=lambda logits: logits.log_softmax(dim=1)),
        "the slope of log Σ exp z is the softmax itself, not its logarithm.",
    ),
    (
        _slope(p=lambda logits: logits),
        "the logits must go through the softmax before the targets are subtracted.",
    ),
]


def _naive_softmax(logits: Tensor) -> Tensor:
    return logits.exp() / logits.exp().sum(dim=1, keepdim=True)


LARGE_LOGITS_MISTAKES = [
    (
        _slope(p=_naive_softmax),
        "the formula is right, but the exponential overflows: subtract the row's largest logit.",
    ),
    (
        lambda **c: _slope(p=_naive_softmax)(**c).nan_to_num(),
        "nan is hidden here, not avoided: subtract the row's largest logit before exp.",
    ),
]


# 3. Clipping.


def _norm(gradients: list[Tensor]) -> Tensor:
    return torch.cat([g.flatten() for g in gradients]).norm()


def _clipped(norm=_norm):
    """Scaling, if the norm is too large; another norm is a mistake."""
    return lambda gradients, max_norm: [g * min(1.0, max_norm / norm(gradients)) for g in gradients]


def _scaled_by(factor):
    """Scaling by a factor that follows from norm and limit."""
    return lambda gradients, max_norm: [g * factor(_norm(gradients), max_norm) for g in gradients]


CLIP_MISTAKES = [
    (
        lambda gradients, max_norm: [_clipped()([g], max_norm)[0] for g in gradients],
        "each tensor is clipped by itself, which changes the direction; one norm for all.",
    ),
    (
        lambda gradients, max_norm: [g.clamp(-max_norm, max_norm) for g in gradients],
        "each value is clipped by itself, which changes the direction; multiply all by one factor.",
    ),
    (
        _scaled_by(lambda norm, limit: limit / norm),
        "small gradients are scaled up; the factor must not be larger than 1.",
    ),
    (
        _scaled_by(lambda norm, limit: max(1.0, limit / norm)),
        "the large ones stay and the small ones grow: take the smaller of 1 and the quotient.",
    ),
    (
        _scaled_by(lambda norm, limit: max(1.0, norm / limit)),
        "the factor is upside down: it is max_norm / norm.",
    ),
    (
        _scaled_by(lambda norm, limit: 1 / norm if norm > limit else 1.0),
        "the norm becomes 1 here; it should become max_norm.",
    ),
    (
        lambda gradients, max_norm: _clipped()(gradients, 1.0),
        "max_norm has no effect: the limit is always 1 here.",
    ),
    (_scaled_by(lambda norm, limit: 1.0), "nothing is scaled: compare the norm with max_norm."),
    (
        _clipped(lambda gradients: max(g.abs().max() for g in gradients)),
        "this is the largest entry; the norm is the root of the sum of all squares.",
    ),
    (
        _clipped(lambda gradients: sum(g.abs().sum() for g in gradients)),
        "absolute values are added here; the norm is the root of the sum of all squares.",
    ),
    (
        _clipped(lambda gradients: _norm(gradients) ** 2),
        "the root is missing: this is the square of the norm.",
    ),
    (
        _clipped(lambda gradients: sum(g.norm() for g in gradients)),
        "norms do not add up; their squares do, and the root comes last.",
    ),
    (
        _clipped(lambda gradients: max(g.norm() for g in gradients)),
        "this is the norm of the longest tensor; all of them together form one vector.",
    ),
    (
        _clipped(
            lambda gradients: torch.cat([g.flatten() for g in gradients]).square().mean() ** 0.5
        ),
        "the squares are averaged; the norm adds them, however many there are.",
    ),
]
CLIP_ZERO_MISTAKES = [
    (
        _scaled_by(lambda norm, limit: min(norm, limit) / norm),
        "with a norm of 0 this divides 0 by 0; divide only where the norm is above max_norm.",
    ),
]


# 4. Accumulation.


class _Loss:
    """A mean loss that notes what it was given, and how many graphs wait for their backward."""

    def __init__(self, function=F.mse_loss):
        self.function, self.rows, self.waiting, self.most = function, [], 0, 0

    def __call__(self, w: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        loss = self.function(inputs @ w, targets)
        if loss.requires_grad:
            self.rows.append(len(inputs))
            self.waiting += 1
            self.most = max(self.most, self.waiting)
            loss.register_hook(self._backward)
        return loss

    def _backward(self, gradient: Tensor) -> None:
        self.waiting -= 1

    def __repr__(self) -> str:
        return self.function.__name__


def _paper_batch() -> dict:
    """Three rows in parts of two: the gradient is 2·(1 + 4 + 9) / 3."""
    w = torch.ones(1, dtype=torch.float64).requires_grad_()
    inputs = torch.tensor([[1.0], [2.0], [3.0]], dtype=torch.float64)
    targets = torch.zeros(3, dtype=torch.float64)
    return {"w": w, "inputs": inputs, "targets": targets, "loss_fn": _Loss(), "part_size": 2}


def _batch(n: int, features: int, outputs: int, part_size: int) -> dict:
    """Random rows; `outputs` 0 means one number for each row, without an axis for it."""
    more = (outputs,) * (outputs > 0)
    w, inputs, targets = _random(features, *more), _random(n, features), _random(n, *more)
    loss_fn = _Loss(F.huber_loss if n % 2 else F.mse_loss)
    case = {"w": w.requires_grad_(), "inputs": inputs, "targets": targets}
    return case | {"loss_fn": loss_fn, "part_size": part_size}


def _whole_gradient(w, inputs, targets, loss_fn, part_size):
    return torch.autograd.grad(loss_fn(w, inputs, targets), w)[0]


def _parts(weights: Callable[[list[int], int], list[float]]) -> Callable:
    """The parts' gradients, added with weights that follow from their sizes."""

    def gradient(w, inputs, targets, loss_fn, part_size):
        pairs = list(zip(inputs.split(part_size), targets.split(part_size), strict=True))
        each = weights([len(x) for x, _ in pairs], part_size)
        gradients = [_whole_gradient(w, x, y, loss_fn, part_size) for x, y in pairs]
        return sum(weight * g for weight, g in zip(each, gradients, strict=True))

    return gradient


def _only(place: int, weight: Callable[[list[int]], float]) -> Callable:
    """One part alone, the first (0) or the last (−1)."""

    def weights(sizes, part_size):
        each = [0.0] * len(sizes)
        each[place] = weight(sizes)
        return each

    return _parts(weights)


def _check_memory(answer: Callable) -> None:
    case = _batch(7, 2, 0, 2)
    ask(answer, **{name: _copy(value) for name, value in case.items()})
    loss_fn, most = case["loss_fn"], max(case["loss_fn"].rows, default=0)
    text = "For 7 rows with part_size=2 the gradient is right, but"
    if most > 2:
        hint = "split both tensors into parts of part_size rows (chunk counts parts, split rows)."
        if most == 7:
            hint = "the whole batch at once is what does not fit into memory."
        raise Wrong(f"{text} loss_fn was given {most} rows at once. Hint: {hint}")
    if loss_fn.most > 1:
        raise Wrong(
            f"{text} {loss_fn.most} losses waited for their gradient at the same time. Hint: "
            "adding up losses keeps every part in memory; add up gradients, part by part."
        )


GRADIENT_KIND = (
    "return one tensor, the gradient, with the shape of w. (torch.autograd.grad gives a tuple; its "
    "first entry is the gradient.)"
)
ACCUMULATE_MISTAKES = [
    (
        _parts(lambda sizes, part: [1 / len(sizes)] * len(sizes)),
        "this is the mean of the parts' means, in which the rows of a small last part count more.",
    ),
    (
        _parts(lambda sizes, part: [1 / max(1, sum(sizes) // part)] * len(sizes)),
        "n // part_size forgets the small last part; weight each part by its own rows instead.",
    ),
    (
        _parts(lambda sizes, part: [1.0] * len(sizes)),
        "the parts' gradients are added as they are; each counts with its share of the rows.",
    ),
    (
        _parts(lambda sizes, part: [part / sum(sizes)] * len(sizes)),
        "the last part is smaller: its share is its own number of rows, not part_size.",
    ),
    (
        _parts(lambda sizes, part: sizes),
        "this is the gradient of the sum over all rows; divide by their number.",
    ),
    (
        _parts(lambda sizes, part: [1 / sum(sizes)] * len(sizes)),
        "loss_fn is already a mean over the part: times its rows, and then divide by all rows.",
    ),
    (
        _only(-1, lambda sizes: 1.0),
        "this is the gradient of the last part alone; those before were replaced or cleared.",
    ),
    (
        _only(-1, lambda sizes: sizes[-1] / sum(sizes)),
        "only the last part's share is there: clear the gradient once, before the first part.",
    ),
    (
        _only(0, lambda sizes: 1.0),
        "this is the gradient of the first part alone: does the return stand inside the loop?",
    ),
    (
        _only(0, lambda sizes: sizes[0] / sum(sizes)),
        "only the first part's share is there: does the return stand inside the loop?",
    ),
    (
        _parts(lambda sizes, part: [s / sum(sizes) * (s == part) for s in sizes]),
        "the rows of the smaller last part are left out.",
    ),
    (
        _parts(lambda sizes, part: [(s == part) / max(1, sizes.count(part)) for s in sizes]),
        "this is the mean over the full parts; the rows of the smaller last part are left out.",
    ),
    (
        _parts(lambda sizes, part: [0.0] * len(sizes)),
        "this was cleared before it was returned: w.grad and what you kept of it are one tensor.",
    ),
]
LEFT_OVER_MISTAKES = [
    (
        lambda **c: _whole_gradient(**c) + c["w"].grad,
        "w.grad held 1 in every place before the call, and backward adds to what it finds.",
    ),
]


# 5. Lion.


def _mix(old: Tensor, new: Tensor, beta: float) -> Tensor:
    return beta * old + (1 - beta) * new


def _look(c: Mapping) -> Tensor:
    return _mix(c["m"], c["g"], c["beta1"])


def _lion(
    direction=lambda c: _look(c).sign(),
    decay=lambda c: c["weight_decay"] * c["w"],
    memory=lambda c: _mix(c["m"], c["g"], c["beta2"]),
):
    """The step, in which one part, a function of the case, may be replaced by a mistake."""
    return lambda **c: (c["w"] - c["lr"] * (direction(c) + decay(c)), memory(c))


def _coupled(**c) -> tuple[Tensor, Tensor]:
    """The decay goes into the gradient, as in Adam before AdamW."""
    g = c["g"] + c["weight_decay"] * c["w"]
    return _lion(decay=lambda c: 0)(**{**c, "g": g})


LION_MISTAKES = [
    (lambda **c: _lion()(**c)[::-1], "the order is turned round: w first, then m."),
    (
        _lion(direction=lambda c: _mix(c["m"], c["g"], c["beta2"]).sign()),
        "this is the sign of the new m; the step uses an average of its own, with beta1.",
    ),
    (
        lambda **c: _lion()(**{**c, "beta1": c["beta2"], "beta2": c["beta1"]}),
        "the betas are swapped: beta1 is for the step, beta2 for what is kept.",
    ),
    (
        _lion(memory=_look),
        "the average of the step is kept as m; m has an average of its own, with beta2.",
    ),
    (
        _lion(
            lambda c: _mix(c["g"], c["m"], c["beta1"]).sign(),
            memory=lambda c: _mix(c["g"], c["m"], c["beta2"]),
        ),
        "beta is the share of the old m, and 1 − beta that of g; here it is the other way.",
    ),
    (
        _lion(
            lambda c: (c["beta1"] * c["m"] + c["g"]).sign(),
            memory=lambda c: c["beta2"] * c["m"] + c["g"],
        ),
        "these are running sums, as in momentum; Lion averages, so g counts 1 − beta.",
    ),
    (
        _lion(direction=lambda c: c["g"].sign()),
        "the sign of g alone ignores m: average them first.",
    ),
    (
        _lion(direction=lambda c: c["m"].sign()),
        "the sign of the old m ignores the new gradient: average them first.",
    ),
    (
        _lion(direction=_look),
        "the sign is missing: every weight moves by lr, however large its gradient is.",
    ),
    (_lion(memory=lambda c: c["m"]), "m comes back as it went in; it takes up 1 − beta2 of g."),
    (_lion(decay=lambda c: 0), "the weight decay is missing."),
    (
        _lion(decay=lambda c: c["weight_decay"] * c["w"] / c["lr"]),
        "the decay is not multiplied by lr; it stands inside the bracket, beside the sign.",
    ),
    (
        _lion(decay=lambda c: -c["weight_decay"] * c["w"]),
        "the weights grow here: the decay is subtracted as the sign is.",
    ),
    (
        _lion(decay=lambda c: c["weight_decay"] * (c["w"] - c["lr"] * _look(c).sign())),
        "the decay is that of the old w; here w has moved before it shrinks.",
    ),
    (
        _lion(lambda c: (_look(c) + c["weight_decay"] * c["w"]).sign(), lambda c: 0),
        "the decay stands inside the sign, which throws its size away.",
    ),
    (_coupled, "the decay is added to the gradient, and so gets into m and into the sign."),
    (
        _lion(lambda c: -_look(c).sign()),
        "this climbs: the sign is subtracted from w, since the loss rises along the gradient.",
    ),
]
LION_ZERO_MISTAKES = [
    (
        _lion(lambda c: _look(c) / _look(c).abs()),
        "0 divided by its size is nan; the sign of 0 is 0.",
    ),
    (
        _lion(lambda c: 2.0 * (_look(c) > 0) - 1),
        "where g and m are 0 the weight moves up: the sign of 0 is 0, not −1.",
    ),
    (
        _lion(lambda c: 2.0 * (_look(c) >= 0) - 1),
        "where g and m are 0 the weight moves down: the sign of 0 is 0, not 1.",
    ),
]
