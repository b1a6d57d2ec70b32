"""Rotary positions: pairs of coordinates as arrows that turn, and the product that follows."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import traitlets
from matplotlib.figure import Figure

from helpers.widgets._checks import checked_choice, checked_whole, numbers_in
from helpers.widgets.base import BLUE, GREY, ORANGE, Explorable, format_number

# All as in rotary_arrows.js.
LAST = 127  # positions go from 0 to LAST
PAIRS, BASES, MOST_PAIRS = (4, 6, 8), (100, 10_000, 100_000), 16
# Query and key of eight pairs, drawn once from a normal distribution; the eight first coordinates
# of the pairs stand before the eight second ones.
DRAWN = {
    "query": [0.9, -0.4, 1.3, 0.6, -1.1, 0.2, 0.8, -0.7, 0.5, 1.2, -0.3, 0.9, 0.4, -1.0, 0.1, 0.6],
    "key": [0.2, 0.8, 1.0, -0.5, -0.9, 0.7, 1.1, 0.3, 1.0, 0.6, 0.4, 1.2, -0.6, -0.8, 0.5, 0.9],
}
ALIKE = {"query": [1.0] * 8 + [0.0] * 8, "key": [1.0] * 8 + [0.0] * 8}


class RotaryArrows(Explorable):
    """A query and a key, cut into pairs of coordinates that turn with their positions.

    Pair `i` holds coordinates `i` and `i + head_dim / 2`, as in
    `helpers.models.transformer.rotate`, and turns by `base ** (−2i / head_dim)` each position.
    Beside it the older way: sines and cosines of the same angles, added to the query and the key.

    >>> arrows = RotaryArrows(query_position=44)
    >>> arrows.product(44)  # of the distance

    Args:
        query, key: head_dim numbers each, head_dim even, 4 to 32: shown as "the given vectors".
        query_position, key_position: whole numbers from 0 to 127.
        base: 100, 10,000 or 100,000.
        pairs: 4, 6 or 8, of the vectors that stand ready.
        pair: the chosen pair, whose share is written out.
        strings: replaced texts, see `Explorable`.

    Traits:
        choices: name of the vectors -> query and key, as lists.
        vectors: "alike", "drawn" or "given".
        query_position, key_position, base, pairs, pair: see above.

    Raises:
        TypeError, ValueError: something above is of another kind; the message says what came.
    """

    module_name = "rotary_arrows"
    STRINGS: ClassVar = {
        "query_position": "Position m of the query",
        "key_position": "Position n of the key",
        "both": "Move both: the distance stays",
        "base": "Base",
        "pairs": "Pairs",
        "vectors": "Vectors",
        "vectors_alike": "Query = key, all arrows alike",
        "vectors_drawn": "Two different vectors",
        "vectors_given": "The given vectors",
        "query": "query",
        "key": "key",
        "start": "dashed: at position 0",
        "cards": "Choose a pair to see its share worked out. “Round in” counts the positions that "
        "a full turn takes.",
        "cards_name": "Pairs of coordinates",
        "pair": "Pair {pair}",
        "degrees": "{degrees}°",
        "round": "round in {period}",
        "distance": "Distance: m − n = {m} − {n} = {distance}",
        "turned": "Turned: q·k = Σ shares",
        "share": "Share of pair {pair}: |q| |k| cos(angle) ≈ {query} · {key} · cos({degrees}°)",
        "added": "Added: (q + pₘ)·(k + pₙ) = q·k + q·pₙ + pₘ·k + pₘ·pₙ",
        "summary": "Distance {distance}: turned, the product is {turned} at each of the {count} "
        "places that both can move to. Added, it lies between {low} and {high}; here {added}.",
        "summary_one": "Distance {distance}: turned, the product is {turned}; added, {added}. "
        "At this distance the two cannot move.",
        "curve": "Product against the distance m − n (line), share of pair {pair} (thin)",
        "shift": "Both moved at distance {distance}: turned (line), added (dashed)",
        "axis_distance": "m − n",
        "axis_shift": "m",
    }

    choices = traitlets.Dict().tag(sync=True)
    vectors = traitlets.TraitType().tag(sync=True)
    query_position = traitlets.TraitType().tag(sync=True)
    key_position = traitlets.TraitType().tag(sync=True)
    base = traitlets.TraitType().tag(sync=True)
    pairs = traitlets.TraitType().tag(sync=True)
    pair = traitlets.TraitType().tag(sync=True)

    def __init__(
        self, query=None, key=None, *, query_position=10, key_position=3, base=10_000, pairs=4,
        pair=0, strings=None,
    ) -> None:  # fmt: skip
        choices = {"alike": ALIKE, "drawn": DRAWN}
        if query is not None or key is not None:
            choices["given"] = _checked_vectors(query, key)
        super().__init__(
            strings=strings,
            choices=choices,
            vectors="given" if "given" in choices else "alike",
            query_position=query_position,
            key_position=key_position,
            base=base,
            pairs=pairs,
            pair=pair,
        )

    @traitlets.validate("query_position", "key_position", "pair")
    def _check_whole(self, proposal):
        name = proposal["trait"].name
        last = MOST_PAIRS - 1 if name == "pair" else LAST
        return checked_whole(name, proposal["value"], 0, last)

    @traitlets.validate("base", "pairs", "vectors")
    def _check_choice(self, proposal):
        name = proposal["trait"].name
        allowed = {"base": BASES, "pairs": PAIRS, "vectors": self.choices}[name]
        return checked_choice(name, proposal["value"], allowed)

    def chosen(self) -> tuple[np.ndarray, np.ndarray]:
        """The query and the key at position 0, `(head_dim,)` each."""
        both = (np.array(self.choices[self.vectors][name], float) for name in ("query", "key"))
        if self.vectors == "given":
            return tuple(both)
        return tuple(vector.reshape(2, -1)[:, : self.pairs].flatten() for vector in both)

    def shares(self, distance: int) -> np.ndarray:
        """What each pair adds to the product, `(pairs,)`, at `distance` = m − n."""
        query, key = self.chosen()
        turned = _turned(query, distance, self.base)
        return (turned * key).reshape(2, -1).sum(axis=0)

    def product(self, distance: int) -> float:
        """The product of the turned query and the turned key."""
        return float(self.shares(distance).sum())

    def added_product(self, m: int, n: int) -> float:
        """The product where sines and cosines of the positions are added instead."""
        query, key = self.chosen()
        first, second = (_sinusoid(position, len(query), self.base) for position in (m, n))
        return float((query + first) @ (key + second))

    def places(self) -> list[tuple[int, int]]:
        """Every pair of positions (m, n) at the present distance."""
        distance = self.query_position - self.key_position
        return [(m, m - distance) for m in range(LAST + 1) if 0 <= m - distance <= LAST]

    def static_figure(self) -> Figure:
        """The arrows of each pair above the two curves."""
        query, key = self.chosen()
        count = len(query) // 2
        figure = Figure(figsize=(9, 6), layout="constrained")
        top, bottom = figure.subfigures(2, 1, height_ratios=[1, 1.5])
        circles = np.atleast_1d(top.subplots(-(-count // 8), min(count, 8))).flatten()
        turned = [
            _turned(vector, position, self.base).reshape(2, -1)
            for vector, position in ((query, self.query_position), (key, self.key_position))
        ]
        longest = max(np.hypot(*vector).max() for vector in turned) or 1.0
        for ax in circles[count:]:
            ax.axis("off")
        shares = self.shares(self.query_position - self.key_position)
        for i, ax in enumerate(circles[:count]):
            title = f"{self.strings['pair'].format(pair=i)}: {format_number(shares[i], '.2f')}"
            _draw_circle(ax, [vector[:, i] / longest for vector in turned], title)
        names = [self.strings[name] for name in ("query", "key")]
        top.legend(circles[0].lines[:4:2], names, loc="upper left", ncols=2, fontsize="small")
        self._draw_curves(bottom.subplots(1, 2))
        return figure

    def _draw_curves(self, axes) -> None:
        distance, t = self.query_position - self.key_position, self.strings
        pair = min(self.pair, len(self.chosen()[0]) // 2 - 1)
        distances = range(-LAST, LAST + 1)
        shares = np.array([self.shares(d) for d in distances])
        axes[0].plot(distances, shares.sum(axis=1), color=BLUE)
        axes[0].plot(distances, shares[:, pair], color=GREY, linewidth=0.8)
        axes[0].plot(distance, self.product(distance), "o", color=ORANGE)
        axes[0].set(xlabel=t["axis_distance"])
        axes[0].set_title(t["curve"].format(pair=pair), fontsize="small", wrap=True)
        places = self.places()
        positions = [m for m, _ in places]
        axes[1].plot(positions, [self.product(distance)] * len(places), color=BLUE)
        axes[1].plot(positions, [self.added_product(m, n) for m, n in places], "k--")
        axes[1].axvline(self.query_position, color="0.5", linewidth=0.8)
        axes[1].set(xlabel=t["axis_shift"], xlim=(0, LAST))
        shift = t["shift"].format(distance=format_number(distance))
        axes[1].set_title(shift, fontsize="small", wrap=True)

    def alt_text(self) -> str:
        m, n = self.query_position, self.key_position
        added = [self.added_product(*place) for place in self.places()]
        key = "summary" if len(added) > 1 else "summary_one"
        values = {"turned": self.product(m - n), "low": min(added), "high": max(added)}
        values["added"] = self.added_product(m, n)
        texts = {name: format_number(value, ".2f") for name, value in values.items()}
        words = self.strings[key].format(distance=format_number(m - n), count=len(added), **texts)
        return (
            f"Arrows of query and key in {len(self.chosen()[0]) // 2} circles, one for each pair "
            f"of coordinates, and two curves of their product. {words}"
        )


def _turned(vector: np.ndarray, position: int, base: float) -> np.ndarray:
    """Each pair of coordinates turned by the angle of the position."""
    angles = position * _speeds(len(vector), base)
    first, second = vector.reshape(2, -1)
    cos, sin = np.cos(angles), np.sin(angles)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin])


def _sinusoid(position: int, size: int, base: float) -> np.ndarray:
    """Sines, then cosines of the angles of the position."""
    angles = position * _speeds(size, base)
    return np.concatenate([np.sin(angles), np.cos(angles)])


def _speeds(size: int, base: float) -> np.ndarray:
    return float(base) ** (-np.arange(0, size, 2) / size)


def _draw_circle(ax, arrows: Sequence[np.ndarray], title: str) -> None:
    for (x, y), colour, style in zip(arrows, (BLUE, ORANGE), ("-", "--"), strict=True):
        ax.plot([0, x], [0, y], style, color=colour, linewidth=2)
        ax.plot(x, y, "o", color=colour, markersize=5)
    around = np.linspace(0, 2 * np.pi, 60)
    ax.plot(np.cos(around), np.sin(around), color="0.7", linewidth=0.8)
    ax.set(aspect="equal", xlim=(-1.1, 1.1), ylim=(-1.1, 1.1))
    ax.set_title(title, fontsize="small")
    ax.axis("off")


def _checked_vectors(query, key) -> dict[str, list[float]]:
    """Query and key as lists of equal, even length."""
    if query is None or key is None:
        raise TypeError("query and key should be given together; one of them is missing.")
    both, expected = {}, f"an even number of finite numbers, 4 to {2 * MOST_PAIRS}"
    for name, vector in (("query", query), ("key", key)):
        numbers = numbers_in(name, vector, expected)
        fits = numbers.ndim == 1 and len(numbers) % 2 == 0 and 4 <= len(numbers) <= 2 * MOST_PAIRS
        if not fits or not np.isfinite(numbers).all():
            raise ValueError(f"{name} should be {expected}; got shape {numbers.shape}.")
        both[name] = numbers.tolist()
    if len(both["query"]) != len(both["key"]):
        raise ValueError(
            "query and key should be equally long; "
            f"got {len(both['query'])} and {len(both['key'])} numbers."
        )
    return both
