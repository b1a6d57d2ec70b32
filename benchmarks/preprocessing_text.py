"""What ways to batch messages of different lengths compute, and how long a layer takes for them.

- positions: rows times columns of all batches, padding included.
- million_pairs: pairs of positions in a row, of which attention computes a score each.
- time_ratio: seconds of a transformer layer, forward and backward, over those of random batches,
  timed in turn with them on one thread.

Each seed draws 256 training messages; the tokenizer is that of chapter 05, trained on the plays.
"""

import functools
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.common import main
from helpers import data
from helpers.text import BytePairEncoding, bucket, pack, pad, same_document

MESSAGES, BATCH, POOL, WIDTH, HEADS = 256, 32, 4, 64, 4  # batch and pool as in the chapter
REPEATS = 3
Batch = tuple[Tensor, Tensor]  # ids (rows, time); which position may look at which, or padding


@functools.cache
def encoded() -> list[list[int]]:
    """The training messages as token ids, empty ones left out."""
    bpe = BytePairEncoding.train(data.shakespeare().train, 8192)
    return [ids for ids in map(bpe.encode, data.sms_spam().train_texts) if ids]


def in_batches(sequences: list[list[int]], length: int | None = None) -> list[Batch]:
    """Batches in the order that is given, each as wide as its longest sequence or as `length`."""
    parts = (sequences[i : i + BATCH] for i in range(0, len(sequences), BATCH))
    padded = (pad(part, length=length) for part in parts)
    return [(ids, mask[:, None, :].expand(-1, ids.shape[1], -1)) for ids, mask in padded]


def random_batches(sequences: list[list[int]], generator: torch.Generator) -> list[Batch]:
    return in_batches(sequences)


def to_the_longest(sequences: list[list[int]], generator: torch.Generator) -> list[Batch]:
    return in_batches(sequences, max(map(len, encoded())))


def sorted_batches(sequences: list[list[int]], generator: torch.Generator) -> list[Batch]:
    return in_batches(sorted(sequences, key=len))


def bucketed(sequences: list[list[int]], generator: torch.Generator) -> list[Batch]:
    plan = bucket(list(map(len, sequences)), BATCH, generator, pool=POOL)
    return [in_batches([sequences[i] for i in batch])[0] for batch in plan]


def packed(sequences: list[list[int]], generator: torch.Generator) -> list[Batch]:
    ids, documents = pack(sequences, max(map(len, encoded())))
    allowed = same_document(documents)
    return list(zip(ids.split(BATCH), allowed.split(BATCH), strict=True))


def seconds(layer: nn.Module, embedding: nn.Module, batches: list[Batch]) -> float:
    """One pass over the batches, forward and backward."""
    start = time.perf_counter()
    for ids, allowed in batches:
        mask = ~allowed.repeat_interleave(HEADS, dim=0)  # (rows · heads, time, time)
        layer(embedding(ids), src_mask=mask).sum().backward()
    return time.perf_counter() - start


def measure(way: Callable[..., list[Batch]], seed: int) -> dict[str, float]:
    """Counts, and the ratio of times to random batches of the same messages."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    messages = encoded()
    chosen = torch.randperm(len(messages), generator=generator)[:MESSAGES].tolist()
    sequences = [messages[i] for i in chosen]
    batches, baseline = way(sequences, generator), random_batches(sequences, generator)
    embedding = nn.Embedding(8192, WIDTH)
    layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, dropout=0.0, batch_first=True)
    run = functools.partial(seconds, layer, embedding)
    run(batches), run(baseline)  # the first calls also set up what later ones reuse
    return {
        "positions": sum(ids.numel() for ids, _ in batches),
        "million_pairs": sum(allowed.numel() for _, allowed in batches) / 1e6,
        "time_ratio": statistics.median(run(batches) / run(baseline) for _ in range(REPEATS)),
    }


ROWS = {
    "every batch as wide as the longest message": functools.partial(measure, to_the_longest),
    "random batches": functools.partial(measure, random_batches),
    "sorted": functools.partial(measure, sorted_batches),
    "buckets": functools.partial(measure, bucketed),
    "packed": functools.partial(measure, packed),
}
CHEAP = "sorted"
SEEDS = range(5)

if __name__ == "__main__":
    main(__spec__.name, ROWS, SEEDS, CHEAP)
