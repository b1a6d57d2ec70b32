"""How weights move: optimisers and learning-rate schedules.

- Every optimiser is a `torch.optim.Optimizer`, so schedulers and checkpoints work with it.
- `UpdateRule` walks over the weights; a subclass says in `update` how one tensor `w` moves, given
  its gradient `g` and a dict `state` that belongs to this tensor and starts empty.
- A schedule is a function of the step and the number of steps; it gives the factor on the rate:
  `LambdaLR(optimizer, lambda step: warmup_cosine(step, steps, warmup=20))`.
"""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer


class UpdateRule(torch.optim.Optimizer):
    """Walk over all weights, and move each by `update`. Built in chapter 12.

    Raises:
        ValueError: the learning rate is not positive and finite.
    """

    def __init__(self, params: Iterable, **settings):
        super().__init__(params, settings)
        for lr in (group["lr"] for group in self.param_groups):
            if not 0 < lr < math.inf:
                raise ValueError(f"lr must be positive, such as 1e-3, not {lr!r}.")

    @torch.no_grad()
    def step(self) -> None:
        """Move every weight that has a gradient."""
        for group in self.param_groups:
            # torch adds "differentiable" when it loads a state; no rule has it.
            names = self.defaults.keys() - {"differentiable"}
            settings = {name: group[name] for name in names}
            for w in group["params"]:
                if w.grad is not None:
                    self.update(w, w.grad, self.state[w], **settings)


class SGD(UpdateRule):
    """Move against the gradient, or against its running sum `v`. Built in chapter 12.

    >>> SGD(model.parameters(), lr=0.1, momentum=0.9)

    Source: Sutskever et al., "On the importance of initialization and momentum" (2013), section 2,
    in the form of `torch.optim.SGD`.
    """

    def __init__(self, params: Iterable, lr: float, momentum: float = 0.0, nesterov: bool = False):
        super().__init__(params, lr=lr, momentum=momentum, nesterov=nesterov)

    def update(self, w, g, state, lr, momentum, nesterov):
        v = momentum * state.get("v", torch.zeros_like(w)) + g
        w -= lr * (g + momentum * v if nesterov else v)
        state["v"] = v


class RMSProp(UpdateRule):
    """Divide each entry of the gradient by its running size. Built in chapter 12.

    >>> RMSProp(model.parameters(), lr=1e-3)

    Source: Tieleman and Hinton, "Lecture 6.5" (2012), in the form of `torch.optim.RMSprop`.
    """

    def __init__(self, params: Iterable, lr: float, alpha: float = 0.99, eps: float = 1e-8):
        super().__init__(params, lr=lr, alpha=alpha, eps=eps)

    def update(self, w, g, state, lr, alpha, eps):
        s = alpha * state.get("s", torch.zeros_like(w)) + (1 - alpha) * g**2
        w -= lr * g / (s.sqrt() + eps)
        state["s"] = s


class Adam(UpdateRule):
    """Divide the gradient's running mean by its running size. Built in chapter 12.

    Both averages start at zero; dividing by `1 − beta ** t` corrects for it in step `t`.

    >>> Adam(model.parameters(), lr=1e-3)

    Source: Kingma and Ba, "Adam" (2015), algorithm 1, arXiv:1412.6980.
    """

    def __init__(self, params: Iterable, lr: float, betas=(0.9, 0.999), eps: float = 1e-8, **more):
        super().__init__(params, lr=lr, betas=betas, eps=eps, **more)

    def update(self, w, g, state, lr, betas, eps):
        t = state.get("t", 0) + 1
        m = betas[0] * state.get("m", torch.zeros_like(w)) + (1 - betas[0]) * g
        s = betas[1] * state.get("s", torch.zeros_like(w)) + (1 - betas[1]) * g**2
        mean, square = m / (1 - betas[0] ** t), s / (1 - betas[1] ** t)
        w -= lr * mean / (square.sqrt() + eps)
        state.update(t=t, m=m, s=s)


class AdamW(Adam):
    """Adam that first shrinks the weights, apart from the gradient. Built in chapter 12.

    >>> AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization" (2019), algorithm 2,
    arXiv:1711.05101, in the form of `torch.optim.AdamW`, where the decay is multiplied by `lr`.
    """

    def __init__(self, params: Iterable, lr: float, weight_decay: float = 0.01, **more):
        super().__init__(params, lr=lr, weight_decay=weight_decay, **more)

    def update(self, w, g, state, weight_decay, **settings):
        w *= 1 - settings["lr"] * weight_decay
        super().update(w, g, state, **settings)


