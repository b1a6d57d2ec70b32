"""One Transformer with switches: from GPT-2's to one that learns several times as fast.

- With every switch off, `ModernGPT` is `helpers.models.transformer.GPT`, weight names included.
- Each switch is one rung of chapter 13's ladder. All but the short convolution leave it a plain
  Transformer: attention and MLP blocks that add to one stream.
- Attention tensors are `(batch, heads, time, head_dim)`.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear, pad

from helpers.models.transformer import (
    Cache,
    attend_back,
    causal_mask,
    check_heads,
    check_ids,
    join_heads,
    rotary_table,
    split_heads,
    start_small,
)

WIDTH = 3  # tokens that the short convolution sees


@dataclass(frozen=True)
class Switches:
    """What `ModernGPT` does otherwise than GPT-2. Built in chapter 13."""

    rotary: bool = False  # positions turn queries and keys, instead of being added at the bottom
    rms_norm: bool = False  # norms divide by the root mean square only; no bias or gain anywhere
    qk_norm: bool = False  # queries and keys have root mean square 1
    squared_relu: bool = False  # relu(x)² in the MLP
    zero_init: bool = False  # blocks add nothing at the start; the head has its own weights, zero
    value_embedding: bool = False  # each block adds a vector of the token itself to its values
    short_convolution: bool = False  # what attention reads mixes each token with the two before
    half: bool = False  # matrix products in bfloat16; weights and the stream stay in float32


class UnitRMS(torch.autograd.Function):
    """Divide vectors `(…, hidden_dim)` by their root mean square, gradient included.

    `torch.nn.functional.rms_norm` is the same; on a processor it takes two to three times as long,
    because torch has no kernel of its own there.
    """

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        size = torch.linalg.vector_norm(x, dim=-1, keepdim=True) / math.sqrt(x.shape[-1])
        scale = (size + 1e-6).reciprocal()
        y = x * scale
        ctx.save_for_backward(y, scale)
        return y

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        y, scale = ctx.saved_tensors
        along = (grad * y).mean(dim=-1, keepdim=True)  # a longer x changes nothing: leave it out
        return (grad - y * along) * scale


class Norm(nn.LayerNorm):
    """LayerNorm, or the root mean square alone, without weights: `(…, hidden_dim)` -> the same."""

    def __init__(self, hidden_dim: int, rms_norm: bool):
        super().__init__(hidden_dim, elementwise_affine=not rms_norm)
        self.rms_norm = rms_norm

    def forward(self, x: Tensor) -> Tensor:
        return UnitRMS.apply(x) if self.rms_norm else super().forward(x)


class Product(nn.Linear):
    """A linear layer that multiplies in bfloat16 where `half` is on.

    `(…, in_features)` -> `(…, out_features)`, which is in bfloat16 then.
    """

    def __init__(self, in_features: int, out_features: int, switches: Switches):
        super().__init__(in_features, out_features, bias=not switches.rms_norm)
        self.half_precision = switches.half

    def forward(self, x: Tensor) -> Tensor:
        if not self.half_precision:
            return super().forward(x)
        bias = None if self.bias is None else self.bias.bfloat16()
        return linear(x.bfloat16(), self.weight.bfloat16(), bias)


def at_least_float32(x: Tensor) -> Tensor:
    """x itself in float64, else in float32."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def turn(x: Tensor, phases: Tensor) -> Tensor:
    """Rotary positions as a product of complex numbers, neighbours in pairs.

    `x` is `(…, time, head_dim)`, `phases` complex `(time, head_dim / 2)`. `transformer.rotate`
    pairs `i` with `i + head_dim / 2` instead: the same for a model that learns its own weights,
    and slower.
    """
    pairs = torch.view_as_complex(at_least_float32(x).unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * phases).flatten(-2)


