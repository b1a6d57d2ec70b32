"""Change the repository's address everywhere: `make address URL=https://github.com/you/book`.

pyproject.toml is the place to read it from. The other places cannot read a file when they are
used (a notebook on Colab, a badge, a citation), so they hold copies; a test proves them equal.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PATTERN = re.compile(r"https://github\.com/([\w.-]+)/([\w.-]+)")


def address() -> str:
    """The repository's address."""
    with open(ROOT / "pyproject.toml", "rb") as file:
        return tomllib.load(file)["project"]["urls"]["Repository"]


def forms(url: str) -> tuple[str, str]:
    """The two forms in which an address stands in the tree: OWNER/NAME, and the Pages site."""
    owner, name = PATTERN.fullmatch(url).groups()
    return f"{owner}/{name}", f"{owner.lower()}.github.io/{name}"


def tracked_files() -> list[Path]:
    """Every file that git tracks or would track."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for name in names.splitlines() if (path := ROOT / name).is_file()]


def change(old: str, new: str) -> list[Path]:
    """Replace both forms of the old address in every text file; return the files changed."""
    changed = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        updated = text
        for before, after in zip(forms(old), forms(new), strict=True):
            updated = re.sub(re.escape(before), after, updated, flags=re.IGNORECASE)
        if updated != text:
            path.write_text(updated, encoding="utf-8")
            changed.append(path)
    return changed


def main() -> None:
    url = (sys.argv[1] if len(sys.argv) == 2 else "").removesuffix("/").removesuffix(".git")
    if not PATTERN.fullmatch(url):
        sys.exit(f"Give URL=https://github.com/OWNER/NAME; {url!r} came.")
    for path in change(address(), url):
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
