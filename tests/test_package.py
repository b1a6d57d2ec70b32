"""The helpers package as a whole: import rules, import time, what the wheel holds, what was built.

pytest tests/test_package.py
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.notebooks import CHAPTERS, ROOT, code, read
from tools.execute import install_wheel

HELPERS = ROOT / "helpers"
# A module may import those of the ranks before its own; evaluation and its like stand apart.
RANKS = [
    ["sources", "progress"],
    ["assets"],
    ["data", "images", "text", "ngrams", "audio"],
    ["models", "optim", "checkpoints", "arguments"],
    ["runs", "parallel"],
    ["training", "generation", "language"],
    ["language_recipes"],
    ["corrections", "pretraining", "finetuning", "recipes", "pretrain_options"],
    ["pretrain"],
]
APART = {"evaluation", "plotting", "exercises", "widgets", "checks"}
BUILDERS = {
    "models",
    "optim",
    "checkpoints",
    "runs",
    "training",
    "generation",
    "language",
    "language_recipes",
    "pretrain",
    "pretraining",
    "parallel",
    "recipes",
    "pretrain_options",
    "finetuning",
}


def modules() -> list[Path]:
    return sorted(HELPERS.rglob("*.py"))


def first_part(path: Path) -> str:
    return path.relative_to(HELPERS).with_suffix("").parts[0]


def imported(path: Path) -> set[str]:
    """First parts of the helpers modules that a file imports anywhere, functions included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("helpers.")}
        elif isinstance(node, ast.ImportFrom) and node.module == "helpers":
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("helpers."):
            found.add(node.module.split(".")[1])
    return found - {"BOOK", "setup", "need"}


def rank(name: str) -> int:
    return next((i for i, names in enumerate(RANKS) if name in names), -1)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(HELPERS)))
def test_imports_go_one_way(path):
    """So that a reader can open any module and know all that it may depend on."""
    name, uses = first_part(path), imported(path)
    if name == "__init__":
        return
    if name in APART:
        assert not uses & BUILDERS
    else:
        assert not uses & (APART - {"evaluation"})
        assert all(rank(other) <= rank(name) for other in uses - APART)


@pytest.mark.benchmark
def test_import_helpers_takes_under_a_third_of_a_second_beyond_torch():
    """Processor time, best of five fresh interpreters, torch imported before the clock starts."""
    program = (
        "import time, torch; start = time.process_time(); import helpers; "
        "print(time.process_time() - start)"
    )
    seconds = [
        float(subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True,
                             capture_output=True, text=True).stdout)
        for _ in range(5)
    ]  # fmt: skip
    print(f"import helpers: {1000 * min(seconds):.0f} ms beyond torch")
    assert min(seconds) < 0.3


def test_wheel_holds_every_file_of_the_package(tmp_path):
    """A file that is in the clone and not in the wheel is a chapter that fails on Colab alone."""
    built = install_wheel(tmp_path) / "helpers"
    skip = {"__pycache__"}
    here = {
        p.relative_to(HELPERS)
        for p in HELPERS.rglob("*")
        if p.is_file() and not skip & set(p.parts)
    }
    there = {
        p.relative_to(built) for p in built.rglob("*") if p.is_file() and not skip & set(p.parts)
    }
    assert here == there


def definitions(source: str) -> dict[str, str]:
    """Top-level classes and functions: name -> syntax tree without docstrings."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            for part in ast.walk(node):
                if isinstance(part, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(part):
                    part.body = part.body[1:] or [ast.Pass()]
            found[node.name] = ast.dump(node)
    return found


def built_in_chapters() -> list[tuple[Path, str, str]]:
    """(module, name, chapter number) for each public definition that says "Built in chapter NN"."""
    found = []
    for path in modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                text = " ".join((ast.get_docstring(node) or "").split())  # a line may end within
                if "Built in chapter " in text:
                    found.append((path, node.name, text.split("Built in chapter ")[1][:2]))
    return found


@pytest.mark.parametrize("case", built_in_chapters(), ids=lambda case: case[1])
def test_what_a_chapter_builds_is_what_helpers_holds(case):
    """Once the chapter exists, its cell and the helper are the same code, comments aside."""
    path, name, number = case
    chapter = next((c for c in CHAPTERS if c.stem.startswith(number)), None)
    if chapter is None:
        return  # the chapter is still to be written
    cells = {}
    for cell in code(read(chapter)):
        if not cell.source.lstrip().startswith(("%", "!")):
            cells |= definitions(cell.source)
    assert name in cells, f"chapter {number} does not define {name}"
    assert cells[name] == definitions(path.read_text(encoding="utf-8"))[name]


def test_something_is_built_in_chapter_03():
    """The test above must not pass because it found nothing to compare."""
    assert "03" in {number for _, _, number in built_in_chapters()}


@pytest.mark.parametrize(
    "path", [p for p in modules() if p.stem != "__init__"], ids=lambda p: p.stem
)
def test_every_module_and_public_definition_has_a_docstring(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "the module"
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name
