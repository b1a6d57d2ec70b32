"""What must agree between files of the repository.

pytest tests/test_repository.py
"""

import ast
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement

from tests.notebooks import CHAPTERS, ROOT, read, tagged
from tools import address as addresses

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TEXT = {
    ".py",
    ".md",
    ".yml",
    ".yaml",
    ".toml",
    ".txt",
    ".cff",
    ".js",
    ".css",
    ".json",
    ".ipynb",
    "",
}


def requirements(name: str) -> dict[str, Requirement]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    wanted = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {requirement.name.lower().replace("_", "-"): requirement for requirement in wanted}


def test_requirements_and_wheel_name_the_same_bounds():
    wheel = {Requirement(text).name: text for text in PYPROJECT["project"]["dependencies"]}
    listed = requirements("requirements.txt")
    assert {name: str(listed[name]) for name in wheel} == wheel


def test_every_requirement_is_pinned_inside_its_bounds():
    pins = requirements("constraints.txt")
    for name, wanted in (
        requirements("requirements.txt") | requirements("requirements-test.txt")
    ).items():
        (pin,) = pins[name].specifier
        assert pin.operator == "==", name
        assert wanted.specifier.contains(pin.version), name


def test_anywidget_has_one_version_in_python_and_in_the_browser():
    """The page's runtime must be the one that the saved widget state was written for."""
    npm = yaml.safe_load((ROOT / "site/package.json").read_text())["dependencies"]["anywidget"]
    (pin,) = requirements("constraints.txt")["anywidget"].specifier
    assert npm == pin.version


def test_all_places_name_the_same_address():
    """One place is read (pyproject.toml); the copies in the others must not drift."""
    path, pages = addresses.forms(addresses.address())
    url = f"https://github.com/{path}"
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    assert config["repository"]["url"] == url
    assert config["html"]["baseurl"] == f"https://{pages}/"
    assert (
        yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["repository-code"]
        == url
    )
    for chapter in [*CHAPTERS, ROOT / "tools/template.ipynb"]:
        assert f'"{url}"' in tagged(read(chapter), "setup")[0].source
    name = url.rsplit("/", 1)[1]
    for file in ("README.md", "book/index.md", "book/install.md", "CONTRIBUTING.md"):
        text = (ROOT / file).read_text(encoding="utf-8")
        owners = re.findall(rf"github(?:\.com|/blob)?/([\w.-]+)/{name}", text)
        assert set(owners) <= {path.split("/")[0]}, file
    assert f"git clone {url}\n" in (ROOT / "book/install.md").read_text(encoding="utf-8")


def test_one_command_changes_the_address_everywhere(tmp_path):
    """In a copy of the tree: afterwards no file holds the old address."""
    copy = tmp_path / "tree"
    for path in addresses.tracked_files():
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    subprocess.run(["git", "init", "-q"], cwd=copy, check=True)
    command = [sys.executable, "-m", "tools.address", "https://github.com/ada-l/my.book"]
    subprocess.run(command, cwd=copy, check=True, capture_output=True)
    old = addresses.forms(addresses.address())
    for path in copy.rglob("*"):
        if path.is_file() and path.suffix in TEXT and ".git" not in path.parts:
            text = path.read_text(encoding="utf-8").lower()
            assert not [form for form in old if form.lower() in text], path
    assert "ada-l/my.book" in (copy / "_config.yml").read_text()
    assert "https://ada-l.github.io/my.book/" in (copy / "_config.yml").read_text()


def test_an_address_that_is_none_is_refused():
    command = [sys.executable, "-m", "tools.address", "my-book"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 1
    assert "URL=https://github.com/OWNER/NAME; 'my-book' came" in result.stderr


def test_colab_opens_and_installs_the_version_that_the_package_has():
    """A chapter of today with helpers of yesterday breaks on Colab alone."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    assert config["repository"]["branch"] == f"v{PYPROJECT['project']['version']}"
    version = PYPROJECT["project"]["version"]
    assert f'"v{version}"' in tagged(read(ROOT / "tools/template.ipynb"), "setup")[0].source


def test_make_targets_call_modules_that_exist():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    for module in re.findall(r"\$\(RUN\) ([\w.]+)", text):
        path = ROOT / module.replace(".", "/")
        known = path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()
        assert known or module == "pytest", module
    assert len(text.splitlines()) < 75


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=lambda c: c[0])
def test_code_is_linted_and_formatted(command):
    result = subprocess.run([sys.executable, "-m", "ruff", *command, "."], cwd=ROOT,
                            capture_output=True, text=True)  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("version", ["3.11.0", "3.12", "3.13"])
def test_pinned_set_resolves_for_the_oldest_and_newer_pythons(version):
    """A dry run: nothing is downloaded but the packages' own lists of needs."""
    uv = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-header"]
    files = ["--constraint", "constraints.txt", "requirements.txt"]
    result = subprocess.run(
        [*uv, "--python-version", version, *files], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert "torch==2.13.0" in result.stdout


def test_workflows_run_the_readme_s_own_commands():
    """A workflow that runs something else proves something else."""
    for name, command in {"test.yml": "make test", "publish.yml": "make book"}.items():
        text = (ROOT / ".github/workflows" / name).read_text(encoding="utf-8")
        assert command in text
        assert "continue-on-error" not in text
        assert yaml.safe_load(text)["jobs"]


def test_no_assertion_is_a_bare_comparison():
    """A comparison whose result is dropped is a check that cannot fail."""
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Compare)), path
