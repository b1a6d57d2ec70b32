"""Answers to the exercises of chapter 05: right ones, and wrong ones with words from their hint.

Written as a reader would write them, apart from the formulas in helpers/checks/ch05.py.
"""

import re
import unicodedata

from tokenizers.models import WordPiece

# What Python itself writes: every first byte, with the number of bytes. 64 characters share one.
WRITTEN = [chr(c).encode() for c in (*range(128), *range(128, 0x110000, 64)) if c >> 11 != 27]
BYTES = {written[0]: len(written) for written in WRITTEN}


def first(byte):
    if byte not in BYTES:
        raise ValueError(f"{byte:x} begins nothing")
    return BYTES[byte]


def first_too_late(byte):
    if 0x80 <= byte < 0xC2 or byte > 0xF4:
        raise ValueError
    return 1 + (byte > 0x80) + (byte > 0xE0) + (byte > 0xF0)


def first_too_early(byte):
    if 0x80 <= byte < 0xC2 or byte > 0xF4:
        raise ValueError
    return 1 + (byte >= 0x7F) + (byte >= 0xDF) + (byte >= 0xEF)


def refusing(byte, *others):
    if byte in others:
        raise ValueError
    return first(byte)


def first_without_c2(byte):
    return refusing(byte, 0xC2)


def first_without_f4(byte):
    return refusing(byte, 0xF4)


def first_with_f5(byte):
    return 4 if byte == 0xF5 else first(byte)


def first_with_c1(byte):
    return 2 if byte == 0xC1 else first(byte)


def first_three(byte):
    return 3


def first_one(byte):
    return len([byte])


def first_that_follow(byte):
    return first(byte) - 1


def first_ones(byte):
    """The ones before the first zero, without a thought for ASCII."""
    return 0 if byte < 0x80 else first(byte)


def first_bits_of_number(byte):
    return {1: 7, 2: 11, 3: 16, 4: 21}[first(byte)]


def first_free_bits(byte):
    return 7 if byte < 128 else 7 - first(byte)


def first_in_bits(byte):
    return 8 * first(byte)


def first_without_four(byte):
    return min(first(byte), 3)


def first_decoded(byte):
    return len(bytes([byte]).decode())


def first_as_float(byte):
    return first(byte) / 1


def by_pattern(byte):
    """The patterns alone."""
    for number, start in enumerate(("0", "110", "1110", "11110"), 1):
        if f"{byte:08b}".startswith(start):
            return number
    raise ValueError(byte)


def first_single_continuing(byte):
    return 1 if byte < 192 else by_pattern(byte)


def first_two_from_128(byte):
    return 1 + (byte > 127) + (byte > 223) + (byte > 239)


def first_four_for_the_rest(byte):
    return by_pattern(byte) if byte < 0xF0 else 4


def first_count_of_ones(byte):
    if 0x80 <= byte < 0xC0:
        raise ValueError
    return re.match("1*", f"{byte:08b}").end() or 1


def first_overlong(byte):
    return by_pattern(byte)


def first_beyond(byte):
    return by_pattern(byte) if byte > 193 else first(byte)


def or_else(byte, value):
    return BYTES.get(byte, value)


def first_or_zero(byte):
    return or_else(byte, 0)


def first_or_minus_one(byte):
    return or_else(byte, -1)


def first_or_nothing(byte):
    return or_else(byte, None)


def first_or_returned(byte):
    return or_else(byte, ValueError("begins nothing"))


def first_odd(byte):
    return first(byte) if byte != 0xE7 else 2


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
    bins, rooms = [], []
    for position, size in enumerate(lengths):
        if size > context:
            raise ValueError("A sequence is longer than the context.")
        left = [(room - size, place) for place, room in enumerate(rooms) if room >= size]
        if left:
            _, place = min(left)
            bins[place].append(position)
            rooms[place] -= size
        else:
            bins.append([position])
            rooms.append(context - size)
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


