"""Checks of chapter 05, preprocessing text."""

import functools
import itertools
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from helpers.exercises import Wrong, ask, call_text, compare, random_cases

ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff"


def first_byte(answer):
    """`first_byte(byte)`: the bytes of the character that it begins, or a ValueError."""
    ask(answer, byte=0x41)  # a stub, or an answer that fails on everything
    for numbers, mistakes in KINDS_OF_BYTES:
        cases = [{"byte": _Bits(number)} for number in numbers]
        compare(_or_refusal(answer), _starting(), cases, mistakes, _same)
    return (
        "The ones before the first zero count the bytes; 2 to 4 are allowed, or none. c0 and c1 "
        "could only write what one byte holds, a second spelling of ASCII, and f5 to f7 only "
        "numbers beyond 10ffff."
    )


def cut_utf8(answer):
    """`cut_utf8(data, limit)`: the longest start of whole characters in at most `limit` bytes."""
    texts = ["né", "中文", "ok 👍", "é", "plain"]
    for case in random_cases(12, seed=(0, 6**6 - 1), size=(3, 6)):
        digits = [case["seed"] // 6**place % 6 for place in range(case["size"])]
        texts.append("".join("aß中é👍文"[digit] for digit in digits))
    cases = [
        {"data": text.encode(), "limit": limit}
        for text in texts
        for limit in [*range(2, len(text.encode()) + 2), 0, 1]
    ]
    compare(answer, _cut, cases, CUT_MISTAKES, _same)
    return (
        "A byte 10xxxxxx goes on with a character. If the first byte that is left out is one, the "
        "cut is inside a character, and goes back to where it begins: three bytes at most."
    )


def duplicate_key(answer):
    """`duplicate_key(text)`: four steps of cleaning, in the order that makes them final."""
    texts = [
        "FREE  entry",
        "Straße",
        "ＦＲＥＥ ①",
        "  Call\tnow\n",
        "win\u200bner",
        "re\u0301sume\u0301",
    ]
    texts += ["résumé", "Zoë\u00a0ok", "e\u200b\u0301", "brand™", "a \u200b b", "x´y", "ΣΟΦΟΣ", ""]
    texts += ["\ufeffhi", "a\u2060b\u200cc\u200dd", "№ 5, £5!", "中文\u3000ok", "\u200b \u200b"]
    for case in random_cases(20, **{name: (0, len(texts) - 1) for name in "abc"}):
        texts.append(" ".join(texts[place] for place in case.values()))
    cases = [{"text": _Shown(text)} for text in texts]
    compare(_showing(answer), _showing(_key()), cases, KEY_MISTAKES)
    return (
        "What is invisible goes first, so that accents meet their letters; NFKC comes before the "
        "case, since ™ becomes capitals; white space is last, since both others make or join it."
    )


def pack_best_fit(answer):
    """`pack_best_fit(lengths, context)`: positions in rows, each where it leaves the least room."""
    cases = [{"lengths": lengths, "context": 10} for lengths in ([5, 6, 4], [3, 6, 8, 1, 2, 7])]
    for case in random_cases(60, context=(8, 12), n=(4, 9), seed=(0, 8**9 - 1)):
        lengths = [1 + case["seed"] // 8**place % 8 for place in range(case["n"])]
        cases.append({"lengths": lengths, "context": case["context"]})
    cases += [{"lengths": [6, 6, 3], "context": 10}, {"lengths": [], "context": 4}]
    compare(answer, _packed(_fullest), cases, PACKING_MISTAKES, _same_list)
    _check_too_long(answer, [3, 9, 2], 8)
    return (
        "A short sequence fills a small gap, and large gaps stay for long ones. Often first-fit "
        "needs as many rows, and now and then fewer; both may need 1.7 times the fewest."
    )


def wordpiece(answer):
    """`wordpiece(word, vocab)`: the longest pieces from the left, or the unknown token."""
    pieces = {"p", "pl", "play", "##a", "##y", "##i", "##in", "##ing", "ing"}
    cases = [{"word": word, "vocab": pieces} for word in ("playing", "play", "plain")]
    cases.append({"word": "aba", "vocab": {"a", "ab", "##ba", "##b"}})  # greedy fails
    cases.append({"word": "abab", "vocab": {"a", "aba", "ab", "##ba", "##ab", "##b"}})
    cases.append({"word": "abbbb", "vocab": {"ab", "abb", "##b", "##bbb"}})
    every = ["".join(letters) for n in (1, 2, 3) for letters in itertools.product("ab", repeat=n)]
    every += ["##" + piece for piece in every]
    limits = {"word": (0, 2**7 - 1), "size": (1, 7), "dense": (0, 1)}
    for case in random_cases(80, **limits, some=(0, 2**28 - 1), more=(0, 2**28 - 1)):
        word = f"{case['word']:07b}".translate({48: "a", 49: "b"})[: case["size"]]
        kept = case["some"] | case["more"] * case["dense"]
        vocab = {piece for place, piece in enumerate(every) if kept >> place & 1}
        cases.append({"word": word, "vocab": vocab})
    compare(answer, _pieces(), cases, WORDPIECE_MISTAKES, _same_list)
    return (
        "No merges are remembered, only a list of pieces: the longest that fits is taken and never "
        "given back. One character that no piece covers makes the whole word unknown."
    )


# What the checks share.


def _same(result: Any, wanted: Any) -> bool:
    """Of one kind too: 1.0 is no number of bytes, and a string is no list of tokens."""
    return type(result) is type(wanted) and result == wanted


def _same_list(result: Any, wanted: Any) -> bool:
    return _same(_listed(result), wanted)


def _listed(result: Any) -> Any:
    """Tuples and tensors as lists."""
    if hasattr(result, "tolist"):
        return result.tolist()
    return [_listed(part) for part in result] if isinstance(result, (list, tuple)) else result


# 1. The first byte.


class _Bits(int):
    """A byte that is written in bits, as the patterns are."""

    def __repr__(self) -> str:
        return f"{self:#010b}"


class _Outcome(str):
    """What a call came to where it gave no value, written without quotation marks."""

    __repr__ = str.__str__


REFUSED, NOTHING = _Outcome("a ValueError"), _Outcome("None")
RETURNED = _Outcome("a ValueError, returned")


def _or_refusal(function: Callable) -> Callable:
    """A ValueError becomes a result, and so does None, which is no stub any more."""

    @functools.wraps(function)
    def run(byte):
        try:
            result = function(int(byte))
        except ValueError:
            return REFUSED
        if isinstance(result, ValueError):
            return RETURNED
        return NOTHING if result is None else result

    return run


def _starting(
    one: tuple[int, int] = (0, 0x7F),
    two: tuple[int, int] = (0xC2, 0xDF),
    three: tuple[int, int] = (0xE0, 0xEF),
    four: tuple[int, int] = (0xF0, 0xF4),
    values: Sequence[Any] = (1, 2, 3, 4),
    other: Any = REFUSED,
) -> Callable:
    """A value for each range of first bytes, both limits included, and one for all others."""
    ranges = list(zip((one, two, three, four), values, strict=True))
    return lambda byte: next((v for (low, high), v in ranges if low <= byte <= high), other)


def _leading_ones(byte: int) -> int:
    return f"{byte:08b}0".index("0")


BEGINNING_MISTAKES = [
    (
        _starting(two=(0xC2, 0xE0), three=(0xE1, 0xF0)),
        "one too late: 11100000 has three ones already, and 11110000 has four.",
    ),
    (
        _starting(one=(0, 0x7E), two=(0x7F, 0xDE), three=(0xDF, 0xEE), four=(0xEF, 0xF4)),
        "one too early: 01111111, 11011111 and 11101111 still belong to the shorter pattern.",
    ),
    (
        _starting(two=(0xC3, 0xDF)),
        "c2 does begin a character: with it the numbers from 128 on are written.",
    ),
    (
        _starting(four=(0xF0, 0xF3)),
        "f4 does begin a character: with it the numbers from 100000 to 10ffff are written.",
    ),
    (lambda byte: 3, "three bytes are right for most Chinese, not for every character."),
    (lambda byte: 1, "this counts the byte alone; how many bytes has the character it begins?"),
    (
        _starting(values=(0, 1, 2, 3)),
        "these are the bytes that follow; the first one belongs to the character too.",
    ),
    (
        _starting(values=(0, 2, 3, 4)),
        "a byte of ASCII begins with no 1 at all, and is one byte nevertheless.",
    ),
    (_starting(values=(7, 11, 16, 21)), "these are the bits of the number; count the bytes."),
    (
        _starting(values=(7, 5, 4, 3)),
        "these are the x of the first byte; the ones before them count the bytes.",
    ),
    (
        _starting(values=(8, 16, 24, 32)),
        "these are bits, 8 for each byte; the bytes are asked for.",
    ),
    (_starting(values=(1, 2, 3, 3)), "four bytes are missing: 11110xxx."),
    (
        _starting(values=(1, REFUSED, REFUSED, REFUSED)),
        "all but ASCII is refused, as decode() does with half a character; read the bits instead.",
    ),
    (
        _starting(values=(1.0, 2.0, 3.0, 4.0)),
        "the values are right, but they are floats; give ints.",
    ),
]
NO_ERROR_MISTAKES = [
    (lambda byte: 0, "0 is returned where nothing begins, and a caller may not notice; raise."),
    (lambda byte: -1, "-1 is returned where nothing begins; in Python one raises a ValueError."),
    (lambda byte: NOTHING, "nothing is returned for this byte; raise a ValueError."),
    (lambda byte: RETURNED, "the error is returned like a value; write raise, not return."),
]
CONTINUING_MISTAKES = [
    (lambda byte: 1, "10xxxxxx is no character of its own: it only continues one."),
    (lambda byte: 2, "the bytes from 128 to 191 begin with 10 and continue; only 110 begins two."),
]
UNFIT_MISTAKES = [
    (lambda byte: 4, "five ones or more, 11111xxx, fit no pattern of the table."),
    (_leading_ones, "the count of ones goes on here; the table of UTF-8 ends with four."),
]
OVERLONG_MISTAKES = [
    (
        lambda byte: 2,
        "c0 and c1 fit a row, but whatever follows, the number is below 128: a shorter row has it.",
    ),
    (_starting(two=(0xC1, 0xDF)), "one too far: c1 could only write the numbers from 64 to 127."),
]
BEYOND_MISTAKES = [
    (
        lambda byte: 4,
        "f5, f6 and f7 fit a row, but even with zeros behind, the number is above 10ffff.",
    ),
    (_starting(four=(0xF0, 0xF5)), "one too far: f5 could only write numbers from 140000 on."),
]
# Each kind of byte is compared apart, so that a mistake in one does not hide that in another.
KINDS_OF_BYTES = [
    ([0x41, 0xE6, 0xC3, 0xF0, *range(0x80), *range(0xC2, 0xF5)], BEGINNING_MISTAKES),
    (range(0x80, 0xC0), CONTINUING_MISTAKES + NO_ERROR_MISTAKES),
    (range(0xF8, 0x100), UNFIT_MISTAKES + NO_ERROR_MISTAKES),
    (range(0xC0, 0xC2), OVERLONG_MISTAKES + NO_ERROR_MISTAKES),
    (range(0xF5, 0xF8), BEYOND_MISTAKES + NO_ERROR_MISTAKES),
]


# 2. Cut bytes.


def _goes_on(byte: int) -> bool:
    """A byte 10xxxxxx, which is not the first of its character."""
    return byte & 0b1100_0000 == 0b1000_0000


def _cut(data: bytes, limit: int) -> bytes:
    while limit < len(data) and _goes_on(data[limit]):
        limit -= 1
    return data[:limit]


def _without_tail(data: bytes, limit: int) -> bytes:
    start = data[:limit]
    while start and _goes_on(start[-1]):
        start = start[:-1]
    return start


def _without_last_long(data: bytes, limit: int) -> bytes:
    """Goes back over a last character of several bytes, whether it is whole or not."""
    start = _without_tail(data, limit)
    return start[:-1] if start and start[-1] >= 0x80 else start


def _without_last(data: bytes, limit: int) -> bytes:
    """Goes back by one character, always."""
    return _cut(data, limit).decode()[:-1].encode() if limit < len(data) else data


def _to_next(data: bytes, limit: int) -> bytes:
    while limit < len(data) and _goes_on(data[limit]):
        limit += 1
    return data[:limit]


def _dropping_one(data: bytes, limit: int) -> bytes:
    inside = limit < len(data) and _goes_on(data[limit])
    return data[: limit - 1] if inside else data[:limit]


def _ascii_end(data: bytes, limit: int) -> bytes:
    start = _cut(data, limit)
    while limit < len(data) and start and start[-1] >= 0x80:
        start = start[:-1]
    return start


CUT_MISTAKES = [
    (
        lambda data, limit: data[:limit],
        "half a character is left at the end, which does not decode; go back to where it begins.",
    ),
    (
        lambda data, limit: data.decode()[:limit].encode(),
        "this counts characters; the limit is in bytes.",
    ),
    (
        lambda data, limit: _cut(data, limit).decode(),
        "the text is right, but bytes are asked for: encode it again.",
    ),
    (
        lambda data, limit: data[:limit].decode(errors="replace").encode(),
        "half a character was replaced by � (three bytes more); leave it out instead.",
    ),
    (
        _without_tail,
        "the bytes 10xxxxxx are gone, but the first byte of their character is still there.",
    ),
    (
        _without_last_long,
        "a last character that is whole is thrown away too: look at the first byte left out.",
    ),
    (
        _without_last,
        "one character is always thrown away; only half a one must go.",
    ),
    (
        _to_next,
        "the character that was cut is completed, which breaks the limit; leave it out.",
    ),
    (
        _dropping_one,
        "going back by one byte is not always enough: a character has up to four.",
    ),
    (
        lambda data, limit: _cut(data, limit - 1) if 0 < limit < len(data) else data[:limit],
        "one byte less than allowed: `limit` bytes may be used.",
    ),
    (
        _ascii_end,
        "this goes back to the last ASCII character, so Chinese text may vanish altogether.",
    ),
    (
        lambda data, limit: data[:limit].decode("ascii", errors="ignore").encode(),
        "every character that is not ASCII is lost; leave out only the one that is cut.",
    ),
]


# 3. A key for duplicates.


def _visible(text: str) -> str:
    return text.translate(dict.fromkeys(map(ord, ZERO_WIDTH)))


class _Shown(str):
    """Text that is written with its combining accents as numbers: é and e\\u0301 look alike."""

    def __repr__(self) -> str:
        return "".join(
            f"\\u{ord(letter):04x}" if unicodedata.combining(letter) else letter
            for letter in super().__repr__()
        )


def _showing(function: Any) -> Any:
    if not callable(function):
        return function

    @functools.wraps(function)
    def run(text):
        result = function(str(text))
        return _Shown(result) if isinstance(result, str) else result

    return run


def _normal(form: str) -> Callable[[str], str]:
    return lambda text: unicodedata.normalize(form, text)


_nfkc = _normal("NFKC")


def _one_space(text: str) -> str:
    return " ".join(text.split())


def _steps(*steps: Callable[[str], str]) -> Callable:
    def key(text):
        for step in steps:
            text = step(text)
        return text

    return key


def _key(see=_visible, form=_nfkc, fold=str.casefold, space=_one_space) -> Callable:
    """The key, in which one step may be replaced by a mistake."""
    return _steps(see, form, fold, space)


def _without_accents(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


KEY_MISTAKES = [
    (
        _key(fold=str.lower),
        "lower() keeps ß and ς; casefold() is made for comparing, and gives ss and σ.",
    ),
    (_key(fold=str), "the case is still there: FREE and free are to be the same."),
    (
        _key(form=_normal("NFC")),
        "NFC joins accents but keeps full-width letters, ™ and ﬁ as they are; NFKC is asked for.",
    ),
    (
        _key(form=_normal("NFKD")),
        "NFKD takes accents apart; with NFKC they are joined to their letters.",
    ),
    (_key(form=str), "the Unicode normalisation is missing: é can be one code point or two."),
    (
        _key(form=_without_accents),
        "the accents are gone; NFKC keeps them, since résumé and resume are two words.",
    ),
    (
        _key(form=lambda text: text.encode("ascii", "ignore").decode()),
        "all that is not ASCII is thrown away, and Chinese messages all become equal.",
    ),
    (_key(space=str.strip), "the ends are clean, but runs of white space inside are still there."),
    (_key(space=str), "white space is still as it was: runs become one space, and the ends none."),
    (
        _key(space=lambda text: "".join(text.split())),
        "all white space is gone; one space between words stays.",
    ),
    (
        _key(space=lambda text: re.sub(" +", " ", text).strip()),
        "only runs of the space itself were shortened; tabs and line breaks are white space too.",
    ),
    (
        _key(space=lambda text: re.sub(r"\s+", " ", text)),
        "a space is left at the ends; strip them as well.",
    ),
    (
        _key(see=str),
        "characters without width are still there: two texts look alike and differ.",
    ),
    (
        _key(see=lambda text: text.replace("\u200b", "")),
        "U+200B is removed, and the other four characters without width are not.",
    ),
    (
        _key(see=lambda text: re.sub(f"[{ZERO_WIDTH}]", " ", text)),
        "characters without width became spaces, which cuts words in two; remove them.",
    ),
    (
        _steps(_nfkc, _visible, str.casefold, _one_space),
        "the order: what is invisible must go before NFKC, or it keeps an accent off its letter.",
    ),
    (
        _steps(_visible, str.casefold, _nfkc, _one_space),
        "the order: NFKC makes capitals of ™ and №, so the case comes after it.",
    ),
    (
        _steps(_one_space, _visible, _nfkc, str.casefold),
        "the order: white space comes last, since the other steps join and make spaces.",
    ),
    (
        _steps(_nfkc, str.casefold, _one_space, _visible),
        "the order: what is invisible must go first; it stands between spaces and before accents.",
    ),
    (
        lambda text: re.sub(r"[^\w\s]", "", _key()(text)),
        "punctuation is gone too; that was not asked for, and £5 is not 5.",
    ),
]


# 4. Best-fit.


def _packed(choose: Callable, order: Callable = lambda lengths: range(len(lengths))) -> Callable:
    """Packing in an order of positions; `choose(sums, length, context)` gives a row or None."""

    def pack(lengths, context):
        rows: list[list[int]] = []
        for position in order(lengths):
            sums = [sum(lengths[i] for i in some) for some in rows]
            chosen = choose(sums, lengths[position], context)
            if chosen is None:
                rows.append([position])
            else:
                rows[chosen].append(position)
        return rows

    return pack


def _room(sums: Sequence[int], length: int, context: int) -> list[int]:
    return [place for place, filled in enumerate(sums) if filled + length <= context]


def _first(sums: Sequence[int], length: int, context: int) -> int | None:
    return min(_room(sums, length, context), default=None)


def _next(sums: Sequence[int], length: int, context: int) -> int | None:
    last = len(sums) - 1
    return last if last in _room(sums, length, context) else None


def _fullest(sums: Sequence[int], length: int, context: int) -> int | None:
    return max(_room(sums, length, context), key=lambda place: sums[place], default=None)


def _fullest_of_all(sums: Sequence[int], length: int, context: int) -> int | None:
    """Asks one row alone, the fullest that is not full."""
    row = _fullest(sums, 1, context)
    return row if row in _room(sums, length, context) else None


def _newest_fullest(sums: Sequence[int], length: int, context: int) -> int | None:
    return max(_room(sums, length, context), key=lambda place: (sums[place], place), default=None)


def _emptiest(sums: Sequence[int], length: int, context: int) -> int | None:
    return min(_room(sums, length, context), key=lambda place: sums[place], default=None)


def _long_first(lengths: Sequence[int]) -> list[int]:
    return sorted(range(len(lengths)), key=lambda position: -lengths[position])


def _short_first(lengths: Sequence[int]) -> list[int]:
    return sorted(range(len(lengths)), key=lambda position: lengths[position])


def _cut_at_the_edges(lengths: list[int], context: int) -> list[list[int]]:
    owners = [position for position, length in enumerate(lengths) for _ in range(length)]
    blocks = [owners[start : start + context] for start in range(0, len(owners), context)]
    return [sorted(set(block)) for block in blocks]


def _row_numbers(lengths: list[int], context: int) -> list[int]:
    rows = _packed(_fullest)(lengths, context)
    return [next(b for b, some in enumerate(rows) if i in some) for i in range(len(lengths))]


def _of_packed(change: Callable) -> Callable:
    """The right rows, with every position replaced."""
    return lambda lengths, context: [
        [change(position, lengths) for position in some]
        for some in _packed(_fullest)(lengths, context)
    ]


PACKING_MISTAKES = [
    (
        _packed(_first),
        "this takes the first row with room (first-fit), as `pack` does; compare the room in all.",
    ),
    (
        _packed(_emptiest),
        "this takes the row with the most room (worst-fit); take the one with the least.",
    ),
    (
        _packed(_next),
        "only the last row is asked (next-fit); earlier ones stay open.",
    ),
    (
        _packed(lambda *c: max(_room(*c), default=None)),
        "this takes the newest row with room; compare the room in all.",
    ),
    (
        _packed(_newest_fullest),
        "of rows with equal room this takes the newest; take the oldest.",
    ),
    (
        _packed(_fullest_of_all),
        "the fullest row is asked, and no other if it has no room: choose among those that do.",
    ),
    (
        _packed(_fullest, _long_first),
        "the sequences were sorted from long to short first; take them in the order given.",
    ),
    (
        _packed(_fullest, _short_first),
        "the sequences were sorted from short to long first; take them in the order given.",
    ),
    (
        _packed(lambda sums, length, context: _fullest(sums, length, context - 1)),
        "a row may be filled exactly: the sum may be equal to the context.",
    ),
    (
        _packed(lambda sums, length, context: _fullest(sums, 1, context)),
        "a row with any room left is taken, and runs over: add the new length before comparing.",
    ),
    (
        _packed(lambda sums, length, context: None),
        "every sequence gets a row of its own: that is padding, not packing.",
    ),
    (
        _cut_at_the_edges,
        "sequences are cut at the edge of a row and stand in two; each stays whole.",
    ),
    (
        _of_packed(lambda position, lengths: lengths[position]),
        "these are the lengths in each row; the positions of the sequences are asked for.",
    ),
    (_of_packed(lambda position, lengths: position + 1), "positions are counted from 0."),
    (
        _row_numbers,
        "this is the row of each sequence; a list of rows is asked for, each a list of positions.",
    ),
    (
        lambda lengths, context: len(_packed(_fullest)(lengths, context)),
        "this is the number of rows; the rows themselves are asked for.",
    ),
]


def _check_too_long(answer: Callable, lengths: list[int], context: int) -> None:
    what = call_text(answer, {"lengths": lengths, "context": context})
    try:
        what += f" gave {answer(lengths, context)!r}"
    except ValueError:
        return
    except Exception as error:
        what += f" raised {type(error).__name__}: {error}"
    raise Wrong(
        f"{what}, and a sequence of {max(lengths)} tokens fits into no row of {context}. "
        "Hint: raise a ValueError for it; a row that is too full would be noticed much later."
    )


# 5. WordPiece.


def _longest(found: list[tuple[int, str]]) -> tuple[int, str]:
    return max(found, key=lambda pair: pair[0])


def _pieces(
    spell: Callable = lambda piece, start: "##" + piece if start else piece,
    choose: Callable = _longest,
    fail: Callable = lambda tokens, word, start: ["[UNK]"],
    finish: Callable = lambda tokens: tokens,
) -> Callable:
    """Pieces from the left, in which one part may be replaced by a mistake.

    `spell` is how a piece is looked up and written, `choose` takes one of the (end, token) that
    were found, `fail` is the result where none was, `finish` changes the tokens at the end.
    """

    def tokens_of(word, vocab):
        tokens, start = [], 0
        while start < len(word):
            ends = range(start + 1, len(word) + 1)
            spelled = [(end, spell(word[start:end], start)) for end in ends]
            found = [pair for pair in spelled if pair[1] in vocab]
            if not found:
                return fail(tokens, word, start)
            start, token = choose(found)
            tokens.append(token)
        return finish(tokens)

    return tokens_of


def _going_on(word: str, vocab: set[str]) -> list[str]:
    """One unknown token for each character that nothing covers."""
    tokens, start = [], 0
    while start < len(word):
        ends = range(len(word), start, -1)
        spelled = [(end, "##" * (start > 0) + word[start:end]) for end in ends]
        end, token = next((p for p in spelled if p[1] in vocab), (start + 1, "[UNK]"))
        tokens.append(token)
        start = end
    return tokens


def _ways(word: str, vocab: set[str], start: int = 0) -> list[list[str]]:
    """All ways to write the word, those with a long first piece first."""
    if start == len(word):
        return [[]]
    ways = []
    for end in range(len(word), start, -1):
        token = "##" * (start > 0) + word[start:end]
        if token in vocab:
            ways += [[token, *rest] for rest in _ways(word, vocab, end)]
    return ways


def _from_the_right(word: str, vocab: set[str]) -> list[str]:
    tokens, end = [], len(word)
    while end:
        spelled = [(start, "##" * (start > 0) + word[start:end]) for start in range(end)]
        end, token = next((p for p in spelled if p[1] in vocab), (-1, ""))
        if end < 0:
            return ["[UNK]"]
        tokens.insert(0, token)
    return tokens


WORDPIECE_MISTAKES = [
    (
        _pieces(choose=min),
        "this takes the shortest piece that fits; try the longest first.",
    ),
    (
        _pieces(finish=lambda tokens: [token.removeprefix("##") for token in tokens]),
        "the pieces are right, but those inside the word have lost their ##.",
    ),
    (
        _pieces(spell=lambda piece, start: piece),
        "inside the word only pieces with ## may be used, and ing is another piece than ##ing.",
    ),
    (
        _pieces(
            spell=lambda piece, start: piece,
            finish=lambda tokens: [tokens[0], *("##" + token for token in tokens[1:])],
        ),
        "a piece inside the word was looked up without its ##, and only written with it.",
    ),
    (
        _pieces(spell=lambda piece, start: "##" + piece),
        "the first piece of a word has no ##, neither in the vocabulary nor in the result.",
    ),
    (
        _pieces(fail=lambda tokens, word, start: [*tokens, "[UNK]"]),
        "the pieces before the failure must not stay: the whole word becomes [UNK].",
    ),
    (
        _going_on,
        "this marks single characters as unknown and goes on; the whole word becomes [UNK].",
    ),
    (
        _pieces(fail=lambda tokens, word, start: tokens),
        "where nothing fits the rest of the word is lost silently: return [UNK] instead.",
    ),
    (
        _pieces(fail=lambda tokens, word, start: []),
        "a word that cannot be matched vanishes here; it becomes [UNK].",
    ),
    (
        _pieces(fail=lambda tokens, word, start: [word]),
        "a word that cannot be matched is no token itself; it becomes [UNK].",
    ),
    (
        _pieces(fail=lambda tokens, word, start: "[UNK]"),
        "a list is asked for in this case too: [UNK] is its only token.",
    ),
    (
        lambda word, vocab: (_ways(word, vocab) or [["[UNK]"]])[0],
        "this goes back and tries shorter pieces; greedy means that a piece is never given back.",
    ),
    (
        lambda word, vocab: min(_ways(word, vocab), key=len, default=["[UNK]"]),
        "this finds the fewest pieces; the rule is greedy: the longest one at each place.",
    ),
    (
        _from_the_right,
        "this matches from the end of the word; begin on the left.",
    ),
    (
        lambda word, vocab: [word] if word in vocab else ["[UNK]"],
        "only whole words are looked up; take the longest start that is in the vocabulary.",
    ),
]
