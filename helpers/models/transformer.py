"""Two Transformers that predict the next token: `GPT` as in GPT-2, and `Llama` as published later.

- Both map ids `(batch, time)` to logits `(batch, time, vocab_size)`, the scores of the token after
  each one, and look back at most `context` tokens.
- With a `Cache` they read only the new tokens; keys and values of the earlier ones are kept there.
- The parts of `GPT` carry the names of the published weights, those of `Llama` the names of
  `transformers`.
- Attention tensors are `(batch, heads, time, head_dim)`.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear, scaled_dot_product_attention, silu

INITIAL_SD = 0.02  # of all weights at the start; GPT-2's code has 0.01 for wpe


def attention_weights(queries: Tensor, keys: Tensor, mask: Tensor | None = None) -> Tensor:
    """How much each query takes from each key: rows that sum to 1. Built in chapter 10.

    `(…, n_queries, head_dim)` and `(…, n_keys, head_dim)` -> `(…, n_queries, n_keys)`. `mask` is
    True where a query may look.

    Source: Vaswani et al., "Attention is all you need" (2017), section 3.2.1, arXiv:1706.03762.
    """
    scores = queries @ keys.mT / math.sqrt(queries.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return scores.softmax(dim=-1)


def attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
    """A soft look-up: the weighted mean of the values, for each query. Built in chapter 10.

    `values` is `(…, n_keys, value_dim)`; the result is `(…, n_queries, value_dim)`.

    >>> attend(torch.randn(5, 8), torch.randn(7, 8), torch.randn(7, 3)).shape
    torch.Size([5, 3])
    """
    return attention_weights(queries, keys, mask) @ values


def causal_mask(n_queries: int, n_keys: int, device: torch.device | None = None) -> Tensor:
    """True where a query may look: at its own key and those before. Built in chapter 10.

    The queries belong to the last `n_queries` of the keys.

    >>> causal_mask(2, 3)
    tensor([[ True,  True, False],
            [ True,  True,  True]])
    """
    everywhere = torch.ones(n_queries, n_keys, dtype=torch.bool, device=device)
    return everywhere.tril(n_keys - n_queries)


def attend_back(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """`attend` under a causal mask, by torch's own function. Built in chapter 10.

    `(batch, heads, n_queries, head_dim)` and twice `(batch, kv_heads, n_keys, head_dim)` ->
    `(batch, heads, n_queries, head_dim)`; the queries belong to the last keys. There may be fewer
    heads of keys and values than of queries, each shared by a group of them.
    """
    n_queries, n_keys = queries.shape[-2], keys.shape[-2]
    from_start = n_queries == n_keys  # then torch makes the mask, which is faster
    mask = None if from_start else causal_mask(n_queries, n_keys, queries.device)
    shared = queries.shape[-3] != keys.shape[-3]
    return scaled_dot_product_attention(
        queries, keys, values, attn_mask=mask, is_causal=from_start, enable_gqa=shared
    )


def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """(batch, time, heads · head_dim) -> (batch, heads, time, head_dim). Built in chapter 10."""
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """(batch, heads, time, head_dim) -> (batch, time, heads · head_dim). Built in chapter 10."""
    return x.transpose(1, 2).flatten(2)


class Cache:
    """Keys and values of all tokens that were read, for each attention. Built in chapter 10.

    >>> cache = Cache()
    >>> model(ids, cache)[:, -1]  # reads all ids
    >>> model(next_id, cache)[:, -1]  # reads one more
    """

    def __init__(self):
        self.kept: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def __len__(self) -> int:
        """The number of tokens read, counted on the first attention that was kept."""
        return next((keys.shape[-2] for keys, _ in self.kept.values()), 0)

    def extend(self, attention: nn.Module, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Append new keys and values of one attention; return old and new together.

        `(batch, heads, time, head_dim)` each, or anything whose axis -2 is time:
        `modern.ShortConvolution` keeps its input twice.
        """
        if attention in self.kept:
            old_keys, old_values = self.kept[attention]
            keys, values = torch.cat([old_keys, keys], -2), torch.cat([old_values, values], -2)
        self.kept[attention] = keys, values
        return keys, values


