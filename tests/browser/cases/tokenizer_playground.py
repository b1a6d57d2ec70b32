"""TokenizerPlayground: the browser's ids are those of helpers.text, whatever is typed."""

import functools
import re
import unicodedata
from itertools import pairwise

import numpy as np
from playwright.sync_api import Locator, Page, expect

from helpers.text import BytePairEncoding, merge_pair, split_words
from helpers.widgets import TokenizerPlayground
from tests.browser.cases import number

# Each with signs that a browser is likely to take for others than Python does.
ALPHABETS = {
    "letters": "abcdeéßøñžαβγдежאבجحकखกขកខ가나ㄱㅏ",
    "Chinese": "床前明月光疑是地上霜㐀𠀀𠀁々〇〆",
    "newer than Unicode 14": "\U00031350\U00031351\U0002ebf0\U00011f02\U0001e4d0\U0001e5d0",
    "digits": "0123456789²③½Ⅷ٣४〇௧𝟘",
    "joined by": "_-'’·،、。—\u200d\u203f",
    "accents": "\u0301\u0308\u0327\u093f\u0e34\u05b8\u064b\u20dd\ufe0f",
    "emoji": "🚀👩👍🏽🇨🇳😀",
    "white space": " \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2028\u2029\u202f\u3000",
    "no white space": "\ufeff\u200b\u180e\u2060\x00\x1b\x7f\x84",
    "private and last": "\ue000\U000f0000\U0010ffff\ufffd",
}
TEXT = "low lower lowest slow slowest newer newest wider widest, the lower the newer " * 3
CHINESE = "床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。明月，月光，故鄉。" * 3
EDGES = [
    "",
    " ",
    "\r\n",
    "a" * 300,
    "床前明月光" * 60,
    "\ufefflow",
    "cafe\u0301 café",
    "\x1c\x1d low\x85low",
    "  low   lower \n\n  lowest  ",
    "low" + "\u0301" * 50,
]


def example() -> TokenizerPlayground:
    text = "the slower,\r\nthe newest 月光，思故鄉。"
    return TokenizerPlayground(_tokenizers(), text, tokenizer="Chinese", piece=7, step=2)


@functools.cache
def _tokenizers() -> dict[str, BytePairEncoding]:
    """The first has learned from every alphabet, so its merges also cross odd signs."""
    rng = np.random.default_rng(1)
    syllables = [_text(rng, 3) for _ in range(150)]
    odd = "".join(rng.choice(syllables, 1500))
    texts = {"English": TEXT * 5 + odd, "Chinese": CHINESE}
    return {name: BytePairEncoding.train(text, 900) for name, text in texts.items()}


def _text(rng: np.random.Generator, length: int) -> str:
    """A few signs from one alphabet, then from another, and so on."""
    runs = []
    while sum(map(len, runs)) < length:
        alphabet = list(ALPHABETS[rng.choice(list(ALPHABETS))])
        runs.append("".join(rng.choice(alphabet, rng.integers(1, 6))))
    return "".join(runs)[:length]


def arithmetic(evaluate, rng: np.random.Generator) -> None:
    classes = (example().word_runs, example().space_runs)
    everything = "".join(chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000)
    assert evaluate("splitWords", everything, *classes) == split_words(everything)
    for bpe in _tokenizers().values():
        flat = [i for pair in bpe.merges for i in pair]
        assert evaluate("tokenBytes", flat) == [list(token) for token in bpe.tokens]
        for text in [*EDGES, TEXT, CHINESE, *[_text(rng, 60) for _ in range(60)]]:
            size = int(rng.choice([256, 257, 300, 700, len(bpe.tokens)]))
            _compare_encoding(evaluate, bpe, text, size, classes)
        for piece in [*split_words(CHINESE + TEXT)[:20], "aaaaaaa", *EDGES]:
            _compare_steps(evaluate, bpe, flat, piece, int(rng.integers(256, 900)))
        for token in [*bpe.tokens[::8], *_odd_tokens(rng)]:
            assert evaluate("tokenParts", list(token)) == _parts(token)
    _compare_stops(evaluate)
    for text in ("a\ud83d", "\ude80\ud83d", "🚀\udfff", *ALPHABETS.values()):
        assert evaluate("wellFormed", text) == re.sub("[\ud800-\udfff]", "\ufffd", text)


