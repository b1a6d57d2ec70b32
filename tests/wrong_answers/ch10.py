"""Answers to the exercises of chapter 10: right ones, and wrong ones with words from their hint.

Written as a reader would write them, apart from the formulas in helpers/checks/ch10.py.
"""

import math

import torch


def causal(n):
    return torch.ones(n, n, dtype=torch.bool).tril()


def window(n, width):
    return causal(n) & torch.ones(n, n, dtype=torch.bool).triu(1 - width)


def window_inverted(n, width):
    return ~window(n, width)


def window_both_ways(n, width):
    return window(n, width) | window(n, width).T


def window_too_wide(n, width):
    return window(n, width + 1)


def window_too_narrow(n, width):
    return window(n, width - 1)


def window_causal_only(n, width):
    return causal(n)


def window_transposed(n, width):
    return window(n, width).T


def window_without_self(n, width):
    return window(n, width).tril(-1)


def alibi(n_heads, n):
    slopes = 2 ** (-8 * torch.arange(1, n_heads + 1) / n_heads)
    distance = torch.arange(n) - torch.arange(n)[:, None]
    bias = slopes[:, None, None] * distance
    return bias.masked_fill(~causal(n), -math.inf)


def alibi_gaining(n_heads, n):
    bias = -alibi(n_heads, n)
    return bias.masked_fill(~causal(n), -math.inf)


def alibi_from_zero(n_heads, n):
    slopes = 2 ** (-8 * torch.arange(n_heads) / n_heads)
    distance = torch.arange(n) - torch.arange(n)[:, None]
    return (slopes[:, None, None] * distance).masked_fill(~causal(n), -math.inf)


def alibi_without_mask(n_heads, n):
    slopes = 2 ** (-8 * torch.arange(1, n_heads + 1) / n_heads)
    return slopes[:, None, None] * (torch.arange(n) - torch.arange(n)[:, None])


def alibi_with_zero(n_heads, n):
    return alibi(n_heads, n).masked_fill(~causal(n), 0.0)


def alibi_halving(n_heads, n):
    slopes = 0.5 ** torch.arange(1, n_heads + 1)
    distance = torch.arange(n) - torch.arange(n)[:, None]
    return (slopes[:, None, None] * distance).masked_fill(~causal(n), -math.inf)


def alibi_of_one_slope(n_heads, n):
    return alibi(n_heads, n)[:1].expand(n_heads, n, n)


def alibi_of_one_head(n_heads, n):
    return alibi(n_heads, n)[0]


def alibi_reversed(n_heads, n):
    return alibi(n_heads, n).flip(0)


def cache(n_layers, n_heads, n_kv_heads, hidden_dim, time):
    head_dim = hidden_dim // n_heads
    return 2 * 2 * n_layers * n_kv_heads * head_dim * time


def cache_of_keys(n_layers, n_heads, n_kv_heads, hidden_dim, time):
    return cache(n_layers, n_heads, n_kv_heads, hidden_dim, time) // 2


