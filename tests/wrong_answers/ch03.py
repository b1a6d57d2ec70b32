"""Answers to the exercises of chapter 03: a right one, and wrong ones with words from their hint.

Written as a reader would write them, apart from the formulas in helpers/checks/ch03.py.
"""

import math


def right(size, kernel, stride, padding, dilation):
    window = dilation * (kernel - 1) + 1
    return len(range(0, size + 2 * padding - window + 1, stride))


def padding_once(size, kernel, stride, padding, dilation):
    return (size + padding - dilation * (kernel - 1) - 1) // stride + 1


def no_padding(size, kernel, stride, padding, dilation):
    return (size - dilation * (kernel - 1) - 1) // stride + 1


def no_dilation(size, kernel, stride, padding, dilation):
    return (size + 2 * padding - kernel) // stride + 1


def dilated_taps(size, kernel, stride, padding, dilation):
    return (size + 2 * padding - dilation * kernel) // stride + 1


def no_stride(size, kernel, stride, padding, dilation):
    return size + 2 * padding - dilation * (kernel - 1)


def no_plus_one(size, kernel, stride, padding, dilation):
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride


def no_minus_one(size, kernel, stride, padding, dilation):
    return (size + 2 * padding - dilation * (kernel - 1)) // stride + 1


def plus_one_inside(size, kernel, stride, padding, dilation):
    return (size + 2 * padding - dilation * (kernel - 1)) // stride


def no_settings(size, kernel, stride, padding, dilation):
    return size - kernel + 1


def rounded_up(size, kernel, stride, padding, dilation):
    return math.ceil((size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1)


def rounded_to_nearest(size, kernel, stride, padding, dilation):
    return round((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1


def not_rounded(size, kernel, stride, padding, dilation):
    return (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1


def right_as_float(size, kernel, stride, padding, dilation):
    return float(right(size, kernel, stride, padding, dilation))


def nearly_right(size, kernel, stride, padding, dilation):
    """Right unless the window is spread: a mistake that shows only with other inputs."""
    return right(size, kernel, stride, padding, dilation) + (dilation == 3)


RIGHT = {"03.output_size": right}
WRONG = {
    "03.output_size": {
        padding_once: "counts twice",
        no_padding: "padding is ignored",
        no_dilation: "dilation is ignored",
        dilated_taps: "not the kernel taps",
        no_stride: "stride is ignored",
        no_plus_one: "the + 1 at the end is missing",
        no_minus_one: "the − 1 inside the division is missing",
        plus_one_inside: "inside the division",
        no_settings: "bring the three in",
        rounded_up: "rounded up",
        rounded_to_nearest: "to the nearest number",
        not_rounded: "divide with //",
        right_as_float: "it is a float",
        nearly_right: "on paper",
    }
}
