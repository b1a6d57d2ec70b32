"""Files become tensors or a clear error, and each change of a picture equals kornia's.

python -m pytest tests/test_images.py
"""

import io
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from kornia import augmentation, enhance
from kornia.geometry.transform import get_rotation_matrix2d, warp_affine
from PIL import Image
from torch.nn import functional as F
from torch.testing import assert_close

from helpers import data
from helpers.assets import embedded
from helpers.images import (
    SIGNATURES,
    Augmented,
    add_noise,
    adjust,
    affine,
    bilinear,
    check_pictures,
    erase,
    flip,
    read_image,
)

COLOUR = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def encoded(pixels, mode: str | None = None, format: str = "PNG", **options) -> bytes:
    """The bytes of a file with these pixels, converted to a Pillow mode first."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    (image.convert(mode) if mode else image).save(buffer, format, **options)
    return buffer.getvalue()


def png_of(header: bytes, *pixels: bytes) -> bytes:
    """A PNG of this header and these pixel chunks, every check sum right."""
    chunks = [(b"IHDR", header), *((b"IDAT", part) for part in pixels), (b"IEND", b"")]
    return SIGNATURES["PNG"] + b"".join(
        len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)
        for kind, body in chunks
    )


def interlaced(pixels: np.ndarray) -> bytes:
    """The seven passes of Adam7, as section 8.2 of the standard lists them (x first there)."""
    starts = [(0, 0), (4, 0), (0, 4), (2, 0), (0, 2), (1, 0), (0, 1)]
    steps = [(8, 8), (8, 8), (4, 8), (4, 4), (2, 4), (2, 2), (1, 2)]
    passes = [
        pixels[y::down, x::right] for (x, y), (right, down) in zip(starts, steps, strict=True)
    ]
    rows = b"".join(b"\0" + row.tobytes() for part in passes if part.size for row in part)
    height, width = pixels.shape[:2]
    header = width.to_bytes(4) + height.to_bytes(4) + bytes([8, 2, 0, 0, 1])
    packed = zlib.compress(rows)
    return png_of(header, packed[:100], packed[100:])


def with_header(png: bytes, place: int, new: bytes) -> bytes:
    """A PNG whose first chunk (bytes 12 to 28) has other bytes, and the check sum that fits."""
    header = png[12:place] + new + png[place + len(new) : 29]
    return png[:12] + header + zlib.crc32(header).to_bytes(4) + png[33:]


PNG, JPEG = encoded(COLOUR), encoded(COLOUR, format="JPEG", quality=95)
GREY_16 = np.arange(600, dtype=np.uint16).reshape(20, 30)
HALF_CLEAR = np.dstack([COLOUR, np.full((20, 30), 128, np.uint8)])
EXACT = {
    "colour": (PNG, COLOUR),
    "opaque alpha": (encoded(COLOUR, "RGBA"), COLOUR),
    "grey": (encoded(COLOUR[:, :, 0]), COLOUR[:, :, :1]),
    "grey, opaque alpha": (encoded(COLOUR[:, :, 0], "LA"), COLOUR[:, :, :1]),
    "one pixel": (encoded(COLOUR[:1, :1]), COLOUR[:1, :1]),
    "interlaced": (interlaced(COLOUR), COLOUR),
    "interlaced, passes empty": (interlaced(COLOUR[:1, :3]), COLOUR[:1, :3]),
}


@pytest.mark.parametrize(("content", "pixels"), EXACT.values(), ids=EXACT)
def test_a_png_comes_back_with_channels_first(content, pixels):
    assert_close(read_image(content), torch.from_numpy(pixels).permute(2, 0, 1))


def test_every_embedded_photograph_is_read_as_the_data_layer_reads_it():
    for name, file in data.PHOTOS.items():
        assert_close(read_image(embedded(f"photos/{file}")), data.photo(name))


def test_a_path_may_be_text_and_a_missing_file_says_so(tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    assert_close(read_image(str(tmp_path / "a.png")), read_image(PNG))
    with pytest.raises(FileNotFoundError, match=r"b\.png"):
        read_image(tmp_path / "b.png")


def test_a_palette_is_written_out_as_its_colours():
    """The numbers in the file are positions in a table; as pixels they would be nonsense."""
    palette = Image.fromarray(COLOUR).quantize(16)
    expected = torch.from_numpy(np.array(palette.convert("RGB"))).permute(2, 0, 1)
    assert_close(read_image(encoded(palette)), expected)
    assert read_image(encoded(palette)).amax() > 16


def test_black_and_white_becomes_0_and_255():
    half = np.zeros((4, 8), np.uint8)
    half[:, 4:] = 255
    read = read_image(encoded(half, "1"))
    assert_close(read[0], torch.from_numpy(half))


@pytest.mark.parametrize("turned", range(1, 9))
def test_a_camera_s_note_on_the_way_up_is_obeyed(turned):
    """Orientation n, written by Pillow: reading must give what Pillow's own transpose gives."""
    image = Image.fromarray(COLOUR)
    exif = image.getexif()
    exif[274] = turned
    plain = torch.from_numpy(COLOUR).permute(2, 0, 1)
    # The eight ways in the order of the standard: mirrored or not, then turned.
    upright = {
        1: plain,
        2: plain.flip(2),
        3: plain.flip(1, 2),
        4: plain.flip(1),
        5: plain.mT,
        6: plain.mT.flip(2),
        7: plain.mT.flip(1, 2),
        8: plain.mT.flip(1),
    }[turned]
    assert_close(read_image(encoded(image, exif=exif)), upright.contiguous())


