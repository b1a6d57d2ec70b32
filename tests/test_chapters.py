"""The form of every chapter: anatomy, tags, stored state, figures, links, numbers in prose.

pytest tests/test_chapters.py        (`make book` first: some tests read the executed chapters)
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.notebooks import (
    CHAPTERS,
    ROOT,
    code,
    executed,
    markdown,
    output_text,
    raw,
    read,
    tagged,
    tags,
)
from tests.prose import numbers_in, printed_numbers

TAGS = {"setup", "hide-input", "exercise", "solution", "hide-cell", "quiz", "explorable", "proof",
        "raises-exception"}  # fmt: skip
every_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


def test_table_of_contents_and_folder_list_the_same_chapters():
    """A chapter that is not in _toc.yml is never executed, and nobody would notice."""
    assert set(CHAPTERS) == set((ROOT / "book").glob("*.ipynb"))


@every_chapter
def test_setup_cell_is_first_and_the_template_s(path):
    template = read(ROOT / "tools/template.ipynb")
    cells = tagged(read(path), "setup")
    assert [cell.source for cell in cells] == [cell.source for cell in tagged(template, "setup")]
    assert code(read(path))[0] == cells[0]
    assert {"setup", "hide-input"} <= tags(cells[0])


@every_chapter
def test_notebook_is_stored_without_results(path):
    """Outputs, counts and editor state make diffs unreadable, and stored outputs go stale."""
    command = [sys.executable, "-m", "nbstripout", "--keep-id", "--verify", path]
    subprocess.run(command, check=True)
    notebook = raw(path)
    assert notebook["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    # A name, not the eight random hexadecimal digits of an editor.
    assert not [
        i for i in ids if not re.fullmatch(r"[a-z0-9-]+", i) or re.fullmatch(r"[0-9a-f]{8}", i)
    ]


@every_chapter
def test_anatomy_is_complete_and_in_order(path):
    text = markdown(read(path))
    order = ["# ", "Objectives", "## Where it breaks", "## Exercises", "## Quiz", "## Summary",
             "In the article", "Further reading"]  # fmt: skip
    places = [text.find(part) for part in order]
    assert -1 not in places, f"missing: {[p for p, i in zip(order, places, strict=True) if i < 0]}"
    assert places == sorted(places)
    notebook = read(path)
    for tag in ("explorable", "proof", "quiz", "exercise"):
        assert tagged(notebook, tag), f"no cell carries the tag {tag}"
    source = "\n".join(cell.source for cell in code(notebook))
    assert "expect(" in source or "training." not in source, "trains, and has no result band"


@every_chapter
def test_tags_are_known(path):
    """A misspelt tag does nothing, silently."""
    used = set().union(*(tags(cell) for cell in read(path).cells))
    assert used <= TAGS


@every_chapter
def test_code_cells_are_short_and_prose_stands_between_them(path):
    """One definition may take 45 lines; everything else 25; never three code cells in a row."""
    run = 0
    for cell in read(path).cells:
        run = run + 1 if cell.cell_type == "code" else 0
        if tags(cell) & {"setup"}:
            run = 0
            continue
        assert run < 3 or tags(cell) & {"solution", "exercise"}, (
            f"three code cells in a row: {cell.id}"
        )
        if cell.cell_type == "code":
            limit = 45 if re.match(r"(class|def|@)", cell.source) else 25
            assert len(cell.source.splitlines()) <= limit, cell.id


@every_chapter
def test_every_figure_has_a_caption_and_alt_text(path):
    for cell in code(executed(path)):
        images = [o for o in cell.outputs if "image/png" in o.get("data", {})]
        if not images:
            continue
        settings = cell.metadata.get("mystnb", {})
        caption = settings.get("figure", {}).get("caption", "")
        alt = settings.get("image", {}).get("alt", "")
        assert len(cell.outputs) == 1, f"{cell.id}: one output per figure cell"
        assert len(caption.split()) >= 6, f"{cell.id}: no caption"
        assert len(alt.split()) >= 8, f"{cell.id}: no alt text"
        assert alt != caption, f"{cell.id}: the alt text repeats the caption"


@every_chapter
def test_links_lead_to_files_in_the_book(path):
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", markdown(read(path)))
    for link in links:
        if not link.startswith(("http://", "https://", "mailto:")):
            assert (path.parent / link).is_file(), link


@every_chapter
def test_no_path_of_somebody_s_machine(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"/(home|Users|root|work|tmp)/\w|[A-Z]:\\\\", text)


@every_chapter
def test_numbers_in_prose_are_printed_by_a_cell(path):
    """A decimal or a percentage that no cell prints is a claim that nobody checked."""
    printed = printed_numbers(output_text(executed(path)))
    claimed = numbers_in(markdown(read(path)))
    missing = [number for number in claimed if number not in printed]
    assert not missing, f"no cell prints {missing}"


@every_chapter
def test_cells_meant_to_raise_do_raise(path):
    """The tag only permits an error: a cell that stops failing would pass unseen."""
    for cell in tagged(executed(path), "raises-exception"):
        kinds = [output.output_type for output in cell.outputs]
        assert "error" in kinds, f"{cell.id} no longer raises"


@every_chapter
def test_no_cell_writes_to_stderr_and_progress_leaves_one_line(path):
    for cell in code(executed(path)):
        streams = [o for o in cell.outputs if o.output_type == "stream"]
        assert not [o for o in streams if o.name == "stderr"], f"{cell.id} writes to stderr"
        bars = [
            line
            for o in streams
            for line in o.text.splitlines()
            if "it/s" in line or "s/it" in line
        ]
        assert len(bars) <= 1, f"{cell.id} leaves {len(bars)} progress lines"


@every_chapter
def test_each_exercise_has_a_stub_that_runs_and_a_hidden_solution(path):
    notebook = executed(path)
    exercises, solutions = tagged(notebook, "exercise"), tagged(notebook, "solution")
    assert len(exercises) == len(solutions)
    for stub, solution in zip(exercises, solutions, strict=True):
        assert "not attempted yet" in _printed(stub), f"{stub.id}: the stub's check says nothing"
        assert "correct" in _printed(solution).lower(), f"{solution.id} fails its own check"
        assert "hide-cell" in tags(solution)
        assert solution.metadata["jupyter"] == {"source_hidden": True}
        assert solution.metadata["cellView"] == "form"
        assert _defined(stub.source) == _defined(solution.source)


@every_chapter
def test_no_other_cell_reads_a_name_of_an_exercise(path):
    """A reader who got an exercise wrong must still be able to run the rest."""
    notebook = read(path)
    for stub in tagged(notebook, "exercise"):
        for name in _defined(stub.source):
            others = [c for c in code(notebook) if not tags(c) & {"exercise", "solution"}]
            users = [c.id for c in others if re.search(rf"\b{name}\b", c.source)]
            assert not users, f"{users} read {name}"


@every_chapter
def test_quiz_is_shown_and_explains_every_wrong_answer(path):
    cells = tagged(executed(path), "quiz")
    assert any(output.output_type == "display_data" for cell in cells for output in cell.outputs)


def _printed(cell) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)


def _defined(source: str) -> list[str]:
    found = re.findall(r"^(?:def|class) (\w+)|^(\w+) =", source, flags=re.M)
    return [function or variable for function, variable in found]


def test_template_runs_the_same_anatomy():
    """`make chapter` must not start a chapter that the tests above reject for its headings."""
    text = markdown(read(ROOT / "tools/template.ipynb"))
    for part in ("Objectives", "## Where it breaks", "## Exercises", "## Quiz", "## Summary"):
        assert part in text


def test_chapter_names_are_numbered():
    for path in CHAPTERS:
        assert re.fullmatch(r"\d\d_[a-z_]+", Path(path).stem)
