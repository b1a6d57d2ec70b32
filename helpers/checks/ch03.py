"""Checks of chapter 03, convolution."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers.exercises import Wrong, ask, call_text, compare, random_cases, same_tensor

SOBEL = torch.tensor([[1.0, 2.0, 1.0], [0.0, 0.0, 0.0], [-1.0, -2.0, -1.0]])
SHARPEN = torch.tensor([[0.0, -1.0, 0.0], [-1.0, 5.0, -1.0], [0.0, -1.0, 0.0]])


def same_padding(answer):
    """`same_padding(kernel, dilation)`: zeros before and after that keep the size at stride 1."""
    cases = [{"kernel": 3, "dilation": 1}, *random_cases(100, kernel=(1, 7), dilation=(1, 4))]
    compare(answer, lambda **c: _halves(_missing(**c)), cases, PADDING_MISTAKES, _same_numbers)
    return (
        "The window covers dilation·(kernel − 1) pixels more than one, so the output is shorter by "
        "as many, and they come back as zeros: half before, the rest after."
    )


def shift_kernel(answer):
    """`shift_kernel(down, right)`: the 3×3 kernel that moves a picture by whole pixels."""
    steps = [(0, 1), (1, 0), (0, 0), (-1, 0), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)]
    cases = [{"down": down, "right": right} for down, right in steps]
    compare(answer, lambda down, right: _one_at(1 - down, 1 - right), cases, SHIFTS, same_tensor)
    return (
        "The window looks where the pixel comes from. To move the picture right, it must look "
        "left: conv2d does not flip the kernel, so the 1 stands on the other side."
    )


def even_blur(answer):
    """`even_blur(image, k)`: the mean of those pixels of each window that exist."""
    cases = [{"image": torch.ones(3, 3), "k": 3}]  # small ones first: they can be read
    sizes = {"height": (5, 8), "width": (5, 8), "half": (0, 2)}
    for case in [{"height": 3, "width": 4, "half": 1}, *random_cases(12, **sizes)]:
        image = torch.rand(case["height"], case["width"], dtype=torch.float64)
        cases.append({"image": image, "k": 2 * case["half"] + 1})
    compare(answer, _even_blur, cases, BLURS, same_tensor)
    return (
        "The same box over an image of ones counts the pixels that exist, 4 in the corner of a "
        "3×3 blur instead of 9, and the sum is divided by that count."
    )


def separate(answer):
    """`separate(kernel)`: the column and the row of a kernel of rank 1, else ValueError."""
    made = [torch.outer(torch.rand(k) + 0.5, torch.rand(k) + 0.5) for k in (2, 3, 3, 5)]
    for kernel in [*made, SOBEL]:
        result = ask(answer, kernel=kernel)
        what = f"{call_text(answer, {'kernel': kernel})} gave {result!r}."
        _check_parts(_pair(result, what), kernel, what)
    nearly = made[1] + 0.01 * torch.eye(3)
    for kernel in (SHARPEN, torch.eye(3), nearly):
        _check_refusal(answer, kernel)
    return (
        "A kernel that is a column times a row has a single singular value that is not 0; it "
        "scales either part. With two of them or more, there is no such pair."
    )


def count_layer(answer):
    """`count_layer(in_channels, out_channels, kernel, rows, columns, groups)`: two counts."""
    names = ("in_channels", "out_channels", "kernel", "rows", "columns", "groups")
    cases = [dict(zip(names, (1, 32, 3, 26, 26, 1), strict=True))]  # the article's
    ranges = {"in_channels": (1, 6), "out_channels": (1, 6), "kernel": (2, 5)}
    for case in random_cases(100, **ranges, rows=(2, 30), columns=(2, 30), groups=(1, 4)):
        case["in_channels"] *= case["groups"]
        case["out_channels"] *= case["groups"]
        cases.append(case)
    right = lambda **c: (_weights(**c) + c["out_channels"], _weights(**c) * _area(**c))  # noqa: E731
    compare(answer, right, cases, COUNTS, _same_numbers)
    return (
        "Each kernel sees the channels of its group only, and is used at every position of its "
        "map. From 64 to 64 channels, depthwise 3×3 and then 1×1 has about an eighth of the "
        "weights."
    )


def input_gradient(answer):
    """`input_gradient(g, kernel, stride, shape)`: the gradient for the image, one channel."""
    first = {"g": torch.ones(1, 1), "kernel": torch.tensor([[1.0, 2.0], [3.0, 4.0]])}
    cases = [{**first, "stride": 1, "shape": (2, 2)}]
    sizes = {"rows": (2, 3), "columns": (2, 3), "k": (2, 3), "stride": (1, 3), "rest": (0, 2)}
    small = {"rows": 2, "columns": 2, "k": 2, "stride": 2, "rest": 0}
    for case in [small, *random_cases(20, **sizes)]:
        k, stride, rest = case["k"], case["stride"], case["rest"] % case["stride"]
        g = torch.randn(case["rows"], case["columns"], dtype=torch.float64)
        kernel = torch.randn(k, k, dtype=torch.float64)
        shape = tuple((n - 1) * stride + k + rest for n in g.shape)
        cases.append({"g": g, "kernel": kernel, "stride": stride, "shape": shape})
    compare(answer, _input_gradient, cases, GRADIENTS, same_tensor)
    return (
        "Output (r, c) stands at (r·stride, c·stride) of the positions of stride 1; the others "
        "were thrown away, so their g is 0. The true convolution, with the flip, does the rest."
    )


def _same_numbers(result: Any, wanted: Any) -> bool:
    """Two whole numbers, in a tuple, a list or a tensor; or, for a mistake, one number."""
    if isinstance(result, Tensor):
        result = result.tolist()
    numbers = tuple(result) if isinstance(result, (tuple, list)) else result
    same = type(numbers) is type(wanted) and numbers == wanted
    return same and _floats(numbers) == _floats(wanted)  # 1.0 == 1, but is no size


def _floats(numbers: Any) -> list[bool]:
    return [isinstance(n, float) for n in (numbers if isinstance(numbers, tuple) else [numbers])]


def _missing(kernel: int, dilation: int) -> int:
    return dilation * (kernel - 1)


def _halves(total: int) -> tuple[int, int]:
    return total // 2, total - total // 2


PADDING_MISTAKES = [
    (lambda **c: _missing(**c), "two numbers are asked for, and this is one, their sum."),
    (
        lambda **c: (_missing(**c), _missing(**c)),
        "this is twice too much: what is missing is shared between the two ends.",
    ),
    (
        lambda **c: (_missing(**c) // 2, _missing(**c) // 2),
        "where an odd number is missing, the far end needs one zero more than the near end.",
    ),
    (
        lambda **c: _halves(_missing(**c))[::-1],
        "the order is turned round: the odd zero belongs to the far end.",
    ),
    (
        lambda **c: _halves(c["kernel"] - 1),
        "dilation is ignored; with it the window covers dilation·(kernel − 1) + 1 pixels.",
    ),
    (
        lambda **c: c["kernel"] - 1,
        "two things at once: dilation is ignored, and one number stands for two.",
    ),
    (
        lambda **c: _halves(c["dilation"] * c["kernel"]),
        "count the gaps between the cells, kernel − 1, and not the kernel cells.",
    ),
    (
        lambda **c: tuple(map(float, _halves(_missing(**c)))),
        "the values are right, but they are floats, which torch does not take as sizes: give ints.",
    ),
    (
        lambda **c: (_missing(**c) / 2, _missing(**c) / 2),
        "zeros come in whole numbers: divide with // instead of /.",
    ),
]


def _one_at(row: int, column: int) -> Tensor:
    kernel = torch.zeros(3, 3)
    kernel[row, column] = 1
    return kernel


SHIFTS = [
    (
        lambda down, right: _one_at(1 + down, 1 + right),
        "this moves the picture the other way: the window must look where the pixel comes from.",
    ),
    (
        lambda down, right: _one_at(1 - right, 1 - down),
        "rows and columns are swapped: the first index goes down, the second to the right.",
    ),
    (
        lambda down, right: _one_at(1 + right, 1 + down),
        "two things at once: rows and columns are swapped, and the direction is turned round.",
    ),
    (
        lambda down, right: _one_at(1 - down, 1 - right) - _one_at(1, 1),
        "the weights should add up to 1; with −1 in the middle you see only the change.",
    ),
    (
        lambda down, right: _one_at(-down, -right),
        "the middle of the kernel has the index 1, not 0: add 1 to both.",
    ),
    (
        lambda down, right: _one_at(down, right),
        "the middle of the kernel has the index 1, not 0, so shift 0 is kernel[1, 1].",
    ),
]


def _box(image: Tensor, k: int, **settings) -> Tensor:
    """The sum over each window."""
    weight = torch.ones(1, 1, k, k, dtype=image.dtype)
    return F.conv2d(image[None, None], weight, **settings)[0, 0]


def _even_blur(image: Tensor, k: int) -> Tensor:
    return _box(image, k, padding=k // 2) / _box(torch.ones_like(image), k, padding=k // 2)


def _filled(image: Tensor, k: int, mode: str) -> Tensor:
    """The mean over windows where the border is filled with pixels that are there."""
    padded = F.pad(image[None, None], (k // 2,) * 4, mode=mode)[0, 0]
    return _box(padded, k) / k**2


BLURS = [
    (
        lambda image, k: _box(image, k, padding=k // 2) / k**2,
        "at the border fewer than k² pixels exist, so a division by k² darkens it.",
    ),
    (
        lambda image, k: _box(image, k) / k**2,
        "the output has the image's shape: the windows that hang over the border are missing.",
    ),
    (
        lambda image, k: _box(image, k, padding=k // 2),
        "this is the sum; divide it by the number of pixels that were added.",
    ),
    (
        lambda image, k: _filled(image, k, "replicate"),
        "repeating the border counts its pixels several times; count each pixel once.",
    ),
    (
        lambda image, k: _filled(image, k, "reflect"),
        "mirroring counts some pixels twice; count each pixel once.",
    ),
]


def _pair(result: Any, what: str) -> tuple[Tensor, Tensor]:
    if isinstance(result, Tensor) and result.ndim < 2:
        raise Wrong(f"{what} Hint: return two tensors, column and row.")
    try:
        column, row = (torch.as_tensor(part, dtype=torch.float32) for part in result)
    except (TypeError, ValueError, RuntimeError):
        raise Wrong(f"{what} Hint: return two tensors, column and row.") from None
    if column.ndim != 1 or row.ndim != 1:
        raise Wrong(f"{what} Hint: column and row have one axis each, of shape (k,).")
    return column, row


def _check_parts(parts: tuple[Tensor, Tensor], kernel: Tensor, what: str) -> None:
    product = torch.outer(*parts)
    if product.shape == kernel.shape and torch.allclose(product, kernel, atol=1e-4):
        return
    raise Wrong(f"{what} Hint: {_mistake_in_parts(product, kernel)}")


def _mistake_in_parts(product: Tensor, kernel: Tensor) -> str:
    if product.shape != kernel.shape:
        return "their products must have the kernel's shape: column[i] * row[j]."
    if not product.isfinite().all():
        return "a division by 0: the weights of a kernel such as Sobel's add up to 0."
    if torch.allclose(product.T, kernel, atol=1e-4):
        return "column and row are swapped."
    scale = (product * kernel).sum() / (kernel * kernel).sum()
    if torch.allclose(product, scale * kernel, atol=1e-3):
        return (
            f"the products are {scale:.3g} times what they should be: one of the two parts must "
            "carry the size (with the SVD: the singular value, once)."
        )
    if torch.allclose(product[:, 0] * kernel[0, 0], kernel[:, 0] * product[0, 0], atol=1e-4):
        return "the column is right, the row is not; of the SVD's third matrix, take a row."
    return "work through this one case on paper: every row of it is a multiple of one row."


def _check_refusal(answer: Any, kernel: Tensor) -> None:
    what = call_text(answer, {"kernel": kernel})
    try:
        what += f" gave {answer(kernel)!r}"
    except ValueError:
        return
    except Exception as error:
        what += f" raised {type(error).__name__}: {error}"
    raise Wrong(
        f"{what}, and no column times row gives this kernel. "
        "Hint: raise a ValueError where a second singular value is not 0."
    )


def _weights(in_channels: int, out_channels: int, kernel: int, groups: int, **_: int) -> int:
    return out_channels * (in_channels // groups) * kernel**2


def _area(rows: int, columns: int, **_: int) -> int:
    return rows * columns


def _miscount(weights=_weights, biases=lambda **c: c["out_channels"], area=_area):
    """A count in which one part is replaced by a mistake."""
    return lambda **c: (weights(**c) + biases(**c), weights(**c) * area(**c))


COUNTS = [
    (_miscount(biases=lambda **c: 0), "the biases are missing, one for each output channel."),
    (
        _miscount(biases=lambda **c: 1),
        "each output channel has a bias of its own, not one for all.",
    ),
    (
        _miscount(biases=lambda **c: c["in_channels"]),
        "a bias belongs to an output channel, not to an input channel.",
    ),
    (
        _miscount(lambda **c: _weights(**{**c, "groups": 1})),
        "groups are ignored: a kernel sees in_channels / groups channels.",
    ),
    (
        _miscount(lambda **c: c["out_channels"] * c["kernel"] ** 2),
        "a kernel has weights for every input channel of its group.",
    ),
    (
        _miscount(lambda **c: _weights(**c) // c["kernel"]),
        "the kernel has two sides: kernel² weights for each channel that it sees.",
    ),
    (
        _miscount(lambda **c: _weights(**c) // c["groups"]),
        "groups shorten the kernels but do not make them fewer: divide in_channels only.",
    ),
    (
        _miscount(area=lambda **c: 1),
        "each weight is used at every position of the map: times rows · columns.",
    ),
    (
        lambda **c: (
            _weights(**c) + c["out_channels"],
            (_weights(**c) + c["out_channels"]) * _area(**c),
        ),
        "adding the bias is not counted as a multiply-add.",
    ),
    (
        lambda **c: tuple(map(float, _miscount()(**c))),
        "the values are right, but counts are whole numbers: divide with // instead of /.",
    ),
    (
        lambda **c: _miscount()(**c)[::-1],
        "the order is turned round: parameters first, then multiply-adds.",
    ),
]


def _input_gradient(g: Tensor, kernel: Tensor, stride: int, shape: tuple[int, int]) -> Tensor:
    dense = g.new_zeros(shape[0] - len(kernel) + 1, shape[1] - len(kernel) + 1)
    dense[::stride, ::stride] = g
    return _spread(dense, kernel.flip(0, 1))


def _spread(dense: Tensor, kernel: Tensor) -> Tensor:
    """The kernel over `dense` at every position where it touches it, not flipped."""
    return F.conv2d(dense[None, None], kernel[None, None], padding=len(kernel) - 1)[0, 0]


GRADIENTS = [
    (
        lambda g, kernel, stride, shape: _input_gradient(g, kernel.flip(0, 1), stride, shape),
        "the kernel must be flipped: the indices u − i and v − j run backwards.",
    ),
    (
        lambda g, kernel, stride, shape: _input_gradient(g, kernel.T, stride, shape),
        "the kernel is transposed: i goes with the rows and j with the columns.",
    ),
    (
        lambda g, kernel, stride, shape: _spread(g, kernel.flip(0, 1)),
        "stride is ignored: neighbouring outputs look at patches that are stride pixels apart.",
    ),
    (
        lambda g, kernel, stride, shape: F.conv_transpose2d(
            g[None, None], kernel[None, None], stride=stride
        )[0, 0],
        "the shape is the image's: pixels that no window touched are there, with gradient 0.",
    ),
]