BAD = {
    "empty": (b"", "0 bytes: neither PNG nor JPEG, it begins with nothing"),
    "text": (b"hello", "neither PNG nor JPEG, it begins with 68 65 6c 6c 6f"),
    "GIF": (encoded(COLOUR, format="GIF"), "neither PNG nor JPEG, it begins with 47 49 46 38"),
    "signature alone": (PNG[:8], "damaged before the first pixel"),
    "cut PNG": (PNG[:1000], "truncated|Truncated"),
    "cut JPEG": (JPEG[:1000], "truncated"),
    "a bit flipped": (PNG[:900] + bytes([PNG[900] ^ 1]) + PNG[901:], "checksum"),
    "animated": (
        encoded(COLOUR, save_all=True, append_images=[Image.fromarray(255 - COLOUR)]),
        "2 pictures",
    ),
    "16 bits, grey": (encoded(GREY_16), "16 bits a channel"),
    "half transparent": (encoded(HALF_CLEAR), "transparent in places"),
    "a transparent colour": (encoded(COLOUR, "P", transparency=0), "transparent in places"),
    "CMYK": (encoded(COLOUR, "CMYK", "JPEG"), "its pixels are CMYK"),
    "no columns": (with_header(PNG, 16, bytes(4)), "damaged before|invalid|size"),
    "more rows promised": (with_header(PNG, 20, (40).to_bytes(4)), "fewer pixels than its header"),
    "more rows promised, interlaced": (
        with_header(interlaced(COLOUR), 20, (21).to_bytes(4)),
        "fewer pixels than its header",
    ),
    "a bomb": (encoded(Image.new("1", (10_000, 9_000))), "exceeds limit"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_a_bad_file_is_refused_with_its_reason_and_its_name(content, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_image(content)
    path = tmp_path / "holiday.png"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"holiday\.png: .*({message.split(': ')[-1]})"):
        read_image(path)


def test_colour_of_16_bits_is_refused_and_not_halved_in_silence():
    """Pillow reads it as 8 bits without a word, so the file has to be asked."""
    rows = b"".join(b"\0" + bytes(range(12)) for _ in range(2))  # 2 × 2 pixels of 3 × 16 bits
    header = (2).to_bytes(4) * 2 + bytes([16, 2, 0, 0, 0])
    content = png_of(header, zlib.compress(rows))
    assert Image.open(io.BytesIO(content)).mode == "RGB"
    with pytest.raises(ValueError, match="16 bits a channel"):
        read_image(content)


@pytest.mark.parametrize("content", [PNG, JPEG], ids=["PNG", "JPEG"])
def test_a_file_cut_anywhere_is_refused_or_was_whole_already(content):
    whole = read_image(content)
    cuts = {*range(0, len(content), 97), *range(len(content) - 40, len(content))}
    refused = 0
    for cut in sorted(cuts):
        try:
            assert_close(read_image(content[:cut]), whole)
        except ValueError:
            refused += 1
    assert refused > len(cuts) - 20


def test_two_limits_that_the_docstring_names():
    """An end put on half a JPEG, and a colour profile: both pass, and a reader is told so."""
    half = JPEG[: len(JPEG) // 2] + b"\xff\xd9"
    assert read_image(half).shape == read_image(JPEG).shape
    assert_close(read_image(encoded(COLOUR, icc_profile=b"a profile")), read_image(PNG))
    for word in ("half of it", "profile"):
        assert word in read_image.__doc__


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@given(st.integers(1, 40), st.integers(1, 20))
def test_a_whole_png_of_any_kind_and_width_lacks_nothing(mode, width, height):
    image = Image.fromarray(np.resize(COLOUR, (height, width, 3)))
    assert read_image(encoded(image, mode)).shape[1:] == (height, width)


@given(st.integers(8, len(PNG) - 1), st.integers(0, 7))
def test_a_png_with_one_bit_flipped_is_refused_or_shows_the_same(place, bit):
    """Every chunk has a check sum. What stands after the last one is no part of the picture."""
    damaged = bytearray(PNG)
    damaged[place] ^= 1 << bit
    try:
        read = read_image(bytes(damaged))
    except ValueError:
        return
    assert_close(read, read_image(PNG))


def numbers(generator, *shape, low=0.0, high=1.0):
    return low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)


sizes = st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 9), st.integers(1, 9))
seeds = st.integers(0, 2**32).map(lambda seed: torch.Generator().manual_seed(seed))


