"""A sentence as it is typed, and where each attention head of a small language model looks."""

from typing import ClassVar

import numpy as np
import traitlets
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from helpers.data import shakespeare
from helpers.widgets._attention_heads import findings
from helpers.widgets._checks import checked_whole
from helpers.widgets._language_model import forward, model_traits
from helpers.widgets._sampling import descending, next_token_probabilities, token_name
from helpers.widgets.base import ORANGE, Explorable

LONGEST = 60  # characters: the maps of all heads stay readable, and quick on a phone
PASSAGE = 2048  # characters of the validation part on which the heads are measured
STRONGEST, LIKELIEST = 3, 5  # as in attention_lab.js


class AttentionLab(Explorable):
    """A text field, the weights of all heads as maps, one of them large, and the next characters.

    The reader's browser runs the model. Layers, heads and characters count from 1 on the page,
    from 0 here.

    >>> lab = AttentionLab(play_model(), "To be, or not to be", layer=0, head=2)
    >>> lab.attention().shape
    (4, 4, 19, 19)

    Args:
        play_model: as `helpers.data.play_model` gives it.
        text: one line of 1 to 60 characters. Those that the model does not know are left out.
        layer, head: the head whose map is large; without them, the first of the findings.
        place: the character that looks; without it, the last one.
        passage: a text on which the heads of the buttons are found; without it, 2,048 characters
            of the plays' validation part.
        strings: replaced texts, see `Explorable`.

    Traits:
        text, layer, head, place: as above. A place beyond the text is shown as the last.
        settings, characters, weights, findings: made of the arguments, and stay.

    Raises:
        TypeError, ValueError: something above is of another kind; the message says what came.
    """

    module_name = "attention_lab"
    shared = ("_common", "_sampling", "_language_model")
    STRINGS: ClassVar = {
        "text": "Text: type one line, at most {count} characters",
        "unknown": "Left out, for the model has never read them: {signs}",
        "nothing": "Here is nothing that the model can read; the last text stays.",
        "findings": "Go to the head that most of all …",
        "find_one_back": "looks one back",
        "find_last_blank": "looks at the last blank",
        "find_word_before": "looks into the word before",
        "find_after_same": "looks at what came next last time",
        "where_one_back": "on the character just before",
        "where_last_blank": "on the last blank",
        "where_word_before": "on the letters of the word before",
        "where_after_same": "just after an earlier place of the same two characters",
        "measured": "Of all heads, layer {layer}, head {head} puts most weight {where}: "
        "{share} on average, in a passage of {count} characters. Even weights would put {even} "
        "there; a head with the same mean weight at each distance, but blind to the letters, "
        "{counted}.",
        "unskilled": "That is not even twice as much: no head of this model is made for it.",
        "heads": "Heads: one map each",
        "head": "Layer {layer}, head {head}",
        "map": "Rows look, columns are looked at",
        "scale_low": "0",
        "scale_middle": "0.25",
        "scale_high": "1",
        "place": "Character that looks",
        "place_value": "character {number} of {count}, {sign}",
        "hint": "The bars show how much of its weight the marked character gives to each "
        "character up to itself; later ones it cannot see. Point at a character to look, click to "
        "keep it, or move with the arrow keys. ␣ is a space, ↵ a line break.",
        "looks": "Where it looks",
        "look": "{sign}, {back} back",
        "look_self": "{sign}, itself",
        "next": "What comes next, says the whole model",
        "said": "{head}, {place}, looks at {looks}. The model's best next characters: {next}.",
        "said_part": "{sign}: {share}",
    }

    settings = traitlets.Dict().tag(sync=True)
    characters = traitlets.Unicode().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    findings = traitlets.List().tag(sync=True)
    measured_on = traitlets.Int().tag(sync=True)
    # Not Any, which takes None without asking the validators below.
    text, layer, head = (traitlets.TraitType().tag(sync=True) for _ in range(3))
    place = traitlets.TraitType(None, allow_none=True).tag(sync=True)

    def __init__(
        self,
        play_model,
        text="To be, or not to be",
        *,
        layer=None,
        head=None,
        place=None,
        passage=None,
        strings=None,
    ) -> None:
        traits = model_traits(play_model)
        self._settings, self._characters = traits["settings"], traits["characters"]
        passage = shakespeare().validation[:PASSAGE] if passage is None else passage
        traits |= _measured(traits, passage)
        first = traits["findings"][0]
        super().__init__(
            strings=strings,
            text=text,
            layer=first["layer"] if layer is None else layer,
            head=first["head"] if head is None else head,
            place=place,
            **traits,
        )

    @traitlets.validate("text")
    def _check_text(self, proposal):
        return _checked_text(proposal["value"], self._characters)

    @traitlets.validate("layer", "head")
    def _check_head(self, proposal):
        name = proposal["trait"].name
        return checked_whole(name, proposal["value"], 0, self._settings[f"n_{name}s"] - 1)

    @traitlets.validate("place")
    def _check_place(self, proposal):
        return checked_whole("place", proposal["value"], 0, LONGEST - 1, or_none=True)

    def attention(self) -> np.ndarray:
        """Weights (n_layers, n_heads, time, time) of the text; row: looks, column: looked at."""
        return self._pass()[1]

    def _pass(self) -> tuple[np.ndarray, np.ndarray]:
        ids = [self.characters.index(sign) for sign in self._known()]
        return forward(self.settings, self.weights, ids)

    def _known(self) -> str:
        """The text without characters that the model does not know."""
        return "".join(sign for sign in self.text if sign in self.characters)

    def _place(self) -> int:
        last = len(self._known()) - 1
        return last if self.place is None else min(self.place, last)

    def static_figure(self) -> Figure:
        """The chosen head's map with its characters, and the best next characters as bars."""
        figure = Figure(figsize=(9, 5.4), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(2, 1))
        logits, attention = self._pass()
        _draw_map(left, attention[self.layer, self.head], self._known(), self._place())
        left.set_title(self._head_name())
        left.set(xlabel=self.strings["map"])
        best = self._next(logits, self._place())
        labels = [f"{token_name(self.characters[i])}  {share:.2f}" for i, share in best]
        right.barh(range(len(best)), [share for _, share in best], color="0.35")
        right.set_yticks(range(len(best)), labels)
        right.set_title(self.strings["next"], fontsize="medium", wrap=True)
        right.set(ylim=(len(best) - 0.5, -0.5), xlim=(0, 1))
        figure.supxlabel(self._sentence(logits, attention), fontsize="medium", wrap=True)
        return figure

    def alt_text(self) -> str:
        return (
            f"The text “{self._known()}” and a map of the weights with which its characters look "
            f"at those before, in one attention head. {self._sentence(*self._pass())}"
        )

    def _head_name(self) -> str:
        return self.strings["head"].format(layer=self.layer + 1, head=self.head + 1)

    def _sentence(self, logits: np.ndarray, attention: np.ndarray) -> str:
        """What the live region says."""
        texts, text, place = self.strings, self._known(), self._place()
        looks = _best(attention[self.layer, self.head, place, : place + 1], STRONGEST)
        where = [(_look(texts, text, place, i), share) for i, share in looks]
        best = [(token_name(self.characters[i]), share) for i, share in self._next(logits, place)]
        where, best = (
            "; ".join(texts["said_part"].format(sign=s, share=f"{p:.2f}") for s, p in parts)
            for parts in (where, best)
        )
        here = {"number": place + 1, "count": len(text), "sign": token_name(text[place])}
        here = texts["place_value"].format(**here)
        return texts["said"].format(head=self._head_name(), place=here, looks=where, next=best)

    def _next(self, logits: np.ndarray, place: int) -> list[tuple[int, float]]:
        return _best(next_token_probabilities(logits[place], 1, None, None), LIKELIEST)


