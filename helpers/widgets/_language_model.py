"""A small Llama on its way to the browser, packed into one bytes trait; the same pass in numpy.

`_language_model.js` runs the model on the page. The numpy pass draws still pictures: explorables
import no models.
"""

import math
from collections.abc import Iterator

import numpy as np

from helpers.widgets._checks import checked_whole

DEFAULTS = {"base": 10_000.0, "eps": 1e-5}  # of `Llama`
SIZES = ("vocab_size", "context", "hidden_dim", "n_layers", "n_heads", "n_kv_heads", "mlp_dim")


def model_traits(play_model) -> dict:
    """The traits `settings`, `characters` and `weights` of an explorable with a language model.

    `play_model` is a `PlayModel` (`helpers.data.play_model`): settings, the arguments of `Llama`;
    characters, a string whose character `i` has the id `i`; weights, name -> float32 tensor, each
    row of a matrix a float32 factor times int8 levels. All of it arrives in the browser unchanged.

    >>> model_traits(play_model())["settings"]["n_layers"]
    4

    Raises:
        TypeError: `play_model` has not these three parts.
        ValueError: they do not fit each other, or a row is no factor times int8.
    """
    if any(not hasattr(play_model, name) for name in ("settings", "characters", "weights")):
        raise TypeError(
            "play_model should have settings, characters and weights, as helpers.data.play_model() "
            f"has; got {type(play_model).__name__}."
        )
    settings = _checked_settings(play_model.settings)
    characters, size = play_model.characters, settings["vocab_size"]
    if not isinstance(characters, str) or not len(characters) == len(set(characters)) == size:
        raise ValueError(
            f"characters should be a string of vocab_size = {size} different characters; "
            f"got {characters!r:.80}."
        )
    arrays = _checked_weights(settings, play_model.weights)
    return {"settings": settings, "characters": characters, "weights": _packed(arrays)}