@given(sizes.filter(lambda size: min(size[2:]) > 1), seeds)
def test_affine_is_kornia_s(size, generator):
    """kornia maps -1…1 onto an axis, so it cannot do one of a single pixel."""
    batch, _, height, width = size
    images = numbers(generator, *size)
    angle = numbers(generator, batch, low=-180, high=180)
    zoom, shift = numbers(generator, batch, low=0.5, high=2), numbers(generator, batch, 2, low=-4)
    centre = torch.tensor([[(width - 1) / 2, (height - 1) / 2]]).double().repeat(batch, 1)
    matrix = get_rotation_matrix2d(centre, angle, zoom[:, None].repeat(1, 2))
    matrix[:, :, 2] += shift
    expected = warp_affine(images, matrix, (height, width))
    # Where a place falls on a border, rounding decides whether black is mixed in: by 1e-13 or so.
    assert_close(affine(images, angle, zoom, shift), expected, rtol=0, atol=1e-10)


@given(sizes, seeds)
def test_bilinear_is_torch_s(size, generator):
    """In `grid_sample`, -1 and 1 are the outer edges of the outer pixels."""
    batch, _, height, width = size
    images = numbers(generator, *size)
    x, y = numbers(generator, 2, batch, 3, 4, low=-3, high=12)
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=3)
    expected = F.grid_sample(images, grid, align_corners=False)
    assert_close(bilinear(images, x, y), expected, rtol=0, atol=1e-10)


@given(sizes.filter(lambda size: size[1] != 3), seeds)
def test_contrast_and_brightness_are_kornia_s(size, generator):
    """With three channels kornia's mean weighs them as an eye does; ours is the mean of all."""
    images = numbers(generator, *size)
    factor = numbers(generator, size[0], high=3)
    added = numbers(generator, size[0], low=-1)
    one, none = torch.ones_like(factor), torch.zeros_like(factor)
    expected = enhance.adjust_contrast_with_mean_subtraction(images, factor)
    assert_close(adjust(images, factor, none), expected, rtol=0, atol=1e-10)
    expected = enhance.adjust_brightness(images, added)
    assert_close(adjust(images, one, added), expected, rtol=0, atol=1e-10)


