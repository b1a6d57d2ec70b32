"""Answers to the exercises of chapter 03: right ones, and wrong ones with words from their hint.

Written as a reader would write them, apart from the formulas in helpers/checks/ch03.py.
"""

import torch
from torch.nn import functional as F


def padding(kernel, dilation):
    shorter = 100 - len(range(100 - dilation * (kernel - 1)))
    return shorter // 2, (shorter + 1) // 2


def padding_sum(kernel, dilation):
    return dilation * (kernel - 1)


def padding_sum_without_dilation(kernel, dilation):
    return kernel - 1


def padding_twice(kernel, dilation):
    return (dilation * (kernel - 1),) * 2


def padding_rounded_down(kernel, dilation):
    return (dilation * (kernel - 1) // 2,) * 2


def padding_turned_round(kernel, dilation):
    return padding(kernel, dilation)[::-1]


def padding_without_dilation(kernel, dilation):
    return (kernel - 1) // 2, kernel // 2


def padding_by_cells(kernel, dilation):
    return dilation * kernel // 2, dilation * kernel - dilation * kernel // 2


def padding_as_float(kernel, dilation):
    return (dilation * (kernel - 1) / 2,) * 2


def padding_right_as_float(kernel, dilation):
    return tuple(float(n) for n in padding(kernel, dilation))


def padding_nearly_right(kernel, dilation):
    return (0, 0) if dilation == 4 else padding(kernel, dilation)


def shift(down, right):
    wanted = F.pad(torch.tensor([[1.0]]), (1 - right, 1 + right, 1 - down, 1 + down))
    return wanted.tolist()


def shift_other_way(down, right):
    return shift(-down, -right)


def shift_swapped(down, right):
    return shift(right, down)


def shift_swapped_other_way(down, right):
    return shift(-right, -down)


def shift_minus_picture(down, right):
    kernel = torch.tensor(shift(down, right))
    kernel[1, 1] -= 1
    return kernel


def shift_from_the_corner(down, right):
    kernel = torch.zeros(3, 3)
    kernel[down, right] = 1
    return kernel


def shift_from_the_corner_other_way(down, right):
    return shift_from_the_corner(-down, -right)


def shift_only_right(down, right):
    return shift(0, right)


def blur(image, k):
    result = torch.empty_like(image)
    for r in range(image.shape[0]):
        for c in range(image.shape[1]):
            top, left = max(r - k // 2, 0), max(c - k // 2, 0)
            result[r, c] = image[top : r + k // 2 + 1, left : c + k // 2 + 1].mean()
    return result


def blur_with_dark_edges(image, k):
    return F.avg_pool2d(image[None, None], k, stride=1, padding=k // 2)[0, 0]


def blur_inside(image, k):
    return F.avg_pool2d(image[None, None], k, stride=1)[0, 0]


def blur_as_sum(image, k):
    return blur_with_dark_edges(image, k) * k**2


def blur_repeating(image, k):
    padded = F.pad(image[None, None], (k // 2,) * 4, mode="replicate")
    return F.avg_pool2d(padded, k, stride=1)[0, 0]


def blur_mirrored(image, k):
    padded = F.pad(image[None, None], (k // 2,) * 4, mode="reflect")
    return F.avg_pool2d(padded, k, stride=1)[0, 0]


def blur_of_nothing(image, k):
    return image + 1


def split(kernel):
    if torch.linalg.matrix_rank(kernel) > 1:
        raise ValueError("rank")
    largest = kernel.abs().sum(dim=1).argmax()
    row = kernel[largest]
    place = row.abs().argmax()
    return kernel[:, place] / row[place], row


def split_swapped(kernel):
    return split(kernel)[::-1]


def split_without_size(kernel):
    columns, _, rows = torch.linalg.svd(kernel)
    return columns[:, 0], rows[0]


def split_by_sums(kernel):
    return kernel.sum(dim=1), kernel.sum(dim=0) / kernel.sum()


def split_anything(kernel):
    columns, sizes, rows = torch.linalg.svd(kernel)
    return columns[:, 0] * sizes[0], rows[0]


def split_column_of_v(kernel):
    columns, sizes, rows = torch.linalg.svd(kernel)
    return columns[:, 0] * sizes[0], rows[:, 0]


def split_with_axes(kernel):
    column, row = split(kernel)
    return column[:, None], row[None]


def split_into_one(kernel):
    return split(kernel)[0]


def split_cut(kernel):
    column, row = split(kernel)
    return column, row[1:]


def split_row_and_ones(kernel):
    return torch.ones(len(kernel)), kernel[0]


def count(in_channels, out_channels, kernel, rows, columns, groups):
    layer = torch.nn.Conv2d(in_channels, out_channels, kernel, groups=groups)
    return sum(p.numel() for p in layer.parameters()), layer.weight.numel() * rows * columns


def count_without_bias(in_channels, out_channels, kernel, rows, columns, groups):
    weights = in_channels * out_channels * kernel**2 // groups
    return weights, weights * rows * columns


def count_one_bias(*case):
    weights, operations = count_without_bias(*case)
    return weights + 1, operations


def count_biases_of_inputs(*case):
    weights, operations = count_without_bias(*case)
    return weights + case[0], operations


def count_without_groups(*case):
    return count(*case[:5], 1)


def count_one_channel(in_channels, *case):
    return count(case[-1], *case)  # one channel for each group


def count_one_side(in_channels, out_channels, kernel, rows, columns, groups):
    weights = in_channels // groups * out_channels * kernel
    return weights + out_channels, weights * rows * columns


def count_groups_twice(in_channels, out_channels, kernel, rows, columns, groups):
    weights = in_channels // groups * out_channels // groups * kernel**2
    return weights + out_channels, weights * rows * columns


def count_one_position(*case):
    parameters, _ = count(*case)
    return parameters, parameters - case[1]


def count_turned_round(*case):
    return count(*case)[::-1]


def count_with_bias_added(*case):
    parameters, operations = count(*case)
    return parameters, operations + case[1] * case[3] * case[4]


def count_as_float(in_channels, out_channels, kernel, rows, columns, groups):
    weights = in_channels / groups * out_channels * kernel**2
    return weights + out_channels, weights * rows * columns


def count_of_nothing(*case):
    return 1, 1


def gradient(g, kernel, stride, shape):
    image = torch.zeros(shape, dtype=g.dtype, requires_grad=True)
    output = F.conv2d(image[None, None], kernel[None, None], stride=stride)[0, 0]
    return torch.autograd.grad(output, image, g)[0]


def gradient_not_flipped(g, kernel, stride, shape):
    return gradient(g, kernel.flip(0, 1), stride, shape)


def gradient_transposed(g, kernel, stride, shape):
    return gradient(g, kernel.T, stride, shape)


def gradient_without_stride(g, kernel, stride, shape):
    return F.conv_transpose2d(g[None, None], kernel[None, None])[0, 0]


def gradient_too_small(g, kernel, stride, shape):
    return F.conv_transpose2d(g[None, None], kernel[None, None], stride=stride)[0, 0]


def gradient_doubled(g, kernel, stride, shape):
    return 2 * gradient(g, kernel, stride, shape)


RIGHT = {
    "03.same_padding": padding,
    "03.shift_kernel": shift,
    "03.even_blur": blur,
    "03.separate": split,
    "03.count_layer": count,
    "03.input_gradient": gradient,
}
WRONG = {
    "03.same_padding": {
        padding_sum: "this is one, their sum",
        padding_twice: "twice too much",
        padding_rounded_down: "one zero more",
        padding_turned_round: "turned round",
        padding_without_dilation: "dilation is ignored",
        padding_sum_without_dilation: "one number stands for two",
        padding_by_cells: "not the kernel cells",
        padding_as_float: "divide with //",
        padding_right_as_float: "they are floats",
        padding_nearly_right: "on paper",
    },
    "03.shift_kernel": {
        shift_other_way: "moves the picture the other way",
        shift_swapped: "rows and columns are swapped: the first",
        shift_swapped_other_way: "two things at once",
        shift_minus_picture: "add up to 1",
        shift_from_the_corner: "has the index 1, not 0, so",
        shift_from_the_corner_other_way: "add 1 to both",
        shift_only_right: "on paper",
    },
    "03.even_blur": {
        blur_with_dark_edges: "darkens it",
        blur_inside: "hang over the border",
        blur_as_sum: "this is the sum",
        blur_repeating: "repeating the border",
        blur_mirrored: "mirroring",
        blur_of_nothing: "on paper",
    },
    "03.separate": {
        split_swapped: "are swapped",
        split_without_size: "must carry the size",
        split_column_of_v: "take a row",
        split_by_sums: "a division by 0",
        split_anything: "raise a ValueError",
        split_with_axes: "one axis each",
        split_into_one: "return two tensors",
        split_cut: "must have the kernel's shape",
        split_row_and_ones: "on paper",
    },
    "03.count_layer": {
        count_without_bias: "biases are missing",
        count_one_bias: "not one for all",
        count_biases_of_inputs: "not to an input channel",
        count_without_groups: "groups are ignored",
        count_one_channel: "every input channel of its group",
        count_one_side: "two sides",
        count_groups_twice: "divide in_channels only",
        count_one_position: "at every position",
        count_turned_round: "parameters first",
        count_with_bias_added: "not counted as a multiply-add",
        count_as_float: "counts are whole numbers",
        count_of_nothing: "on paper",
    },
    "03.input_gradient": {
        gradient_not_flipped: "must be flipped",
        gradient_transposed: "is transposed",
        gradient_without_stride: "stride is ignored",
        gradient_too_small: "the shape is the image's",
        gradient_doubled: "on paper",
    },
}
