"""Checks of chapter 10, the Transformer."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from helpers.exercises import Wrong, ask, compare, random_cases, same_tensor


def window_mask(answer):
    """`window_mask(n, width)`: each token sees itself and the `width - 1` tokens before it."""
    cases = [{"n": 5, "width": 2}, {"n": 4, "width": 1}, {"n": 3, "width": 8}]
    cases += random_cases(20, n=(1, 9), width=(1, 10))
    compare(answer, _window(), cases, WINDOW_MISTAKES, _same_mask)
    return (
        "Memory and work grow with n · width now, and no longer with n². What lies further back "
        "still arrives, one width per layer: after L layers from L · (width − 1) tokens back."
    )


def alibi(answer):
    """`alibi(n_heads, n)`: what is added to the scores instead of positions."""
    cases = [{"n_heads": 2, "n": 3}, {"n_heads": 8, "n": 4}]
    cases += random_cases(10, n_heads=(1, 9), n=(1, 7))
    compare(answer, _alibi(), cases, ALIBI_MISTAKES, same_tensor)
    return (
        "The first heads look at near tokens only, the last ones far back. No position is learned; "
        "its authors report that a model reads longer texts with it than those of its training."
    )


def cache_bytes(answer):
    """`cache_bytes(n_layers, n_heads, n_kv_heads, hidden_dim, time)`: of keys and values."""
    cases = [{"n_layers": 30, "n_heads": 9, "n_kv_heads": 3, "hidden_dim": 576, "time": 2048}]
    for case in random_cases(20, layers=(1, 40), groups=(2, 4), kv=(2, 8), d=(5, 9), time=(1, 99)):
        heads = case["groups"] * case["kv"]
        cases.append(
            {
                "n_layers": case["layers"],
                "n_heads": heads,
                "n_kv_heads": case["kv"],
                "hidden_dim": 16 * case["d"] * heads,
                "time": case["time"],
            }
        )
    compare(answer, _cache_bytes(), cases, CACHE_MISTAKES, _same_number)
    return (
        "Queries are not kept: no later token asks for them. A third of the heads for keys and "
        "values is a third of the memory, and of what is read again for each new token."
    )


def min_p(answer):
    """`min_p(probabilities, share)`: keep what reaches a share of the largest."""
    cases = [{"probabilities": torch.tensor([0.5, 0.3, 0.15, 0.05]), "share": 0.25}]
    for case in random_cases(30, size=(3, 7), share=(1, 9), seed=(0, 10**6)):
        cases.append({"probabilities": _drawn(**case), "share": case["share"] / 10})
    cases.append({"probabilities": torch.tensor([0.5, 0.25, 0.25]), "share": 0.5})
    compare(answer, _min_p(), cases, MIN_P_MISTAKES, same_tensor)
    return (
        "Where the model is sure, little is kept; where it wavers, much. top-p bounds what is cut "
        "off in all, min-p what a single token may fall behind the best."
    )


def attend_in_pieces(answer):
    """`attend_in_pieces(queries, keys, values, size)`: `attend`, some keys at a time."""
    cases = [_attention(3, 4, 2, seed=0), _attention(2, 7, 3, seed=1)]
    for case in random_cases(12, queries=(1, 4), keys=(1, 9), size=(1, 4), seed=(2, 10**6)):
        cases.append(_attention(case["queries"], case["keys"], case["size"], seed=case["seed"]))
    compare(answer, _pieces(), cases, PIECES_MISTAKES, _same_finite)
    large = [_attention(2, 6, 2, seed=5, scale=60.0), _attention(2, 6, 2, seed=6, scale=60.0)]
    compare(answer, _pieces(), large, OVERFLOW_MISTAKES, _same_finite)
    _check_pieces(answer)
    return (
        "Three running numbers for each query suffice: the largest score, the sum, the weighted "
        "sum. When the largest grows, what was summed shrinks by the same factor. Fast programs "
        "for attention do this, and never hold the n × n scores."
    )


# 1. The window.


def _window(
    width: Callable[[int], int] = lambda width: width, ahead: bool = False, flip: bool = False
) -> Callable:
    def window(n, width_):
        back = torch.arange(n)[:, None] - torch.arange(n)
        seen = (back < width(width_)) & (back > -width(width_) if ahead else back >= 0)
        return ~seen if flip else seen

    return lambda n, width: window(n, width)


def _same_mask(result: Any, wanted: Tensor) -> bool:
    return isinstance(result, Tensor) and result.dtype == torch.bool and torch.equal(result, wanted)


WINDOW_MISTAKES = [
    (_window(flip=True), "True must stand where a query may look; this is the other way round."),
    (_window(ahead=True), "the window reaches forward too; nobody may look at a later token."),
    (_window(lambda width: width + 1), "one too wide: the token itself is one of the `width`."),
    (
        _window(lambda width: width - 1),
        "one too narrow: `width` tokens with the token itself.",
    ),
    (_window(lambda width: 10**6), "this is the causal mask; the far past is still seen."),
    (
        lambda n, width: _window()(n, width).T,
        "rows and columns have changed places: a row belongs to a query.",
    ),
    (
        lambda n, width: _window()(n, width) & ~torch.eye(n, dtype=torch.bool),
        "a token may look at itself; a row without any True has no softmax.",
    ),
]


# 2. ALiBi.


def _alibi(
    slope: Callable[[int, int], float] = lambda h, n_heads: 2 ** (-8 * h / n_heads),
    first: int = 1,
    sign: int = -1,
    masked: bool = True,
) -> Callable:
    def bias(n_heads, n):
        slopes = torch.tensor([slope(h, n_heads) for h in range(first, first + n_heads)])
        back = torch.arange(n)[:, None] - torch.arange(n)
        bias = sign * slopes[:, None, None] * back
        return bias.masked_fill(back < 0, -math.inf) if masked else bias

    return bias


ALIBI_MISTAKES = [
    (_alibi(sign=1), "the sign: what lies far back must lose score, not gain."),
    (_alibi(first=0), "heads are counted from 1: the first slope is 2^(−8/n_heads), not 1."),
    (_alibi(masked=False), "later tokens need −∞; without it they even gain."),
    (
        lambda n_heads, n: _alibi()(n_heads, n).nan_to_num(neginf=0.0),
        "a 0 on the score of a later token lets it be seen; −∞ hides it.",
    ),
    (_alibi(lambda h, n_heads: 2**-h), "with n_heads heads the exponent is −8·h / n_heads."),
    (_alibi(lambda h, n_heads: 2 ** (-8 / n_heads)), "each head h has a slope of its own."),
    (
        lambda n_heads, n: _alibi()(n_heads, n)[0],
        "one matrix came; there is one for each head.",
    ),
    (
        lambda n_heads, n: _alibi()(n_heads, n).flip(0),
        "the heads are in reverse order: the first has the steepest slope.",
    ),
]


# 3. The cache.


def _cache_bytes(factor: Callable[..., float] = lambda heads, kv, d: 1) -> Callable:
    """The right number, times a factor from n_heads, n_kv_heads and the head's width."""

    def count(n_layers, n_heads, n_kv_heads, hidden_dim, time):
        right = 2 * n_layers * time * n_kv_heads * (hidden_dim // n_heads) * 2
        return right * factor(n_heads, n_kv_heads, hidden_dim // n_heads)

    return count


CACHE_MISTAKES = [
    (_cache_bytes(lambda heads, kv, d: 1 / 2), "half: keys and values are kept, or 2 bytes each."),
    (_cache_bytes(lambda heads, kv, d: 1 / 4), "these are the keys' numbers; values, and 2 bytes."),
    (_cache_bytes(lambda heads, kv, d: 2), "twice too much: 16 bits are 2 bytes, not 4."),
    (_cache_bytes(lambda heads, kv, d: 8), "these are bits; 8 of them are a byte."),
    (_cache_bytes(lambda heads, kv, d: heads / kv), "groups of queries share keys: n_kv_heads."),
    (
        _cache_bytes(lambda heads, kv, d: heads),
        "each head has hidden_dim / n_heads numbers, not hidden_dim.",
    ),
    (_cache_bytes(lambda heads, kv, d: 3 / 2), "queries are not kept: keys and values only."),
    (_cache_bytes(lambda heads, kv, d: 1 / kv), "the keys of every head are kept, n_kv_heads."),
    (
        lambda n_layers, n_heads, n_kv_heads, hidden_dim, time: (
            _cache_bytes()(n_layers, n_heads, n_kv_heads, hidden_dim, time) // n_layers
        ),
        "this is one layer; each of them keeps its own.",
    ),
]


def _same_number(result: Any, wanted: float) -> bool:
    return isinstance(result, int | float) and not isinstance(result, bool) and result == wanted


# 4. min-p.


def _drawn(size: int, share: int, seed: int) -> Tensor:
    """Probabilities that no threshold hits by chance, in hundredths of the largest."""
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.randint(5, 95, (size,), generator=generator) + math.sqrt(0.2)
    sizes[seed % size] = 100
    return sizes / sizes.sum()


def _min_p(keep: Callable | None = None, divide: bool = True) -> Callable:
    keep = keep or (lambda p, share: p >= share * p.max())

    def kept(probabilities, share):
        kept = probabilities * keep(probabilities, share)
        return kept / kept.sum() if divide else kept

    return kept


def _top_p(p: Tensor, share: float) -> Tensor:
    values, order = p.sort(descending=True)
    before = values.cumsum(0) - values
    return torch.zeros_like(p, dtype=torch.bool).scatter(0, order, before < share)


def _without_zeros(p: Tensor) -> Tensor:
    return p[p > 0]


MIN_P_MISTAKES = [
    (_min_p(divide=False), "what is kept does not add up to 1 any more; divide by its sum."),
    (
        lambda probabilities, share: _min_p(divide=False)(probabilities, share).softmax(0),
        "these are probabilities already: divide by the sum; a softmax changes their ratios.",
    ),
    (_min_p(lambda p, share: p >= share), "the limit is a share of the largest, not a number."),
    (_min_p(lambda p, share: p > share * p.max()), "what just reaches the limit is kept: >=."),
    (_min_p(_top_p), "this is top-p, which adds probabilities up; compare each with the largest."),
    (_min_p(lambda p, share: p <= share * p.max()), "the unlikely ones are kept here."),
    (_min_p(lambda p, share: p >= p.max()), "only the likeliest is left; the share decides."),
    (_min_p(lambda p, share: p >= share * p.mean()), "a share of the mean; take the largest."),
    (
        lambda probabilities, share: _without_zeros(_min_p()(probabilities, share)),
        "the result is shorter than the vocabulary; cut tokens stay, with 0.",
    ),
]


# 5. In pieces.


def _attention(
    n_queries: int, n_keys: int, size: int, seed: int, scale: float = 1.0
) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(seed)
    queries, keys, values = (
        torch.randn(n, 3, generator=generator) for n in (n_queries, n_keys, n_keys)
    )
    return {"queries": scale * queries, "keys": scale * keys, "values": values, "size": size}


def _pieces(scaled: bool = True, stable: bool = True, how: str = "sum") -> Callable:
    """Attention in pieces; `how` the pieces are joined, and `stable`: the largest is taken off."""

    def attend(queries, keys, values, size):
        scores = queries @ keys.T / (math.sqrt(queries.shape[-1]) if scaled else 1)
        parts, inner = scores.split(size, 1), values.split(size)
        if how == "mean":
            return sum(p.softmax(1) @ v for p, v in zip(parts, inner, strict=True)) / len(parts)
        if how == "rows":
            outs = [p.softmax(1) @ v * len(v) for p, v in zip(parts, inner, strict=True)]
            return sum(outs) / len(keys)
        if how == "last":
            return parts[-1].softmax(1) @ inner[-1]
        if how == "whole":
            whole = len(keys) // size * size or len(keys)
            return scores[:, :whole].softmax(1) @ values[:whole]
        if how == "own":
            parts = [p - p.amax(1, keepdim=True) for p in parts]
            total = sum(p.exp().sum(1, keepdim=True) for p in parts)
            return sum(p.exp() @ v for p, v in zip(parts, inner, strict=True)) / total
        shifted = scores - scores.amax(1, keepdim=True) if stable else scores
        return shifted.exp() @ values / shifted.exp().sum(1, keepdim=True)

    return attend


PIECES_MISTAKES = [
    (
        _pieces(how="mean"),
        "each piece has a softmax of its own here; one with larger scores must count for more.",
    ),
    (_pieces(how="rows"), "pieces count by their number of keys; they must count by their sums."),
    (_pieces(how="last"), "only the last piece is left; what was summed before must be kept."),
    (_pieces(how="whole"), "the last, smaller piece is left out."),
    (
        _pieces(how="own"),
        "each piece takes off its own largest score; all must be brought to the same one.",
    ),
    (_pieces(scaled=False), "the scores are not divided by the root of head_dim."),
]
OVERFLOW_MISTAKES = [
    (
        _pieces(stable=False),
        "right for small scores, but exp of a large one overflows: take the largest off first.",
    ),
]


def _same_finite(result: Any, wanted: Tensor) -> bool:
    return same_tensor(result, wanted)


class _Widest(TorchDispatchMode):
    """Notes the largest number of scores that any operation made."""

    def __init__(self, n_queries: int, n_keys: int):
        super().__init__()
        self.shape, self.whole = (n_queries, n_keys), False

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        shapes = [tuple(r.shape) for r in [result] if isinstance(r, Tensor)]
        self.whole |= self.shape in shapes or self.shape[::-1] in shapes
        return result


def _check_pieces(answer: Callable) -> None:
    case = _attention(5, 11, 2, seed=9)
    with _Widest(5, 11) as widest:
        ask(answer, **case)
    if widest.whole:
        raise Wrong(
            "The result is right, but all scores were made at once, (n_queries, n_keys). "
            "Hint: take `size` keys at a time, and keep three running numbers for each query."
        )
