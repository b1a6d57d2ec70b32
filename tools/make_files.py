"""Make helpers/files from pinned sources, or check that its files are the ones that were made.

    python -m tools.make_files               fetch the sources, write the files, then as below
    python -m tools.make_files --describe    write the tables and the page from the descriptions
    python -m tools.make_files --check       compare files, tables and page; exit 1 if one differs

A second run gives the same bytes. Every source is checked by its sha256 (see helpers/assets.py).
"""

import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from helpers.assets import FILES, Asset, checksums, fetch, is_right, obtain
from helpers.data import read_idx
from tools import data_page, make_texts
from tools.data_sets import PHOTOS

PAGE = Path(__file__).parent.parent / "book/data.md"

COPY_UP_TO = 300_000  # bytes; a larger photo is stored as JPEG
LONGEST_SIDE = 512  # pixels, of a photo that is stored as JPEG
JPEG_QUALITY = 92


# Parts of the embedded Fashion-MNIST, by the original file that they are drawn from.
PARTS = {"train": {"train": 10_000, "validation": 2_500}, "t10k": {"test": 2_500}}


def store_photo(source: Path, folder: Path, name: str) -> Path:
    """Copy a small photo as it is, and a large one as a JPEG; return the file made."""
    if source.stat().st_size <= COPY_UP_TO:
        return Path(shutil.copyfile(source, folder / f"{name}{source.suffix}"))
    target = folder / f"{name}.jpg"
    with Image.open(source) as image:
        image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        image.save(target, quality=JPEG_QUALITY, subsampling=0)
    return target


def choose(labels: np.ndarray, *sizes: int, seed: int = 0) -> list[np.ndarray]:
    """Disjoint random parts of the given sizes, as positions in `labels`, int32.

    Each ten positions in a row are one of each class in random order, so a beginning of a part
    whose length is a multiple of ten is balanced too.
    """
    # RandomState, because NumPy promises that its numbers will never change.
    random = np.random.RandomState(seed)
    classes = [random.permutation(np.flatnonzero(labels == label)) for label in range(10)]
    rows = np.stack([one[: sum(sizes) // 10] for one in classes], axis=1)  # (rows, 10 classes)
    rows = np.stack([random.permutation(row) for row in rows]).astype(np.int32)
    return [part.ravel() for part in np.split(rows, np.cumsum(sizes)[:-1] // 10)]


def store_fashion_mnist(folder: Path) -> Path:
    """Write the class-balanced part of Fashion-MNIST; return the file made."""
    arrays = {}
    for file, parts in PARTS.items():
        images = read_idx(fetch(f"{file}-images-idx3-ubyte"), dimensions=3)
        labels = read_idx(fetch(f"{file}-labels-idx1-ubyte"), dimensions=1)
        for part, index in zip(parts, choose(labels, *parts.values()), strict=True):
            arrays |= {f"{part}_images": images[index], f"{part}_labels": labels[index]}
            arrays |= {f"{part}_index": index}
    # NumPy gives every member of the zip the same date, so the same arrays are the same bytes.
    np.savez_compressed(folder / "fashion_mnist.npz", allow_pickle=False, **arrays)
    return folder / "fashion_mnist.npz"


def make(folder: Path) -> None:
    """Write every embedded file into a folder."""
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    for photo in PHOTOS:
        asset = Asset((photo.source,), photo.size, photo.sha256, photo.licence)
        fetched = obtain(photo.source.rpartition("/")[2], asset)
        store_photo(fetched, folder / "photos", Path(photo.name).stem)
    store_fashion_mnist(folder)
    make_texts.make(folder)


def describe(folder: Path, page: Path) -> None:
    """Write the README's table and the book's page anew."""
    for path, text in described(folder, page).items():
        path.write_text(text, encoding="utf-8", newline="\n")


def described(folder: Path, page: Path) -> dict[Path, str]:
    """What the README and the page should hold."""
    return {folder / "README.md": data_page.readme(folder), page: data_page.page(folder)}


def check(folder: Path, page: Path) -> list[str]:
    """What is wrong with files, README and page, one sentence each; an empty list is good."""
    listed = checksums(folder)
    found = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / "README.md"
    }
    problems = [
        f"{name} is in the README and not in the folder." for name in sorted(listed.keys() - found)
    ]
    for name, path in found.items():
        if name not in listed:
            problems.append(f"{name} is in the folder and not in the README.")
        elif not is_right(path, listed[name]):
            problems.append(f"{name} has another sha256 than the README says.")
    if not problems:  # a table of damaged files would tell nothing new
        problems = [
            f"{path.name} is not what the descriptions give: run this with --describe."
            for path, text in described(folder, page).items()
            if not path.is_file() or path.read_text(encoding="utf-8") != text
        ]
    return problems


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--describe"], ["--check"]):
        print(__doc__)
        return 2
    if not arguments:
        make(FILES)
    if arguments != ["--check"]:
        describe(FILES, PAGE)
    problems = check(FILES, PAGE)
    print(
        "\n".join(problems) or f"{len(checksums(FILES))} files in {FILES} are as the README says."
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
