"""The data sets are what they say: shapes, balance, disjoint parts, and the right originals.

    python -m pytest tests/test_data.py

One test fetches the full Fashion-MNIST (31 MB) from the first place that answers.
"""

import shutil
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from helpers import assets, data
from tools import make_files

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
    assert {path.name for path in (tmp_path / "cache").iterdir()} == set(assets.ASSETS)
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


def test_the_readme_lists_every_embedded_file_with_its_sha256():
    assert make_files.check() == []
    photos = {f"photos/{file}" for file in data.PHOTOS.values()}
    texts = {path for path in assets.checksums() if path.endswith(".txt")}
    assert set(assets.checksums()) - texts == {"fashion_mnist.npz", *photos}


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A copy of the embedded files that may be damaged."""
    folder = Path(shutil.copytree(assets.FILES, tmp_path / "files"))
    monkeypatch.setattr(make_files, "FILES", folder)
    return folder


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda files: (files / "photos/cat.png").write_bytes(b""), "photos/cat.png has another"),
        (lambda files: (files / "photos/cat.png").unlink(), "photos/cat.png is in the README"),
        (lambda files: (files / "more.txt").touch(), "more.txt is in the folder and not in"),
    ],
    ids=["changed", "missing", "not listed"],
)
def test_the_check_names_the_file_that_is_wrong(files, capsys, damage, problem):
    assert make_files.main(["--check"]) == 0
    damage(files)
    assert make_files.main(["--check"]) == 1
    (line,) = capsys.readouterr().out.splitlines()[1:]
    assert line.startswith(problem)


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
    """The book's budget for all of them together is 30 MB."""
    sizes = [path.stat().st_size for path in assets.FILES.rglob("*") if path.is_file()]
    assert sum(sizes) < 30e6