@given(sizes, seeds)
def test_flip_is_kornia_s_for_the_chosen_ones(size, generator):
    images, chosen = numbers(generator, *size), numbers(generator, size[0]) < 0.5
    mirrored = augmentation.RandomHorizontalFlip(p=1)(images)
    assert_close(flip(images, chosen)[chosen], mirrored[chosen])
    assert_close(flip(images, chosen)[~chosen], images[~chosen])


@given(sizes, seeds)
def test_erase_is_kornia_s(size, generator):
    batch, _, height, width = size
    images = numbers(generator, *size)
    corner, extent = (
        (numbers(generator, batch, 2) * torch.tensor([height, width])).long() for _ in range(2)
    )
    extent += 1
    params = {
        "ys": corner[:, 0],
        "xs": corner[:, 1],
        "heights": extent[:, 0],
        "widths": extent[:, 1],
        "values": torch.zeros(batch),
        "batch_prob": torch.ones(batch),
        "forward_input_shape": torch.tensor(images.shape),
    }
    expected = augmentation.RandomErasing(p=1)(images, params=params)
    assert_close(erase(images, corner, extent), expected)


def test_noise_has_the_spread_that_was_asked_for_and_stays_within_0_and_1():
    grey = torch.full((4, 1, 100, 100), 0.5)
    noisy = add_noise(grey, 0.1, torch.Generator().manual_seed(0))
    assert abs(noisy.std() - 0.1) < 0.002
    loud = add_noise(grey, 5.0, torch.Generator().manual_seed(0))
    assert (loud.amin(), loud.amax()) == (0, 1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_change_keeps_the_precision_and_the_shape(dtype):
    images = torch.rand(3, 2, 5, 4, dtype=dtype)
    one, two = torch.ones(3, dtype=dtype), torch.ones(3, 2, dtype=torch.int64)
    for changed in (
        flip(images, one > 0),
        affine(images, one, one, two.to(dtype)),
        adjust(images, one, one),
        add_noise(images, 0.1, torch.Generator()),
        erase(images, two, two),
    ):
        assert (changed.shape, changed.dtype) == (images.shape, dtype)


def test_pictures_are_changed_in_training_and_never_in_evaluation():
    model = Augmented(lambda images: 1 - images, torch.nn.Identity())
    images = torch.rand(2, 1, 3, 3)
    assert_close(model.train()(images), 1 - images)
    assert_close(model.eval()(images), images)


NONE, UNIT = torch.zeros(2), torch.ones(2)
CHANGES = {
    "flip": lambda images: flip(images, NONE > 0),
    "affine": lambda images: affine(images, NONE, UNIT, torch.zeros(2, 2)),
    "adjust": lambda images: adjust(images, UNIT, NONE),
    "add_noise": lambda images: add_noise(images, 0.1, torch.Generator()),
    "erase": lambda images: erase(images, torch.zeros(2, 2), torch.ones(2, 2)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("shape", [(), (28, 28), (2, 28, 28), (2, 1, 1, 28, 28)])
def test_a_change_refuses_what_is_no_batch_of_pictures(change, shape):
    with pytest.raises(ValueError, match=r"\(batch, channels, height, width\), not"):
        change(torch.zeros(shape))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool])
def test_a_change_refuses_whole_numbers(change, dtype):
    """Arithmetic in uint8 starts again from 0 after 255: the picture would be another."""
    with pytest.raises(TypeError, match="must be floats, not torch"):
        change(torch.ones(2, 1, 5, 5, dtype=dtype))


@pytest.mark.parametrize("name", ["adjust", "add_noise"])
@pytest.mark.parametrize("value", [255.0, 1.01, -0.01, torch.nan])
def test_a_change_that_cuts_to_0_and_1_refuses_other_ranges(name, value):
    images = torch.full((2, 1, 5, 5), 0.5)
    images[1, 0, 2, 3] = value
    with pytest.raises(ValueError, match=r"must lie in 0…1, not"):
        CHANGES[name](images)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_takes_what_rounding_leaves_just_outside_and_a_batch_of_none(change):
    images = torch.full((2, 1, 5, 5), 1 + 1e-6)
    assert change(images).shape == images.shape
    check_pictures(torch.zeros(0, 1, 5, 5), in_range=True)
