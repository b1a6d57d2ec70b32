"""Run chapters as a reader on Colab would: each alone in an empty folder, with the wheel of
`helpers` and no network. The results fill Jupyter Book's cache, so the build executes nothing.

Jupyter Book's own cache looks at the cells alone. A chapter also depends on `helpers/` and on
the versions of its libraries: `key` covers these, and a chapter with a new key runs again.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import nbformat
import yaml
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbclient.util import run_sync

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "_build"
EXECUTED = BUILD / "executed"
CACHE = BUILD / ".jupyter_cache"
CELL_TIMEOUT = 900  # seconds: a slow machine is slow, and not red

# Run in the kernel after the last cell: what the chapter cost. ru_maxrss counts kibibytes on Linux
# and bytes on macOS; Windows has no `resource`, and gets no figures.
COST = """
import resource as _r, sys as _s
_u = _r.getrusage(_r.RUSAGE_SELF)
_cost = (_u.ru_utime + _u.ru_stime, _u.ru_maxrss / (2**30 if _s.platform == "darwin" else 2**20))
"""


def chapters() -> list[Path]:
    """The notebooks that the table of contents lists, in its order."""
    text = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    toc = yaml.safe_load(text)
    entries = [c["file"] for part in toc.get("parts", []) for c in part["chapters"]]
    entries += [c["file"] for c in toc.get("chapters", [])]
    return [p for p in (ROOT / f"{entry}.ipynb" for entry in entries) if p.is_file()]


def key(chapter: Path) -> str:
    """A hash of all that the chapter's results depend on."""
    digest = hashlib.sha256(sys.version.encode())
    settings = [ROOT / "constraints.txt", ROOT / "pyproject.toml"]
    files = [
        p for p in (ROOT / "helpers").rglob("*") if p.is_file() and "__pycache__" not in p.parts
    ]
    for path in [chapter, *settings, Path(__file__), *sorted(files)]:
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()


def install_wheel(place: Path = BUILD) -> Path:
    """Build the wheel of `helpers` and install it, alone, into a folder under `place`."""
    folder, source = place / "installed", place / "wheel-source"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(source, ignore_errors=True)
    # From a copy: setuptools leaves build/ and *.egg-info in the tree it builds from.
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "helpers", source / "helpers", ignore=skip)
    for name in ("pyproject.toml", "README.md"):
        shutil.copyfile(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", folder, source], check=True)
    return folder


def run(chapter: Path, python_path: str) -> nbformat.NotebookNode:
    """Execute one notebook alone in an empty folder.

    Raises:
        CellExecutionError: a cell failed that is not tagged `raises-exception`.
    """
    notebook = nbformat.read(chapter, as_version=4)
    # One thread each, however many chapters run: what a chapter costs must not depend on that.
    env = os.environ | {"PYTHONPATH": python_path, "BOOK_WORKERS": str(os.cpu_count())}
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook, timeout=CELL_TIMEOUT, coalesce_streams=True, record_timing=False,
            resources={"metadata": {"path": folder}},
        )  # fmt: skip
        started = time.monotonic()
        with client.setup_kernel(env=env):
            for index, cell in enumerate(notebook.cells):
                client.execute_cell(cell, index)
            cost = _cost(client)
        client.set_widgets_metadata()
    wall = time.monotonic() - started
    notebook.metadata["book"] = {"wall_seconds": wall} | cost
    return notebook


def _cost(client: NotebookClient) -> dict[str, float]:
    reply = run_sync(client.kc.execute_interactive)(
        COST, store_history=False, user_expressions={"cost": "_cost"}, timeout=60
    )
    value = reply["content"]["user_expressions"]["cost"].get("data", {}).get("text/plain")
    if value is None:  # no `resource` on this system
        return {}
    seconds, gib = (float(part) for part in value.strip("()").split(","))
    return {"cpu_seconds": seconds, "peak_gib": gib}


def _run_and_store(chapter: Path, python_path: str) -> str | None:
    """Run one chapter and keep the result; return the error's text, or None."""
    fingerprint = key(chapter)  # before the run: a file may change while it lasts
    try:
        notebook = run(chapter, python_path)
    except CellExecutionError as error:
        return f"{chapter.relative_to(ROOT)} failed:\n{error}"
    notebook.metadata["book"]["key"] = fingerprint
    EXECUTED.mkdir(parents=True, exist_ok=True)
    part = EXECUTED / f"{chapter.stem}.part"
    nbformat.write(notebook, part)
    part.replace(EXECUTED / chapter.name)
    numbers = {k: round(v, 1) for k, v in notebook.metadata["book"].items() if k != "key"}
    print(f"  {chapter.stem}: {numbers}", flush=True)
    return None


def is_fresh(chapter: Path) -> bool:
    """Whether the stored result was made from the present chapter, helpers and versions."""
    path = EXECUTED / chapter.name
    if not path.is_file():
        return False
    return nbformat.read(path, as_version=4).metadata["book"]["key"] == key(chapter)


def fill_cache(chapter: Path, cache: Path = CACHE) -> None:
    """Hand the stored result to Jupyter Book."""
    notebook = nbformat.read(EXECUTED / chapter.name, as_version=4)
    seconds = notebook.metadata.pop("book")["wall_seconds"]
    bundle = CacheBundleIn(notebook, str(chapter), data={"execution_seconds": seconds})
    get_cache(cache).cache_notebook_bundle(bundle, check_validity=False, overwrite=True)


def execute(wanted: list[Path]) -> list[Path]:
    """Run the chapters whose results are missing or stale; return those that ran.

    Exits with the tracebacks if a chapter fails; the other chapters' results are kept.
    """
    stale = [chapter for chapter in wanted if not is_fresh(chapter)]
    if not stale:
        return []
    python_path = os.pathsep.join([str(ROOT / "tools/offline"), str(install_wheel())])
    workers = min(len(stale), os.cpu_count() or 1)
    print(f"Executing {len(stale)} chapter(s), {workers} at a time:", flush=True)
    with ProcessPoolExecutor(workers) as pool:
        jobs = [pool.submit(_run_and_store, c, python_path) for c in stale]
        errors = [error for job in jobs if (error := job.result())]
    if errors:
        sys.exit("\n\n".join(errors))
    for chapter in stale:
        fill_cache(chapter)
    return stale
