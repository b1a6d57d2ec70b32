"""How the language models of the command line are made and trained: one recipe per kind.

What was chosen for `gpt` and `modern` stands in `helpers.language_recipes`; here options may change
it.

Source of the classic one: Karpathy, "nanoGPT" (2022), its small run on one processor.
"""

import argparse
import math
from collections.abc import Callable
from typing import NamedTuple

from torch import nn
from torch.optim import Optimizer

from helpers import language_recipes
from helpers.language_recipes import PLAIN, classic_optimizers, optimizers_for
from helpers.models.modern import ModernGPT
from helpers.models.transformer import GPT, Llama


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


def modern(vocab_size: int, options: argparse.Namespace) -> ModernGPT:
    """Chapter 13's fast plain Transformer; `options.half` says whether in bfloat16."""
    switches = {**PLAIN.switches, "half": options.half}
    return ModernGPT(vocab_size, context=options.context, hidden_dim=options.width,
                     n_layers=options.layers, n_heads=options.heads, **switches)  # fmt: skip


def muon_and_adamw(model: nn.Module, lr: float) -> list[Optimizer]:
    """Muon for the matrices in the blocks, at five times the rate of AdamW for the rest."""
    return optimizers_for(model, muon_lr=5 * lr, adam_lr=lr)


def fast_schedule(step: int, steps: int) -> float:
    """The fast recipe's, of whole steps."""
    return PLAIN.schedule(step / steps)


def classic_schedule(step: int, steps: int) -> float:
    """Up in the first 5 % of the steps, then half a cosine down to a tenth."""
    return language_recipes.classic_schedule((step + 1) / steps)


# One line per kind of --model.
RECIPES = {
    "gpt": Recipe(gpt, classic_optimizers, classic_schedule, 1.0, {}),
    "modern": Recipe(
        modern,
        muon_and_adamw,
        fast_schedule,
        PLAIN.clip_norm,
        {
            "layers": PLAIN.shape["n_layers"],
            "context": PLAIN.context,
            "batch": PLAIN.batch_size,
            "lr": 6e-3,  # of AdamW; a test holds it and Muon's to `PLAIN.optimizers`
        },
    ),
    "llama": Recipe(llama, classic_optimizers, classic_schedule, 1.0, {}),
}
