"""Answers to the exercises of chapter 04: right ones, and wrong ones with words from their hint.

Written as a reader would write them, apart from the formulas in helpers/checks/ch04.py.
"""

import random

import numpy as np
import torch
from torch.nn import functional as F


def standard(images, train_images):
    """Channel by channel in NumPy, as StandardScaler of scikit-learn does it."""
    result = np.empty(images.shape, dtype=np.float32)
    for channel in range(images.shape[1]):
        known = train_images[:, channel].numpy().astype(np.float64)
        result[:, channel] = images[:, channel].numpy() - known.mean()
        if known.std() > 0:
            result[:, channel] /= known.std()
    return torch.from_numpy(result)


def standard_float64(images, train_images):
    return standard(images, train_images).double()


def standard_by_itself(images, train_images):
    return standard(images, images)


def standard_by_both(images, train_images):
    return standard(images, torch.cat((train_images, images)))


def standard_image_by_image(images, train_images):
    return torch.stack([standard(image[None], image[None])[0] for image in images])


def standard_one_for_all_channels(images, train_images):
    train = train_images.float()
    return (images.float() - train.mean()) / train.std(correction=0)


def standard_pixel_by_pixel(images, train_images):
    train = train_images.float()
    return (images - train.mean(0)) / train.std(0, correction=0)


def mean_and_deviation(train_images, correction=0):
    columns = train_images.float().permute(1, 0, 2, 3).flatten(1)
    return columns.mean(1)[:, None, None], columns.std(1, correction=correction)[:, None, None]


def standard_by_variance(images, train_images):
    mean, deviation = mean_and_deviation(train_images)
    return (images - mean) / deviation.square()


def standard_only_centred(images, train_images):
    return images - mean_and_deviation(train_images)[0]


def standard_only_divided(images, train_images):
    return images / mean_and_deviation(train_images)[1]


def standard_one_less(images, train_images):
    mean, deviation = mean_and_deviation(train_images, correction=1)
    return (images - mean) / deviation


def standard_turned_round(images, train_images):
    return standard(train_images, images)


def standard_of_training(images, train_images):
    return standard(train_images, train_images)


def standard_of_two_scales(images, train_images):
    mean, deviation = mean_and_deviation(train_images)
    return (images / 255 - mean) / deviation


def standard_scaled(images, train_images):
    return images.float() / 255


def standard_in_uint8(images, train_images):
    mean, deviation = mean_and_deviation(train_images)
    return (images - mean.to(torch.uint8)) / deviation


def standard_dividing_by_zero(images, train_images):
    mean, deviation = mean_and_deviation(train_images)
    return (images - mean) / deviation


def standard_losing_a_channel(images, train_images):
    mean, deviation = mean_and_deviation(train_images)
    return torch.where(deviation == 0, 0, (images - mean) / deviation)


def standard_with_epsilon(images, train_images):
    mean, deviation = mean_and_deviation(train_images)
    return (images - mean) / deviation.clamp(min=1e-8)


def standard_nearly(images, train_images):
    return standard(images, train_images) * 1.001


def flip(boxes, width):
    """Each box drawn into a row of pixels, and the row turned round."""
    result = boxes.clone()
    for box, flipped in zip(boxes, result, strict=True):
        row = torch.zeros(width)
        row[int(box[0]) : int(box[2])] = 1
        inside = row.flip(0).nonzero()
        flipped[0], flipped[2] = inside.min(), inside.max() + 1
    return result


def flip_edges_not_swapped(boxes, width):
    result = boxes.clone()
    result[:, [0, 2]] = width - boxes[:, [0, 2]]
    return result


def flip_by_pixels(boxes, width):
    result = boxes.clone()
    result[:, [0, 2]] = width - 1 - boxes[:, [2, 0]]
    return result


def flip_by_pixels_not_swapped(boxes, width):
    result = boxes.clone()
    result[:, [0, 2]] = width - 1 - boxes[:, [0, 2]]
    return result


def flip_left_edge_first(boxes, width):
    boxes = boxes.clone()
    boxes[:, 0] = width - boxes[:, 2]
    boxes[:, 2] = width - boxes[:, 0]
    return boxes


