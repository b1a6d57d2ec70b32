"""Execute what changed and build the website: `make book`.

usage: python -m tools.build [--only CHAPTER]
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from tools.execute import BUILD, ROOT, chapters, execute, fill_cache

# Warnings are errors, all of them are shown, and a reference that leads nowhere is a warning.
STRICT = ("-W", "--keep-going", "-n")


def jupyter_book(output: Path, *options: str, source: Path = ROOT) -> None:
    """Run `jupyter-book build` on `source` into `output`/_build; exit when it fails.

    Sphinx does not read an unchanged page twice, so a second build after a failure would pass in
    silence: on failure the pages and what Sphinx remembers of them are removed.
    """
    program = Path(sys.executable).with_name("jupyter-book")
    command = [program, "build", source, "--path-output", output, *options]
    lines = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    ran_again = [line for line in lines if "Executing notebook" in line]
    if process.returncode == 0 and not ran_again:
        return
    shutil.rmtree(output / "_build/html", ignore_errors=True)
    shutil.rmtree(output / "_build/.doctrees", ignore_errors=True)
    if ran_again:
        sys.exit(f"Jupyter Book executed what tools/execute.py had executed: {ran_again[0]}")
    sys.exit("The book did not build: the warnings above are errors.")


def build_all() -> None:
    """Execute the chapters that changed, and build the site."""
    for chapter in execute(chapters()):
        # Only the outputs are new, the source is not: Sphinx would keep the page.
        (BUILD / f".doctrees/book/{chapter.stem}.doctree").unlink(missing_ok=True)
    jupyter_book(ROOT, *STRICT)


def build_one(name: str) -> None:
    """Execute and build one chapter as a site of its own; its links to the others stay dead."""
    chapter = ROOT / f"book/{name}.ipynb"
    if not chapter.is_file():
        known = ", ".join(path.stem for path in sorted(chapter.parent.glob("*.ipynb")))
        sys.exit(f"There is no book/{name}.ipynb. Chapters: {known}.")
    execute([chapter])
    preview = BUILD / "preview"
    toc = preview / "_toc.yml"
    preview.mkdir(parents=True, exist_ok=True)
    toc.write_text(yaml.safe_dump({"format": "jb-book", "root": f"book/{name}"}))
    fill_cache(chapter, preview / "_build/.jupyter_cache")
    (preview / f"_build/.doctrees/book/{name}.doctree").unlink(missing_ok=True)
    jupyter_book(preview, "--toc", str(toc))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="CHAPTER", help="for example 03_convolution")
    name = parser.parse_args().only
    if name:
        build_one(name)
    else:
        build_all()


if __name__ == "__main__":
    main()
