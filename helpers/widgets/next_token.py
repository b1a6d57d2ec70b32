"""Temperature, top-k and top-p at work on the next token of a real model."""

from typing import ClassVar

import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from helpers.widgets._checks import checked_choice, checked_whole, is_whole
from helpers.widgets._random import uniforms
from helpers.widgets._sampling import (
    SLIDER_STRINGS,
    checked_setting,
    descending,
    draw_tokens,
    entropy_bits,
    next_token_probabilities,
    token_name,
)
from helpers.widgets.base import BLUE, ORANGE, Explorable

ROWS, DRAWS, MOST_DRAWN = 16, 100, 1000  # as in next_token.js
MOST_TOKENS, MOST_PROMPTS = 300, 10
LAST_SEED = 2**31 - 1


class NextToken(Explorable):
    """The likeliest next tokens before and after temperature, top-k and top-p, and draws of them.

    The page divides, cuts and draws itself, as `helpers.generation.next_token_probabilities` does.

    >>> NextToken({"to be or": model(ids)[0, -1]}, model_characters, top_p=0.9)

    Args:
        distributions: text so far -> logits of the next token, (vocab_size,).
        tokens: the names of the tokens, a list or one string of characters, at most 300.
        prompt: the text that is shown; without it, the first.
        temperature: 0 to 2.
        top_k: 1 to vocab_size; None keeps all.
        top_p: 0.05 to 1; None keeps all.
        drawn: how many tokens are drawn: 0, 100 … 1,000.
        seed: of the random numbers; the same ones are used for every setting.
        strings: replaced texts, see `Explorable`.

    Traits:
        prompt, temperature, top_k, top_p, drawn, seed: as above.
        distributions, tokens: made of the arguments, and stay.

    Raises:
        TypeError, ValueError: something above is of another kind; the message says what came.
    """

    module_name = "next_token"
    shared = ("_common", "_random", "_sampling", "_sampling_sliders")
    STRINGS: ClassVar = {
        **SLIDER_STRINGS,
        "prompt": "Text so far",
        "draw": "Draw 100 tokens",
        "forget": "Forget the draws",
        "kept": "Tokens kept",
        "kept_value": "{kept} of {count}",
        "entropy": "Entropy",
        "entropy_value": "{bits} bits",
        "entropy_before": "model: {bits}",
        "likeliest": "Likeliest token",
        "likeliest_before": "model: {percent} %",
        "draws": "Draws",
        "draws_value": "{different} different",
        "draws_before": "in {count} draws",
        "head_token": "Token",
        "head_bars": "Probability",
        "head_before": "Model %",
        "head_after": "Now %",
        "head_drawn": "Drawn",
        "rest": "{count} others",
        "legend_after": "to draw from",
        "legend_cut": "cut away",
        "legend_before": "the model's own",
        "hint": "␣ is a space, ↵ a line break. Temperature 0 always takes the likeliest token. The "
        "same random numbers are used at every setting, so that only the setting makes the "
        "difference.",
    }

    distributions, tokens = (traitlets.List().tag(sync=True) for _ in range(2))
    # Not Any, which takes None without asking the validators below.
    prompt, temperature, top_k, top_p = (traitlets.TraitType().tag(sync=True) for _ in range(4))
    drawn, seed = (traitlets.TraitType(0).tag(sync=True) for _ in range(2))

    def __init__(
        self, distributions, tokens, *, prompt=None, temperature=1.0, top_k=None, top_p=None,
        drawn=0, seed=0, strings=None,
    ) -> None:  # fmt: skip
        self._names = _checked_tokens(tokens)
        self._logits = _checked_distributions(distributions, len(self._names))
        super().__init__(
            strings=strings,
            distributions=[{"prompt": p, "logits": x.tolist()} for p, x in self._logits.items()],
            tokens=self._names,
            prompt=next(iter(self._logits)) if prompt is None else prompt,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            drawn=drawn,
            seed=seed,
        )

    @traitlets.validate("prompt")
    def _check_prompt(self, proposal):
        return checked_choice("prompt", proposal["value"], self._logits)

    @traitlets.validate("temperature", "top_k", "top_p")
    def _check_setting(self, proposal):
        return checked_setting(proposal["trait"].name, proposal["value"], len(self._names))

    @traitlets.validate("drawn")
    def _check_drawn(self, proposal):
        value = proposal["value"]
        if not is_whole(value, 0, MOST_DRAWN) or value % DRAWS:
            raise ValueError(f"drawn should be 0, {DRAWS} … {MOST_DRAWN}; got {value!r}.")
        return int(value)

    @traitlets.validate("seed")
    def _check_seed(self, proposal):
        return checked_whole("seed", proposal["value"], 0, LAST_SEED)

    def probabilities(self) -> np.ndarray:
        """What is drawn from at the present settings, float64 (vocab_size,)."""
        return next_token_probabilities(
            self._logits[self.prompt], self.temperature, self.top_k, self.top_p
        )

    def counts(self) -> np.ndarray:
        """How often each token was drawn, (vocab_size,)."""
        numbers = draw_tokens(self.probabilities(), uniforms(self.seed, self.drawn))
        return np.bincount(numbers, minlength=len(self._names))

    def static_figure(self) -> Figure:
        """Bars of the likeliest tokens, to draw from and the model's own, on white."""
        logits, after = self._logits[self.prompt], self.probabilities()
        before, order = next_token_probabilities(logits, 1, None, None), descending(logits)[:ROWS]
        figure = Figure(figsize=(8, 0.3 * len(order) + 1.4), layout="constrained")
        ax = figure.subplots()
        places = np.arange(len(order))
        ax.barh(places, after[order], color=BLUE, label=self.strings["legend_after"])
        ax.barh(places, before[order], height=0.8, fill=False, edgecolor="black",
                label=self.strings["legend_before"])  # fmt: skip
        if self.drawn:
            shares = self.counts()[order] / self.drawn
            ax.plot(shares, places, "D", color=ORANGE, label=self.strings["head_drawn"])
        names = [token_name(self._names[i]) for i in order]
        ax.set_yticks(places, names, parse_math=False)
        ax.invert_yaxis()
        ax.set(xlim=(0, 1), xlabel=self.strings["head_bars"])
        ax.set_title(f"{token_name(self.prompt)}\n{self._in_words()}", parse_math=False)
        ax.legend(loc="lower right")
        return figure

    def alt_text(self) -> str:
        after = self.probabilities()
        best = descending(after)[: min(5, int((after > 0).sum()))]
        listed = ", ".join(f"{token_name(self._names[i])} {100 * after[i]:.1f} %" for i in best)
        return (
            f"Bars of the probabilities of the next token after “{token_name(self.prompt)}”. "
            f"{self._in_words()}. The likeliest to be drawn: {listed}."
        )

    def _in_words(self) -> str:
        after, t = self.probabilities(), self.strings
        kept = t["kept_value"].format(kept=int((after > 0).sum()), count=len(after))
        bits = t["entropy_value"].format(bits=f"{entropy_bits(after):.2f}")
        return (
            f"{t['temperature']} {self.temperature:.2f}, {t['top_k']} {self.top_k}, "
            f"{t['top_p']} {self.top_p:.2f}: {t['kept']} {kept}, {t['entropy']} {bits}"
        )


