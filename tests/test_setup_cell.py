"""The set-up cell, run for real in the places where readers run it.

pytest tests/test_setup_cell.py
"""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.notebooks import ROOT, read, tagged
from tools import address as addresses
from tools.execute import install_wheel

CELL = tagged(read(ROOT / "tools/template.ipynb"), "setup")[0].source
WHERE = "\nprint(Path(helpers.__file__).resolve().parent)"
OFFLINE = str(ROOT / "tools/offline")


def run_cell(
    folder: Path, *, python=sys.executable, path=(), cell=CELL
) -> subprocess.CompletedProcess:
    """Run the cell in `folder`, as a kernel would: that folder comes first on the path."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(["", *map(str, path)])}
    return subprocess.run([python, "-c", cell + WHERE], cwd=folder, env=env,
                          capture_output=True, text=True)  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return install_wheel(tmp_path_factory.mktemp("wheel"))


def foreign_helpers(folder: Path) -> None:
    """A reader's own package that happens to have our name."""
    (folder / "helpers").mkdir(parents=True)
    (folder / "helpers/__init__.py").write_text("raise RuntimeError('the wrong helpers')")


def test_a_clone_uses_its_own_helpers_and_no_network():
    result = run_cell(ROOT / "book", path=[OFFLINE])
    assert result.stdout.strip() == str(ROOT / "helpers"), result.stderr


def test_a_lone_notebook_uses_the_installed_wheel(wheel, tmp_path):
    result = run_cell(tmp_path, path=[OFFLINE, wheel])
    assert result.stdout.strip() == str(wheel / "helpers"), result.stderr


@pytest.mark.parametrize("place", ["beside", "above"])
def test_a_reader_s_own_folder_called_helpers_is_not_taken_for_ours(wheel, tmp_path, place):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    foreign_helpers(folder if place == "beside" else tmp_path)
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: another-book\n")
    result = run_cell(folder, path=[OFFLINE, wheel])
    assert result.stdout.strip() == str(wheel / "helpers"), result.stderr


def test_another_helpers_that_is_loaded_already_is_named(wheel, tmp_path):
    cell = "import sys, types\nsys.modules['helpers'] = types.ModuleType('helpers')\n" + CELL
    result = run_cell(tmp_path, path=[OFFLINE, wheel], cell=cell)
    assert "another package called helpers is loaded: restart" in result.stderr


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> str:
    """The tree as a git repository with its release tag, where pip can install it from."""
    copy = tmp_path_factory.mktemp("published") / "tree"
    for path in addresses.tracked_files():
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "release"], ["tag", "v0.1.0"]):
        subprocess.run([*git, *command], cwd=copy, check=True)
    return f"file://{copy}"


def test_colab_gets_helpers_and_keeps_its_torch_numpy_and_ipywidgets(published, tmp_path):
    """An environment of its own that sees our packages, as Colab's has its own, but no helpers."""
    venv.create(tmp_path / "colab", with_pip=True)
    python = tmp_path / "colab/bin/python"
    ours = next(p for p in map(Path, sys.path) if p.name == "site-packages")
    theirs = next((tmp_path / "colab/lib").glob("python*/site-packages"))
    (theirs / "colab.pth").write_text(str(ours))
    before = set(theirs.iterdir())
    folder = tmp_path / "content"
    folder.mkdir()
    cell = CELL.replace(addresses.address(), published)
    result = run_cell(folder, python=python, cell=cell)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip().splitlines()[-1] == str(theirs / "helpers"), result.stderr
    added = {path.name for path in set(theirs.iterdir()) - before}
    assert added == {"helpers", "large_models_from_scratch-0.1.0.dist-info"}


def test_no_network_on_colab_is_one_clear_sentence(tmp_path):
    """The address does not answer: the cell says what failed and what to look at."""
    cell = CELL.replace(addresses.address(), "file:///nowhere/book")
    result = run_cell(tmp_path, cell=cell)
    assert "no file:///nowhere/book@v0.1.0: is this machine online?" in result.stderr
