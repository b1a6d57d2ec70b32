"""Any text cut into tokens as it is typed, and the merges of one of its pieces, step by step."""

import functools
import re
import sys
import unicodedata
from typing import ClassVar

import numpy as np
import traitlets
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from helpers.text import BytePairEncoding
from helpers.widgets._checks import checked_choice, checked_whole
from helpers.widgets.base import Explorable

MOST_TOKENS = 65_536  # an id takes two bytes on the page
SAMPLES = {
    "English": "To be, or not to be, that is the question: whether the tokenizer "
    "playground knows uncommonly long words.",
    "Chinese": "床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。",
    "Mixed": "卷积 (convolution) 是 f(x) = Σ wᵢ·xᵢ + b。",
    "Emoji": "\N{ROCKET} \N{WOMAN}\N{ZERO WIDTH JOINER}\N{ROCKET} "
    "\N{THUMBS UP SIGN}\N{EMOJI MODIFIER FITZPATRICK TYPE-4}",
    "Accents": "caf\N{LATIN SMALL LETTER E WITH ACUTE} in one sign, "
    "cafe\N{COMBINING ACUTE ACCENT} in two",
    "Code": "def double(x):\n    return 2 * x\n",
    "Digits": "3.14159, 1,000,000, 2026-01-31, 007",
}
# As in tokenizer_playground.js: what stands for a sign that would not be seen.
MARKS = {" ": "␣", "\n": "↵", "\t": "⇥", "\r": "␍"}

UNSEEN = ("Cc", "Cf", "Cn", "Co", "Zs", "Zl", "Zp")  # categories of Unicode
LINES, WIDTH = 6, 88  # of the still picture: lines of boxes, letters in a line
TINTS = ("#d9e8f1", "#fbeed2", "#d8efe8", "#f6e6ef", "white")
# With Chinese characters; the first that is there is used, beside matplotlib's own font.
CJK_FONTS = ("Noto Sans CJK SC", "Noto Sans CJK JP", "PingFang SC", "Microsoft YaHei", "SimHei")