def flip_right_edge_first(boxes, width):
    boxes = boxes.clone()
    boxes[:, 2] = width - boxes[:, 0]
    boxes[:, 0] = width - boxes[:, 2]
    return boxes


def flip_upside_down(boxes, width):
    return flip(boxes[:, [1, 0, 3, 2]], width)[:, [1, 0, 3, 2]]


def flip_half_a_turn(boxes, width):
    return width - boxes[:, [2, 3, 0, 1]]


def flip_all_columns(boxes, width):
    return flip(boxes, width)[:, [0, 3, 2, 1]]


def flip_only_swapped(boxes, width):
    return boxes[:, [2, 1, 0, 3]]


def flip_out_of_the_picture(boxes, width):
    return flip(boxes, width) - torch.tensor([width, 0, width, 0])


def flip_in_shares(boxes, width):
    return flip_out_of_the_picture(boxes, width) + torch.tensor([1, 0, 1, 0])


def flip_starting_at_the_wrong_edge(boxes, width):
    result = boxes.clone()
    result[:, 0] = width - boxes[:, 0]
    result[:, 2] = result[:, 0] + boxes[:, 2] - boxes[:, 0]
    return result


def flip_in_place(boxes, width):
    boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
    return boxes


def flip_as_rows(boxes, width):
    return flip(boxes, width).T


def flip_except_wide_boxes(boxes, width):
    wide = boxes[:, 2:3] - boxes[:, 0:1] > 3
    return torch.where(wide, boxes, flip(boxes, width))


def shuffled_ids(groups, seed):
    ids = sorted(set(groups))
    random.Random(seed).shuffle(ids)
    return ids


def parts_of(groups, test_ids):
    train = [i for i, group in enumerate(groups) if group not in test_ids]
    return train, [i for i, group in enumerate(groups) if group in test_ids]


def grouped(groups, share, seed):
    ids, test = shuffled_ids(groups, seed), []
    while len(test) < share * len(groups):
        group = ids.pop()
        test += [i for i, g in enumerate(groups) if g == group]
    return [i for i in range(len(groups)) if i not in test], test


def grouped_as_tensors(groups, share, seed):
    return tuple(map(torch.tensor, grouped(groups, share, seed)))


def grouped_by_positions(groups, share, seed):
    order = torch.randperm(len(groups), generator=torch.Generator().manual_seed(seed))
    test = int(share * len(groups))
    return order[test:], order[:test]


def grouped_losing_some(groups, share, seed):
    train, test = grouped(groups, share, seed)
    return train[1:], test


def grouped_with_all_in_training(groups, share, seed):
    return list(range(len(groups))), grouped(groups, share, seed)[1]


def grouped_ids(groups, share, seed):
    train, test = grouped(groups, share, seed)
    return {groups[i] for i in train}, {groups[i] for i in test}


def grouped_from_one(groups, share, seed):
    train, test = grouped(groups, share, seed)
    return [i + 1 for i in train], [i + 1 for i in test]


def grouped_only_test(groups, share, seed):
    return grouped(groups, share, seed)[1]


def grouped_share_of_groups(groups, share, seed):
    ids = shuffled_ids(groups, seed)
    return parts_of(groups, ids[: round(share * len(ids))])


def grouped_turned_round(groups, share, seed):
    return grouped(groups, share, seed)[::-1]


def grouped_stopping_short(groups, share, seed):
    test = []
    for group in shuffled_ids(groups, seed):
        more = [i for i, g in enumerate(groups) if g == group]
        if len(test) + len(more) > share * len(groups):
            break
        test += more
    return [i for i in range(len(groups)) if i not in test], test


def grouped_one_too_many(groups, share, seed):
    ids, test_ids = shuffled_ids(groups, seed), []
    while sum(groups.count(group) for group in test_ids) < share * len(groups):
        test_ids.append(ids.pop())
    return parts_of(groups, [*test_ids, *ids[:1]])


def grouped_once_and_for_all(groups, share, seed):
    return grouped(groups, share, 0)


def grouped_by_luck(groups, share, seed):
    return grouped(groups, share, None)


