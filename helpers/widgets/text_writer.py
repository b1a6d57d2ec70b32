"""A trained language model that runs on the page and writes text, letter by letter."""

import textwrap
from typing import ClassVar

import numpy as np
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from helpers.widgets._checks import checked_whole
from helpers.widgets._language_model import forward, model_traits
from helpers.widgets._random import uniforms
from helpers.widgets._sampling import (
    SLIDER_STRINGS,
    checked_setting,
    descending,
    draw_tokens,
    next_token_probabilities,
    token_name,
)
from helpers.widgets.base import BLUE, ORANGE, Explorable

MOST, BEST, SEEDS, DEEP = 2000, 5, 10, 8  # as in text_writer.js
AT_START = 100  # characters
WIDTH = 72  # of the still picture, in characters


class TextWriter(Explorable):
    """A model of characters writes; the reader sees what it expected, and may choose otherwise.

    The page runs the model itself. What it draws is what `helpers.generation.generate` draws from
    the same random numbers: character `i` that is written takes number `i` of the seed.

    >>> show(TextWriter(data.play_model(), prompt="ROMEO:"))

    Args:
        play_model: a `helpers.data.PlayModel`, a small Llama over characters with int8 weights.
        prompt: what the text begins with, at most as long as the model's context.
        written: what stands after it; without it, 100 characters that the model writes.
        place: the written character that is looked at, counted from 0; without it, the end.
        temperature: 0 to 2.
        top_k: 1 to the number of characters; None keeps all.
        top_p: 0.05 to 1; None keeps all.
        seed: 0 to 9, of the random numbers.
        strings: replaced texts, see `Explorable`.

    Traits:
        prompt, written, place, temperature, top_k, top_p, seed: as above; a place beyond the last
            character is shown as the end.
        settings, characters, weights: made of the model, and stay.

    Raises:
        TypeError, ValueError: something above is of another kind; the message says what came.
    """

    module_name = "text_writer"
    shared = ("_common", "_random", "_sampling", "_sampling_sliders", "_language_model")
    STRINGS: ClassVar = {
        **SLIDER_STRINGS,
        "prompt": "The text begins with",
        "unknown": "Left out, since the model knows {count} other characters only: {characters}",
        "empty": "The model needs at least one character to begin with.",
        "seed": "Random numbers",
        "next": "Next character",
        "write": "Write {count}",
        "stop": "Stop",
        "again": "Start again",
        "text": "Text",
        "shade_low": "expected",
        "shade_high": "surprise of {bits} bits or more",
        "count": "Characters written",
        "full": "no more fit",
        "bits": "Bits per character",
        "bits_sum": "{sum} bits in {count}",
        "speed": "Characters per second",
        "speed_unit": "in your browser",
        "told": "{count} characters written, {mean} bits per character.",
        "nothing": "Nothing is written yet.",
        "at_end": "At the end, after {count} written characters. Likeliest next:",
        "at_unread": "Character {number} of {count} is {character}.",
        "at_character": "Character {number} of {count} is {character}: the model gave it "
        "{percent} %, a surprise of {bits} bits, rank {rank} of {all}.",
        "candidate": "{character}: to draw {now}, model {own} %",
        "legend_now": "to draw from",
        "legend_own": "the model's own, before temperature and cuts",
        "hint": "Click a letter, or move with the arrow keys, to go back to it; then choose "
        "another one from the list, or with the keys 1 to 5: what stood after it is gone, and the "
        "model goes on from there. Shades and bits are the model's own, at temperature 1.",
    }

    settings = traitlets.Dict().tag(sync=True)
    characters = traitlets.Unicode().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    # Not Any, which takes None without asking the validators below.
    prompt, written, place = (traitlets.TraitType().tag(sync=True) for _ in range(3))
    temperature, top_k, top_p, seed = (traitlets.TraitType().tag(sync=True) for _ in range(4))

    def __init__(
        self, play_model, prompt="ROMEO:", *, written=None, place=None, temperature=0.8,
        top_k=None, top_p=None, seed=0, strings=None,
    ) -> None:  # fmt: skip
        traits = model_traits(play_model)
        self._numbers = {character: i for i, character in enumerate(traits["characters"])}
        self._context, self._found = traits["settings"]["context"], {}
        super().__init__(
            strings=strings,
            **traits,
            prompt=prompt,
            written=written or "",
            place=0 if place is None else place,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
        )
        if written is None:
            self.written = self.write(AT_START)
        if place is None:
            self.place = len(self.written)

    @traitlets.validate("prompt", "written")
    def _check_text(self, proposal):
        name, value = proposal["trait"].name, proposal["value"]
        low, high = (1, self._context) if name == "prompt" else (0, MOST)
        if not isinstance(value, str) or not low <= len(value) <= high:
            came = f"{len(value)} of them" if isinstance(value, str) else type(value).__name__
            raise ValueError(
                f"{name} should be a string of {low} to {high:,} characters; got {came}."
            )
        unknown = sorted(set(value) - set(self._numbers))
        if unknown:
            raise ValueError(
                f"{name} should consist of the model's {len(self._numbers)} characters; "
                f"got {''.join(unknown)!r}."
            )
        return value

    @traitlets.validate("temperature", "top_k", "top_p")
    def _check_setting(self, proposal):
        return checked_setting(proposal["trait"].name, proposal["value"], len(self._numbers))

    @traitlets.validate("place", "seed")
    def _check_number(self, proposal):
        name = proposal["trait"].name
        return checked_whole(name, proposal["value"], 0, SEEDS - 1 if name == "seed" else MOST)

    def write(self, count: int) -> str:
        """The next `count` characters after the written ones, as the page writes them."""
        numbers, text = uniforms(self.seed, MOST), self.written
        for number in numbers[len(text) : len(text) + count]:
            shares = self._to_draw(self._logits(self.prompt + text))
            text += self.characters[draw_tokens(shares, np.array([number]))[0]]
        return text[len(self.written) :]

    def surprises(self) -> np.ndarray:
        """Bits of each written character, the model's own: (number of characters,)."""
        text, first = self.prompt + self.written, len(self.prompt)
        shares = [
            next_token_probabilities(self._logits(text[:n]), 1, None, None)[self._numbers[text[n]]]
            for n in range(first, len(text))
        ]
        return -np.log2(shares) if shares else np.zeros(0)

    def _logits(self, text: str) -> np.ndarray:
        """What the model says after a text, (vocab_size,)."""
        seen = text[context_start(len(text), self._context) :]
        if seen not in self._found:
            ids = [self._numbers[character] for character in seen]
            self._found[seen] = forward(self.settings, self.weights, ids)[0][-1]
        return self._found[seen]

    def _to_draw(self, logits: np.ndarray) -> np.ndarray:
        return next_token_probabilities(logits, self.temperature, self.top_k, self.top_p)

    def _best(self) -> tuple[list[str], np.ndarray]:
        """The likeliest characters at the place, and their probabilities to be drawn."""
        logits = self._logits(self.prompt + self.written[: self.place])
        order = descending(logits)[:BEST]
        return [self.characters[i] for i in order], self._to_draw(logits)[order]

    def static_figure(self) -> Figure:
        """The text, each written letter shaded by its surprise; below, bars of what comes next."""
        text, bold = self.prompt + self.written, len(self.prompt)
        lines = _lines(text)
        figure = Figure(figsize=(9, 0.24 * len(lines) + 2.4), layout="constrained")
        top, bottom = figure.subplots(2, 1, height_ratios=[0.24 * len(lines) + 0.4, 1.6])
        places = [(row, column) for row, line in enumerate(lines) for column in range(len(line))]
        bits = [0] * bold + list(self.surprises())
        for at, (place, letter, surprise) in enumerate(zip(places, text, bits, strict=True)):
            _draw_letter(top, place, letter, surprise, bold=at < bold)
        top.set(xlim=(0, WIDTH), ylim=(len(lines), 0))
        top.set_axis_off()
        names, shares = self._best()
        bottom.barh([token_name(name) for name in names], shares, color=BLUE)
        bottom.invert_yaxis()
        bottom.set(xlim=(0, 1), xlabel=f"{self.strings['legend_now']}; {self._in_words()}")
        return figure

    def alt_text(self) -> str:
        names, shares = self._best()
        best = ", ".join(
            f"{token_name(n)} {100 * p:.1f} %" for n, p in zip(names, shares, strict=True)
        )
        return (
            f"A text that begins with “{self.prompt}”, each letter shaded by its surprise: "
            f"“{textwrap.shorten(self.written, 300, placeholder=' …')}”. {self._in_words()} "
            f"The likeliest at the chosen place, to be drawn: {best}."
        )

    def _in_words(self) -> str:
        if not self.written:
            return self.strings["nothing"]
        mean = f"{self.surprises().mean():.2f}"
        return self.strings["told"].format(count=len(self.written), mean=mean)


def context_start(length: int, context: int) -> int:
    """First token that the model sees when it predicts token `length`.

    A full context goes on with its last half, as in `helpers.generation.generate`.

    >>> context_start(128, 128), context_start(129, 128)
    (0, 65)
    """
    stride = context + 1 - max(1, context // 2)
    return -(-(length - context) // stride) * stride if length > context else 0


def _lines(text: str) -> list[str]:
    """The text in lines of at most WIDTH letters; each line break stands at the end of a line."""
    parts = text.splitlines(keepends=True)
    return [part[i : i + WIDTH] for part in parts for i in range(0, len(part), WIDTH)]


def _draw_letter(ax: Axes, place: tuple[int, int], letter: str, bits: float, *, bold: bool):
    row, column = place
    shade = 0.45 * min(bits / DEEP, 1)
    ax.add_patch(Rectangle((column, row), 1, 1, facecolor=ORANGE, alpha=shade, linewidth=0))
    look = {"ha": "center", "va": "center", "family": "DejaVu Sans Mono", "fontsize": 9}
    weight, shown = "bold" if bold else "normal", letter.replace("\n", "↵")
    ax.text(column + 0.5, row + 0.5, shown, weight=weight, parse_math=False, **look)