def check_ids(ids: Tensor, start: int, context: int, vocab_size: int) -> None:
    """Raise TypeError or ValueError unless these ids can follow `start` others in the context."""
    if not isinstance(ids, Tensor) or ids.dtype not in (torch.int64, torch.int32):
        came = ids.dtype if isinstance(ids, Tensor) else type(ids).__name__
        raise TypeError(f"Token ids must be a tensor of whole numbers (torch.int64), not {came}.")
    if ids.ndim != 2 or ids.shape[1] == 0:
        raise ValueError(f"Token ids must be (batch, time), time > 0, not {tuple(ids.shape)}.")
    if start + ids.shape[1] > context:
        raise ValueError(
            f"{start + ids.shape[1]} tokens came, but this model has a context of {context}: "
            f"give it the last {context} only."
        )
    if len(ids) and not (ids.min() >= 0 and ids.max() < vocab_size):
        low, high = ids.min().item(), ids.max().item()
        raise ValueError(f"Token ids must be 0…{vocab_size - 1}, but these are {low}…{high}.")


def check_heads(hidden_dim: int, n_heads: int, n_kv_heads: int) -> None:
    """Raise ValueError unless the heads divide the width, and groups of queries share a key."""
    if hidden_dim % n_heads or n_heads % n_kv_heads:
        raise ValueError(
            f"n_heads must divide hidden_dim, and n_kv_heads must divide n_heads, "
            f"not {n_heads} {hidden_dim}, and {n_kv_heads} {n_heads}."
        )


def check_pairs(hidden_dim: int, n_heads: int) -> None:
    """Raise ValueError unless each head has pairs of numbers for rotary positions to turn."""
    if hidden_dim // n_heads % 2:
        raise ValueError(
            "Rotary positions turn pairs of numbers: hidden_dim divided by n_heads must be even, "
            f"not {hidden_dim // n_heads}."
        )