def grouped_largest_never(groups, share, seed):
    ids = sorted(shuffled_ids(groups, seed), key=groups.count)
    largest, test_ids = ids.pop(), []
    random.Random(seed).shuffle(ids)
    for group in [*ids, largest]:
        if sum(groups.count(g) for g in test_ids) < share * len(groups):
            test_ids.append(group)
    return parts_of(groups, test_ids)


def grouped_in_turn(groups, share, seed):
    wrong = grouped_stopping_short if len(groups) % 2 else grouped_one_too_many
    return wrong(groups, share, seed)


def weigh(labels, classes, power):
    counts = [labels.tolist().count(c) for c in range(classes)]
    raw = [count**-power if count else 0.0 for count in counts]
    mean = sum(raw[c] for c in labels.tolist()) / len(labels)
    return torch.tensor([w / mean for w in raw])


def weigh_unscaled(labels, classes, power):
    return weigh_scaled(labels, classes, power, lambda raw: 1)


def weigh_scaled(labels, classes, power, size):
    counts = torch.bincount(labels, minlength=classes)
    raw = torch.where(counts > 0, counts.float() ** -power, 0)
    return raw / size(raw)


def weigh_adding_up_to_one(labels, classes, power):
    return weigh_scaled(labels, classes, power, torch.sum)


def weigh_with_mean_of_classes_one(labels, classes, power):
    return weigh_scaled(labels, classes, power, torch.mean)


def weigh_examples_adding_up_to_one(labels, classes, power):
    return weigh(labels, classes, power) / len(labels)


def weigh_frequent_more(labels, classes, power):
    return weigh(labels, classes, -power)


def weigh_without_power(labels, classes, power):
    return weigh(labels, classes, 1.0)


def weigh_power_last(labels, classes, power):
    return weigh(labels, classes, 1.0) ** power


def shares(labels, classes):
    return torch.bincount(labels, minlength=classes) / len(labels)


def weigh_by_classes(labels, classes, power):
    return 1 / (classes * shares(labels, classes) ** power)


def weigh_by_shares(labels, classes, power):
    return shares(labels, classes) ** -power


def weigh_examples(labels, classes, power):
    return weigh(labels, classes, power)[labels]


def weigh_dividing_by_zero(labels, classes, power):
    raw = torch.bincount(labels, minlength=classes) ** -power
    return raw / raw[labels].mean()


def weigh_spoilt_by_zero(labels, classes, power):
    counts = torch.bincount(labels, minlength=classes)
    raw = 1 / counts**power
    return raw * len(labels) / torch.dot(raw, counts.float())


def weigh_zero_to_the_zero(labels, classes, power):
    raw = torch.bincount(labels, minlength=classes) ** -power
    return torch.where(raw.isinf(), 0, raw) / raw[labels].mean()


def weigh_as_if_there_was_one(labels, classes, power):
    raw = torch.bincount(labels, minlength=classes).clamp(1) ** -power
    return raw / raw[labels].mean()


def weigh_without_the_last(labels, classes, power):
    return weigh(labels, int(labels.max()) + 1, power)


def weigh_those_that_are_there(labels, classes, power):
    _, counts = labels.unique(return_counts=True)
    raw = counts**-power
    return raw * len(labels) / (raw * counts).sum()


def weigh_with_epsilon(labels, classes, power):
    raw = (torch.bincount(labels, minlength=classes) + 0.01) ** -power
    return raw / raw[labels].mean()


def paste(images, labels, order, box, classes):
    """Pixel by pixel."""
    mixed, targets = images.clone(), torch.zeros(len(labels), classes)
    height, width = images.shape[2:]
    for i, other in enumerate(order.tolist()):
        for r in range(height):
            for c in range(width):
                inside = box[0] <= r < box[2] and box[1] <= c < box[3]
                source = other if inside else i
                mixed[i, :, r, c] = images[source, :, r, c]
                targets[i, labels[source]] += 1 / (height * width)
    return mixed, targets


def cut(images, box):
    top, left = max(box[0], 0), max(box[1], 0)
    return top, left, min(box[2], images.shape[2]), min(box[3], images.shape[3])


