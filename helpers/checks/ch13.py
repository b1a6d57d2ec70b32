"""Checks of chapter 13, pretraining."""

import copy
import functools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from helpers.exercises import Wrong, ask, compare, random_cases, same_tensor

LETTERS = "aé中👍 b"


def bits_per_byte(answer):
    """`bits_per_byte(loss, n_tokens, text)`: the loss of a whole text, shared by its bytes."""
    cases = [{"loss": math.log(2), "n_tokens": 4, "text": "abcdefgh"}]
    for case in random_cases(20, tokens=(2, 30), size=(5, 12), seed=(0, 6**12 - 1)):
        text = "中" + _spell(case["seed"], case["size"])
        cases.append({"loss": 1 + case["seed"] % 7 / 4, "n_tokens": case["tokens"], "text": text})
    compare(answer, _bits, cases, BITS_MISTAKES, same_tensor)
    return (
        "The whole text costs loss · n_tokens nats, whatever the tokens are, and its bytes are the "
        "same for every tokenizer. For English a byte is a character; for Chinese it is a third."
    )


def overlapping_windows(answer):
    """`overlapping_windows(n, context, stride)`: where each window begins, ends and scores."""
    cases = [{"n": 11, "context": 4, "stride": 2}, {"n": 9, "context": 4, "stride": 4}]
    for case in random_cases(40, n=(3, 30), context=(2, 9), stride=(1, 9)):
        cases.append({**case, "stride": min(case["stride"], case["context"])})
    cases.append({"n": 2, "context": 8, "stride": 3})
    compare(answer, _windows(), cases, WINDOW_MISTAKES, _same_triples)
    return (
        "Every token but the first is scored once, and all but those of the first window have at "
        "least context − stride tokens before them. The price: context / stride times the work."
    )


def copied_share(answer):
    """`copied_share(sample, text, n)`: the share of pieces of n characters that stand in a text."""
    cases = [{"sample": "to be or", "text": "or not to be", "n": 4}]
    for case in random_cases(40, n=(1, 4), sample=(0, 2**9 - 1), text=(0, 2**20 - 1)):
        sample, text = f"{case['sample']:09b}", f"{case['text']:020b}"
        cases.append({"sample": sample, "text": text[: 6 + case["text"] % 14], "n": case["n"]})
    cases.append({"sample": "ab", "text": "abc", "n": 3})
    compare(answer, _share(), cases, SHARE_MISTAKES, same_tensor)
    return (
        "A sample of length L has L − n + 1 pieces, which overlap. A set of the text's pieces "
        "makes each look-up fast. Compare with the share of held-out text: so much is ordinary."
    )