class SelfAttention(nn.Module):
    """Each token gathers from itself and those before, in `n_heads` ways. Built in chapter 10.

    `(batch, time, hidden_dim)` -> the same.
    """

    def __init__(self, hidden_dim: int, n_heads: int):
        super().__init__()
        check_heads(hidden_dim, n_heads, n_heads)
        self.n_heads = n_heads
        self.c_attn = nn.Linear(hidden_dim, 3 * hidden_dim)  # queries, keys, values in one product
        self.c_proj = nn.Linear(hidden_dim, hidden_dim)

    def forward(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        queries, keys, values = (
            split_heads(part, self.n_heads) for part in self.c_attn(x).chunk(3, dim=-1)
        )
        if cache is not None:
            keys, values = cache.extend(self, keys, values)
        return self.c_proj(join_heads(attend_back(queries, keys, values)))


class MLP(nn.Module):
    """The same small network for every token by itself. Built in chapter 10.

    `(batch, time, hidden_dim)` -> the same, by way of `4 · hidden_dim`.
    """

    def __init__(self, hidden_dim: int):
        super().__init__()
        self.c_fc = nn.Linear(hidden_dim, 4 * hidden_dim)
        self.c_proj = nn.Linear(4 * hidden_dim, hidden_dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.c_proj(gelu(self.c_fc(x), approximate="tanh"))


class Block(nn.Module):
    """Attention, then the MLP; each reads a normalised stream and adds to it. Built in chapter 10.

    Source: Radford et al., "Language models are unsupervised multitask learners" (2019), 2.3.
    """

    def __init__(self, hidden_dim: int, n_heads: int):
        super().__init__()
        self.ln_1, self.attn = nn.LayerNorm(hidden_dim), SelfAttention(hidden_dim, n_heads)
        self.ln_2, self.mlp = nn.LayerNorm(hidden_dim), MLP(hidden_dim)

    def forward(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        x = x + self.attn(self.ln_1(x), cache)
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    """The decoder-only Transformer of GPT-2, in any size. Built in chapter 10.

    >>> GPT(65, context=64, hidden_dim=128, n_layers=4, n_heads=4)(torch.zeros(2, 7).long()).shape
    torch.Size([2, 7, 65])

    Raises:
        TypeError, ValueError: ids that are no whole numbers, too many, or not in the vocabulary.

    Source: Radford et al. (2019), section 2.3.
    """

    def __init__(self, vocab_size: int, *, context: int, hidden_dim: int, n_layers: int,
                 n_heads: int):  # fmt: skip
        super().__init__()
        self.vocab_size, self.context = vocab_size, context
        self.wte = nn.Embedding(vocab_size, hidden_dim)  # what the token is
        self.wpe = nn.Embedding(context, hidden_dim)  # where it stands
        self.h = nn.ModuleList(Block(hidden_dim, n_heads) for _ in range(n_layers))
        self.ln_f = nn.LayerNorm(hidden_dim)
        self.apply(start_small)
        for block in self.h:  # 2 · n_layers parts add to the stream: keep its size
            for part in (block.attn, block.mlp):
                nn.init.normal_(part.c_proj.weight, std=INITIAL_SD / math.sqrt(2 * n_layers))

    def forward(self, ids: Tensor, cache: Cache | None = None) -> Tensor:
        start = 0 if cache is None else len(cache)
        check_ids(ids, start, self.context, self.vocab_size)
        positions = torch.arange(start, start + ids.shape[1], device=ids.device)
        x = self.wte(ids) + self.wpe(positions)  # (batch, time, hidden_dim)
        for block in self.h:
            x = block(x, cache)
        return linear(self.ln_f(x), self.wte.weight)  # the embedding again: tied weights


def start_small(module: nn.Module) -> None:
    """Draw the first weights from N(0, 0.02²); biases start at 0. Built in chapter 10."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=INITIAL_SD)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


class RMSNorm(nn.Module):
    """Divide each token's vector by its root mean square, then scale it. Built in chapter 10.

    `(…, hidden_dim)` -> the same.

    Source: Zhang and Sennrich, "Root mean square layer normalization" (2019), arXiv:1910.07467.
    """

    def __init__(self, hidden_dim: int, eps: float = 1e-5):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(hidden_dim)), eps

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps)


def rotary_table(n_positions: int, head_dim: int, base: float = 10_000.0) -> tuple[Tensor, Tensor]:
    """Cosine and sine `(n_positions, head_dim / 2)` of the angle of each pair. Built in chapter 10.

    Pair `i` turns by `base ** (−2i / head_dim)` from one position to the next.

    Source: Su et al., "RoFormer" (2021), equation 15, arXiv:2104.09864.
    """
    speeds = base ** (-torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
    angles = torch.arange(n_positions, dtype=torch.float64)[:, None] * speeds
    return angles.cos().float(), angles.sin().float()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair of coordinates by the angle of its position. Built in chapter 10.

    `(…, time, head_dim)` -> the same; coordinate `i` is paired with `i + head_dim / 2`, the layout
    of `transformers`. The paper and the files that Meta published pair neighbours.
    """
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


class GroupedAttention(nn.Module):
    """Attention with rotary positions, where a group of queries shares one key and value.

    `x` `(batch, time, hidden_dim)` -> the same; `cos` and `sin` are `(time, head_dim / 2)`.
    Built in chapter 10.

    Raises:
        ValueError: heads that do not divide the width, or whose width is odd.

    Source: Ainslie et al., "GQA" (2023), section 2.2, arXiv:2305.13245.
    """

    def __init__(self, hidden_dim: int, n_heads: int, n_kv_heads: int):
        super().__init__()
        check_heads(hidden_dim, n_heads, n_kv_heads)
        check_pairs(hidden_dim, n_heads)
        self.n_heads, self.n_kv_heads = n_heads, n_kv_heads
        kv_dim = hidden_dim // n_heads * n_kv_heads
        self.q_proj = nn.Linear(hidden_dim, hidden_dim, bias=False)
        self.k_proj = nn.Linear(hidden_dim, kv_dim, bias=False)
        self.v_proj = nn.Linear(hidden_dim, kv_dim, bias=False)
        self.o_proj = nn.Linear(hidden_dim, hidden_dim, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, cache: Cache | None = None) -> Tensor:
        queries = rotate(split_heads(self.q_proj(x), self.n_heads), cos, sin)
        keys = rotate(split_heads(self.k_proj(x), self.n_kv_heads), cos, sin)
        values = split_heads(self.v_proj(x), self.n_kv_heads)
        if cache is not None:
            keys, values = cache.extend(self, keys, values)
        return self.o_proj(join_heads(attend_back(queries, keys, values)))


class SwiGLU(nn.Module):
    """An MLP whose inner values are multiplied by a gate. Built in chapter 10.

    `(…, hidden_dim)` -> the same, by way of `mlp_dim`.

    Source: Shazeer, "GLU variants improve Transformer" (2020), equation 6, arXiv:2002.05202.
    """

    def __init__(self, hidden_dim: int, mlp_dim: int):
        super().__init__()
        self.gate_proj = nn.Linear(hidden_dim, mlp_dim, bias=False)
        self.up_proj = nn.Linear(hidden_dim, mlp_dim, bias=False)
        self.down_proj = nn.Linear(mlp_dim, hidden_dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(silu(self.gate_proj(x)) * self.up_proj(x))


class LlamaBlock(nn.Module):
    """Like `Block`, of Llama's parts. Built in chapter 10.

    `x` `(batch, time, hidden_dim)` -> the same; `cos` and `sin` are `(time, head_dim / 2)`.
    """

    def __init__(self, hidden_dim: int, n_heads: int, n_kv_heads: int, mlp_dim: int, eps: float):
        super().__init__()
        self.input_layernorm = RMSNorm(hidden_dim, eps)
        self.self_attn = GroupedAttention(hidden_dim, n_heads, n_kv_heads)
        self.post_attention_layernorm = RMSNorm(hidden_dim, eps)
        self.mlp = SwiGLU(hidden_dim, mlp_dim)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, cache: Cache | None = None) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, cache)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    """The decoder-only Transformer of the Llama family, in any size. Built in chapter 10.

    `mlp_dim` is the width inside the MLP, `base` and `eps` are those of `rotary_table` and
    `RMSNorm`. Its weights carry `transformers`' names, without their first word "model". A longer
    `context` needs no other weights, but beyond the one of the training it predicts poorly.

    >>> model = Llama(65, context=128, hidden_dim=96, n_layers=3, n_heads=4, n_kv_heads=2,
    ...               mlp_dim=256)

    Raises:
        TypeError, ValueError: as `GPT`.

    Source: Touvron et al., "LLaMA" (2023), section 2.2, arXiv:2302.13971.
    """

    def __init__(self, vocab_size: int, *, context: int, hidden_dim: int, n_layers: int,
                 n_heads: int, n_kv_heads: int, mlp_dim: int, base: float = 10_000.0,
                 eps: float = 1e-5):  # fmt: skip
        super().__init__()
        self.vocab_size, self.context = vocab_size, context
        self.embed_tokens = nn.Embedding(vocab_size, hidden_dim)
        self.layers = nn.ModuleList(
            LlamaBlock(hidden_dim, n_heads, n_kv_heads, mlp_dim, eps) for _ in range(n_layers)
        )
        self.norm = RMSNorm(hidden_dim, eps)
        self.apply(start_small)
        cos, sin = rotary_table(context, hidden_dim // n_heads, base)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def forward(self, ids: Tensor, cache: Cache | None = None) -> Tensor:
        start = 0 if cache is None else len(cache)
        check_ids(ids, start, self.context, self.vocab_size)
        here = slice(start, start + ids.shape[1])
        x = self.embed_tokens(ids)  # (batch, time, hidden_dim)
        for layer in self.layers:
            x = layer(x, self.cos[here], self.sin[here], cache)
        return linear(self.norm(x), self.embed_tokens.weight)
