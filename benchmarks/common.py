"""What every benchmark shares: running its rows, and writing the record with its origin.

A benchmark module defines
    ROWS   label -> function(seed) -> {metric: value}; the same metrics in every row
    SEEDS  the seeds of each row, at least five
    CHEAP  the label of the row that a test runs again
and ends in `if __name__ == "__main__": main(__spec__.name, ROWS, SEEDS, CHEAP)`.

What decides the numbers belongs into the benchmark or into `helpers`, not here: this module is
not part of the hash that tells when a record is stale.
"""

import ast
import datetime
import hashlib
import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
RECORDS = ROOT / "helpers" / "records"

Rows = Mapping[str, Callable[[int], dict[str, float]]]


def main(module: str, rows: Rows, seeds: Sequence[int], cheap: str, folder: Path = RECORDS) -> None:
    """Run every row with every seed, and write `folder/NAME.json` when all is done.

    Raises:
        ValueError: fewer than five seeds, `cheap` is no row, or a row has other metrics.
    """
    if len(seeds) < 5 or cheap not in rows:
        raise ValueError(f"{module} needs at least 5 seeds and a cheap row, not {cheap!r}.")
    code = code_sha256(module)  # before the runs: a file may change while they last
    results: dict[str, dict[str, list[float]]] = {label: {} for label in rows}
    for seed in seeds:  # all rows of a seed in turn: a machine that slows down does so for all
        for label, row in rows.items():
            for metric, values in run_row(label, row, [seed]).items():
                results[label].setdefault(metric, []).extend(values)
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


def code_sha256(module: str, root: Path = ROOT) -> str:
    """Hash the code of a benchmark and of all `helpers` and other benchmarks that it imports.

    Comments, docstrings and layout do not count: they cannot change a result.
    """
    digest = hashlib.sha256()
    for name, tree in sorted(_sources(module, root).items()):
        digest.update(f"{name}\n{_shape(_without_docstrings(tree))}\n".encode())
    return digest.hexdigest()


def _sources(module: str, root: Path) -> dict[str, ast.Module]:
    """Module name -> syntax tree, for the module and all that it imports from `helpers`."""
    found: dict[str, ast.Module] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _file_of(name, root)
        if name in found or path is None:
            continue
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        # Not `helpers` itself: it sets up notebooks, which a benchmark has no use for.
        used = [n for n in _imports(found[name], package) if n != __name__]
        waiting += [n for n in used if n.startswith(("helpers.", "benchmarks."))]
    return found


def _file_of(name: str, root: Path) -> Path | None:
    path = root.joinpath(*name.split("."))
    files = (path.with_name(f"{path.name}.py"), path / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def _imports(tree: ast.Module, package: str) -> list[str]:
    """Names that may be modules: `from a import b` gives both a and a.b."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1]
            start = ".".join([*(parents if node.level else []), *filter(None, [node.module])])
            names += [start, *(f"{start}.{alias.name}" for alias in node.names)]
    return names


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] if isinstance(first.value.value, str) else node.body
    return tree


def _shape(node: object) -> str:
    """A syntax tree as text, the same in every version of Python: `ast.dump` is not."""
    if isinstance(node, ast.AST):
        fields = ((name, value) for name, value in ast.iter_fields(node) if name != "kind")
        inner = ",".join(
            f"{name}={_shape(value)}" for name, value in fields if value not in (None, [])
        )
        return f"{type(node).__name__}({inner})"
    if isinstance(node, list):
        return f"[{','.join(map(_shape, node))}]"
    return repr(node)
