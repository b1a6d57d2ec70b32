"""What the heads of a small language model look at: measured, so that no label is a guess."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from helpers.widgets._language_model import forward

BLANKS = " \n"


def one_back(text: str) -> np.ndarray:
    """The character just before: bool (time, time), row the one that looks, column the target."""
    return np.eye(len(text), k=-1, dtype=bool)


def last_blank(text: str) -> np.ndarray:
    """The last blank or line break, for characters that are none."""
    mask = np.zeros((len(text), len(text)), bool)
    for row in range(len(text)):
        blank = max(text.rfind(sign, 0, row + 1) for sign in BLANKS)
        if 0 <= blank < row:
            mask[row, blank] = True
    return mask


def word_before(text: str) -> np.ndarray:
    """The letters of the word before; at a blank this is the word that has just ended."""
    blank = np.isin(list(text), list(BLANKS))
    number = blank.cumsum()  # a blank begins the next word
    return (number[:, None] - number == 1) & ~blank


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
    "word_before": word_before,
    "after_same": after_same,
}


class Score(NamedTuple):
    """Of one target, (n_layers, n_heads) each, and the number that even weights would give."""

    shares: np.ndarray  # what each head gives to the target
    counted: np.ndarray  # what it would give, if it knew nothing but how far back a place is
    even: float


def head_scores(settings: dict, weights: bytes, texts: list[list[int]], letters: str) -> dict:
    """Name of a target -> Score: the sum of a head's weights on the targets, averaged over all
    characters that have one. `texts` are lists of ids, `letters[i]` is the character of id `i`.
    """
    looks = [forward(settings, weights, ids)[1] for ids in texts]  # (layers, heads, time, time)
    blind = _by_distance(looks)
    scores = {}
    for name, target in TARGETS.items():
        masks = [target("".join(letters[i] for i in ids)) for ids in texts]
        count = sum(mask.any(axis=1).sum() for mask in masks)
        if not count:
            continue
        pairs = [(look, blind[..., : len(mask), : len(mask)], mask) for look, mask in
                 zip(looks, masks, strict=True)]  # fmt: skip
        shares = sum((look * mask).sum(axis=(2, 3)) for look, _, mask in pairs) / count
        counted = sum((even * mask).sum(axis=(2, 3)) for _, even, mask in pairs) / count
        rows = sum((mask.sum(axis=1) / np.arange(1, len(mask) + 1)).sum() for mask in masks)
        scores[name] = Score(shares, counted, float(rows / count))
    return scores


def _by_distance(looks: list[np.ndarray]) -> np.ndarray:
    """Each weight replaced by the head's mean weight at that distance: (layers, heads, n, n)."""
    longest = max(look.shape[-1] for look in looks)
    blind = np.zeros((*looks[0].shape[:2], longest, longest))
    rows = np.arange(longest)
    for back in range(longest):
        along = [np.diagonal(look, -back, 2, 3) for look in looks if look.shape[-1] > back]
        blind[..., rows[back:], rows[: longest - back]] = (
            np.concatenate(along, axis=-1).mean(axis=-1, keepdims=True)
        )  # fmt: skip
    return blind


@functools.lru_cache(maxsize=8)  # many explorables show one model
def findings(sizes: tuple, weights: bytes, letters: str, passage: str) -> list[dict]:
    """For each target the head that gives most to it: [{name, layer, head, share, counted, even}].

    `sizes` are the items of the settings. The passage is cut into pieces as long as the context.
    """
    settings = dict(sizes)
    ids = [letters.index(letter) for letter in passage if letter in letters]
    step = settings["context"]
    pieces = [ids[i : i + step] for i in range(0, len(ids), step)]
    found = []
    for name, (shares, counted, even) in head_scores(settings, weights, pieces, letters).items():
        best = tuple(map(int, np.unravel_index(shares.argmax(), shares.shape)))
        found.append(
            {"name": name, "layer": best[0], "head": best[1], "share": float(shares[best]),
             "counted": float(counted[best]), "even": even}
        )  # fmt: skip
    return found