def _checked_tokens(tokens) -> list[str]:
    if not isinstance(tokens, str | list | tuple) or not all(isinstance(t, str) for t in tokens):
        raise TypeError(
            "tokens should be a list of names or a string of characters; "
            f"got {type(tokens).__name__}."
        )
    if not 2 <= len(tokens) <= MOST_TOKENS:
        raise ValueError(f"tokens should be 2 to {MOST_TOKENS} names; got {len(tokens)}.")
    return list(tokens)


def _checked_distributions(distributions, vocab_size: int) -> dict[str, np.ndarray]:
    """Text so far -> logits, float64 (vocab_size,)."""
    expected = "distributions should be a dictionary from text to logits"
    if not isinstance(distributions, dict) or not distributions:
        raise TypeError(f"{expected}; got {distributions!r:.80}.")
    if len(distributions) > MOST_PROMPTS:
        raise ValueError(f"{expected}, at most {MOST_PROMPTS}; got {len(distributions)}.")
    return {prompt: _checked_logits(prompt, x, vocab_size) for prompt, x in distributions.items()}


def _checked_logits(prompt, logits, vocab_size: int) -> np.ndarray:
    if not isinstance(prompt, str) or not prompt or not isinstance(logits, Tensor | np.ndarray):
        raise TypeError(
            "distributions should be a dictionary from text to logits, a tensor or an array; "
            f"got {prompt!r}: {type(logits).__name__}."
        )
    found = torch.as_tensor(logits).detach().cpu().double().numpy()
    if found.shape != (vocab_size,) or not np.isfinite(found).all():
        raise ValueError(
            f"The logits of {prompt!r} should be {vocab_size} finite numbers, one for each token; "
            f"got {found!r:.80} of shape {found.shape}."
        )
    return found
