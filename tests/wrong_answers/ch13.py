"""Answers to the exercises of chapter 13: right ones, and wrong ones with words from their hint.

Written as a reader would write them, apart from the formulas in helpers/checks/ch13.py.
"""

import math

from torch.nn.functional import cross_entropy


def bits(loss, n_tokens, text):
    return loss * n_tokens / len(text.encode("utf-8")) / math.log(2)


def bits_per_letter(loss, n_tokens, text):
    return loss * n_tokens / len(text) / math.log(2)


def bits_in_nats(loss, n_tokens, text):
    return loss * n_tokens / len(text.encode())


def bits_times_ln_2(loss, n_tokens, text):
    return loss * n_tokens / len(text.encode()) * math.log(2)


def bits_per_token(loss, n_tokens, text):
    return loss / math.log(2)


def bits_of_all(loss, n_tokens, text):
    return loss * n_tokens / math.log(2)


def bits_of_one_token(loss, n_tokens, text):
    return loss / len(text.encode()) / math.log(2)


def bits_upside_down(loss, n_tokens, text):
    return loss * len(text.encode()) / n_tokens / math.log(2)


def bits_as_perplexity(loss, n_tokens, text):
    return 2 ** bits(loss, n_tokens, text)


def windows(n, context, stride):
    triples, scored, start = [], 0, 0
    while scored < n - 1:
        end = min(start + context, n - 1)
        triples.append((start, end, scored + 1))
        scored, start = end, start + stride
    return triples


def windows_scored_twice(n, context, stride):
    return [(start, end, start + 1) for start, end, _ in windows(n, context, stride)]


def windows_whole_only(n, context, stride):
    return [part for part in windows(n, context, stride) if part[1] - part[0] == context]


def windows_past_the_end(n, context, stride):
    return [(start, start + context, first) for start, _, first in windows(n, context, stride)]


def windows_to_the_very_end(n, context, stride):
    starts = range(0, n - 1, stride)
    ends = [min(start + context, n - 1) for start in starts]
    firsts = [1] + [end + 1 for end in ends[:-1]]
    return list(zip(starts, ends, firsts, strict=True))


def windows_apart(n, context, stride):
    return windows(n, context, context)


def windows_by_the_rest(n, context, stride):
    return windows(n, context, max(1, context - stride))


def windows_too_early(n, context, stride):
    return [(start, end, first - 1) for start, end, first in windows(n, context, stride)]


def windows_counted_inside(n, context, stride):
    return [(start, end, first - start) for start, end, first in windows(n, context, stride)]


def windows_of_two(n, context, stride):
    return [(start, end) for start, end, _ in windows(n, context, stride)]


def pieces(text, n):
    return [text[i : i + n] for i in range(len(text) - n + 1)]


def share(sample, text, n):
    if len(sample) < n:
        return 0.0
    known = set(pieces(text, n))
    return sum(piece in known for piece in pieces(sample, n)) / (len(sample) - n + 1)


def share_of_kinds(sample, text, n):
    known, own = set(pieces(text, n)), set(pieces(sample, n))
    return len(known & own) / len(own) if own else 0.0


def share_side_by_side(sample, text, n):
    own = pieces(sample, n)[::n]
    return sum(piece in text for piece in own) / len(own) if own else 0.0


def share_with_rest(sample, text, n):
    own = [sample[i : i + n] for i in range(len(sample))]
    return sum(piece in text for piece in own) / len(own)


def share_without_last(sample, text, n):
    own = [sample[i : i + n] for i in range(len(sample) - n)]
    return sum(piece in text for piece in own) / len(own) if own else 0.0


def share_of_the_text(sample, text, n):
    return share(text, sample, n)


def share_counted(sample, text, n):
    return sum(piece in text for piece in pieces(sample, n))


def share_in_percent(sample, text, n):
    return 100 * share(sample, text, n)


def share_of_new(sample, text, n):
    return 1 - share(sample, text, n)


def share_by_length(sample, text, n):
    return sum(piece in text for piece in pieces(sample, n)) / len(sample)


def share_all_of_nothing(sample, text, n):
    return share(sample, text, n) if len(sample) >= n else 1.0


def block(logits, ids, n):
    result = logits.clone()
    for end in range(n - 1, len(ids)):
        if ids[end - n + 1 : end] == ids[len(ids) - n + 1 :]:
            result[ids[end]] = -math.inf
    return result


def block_nothing(logits, ids, n):
    return logits