def with_share(images, labels, order, box, classes, share):
    mixed, _ = paste(images, labels, order, box, classes)
    hot = F.one_hot(labels, classes)
    return mixed, (1 - share) * hot + share * hot[order]


def paste_keeping_labels(*case):
    return with_share(*case, 0)


def paste_with_other_labels(*case):
    return with_share(*case, 1)


def paste_half_and_half(*case):
    return with_share(*case, 0.5)


def true_share(images, box):
    top, left, bottom, right = cut(images, box)
    return (bottom - top) * (right - left) / (images.shape[2] * images.shape[3])


def paste_shares_swapped(*case):
    return with_share(*case, 1 - true_share(case[0], case[3]))


def box_share(images, box):
    return (box[2] - box[0]) * (box[3] - box[1]) / images[0, 0].numel()


def paste_share_of_box(*case):
    return with_share(*case, box_share(case[0], case[3]))


def paste_slices(images, labels, order, box, classes):
    top, left, bottom, right = box
    mixed = images.clone()
    mixed[:, :, top:bottom, left:right] = images[order][:, :, top:bottom, left:right]
    share = box_share(images, box)
    hot = F.one_hot(labels, classes)
    return mixed, (1 - share) * hot + share * hot[order]


def paste_slices_counted(images, labels, order, box, classes):
    mixed, _ = paste_slices(images, labels, order, box, classes)
    share = images[0, 0, box[0] : box[2], box[1] : box[3]].numel() / images[0, 0].numel()
    hot = F.one_hot(labels, classes)
    return mixed, (1 - share) * hot + share * hot[order]


def paste_rows_for_columns(images, labels, order, box, classes):
    left, top, right, bottom = box
    return paste(images, labels, order, (top, left, bottom, right), classes)


def paste_with_the_edge(images, labels, order, box, classes):
    return paste(images, labels, order, (box[0], box[1], box[2] + 1, box[3] + 1), classes)


def paste_outside(images, labels, order, box, classes):
    top, left, bottom, right = cut(images, box)
    mixed = images[order]
    mixed[:, :, top:bottom, left:right] = images[:, :, top:bottom, left:right]
    return mixed, paste_shares_swapped(images, labels, order, box, classes)[1]


def blend(images, labels, order, box, classes):
    share = true_share(images, box)
    mixed = (1 - share) * images + share * images[order]
    return mixed, paste(images, labels, order, box, classes)[1]


def paste_nothing(images, labels, order, box, classes):
    return images, paste(images, labels, order, box, classes)[1]


def paste_black(images, labels, order, box, classes):
    top, left, bottom, right = cut(images, box)
    mixed = images.clone()
    mixed[:, :, top:bottom, left:right] = 0
    return mixed, paste(images, labels, order, box, classes)[1]


def paste_places_for_classes(images, labels, order, box, classes):
    share = true_share(images, box)
    targets = (1 - share) * F.one_hot(labels, classes) + share * F.one_hot(order, classes)
    return paste(images, labels, order, box, classes)[0], targets


def paste_backwards(images, labels, order, box, classes):
    return paste(images, labels, order.argsort(), box, classes)


def paste_label_numbers(images, labels, order, box, classes):
    share = true_share(images, box)
    mixed, _ = paste(images, labels, order, box, classes)
    return mixed, (1 - share) * labels + share * labels[order]


def paste_turned_round(*case):
    return paste(*case)[::-1]


def paste_in_place(images, labels, order, box, classes):
    mixed, targets = paste(images, labels, order, box, classes)
    images[:] = mixed
    return images, targets


def paste_only_pictures(*case):
    return paste(*case)[0]


def paste_one_channel(images, labels, order, box, classes):
    mixed, targets = paste(images, labels, order, box, classes)
    return torch.cat([mixed[:, :1], images[:, 1:]], dim=1), targets


