"""Sphinx extension: what each chapter costs to run, as the last execution measured it.

Two places show it: a line in each chapter's first note box, and the table where a page says

    ```{chapter-costs}
    ```
"""

import json
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive

EXECUTED = Path("_build/executed")
COLUMNS = ("chapter", "processor-seconds", "peak memory (GiB)")


def measured(root: Path, name: str) -> dict | None:
    """Seconds and memory of the chapter called `name`, or None if it was not run."""
    path = root / EXECUTED / f"{name}.ipynb"
    if not path.is_file():
        return None
    book = json.loads(path.read_text(encoding="utf-8"))["metadata"]["book"]
    return book if "cpu_seconds" in book else None


def add_to_note(app, doctree) -> None:
    """Append the chapter's costs to its first note box, the one with the objectives."""
    book = measured(Path(app.srcdir), Path(app.env.docname).name)
    note = next(iter(doctree.findall(nodes.note)), None)
    if book is None or note is None:
        return
    text = (
        f"To run: {book['cpu_seconds']:.0f} processor-seconds and "
        f"{book['peak_gib']:.1f} GiB of memory, measured when this page was built."
    )
    note += nodes.paragraph("", text, classes=["chapter-cost"])


class ChapterCosts(Directive):
    """The table of all chapters that were executed."""

    def run(self) -> list[nodes.Node]:
        env = self.state.document.settings.env
        # The figures change without the page's source: read this page again in every build.
        env.note_reread()
        root = Path(env.srcdir)
        names = sorted(Path(page).name for page in env.found_docs)
        rows = [(name, book) for name in names if (book := measured(root, name))]
        return [table([[n, f"{b['cpu_seconds']:.0f}", f"{b['peak_gib']:.1f}"] for n, b in rows])]


def table(rows: list[list[str]]) -> nodes.table:
    """A docutils table with the columns above."""
    group = nodes.tgroup(cols=len(COLUMNS))
    group += [nodes.colspec(colwidth=1) for _ in COLUMNS]
    group += nodes.thead("", row(COLUMNS))
    group += nodes.tbody("", *(row(cells) for cells in rows))
    return nodes.table("", group)


def row(cells) -> nodes.row:
    """One row of text cells."""
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", cell)) for cell in cells))


def setup(app) -> dict:
    app.connect("doctree-read", add_to_note)
    app.add_directive("chapter-costs", ChapterCosts)
    return {"parallel_read_safe": True, "version": "1"}