def pack_by(lengths, context, key, still_open=100):
    """Each into the bin with the least key among those with room."""
    bins = []
    for position, size in enumerate(lengths):
        used = [sum(lengths[i] for i in some) for some in bins]
        newest = range(len(bins))[-still_open:]
        fitting = [b for b in newest if used[b] + size <= context]
        if fitting:
            bins[min(fitting, key=lambda b: key(b, used[b]))].append(position)
        else:
            bins.append([position])
    return bins


def pack_first(lengths, context):
    return pack_by(lengths, context, lambda place, used: place)


def pack_worst(lengths, context):
    return pack_by(lengths, context, lambda place, used: used)


def pack_newest(lengths, context):
    return pack_by(lengths, context, lambda place, used: -place)


def pack_newest_of_equal(lengths, context):
    return pack_by(lengths, context, lambda place, used: (-used, -place))


def pack_into_the_fullest_only(lengths, context):
    bins, rooms = [], []
    for position, size in enumerate(lengths):
        place = min((p for p, room in enumerate(rooms) if room), key=rooms.__getitem__, default=-1)
        if place < 0 or rooms[place] < size:
            place = len(bins)
            bins.append([])
            rooms.append(context)
        bins[place].append(position)
        rooms[place] -= size
    return bins


def pack_in_order(lengths, context, order):
    bins = pack([lengths[i] for i in order], context)
    return [[order[i] for i in some] for some in bins]


def pack_long_first(lengths, context):
    order = sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
    return pack_in_order(lengths, context, order)


def pack_short_first(lengths, context):
    return pack_in_order(lengths, context, sorted(range(len(lengths)), key=lengths.__getitem__))


def pack_not_quite_full(lengths, context):
    # A length equal to the context still gets a row of its own.
    return pack_by(lengths, context - 1, lambda place, used: -used)


def pack_overfull(lengths, context):
    bins = []
    for position in range(len(lengths)):
        used = [sum(lengths[i] for i in some) for some in bins]
        open_ones = [place for place, filled in enumerate(used) if filled < context]
        if open_ones:
            bins[max(open_ones, key=used.__getitem__)].append(position)
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
    return pack_by(lengths, context, lambda place, used: -used)


def pack_with_two_open(lengths, context):
    """Only the two newest bins stay open."""
    return pack_by(lengths, context, lambda place, used: -used, still_open=2)


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
    "05.first_byte": first,
    "05.cut_utf8": cut,
    "05.duplicate_key": key,
    "05.pack_best_fit": pack,
    "05.wordpiece": tokenize,
}
WRONG = {
    "05.first_byte": {
        first_too_late: "one too late",
        first_too_early: "one too early",
        first_without_c2: "c2 does begin",
        first_without_f4: "f4 does begin",
        first_with_f5: "numbers from 140000 on",
        first_with_c1: "from 64 to 127",
        first_three: "most Chinese",
        first_one: "counts the byte alone",
        first_that_follow: "bytes that follow",
        first_ones: "begins with no 1",
        first_bits_of_number: "bits of the number",
        first_free_bits: "the x of the first byte",
        first_in_bits: "8 for each byte",
        first_without_four: "four bytes are missing",
        first_decoded: "as decode() does",
        first_as_float: "give ints",
        first_single_continuing: "no character of its own",
        first_two_from_128: "only 110 begins two",
        first_four_for_the_rest: "five ones or more",
        first_count_of_ones: "the count of ones goes on",
        first_overlong: "the number is below 128",
        first_beyond: "above 10ffff",
        first_or_zero: "0 is returned",
        first_or_minus_one: "-1 is returned",
        first_or_nothing: "nothing is returned",
        first_or_returned: "write raise",
        first_odd: "on paper",
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
    "05.pack_best_fit": {
        pack_first: "first-fit",
        pack_worst: "worst-fit",
        pack_next: "next-fit",
        pack_newest: "the newest row with room",
        pack_newest_of_equal: "take the oldest",
        pack_into_the_fullest_only: "no other if it has no room",
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
