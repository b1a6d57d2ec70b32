"""Can the tests turn red? Break the project in one line, run the test that should notice, repeat.

`make mutants` works in a copy of the tree and never touches yours. It fails if a test stays green.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tools.address import tracked_files

ROOT = Path(__file__).parent.parent


class Mutant(NamedTuple):
    """In `file`, `old` becomes `new`; then `test` must fail."""

    what: str
    file: str
    old: str
    new: str
    test: str


MUTANTS = []


def copy_tree(target: Path) -> None:
    """Everything that git tracks, and what the build made."""
    for path in tracked_files():
        place = target / path.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    shutil.copytree(ROOT / "_build/executed", target / "_build/executed")
    os.symlink(ROOT / "_build/html", target / "_build/html")
    os.symlink(ROOT / "site/node_modules", target / "site/node_modules")


def passes(tree: Path, test: str) -> bool:
    """Whether pytest ends without a failure; an error in collecting counts as red as well."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *test.split()]
    env = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True)
    if result.returncode not in (0, 1, 2):
        sys.exit(f"pytest could not run {test}:\n{result.stdout}{result.stderr}")
    return result.returncode == 0


def survives(tree: Path, mutant: Mutant) -> bool:
    """Break, test, mend."""
    path = tree / mutant.file
    text = path.read_text(encoding="utf-8")
    if text.count(mutant.old) < 1:
        sys.exit(f"{mutant.file} no longer holds {mutant.old!r}: bring this mutant up to date.")
    path.write_text(text.replace(mutant.old, mutant.new, 1), encoding="utf-8")
    try:
        return passes(tree, mutant.test)
    finally:
        path.write_text(text, encoding="utf-8")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        copy_tree(tree)
        tests = " ".join(dict.fromkeys(mutant.test for mutant in MUTANTS))
        if not passes(tree, tests):
            sys.exit("The tests fail before anything is broken: run `make test` first.")
        survivors = []
        for mutant in MUTANTS:
            alive = survives(tree, mutant)
            print("SURVIVES" if alive else "red     ", mutant.what, "-", mutant.test, flush=True)
            survivors += [mutant] if alive else []
    print(f"{len(MUTANTS) - len(survivors)} of {len(MUTANTS)} mutants turned a test red")
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    main()
