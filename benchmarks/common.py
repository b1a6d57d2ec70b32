"""What every benchmark shares: running its rows, and writing the record with its origin.

A benchmark module defines
    ROWS   label -> function(seed) -> {metric: value}; the same metrics in every row
    SEEDS  the seeds of each row: five, or three where a run takes minutes
    CHEAP  the label of the row that a test runs again
and ends in `if __name__ == "__main__": main(__spec__.name, ROWS, SEEDS, CHEAP)`.

What decides the numbers belongs into the benchmark or into `helpers`, not here: this module is
not part of the hash that tells when a record is stale.
"""

import datetime
import importlib
import json
import os
import platform
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path

import torch

from benchmarks._fingerprint import ROOT, code_sha256

RECORDS = ROOT / "helpers" / "records"

Rows = Mapping[str, Callable[[int], dict[str, float]]]


def main(module: str, rows: Rows, seeds: Sequence[int], cheap: str, folder: Path = RECORDS,
         workers: int = 1) -> None:  # fmt: skip
    """Run every row with every seed, and write `folder/NAME.json` when all is done.

    Several `workers` are so many runs at a time, each in a process of its own: not for rows that
    measure time on the wall. Three seeds are enough where a run takes minutes; the cheap row gets
    five then, since a test compares a new run with their band.

    Raises:
        ValueError: fewer than three seeds, `cheap` is no row, or a row has other metrics.
    """
    if len(seeds) < 3 or cheap not in rows:
        raise ValueError(f"{module} needs at least 3 seeds and a cheap row, not {cheap!r}.")
    code = code_sha256(module)  # before the runs: a file may change while they last
    results: dict[str, dict[str, list[float]]] = {label: {} for label in rows}
    # All rows of a seed in turn: a machine that slows down does so for all.
    turns = [(label, seed) for seed in seeds for label in rows]
    turns += [(cheap, seed) for seed in cheap_seeds(seeds)[len(seeds) :]]
    for (label, _), values in zip(turns, run_turns(module, rows, turns, workers), strict=True):
        for metric, value in values.items():
            results[label].setdefault(metric, []).extend(value)
    if len({tuple(metrics) for metrics in results.values()}) > 1:
        raise ValueError(f"All rows of {module} must have the same metrics in the same order.")
    name = module.rpartition(".")[2]
    record = {
        "name": name,
        "command": f"python -m {module}",
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "versions": versions(),
        "code_sha256": code,
        "seeds": list(seeds),
        "cheap": cheap,
        "rows": results,
    }
    write_whole(folder / f"{name}.json", json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def is_fresh(name: str, folder: Path = RECORDS) -> bool:
    """Whether there is a record of this benchmark, made by the code that is there now."""
    path = folder / f"{name}.json"
    if not path.exists():
        return False
    made_by = json.loads(path.read_text(encoding="utf-8"))["code_sha256"]
    return made_by == code_sha256(f"benchmarks.{name}")


def cheap_seeds(seeds: Sequence[int]) -> list[int]:
    """The seeds of the cheap row: those of all rows, and more where they are fewer than five.

    >>> cheap_seeds(range(3))
    [0, 1, 2, 3, 4]
    """
    return [*seeds, *range(max(seeds) + 1, max(seeds) + 6 - len(seeds))]


def run_turns(
    module: str, rows: Rows, turns: Sequence[tuple[str, int]], workers: int
) -> Iterator[dict[str, list[float]]]:
    """The metrics of each (label, seed), in this order."""
    if workers == 1:
        yield from (run_row(label, rows[label], [seed]) for label, seed in turns)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_run_turn, *zip(*((module, *turn) for turn in turns), strict=True))


def _run_turn(module: str, label: str, seed: int) -> dict[str, list[float]]:
    return run_row(label, importlib.import_module(module).ROWS[label], [seed])


def compare(name: str, rows: Rows, seeds: Sequence[int], wanted: str) -> None:
    """Run one row again and print it beside the record, which stays as it is.

    `wanted` is the row's number, counted from 0, or a part of its label that no other has.

    Raises:
        ValueError: no row is meant, or several are.
    """
    labels = list(rows)
    found = [label for label in labels if wanted in (label, str(labels.index(label)))]
    found = found or [label for label in labels if wanted.lower() in label.lower()]
    if len(found) != 1:
        listed = "\n".join(f"{number:3} {label}" for number, label in enumerate(labels))
        raise ValueError(f"{wanted!r} means {len(found)} rows of these, not one:\n{listed}")
    path = RECORDS / f"{name}.json"
    recorded = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else {}
    again = run_row(found[0], rows[found[0]], seeds)
    print(f"\n{found[0]}\n{'':24}{'now':>14}{'recorded':>14}")
    for metric, values in again.items():
        old = recorded.get(found[0], {}).get(metric)
        then = f"{statistics.fmean(old):14.6g}" if old else f"{'-':>14}"
        print(f"{metric:24}{statistics.fmean(values):14.6g}{then}")


def run_row(
    label: str, row: Callable[[int], dict[str, float]], seeds: Sequence[int]
) -> dict[str, list[float]]:
    """Run one row with every seed: metric -> one value per seed."""
    results: dict[str, list[float]] = {}
    for seed in seeds:
        metrics = row(seed)
        print(label, seed, metrics, flush=True)
        for metric, value in metrics.items():
            results.setdefault(metric, []).append(round(value, 6))
    return results


def write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all: under another name first, then renamed."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def versions() -> dict[str, str]:
    """Versions that can change a result."""
    installed = {name: metadata.version(name) for name in ("torch", "numpy")}
    return {"python": platform.python_version(), **installed}


def machine() -> str:
    """The machine in words, without a name that only its owner knows.

    >>> machine()
    '2 cores (AMD EPYC), 24 GB memory, 1 torch thread'
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts = [f"{cores} cores ({processor()})"]
    if hasattr(os, "sysconf"):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        parts.append(f"{memory / 2**30:.0f} GB memory")
    threads = torch.get_num_threads()
    return ", ".join([*parts, f"{threads} torch thread{'s' if threads > 1 else ''}"])


def processor() -> str:
    """The processor's model name, or its architecture where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (names or [platform.processor() or platform.machine()])[0]
