"""What a longer context costs one block of `GPT`, and what the cache saves while writing.

- products_ratio: multiply-adds of scores and weighted means, over those of the four linear maps;
  counted on the hand-built `attend`, which forms every score, also those that the mask hides.
- time_ratio: seconds of `attend_back` over seconds of the linear maps, timed in turn.
- hand_megabytes, kernel_megabytes: memory that `attend` and `attend_back` asked for.
- time_speedup: seconds to compute the last token without a cache over seconds with one.

Seconds are the processor's, which other programs on the machine hardly touch; all runs on one
thread, in float32.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.common import main
from helpers.models.transformer import GPT, Block, Cache, attend, attend_back, causal_mask

HIDDEN_DIM, N_HEADS, N_LAYERS, N_CHARACTERS = 128, 4, 4, 65
REPEATS = 5


def measure(context: int, seed: int) -> dict[str, float]:
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    with torch.no_grad():
        return {**costs(context), "time_speedup": cache_speedup(context)}


def costs(context: int) -> dict[str, float]:
    """One block, one text of `context` tokens."""
    block, x = Block(HIDDEN_DIM, N_HEADS), torch.randn(1, context, HIDDEN_DIM)
    heads = torch.randn(3, 1, N_HEADS, context, HIDDEN_DIM // N_HEADS)
    mask = causal_mask(context, context)

    def linear():
        block.attn.c_proj(block.attn.c_attn(x).chunk(3, dim=-1)[0])
        block.mlp(x)

    def by_hand():
        attend(*heads, mask)

    def by_kernel():
        attend_back(*heads)

    return {
        "products_ratio": products(by_hand) / products(linear),
        "time_ratio": ratio_of_seconds(by_kernel, linear),
        "hand_megabytes": megabytes(by_hand),
        "kernel_megabytes": megabytes(by_kernel),
    }


def products(function: Callable[[], None]) -> int:
    """Multiply-adds; the counter takes each for two operations."""
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops() // 2


def megabytes(function: Callable[[], None]) -> float:
    """All that was allocated, freed meanwhile or not."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        function()
    asked = [e.self_cpu_memory_usage for e in watched.events() if e.self_cpu_memory_usage > 0]
    return sum(asked) / 1e6


def ratio_of_seconds(one: Callable[[], None], other: Callable[[], None]) -> float:
    one(), other()  # the first calls also set up what later ones reuse
    return statistics.median(seconds(one) / seconds(other) for _ in range(REPEATS))


def seconds(function: Callable[[], None], calls: int = 10) -> float:
    start = time.process_time()
    for _ in range(calls):
        function()
    return (time.process_time() - start) / calls


def cache_speedup(n_tokens: int) -> float:
    """One more token after `n_tokens` - 1 others: reading all of them, or the last one."""
    model = GPT(
        N_CHARACTERS, context=n_tokens, hidden_dim=HIDDEN_DIM, n_layers=N_LAYERS, n_heads=N_HEADS
    )
    ids, cache = torch.randint(N_CHARACTERS, (1, n_tokens)), Cache()
    model(ids[:, :-1], cache)

    def with_cache():
        again = Cache()
        again.kept = dict(cache.kept)  # a step replaces tensors, and changes none
        model(ids[:, -1:], again)

    return ratio_of_seconds(lambda: model(ids), with_cache)


ROWS = {f"{n:,} tokens": partial(measure, n) for n in (64, 128, 256, 512, 1024)}
CHEAP = "64 tokens"
SEEDS = range(5)

if __name__ == "__main__":
    main(__spec__.name, ROWS, SEEDS, CHEAP)