def block_repeats(answer):
    """`block_repeats(logits, ids, n)`: −∞ for each token that would repeat n tokens in a row."""
    cases = [_blocking([1, 2, 3, 1, 2], 3, 5)]
    for case in random_cases(60, n=(1, 4), length=(0, 9), seed=(0, 3**9 - 1)):
        ids = [case["seed"] // 3**place % 3 for place in range(case["length"])]
        cases.append(_blocking(ids, case["n"], 4))
    cases.append(_blocking([1, 2], 3, 4))
    compare(answer, _blocked(), cases, BLOCK_MISTAKES, same_tensor)
    _check_untouched(answer)
    return (
        "The last n − 1 tokens are the beginning of the run to come; wherever they stood before, "
        "the token that followed is ruled out. A model that repeats itself is not cured, only hid."
    )


def accumulate(answer):
    """`accumulate(model, inputs, targets, rows)`: the gradient of a batch, some rows at a time."""
    cases = [_batch(4, 2, seed=0), _batch(7, 3, seed=1)]
    for case in random_cases(8, size=(2, 9), rows=(1, 5), seed=(2, 10**6)):
        cases.append(_batch(case["size"], case["rows"], seed=case["seed"]))
    ask(_with_gradient(answer, may_stub=True), **cases[0])
    compare(_with_gradient(answer), _with_gradient(_accumulated), cases, ACCUMULATE_MISTAKES,
            same_tensor)  # fmt: skip
    return (
        "Gradients add up in .grad until somebody clears them. Each part counts by its share of "
        "the rows, and the last part may be smaller. Memory is that of one part."
    )


# What the checks share.


def _spell(seed: int, size: int) -> str:
    return "".join(LETTERS[seed // 6**place % 6] for place in range(size))


# 1. Bits per byte.


def _bits(loss: float, n_tokens: int, text: str) -> Tensor:
    return torch.tensor(loss * n_tokens / len(text.encode()) / math.log(2), dtype=torch.float64)


def _of_bits(function: Callable) -> Callable:
    """A wrong formula, from the right result and the counts."""

    def wrong(loss, n_tokens, text):
        right = _bits(loss, n_tokens, text)
        return function(right, n_tokens, len(text), len(text.encode()))

    return wrong


BITS_MISTAKES = [
    (
        _of_bits(lambda bits, tokens, characters, size: bits * size / characters),
        "this is per character; text.encode() gives the bytes.",
    ),
    (
        _of_bits(lambda bits, tokens, characters, size: bits * math.log(2)),
        "this is in nats; one bit is ln 2 nats.",
    ),
    (
        _of_bits(lambda bits, tokens, characters, size: bits * math.log(2) ** 2),
        "multiplied by ln 2; a nat is more than a bit, so the number must grow.",
    ),
    (
        _of_bits(lambda bits, tokens, characters, size: bits * size / tokens),
        "this is per token; the loss is that already, and the bytes are missing.",
    ),
    (
        _of_bits(lambda bits, tokens, characters, size: bits * size),
        "these are the bits of the whole text; divide by its bytes.",
    ),
    (
        _of_bits(lambda bits, tokens, characters, size: bits / tokens),
        "`loss` is a mean: multiply it by the number of tokens first.",
    ),
    (
        _of_bits(lambda bits, tokens, characters, size: bits * size**2 / tokens**2),
        "tokens and bytes have changed places.",
    ),
    (
        _of_bits(lambda bits, tokens, characters, size: 2**bits),
        "this is a perplexity; stop before the exponential.",
    ),
]

# 2. Overlapping windows.


def _windows(
    scores: Callable[[int, int], int] = lambda start, before: before + 1,
    cut: bool = True,
    short: bool = True,
    going_on: bool = False,
    step: Callable[[int, int], int] = lambda context, stride: stride,
) -> Callable:
    """The right answer, and with other settings a wrong one. `before`: the last one scored."""

    def windows(n, context, stride):
        found, start, before = [], 0, 0
        while (going_on and start < n - 1) or before < n - 1:
            end = start + context
            if end > n - 1 and not short:
                break
            end = min(end, n - 1) if cut else end
            found.append((start, end, scores(start, before)))
            start, before = start + step(context, stride), end
        return found

    return windows


WINDOW_MISTAKES = [
    (
        _windows(scores=lambda start, before: start + 1),
        "tokens in the overlap are scored twice; a later window scores only what is new to it.",
    ),
    (
        _windows(short=False),
        "the end of the text is never scored; the last window may be shorter.",
    ),
    (_windows(cut=False), "the last window reads past the end: the last token is only predicted."),
    (
        _windows(going_on=True),
        "it goes on after the last token was scored; then there is nothing new to score.",
    ),
    (
        _windows(step=lambda context, stride: context),
        "the windows follow each other without overlap; the start moves on by `stride`.",
    ),
    (
        _windows(step=lambda context, stride: max(1, context - stride)),
        "the start moves on by context − stride; it should move on by `stride`.",
    ),
    (
        _windows(scores=lambda start, before: before),
        "one too early: a window that reads up to `end` has scored that token already.",
    ),
    (
        lambda n, context, stride: [(s, e, f - s) for s, e, f in _windows()(n, context, stride)],
        "`first` is a position in the text, not in the window.",
    ),
    (
        lambda n, context, stride: [(s, e) for s, e, _ in _windows()(n, context, stride)],
        "the third number is missing: the first position that is scored.",
    ),
]


def _same_triples(result: Any, wanted: list) -> bool:
    try:
        return [tuple(map(int, part)) for part in result] == wanted
    except (TypeError, ValueError):
        return False


# 3. The copied share.


def _pieces(text: str, n: int) -> list[str]:
    return [text[i : i + n] for i in range(len(text) - n + 1)]


def _share(
    pieces: Callable[[str, int], list[str]] = _pieces, empty: float = 0.0, more: int = 0
) -> Callable:
    """`more` is added to the number of pieces."""

    def share(sample, text, n):
        found = pieces(sample, n)
        copied = sum(piece in text for piece in found)
        return torch.tensor(copied / (len(found) + more) if found else empty, dtype=torch.float64)

    return share


def _of_text(sample: str, text: str, n: int) -> Tensor:
    return _share()(text, sample, n)


SHARE_MISTAKES = [
    (
        _share(lambda text, n: list(dict.fromkeys(_pieces(text, n)))),
        "each piece counts once here; one that is written twice counts twice.",
    ),
    (
        _share(lambda text, n: [text[i : i + n] for i in range(0, len(text) - n + 1, n)]),
        "the pieces lie side by side; one begins at every character.",
    ),
    (
        _share(lambda text, n: [text[i : i + n] for i in range(len(text))]),
        "the last pieces are shorter than n; leave them out.",
    ),
    (
        _share(lambda text, n: _pieces(text, n)[:-1]),
        "the last piece is missing: there are len − n + 1.",
    ),
    (_of_text, "this is the share of the text's pieces; ask for the sample's."),
    (
        lambda sample, text, n: _share()(sample, text, n) * len(_pieces(sample, n)),
        "this is a number of pieces; divide by how many there are.",
    ),
    (
        lambda sample, text, n: 100 * _share()(sample, text, n),
        "this is in percent; a share lies between 0 and 1.",
    ),
    (
        lambda sample, text, n: 1 - _share()(sample, text, n),
        "this is the share of new pieces; the copied ones are asked for.",
    ),
    (
        lambda sample, text, n: (
            _share()(sample, text, n) * (len(_pieces(sample, n)) / max(1, len(sample)))
        ),
        "divided by the characters of the sample; it has fewer pieces than characters.",
    ),
    (_share(empty=1.0), "a sample shorter than n has no pieces, and has copied none: 0."),
]

# 4. No repeats.


class _Ids(list):
    """A list of its own for each call."""


def _blocking(ids: list[int], n: int, size: int) -> dict[str, Any]:
    return {"logits": torch.arange(size, dtype=torch.float32) / 2, "ids": _Ids(ids), "n": n}


def _followers(ids: list[int], n: int) -> set[int]:
    """Tokens that stood behind an earlier copy of the last n − 1 ids."""
    last = ids[len(ids) - n + 1 :]
    starts = range(len(ids) - n + 1) if len(ids) >= n else ()
    return {ids[i + n - 1] for i in starts if ids[i : i + n - 1] == last}


def _blocked(
    banned: Callable[[list[int], int], set[int]] = _followers, value: float = -math.inf
) -> Callable:
    def blocked(logits, ids, n):
        logits = logits.clone()
        for i in banned(list(ids), n):
            logits[i] = value
        return logits

    return blocked


def _latest(ids: list[int], n: int) -> set[int]:
    last = ids[len(ids) - n + 1 :]
    starts = [i for i in range(len(ids) - n + 1) if ids[i : i + n - 1] == last]
    return {ids[starts[-1] + n - 1]} if starts and len(ids) >= n else set()


BLOCK_MISTAKES = [
    (lambda logits, ids, n: logits, "nothing is ruled out; which token would repeat a run?"),
    (
        _blocked(value=0.0),
        "a logit of 0 still has a probability; −∞ has none.",
    ),
    (
        _blocked(lambda ids, n: set(ids)),
        "every token used before is ruled out; only the one that would complete a run is.",
    ),
    (
        _blocked(lambda ids, n: _followers(ids, n + 1)),
        "one token too many is compared: the last n − 1 and the next one make n.",
    ),
    (
        _blocked(lambda ids, n: _followers(ids, max(1, n - 1))),
        "one token too few is compared: the last n − 1 and the next one make n.",
    ),
    (
        _blocked(_latest),
        "only one earlier place is looked at; the run may have stood in several places.",
    ),
    (
        _blocked(lambda ids, n: set(ids[-1:])),
        "only the last token is ruled out; it is the token after an earlier copy that matters.",
    ),
]


def _check_untouched(answer: Callable) -> None:
    logits = torch.zeros(4)
    answer(logits, [1, 2, 1], 2)
    if logits.isinf().any():
        raise Wrong(
            "The result is right, but the logits that were given have changed too. "
            "Hint: work on a copy, logits.clone(); whoever called may still need them."
        )


# 5. Gradients in parts.


class _Model(nn.Module):
    """Logits of the next token from an embedding and one layer; written short in a message."""

    def __init__(self, seed: int):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.table = nn.Parameter(torch.randn(5, 5, generator=generator))

    def forward(self, ids: Tensor) -> Tensor:
        return self.table[ids]

    def __repr__(self) -> str:
        return "model"


def _batch(size: int, rows: int, seed: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(seed)
    inputs, targets = torch.randint(5, (2, size, 3), generator=generator)
    return {"model": _Model(seed), "inputs": inputs, "targets": targets, "rows": rows}


def _with_gradient(function: Callable, may_stub: bool = False) -> Callable:
    """Call a function that fills `.grad`, and give the gradient back."""

    @functools.wraps(function)
    def run(model, inputs, targets, rows):
        model = copy.deepcopy(model)
        function(model, inputs, targets, rows)
        if model.table.grad is None:
            return None if may_stub else torch.zeros(0)
        return model.table.grad

    return run


def _loss(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    return cross_entropy(model(inputs).flatten(0, 1), targets.flatten())


def _parts(
    weight: Callable[[int, int, int], float], clear: bool = False, whole_only: bool = False
) -> Callable:
    """`weight(rows of this part, rows of all, number of parts)` times the loss of each part."""

    def run(model, inputs, targets, rows):
        pairs = list(zip(inputs.split(rows), targets.split(rows), strict=True))
        for part, wanted in pairs:
            if whole_only and len(part) < rows and len(pairs) > 1:
                continue
            if clear:
                model.zero_grad()
            (_loss(model, part, wanted) * weight(len(part), len(inputs), len(pairs))).backward()

    return run


_accumulated = _parts(lambda rows, size, parts: rows / size)
ACCUMULATE_MISTAKES = [
    (
        _with_gradient(_parts(lambda rows, size, parts: 1)),
        "the means of the parts are added up; the mean of all is asked for.",
    ),
    (
        _with_gradient(_parts(lambda rows, size, parts: 1 / parts)),
        "each part counts alike, but the last one may have fewer rows.",
    ),
    (
        _with_gradient(_parts(lambda rows, size, parts: rows / size, clear=True)),
        "the gradient is cleared between the parts, so only the last one is left.",
    ),
    (
        _with_gradient(_parts(lambda rows, size, parts: rows / size, whole_only=True)),
        "the last part is left out where it is smaller.",
    ),
    (
        _with_gradient(_parts(lambda rows, size, parts: rows)),
        "this is the sum over the rows; divide by their number.",
    ),
]