def orthogonalize(matrix: Tensor, iterations: int = 5, dtype=torch.bfloat16) -> Tensor:
    """Bring the singular values of a matrix near 1, and keep its singular vectors.

    `(rows, columns)` -> the same shape; `dtype` is that of the sums. Each iteration maps every
    singular value σ to `a·σ + b·σ³ + c·σ⁵`. Five lead those above 1/500 of the matrix's norm into
    0.68…1.21 (in bfloat16, 0.65…1.25), and leave smaller ones below. Built in chapter 12.

    >>> orthogonalize(torch.randn(3, 5)).shape
    torch.Size([3, 5])

    Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024).
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix.mT if len(matrix) > len(matrix.mT) else matrix  # the smaller Gram matrix is cheaper
    x = x.to(dtype, copy=True)
    x /= x.norm().clamp(min=1e-7)  # now no singular value is larger than 1
    for _ in range(iterations):
        gram = x @ x.mT
        polynomial = torch.addmm(gram, gram, gram, beta=b, alpha=c)  # b·gram + c·gram @ gram
        x = torch.addmm(x, polynomial, x, beta=a)
    return (x.mT if len(matrix) > len(matrix.mT) else x).to(matrix.dtype)


class Together:
    """Several optimisers that step as one, each with weights of its own.

    >>> Together([Muon(matrices, lr=0.02), AdamW(others, lr=1e-3)]).step()
    """

    def __init__(self, optimizers: Sequence[Optimizer]):
        self.optimizers = list(optimizers)
        for group in self.param_groups:
            group.setdefault("initial_lr", group["lr"])  # what the schedule's factor is of

    @property
    def param_groups(self) -> list[dict]:
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def set_rates(self, factor: float) -> None:
        """Set each rate to its factor of the one that it began with."""
        for group in self.param_groups:
            group["lr"] = group["initial_lr"] * factor

    def zero_grad(self) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad()

    def step(self) -> None:
        for optimizer in self.optimizers:
            optimizer.step()

    def state_dict(self) -> dict:
        return {"optimizers": [optimizer.state_dict() for optimizer in self.optimizers]}

    def load_state_dict(self, state: dict) -> None:
        for optimizer, its_state in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(its_state)


class Muon(UpdateRule):
    """Move a weight matrix by the orthogonalised running mean of its gradient. Built in chapter 12.

    Only for matrices; give biases, embeddings and output layers to AdamW.

    >>> Muon([model.hidden.weight], lr=0.02)

    Raises:
        ValueError: a weight that is no matrix.

    Source: Jordan et al. (2024), in the form of `torch.optim.Muon`.
    """

    def __init__(self, params: Iterable, lr: float, momentum=0.95, weight_decay=0.1):
        super().__init__(params, lr=lr, momentum=momentum, weight_decay=weight_decay)
        for w in (w for group in self.param_groups for w in group["params"]):
            if w.ndim != 2:
                raise ValueError(f"Muon moves matrices, not shape {tuple(w.shape)}.")

    def update(self, w, g, state, lr, momentum, weight_decay):
        m = momentum * state.get("m", torch.zeros_like(w)) + (1 - momentum) * g
        direction = orthogonalize((1 - momentum) * g + momentum * m)  # looks ahead, as Nesterov's
        rows, columns = w.shape
        w *= 1 - lr * weight_decay
        w -= lr * math.sqrt(max(1, rows / columns)) * direction
        state["m"] = m


def warmup_cosine(step: int, steps: int, warmup: int = 0) -> float:
    """Return the factor on the peak rate: rising for `warmup` steps, then half a cosine to zero.

    From step `steps` on (a scheduler asks for one more than there are) the factor is zero. Built in
    chapter 12.

    >>> [warmup_cosine(step, 6, warmup=2) for step in range(6)]
    [0.5, 1.0, 1.0, 0.853..., 0.5, 0.146...]

    Source: Loshchilov and Hutter, "SGDR" (2017), equation 5, without restarts, arXiv:1608.03983.
    """
    if step < warmup:
        return (step + 1) / warmup
    if step >= steps:
        return 0.0
    return (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) / 2


def one_cycle(step: int, steps: int, rise: float = 0.3) -> float:
    """Return the factor on the peak rate: from 1/25 up to 1 and down to 1/250,000, by half cosines.

    The share `rise` of the steps, at least 0 and less than 1, goes up; after the last step the
    factor stays where it is. Built in chapter 12.

    Raises:
        ValueError: `rise` outside 0…1, or no step.

    >>> [one_cycle(step, 11) for step in (0, 10)]
    [0.04, 4e-06]

    Source: Smith and Topin, "Super-convergence" (2018), arXiv:1708.07120, with the defaults of
    `torch.optim.lr_scheduler.OneCycleLR`.
    """
    if steps < 1 or not 0 <= rise < 1:
        raise ValueError(f"Expected steps >= 1 and 0 <= rise < 1, not {steps}, {rise}.")
    low, end, top = 1 / 25, 1 / 250_000, rise * steps - 1  # `top`: the step of the peak
    if step < top:
        return 1 + (low - 1) * (1 + math.cos(math.pi * step / top)) / 2
    fallen = min((step - top) / (steps - 1 - top), 1.0)
    return end + (1 - end) * (1 + math.cos(math.pi * fallen)) / 2
