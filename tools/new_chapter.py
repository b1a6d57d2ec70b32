"""Start a chapter from the anatomy in tools/template.ipynb: `make chapter NAME=05_x`."""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

CHECKS = '''"""Checks of the exercises in chapter {number}."""
'''


def main() -> None:
    name = sys.argv[1] if len(sys.argv) == 2 else ""
    if not re.fullmatch(r"\d\d_[a-z0-9_]+", name):
        sys.exit(f"Give a name such as NAME=05_preprocessing_text; {name!r} came.")
    chapter = ROOT / f"book/{name}.ipynb"
    if chapter.exists():
        sys.exit(f"book/{name}.ipynb exists already: nothing was changed.")
    number, title = name[:2], name[3:].replace("_", " ").capitalize()
    notebook = json.loads((ROOT / "tools/template.ipynb").read_text(encoding="utf-8"))
    notebook["cells"][0]["source"][0] = f"# {title}\n"
    text = json.dumps(notebook, indent=1, ensure_ascii=False).replace('\\"03', f'\\"{number}')
    chapter.write_text(text + "\n", encoding="utf-8")
    started = [chapter]
    for path, text in {
        ROOT / f"helpers/checks/ch{number}.py": CHECKS.format(number=number),
        ROOT / f"helpers/quizzes/ch{number}.json": "[]\n",
    }.items():
        if not path.exists():
            path.write_text(text, encoding="utf-8")
            started.append(path)
    print("Started", ", ".join(str(path.relative_to(ROOT)) for path in started))
    print(f"See it with `make show NAME={name}`; list it in _toc.yml when it is ready.")


if __name__ == "__main__":
    main()
