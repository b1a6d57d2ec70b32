"""Answers to the exercises of chapter 00: right ones, and wrong ones with words from their hint.

Written as a reader would write them, apart from the formulas in helpers/checks/ch00.py.
"""

from itertools import zip_longest


def right_sum_shape(shape, axis, keepdim):
    lengths = list(shape)
    lengths[axis] = 1
    if not keepdim:
        del lengths[axis]
    return tuple(lengths)


def keepdim_ignored(shape, axis, keepdim):
    return right_sum_shape(shape, axis, False)


def always_kept(shape, axis, keepdim):
    lengths = list(shape)
    lengths[axis] = 1
    return tuple(lengths)


def keepdim_turned(shape, axis, keepdim):
    return right_sum_shape(shape, axis, not keepdim)


def only_the_summed(shape, axis, keepdim):
    return (shape[axis],)


def counted_from_one(shape, axis, keepdim):
    place = (axis if axis >= 0 else len(shape) + axis) - 1
    return right_sum_shape(shape, place, keepdim)


def cut_at_the_axis(shape, axis, keepdim):
    kept = (1,) if keepdim else ()
    return tuple(shape[:axis]) + kept + tuple(shape[axis + 1 :])


def sign_dropped(shape, axis, keepdim):
    return right_sum_shape(shape, abs(axis) % len(shape), keepdim)


def ones_everywhere(shape, axis, keepdim):
    return (1,) * len(shape)


def right_center(image):
    return image - image.flatten(start_dim=1).mean(dim=1)[:, None, None]


def one_mean(image):
    return image - image.sum() / image.numel()


def not_kept(image):
    return image - image.mean(dim=2).mean(dim=1)


def over_channels(image):
    return image - image.mean(dim=0, keepdim=True)


def per_column(image):
    return image - image.mean(dim=-2, keepdim=True)


def per_row(image):
    return image - image.mean(dim=-1)[:, :, None]


def the_sum(image):
    return image - image.flatten(start_dim=1).sum(dim=1)[:, None, None]


def the_mean(image):
    return image.flatten(start_dim=1).mean(dim=1)[:, None, None]


def turned_sign(image):
    return image.mean(dim=(-1, -2), keepdim=True) - image


def halved(image):
    return right_center(image) / 2


def right_broadcast(first, second):
    lengths = []
    for a, b in zip_longest(first[::-1], second[::-1], fillvalue=1):
        if a != b and a != 1 and b != 1:
            raise ValueError(f"{a} and {b} clash")
        lengths.append(b if a == 1 else a)
    return tuple(lengths[::-1])


def from_the_left(first, second):
    lengths = []
    for a, b in zip_longest(first, second, fillvalue=1):
        if a != b and a != 1 and b != 1:
            raise ValueError
        lengths.append(b if a == 1 else a)
    return tuple(lengths)


def no_clash(first, second):
    pairs = zip_longest(first[::-1], second[::-1], fillvalue=1)
    return tuple(max(a, b) for a, b in pairs)[::-1]


def cut_short(first, second):
    shared = min(len(first), len(second))
    return right_broadcast(first[len(first) - shared :], second[len(second) - shared :])


def ones_refused(first, second):
    lengths = []
    for a, b in zip_longest(first[::-1], second[::-1]):
        if a is not None and b is not None and a != b:
            raise ValueError
        lengths.append(b if a is None else a)
    return tuple(lengths[::-1])


def not_turned_back(first, second):
    return right_broadcast(first, second)[::-1]


def the_longer(first, second):
    return first if len(first) >= len(second) else second


def same_number_of_axes(first, second):
    if len(first) != len(second):
        raise ValueError
    return right_broadcast(first, second)


def always_refused(first, second):
    raise ValueError("these shapes clash")


RIGHT = {
    "00.sum_shape": right_sum_shape,
    "00.center_channels": right_center,
    "00.broadcast_shape": right_broadcast,
}
WRONG = {
    "00.sum_shape": {
        keepdim_ignored: "keepdim is ignored",
        always_kept: "without keepdim it goes",
        keepdim_turned: "keepdim is turned round",
        only_the_summed: "drops the others",
        counted_from_one: "counted from 0",
        cut_at_the_axis: "right except for axis −1",
        sign_dropped: "counts from the end",
        ones_everywhere: "on paper",
    },
    "00.center_channels": {
        one_mean: "one mean for the whole image",
        not_kept: "use keepdim=True",
        over_channels: "one mean for each pixel",
        per_column: "each column",
        per_row: "each row",
        the_sum: "the sum was subtracted",
        the_mean: "subtract them from the image",
        turned_sign: "the sign is turned round",
        halved: "on paper",
    },
    "00.broadcast_shape": {
        from_the_left: "line them up at the right",
        no_clash: "2 and 3 clash",
        cut_short: "cut to the shorter one",
        ones_refused: "it is stretched",
        not_turned_back: "turned round",
        the_longer: "returned as it is",
        same_number_of_axes: "different numbers of axes",
        always_refused: "on paper",
    },
}