def at_load(root: Locator, play: TokenizerPlayground) -> None:
    assert _ids(root) == play.encode()
    expect(_field(root)).to_have_value(play.text.replace("\r\n", "\n"))  # as fields have it
    _expect_counts(root, play.text)
    _expect_said(root)
    _expect_row(root, play.text)
    piece = split_words(play.text)[play.piece]
    bpe = BytePairEncoding(_tokenizers()[play.tokenizer].merges[: play.vocab_size - 256])
    ids, done = _merged(bpe, piece, play.step)
    assert _row(root) == ids
    assert len(done) == play.step


def changes(rng: np.random.Generator) -> list[tuple[str, object]]:
    texts = [("text", _text(rng, 200)) for _ in range(10)]
    sizes = [("vocab_size", int(rng.integers(256, 900))) for _ in range(10)]
    steps = [(name, int(rng.integers(12))) for name in ("piece", "step") * 5]
    last = {"tokenizer": "Chinese", "text": CHINESE + TEXT, "vocab_size": 400, "piece": 4}
    return [*texts, *sizes, *steps, *last.items(), ("step", 3)]


def operate(page: Page, root: Locator) -> None:
    root.get_by_role("combobox", name="Tokenizer").select_option(index=0)
    _type_any_text(root)
    _pause_before_telling(root)
    _write_as_an_input_method_does(page, root)
    _walk_by_keyboard(root)
    _walk_by_pointer(root)
    _change_the_vocabulary(root)
    _choose_samples_and_tokenizers(root)
    _paste_half_a_character(root)
    _paste_a_long_text(page, root)


def _compare_encoding(evaluate, bpe: BytePairEncoding, text: str, size: int, classes) -> None:
    flat = [i for pair in bpe.merges for i in pair]
    expected = BytePairEncoding(bpe.merges[: size - 256]).encode(text)
    assert evaluate("encode", text, flat, size, *classes) == expected
    assert evaluate("splitWords", text, *classes) == split_words(text)


def _merged(bpe: BytePairEncoding, piece: str, steps: int) -> tuple[list[int], list[int]]:
    """Ids after so many steps, and the rank of each step."""
    ids, done = list(piece.encode()), []
    while len(done) < steps:
        ranks = [bpe.ranks[pair] for pair in pairwise(ids) if pair in bpe.ranks]
        if not ranks:
            break
        done.append(min(ranks))
        ids = merge_pair(ids, bpe.merges[done[-1]], 256 + done[-1])
    return ids, done


def _compare_steps(evaluate, bpe: BytePairEncoding, flat: list, piece: str, size: int) -> None:
    cut = BytePairEncoding(bpe.merges[: size - 256])
    for steps in (0, 2, 1000):
        ids, done = _merged(cut, piece, steps)
        ranks = [cut.ranks.get(pair) for pair in pairwise(ids)]
        expected = {"ids": ids, "ranks": ranks, "done": done}
        assert evaluate("mergeSteps", piece, flat, size, steps) == expected


