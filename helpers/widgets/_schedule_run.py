"""A learning-rate schedule and the run of a small network under it, in torch and float64.

schedule_composer.js does the same in the reader's browser, from the same first weights and batches.
"""

import math
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy
from torch.optim import lr_scheduler

from helpers.widgets._random import uniforms

POOL, CLASSES = 4, 10  # pixels averaged to one, each way
# What follows is as in schedule_composer.js.
SIZES = (49, 64, 64, 10)  # inputs, hidden units, hidden units, classes
STEPS, BATCH = 300, 32
LIMIT = 1000  # a run whose loss passes it is stopped
SHAPES = ("constant", "linear", "cosine", "step", "one_cycle")


def rates(shape: str, peak: float, warmup: float) -> list[float]:
    """The learning rate of each of the 300 steps, from torch's schedulers.

    >>> rates("constant", 0.4, 0.01)
    [0.13..., 0.26..., 0.4, 0.4, ...]
    """
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=peak)
    schedule, found = _scheduler(optimizer, shape, peak, warmup), []
    for _ in range(STEPS):
        found.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        schedule.step()
    return found


def _scheduler(optimizer, shape: str, peak: float, warmup: float):
    """Step s of W warm-up steps has (s + 1) / W of the peak; a shape that ends at zero gets there
    after the last step."""
    rise = math.floor(warmup * STEPS + 0.5)
    left = STEPS - rise
    if shape == "one_cycle":
        share = warmup or 0.3  # torch's default
        return lr_scheduler.OneCycleLR(optimizer, peak, STEPS, pct_start=share)
    after = {
        "constant": lambda: lr_scheduler.ConstantLR(optimizer, factor=1),
        "linear": lambda: lr_scheduler.LinearLR(optimizer, 1, 0, total_iters=left),
        "cosine": lambda: lr_scheduler.CosineAnnealingLR(optimizer, T_max=left),
        # Counted from the end of the warm-up, which is at most half of the steps.
        "step": lambda: lr_scheduler.MultiStepLR(
            optimizer, [round(0.6 * STEPS) - rise, round(0.8 * STEPS) - rise]
        ),
    }[shape]
    if rise == 0:
        return after()
    up = lr_scheduler.LinearLR(optimizer, 1 / rise, total_iters=max(rise - 1, 1))
    return lr_scheduler.SequentialLR(optimizer, [up, after()], milestones=[rise])


def network(seed: int) -> nn.Sequential:
    """The untrained network: (n, 49) -> (n, 10) logits.

    Weights are uniform within ±√(6 / inputs), as `torch.nn.init.kaiming_uniform_` makes them for
    ReLU; biases are zero.
    """
    layers = [nn.Linear(*pair, dtype=torch.float64) for pair in pairwise(SIZES)]
    numbers, start = torch.from_numpy(uniforms(2 * seed, _weight_count())), 0
    with torch.no_grad():
        for layer in layers:
            part = numbers[start : start + layer.weight.numel()].view_as(layer.weight)
            layer.weight.copy_((2 * part - 1) * math.sqrt(6 / layer.in_features))
            layer.bias.zero_()
            start += layer.weight.numel()
    return nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])


def batch_order(seed: int, count: int) -> np.ndarray:
    """Row numbers of each batch, (300, 32): every epoch in a new order, its last rows left out."""
    full = count // BATCH * BATCH
    epochs = math.ceil(STEPS * BATCH / full)
    keys = uniforms(2 * seed + 1, epochs * count).reshape(epochs, count)
    return keys.argsort(axis=1, kind="stable")[:, :full].reshape(-1, BATCH)[:STEPS]


def outcome(run: dict, inputs: Tensor, labels: Tensor, train_count: int) -> dict:
    """Train on the first `train_count` rows of inputs (n, 49) and labels (n,), then measure.

    Returns the settings as `run`; `losses`, one for each batch; `training` and `validation`, the
    mean losses after the last step; `accuracy` on the validation part, 0 to 1. In a run that
    diverged these three are None, and `stopped` is the number of its last step.
    """
    model, losses = network(run["seed"]), []
    optimizer = torch.optim.SGD(model.parameters(), lr=run["peak"])
    order = torch.from_numpy(batch_order(run["seed"], train_count))
    plan = rates(run["shape"], run["peak"], run["warmup"])
    for rate, rows in zip(plan, order, strict=True):
        loss = cross_entropy(model(inputs[rows]), labels[rows])
        if not loss.item() <= LIMIT:  # written so that NaN stops the run, too
            return _outcome(run, losses, stopped=len(losses) + 1)
        losses.append(loss.item())
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return _outcome(run, losses, *_scores(model, inputs, labels, train_count))


def _scores(model, inputs: Tensor, labels: Tensor, cut: int) -> tuple:
    """Training loss, validation loss, validation accuracy; none of them above the limit."""
    with torch.no_grad():
        logits = model(inputs)
    training = cross_entropy(logits[:cut], labels[:cut]).item()
    validation = cross_entropy(logits[cut:], labels[cut:]).item()
    if not (training <= LIMIT and validation <= LIMIT):
        return None, None, None, STEPS
    right = (logits[cut:].argmax(dim=1) == labels[cut:]).double().mean().item()
    return training, validation, right


def _outcome(run, losses, training=None, validation=None, accuracy=None, stopped=None) -> dict:
    # Five decimals are finer than a line on the screen, and a quarter of the bytes.
    numbers = {"training": training, "validation": validation, "accuracy": accuracy}
    return {"run": run, "losses": [round(n, 5) for n in losses], **numbers, "stopped": stopped}


def _weight_count() -> int:
    return sum(one * other for one, other in pairwise(SIZES))


def checked_part(name: str, images, labels, least: int) -> tuple[Tensor, Tensor]:
    """Pictures averaged to 7×7, uint8 (n, 49), and labels uint8 (n,).

    >>> pictures, labels = checked_part("train", images, labels, least=32)

    Raises:
        TypeError, ValueError: another kind, type or shape, or labels that are none.
    """
    images, labels = _tensor(f"{name}_images", images), _tensor(f"{name}_labels", labels)
    if images.dtype != torch.uint8 or images.shape[1:] != (1, 28, 28) or len(images) < least:
        raise ValueError(
            f"{name}_images should be uint8 of shape (n, 1, 28, 28) with n from {least} on; "
            f"got {images.dtype} of shape {tuple(images.shape)}."
        )
    if labels.shape != images.shape[:1] or labels.is_floating_point() or labels.dtype == torch.bool:
        raise ValueError(
            f"{name}_labels should be {len(images)} whole numbers, one for each picture; "
            f"got {labels.dtype} of shape {tuple(labels.shape)}."
        )
    outside = labels[(labels < 0) | (labels >= CLASSES)]
    if len(outside):
        raise ValueError(
            f"{name}_labels should lie between 0 and {CLASSES - 1}; got {outside[0].item()}."
        )
    return avg_pool2d(images.float(), POOL).round().byte().flatten(1), labels.byte()


def _tensor(name: str, value) -> Tensor:
    if not isinstance(value, Tensor | np.ndarray):
        raise TypeError(f"{name} should be a tensor or an array; got {type(value).__name__}.")
    return torch.as_tensor(value)
