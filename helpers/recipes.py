"""How the language models of the command line are made and trained: one recipe per kind.

Source of the classic one: Karpathy, "nanoGPT" (2022), its small run on one processor.
"""

import argparse
import math
from collections.abc import Callable
from typing import NamedTuple

from torch import nn
from torch.optim import AdamW, Optimizer

from helpers.models.transformer import GPT, Llama
from helpers.optim import warmup_cosine


class Recipe(NamedTuple):
    """How one kind of model is made and trained."""

    model: Callable[[int, argparse.Namespace], nn.Module]  # vocabulary's size, options
    optimizers: Callable[[nn.Module, float], list[Optimizer]]  # the model, --lr
    schedule: Callable[[int, int], float]  # step, steps
    clip_norm: float | None  # the bound on the norm of all gradients together
    usual: dict  # options that this kind has otherwise than `pretrain_options.DEFAULTS`


def gpt(vocab_size: int, options: argparse.Namespace) -> GPT:
    """GPT-2's form, as wide and deep as the options say."""
    return GPT(vocab_size, context=options.context, hidden_dim=options.width,
               n_layers=options.layers, n_heads=options.heads)  # fmt: skip


def llama(vocab_size: int, options: argparse.Namespace) -> Llama:
    """Llama's form: its MLP has three matrices, so each is 8/3 as wide for the same count as GPT's.

    Pairs of heads share keys and values, where their number is even.
    """
    shared = 2 - options.heads % 2
    return Llama(vocab_size, context=options.context, hidden_dim=options.width,
                 n_layers=options.layers, n_heads=options.heads,
                 n_kv_heads=options.heads // shared,
                 mlp_dim=math.ceil(options.width * 8 / 3 / 8) * 8)  # fmt: skip


def adamw(model: nn.Module, lr: float) -> list[Optimizer]:
    """One AdamW that shrinks matrices, and leaves norms and biases as they are."""
    matrices = [w for w in model.parameters() if w.ndim >= 2]
    others = [w for w in model.parameters() if w.ndim < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    return [AdamW(groups, lr=lr, betas=(0.9, 0.99))]


def classic_schedule(step: int, steps: int) -> float:
    """Up in 100 steps (in short runs 5 % of them), then half a cosine down to a tenth."""
    warmup = min(100, steps // 20)
    factor = warmup_cosine(step, steps, warmup)
    return factor if step < warmup else 0.1 + 0.9 * factor


# One line per kind of --model.
RECIPES = {
    "gpt": Recipe(gpt, adamw, classic_schedule, 1.0, {}),
    "llama": Recipe(llama, adamw, classic_schedule, 1.0, {}),
}