def _measured(traits: dict, passage) -> dict:
    """The traits `findings` and `measured_on`."""
    known = [s for s in passage if s in traits["characters"]] if isinstance(passage, str) else []
    if len(known) < traits["settings"]["context"]:
        raise ValueError(
            "passage should be a text of at least the context's "
            f"{traits['settings']['context']} characters; got {passage!r:.80}."
        )
    sizes = tuple(traits["settings"].items())
    found = findings(sizes, traits["weights"], traits["characters"], "".join(known))
    return {"findings": found, "measured_on": len(known)}


def _checked_text(value, characters: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"text should be a string; got {type(value).__name__}.")
    if not 1 <= len(value) <= LONGEST or "\n" in value or "\r" in value:
        raise ValueError(
            f"text should be one line of 1 to {LONGEST} characters; "
            f"got {len(value)} characters, {value!r:.80}."
        )
    if not any(sign in characters for sign in value):
        raise ValueError(f"text should have a character that the model knows; got {value!r}.")
    return value


def _best(shares: np.ndarray, count: int) -> list[tuple[int, float]]:
    """Place and share of the largest, the first of equals first."""
    return [(int(i), float(shares[i])) for i in descending(shares)[:count]]


def _look(texts: dict, text: str, place: int, target: int) -> str:
    key = "look_self" if target == place else "look"
    return texts[key].format(sign=token_name(text[target]), back=place - target)


def _draw_map(ax: Axes, weights: np.ndarray, text: str, place: int) -> None:
    """Weights by colour, the future left white, the row of the place framed."""
    future = ~np.tri(len(text), dtype=bool)
    look = {"cmap": "viridis", "norm": PowerNorm(0.5, 0, 1)}
    image = ax.imshow(np.ma.masked_array(weights, future), **look)
    ax.figure.colorbar(image, ax=ax, ticks=[0, 0.05, 0.25, 0.5, 1], shrink=0.7)
    ax.plot([-0.5, place + 0.5, place + 0.5, -0.5, -0.5],
            [place - 0.5] * 2 + [place + 0.5] * 2 + [place - 0.5], color=ORANGE)  # fmt: skip
    size = 9 if len(text) <= 30 else 5
    for ticks in (ax.set_xticks, ax.set_yticks):
        ticks(
            range(len(text)),
            map(token_name, text),
            fontsize=size,
            family="DejaVu Sans Mono",
            parse_math=False,
        )
