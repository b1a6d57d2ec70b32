"""What `_sampling.js` has in the browser: probabilities to draw from, and drawing.

Explorables import no models, and so not `helpers.generation`: tests compare the two.
"""

import numpy as np

from helpers.widgets._checks import checked_number, checked_whole

# Texts of an explorable with the sliders of `_sampling_sliders.js`.
SLIDER_STRINGS = {
    "temperature": "Temperature",
    "top_k": "Top-k",
    "top_p": "Top-p",
    "all": "all {count}",
    "percent": "{percent} %",
    "cut": "cut",
}
MOST_TEMPERATURE, LEAST_TOP_P = 2, 0.05  # of the sliders
TOKEN_MARKS = str.maketrans({" ": "␣", "\n": "↵", "\t": "⇥"})


def next_token_probabilities(
    logits: np.ndarray, temperature: float, top_k: int | None, top_p: float | None
) -> np.ndarray:
    """(vocab_size,) float64 -> the same, as `helpers.generation.next_token_probabilities`.

    >>> next_token_probabilities(np.array([2.0, 1.0, 0.0]), 1, 2, None)
    array([0.73105858, 0.26894142, 0.        ])
    """
    if temperature == 0:
        temperature, top_k = 1, 1
    order = descending(logits)[:top_k]
    found = np.exp((logits[order] - logits[order[0]]) / temperature)
    found /= found.sum()
    if top_p is not None and top_p < 1:
        found[np.cumsum(found) - found >= top_p] = 0  # what all larger ones together have
        found /= found.sum()
    probabilities = np.zeros(len(logits))
    probabilities[order] = found
    return probabilities


def descending(numbers: np.ndarray) -> np.ndarray:
    """Places of the numbers, the largest first; equal ones stay in their order."""
    return np.argsort(-numbers, kind="stable")


def draw_tokens(probabilities: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
    """(vocab_size,) and (n,) numbers from 0 to 1 -> n tokens, each taking a piece of its length.

    >>> draw_tokens(np.array([0.5, 0.5]), np.array([0.1, 0.7]))
    array([0, 1])
    """
    found = np.searchsorted(np.cumsum(probabilities), uniforms, side="right")
    return np.minimum(found, np.flatnonzero(probabilities)[-1])


def entropy_bits(probabilities: np.ndarray) -> float:
    """Mean surprise of a draw in bits."""
    kept = probabilities[probabilities > 0]
    return float(-(kept * np.log2(kept)).sum())


def token_name(token: str) -> str:
    """What a token shows: white space would not be seen."""
    return token.translate(TOKEN_MARKS)


def checked_setting(name: str, value, vocab_size: int) -> float | int:
    """Temperature, top_k or top_p as a plain number, or ValueError; None means no cut."""
    if value is None and name != "temperature":
        return vocab_size if name == "top_k" else 1.0
    if name == "top_k":
        return checked_whole(name, value, 1, vocab_size, or_none=True)
    if name == "top_p":
        return checked_number(name, value, LEAST_TOP_P, 1, or_none=True)
    return checked_number(name, value, 0, MOST_TEMPERATURE)
