"""Text as numbers: words, byte-pair encoding, and batches of sequences: padded, sorted, packed.

Plain Python where it can be: it is for reading, and fast enough for the texts of this book.
"""

import heapq
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import chain, pairwise
from operator import index

import torch
from torch import Tensor

# Letters and digits with the space before them; other signs; white space. Merges never cross these.
# A combining mark is no `\w`: an accent written apart, or a vowel sign of Hindi, cuts its word.
WORDS = re.compile(r" ?\w+| ?[^\w\s]+|\s+(?!\S)|\s+")


def split_words(text: str) -> list[str]:
    """The pieces that merges never cross; joined, they are the text again. Built in chapter 05.

    >>> split_words("To be, or not")
    ['To', ' be', ',', ' or', ' not']

    Raises:
        TypeError: `text` is no string, but for example bytes.
    """
    if not isinstance(text, str):
        raise TypeError(f"Expected a str, not {type(text).__name__}: bytes are decoded first.")
    return WORDS.findall(text)


def merge_pair(ids: list[int], pair: tuple[int, int], new: int) -> list[int]:
    """Each occurrence of the pair, from left to right, becomes the new id. Built in chapter 05.

    >>> merge_pair([5, 5, 5, 7], (5, 5), 256)
    [256, 5, 7]
    """
    merged = []
    for i in ids:
        if merged and (merged[-1], i) == pair:
            merged[-1] = new
        else:
            merged.append(i)
    return merged


def learn_merges(counts: dict[str, int], n_merges: int) -> list[tuple[int, int]]:
    """The most frequent pair of neighbours, merged, `n_merges` times over. Built in chapter 05.

    Of equally frequent pairs the smaller one wins. Fewer merges come back when no pair is left.
    Source: Sennrich, Haddow and Birch 2016, "Neural Machine Translation of Rare Words with Subword
    Units", arXiv:1508.07909, section 3.2; on bytes as in Radford et al. 2019.
    """
    words = [list(word.encode()) for word in counts]
    times = list(counts.values())
    frequency, places = Counter(), defaultdict(set)  # of each pair: how often; in which words
    for w, ids in enumerate(words):
        for pair in pairwise(ids):
            frequency[pair] += times[w]
            places[pair].add(w)
    queue = [(-n, pair) for pair, n in frequency.items()]
    heapq.heapify(queue)
    merges = []
    while queue and len(merges) < n_merges:
        count, pair = heapq.heappop(queue)
        if count == 0 or frequency[pair] != -count:
            continue  # this count is out of date; the right one stands further down the queue
        new, changes = 256 + len(merges), Counter()
        for w in places.pop(pair):
            ids, n, i = words[w], times[w], 0
            while i < len(ids) - 1:
                if (ids[i], ids[i + 1]) == pair:
                    for left in ids[i - 1 : i]:  # none at the start of the word
                        changes[left, pair[0]] -= n
                        changes[left, new] += n
                        places[left, new].add(w)
                    for right in ids[i + 2 : i + 3]:  # none at its end
                        changes[pair[1], right] -= n
                        changes[new, right] += n
                        places[new, right].add(w)
                    ids[i : i + 2] = [new]
                i += 1
        changes[pair] = count  # back to zero: none is left
        for other, change in changes.items():
            frequency[other] += change
            heapq.heappush(queue, (-frequency[other], other))
        merges.append(pair)
    return merges


def apply_merges(ids: list[int], ranks: dict[tuple[int, int], int]) -> list[int]:
    """The ids of one word, merged as in training: first what was learned first.

    `ranks` says of each pair which merge it is, from 0 on. Built in chapter 05.

    >>> apply_merges([5, 5, 7], {(5, 7): 0, (5, 5): 1})
    [5, 256]
    """
    while len(ids) > 1:
        pair = min(pairwise(ids), key=lambda pair: ranks.get(pair, len(ranks)))
        if pair not in ranks:
            break
        ids = merge_pair(ids, pair, 256 + ranks[pair])
    return ids


class BytePairEncoding:
    """Text to token ids and back. Built in chapter 05.

    Ids 0 to 255 are the bytes, and 256 + i is what merge i makes of a pair of earlier ids.

    >>> bpe = BytePairEncoding.train("low lower lowest", vocab_size=258)
    >>> bpe.encode("slow"), bpe.decode([115, 257])
    ([115, 257], 'slow')

    Raises:
        ValueError: a merge joins an id that only a later merge makes, or repeats an earlier one.
    """

    def __init__(self, merges: list[tuple[int, int]]):
        self.merges = [(left, right) for left, right in merges]
        self.tokens = [bytes([byte]) for byte in range(256)]
        self.ranks = {}
        for i, pair in enumerate(self.merges):
            if not all(0 <= part < 256 + i for part in pair):
                raise ValueError(f"Merge {i} may join ids from 0 to {255 + i}, not {pair}.")
            if pair in self.ranks:
                raise ValueError(f"Merge {i} repeats merge {self.ranks[pair]}: {pair}.")
            self.ranks[pair] = i
            self.tokens.append(self.tokens[pair[0]] + self.tokens[pair[1]])

    @classmethod
    def train(cls, text: str, vocab_size: int) -> "BytePairEncoding":
        """Learn `vocab_size - 256` merges, or fewer where every word has become one token.

        Raises:
            TypeError: `text` is no string, or `vocab_size` no whole number.
            ValueError: `vocab_size` is less than 256, or `text` holds a surrogate.
        """
        if index(vocab_size) < 256:
            raise ValueError(f"vocab_size counts the 256 bytes too, and cannot be {vocab_size}.")
        return cls(learn_merges(Counter(split_words(text)), vocab_size - 256))

    def encode(self, text: str) -> list[int]:
        """The ids of a text. Each word takes one pass for every different merge made in it.

        Raises:
            TypeError: `text` is no string.
            ValueError: `text` holds half of a surrogate pair, which UTF-8 cannot write.
        """
        words = split_words(text)
        ids = {word: apply_merges(list(word.encode()), self.ranks) for word in set(words)}
        return [i for word in words for i in ids[word]]

    def decode(self, ids: list[int]) -> str:
        """The text of the ids; bytes that are no UTF-8 become U+FFFD, the replacement character.

        Raises:
            TypeError: an id is no whole number.
            ValueError: an id is not in the vocabulary.
        """
        ids = [index(i) for i in ids]
        unknown = [i for i in ids if not 0 <= i < len(self.tokens)]
        if unknown:
            raise ValueError(f"Ids go from 0 to {len(self.tokens) - 1}, but {unknown[0]} came.")
        joined = b"".join(self.tokens[i] for i in ids)
        return joined.decode("utf-8", errors="replace")


