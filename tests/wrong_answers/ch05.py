"""Answers to the exercises of chapter 05: right ones, and wrong ones with words from their hint.

Written as a reader would write them, apart from the formulas in helpers/checks/ch05.py.
"""

import re
import unicodedata

from tokenizers.models import WordPiece


def length(code_point):
    return len(chr(code_point).encode())


def by_bits(code_point, one, more):
    """`one` bits fit into one byte, `more` into two, three and four."""
    bits = code_point.bit_length()
    return 1 if bits <= one else 2 + sum(bits > limit for limit in more[:-1])


def length_too_late(code_point):
    if code_point <= 0x80:
        return 1
    if code_point <= 0x800:
        return 2
    return 3 if code_point <= 0x10000 else 4


def length_too_early(code_point):
    if code_point < 0x7F:
        return 1
    if code_point < 0x7FF:
        return 2
    return 3 if code_point < 0xFFFF else 4


def length_of_full_bytes(code_point):
    return max(1, (code_point.bit_length() + 7) // 8)


def length_of_seven_bits(code_point):
    return max(1, (code_point.bit_length() + 6) // 7)


def length_of_seven_and_six(code_point):
    return by_bits(code_point, 7, (13, 19, 25))


def length_of_six_bits(code_point):
    return by_bits(code_point, 7, (12, 18, 24))


def length_of_latin1(code_point):
    return 1 if code_point < 256 else length(code_point)


def length_three(code_point):
    return 1 if chr(code_point).isascii() else 3


def length_two(code_point):
    return 1 if code_point < 128 else 2


def length_without_four(code_point):
    return min(3, length(code_point))


def length_in_characters(code_point):
    return len(chr(code_point))


def length_in_units(code_point):
    return len(chr(code_point).encode("utf-16-le")) // 2


def length_in_utf16(code_point):
    return len(chr(code_point).encode("utf-16-le"))


def length_in_utf32(code_point):
    return len(chr(code_point).encode("utf-32-le"))


def length_as_float(code_point):
    return length(code_point) / 1


def length_of_plane_one_only(code_point):
    return length(code_point) if code_point < 0x20000 else 5


def cut(data, limit):
    return data[:limit].decode(errors="ignore").encode()


def cut_anywhere(data, limit):
    return data[:limit]


def cut_characters(data, limit):
    return "".join(list(data.decode())[:limit]).encode()


def cut_as_text(data, limit):
    return data[:limit].decode(errors="ignore")


def cut_with_replacement(data, limit):
    return data[:limit].decode("utf-8", "replace").encode()


def cut_leaving_the_first_byte(data, limit):
    start = bytearray(data[:limit])
    while start and 0x80 <= start[-1] < 0xC0:
        start.pop()
    return bytes(start)


def cut_losing_whole_ones(data, limit):
    start = data[:limit].decode(errors="ignore")
    whole = len(start.encode()) == len(data[:limit])
    return (start[:-1] if whole and not start[-1:].isascii() else start).encode()


def cut_losing_one_always(data, limit):
    text = cut(data, limit).decode()
    return (text if limit >= len(data) else text[:-1]).encode()


def cut_too_long(data, limit):
    text = data.decode()
    ends = [len(text[:n].encode()) for n in range(len(text) + 1)]
    return data[: next((end for end in ends if end >= limit), len(data))]


def cut_one_byte_back(data, limit):
    try:
        data[:limit].decode()
    except UnicodeDecodeError:
        return data[: limit - 1]
    return data[:limit]


def cut_one_less(data, limit):
    return data if limit >= len(data) else cut(data, max(limit - 1, 0))


def cut_to_ascii(data, limit):
    if limit >= len(data):
        return data
    return re.sub(r"[^\x00-\x7f]*$", "", cut(data, limit).decode()).encode()


def cut_without_others(data, limit):
    return bytes(byte for byte in data[:limit] if byte < 128)


def cut_not_before_four(data, limit):
    """Right for characters of up to three bytes."""
    start = data[:limit]
    for back in range(3):
        try:
            return start[: len(start) - back].decode().encode()
        except UnicodeDecodeError:
            pass
    return start


INVISIBLE = re.compile("[\u200b-\u200d\u2060\ufeff]")


def spaced(text):
    return re.sub(r"\s+", " ", text).strip()


def normal(text, form="NFKC"):
    return unicodedata.normalize(form, text)


def key(text):
    return spaced(normal(INVISIBLE.sub("", text)).casefold())


def key_lower(text):
    return spaced(normal(INVISIBLE.sub("", text)).lower())


def key_with_case(text):
    return spaced(normal(INVISIBLE.sub("", text)))


def key_nfc(text):
    return spaced(normal(INVISIBLE.sub("", text), "NFC").casefold())


def key_nfkd(text):
    return spaced(normal(INVISIBLE.sub("", text), "NFKD").casefold())


def key_not_normal(text):
    return spaced(INVISIBLE.sub("", text).casefold())


def key_without_accents(text):
    return spaced(re.sub("[\u0300-\u036f]", "", key_nfkd(text)))


def key_in_ascii(text):
    return spaced(text.encode("ascii", "ignore").decode().casefold())


def key_stripped(text):
    return normal(INVISIBLE.sub("", text)).casefold().strip()


def key_with_white_space(text):
    return normal(INVISIBLE.sub("", text)).casefold()


def key_without_spaces(text):
    return re.sub(r"\s", "", key(text))


def key_with_tabs(text):
    return re.sub(r" +", " ", key_with_white_space(text)).strip()


def key_not_stripped(text):
    return re.sub(r"\s+", " ", key_with_white_space(text))


def key_with_invisible(text):
    return spaced(normal(text).casefold())


def key_with_four_invisible(text):
    return key_with_invisible(text.replace("\N{ZERO WIDTH SPACE}", ""))


def key_of_parts(text):
    return key_with_invisible(INVISIBLE.sub(" ", text))


def key_seen_second(text):
    return spaced(INVISIBLE.sub("", normal(text)).casefold())


def key_case_before_normal(text):
    return spaced(normal(INVISIBLE.sub("", text.casefold())))


def key_spaces_first(text):
    return normal(INVISIBLE.sub("", spaced(text))).casefold()


def key_seen_last(text):
    return INVISIBLE.sub("", key_with_invisible(text))


def key_without_punctuation(text):
    return re.sub(r"[^\w\s]", "", key(text))


def key_shortened(text):
    return key(text)[:6]


def pack(lengths, context):
    if any(size > context for size in lengths):
        raise ValueError("A sequence is longer than the context.")
    bins, rooms = [], []
    for position, size in enumerate(lengths):
        place = next((p for p, room in enumerate(rooms) if size <= room), len(rooms))
        if place == len(rooms):
            bins.append([])
            rooms.append(context)
        bins[place].append(position)
        rooms[place] -= size
    return bins


def pack_next(lengths, context):
    bins, room = [], 0
    for position, size in enumerate(lengths):
        if size > room:
            bins.append([])
            room = context
        bins[-1].append(position)
        room -= size
    return bins


def pack_by(lengths, context, key):
    bins = []
    for position, size in enumerate(lengths):
        used = [sum(lengths[i] for i in some) for some in bins]
        fitting = [b for b in range(len(bins)) if used[b] + size <= context]
        if fitting:
            bins[min(fitting, key=lambda b: key(b, used[b]))].append(position)
        else:
            bins.append([position])
    return bins


def pack_best(lengths, context):
    return pack_by(lengths, context, lambda place, used: -used)


def pack_worst(lengths, context):
    return pack_by(lengths, context, lambda place, used: used)


def pack_newest(lengths, context):
    return pack_by(lengths, context, lambda place, used: -place)


def pack_in_order(lengths, context, order):
    bins = pack([lengths[i] for i in order], context)
    return [[order[i] for i in some] for some in bins]


def pack_long_first(lengths, context):
    order = sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
    return pack_in_order(lengths, context, order)


def pack_short_first(lengths, context):
    return pack_in_order(lengths, context, sorted(range(len(lengths)), key=lengths.__getitem__))


def pack_not_quite_full(lengths, context):
    bins = []
    for position, size in enumerate(lengths):
        for some in bins:
            if sum(lengths[i] for i in some) + size < context:
                some.append(position)
                break
        else:
            bins.append([position])
    return bins


def pack_overfull(lengths, context):
    bins = []
    for position in range(len(lengths)):
        for some in bins:
            if sum(lengths[i] for i in some) < context:
                some.append(position)
                break
        else:
            bins.append([position])
    return bins


def pack_alone(lengths, context):
    return [[position] for position in range(len(lengths))]


def pack_cut(lengths, context):
    bins, place = [], 0
    for position, size in enumerate(lengths):
        for _ in range(size):
            if place % context == 0:
                bins.append([])
            if position not in bins[-1]:
                bins[-1].append(position)
            place += 1
    return bins


def pack_lengths(lengths, context):
    return [[lengths[i] for i in some] for some in pack(lengths, context)]


def pack_from_one(lengths, context):
    return [[i + 1 for i in some] for some in pack(lengths, context)]


def pack_numbers(lengths, context):
    result = [0] * len(lengths)
    for number, some in enumerate(pack(lengths, context)):
        for position in some:
            result[position] = number
    return result


def pack_count(lengths, context):
    return len(pack(lengths, context))


def pack_anything(lengths, context):
    return pack_by(lengths, context, lambda place, used: place)


def pack_with_two_open(lengths, context):
    """Only two bins stay open."""
    bins = []
    for position, size in enumerate(lengths):
        for some in bins[-2:]:
            if sum(lengths[i] for i in some) + size <= context:
                some.append(position)
                break
        else:
            bins.append([position])
    return bins


def tokenize(word, vocab):
    """With the library's own WordPiece."""
    numbered = {piece: number for number, piece in enumerate(["[UNK]", *sorted(vocab)])}
    model = WordPiece(vocab=numbered, unk_token="[UNK]", continuing_subword_prefix="##")
    return [token.value for token in model.tokenize(word)]


def greedy(word, vocab, inner="##", sizes=lambda rest: range(rest, 0, -1)):
    """The pieces, and what is left of the word where no piece fits."""
    tokens, prefix = [], ""
    while word:
        for size in sizes(len(word)):
            if prefix + word[:size] in vocab:
                tokens.append(prefix + word[:size])
                word, prefix = word[size:], inner
                break
        else:
            return tokens, word
    return tokens, ""


def tokenize_shortest(word, vocab):
    tokens, rest = greedy(word, vocab, sizes=lambda rest: range(1, rest + 1))
    return ["[UNK]"] if rest else tokens


def tokenize_without_marks(word, vocab):
    return [token.replace("##", "") for token in tokenize(word, vocab)]


def tokenize_whole_pieces(word, vocab):
    tokens, rest = greedy(word, vocab, inner="")
    return ["[UNK]"] if rest else tokens


def tokenize_marked_later(word, vocab):
    tokens = tokenize_whole_pieces(word, vocab)
    return tokens[:1] + ["##" + token for token in tokens[1:]]


def tokenize_marked_at_once(word, vocab):
    tokens, rest = greedy(word, {piece[2:] for piece in vocab if piece[:2] == "##"}, inner="")
    return ["[UNK]"] if rest else ["##" + token for token in tokens]


def tokenize_with_unknown_end(word, vocab):
    tokens, rest = greedy(word, vocab)
    return tokens + ["[UNK]"] * bool(rest)


def tokenize_going_on(word, vocab):
    tokens, rest = greedy(word, vocab)
    while rest:
        tokens.append("[UNK]")
        inner = {piece[2:] for piece in vocab if piece[:2] == "##"}
        more, rest = greedy(rest[1:], inner, inner="")
        tokens += ["##" + token for token in more]
    return tokens


def tokenize_silently(word, vocab):
    return greedy(word, vocab)[0]


def tokenize_to_nothing(word, vocab):
    tokens, rest = greedy(word, vocab)
    return [] if rest else tokens


def tokenize_to_itself(word, vocab):
    tokens, rest = greedy(word, vocab)
    return [word] if rest else tokens


def tokenize_to_a_string(word, vocab):
    tokens, rest = greedy(word, vocab)
    return "[UNK]" if rest else tokens


def tokenize_going_back(word, vocab, prefix=""):
    if not word:
        return []
    for size in range(len(word), 0, -1):
        if prefix + word[:size] in vocab:
            rest = tokenize_going_back(word[size:], vocab, "##")
            if rest != ["[UNK]"]:
                return [prefix + word[:size], *rest]
    return ["[UNK]"]


def tokenize_fewest(word, vocab):
    best = {0: []}
    for end in range(1, len(word) + 1):
        for start in range(end):
            token = "##" * (start > 0) + word[start:end]
            if start in best and token in vocab:
                tokens = [*best[start], token]
                # Of two that are equally short, the one with the longer first pieces.
                rank = (len(tokens), [-len(t.removeprefix("##")) for t in tokens])
                old = best.get(end)
                if old is None or rank < (len(old), [-len(t.removeprefix("##")) for t in old]):
                    best[end] = tokens
    return best.get(len(word), ["[UNK]"])


def tokenize_from_the_right(word, vocab):
    tokens = []
    while word:
        for start in range(len(word)):
            token = ("##" if start else "") + word[start:]
            if token in vocab:
                tokens.append(token)
                word = word[:start]
                break
        else:
            return ["[UNK]"]
    return tokens[::-1]


def tokenize_words(word, vocab):
    return [word if word in vocab else "[UNK]"]


def tokenize_no_long_words(word, vocab):
    return tokenize(word, vocab) if len(word) < 7 else ["[UNK]"]


RIGHT = {
    "05.utf8_length": length,
    "05.cut_utf8": cut,
    "05.duplicate_key": key,
    "05.pack_first_fit": pack,
    "05.wordpiece": tokenize,
}
WRONG = {
    "05.utf8_length": {
        length_too_late: "one too late",
        length_too_early: "one too early",
        length_of_full_bytes: "all 8 bits",
        length_of_seven_bits: "every byte has 7 bits",
        length_of_seven_and_six: "7 bits for the first byte and 6",
        length_of_six_bits: "6 bits for every byte",
        length_of_latin1: "in Latin-1",
        length_three: "three bytes for all",
        length_two: "two bytes for all",
        length_without_four: "four bytes are missing",
        length_in_characters: "counts characters",
        length_in_units: "units of UTF-16",
        length_in_utf16: "bytes of UTF-16",
        length_in_utf32: "is UTF-32",
        length_as_float: "give ints",
        length_of_plane_one_only: "on paper",
    },
    "05.cut_utf8": {
        cut_anywhere: "half a character is left",
        cut_characters: "counts characters",
        cut_as_text: "bytes are asked for",
        cut_with_replacement: "was replaced by",
        cut_leaving_the_first_byte: "the first byte of their character",
        cut_losing_whole_ones: "that is whole is thrown away",
        cut_losing_one_always: "always thrown away",
        cut_too_long: "breaks the limit",
        cut_one_byte_back: "not always enough",
        cut_one_less: "one byte less",
        cut_to_ascii: "back to the last ASCII",
        cut_without_others: "that is not ASCII is lost",
        cut_not_before_four: "on paper",
    },
    "05.duplicate_key": {
        key_lower: "lower() keeps",
        key_with_case: "the case is still there",
        key_nfc: "NFC joins accents but",
        key_nfkd: "takes accents apart",
        key_not_normal: "normalisation is missing",
        key_without_accents: "the accents are gone",
        key_in_ascii: "that is not ASCII",
        key_stripped: "inside are still there",
        key_with_white_space: "still as it was",
        key_without_spaces: "all white space is gone",
        key_with_tabs: "tabs and line breaks",
        key_not_stripped: "left at the ends",
        key_with_invisible: "without width are still there",
        key_with_four_invisible: "the other four",
        key_of_parts: "became spaces",
        key_seen_second: "keeps an accent off",
        key_case_before_normal: "makes capitals",
        key_spaces_first: "white space comes last",
        key_seen_last: "stands between spaces",
        key_without_punctuation: "punctuation is gone",
        key_shortened: "on paper",
    },
    "05.pack_first_fit": {
        pack_next: "next-fit",
        pack_best: "best-fit",
        pack_worst: "the emptiest row",
        pack_newest: "begin with the oldest",
        pack_long_first: "from long to short",
        pack_short_first: "from short to long",
        pack_not_quite_full: "filled exactly",
        pack_overfull: "runs over",
        pack_alone: "padding, not packing",
        pack_cut: "each stays whole",
        pack_lengths: "these are the lengths",
        pack_from_one: "counted from 0",
        pack_numbers: "the row of each sequence",
        pack_count: "the number of rows",
        pack_anything: "raise a ValueError",
        pack_with_two_open: "on paper",
    },
    "05.wordpiece": {
        tokenize_shortest: "shortest piece",
        tokenize_without_marks: "have lost their ##",
        tokenize_whole_pieces: "another piece than",
        tokenize_marked_later: "only written with it",
        tokenize_marked_at_once: "the first piece of a word has no ##",
        tokenize_with_unknown_end: "must not stay",
        tokenize_going_on: "single characters as unknown",
        tokenize_silently: "lost silently",
        tokenize_to_nothing: "vanishes",
        tokenize_to_itself: "no token itself",
        tokenize_to_a_string: "a list is asked for",
        tokenize_going_back: "never given back",
        tokenize_fewest: "the fewest pieces",
        tokenize_from_the_right: "begin on the left",
        tokenize_words: "only whole words",
        tokenize_no_long_words: "on paper",
    },
}
