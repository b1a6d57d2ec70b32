"""Pictures on the way to the browser: checked, and packed into one bytes trait."""

import numpy as np

SIDES = (16, 320)  # pixels; more would make the page heavy and the explorable slow on a phone
COLOUR_SIDES = (16, 160)


def checked_pictures(images, *, colour: bool = False) -> dict[str, np.ndarray]:
    """Name -> uint8 array (height, width), or (3, height, width), from tensors or arrays.

    >>> checked_pictures({"cat": torch.zeros(100, 150, dtype=torch.uint8)})["cat"].shape
    (100, 150)

    Raises:
        TypeError: `images` is not a dictionary with at least one entry.
        ValueError: a picture has another type or shape.
    """
    named = isinstance(images, dict) and all(isinstance(name, str) and name for name in images)
    if not named or not images:
        raise TypeError(
            "images should be a dictionary from name to picture, such as {'cat': photo}; "
            f"got {images if images == {} else type(images).__name__}."
        )
    return {name: _checked(name, np.asarray(image), colour) for name, image in images.items()}


def _checked(name: str, image: np.ndarray, colour: bool) -> np.ndarray:
    shape, (least, most) = (
        ("(3, height, width)", COLOUR_SIDES) if colour else ("(height, width)", SIDES)
    )
    channels, sides = image.shape[:-2], image.shape[-2:]
    fits = channels == ((3,) if colour else ()) and len(sides) == 2
    if image.dtype != np.uint8 or not fits or not all(least <= side <= most for side in sides):
        raise ValueError(
            f"image {name!r} should be uint8 of shape {shape}, height and width {least} to "
            f"{most} pixels; got {image.dtype} of shape {image.shape}."
        )
    return image.copy(order="C")  # what the caller does to it later changes nothing here


def packed(pictures: dict[str, np.ndarray]) -> tuple[list[dict], bytes]:
    """Where each picture stands in the bytes, and the bytes: one after the other, row by row.

    Of a colour picture all of red comes first, then all of green, then all of blue.

    >>> packed({"dot": np.zeros((16, 20), np.uint8)})[0]
    [{'name': 'dot', 'height': 16, 'width': 20, 'start': 0}]
    """
    sources, start = [], 0
    for name, image in pictures.items():
        height, width = image.shape[-2:]
        sources.append({"name": name, "height": height, "width": width, "start": start})
        start += image.size
    return sources, b"".join(image.tobytes() for image in pictures.values())