def _odd_tokens(rng: np.random.Generator) -> list[bytes]:
    """Cuts through characters, and bytes that no UTF-8 text has."""
    whole = [_text(rng, 8).encode() for _ in range(40)]
    odd = [b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff\xfe", b"\xf0\x9f\x9a"]
    return [*odd, *[text[rng.integers(4) : len(text) - rng.integers(4)] for text in whole]]


def _parts(token: bytes) -> list[list[str]]:
    """[kind, text], as Python's decoder and its tables of Unicode have it."""
    parts = []
    for sign in token.decode(errors="surrogateescape"):
        code, kind = ord(sign), "text"
        if 0xDC80 <= code <= 0xDCFF:
            kind, sign = "byte", f"{code - 0xDC00:02X}"
        elif sign in " \n\t\r":
            kind, sign = "mark", {" ": "␣", "\n": "↵", "\t": "⇥", "\r": "␍"}[sign]
        elif (unicodedata.category(sign)[0] in "CZ" and sign not in NEWER) or sign == "\ufe0f":
            kind, sign = "mark", f"U+{code:04X}"
        joins = kind == "text" and parts and parts[-1][0] == "text"
        if joins:
            parts[-1][1] += sign
            continue
        accent = kind == "text" and unicodedata.category(sign)[0] == "M"
        parts.append([kind, f"◌{sign}" if accent else sign])
    return parts


# The browser may know them as letters, and then draws them: it is a matter of looks alone.
NEWER = set(ALPHABETS["newer than Unicode 14"])


def _compare_stops(evaluate) -> None:
    """Both ends are reached, larger stops are larger sizes, and each size finds its own stop."""
    for full in (256, 257, 900, 65_536):
        sizes = [evaluate("sizeAt", stop, full) for stop in range(101)]
        assert (sizes[0], sizes[-1]) == (256, full)
        assert sizes == sorted(sizes)
        if full > 10_000:
            assert [evaluate("stopOf", size, full) for size in sizes] == list(range(101))
        assert evaluate("stopOf", full, full) == 100


def _field(root: Locator) -> Locator:
    return root.get_by_role("textbox", name="Text: type or paste in any language")


def _slider(root: Locator, name: str) -> Locator:
    return root.get_by_role("slider", name=name, exact=name == "Tokens")


def _ids(root: Locator) -> list[int]:
    return [int(text) for text in root.locator(".lm-tokens .lm-token-id").all_inner_texts()]


def _row(root: Locator) -> list[int]:
    return [int(text) for text in root.locator(".lm-ladder .lm-token-id").all_inner_texts()]


def _ranks(root: Locator) -> list[int | None]:
    texts = root.locator(".lm-ladder .lm-rank").all_inner_texts()
    return [None if text == "·" else int(text) for text in texts]


def _count(root: Locator, name: str) -> float:
    entry = root.locator(".lm-counts > p").filter(has=root.page.get_by_text(name, exact=True))
    text = entry.locator("strong").inner_text()
    return number(text.replace(",", ""))


def _expect_counts(root: Locator, text: str) -> None:
    ids = _ids(root)
    assert _count(root, "Characters") == len(text)
    assert _count(root, "Bytes") == len(text.encode())
    assert _count(root, "Tokens") == len(ids)
    if ids:
        assert _count(root, "Characters per token") == float(f"{len(text) / len(ids):.2f}")


def _expect_said(root: Locator) -> None:
    """After a pause, a screen reader is told the counts and the next merge."""
    texts = root.locator(".lm-counts strong").all_inner_texts()
    names = ("Characters", "Bytes", "Tokens", "Characters per token")
    counts = " ".join(f"{name}: {text}." for name, text in zip(names, texts, strict=True))
    steps = root.locator(".lm-said p").all_inner_texts()
    told = root.get_by_role("status").locator("p")
    expect(told).to_have_text([counts, " ".join(steps)])


def _chosen(root: Locator) -> int:
    place = int(_slider(root, "Tokens").get_attribute("aria-valuenow"))
    classes = root.locator(".lm-piece").nth(place).get_attribute("class")
    assert "lm-chosen" in classes
    assert root.locator(".lm-chosen").count() == 1
    return place


def _expect_row(root: Locator, text: str) -> None:
    """The row is a state of the chosen piece: pairs, marks and sentences fit each other."""
    words, place, ids, ranks = split_words(text), _chosen(root), _row(root), _ranks(root)
    expect(root.locator(".lm-steps .lm-title")).to_contain_text(
        f"Piece {place + 1} of {len(words)}: “"
    )
    assert len(ranks) == len(ids) - 1
    known = [rank for rank in ranks if rank is not None]
    said = root.locator(".lm-said").inner_text()
    if not known:
        assert "No neighbours have a merge" in said
        assert root.locator(".lm-ladder .lm-next").count() == 0
        return
    next_ = [i for i, rank in enumerate(ranks) if rank == min(known)]
    why = f"Their rank, {min(known)}, is the lowest of the {len(set(known))} in the row:"
    assert (why if len(set(known)) > 1 else f"with rank {min(known)}. No other pair") in said
    marked = root.locator(".lm-ladder .lm-token").evaluate_all(
        "nodes => nodes.map((node) => node.classList.contains('lm-next'))"
    )
    assert [i for i, one in enumerate(marked) if one][0:2] == [next_[0], next_[0] + 1]


def _walk(root: Locator, text: str, step) -> None:
    """Bytes first; each step merges what it announced; the end is what stands above."""
    piece = split_words(text)[_chosen(root)]
    _slider(root, "Merges done").press("Home")
    ids, steps = _row(root), 0
    assert ids == list(piece.encode())
    while known := [rank for rank in _ranks(root) if rank is not None]:
        _expect_row(root, text)
        lowest, ranks = min(known), _ranks(root)
        at = ranks.index(lowest)
        ids = merge_pair(ids, (ids[at], ids[at + 1]), 256 + lowest)
        step()
        steps += 1
        assert _row(root) == ids
        expect(root.locator(".lm-said")).to_contain_text(
            f"Its id is {256 + lowest} = 256 + rank {lowest}."
        )
        made = root.locator(".lm-ladder .lm-made .lm-token-id").all_inner_texts()
        assert set(made) == {str(256 + lowest)}
        assert len(made) == ids.count(256 + lowest)
    _expect_row(root, text)
    expect(_slider(root, "Merges done")).to_have_attribute("max", str(steps))
    above = root.locator(".lm-chosen .lm-token-id").all_inner_texts()
    assert list(map(int, above)) == ids


def _type_any_text(root: Locator) -> None:
    """Without merges the ids are the bytes of the text, in every language."""
    _slider(root, "Vocabulary size").press("Home")
    edited = ("a b c d", "a x c d", "a x d", "d x d", "d a d d", "x d", "a d", "a a d", "")
    for text in ("low cafe\u0301", "床前明月光", "👩\u200d🚀 𠀀", "\ufeff\x1c\x85\u3000x", *edited):
        _field(root).fill(text)
        assert _ids(root) == list(text.encode())
        _expect_counts(root, text)
        expect(root.locator(".lm-steps")).to_be_visible(visible=bool(text))
    expect(root.get_by_role("status")).to_have_text("The text is empty: no tokens.")
    _field(root).press_sequentially("low, 是")
    assert _ids(root) == list("low, 是".encode())
    assert _chosen(root) == 2  # the piece at the caret


def _pause_before_telling(root: Locator) -> None:
    """A hand that types fast is not talked over: the five changes come before any timer."""
    _field(root).fill("")
    expect(root.get_by_role("status")).to_have_text("The text is empty: no tokens.")
    script = """async (root) => {
        const field = root.querySelector("textarea");
        for (let i = 0; i < 5; i += 1) {
            field.value += "a";
            field.dispatchEvent(new Event("input"));
            await null;
            await null;
        }
        return root.querySelector("[role=status]").textContent;
    }"""
    assert root.evaluate(script) == "The text is empty: no tokens."
    assert _ids(root) == list(b"aaaaa")
    _expect_said(root)


def _write_as_an_input_method_does(page: Page, root: Locator) -> None:
    """Half-composed text counts as text, and nothing disturbs the composition."""
    _field(root).fill("")
    keyboard = page.context.new_cdp_session(page)
    for text in ("m", "mi", "ming"):
        given = {"text": text, "selectionStart": len(text), "selectionEnd": len(text)}
        keyboard.send("Input.imeSetComposition", given)
        assert _ids(root) == list(text.encode())
    keyboard.send("Input.insertText", {"text": "明"})
    expect(_field(root)).to_have_value("明")
    assert _ids(root) == list("明".encode())
    keyboard.detach()


def _walk_by_keyboard(root: Locator) -> None:
    text = "To be, or not to be"
    _field(root).fill(text)
    _slider(root, "Vocabulary size").press("End")
    tokens, words = _slider(root, "Tokens"), split_words(text)
    last = len(words) - 1
    keys = {"Home": 0, "ArrowRight": 1, "ArrowDown": 2, "ArrowUp": 1, "PageDown": last, "PageUp": 0}
    for key, place in (*keys.items(), ("End", last), ("ArrowRight", last), ("ArrowLeft", last - 1)):
        tokens.press(key)
        assert _chosen(root) == place
        _expect_row(root, text)
    _walk(root, text, lambda: _slider(root, "Merges done").press("ArrowRight"))
    _expect_said(root)


def _walk_by_pointer(root: Locator) -> None:
    text = "the the question\nof the 月光"
    _field(root).fill(text)
    for place in (5, 2, 0):
        root.locator(".lm-piece").nth(place).locator(".lm-token").first.click()
        assert _chosen(root) == place
        _walk(root, text, lambda: root.get_by_role("button", name="Next merge").click())
    done = int(_slider(root, "Merges done").input_value())
    root.get_by_role("button", name="Next merge").click()  # nothing more to do
    assert int(_slider(root, "Merges done").input_value()) == done
    root.get_by_role("button", name="Back").click()
    assert int(_slider(root, "Merges done").input_value()) == max(done - 1, 0)
    _expect_row(root, text)


def _change_the_vocabulary(root: Locator) -> None:
    """More merges never give more tokens, and no id from beyond the vocabulary."""
    text, size, counts = "the question of the lower lights", _slider(root, "Vocabulary size"), []
    _field(root).fill(text)
    size.press("Home")
    for _ in range(6):
        said = size.get_attribute("aria-valuetext")
        tokens, merges = (int(n.replace(",", "")) for n in re.findall(r"([\d,]+) (?=t|m)", said))
        assert tokens == 256 + merges
        assert max(_ids(root)) < tokens
        _expect_counts(root, text)
        _expect_row(root, text)
        counts.append(len(_ids(root)))
        for _ in range(17):
            size.press("ArrowRight")
    assert counts[0] == len(text.encode())
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] < counts[0]


