"""Reading the chapters: what several structural tests need."""

import json
import re
from pathlib import Path

import nbformat

from tools.execute import EXECUTED, ROOT, chapters

__all__ = [
    "CHAPTERS",
    "ROOT",
    "code",
    "executed",
    "markdown",
    "output_text",
    "raw",
    "read",
    "tagged",
    "tags",
]

CHAPTERS = chapters()


def read(path: Path) -> nbformat.NotebookNode:
    """The notebook as it stands in the repository."""
    return nbformat.read(path, as_version=4)


def tags(cell) -> set[str]:
    return set(cell.metadata.get("tags", []))


def code(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def markdown(notebook) -> str:
    """All prose of a notebook, cells separated by blank lines."""
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def tagged(notebook, tag: str) -> list:
    return [cell for cell in notebook.cells if tag in tags(cell)]


def executed(path: Path) -> nbformat.NotebookNode:
    """The chapter with the outputs of its last execution, or a failure that says what to run."""
    result = EXECUTED / path.name
    if not result.is_file():
        raise AssertionError(f"{path.name} has not been executed: run `make book` first")
    return nbformat.read(result, as_version=4)


def output_text(notebook) -> str:
    """Everything that the cells printed or returned, as plain text, tables included."""
    parts = []
    for cell in code(notebook):
        for output in cell.outputs:
            parts.append(output.get("text", ""))
            bundle = output.get("data", {})
            parts += [bundle.get("text/plain", ""), bundle.get("text/html", "")]
    # A base64 picture is no printed number, and a style sheet has lengths such as 1.4rem.
    text = "\n".join(part for part in parts if "base64," not in part)
    return re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)


def raw(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))
