"""Write what `tools.data_sets` and the docstrings of `helpers.data` say: a table and a page."""

import hashlib
import inspect
import re
from pathlib import Path

from PIL import Image

from helpers import data
from helpers.assets import GROUPS
from helpers.sources import HUB
from tools.data_sets import SETS, DataSet, File, Photo

BOOK = Path(__file__).parent.parent / "book"

# The README's text is written by hand; the table between these two lines is not.
TABLE = ("<!-- made by tools/make_files.py -->\n", "<!-- end -->\n")
HEAD = "| file | what | source | licence and attribution | bytes | sha256 |\n"
HEAD += "| --- | --- | --- | --- | ---: | --- |"

PAGE = """\
# Data

Where does the data come from, what is in it, and what is wrong with it? Each set is one function
of `helpers.data`. Its parts are fixed: train on the first, choose on the second, and look at the
third once, at the end.

What is small is part of the book and needs no network. What is larger is fetched when a chapter
first asks for it, and kept. Its sha256 is checked each time, so it does not matter where a file
came from. To prepare a room without a network, see [*A class*](install.md#a-class).

| set | part of the book | fetched on demand |
| --- | ---: | ---: |
{rows}

This page is made from the descriptions in the code by `python -m tools.make_files --describe`.
"""


def row(file: File, folder: Path) -> str:
    """One line of the README's table."""
    path = folder / file.name
    content, what, source = path.read_bytes(), file.what, file.source
    if isinstance(file, Photo):
        with Image.open(path) as image:
            what += f", {image.width} × {image.height}{', grey' if image.mode == 'L' else ''}"
        package, _, member = source.removeprefix("wheel:").partition("/")
        changed = "" if member.endswith(path.suffix) else ", made smaller (see below)"
        source = f"{package}, `{member}`{changed}"
    sha256 = hashlib.sha256(content).hexdigest()
    return f"| `{file.name}` | {what} | {source} | {file.licence} | {len(content):,} | `{sha256}` |"


def readme(folder: Path) -> str:
    """The README of the embedded files: its own text, with the table made anew."""
    before, rest = (folder / "README.md").read_text(encoding="utf-8").split(TABLE[0])
    rows = [row(file, folder) for data_set in SETS for file in data_set.files]
    return "\n".join([before + TABLE[0] + HEAD, *rows, TABLE[1]]) + rest.split(TABLE[1])[1]


def page(folder: Path) -> str:
    """The book's page on data."""
    rows = "\n".join(
        f"| [{s.title}](#{s.title.lower().replace(' ', '-')}) | {size(embedded(s, folder))} "
        f"| {size(fetched(s))} |"
        for s in SETS
    )
    return PAGE.format(rows=rows) + "".join(section(data_set, folder) for data_set in SETS)


def section(data_set: DataSet, folder: Path) -> str:
    """What the page says of one set."""
    prose, facts = described(data_set.function)
    places = ", then ".join(map(place, GROUPS[data_set.group].places)) if data_set.group else ""
    facts = {
        "Function": f"`helpers.data.{data_set.function}`",
        "Part of the book": size(embedded(data_set, folder)),
        "Fetched on demand": f"{size(fetched(data_set))} from {places}" if places else "",
        **facts,
        "Used in": used_in(data_set.function),
    }
    samples = [f"```text\n{sample(folder / name, p)}```" for name, p in data_set.sample]
    credits = [f"- `{file.name}`: {file.what}; {file.licence}" for file in data_set.files]
    files = embedded(data_set, folder) + fetched(data_set)
    widest = max(len(name) for name, _, _ in files)
    sums = [f"{name:<{widest}} {count:>10,} {sha256}" for name, count, sha256 in files]
    listed = [f"- **{name}:** {text}" for name, text in facts.items() if text]
    folded = [":::{admonition} Files, with bytes and sha256", ":class: dropdown", *credits, ""]
    folded += ["```text", *sums, "```", ":::"]
    blocks = [f"## {data_set.title}", *prose, *samples, "\n".join(listed), "\n".join(folded)]
    return "\n" + "\n\n".join(blocks) + "\n"


def described(function: str) -> tuple[list[str], dict[str, str]]:
    """The paragraphs of a function's docstring, and those lines that begin with a label."""
    prose, facts = [], {}
    for block in inspect.getdoc(getattr(data, function)).split("\n\n"):
        if block.startswith((">>>", "Raises:")):
            continue
        labelled = re.split(r"^(Licence|Source|Known flaws): ", block, flags=re.MULTILINE)
        prose += [linked(labelled[0])] if labelled[0] else []
        texts = (text[:1].upper() + text[1:] for text in map(linked, labelled[2::2]))
        facts |= dict(zip(labelled[1::2], texts, strict=True))
    return prose, facts


def linked(text: str) -> str:
    """One line, with links to papers and chapters that are here."""
    text = re.sub(
        r"arXiv:([\d.]+\d)", r"[arXiv:\1](https://arxiv.org/abs/\1)", " ".join(text.split())
    )
    text = re.sub(r"doi:(\S+\w)", r"[doi:\1](https://doi.org/\1)", text)
    for chapter in BOOK.glob("[0-9]*.ipynb"):
        name = f"chapter {chapter.stem[:2]}"
        text = text.replace(name, f"[{name}]({chapter.name})")
    return text


def embedded(data_set: DataSet, folder: Path) -> list[tuple[str, int, str]]:
    """Name, bytes and sha256 of the files that are part of the book."""
    contents = {file.name: (folder / file.name).read_bytes() for file in data_set.files}
    return [(name, len(c), hashlib.sha256(c).hexdigest()) for name, c in contents.items()]


def fetched(data_set: DataSet) -> list[tuple[str, int, str]]:
    """Name in the cache, bytes and sha256 of the files that are fetched on demand."""
    assets = GROUPS[data_set.group].assets() if data_set.group else {}
    return [(name, asset.size, asset.sha256) for name, asset in assets.items()]


def size(files: list[tuple[str, int, str]]) -> str:
    total = sum(count for _, count, _ in files) / 1e6
    return f"{total:.1f} MB in {len(files)} file{'s' * (len(files) > 1)}" if files else ""


def place(source: str) -> str:
    """Where a file is fetched, in words."""
    if source.startswith(HUB):
        return "the model hub (`HF_ENDPOINT` names a mirror)"
    scheme, package, *_ = re.split("[:/]+", source)
    kinds = {"deb": "the Debian package", "wheel": "the Python package"}
    if scheme in kinds:
        return f"{kinds[scheme]} {package.replace('==', ' ')}"  # code would not wrap on a phone
    return f"`{'.'.join(package.split('.')[-2:])}`"


def used_in(function: str) -> str:
    """Links to the chapters that call a function."""
    call = re.compile(rf"\b{function}\(")
    chapters = [c for c in sorted(BOOK.glob("[0-9]*.ipynb")) if call.search(c.read_text("utf-8"))]
    return ", ".join(f"[chapter {c.stem[:2]}]({c.name})" for c in chapters)


def sample(path: Path, pattern: str) -> str:
    """The first piece of a text that a pattern finds."""
    return re.search(pattern, path.read_text(encoding="utf-8"))[0]
