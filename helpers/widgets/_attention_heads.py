"""What the heads of a small language model look at: measured, so that no label is a guess."""

import functools
from collections.abc import Callable

import numpy as np

from helpers.widgets._language_model import forward

BLANKS = " \n"


def _earlier(text: str) -> np.ndarray:
    return np.tri(len(text), k=-1, dtype=bool)


def one_back(text: str) -> np.ndarray:
    """The character just before: bool (time, time), row the one that looks, column the target."""
    return np.eye(len(text), k=-1, dtype=bool)


def last_blank(text: str) -> np.ndarray:
    """The last blank or line break, at least three back: nearer ones may be met by counting."""
    mask = np.zeros((len(text), len(text)), bool)
    for row in range(len(text)):
        blank = max(text.rfind(sign, 0, row + 1) for sign in BLANKS)
        if 0 <= blank <= row - 3:
            mask[row, blank] = True
    return mask


def same_letter(text: str) -> np.ndarray:
    """Earlier places of the same letter."""
    letters = np.array(list(text))
    same = letters[:, None] == letters
    return same & _earlier(text) & ~np.isin(letters, list(BLANKS))[:, None]


def after_same(text: str) -> np.ndarray:
    """Places just after an earlier place of the same two characters: what came next last time."""
    letters = np.array(list(" " + text))
    pairs = np.char.add(letters[:-1], letters[1:])  # (time,): each character with the one before
    before = np.roll(pairs, 1)  # of place j: the pair that ends at j − 1
    mask = (pairs[:, None] == before) & np.tri(len(text), dtype=bool)
    mask[:, :2] = False
    return mask & ~one_back(text)


TARGETS: dict[str, Callable[[str], np.ndarray]] = {
    "one_back": one_back,
    "last_blank": last_blank,
    "same_letter": same_letter,
    "after_same": after_same,
}


def head_scores(settings: dict, weights: bytes, texts: list[list[int]], letters: str) -> dict:
    """Name of a target -> (shares, even): what each head gives to it, and what even weights would.

    Shares are (n_layers, n_heads): the sum of a head's weights on the targets, averaged over all
    characters that have one. `texts` are lists of ids, `letters[i]` is the character of id `i`.
    """
    sums = dict.fromkeys(TARGETS, 0.0)
    evens, counts = dict(sums), dict(sums)
    for ids in texts:
        attention, text = forward(settings, weights, ids)[1], "".join(letters[i] for i in ids)
        for name, target in TARGETS.items():
            mask = target(text)
            rows = mask.any(axis=1)
            sums[name] += (attention * mask).sum(axis=(2, 3))
            evens[name] += (mask.sum(axis=1) / np.arange(1, len(ids) + 1)).sum()
            counts[name] += rows.sum()
    return {k: (sums[k] / counts[k], evens[k] / counts[k]) for k in TARGETS if counts[k]}


@functools.lru_cache(maxsize=8)  # many explorables show one model
def findings(sizes: tuple, weights: bytes, letters: str, passage: str) -> list[dict]:
    """For each target the head that gives most to it: [{name, layer, head, share, even}].

    `sizes` are the items of the settings. The passage is cut into pieces as long as the context.
    """
    settings = dict(sizes)
    ids = [letters.index(letter) for letter in passage if letter in letters]
    step = settings["context"]
    pieces = [ids[i : i + step] for i in range(0, len(ids), step)]
    found = []
    for name, (shares, even) in head_scores(settings, weights, pieces, letters).items():
        layer, head = np.unravel_index(shares.argmax(), shares.shape)
        found.append({"name": name, "layer": int(layer), "head": int(head),
                      "share": float(shares.max()), "even": float(even)})  # fmt: skip
    return found
