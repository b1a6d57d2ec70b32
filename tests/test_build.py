"""The build: what runs again and when, what it refuses, what a chapter may cost.

pytest tests/test_build.py        (`make book` first)
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.notebooks import CHAPTERS, ROOT, executed
from tools import build, execute

OFFLINE = str(ROOT / "tools/offline")
# Processor-seconds and GiB of memory. The language-model chapters may use more.
BUDGET = {"13": (200, 8), "17": (200, 8), "18": (200, 8)}


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapter_stays_inside_its_budget(path):
    """Twice the budget in seconds: machines of one kind were seen to differ by that factor."""
    seconds, gib = BUDGET.get(path.stem[:2], (45, 4))
    cost = executed(path).metadata["book"]
    assert cost["cpu_seconds"] < 2 * seconds
    assert cost["peak_gib"] < gib


@pytest.mark.parametrize(
    "changed",
    ["book/03_convolution.ipynb", "helpers/data.py", "helpers/files/README.md", "constraints.txt"],
)
def test_a_change_runs_the_chapter_again(tmp_path, monkeypatch, changed):
    """Jupyter Book's cache looks at the cells alone: a change in helpers/ would stay unseen."""
    for name in ("helpers", "book", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("constraints.txt", "pyproject.toml"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    monkeypatch.setattr(execute, "ROOT", tmp_path)
    monkeypatch.setattr(execute, "__file__", str(tmp_path / "tools/execute.py"))
    chapter = tmp_path / "book/03_convolution.ipynb"
    before = execute.key(chapter)
    assert execute.key(chapter) == before
    with open(tmp_path / changed, "a", encoding="utf-8") as file:
        file.write(" ")
    assert execute.key(chapter) != before


def test_nothing_changed_runs_nothing():
    assert [path.name for path in CHAPTERS if not execute.is_fresh(path)] == []


def notebook(tmp_path, *sources, tags=()):
    """A notebook file with these code cells."""
    book = nbformat.v4.new_notebook()
    book.cells = [nbformat.v4.new_code_cell(s, metadata={"tags": list(tags)}) for s in sources]
    path = tmp_path / "tiny.ipynb"
    nbformat.write(book, path)
    return path


def test_a_chapter_runs_alone_in_an_empty_folder(tmp_path):
    result = execute.run(notebook(tmp_path, "import os; print(os.listdir())"), OFFLINE)
    assert result.cells[0].outputs[0].text == "[]\n"
    assert result.metadata["book"]["peak_gib"] > 0.01


def test_a_chapter_that_reaches_for_the_network_fails(tmp_path):
    source = "import urllib.request; urllib.request.urlopen('http://example.org', timeout=5)"
    with pytest.raises(
        execute.CellExecutionError, match="the network is blocked while chapters run"
    ):
        execute.run(notebook(tmp_path, source), OFFLINE)


def test_a_failing_cell_fails_the_chapter_unless_it_is_meant_to(tmp_path):
    with pytest.raises(execute.CellExecutionError, match="ZeroDivisionError"):
        execute.run(notebook(tmp_path, "1 / 0"), OFFLINE)
    result = execute.run(notebook(tmp_path, "1 / 0", tags=["raises-exception"]), OFFLINE)
    assert result.cells[0].outputs[0].ename == "ZeroDivisionError"


def tiny_book(folder, page: str):
    """A book of one page with the real settings."""
    (folder / "book").mkdir(parents=True)
    for name in ("_config.yml", "book/references.bib"):
        shutil.copyfile(ROOT / name, folder / name)
    shutil.copytree(ROOT / "site/static", folder / "site/static")
    for name in ("chapter_costs.py", "without_thebe.py", "favicon.svg"):
        shutil.copyfile(ROOT / "site" / name, folder / "site" / name)
    (folder / "_build/vendor").mkdir(parents=True)
    (folder / "_toc.yml").write_text("format: jb-book\nroot: book/index\n")
    (folder / "book/index.md").write_text(page)


@pytest.mark.parametrize("fault", ["[nowhere](missing.md)", "```{nothing}\n```"])
def test_a_fault_fails_the_build_twice(tmp_path, fault):
    """A dead link is found when a page is written, an unknown directive when it is read.

    Sphinx does not read an unchanged page again: a second build would pass in silence.
    """
    tiny_book(tmp_path, f"# A page\n\n{fault}\n")
    for _ in range(2):
        with pytest.raises(SystemExit, match="The book did not build"):
            build.jupyter_book(tmp_path, *build.STRICT, source=tmp_path)
        assert not (tmp_path / "_build/html").exists()


def test_a_sound_page_builds(tmp_path):
    """The test above must not pass because the tiny book never builds."""
    tiny_book(tmp_path, "# A page\n\nSound.\n")
    build.jupyter_book(tmp_path, *build.STRICT, source=tmp_path)
    assert (tmp_path / "_build/html/book/index.html").is_file()


def test_a_notebook_that_was_not_executed_before_fails_the_build(tmp_path):
    """The build must not run a chapter a second time, in another place than a reader would."""
    tiny_book(tmp_path, "# A page\n\n[next](tiny.ipynb)\n")
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters: [{file: book/tiny}]\n"
    )
    path = notebook(tmp_path / "book", "1 + 1")
    book = nbformat.read(path, as_version=4)
    book.cells.insert(0, nbformat.v4.new_markdown_cell("# Tiny"))
    book.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    nbformat.write(book, path)
    with pytest.raises(SystemExit, match=r"executed what tools/execute\.py had executed"):
        build.jupyter_book(tmp_path, *build.STRICT, source=tmp_path)


def test_an_unknown_chapter_is_named_with_the_known_ones():
    command = [sys.executable, "-m", "tools.build", "--only", "99_nothing"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    known = ", ".join(path.stem for path in CHAPTERS)
    assert f"There is no book/99_nothing.ipynb. Chapters: {known}." in result.stderr


def test_make_chapter_starts_one_and_never_overwrites(tmp_path):
    for name in ("tools", "helpers"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "book").mkdir()
    command = [sys.executable, "-m", "tools.new_chapter", "99_last_words"]
    first = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert first.returncode == 0, first.stderr
    started = nbformat.read(tmp_path / "book/99_last_words.ipynb", as_version=4)
    assert started.cells[0].source.startswith("# Last words")
    assert (tmp_path / "helpers/checks/ch99.py").is_file()
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "exists already: nothing was changed" in again.stderr


def test_make_chapter_refuses_a_name_that_sorts_wrongly():
    command = [sys.executable, "-m", "tools.new_chapter", "text"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert "Give a name such as NAME=05_preprocessing_text; 'text' came." in result.stderr


def test_make_test_blocks_the_network_where_kernels_run():
    """nbval starts each kernel in the notebook's folder: a relative path would point nowhere."""
    plan = subprocess.run(["make", "-n", "test"], cwd=ROOT, capture_output=True, text=True).stdout
    (folder,) = re.findall(r"PYTHONPATH=(\S+)", plan)
    assert Path(folder).is_absolute()
    assert (Path(folder) / "sitecustomize.py").is_file()