class TokenizerPlayground(Explorable):
    """A text field, its tokens with their ids, and the merges behind one piece of the text.

    The browser's ids are those of `BytePairEncoding.encode`, for any text: the page carries this
    Python's sets of word characters and of white space, and the browser's own are not asked.

    >>> play = TokenizerPlayground({"English": bpe}, text="slow", vocab_size=300)
    >>> play.encode() == BytePairEncoding(bpe.merges[: 300 - 256]).encode("slow")
    True

    Args:
        tokenizers: name -> BytePairEncoding, of at most 65,536 tokens.
        text: at the start; without it, the first sample.
        tokenizer: a name; without it, the first.
        vocab_size: 256 bytes and the first merges; without it, all merges of the largest tokenizer.
        piece: the piece (word) whose merges are shown, counted from 0.
        step: how many of its merges are done.
        samples: name -> text, to choose from; without it, `SAMPLES`.
        strings: replaced texts, see `Explorable`.

    Traits:
        text, tokenizer, vocab_size, piece, step: as above. A size, piece or step beyond the
            last one is shown as the last. A text field turns carriage returns into line breaks,
            so they last until the reader types.
        sources, merges, word_runs, space_runs, samples: made of the arguments, and stay.

    Raises:
        TypeError, ValueError: something above is of another kind; the message says what came.
    """

    module_name = "tokenizer_playground"
    STRINGS: ClassVar = {
        "sample": "Sample text",
        "sample_own": "a text of your own",
        "tokenizer": "Tokenizer trained on",
        "text": "Text: type or paste in any language",
        "size": "Vocabulary size",
        "size_value": "{size} tokens = 256 bytes + {merges} merges",
        "characters": "Characters",
        "bytes": "Bytes",
        "tokens": "Tokens",
        "ratio": "Characters per token",
        "counts": "Characters: {characters}. Bytes: {bytes}. Tokens: {tokens}. "
        "Characters per token: {ratio}.",
        "no_ratio": "none",
        "empty": "The text is empty: no tokens.",
        "more": "{count} more tokens are counted, but not drawn.",
        "hint": "Each box is a token with its id below. ␣ is a space, ↵ a line break. Two "
        "hexadecimal digits in a dashed box are one byte of a character that was cut. Merges "
        "stay within a piece, a word for example: click a piece, or move with the arrow keys, to "
        "see its merges below.",
        "piece": "Piece {number} of {count}: {piece}",
        "piece_tokens": "{piece}, as tokens {tokens}",
        "step": "Merges done",
        "step_value": "{step} of {count}",
        "back": "Back",
        "forward": "Next merge",
        "ranks": "Between two neighbours stands the rank of their merge, · where there is none. "
        "A thick frame: the token just made. Coloured frames: the pair that comes next.",
        "as_bytes": "Bytes, before any merge.",
        "merged": "Merged: {left} and {right} became {made}. Its id is {id} = 256 + rank {rank}.",
        "next": "Next: {left} and {right}. Their rank, {rank}, is the lowest of the {count} in the "
        "row: their merge was learned before the others.",
        "next_only": "Next: {left} and {right}, with rank {rank}. "
        "No other pair of neighbours has a merge.",
        "end": "No neighbours have a merge in this vocabulary: these are the tokens.",
        "cut": "{count} more are not drawn.",
    }

    sources = traitlets.List().tag(sync=True)
    merges = traitlets.Bytes().tag(sync=True)
    word_runs, space_runs, samples = (traitlets.List().tag(sync=True) for _ in range(3))
    # Not Any, which takes None without asking the validators below.
    text, tokenizer, vocab_size = (traitlets.TraitType().tag(sync=True) for _ in range(3))
    piece, step = (traitlets.TraitType(0).tag(sync=True) for _ in range(2))

    def __init__(
        self,
        tokenizers,
        text=None,
        *,
        tokenizer=None,
        vocab_size=None,
        piece=0,
        step=0,
        samples=None,
        strings=None,
    ) -> None:
        self._tokenizers = _checked_tokenizers(tokenizers)
        samples = _checked_samples(SAMPLES if samples is None else samples)
        sizes = {name: len(bpe.merges) for name, bpe in self._tokenizers.items()}
        pairs = [pair for bpe in self._tokenizers.values() for pair in bpe.merges]
        super().__init__(
            strings=strings,
            sources=[{"name": name, "merges": count} for name, count in sizes.items()],
            merges=np.array(pairs, dtype="<u2").tobytes(),
            word_runs=_runs(r"\w"),
            space_runs=_runs(r"\s"),
            samples=[{"name": name, "text": sample} for name, sample in samples.items()],
            text=next(iter(samples.values())) if text is None else text,
            tokenizer=next(iter(sizes)) if tokenizer is None else tokenizer,
            vocab_size=256 + max(sizes.values()) if vocab_size is None else vocab_size,
            piece=piece,
            step=step,
        )

    @traitlets.validate("text")
    def _check_text(self, proposal):
        return _checked_text("text", proposal["value"])

    @traitlets.validate("tokenizer")
    def _check_tokenizer(self, proposal):
        return checked_choice("tokenizer", proposal["value"], self._tokenizers)

    @traitlets.validate("vocab_size")
    def _check_size(self, proposal):
        largest = max(len(bpe.tokens) for bpe in self._tokenizers.values())
        return checked_whole("vocab_size", proposal["value"], 256, largest)

    @traitlets.validate("piece", "step")
    def _check_place(self, proposal):
        return checked_whole(proposal["trait"].name, proposal["value"], 0)

    def encode(self) -> list[int]:
        """The ids of the text with the chosen tokenizer and vocabulary size."""
        return self._cut().encode(self.text)

    def _cut(self) -> BytePairEncoding:
        """The chosen tokenizer with the first merges only."""
        return BytePairEncoding(self._tokenizers[self.tokenizer].merges[: self.vocab_size - 256])

    def static_figure(self) -> Figure:
        """The first tokens with their ids, in lines, on white; the counts above."""
        boxes = self._boxes()
        lines = max((line for _, line, _, _ in boxes), default=0) + 1
        figure = Figure(figsize=(9, 0.5 * lines + 0.7), layout="constrained")
        ax = figure.subplots()
        for box in boxes:
            _draw_token(ax, *box)
        ax.set(xlim=(0, WIDTH), ylim=(lines, 0), title=self._counts())
        ax.set_axis_off()
        left = len(self.encode()) - len(boxes)
        if left:
            figure.supxlabel(self.strings["more"].format(count=f"{left:,}"), fontsize="medium")
        return figure

    def alt_text(self) -> str:
        tokens = self._cut().tokens
        shown = ", ".join(f"{_shown(tokens[i])} {i}" for i in self.encode()[:20])
        what = (
            "A text cut into tokens, each in a box with its id, by the tokenizer "
            f"{self.tokenizer} with {len(tokens):,} tokens. {self._counts()}"
        )
        return f"{what} The first: {shown}." if shown else what

    def _counts(self) -> str:
        ids = self.encode()
        if not ids:
            return self.strings["empty"]
        sizes = {"characters": len(self.text), "bytes": len(self.text.encode()), "tokens": len(ids)}
        written = {name: f"{size:,}" for name, size in sizes.items()}
        return self.strings["counts"].format(**written, ratio=f"{len(self.text) / len(ids):.2f}")

    def _boxes(self) -> list[tuple[float, int, str, int]]:
        """Left end, line, text and id of each token that there is room for, line by line."""
        tokens, boxes = self._cut().tokens, []
        x, line = 0.0, 0
        for i in self.encode():
            text = _drawable(_shown(tokens[i]))
            if x and x + _width(text, i) > WIDTH:
                x, line = 0.0, line + 1
            if line == LINES:
                break
            boxes.append((x, line, text, i))
            x += _width(text, i)
        return boxes