def attend_back_half(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """`attend_back` by hand: without a GPU torch's own is slower in bfloat16.

    The same shapes, with as many heads of keys as of queries.
    `baddbmm` adds the mask and the scale to the product, without one more pass over the scores.
    """
    n_queries, n_keys = queries.shape[-2], keys.shape[-2]
    allowed = causal_mask(n_queries, n_keys, queries.device)
    mask = torch.zeros_like(allowed, dtype=queries.dtype).masked_fill_(~allowed, -math.inf)
    flat_queries, flat_keys, flat_values = (x.flatten(0, 1) for x in (queries, keys, values))
    scale = 1 / math.sqrt(queries.shape[-1])
    scores = torch.baddbmm(mask, flat_queries, flat_keys.mT, alpha=scale)
    return (scores.softmax(dim=-1) @ flat_values).unflatten(0, queries.shape[:2])


class ShortConvolution(nn.Module):
    """A weighted sum of each token and the two before, channel by channel. Built in chapter 13.

    `(batch, time, hidden_dim)` -> the same. It starts as the identity.

    Source: So et al., "Primer" (2021), arXiv:2109.08668, there after the projections.
    """

    def __init__(self, hidden_dim: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(WIDTH, hidden_dim))
        nn.init.ones_(self.weight[-1])

    def forward(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        time = x.shape[1]
        past = x if cache is None else cache.extend(self, x, x)[0]
        past = pad(past, (0, 0, WIDTH - 1, 0))[:, -(time + WIDTH - 1) :]  # zeros before the start
        return sum(past[:, i : i + time] * self.weight[i].to(x.dtype) for i in range(WIDTH))


class ModernAttention(nn.Module):
    """`transformer.SelfAttention` with switches. Built in chapter 13.

    `x` `(batch, time, hidden_dim)` -> the same; `ids` are `(batch, time)`, `phases` complex
    `(time, head_dim / 2)`.
    """

    def __init__(self, vocab_size: int, hidden_dim: int, n_heads: int, switches: Switches):
        super().__init__()
        check_heads(hidden_dim, n_heads, n_heads)
        self.n_heads, self.switches = n_heads, switches
        self.c_attn = Product(hidden_dim, 3 * hidden_dim, switches)
        self.c_proj = Product(hidden_dim, hidden_dim, switches)
        self.convolution = ShortConvolution(hidden_dim) if switches.short_convolution else None
        self.token_values = (
            nn.Embedding(vocab_size, hidden_dim) if switches.value_embedding else None
        )

    def forward(
        self, x: Tensor, ids: Tensor, phases: Tensor | None, cache: Cache | None = None
    ) -> Tensor:
        if self.convolution is not None:
            x = self.convolution(x, cache)
        queries, keys, values = self.c_attn(x).chunk(3, dim=-1)
        if self.token_values is not None:
            values = values + self.token_values(ids).to(values.dtype)
        queries, keys, values = (
            split_heads(part, self.n_heads) for part in (queries, keys, values)
        )
        queries, keys = self.norm_and_turn(queries, keys, phases)
        if cache is not None:
            keys, values = cache.extend(self, keys, values)
        by_hand = self.switches.half and not x.is_cuda
        attended = (attend_back_half if by_hand else attend_back)(queries, keys, values)
        return self.c_proj(join_heads(attended))

    def norm_and_turn(
        self, queries: Tensor, keys: Tensor, phases: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Norm and turn queries and keys, both together: that takes half the calls."""
        if not self.switches.qk_norm and phases is None:
            return queries, keys
        both = at_least_float32(torch.stack([queries, keys]))
        if self.switches.qk_norm:
            both = UnitRMS.apply(both)
        if phases is not None:
            both = turn(both, phases)
        queries, keys = both.to(queries.dtype)
        return queries, keys


class ModernMLP(nn.Module):
    """`transformer.MLP`, or with a squared ReLU. Built in chapter 13.

    `(…, hidden_dim)` -> the same, by way of `4 · hidden_dim`.

    Source: So et al., "Primer" (2021), arXiv:2109.08668.
    """

    def __init__(self, hidden_dim: int, switches: Switches):
        super().__init__()
        self.c_fc = Product(hidden_dim, 4 * hidden_dim, switches)
        self.c_proj = Product(4 * hidden_dim, hidden_dim, switches)
        self.squared_relu = switches.squared_relu

    def forward(self, x: Tensor) -> Tensor:
        inner = self.c_fc(x)
        if not self.squared_relu:
            return self.c_proj(gelu(inner, approximate="tanh"))
        inner = inner.relu()
        return self.c_proj(inner * inner)  # `square` takes longer


class ModernBlock(nn.Module):
    """Attention, then the MLP; each adds to the stream. Built in chapter 13.

    `x` `(batch, time, hidden_dim)` -> the same; `ids` and `phases` as for `ModernAttention`.
    """

    def __init__(self, vocab_size: int, hidden_dim: int, n_heads: int, switches: Switches):
        super().__init__()
        self.ln_1 = Norm(hidden_dim, switches.rms_norm)
        self.attn = ModernAttention(vocab_size, hidden_dim, n_heads, switches)
        self.ln_2 = Norm(hidden_dim, switches.rms_norm)
        self.mlp = ModernMLP(hidden_dim, switches)

    def forward(
        self, x: Tensor, ids: Tensor, phases: Tensor | None, cache: Cache | None = None
    ) -> Tensor:
        x = x + self.attn(self.ln_1(x), ids, phases, cache)
        return x + self.mlp(self.ln_2(x))


class ModernGPT(nn.Module):
    """A decoder-only Transformer, from GPT-2's to a fast learner. Built in chapter 13.

    `switches` are those of `Switches`; without any it is `transformer.GPT`. It may read fewer
    tokens than `context`. With rotary positions weights of one context load into any other; beyond
    the one of their training they predict poorly.

    >>> model = ModernGPT(65, context=128, hidden_dim=128, n_layers=3, n_heads=4, rotary=True)
    >>> model(torch.zeros(2, 7).long()).shape
    torch.Size([2, 7, 65])

    Raises:
        TypeError: a switch that does not exist.
        TypeError, ValueError: ids that are no whole numbers, too many, or not in the vocabulary.

    Source: the parts are those of Jordan et al., "Modded-NanoGPT" (2024),
    <https://github.com/KellerJordan/modded-nanogpt>.
    """

    def __init__(self, vocab_size: int, *, context: int, hidden_dim: int, n_layers: int,
                 n_heads: int, **switches: bool):  # fmt: skip
        super().__init__()
        self.vocab_size, self.context = vocab_size, context
        self.switches = on = Switches(**switches)
        self.wte = nn.Embedding(vocab_size, hidden_dim)
        self.wpe = None if on.rotary else nn.Embedding(context, hidden_dim)
        self.h = nn.ModuleList(
            ModernBlock(vocab_size, hidden_dim, n_heads, on) for _ in range(n_layers)
        )
        self.ln_f = Norm(hidden_dim, on.rms_norm)
        self.lm_head = Product(hidden_dim, vocab_size, on) if on.zero_init else None
        self.apply(start_small)
        start_blocks(self)
        phases = torch.complex(*rotary_table(context, hidden_dim // n_heads))
        self.register_buffer("phases", phases if on.rotary else None, persistent=False)

    def forward(self, ids: Tensor, cache: Cache | None = None) -> Tensor:
        start = 0 if cache is None else len(cache)
        check_ids(ids, start, self.context, self.vocab_size)
        here = slice(start, start + ids.shape[1])
        x = self.wte(ids)  # (batch, time, hidden_dim), float32 all the way up
        if self.wpe is not None:
            x = x + self.wpe.weight[here]
        phases = self.phases[here] if self.wpe is None else None
        for block in self.h:
            x = block(x, ids, phases, cache)
        x = self.ln_f(x)
        return (
            linear(x, self.wte.weight)
            if self.lm_head is None
            else at_least_float32(self.lm_head(x))
        )


def start_blocks(model: ModernGPT) -> None:
    """Draw the weights of the blocks: as in GPT-2, or so that they add nothing at first.

    Then the stream of the first step is the embedding, drawn from N(0, 1). In that step only the
    head has a gradient, in the second also the last matrices of the blocks and the embedding, in
    the third all. Built in chapter 13.

    Source: Zhang et al., "Fixup initialization" (2019), section 3, arXiv:1901.09321.
    """
    zero = model.switches.zero_init
    last = [part.c_proj for block in model.h for part in (block.attn, block.mlp)]
    first = [part for block in model.h for part in (block.attn.c_attn, block.mlp.c_fc)]
    for part in last:
        nn.init.normal_(part.weight, std=0.0 if zero else 0.02 / math.sqrt(2 * len(model.h)))
    if zero:
        nn.init.normal_(model.wte.weight)
        nn.init.zeros_(model.lm_head.weight)
        for part in first:
            nn.init.normal_(part.weight, std=part.in_features**-0.5 / math.sqrt(3))
    for block in model.h if model.switches.value_embedding else []:
        nn.init.zeros_(block.attn.token_values.weight)