def _choose_samples_and_tokenizers(root: Locator) -> None:
    samples = root.get_by_role("combobox", name="Sample text")
    tokenizer = root.get_by_role("combobox", name="Tokenizer")
    for label in samples.locator("option").all_inner_texts():
        samples.select_option(label=label)
        text = _field(root).input_value()
        _expect_counts(root, text)
        assert (text == "") == (label == "a text of your own")
        if text:
            _expect_row(root, text)
    samples.select_option(index=1)
    text = _field(root).input_value()
    for i in range(tokenizer.locator("option").count()):
        tokenizer.select_option(index=i)
        _expect_counts(root, text)
        _walk(root, text, lambda: root.get_by_role("button", name="Next merge").click())


def _paste_half_a_character(root: Locator) -> None:
    """UTF-8 has no bytes for it: it is cut as U+FFFD."""
    _slider(root, "Vocabulary size").press("Home")
    script = r"""node => {
        node.value = "a\ud83d\ud83d\ude80\ude80";
        for (const type of ["input", "change"]) node.dispatchEvent(new Event(type));
    }"""
    _field(root).evaluate(script)
    assert _ids(root) == list("a\ufffd🚀\ufffd".encode())
    _expect_counts(root, "a\ufffd🚀\ufffd")


def _paste_a_long_text(page: Page, root: Locator) -> None:
    """All tokens are counted; boxes beyond a limit are not drawn, and the page says so."""
    text = "low 月光 " * 2900
    _field(root).fill(text)
    count = int(_count(root, "Tokens"))
    assert count == len(text.encode())
    drawn = len(_ids(root))
    assert 1000 < drawn < 3000
    expect(root.get_by_text(f"{count - drawn:,} more tokens are counted")).to_be_visible()
    _slider(root, "Tokens").press("End")
    assert root.locator(".lm-chosen").count() == 1
    _field(root).fill("a" * 500)
    expect(root.locator(".lm-ladder")).to_contain_text("350 more are not drawn.")
    assert len(_row(root)) == 150
    _field(root).fill("low")
    expect(root.get_by_text("more tokens are counted")).to_be_hidden()
    _slider(root, "Tokens").press("Home")
    assert _ids(root) == list(b"low")
