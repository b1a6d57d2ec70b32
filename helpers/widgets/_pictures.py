"""Grey pictures on the way to the browser: checked, and packed into one bytes trait."""

import numpy as np

SIDES = (16, 320)  # pixels; more would make the page heavy and the explorable slow on a phone


def checked_pictures(images) -> dict[str, np.ndarray]:
    """Name -> uint8 array (height, width), from tensors or arrays.

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
    return {name: _checked(name, np.asarray(image)) for name, image in images.items()}


def _checked(name: str, image: np.ndarray) -> np.ndarray:
    fits = image.ndim == 2 and all(SIDES[0] <= side <= SIDES[1] for side in image.shape)
    if image.dtype != np.uint8 or not fits:
        raise ValueError(
            f"image {name!r} should be uint8 of shape (height, width), each {SIDES[0]} to "
            f"{SIDES[1]} pixels; got {image.dtype} of shape {image.shape}."
        )
    return np.ascontiguousarray(image)


def packed(pictures: dict[str, np.ndarray]) -> tuple[list[dict], bytes]:
    """Where each picture stands in the bytes, and the bytes: one after the other, row by row.

    >>> packed({"dot": np.zeros((16, 20), np.uint8)})[0]
    [{'name': 'dot', 'height': 16, 'width': 20, 'start': 0}]
    """
    sources, start = [], 0
    for name, image in pictures.items():
        height, width = image.shape
        sources.append({"name": name, "height": height, "width": width, "start": start})
        start += image.size
    return sources, b"".join(image.tobytes() for image in pictures.values())
