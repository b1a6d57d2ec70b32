"""setup() and need(): what every chapter calls first.

pytest tests/test_setup.py
"""

import os
import random
import subprocess
import sys
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import numpy
import pytest
import torch

import helpers
from tests.notebooks import ROOT

# Run in an environment that sees our packages; `google.colab` is what tells Colab.
ON_COLAB = """
import sys, types
sys.path.insert(0, {root!r})
sys.modules["google.colab"] = types.ModuleType("google.colab")
import helpers
helpers.need({package!r})
import {package}
print({package}.__file__)
"""


@pytest.fixture
def threads():
    """Give torch its threads back after the test."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def draws() -> tuple:
    return random.random(), numpy.random.random(), torch.rand(1).item()


def test_setup_makes_every_generator_repeat_itself(threads):
    helpers.setup(seed=3)
    first = draws()
    assert draws() != first
    helpers.setup(seed=3)
    assert draws() == first
    helpers.setup(seed=4)
    assert not set(draws()) & set(first)


@pytest.mark.parametrize(("workers", "share"), [("1", 1), ("2", 2), ("1000", 1000)])
def test_workers_share_the_cores(threads, monkeypatch, workers, share):
    monkeypatch.setenv("BOOK_WORKERS", workers)
    helpers.setup()
    assert torch.get_num_threads() == max(1, os.cpu_count() // share)


@pytest.mark.parametrize("workers", ["0", "-1", "two", ""])
def test_a_number_of_workers_that_is_none_is_named(threads, monkeypatch, workers):
    monkeypatch.setenv("BOOK_WORKERS", workers)
    with pytest.raises(ValueError, match=f"whole number from 1 on, not '{workers}'"):
        helpers.setup()


def test_need_is_silent_when_all_is_there(capfd):
    helpers.need("torch", "numpy")
    assert capfd.readouterr() == ("", "")


def test_need_tells_the_owner_of_an_environment_what_to_type():
    """Nothing is installed into an environment that is the reader's own."""
    with pytest.raises(ModuleNotFoundError, match="-m pip install no_such_package_here` and run"):
        helpers.need("torch", "no_such_package_here")


def test_need_knows_a_package_that_is_imported_under_another_name(monkeypatch):
    """pip installs scikit-learn, Python imports sklearn: "pip install sklearn" installs nothing."""
    helpers.need("scikit-learn")
    monkeypatch.setitem(helpers.IMPORTED_AS, "scikit-learn", "no_such_package_here")
    with pytest.raises(ModuleNotFoundError, match="-m pip install scikit-learn` and run"):
        helpers.need("scikit-learn")


@pytest.fixture(scope="module")
def colab(tmp_path_factory) -> Path:
    """A Python of its own that sees all packages of ours, as an image of Colab holds its own."""
    folder = tmp_path_factory.mktemp("colab")
    venv.create(folder, with_pip=True)
    site = next((folder / "lib").glob("python*/site-packages"))
    (site / "ours.pth").write_text(next(p for p in sys.path if p.endswith("site-packages")))
    return folder / "bin/python"


def need_on_colab(python: Path, package: str, wheels: Path) -> subprocess.CompletedProcess:
    program = ON_COLAB.format(root=str(ROOT), package=package)
    env = os.environ | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    return subprocess.run([python, "-c", program], env=env, capture_output=True, text=True)


def write_wheel(folder: Path, name: str, demand: str) -> None:
    """The smallest wheel that pip installs: one empty module, and what it demands."""
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        metadata_lines = (
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: {demand}\n"
        )
        wheel.writestr(f"{info}/METADATA", metadata_lines)
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


def test_need_installs_what_is_missing_on_colab(colab, tmp_path):
    write_wheel(tmp_path, "tiny_tool", "numpy>=1")
    result = need_on_colab(colab, "tiny_tool", tmp_path)
    assert result.returncode == 0, result.stderr
    assert Path(result.stdout.strip()).is_relative_to(colab.parent.parent)


def test_need_never_replaces_torch_on_colab(colab, tmp_path):
    """A package that demands another torch, which could be had: pip must refuse, and say so."""
    write_wheel(tmp_path, "torch_hater", "torch==1.0")
    write_wheel(tmp_path, "torch", "numpy")
    result = need_on_colab(colab, "torch_hater", tmp_path)
    assert "pip could not install torch_hater beside the versions that run here" in result.stderr
    assert not list(colab.parent.parent.glob("lib/python*/site-packages/torch*"))


def test_pins_name_the_versions_in_use():
    assert f"torch=={metadata.version('torch')}" in helpers._pins().splitlines()
    assert f"numpy=={metadata.version('numpy')}" in helpers._pins().splitlines()