@functools.cache
def _runs(pattern: str) -> list[int]:
    """Lengths of the runs of code points outside and inside the class, in turn, from U+0000 on."""
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    ends = [end for run in re.finditer(f"{pattern}+", everything) for end in run.span()]
    return [b - a for a, b in zip([0, *ends], ends, strict=False)]


def _checked_tokenizers(tokenizers) -> dict[str, BytePairEncoding]:
    expected = "tokenizers should be a dictionary from name to BytePairEncoding"
    if not isinstance(tokenizers, dict) or not tokenizers:
        raise TypeError(f"{expected}; got {tokenizers!r:.80}.")
    for name, bpe in tokenizers.items():
        if not isinstance(name, str) or not name or not isinstance(bpe, BytePairEncoding):
            raise TypeError(f"{expected}; got {name!r}: {type(bpe).__name__}.")
        if len(bpe.tokens) > MOST_TOKENS:
            raise ValueError(
                f"{name!r} should have at most {MOST_TOKENS:,} tokens; got {len(bpe.tokens):,}."
            )
    return dict(tokenizers)


def _checked_samples(samples) -> dict[str, str]:
    named = isinstance(samples, dict) and samples and all(isinstance(n, str) and n for n in samples)
    if not named:
        raise TypeError(f"samples should be a dictionary from name to text; got {samples!r:.80}.")
    return {name: _checked_text(f"sample {name!r}", text) for name, text in samples.items()}


def _checked_text(name: str, text) -> str:
    if not isinstance(text, str):
        raise ValueError(f"{name} should be a string; got {type(text).__name__}.")
    lone = re.search("[\ud800-\udfff]", text)
    if lone:
        raise ValueError(
            f"{name} should hold whole characters; got half of a surrogate pair, "
            f"U+{ord(lone[0]):04X} at place {lone.start()}."
        )
    return text


def _shown(token: bytes) -> str:
    """What a token shows: characters, marks for white space, and hexadecimal bytes."""
    shown = []
    for part in token.decode("utf-8", errors="surrogateescape"):
        if "\udc80" <= part <= "\udcff":  # a byte that belongs to no whole character
            shown.append(f"{ord(part) - 0xDC00:02X}")
        elif part in MARKS:
            shown.append(MARKS[part])
        elif unicodedata.category(part) in UNSEEN:
            shown.append(f"U+{ord(part):04X}")
        else:
            shown.append(part)
    return "".join(shown)


@functools.cache
def _fonts() -> list[str]:
    known = {font.name for font in font_manager.fontManager.ttflist}
    return ["DejaVu Sans Mono", *[name for name in CJK_FONTS if name in known][:1]]


def _drawable(text: str) -> str:
    """The text, with U+ and the number in place of each character that no font has."""
    faces = [font_manager.get_font(font_manager.findfont(name)) for name in _fonts()]
    known = [any(face.get_char_index(ord(c)) for face in faces) for c in text]
    return "".join(c if has else f"U+{ord(c):04X}" for c, has in zip(text, known, strict=True))


def _width(text: str, token_id: int) -> float:
    """Of a box, in letters: Chinese characters take two, the digits of the id less than one."""
    letters = sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in text)
    return max(letters, 0.75 * len(str(token_id))) + 0.8


def _draw_token(ax: Axes, x: float, line: int, text: str, token_id: int) -> None:
    width, look = _width(text, token_id), {"edgecolor": "0.45", "linewidth": 0.8}
    look["facecolor"] = TINTS[token_id % len(TINTS)]
    ax.add_patch(Rectangle((x + 0.1, line + 0.08), width - 0.2, 0.84, **look))
    # parse_math: a text with two dollar signs is no formula.
    middle = {"ha": "center", "va": "center", "family": _fonts(), "parse_math": False}
    ax.text(x + width / 2, line + 0.36, text, fontsize=11, clip_on=True, **middle)
    ax.text(x + width / 2, line + 0.74, str(token_id), fontsize=7.5, clip_on=True, **middle)