RIGHT = {
    "04.standardise_like": standard,
    "04.flip_boxes": flip,
    "04.split_by_group": grouped,
    "04.class_weights": weigh,
    "04.cutmix": paste,
}
WRONG = {
    "04.standardise_like": {
        standard_float64: "dtype is float64",
        standard_by_itself: "are those of `images`",
        standard_by_both: "both parts together",
        standard_image_by_image: "by itself",
        standard_one_for_all_channels: "one deviation for all channels",
        standard_pixel_by_pixel: "each pixel has statistics",
        standard_by_variance: "the variance",
        standard_only_centred: "division by the deviations is missing",
        standard_only_divided: "means are not subtracted",
        standard_one_less: "correction=0",
        standard_turned_round: "turned round",
        standard_of_training: "training images themselves",
        standard_of_two_scales: "two scales are mixed",
        standard_scaled: "scales to 0 … 1",
        standard_in_uint8: "3 − 5 is 254",
        standard_dividing_by_zero: "gives a division by 0",
        standard_losing_a_channel: "is lost here",
        standard_with_epsilon: "huge values",
        standard_nearly: "on paper",
    },
    "04.flip_boxes": {
        flip_edges_not_swapped: "x0 is now right of x1",
        flip_by_pixels: "for the numbers of pixels",
        flip_by_pixels_not_swapped: "two things at once",
        flip_left_edge_first: "new x0 was used",
        flip_right_edge_first: "new x1 was used",
        flip_upside_down: "top to bottom",
        flip_half_a_turn: "half a turn",
        flip_all_columns: "y0 and y1 have changed",
        flip_only_swapped: "nothing is measured",
        flip_out_of_the_picture: "out of the picture",
        flip_in_shares: "shares of the width",
        flip_starting_at_the_wrong_edge: "it must end there",
        flip_in_place: "changed in place",
        flip_except_wide_boxes: "on paper",
    },
    "04.split_by_group": {
        grouped_by_positions: "draw groups, not positions",
        grouped_losing_some: "examples are lost",
        grouped_with_all_in_training: "stands there twice",
        grouped_ids: "ids of groups",
        grouped_from_one: "run from 0",
        grouped_only_test: "two lists of positions",
        grouped_share_of_groups: "share of the groups",
        grouped_turned_round: "turned round",
        grouped_stopping_short: "below its share",
        grouped_one_too_many: "a group too many",
        grouped_once_and_for_all: "by the seed",
        grouped_by_luck: "a seed names one split",
        grouped_largest_never: "must have a chance",
        grouped_in_turn: "and then stop",
    },
    "04.class_weights": {
        weigh_unscaled: "right up to a factor",
        weigh_adding_up_to_one: "weights of the classes add up to 1",
        weigh_with_mean_of_classes_one: "mean over the classes is 1",
        weigh_examples_adding_up_to_one: "weights of all examples add up",
        weigh_frequent_more: "sign of the power",
        weigh_without_power: "power has no effect",
        weigh_power_last: "scale last",
        weigh_by_classes: "only for power 1",
        weigh_by_shares: "shares instead of counts",
        weigh_examples: "of shape (classes,)",
        weigh_dividing_by_zero: "which gives inf",
        weigh_spoilt_by_zero: "spoils all",
        weigh_zero_to_the_zero: "with power 0 too",
        weigh_as_if_there_was_one: "with a single example",
        weigh_without_the_last: "minlength=classes",
        weigh_those_that_are_there: "moves the others",
        weigh_with_epsilon: "on paper",
    },
    "04.cutmix": {
        paste_keeping_labels: "first picture alone",
        paste_with_other_labels: "of the partners alone",
        paste_half_and_half: "half and half",
        paste_shares_swapped: "shares are swapped",
        paste_share_of_box: "hangs over the edge",
        paste_slices: "cut the box to the picture first",
        paste_slices_counted: "so less is pasted",
        paste_rows_for_columns: "rows and columns are swapped",
        paste_with_the_edge: "as in a slice",
        paste_outside: "here it is the outside",
        blend: "mixup",
        paste_nothing: "pictures are as before",
        paste_black: "is erased",
        paste_places_for_classes: "labels[order]",
        paste_backwards: "used backwards",
        paste_label_numbers: "names and have no mean",
        paste_turned_round: "turned round",
        paste_in_place: "changed in place",
        paste_one_channel: "on paper",
    },
}
