"""Surfaces f(w1, w2) of two weights, and the paths of torch's update rules on them."""

import functools
import math

import torch

# All numbers as in optimizer_race.js.
KAPPA, BEND = 50, 10  # curvature across the valley; of the walls of the bending ravine
STEPS = 200
WIDTH, HEIGHT = 2.0, 1.5  # the map shows w1 in −2…2 and w2 in −1.5…1.5
FINISH, LIMIT = 1e-3, 1e6  # f below which a rule has arrived, above which it has diverged
LEVELS = [0.03, 0.1, 0.3, 1, 3, 10, 30, 100]
TURN = math.sqrt(0.5)  # cosine and sine of 45 degrees
STARTS = {
    "valley": [-1.7, 0.6],
    "rotated": [(-1.7 - 0.6) * TURN, (-1.7 + 0.6) * TURN],
    "saddle": [-1.6, 0.01],
    "bend": [-1.2, 1.2],
}
RULES = {  # name -> torch's optimizer with rate and momentum filled in
    "sgd": lambda w, lr, beta: torch.optim.SGD(w, lr),
    "momentum": lambda w, lr, beta: torch.optim.SGD(w, lr, beta),
    # torch refuses Nesterov without momentum, which is plain SGD.
    "nesterov": lambda w, lr, beta: torch.optim.SGD(w, lr, beta, nesterov=beta > 0),
    "rmsprop": lambda w, lr, beta: torch.optim.RMSprop(w, lr, alpha=0.99, eps=1e-8),
    "adam": lambda w, lr, beta: torch.optim.Adam(w, lr, (beta, 0.999), eps=1e-8),
    "adamw": lambda w, lr, beta: torch.optim.AdamW(w, lr, (beta, 0.999), weight_decay=0.01),
}


def surface_value(surface: str, w: torch.Tensor) -> torch.Tensor:
    """f of points w of shape (..., 2) -> (...).

    >>> surface_value("valley", torch.tensor([1.0, 1.0]))
    tensor(25.5000)
    """
    w1, w2 = w.unbind(-1)
    if surface == "saddle":
        return w1**2 + (w2**2 - 1) ** 2 / 2
    if surface == "bend":
        return ((1 - w1) ** 2 + BEND * (w2 - w1**2 + 0.5) ** 2) / 2
    if surface == "rotated":
        w1, w2 = TURN * (w1 + w2), TURN * (w2 - w1)
    return (w1**2 + KAPPA * w2**2) / 2


@functools.lru_cache(maxsize=64)  # the same paths are asked for again and again
def path(rule: str, surface: str, start: tuple, lr: float, beta: float) -> torch.Tensor:
    """Where the rule stands: float64 (STEPS + 1, 2), the first row is the start."""
    w = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer, points = RULES[rule]([w], lr, beta), [w.detach().clone()]
    for _ in range(STEPS):
        (w.grad,) = torch.autograd.grad(surface_value(surface, w), w)
        optimizer.step()
        points.append(w.detach().clone())
    return torch.stack(points)


def arrival(values: torch.Tensor) -> tuple[int | None, int | None]:
    """The step from which f stays below FINISH, and the one at which it has diverged."""
    wrong = (~(values <= LIMIT)).nonzero()  # written so that nan is among them
    if len(wrong):
        return None, int(wrong[0])
    above = (values >= FINISH).nonzero()
    settled = int(above[-1]) + 1 if len(above) else 0
    return (settled if settled < len(values) else None), None