def forward(settings: dict, weights: bytes, ids: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Logits (time, vocab_size) and attention weights (n_layers, n_heads, time, time), float64.

    `settings` and `weights` as in `model_traits`. The arithmetic is that of `Llama`.

    >>> logits, attention = forward(lab.settings, lab.weights, [3, 1, 2])
    """
    arrays = unpacked(settings, weights)
    heads, kv_heads, eps = (settings[name] for name in ("n_heads", "n_kv_heads", "eps"))
    cos, sin = _rotary_table(settings)[:, : len(ids)]
    x, looks = arrays["embed_tokens.weight"][ids], []  # (time, hidden_dim)
    for layer in range(settings["n_layers"]):
        get = {k.split(".")[-2]: v for k, v in arrays.items() if k.startswith(f"layers.{layer}.")}
        normed = _normalised(x, get["input_layernorm"], eps)
        queries = _rotated(_split(normed @ get["q_proj"].T, heads), cos, sin)
        keys = _rotated(_split(normed @ get["k_proj"].T, kv_heads), cos, sin)
        values = _split(normed @ get["v_proj"].T, kv_heads)  # (kv_heads, time, head_dim)
        keys, values = (np.repeat(part, heads // kv_heads, axis=0) for part in (keys, values))
        looks.append(_attention(queries, keys))
        joined = (looks[-1] @ values).transpose(1, 0, 2).reshape(x.shape)
        x = x + joined @ get["o_proj"].T
        normed = _normalised(x, get["post_attention_layernorm"], eps)
        gate = normed @ get["gate_proj"].T
        x = x + (gate / (1 + np.exp(-gate)) * (normed @ get["up_proj"].T)) @ get["down_proj"].T
    logits = _normalised(x, arrays["norm.weight"], eps) @ arrays["embed_tokens.weight"].T
    return logits, np.stack(looks)


def unpacked(settings: dict, weights: bytes) -> dict[str, np.ndarray]:
    """Name -> float64 array with the float32 values of the model, from the bytes."""
    shapes = dict(_shapes(settings))
    n_floats = sum(shape[0] for shape in shapes.values())
    floats = np.frombuffer(weights, "<f4", n_floats)
    levels = np.frombuffer(weights, np.int8, offset=4 * n_floats)
    arrays = {}
    for name, shape in shapes.items():
        factors, floats = np.split(floats, [shape[0]])
        arrays[name] = factors
        if len(shape) == 2:
            own, levels = np.split(levels, [math.prod(shape)])
            arrays[name] = factors[:, None] * own.reshape(shape).astype(np.float32)
    return {name: array.astype(np.float64) for name, array in arrays.items()}


def _shapes(settings: dict) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every weight, in the order of the bytes: as in `_language_model.js`."""
    vocab, _, hidden, n_layers, heads, kv_heads, mlp = (settings[name] for name in SIZES)
    kv_dim = hidden // heads * kv_heads
    layer = {
        "input_layernorm": (hidden,), "self_attn.q_proj": (hidden, hidden),
        "self_attn.k_proj": (kv_dim, hidden), "self_attn.v_proj": (kv_dim, hidden),
        "self_attn.o_proj": (hidden, hidden), "post_attention_layernorm": (hidden,),
        "mlp.gate_proj": (mlp, hidden), "mlp.up_proj": (mlp, hidden),
        "mlp.down_proj": (hidden, mlp),
    }  # fmt: skip
    yield "embed_tokens.weight", (vocab, hidden)
    for number in range(n_layers):
        yield from ((f"layers.{number}.{name}.weight", shape) for name, shape in layer.items())
    yield "norm.weight", (hidden,)


def _checked_settings(settings) -> dict:
    known = {*SIZES, *DEFAULTS}
    if not isinstance(settings, dict) or not set(SIZES) <= set(settings) <= known:
        raise ValueError(
            f"settings should be a dictionary with {', '.join(SIZES)}, perhaps base and eps; "
            f"got {settings!r:.200}."
        )
    settings = settings | {name: checked_whole(name, settings[name], 1) for name in SIZES}
    hidden, heads, kv_heads = (settings[name] for name in ("hidden_dim", "n_heads", "n_kv_heads"))
    if hidden % (2 * heads) or heads % kv_heads:
        raise ValueError(
            "hidden_dim should be an even multiple of n_heads, and n_heads a multiple of "
            f"n_kv_heads; got {hidden}, {heads} and {kv_heads}."
        )
    return DEFAULTS | settings


def _checked_weights(settings: dict, weights) -> dict[str, np.ndarray]:
    expected = dict(_shapes(settings))
    missing, more = sorted(set(expected) - set(weights)), sorted(set(weights) - set(expected))
    if missing or more:
        raise ValueError(f"weights lack {missing[:3]} and have unknown {more[:3]}.")
    arrays = {name: np.asarray(weights[name]) for name in expected}
    for name, array in arrays.items():
        if array.dtype != np.float32 or array.shape != expected[name]:
            raise ValueError(
                f"{name} should be float32 of shape {expected[name]}; "
                f"got {array.dtype} of shape {array.shape}."
            )
        if not np.isfinite(array).all():
            raise ValueError(f"{name} should hold finite numbers only.")
    return arrays


def _packed(arrays: dict[str, np.ndarray]) -> bytes:
    """All factors of rows and all norms as float32, then all matrices as int8."""
    floats, levels = [], []
    for name, array in arrays.items():
        if array.ndim == 1:
            floats.append(array)
            continue
        factors, whole = _factors_and_levels(name, array)
        floats.append(factors)
        levels.append(whole)
    return b"".join(
        [part.astype("<f4").tobytes() for part in floats] + [part.tobytes() for part in levels]
    )


def _factors_and_levels(name: str, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float32 factors (rows,) and int8 levels whose product, in float32, is the matrix again.

    The largest weight of a row is nearly always its level ±127, so that level is tried first; the
    factor is then known up to the last digit, which the product had lost.
    """
    largest = np.abs(matrix).max(axis=1)
    factors, levels = np.zeros_like(largest), np.zeros(matrix.shape, np.int8)
    left = largest > 0  # a row of zeros needs no search
    for level in (127, 128, *range(126, 0, -1)):
        for digit in (0, -1, 1, -2, 2):
            if not left.any():
                return factors, levels
            # A float's neighbours are those of its bits, read as a whole number.
            bits = (largest / np.float32(level)).view(np.int32) + np.int32(digit)
            tried = np.where(left, bits.view(np.float32), np.float32(1))
            whole = np.clip(np.rint(matrix / tried[:, None]), -128, 127).astype(np.int8)
            found = left & (tried[:, None] * whole.astype(np.float32) == matrix).all(axis=1)
            factors[found], levels[found] = tried[found], whole[found]
            left &= ~found
    if left.any():
        row = int(left.argmax())
        raise ValueError(
            f"row {row} of {name} is not one float32 factor times whole numbers from −128 to 127: "
            "round the weights to int8 first."
        )
    return factors, levels


def _rotary_table(settings: dict) -> np.ndarray:
    """Cosine and sine (2, context, head_dim / 2), rounded to float32 as torch's."""
    head_dim = settings["hidden_dim"] // settings["n_heads"]
    speeds = settings["base"] ** (-np.arange(0, head_dim, 2) / head_dim)
    angles = np.arange(settings["context"])[:, None] * speeds
    return np.stack([np.cos(angles), np.sin(angles)]).astype(np.float32).astype(np.float64)


def _rotated(x: np.ndarray, cos: np.ndarray, sin: np.ndarray) -> np.ndarray:
    first, second = np.split(x, 2, axis=-1)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


def _split(x: np.ndarray, heads: int) -> np.ndarray:
    """(time, heads · head_dim) -> (heads, time, head_dim)."""
    return x.reshape(len(x), heads, -1).transpose(1, 0, 2)


def _normalised(x: np.ndarray, weight: np.ndarray, eps: float) -> np.ndarray:
    return weight * x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + eps)


def _attention(queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Rows that sum to 1: (heads, time, head_dim) twice -> (heads, time, time)."""
    scores = queries @ keys.transpose(0, 2, 1) / math.sqrt(queries.shape[-1])
    scores = np.where(np.tri(len(scores[0]), dtype=bool), scores, -np.inf)
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)