def block_with_zero(logits, ids, n):
    return block(logits, ids, n).masked_fill(block(logits, ids, n).isinf(), 0.0)


def block_all_used(logits, ids, n):
    result = logits.clone()
    result[list(ids)] = -math.inf
    return result


def block_longer_runs(logits, ids, n):
    return block(logits, ids, n + 1)


def block_shorter_runs(logits, ids, n):
    return block(logits, ids, max(1, n - 1))


def block_latest(logits, ids, n):
    result = logits.clone()
    for end in range(len(ids) - 1, n - 2, -1):
        if ids[end - n + 1 : end] == ids[len(ids) - n + 1 :]:
            result[ids[end]] = -math.inf
            break
    return result


def block_the_last(logits, ids, n):
    result = logits.clone()
    result[list(ids[-1:])] = -math.inf
    return result


def block_in_place(logits, ids, n):
    logits.copy_(block(logits, ids, n))
    return logits


def mean_loss(model, inputs, targets):
    return cross_entropy(model(inputs).flatten(0, 1), targets.flatten())


def accumulated(model, inputs, targets, rows):
    for start in range(0, len(inputs), rows):
        part = slice(start, start + rows)
        loss = mean_loss(model, inputs[part], targets[part])
        (loss * len(inputs[part]) / len(inputs)).backward()


def accumulated_sum(model, inputs, targets, rows):
    for part, wanted in zip(inputs.split(rows), targets.split(rows), strict=True):
        mean_loss(model, part, wanted).backward()


def accumulated_alike(model, inputs, targets, rows):
    parts = inputs.split(rows)
    for part, wanted in zip(parts, targets.split(rows), strict=True):
        (mean_loss(model, part, wanted) / len(parts)).backward()


def accumulated_cleared(model, inputs, targets, rows):
    for part, wanted in zip(inputs.split(rows), targets.split(rows), strict=True):
        model.zero_grad()
        (mean_loss(model, part, wanted) * len(part) / len(inputs)).backward()


def accumulated_whole_parts(model, inputs, targets, rows):
    for start in range(0, max(1, len(inputs) - rows + 1), rows):
        part = slice(start, start + rows)
        loss = mean_loss(model, inputs[part], targets[part])
        (loss * len(inputs[part]) / len(inputs)).backward()


def accumulated_by_rows(model, inputs, targets, rows):
    for part, wanted in zip(inputs.split(rows), targets.split(rows), strict=True):
        (mean_loss(model, part, wanted) * len(part)).backward()


RIGHT = {
    "13.bits_per_byte": bits,
    "13.overlapping_windows": windows,
    "13.copied_share": share,
    "13.block_repeats": block,
    "13.accumulate": accumulated,
}
WRONG = {
    "13.bits_per_byte": {
        bits_per_letter: "per character",
        bits_in_nats: "in nats",
        bits_times_ln_2: "must grow",
        bits_per_token: "per token",
        bits_of_all: "the whole text",
        bits_of_one_token: "is a mean",
        bits_upside_down: "changed places",
        bits_as_perplexity: "perplexity",
    },
    "13.overlapping_windows": {
        windows_scored_twice: "scored twice",
        windows_whole_only: "never scored",
        windows_past_the_end: "past the end",
        windows_to_the_very_end: "goes on after",
        windows_apart: "without overlap",
        windows_by_the_rest: "context − stride",
        windows_too_early: "one too early",
        windows_counted_inside: "not in the window",
        windows_of_two: "third number",
    },
    "13.copied_share": {
        share_of_kinds: "written twice",
        share_side_by_side: "side by side",
        share_with_rest: "shorter than n",
        share_without_last: "last piece is missing",
        share_of_the_text: "the text's pieces",
        share_counted: "number of pieces",
        share_in_percent: "in percent",
        share_of_new: "new pieces",
        share_by_length: "fewer pieces than characters",
        share_all_of_nothing: "copied none",
    },
    "13.block_repeats": {
        block_nothing: "nothing is ruled out",
        block_with_zero: "still has a probability",
        block_all_used: "every token used before",
        block_longer_runs: "one token too many",
        block_shorter_runs: "one token too few",
        block_latest: "only one earlier place",
        block_the_last: "only the last token",
        block_in_place: "logits.clone()",
    },
    "13.accumulate": {
        accumulated_sum: "added up",
        accumulated_alike: "counts alike",
        accumulated_cleared: "cleared between",
        accumulated_whole_parts: "left out where it is smaller",
        accumulated_by_rows: "sum over the rows",
    },
}