def cache_of_key_numbers(n_layers, n_heads, n_kv_heads, hidden_dim, time):
    return n_layers * n_kv_heads * (hidden_dim // n_heads) * time


def cache_in_float32(n_layers, n_heads, n_kv_heads, hidden_dim, time):
    return 2 * cache(n_layers, n_heads, n_kv_heads, hidden_dim, time)


def cache_in_bits(n_layers, n_heads, n_kv_heads, hidden_dim, time):
    return 8 * cache(n_layers, n_heads, n_kv_heads, hidden_dim, time)


def cache_of_all_heads(n_layers, n_heads, n_kv_heads, hidden_dim, time):
    return 4 * n_layers * hidden_dim * time


def cache_of_wide_heads(n_layers, n_heads, n_kv_heads, hidden_dim, time):
    return 4 * n_layers * n_kv_heads * hidden_dim * time


def cache_with_queries(n_layers, n_heads, n_kv_heads, hidden_dim, time):
    return 3 * cache(n_layers, n_heads, n_kv_heads, hidden_dim, time) // 2


def cache_of_one_head(n_layers, n_heads, n_kv_heads, hidden_dim, time):
    return 4 * n_layers * (hidden_dim // n_heads) * time


def cache_of_one_layer(n_layers, n_heads, n_kv_heads, hidden_dim, time):
    return 4 * n_kv_heads * (hidden_dim // n_heads) * time


def min_p(probabilities, share):
    kept = torch.where(probabilities >= share * probabilities.max(), probabilities, 0.0)
    return kept / kept.sum()


def min_p_not_divided(probabilities, share):
    return torch.where(probabilities >= share * probabilities.max(), probabilities, 0.0)


def min_p_with_softmax(probabilities, share):
    return min_p_not_divided(probabilities, share).softmax(0)


def min_p_absolute(probabilities, share):
    kept = probabilities * (probabilities >= share)
    return kept / kept.sum()


def min_p_without_equal(probabilities, share):
    kept = probabilities * (probabilities > share * probabilities.max())
    return kept / kept.sum()


def min_p_as_top_p(probabilities, share):
    kept, total = torch.zeros_like(probabilities), 0.0
    for i in probabilities.argsort(descending=True):
        if total >= share:
            break
        kept[i] = probabilities[i]
        total = total + probabilities[i]
    return kept / kept.sum()


def min_p_of_the_unlikely(probabilities, share):
    kept = probabilities * (probabilities <= share * probabilities.max())
    return kept / kept.sum()


def min_p_of_the_best(probabilities, share):
    return (probabilities == probabilities.max()).float()


def min_p_of_the_mean(probabilities, share):
    kept = probabilities * (probabilities >= share * probabilities.mean())
    return kept / kept.sum()


def min_p_shorter(probabilities, share):
    kept = probabilities[probabilities >= share * probabilities.max()]
    return kept / kept.sum()


def in_pieces(queries, keys, values, size):
    largest = torch.full((len(queries), 1), -math.inf)
    total, mixed = torch.zeros(len(queries), 1), torch.zeros(len(queries), values.shape[1])
    for start in range(0, len(keys), size):
        part = slice(start, start + size)
        scores = queries @ keys[part].T / math.sqrt(queries.shape[1])
        new = torch.maximum(largest, scores.amax(1, keepdim=True))
        shrink, weights = (largest - new).exp(), (scores - new).exp()
        total = total * shrink + weights.sum(1, keepdim=True)
        mixed = mixed * shrink + weights @ values[part]
        largest = new
    return mixed / total


def scores_of(queries, keys):
    return queries @ keys.T / math.sqrt(queries.shape[1])


def in_pieces_averaged(queries, keys, values, size):
    pairs = list(zip(keys.split(size), values.split(size), strict=True))
    return sum(scores_of(queries, k).softmax(1) @ v for k, v in pairs) / len(pairs)


def in_pieces_by_rows(queries, keys, values, size):
    pairs = list(zip(keys.split(size), values.split(size), strict=True))
    return sum(scores_of(queries, k).softmax(1) @ v * len(k) for k, v in pairs) / len(keys)


def in_pieces_last(queries, keys, values, size):
    for k, v in zip(keys.split(size), values.split(size), strict=True):
        result = scores_of(queries, k).softmax(1) @ v
    return result


def in_pieces_whole_only(queries, keys, values, size):
    n = max(len(keys) // size * size, min(size, len(keys)))
    return in_pieces(queries, keys[:n], values[:n], size)


def in_pieces_own_largest(queries, keys, values, size):
    total = mixed = 0
    for k, v in zip(keys.split(size), values.split(size), strict=True):
        scores = scores_of(queries, k)
        weights = (scores - scores.amax(1, keepdim=True)).exp()
        total, mixed = total + weights.sum(1, keepdim=True), mixed + weights @ v
    return mixed / total


def in_pieces_unscaled(queries, keys, values, size):
    return in_pieces(queries * math.sqrt(queries.shape[1]), keys, values, size)


def in_pieces_overflowing(queries, keys, values, size):
    total = mixed = 0
    for k, v in zip(keys.split(size), values.split(size), strict=True):
        weights = scores_of(queries, k).exp()
        total, mixed = total + weights.sum(1, keepdim=True), mixed + weights @ v
    return mixed / total


def in_one_piece(queries, keys, values, size):
    return scores_of(queries, keys).softmax(1) @ values


RIGHT = {
    "10.window_mask": window,
    "10.alibi": alibi,
    "10.cache_bytes": cache,
    "10.min_p": min_p,
    "10.attend_in_pieces": in_pieces,
}
WRONG = {
    "10.window_mask": {
        window_inverted: "the other way round",
        window_both_ways: "reaches forward",
        window_too_wide: "one too wide",
        window_too_narrow: "one too narrow",
        window_causal_only: "far past is still seen",
        window_transposed: "changed places",
        window_without_self: "look at itself",
    },
    "10.alibi": {
        alibi_gaining: "the sign",
        alibi_from_zero: "counted from 1",
        alibi_without_mask: "later tokens need",
        alibi_with_zero: "lets it be seen",
        alibi_halving: "the exponent",
        alibi_of_one_slope: "slope of its own",
        alibi_of_one_head: "one for each head",
        alibi_reversed: "reverse order",
    },
    "10.cache_bytes": {
        cache_of_keys: "half",
        cache_of_key_numbers: "the keys' numbers",
        cache_in_float32: "twice too much",
        cache_in_bits: "these are bits",
        cache_of_all_heads: "n_kv_heads",
        cache_of_wide_heads: "hidden_dim / n_heads",
        cache_with_queries: "queries are not kept",
        cache_of_one_head: "every head",
        cache_of_one_layer: "one layer",
    },
    "10.min_p": {
        min_p_not_divided: "add up to 1",
        min_p_with_softmax: "probabilities already",
        min_p_absolute: "share of the largest, not a number",
        min_p_without_equal: "just reaches",
        min_p_as_top_p: "this is top-p",
        min_p_of_the_unlikely: "unlikely ones",
        min_p_of_the_best: "only the likeliest",
        min_p_of_the_mean: "share of the mean",
        min_p_shorter: "shorter than the vocabulary",
    },
    "10.attend_in_pieces": {
        in_pieces_averaged: "softmax of its own",
        in_pieces_by_rows: "number of keys",
        in_pieces_last: "only the last piece",
        in_pieces_whole_only: "smaller piece is left out",
        in_pieces_own_largest: "to the same one",
        in_pieces_unscaled: "not divided",
        in_pieces_overflowing: "overflows",
        in_one_piece: "keys at a time",
    },
}