def pad(
    sequences: Sequence[Sequence[int]], pad_id: int = 0, length: int | None = None
) -> tuple[Tensor, Tensor]:
    """Sequences of different lengths as one batch, and which positions are real.

    Returns ids, int64 (batch, time), and a mask, bool (batch, time), False where there is padding;
    time is `length`, or that of the longest sequence. Built in chapter 05.

    >>> pad([[7, 8, 9], [5]])[0].tolist()
    [[7, 8, 9], [5, 0, 0]]

    Raises:
        TypeError: an id is no whole number.
        ValueError: there is no sequence, or one is longer than `length`.
    """
    if len(sequences) == 0:
        raise ValueError("There is no sequence: an empty batch has no shape.")
    lengths = [len(sequence) for sequence in sequences]
    time = max(lengths) if length is None else length
    if max(lengths) > time:
        raise ValueError(f"{max(lengths)} ids do not fit into {time} positions: cut them first.")
    mask = torch.arange(time) < torch.tensor(lengths)[:, None]
    ids = torch.full(mask.shape, index(pad_id), dtype=torch.int64)
    ids[mask] = torch.tensor([index(i) for i in chain(*sequences)], dtype=torch.int64)
    return ids, mask


def bucket(
    lengths: Sequence[int], batch_size: int, generator: torch.Generator, pool: int = 16
) -> list[list[int]]:
    """Batches of similar lengths, as lists of places in `lengths`. Built in chapter 05.

    Shuffled sequences are sorted within groups of `pool` batches, and the batches shuffled again:
    with one group for all, every epoch would show the same batches.

    >>> bucket([9, 1, 8, 2], 2, torch.Generator().manual_seed(0))
    [[1, 3], [2, 0]]

    Raises:
        TypeError: `batch_size` or `pool` is no whole number.
        ValueError: one of them is less than 1, or `True`, which counts nothing.
    """
    for name, value in {"batch_size": batch_size, "pool": pool}.items():
        if value is True or index(value) < 1:
            raise ValueError(f"{name} must be a whole number from 1 on, not {value!r}.")
    order = torch.randperm(len(lengths), generator=generator).tolist()
    batches = []
    for start in range(0, len(order), pool * batch_size):
        group = sorted(order[start : start + pool * batch_size], key=lambda i: lengths[i])
        batches += [group[i : i + batch_size] for i in range(0, len(group), batch_size)]
    return [batches[i] for i in torch.randperm(len(batches), generator=generator)]


def pack(sequences: Sequence[Sequence[int]], length: int, pad_id: int = 0) -> tuple[Tensor, Tensor]:
    """Several sequences in each row: each goes into the first row that has room.

    Returns ids and documents, both int64 (rows, length). Documents are numbered from 1 in each row;
    0 is padding. Built in chapter 05.

    >>> pack([[7, 8, 9], [5, 5], [6]], length=4)[1].tolist()
    [[1, 1, 1, 2], [1, 1, 0, 0]]

    Raises:
        TypeError: an id is no whole number.
        ValueError: a sequence is longer than a row, or there is none.
    """
    rows, room = [], []
    for sequence in sequences:
        # The first row with room, or a new one. One that fits nowhere is for `pad` to name.
        fits = (r for r, left in enumerate(room) if len(sequence) <= left)
        row = next(fits, len(rows))
        if row == len(rows):
            rows.append([])
            room.append(length)
        rows[row].append(sequence)
        room[row] -= len(sequence)
    ids, _ = pad([list(chain(*row)) for row in rows], pad_id, length)
    numbers = [[d for d, part in enumerate(row, 1) for _ in part] for row in rows]
    return ids, pad(numbers, 0, length)[0]


def same_document(documents: Tensor) -> Tensor:
    """Which position may look at which: bool (rows, length, length). Built in chapter 05.

    `documents` is (rows, length), as `pack` numbers them.

    >>> same_document(torch.tensor([[1, 1, 2]]))[0].int().tolist()
    [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    """
    return documents[:, :, None] == documents[:, None, :]
