"""Checks of chapter 04, preprocessing images."""

import functools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers.exercises import Wrong, ask, call_text, compare, random_cases, same_tensor


def standardise_like(answer):
    """`standardise_like(images, train_images)`: by the training statistics of each channel."""
    train = torch.tensor([[[[0, 2]], [[10, 10]]], [[[0, 2]], [[30, 30]]]])  # means 1 and 20
    paper = {"images": torch.tensor([[[[1, 3]], [[20, 40]]]]), "train_images": train}
    cases = [{name: images.byte() for name, images in paper.items()}]
    sizes = {"n": (2, 3), "train": (3, 5), "channels": (2, 3), "height": (2, 3), "width": (4, 5)}
    for case in random_cases(6, **sizes):
        shape = case["channels"], case["height"], case["width"]
        images, train = _bytes(case["n"], *shape), _bytes(case["train"], *shape)
        cases.append({"images": images // 2 + 10, "train_images": train // 2 + 60})
    _compare_kept(answer, _standard, cases, STANDARD_MISTAKES, _same_float32)
    images, train = torch.tensor([[[[1, 3]], [[5, 9]]]]), torch.tensor([[[[0, 2]], [[7, 7]]]])
    flat = [{"images": images.byte(), "train_images": train.byte()}]
    for case in cases[1:]:
        train = case["train_images"].clone()
        train[:, 0] = 7
        flat.append({**case, "train_images": train})
    compare(answer, _standard, flat, FLAT_CHANNEL_MISTAKES, _same_float32)
    return (
        "The same two numbers for a channel are used everywhere, so an image that is darker than "
        "those of training stays darker, and nothing about the other part has leaked."
    )


def flip_boxes(answer):
    """`flip_boxes(boxes, width)`: the boxes of the picture that is turned left to right."""
    cases = [{"boxes": torch.tensor([[1.0, 2.0, 4.0, 7.0]]), "width": 10}]
    limits = {"n": (1, 3), "width": (20, 40), "left": (0, 9), "top": (0, 9)}
    for case in random_cases(20, **limits, broad=(1, 10), high=(1, 10)):
        box = [case["left"], case["top"], case["left"] + case["broad"], case["top"] + case["high"]]
        boxes = torch.tensor([box]).float() + torch.arange(case["n"])[:, None]
        cases.append({"boxes": boxes, "width": case["width"]})
    cases.append({"boxes": torch.zeros(0, 4), "width": 5})
    _compare_kept(answer, _flipped(), cases, FLIP_MISTAKES, same_tensor)
    return (
        "The edge at x goes to width − x. What was the right edge is now the left one, so the two "
        "change places; top and bottom stay. Flipped twice, every box is itself again."
    )


def split_by_group(answer):
    """`split_by_group(groups, share, seed)`: positions of two parts that share no group."""
    cases = [{"groups": [104, 104, 104, 101, 102, 102, 103, 105], "share": 0.5, "seed": 0}]
    for case in random_cases(20, seed=(0, 10**6), eighths=(1, 4), kinds=(5, 9)):
        groups = _uneven_groups(case["kinds"])
        cases.append({"groups": groups, "share": case["eighths"] / 8, "seed": case["seed"]})
    parts = [_split_of(answer, case) for case in cases]
    for case, result in zip(cases, parts, strict=True):
        _check_parts(answer, case, *result)
    _check_share(answer, cases, parts)
    for case, result in zip(cases, parts, strict=True):
        if sorted(_split_of(answer, case)[1]) != sorted(result[1]):
            raise Wrong(
                f"{call_text(answer, case)} gave two different splits in two calls. Hint: draw "
                "from torch.Generator().manual_seed(seed), so that a seed names one split."
            )
    _check_chances(answer)
    return (
        "Groups are drawn, examples are counted. No photograph has a near-copy on the other side, "
        "and whoever knows the seed can make the same parts again."
    )


def class_weights(answer):
    """`class_weights(labels, classes, power)`: counts ** −power, with mean 1 over the examples."""
    paper = torch.tensor([0, 0, 0, 1])
    cases = [{"labels": paper, "classes": 2, "power": power} for power in (1.0, 0.5)]
    limits = {"a": (5, 9), "b": (1, 2), "c": (3, 4), "quarters": (1, 4)}
    for case in random_cases(10, **limits):
        labels = torch.arange(3).repeat_interleave(torch.tensor([case[name] for name in "abc"]))
        cases.append({"labels": labels.flip(0), "classes": 3, "power": case["quarters"] / 4})
    _compare_kept(answer, _weights(), cases, WEIGHT_MISTAKES, same_tensor)
    for present in ([0, 2], [0, 1], [1, 2]):  # the empty class in the middle, last, first
        labels = torch.tensor(present).repeat_interleave(torch.tensor([3, 2]))
        gaps = [{"labels": labels, "classes": 3, "power": power} for power in (1.0, 0.5, 0.0)]
        compare(answer, _weights(), gaps, EMPTY_CLASS_MISTAKES, same_tensor)
    return (
        "Power 1 gives every class the same say, power 0 every example, and those between are a "
        "compromise. As the mean stays 1, the loss keeps its size and the learning rate its sense."
    )


def cutmix(answer):
    """`cutmix(images, labels, order, box, classes)`: a pasted rectangle, and shared targets."""
    dark_and_light = torch.stack([torch.zeros(1, 2, 4), torch.ones(1, 2, 4)])
    paper = {"images": dark_and_light, "labels": torch.tensor([0, 1])}
    paper["order"] = torch.tensor([1, 0])
    cases = [{**paper, "box": box, "classes": 2} for box in ((0, 1, 1, 3), (-1, -1, 1, 2))]
    limits = {"n": (3, 4), "top": (-2, 2), "left": (-2, 3), "rows": (2, 4), "columns": (2, 5)}
    inside = {"n": 3, "top": 0, "left": 2, "rows": 2, "columns": 1}
    outside = [{**inside, "top": -2, "rows": 4}, {**inside, "left": -1}, {**inside, "rows": 9}]
    for case in [inside, *outside, *random_cases(8, **limits)]:
        cases.append(_pictures(case["n"]) | {"box": _box(**case), "classes": case["n"] + 1})
    _compare_kept(answer, _cutmix(), cases, CUTMIX_MISTAKES, _same_pair)
    return (
        "The target says which share of the pixels comes from whom. A box that hangs over the edge "
        "pastes less than its size, so the share is counted after the box was cut to the picture."
    )


# What the checks share.


def _generator() -> torch.Generator:
    """New random numbers at every call; the reader's own generator is left alone."""
    generator = torch.Generator()
    generator.seed()
    return generator


def _compare_kept(
    answer: Any, right: Callable, cases: Sequence, mistakes: Sequence, same: Callable
) -> None:
    """`compare`, on copies of the tensors, which must be as before when the answer returns."""
    changed: list[str] = []

    def on_copies(*inputs):
        copies = [value.clone() if isinstance(value, Tensor) else value for value in inputs]
        result = answer(*copies)
        for old, new, name in zip(inputs, copies, cases[0], strict=True):
            if isinstance(old, Tensor) and not torch.equal(old, new):
                changed.append(name)
        return result

    run = functools.wraps(answer)(on_copies) if callable(answer) else answer
    compare(run, right, cases, mistakes, same)
    if changed:
        raise Wrong(
            f"The result is right, but afterwards {changed[0]} holds other numbers. Hint: it was "
            "changed in place; work on a clone, or make a new tensor."
        )


def _same_float32(result: Any, wanted: Tensor) -> bool:
    return getattr(result, "dtype", None) == wanted.dtype and same_tensor(result, wanted)


def _same_pair(result: Any, wanted: tuple[Tensor, Tensor]) -> bool:
    pair = isinstance(result, (tuple, list)) and len(result) == 2
    return pair and all(map(same_tensor, result, wanted))


# 1. Standardise like the training part.


def _bytes(*shape: int) -> Tensor:
    """Pictures whose channels and whose pictures differ in brightness."""
    noise = torch.randint(0, 120, shape, generator=_generator())
    channels = torch.tensor([0, 50, 90])[: shape[1], None, None]
    return (noise + channels + 10 * torch.arange(shape[0])[:, None, None, None]).byte()


def _mean(images: Tensor, dims=(0, 2, 3)) -> Tensor:
    return images.float().mean(dims, keepdim=True)


def _deviation(images: Tensor, dims=(0, 2, 3), correction=0) -> Tensor:
    return images.float().std(dims, keepdim=True, correction=correction)


def _standard(images: Tensor, train_images: Tensor) -> Tensor:
    deviation = _deviation(train_images)
    return (images - _mean(train_images)) / deviation.where(deviation > 0, 1)


def _by(statistics: Callable, dims=(0, 2, 3)) -> Callable:
    """Mean and deviation of other images, or over other axes."""

    def standardise(images, train_images):
        source = statistics(images, train_images)
        return (images - _mean(source, dims)) / _deviation(source, dims)

    return standardise


STANDARD_MISTAKES = [
    (
        lambda images, train_images: _standard(images, train_images).double(),
        "the values are right, but the dtype is float64; float32 is asked for.",
    ),
    (
        _by(lambda images, train_images: images),
        "the statistics are those of `images`; the training part alone may give them.",
    ),
    (
        _by(lambda images, train_images: torch.cat([images, train_images])),
        "the statistics are those of both parts together, so `images` leaks into them.",
    ),
    (
        _by(lambda images, train_images: images, (2, 3)),
        "each image is standardised by itself here, and dark and light ones become alike.",
    ),
    (
        _by(lambda images, train_images: train_images, (0, 1, 2, 3)),
        "one mean and one deviation for all channels; each channel has its own.",
    ),
    (
        _by(lambda images, train_images: train_images, 0),
        "each pixel has statistics of its own here; a channel has one mean, over all positions.",
    ),
    (
        lambda images, train_images: (images - _mean(train_images)) / _deviation(train_images) ** 2,
        "this divides by the variance; take its root, the standard deviation.",
    ),
    (
        lambda images, train_images: images - _mean(train_images),
        "the means are subtracted, but the division by the deviations is missing.",
    ),
    (
        lambda images, train_images: images / _deviation(train_images),
        "the division is there, but the means are not subtracted.",
    ),
    (
        lambda images, train_images: (
            (images - _mean(train_images)) / _deviation(train_images, correction=1)
        ),
        "torch.std divides by one less than the number of values unless told correction=0.",
    ),
    (
        lambda images, train_images: _standard(train_images, images),
        "the two are turned round: these are the training images, by the others' statistics.",
    ),
    (
        lambda images, train_images: _standard(train_images, train_images),
        "these are the training images themselves; standardise `images`.",
    ),
    (
        lambda images, train_images: (
            (images / 255 - _mean(train_images)) / _deviation(train_images)
        ),
        "two scales are mixed: images from 0 to 1, statistics from 0 to 255.",
    ),
    (
        lambda images, train_images: images / 255,
        "this scales to 0 … 1, whatever the training part looks like.",
    ),
    (
        lambda images, train_images: (
            (images - _mean(train_images).byte()) / _deviation(train_images)
        ),
        "this subtracts in uint8, where 3 − 5 is 254; make both float32 first.",
    ),
]


def _plus_tiny(tiny: float) -> Callable:
    return lambda images, train_images: (
        (images - _mean(train_images)) / (_deviation(train_images) + tiny)
    )


FLAT_CHANNEL_MISTAKES = [
    (
        _plus_tiny(0),
        "a channel that is constant in training gives a division by 0; divide by 1 there.",
    ),
    (
        lambda images, train_images: _plus_tiny(0)(images, train_images).nan_to_num(0, 0, 0),
        "the channel that is constant in training is lost here; subtract, and divide by 1.",
    ),
    *(
        (
            _plus_tiny(10.0**-exponent),
            "where a channel is constant in training, a tiny divisor makes huge values; take 1.",
        )
        for exponent in range(3, 13)
    ),
]


# 2. Flip boxes.


def _flipped(columns: Callable | None = None) -> Callable:
    """The boxes made of the columns that a function of x0, y0, x1, y1 and the width gives."""
    columns = columns or (lambda x0, y0, x1, y1, w: (w - x1, y0, w - x0, y1))
    return lambda boxes, width: torch.stack(columns(*boxes.unbind(1), width), dim=1)


FLIP_MISTAKES = [
    (
        _flipped(lambda x0, y0, x1, y1, w: (w - x0, y0, w - x1, y1)),
        "x0 is now right of x1: the right edge becomes the left one, so they change places.",
    ),
    (
        _flipped(lambda x0, y0, x1, y1, w: (w - 1 - x1, y0, w - 1 - x0, y1)),
        "width − 1 − x is for the numbers of pixels; these are edges, from 0 to width.",
    ),
    (
        _flipped(lambda x0, y0, x1, y1, w: (w - 1 - x0, y0, w - 1 - x1, y1)),
        "two things at once: edges run from 0 to width, and x0 and x1 change places.",
    ),
    (
        _flipped(lambda x0, y0, x1, y1, w: (w - x1, y0, x1, y1)),
        "the new x0 was used to compute x1: keep the old columns until both are made.",
    ),
    (
        _flipped(lambda x0, y0, x1, y1, w: (x0, y0, w - x0, y1)),
        "the new x1 was used to compute x0: keep the old columns until both are made.",
    ),
    (
        _flipped(lambda x0, y0, x1, y1, w: (x0, w - y1, x1, w - y0)),
        "this flips top to bottom; left to right changes x and leaves y.",
    ),
    (
        _flipped(lambda x0, y0, x1, y1, w: (w - x1, w - y1, w - x0, w - y0)),
        "x and y are both flipped here, which is half a turn; leave y as it is.",
    ),
    (
        _flipped(lambda x0, y0, x1, y1, w: (w - x1, y1, w - x0, y0)),
        "y0 and y1 have changed places too; only x turns round.",
    ),
    (
        _flipped(lambda x0, y0, x1, y1, w: (x1, y0, x0, y1)),
        "the columns are swapped, but nothing is measured from the other side: width − x.",
    ),
    (
        _flipped(lambda x0, y0, x1, y1, w: (-x1, y0, -x0, y1)),
        "this mirrors at x = 0, out of the picture; add the width.",
    ),
    (
        _flipped(lambda x0, y0, x1, y1, w: (1 - x1, y0, 1 - x0, y1)),
        "1 − x is for boxes in shares of the width; these are in pixels.",
    ),
    (
        _flipped(lambda x0, y0, x1, y1, w: (w - x0, y0, w - x0 + (x1 - x0), y1)),
        "the box starts where its left edge went; it must end there.",
    ),
]


# 3. Split by group.


def _uneven_groups(kinds: int) -> list[int]:
    """One large group, others of one to three examples, mixed; the ids are no positions."""
    generator = _generator()
    sizes = torch.randint(1, 4, (kinds,), generator=generator)
    sizes[0] = 2 * kinds
    groups = 100 + torch.arange(kinds).repeat_interleave(sizes)
    return groups[torch.randperm(len(groups), generator=generator)].tolist()


def _split_of(answer: Any, case: Mapping) -> tuple[list[int], list[int]]:
    result = ask(answer, **{**case, "groups": list(case["groups"])})
    try:
        train, test = ([int(position) for position in part] for part in result)
    except (TypeError, ValueError, RuntimeError):
        raise Wrong(
            f"{call_text(answer, case)} gave {result!r}. Hint: return two lists of positions, "
            "the training part first."
        ) from None
    return train, test


def _check_parts(answer: Any, case: Mapping, train: list[int], test: list[int]) -> None:
    groups, both = case["groups"], train + test
    what = f"{call_text(answer, case)} gave {(train, test)!r}."
    if both and set(both) <= set(groups):
        raise Wrong(f"{what} Hint: these are ids of groups; positions in the list are asked for.")
    if len(set(both)) < len(both):
        raise Wrong(f"{what} Hint: a position stands there twice; each belongs to one part.")
    if not set(both) <= set(range(len(groups))):
        raise Wrong(f"{what} Hint: positions run from 0 to len(groups) − 1.")
    if len(both) < len(groups):
        raise Wrong(f"{what} Hint: examples are lost: what is not in one part is in the other.")
    crossing = {groups[i] for i in train} & {groups[i] for i in test}
    if crossing:
        raise Wrong(
            f"{what} Group {min(crossing)} is in both parts. Hint: draw groups, not positions; "
            "all positions of a group go together."
        )


def _share_is_right(case: Mapping, test: list[int]) -> bool:
    """Enough, and not enough without some group, which may have been the last one drawn."""
    wanted = case["share"] * len(case["groups"])
    sizes = Counter(case["groups"][i] for i in test)
    return len(test) >= wanted and len(test) - max(sizes.values(), default=0) < wanted


def _check_share(answer: Any, cases: Sequence[Mapping], parts: Sequence) -> None:
    pairs = [(case, *result) for case, result in zip(cases, parts, strict=True)]
    failed = next((pair for pair in pairs if not _share_is_right(pair[0], pair[2])), None)
    if failed is None:
        return
    case, _, test = failed
    wanted = case["share"] * len(case["groups"])
    what = f"{call_text(answer, case)} gave a test part of {len(test)} examples: {test}."
    for explains, hint in SHARE_MISTAKES:
        if all(explains(*pair) for pair in pairs):
            raise Wrong(f"{what} Hint: {hint}")
    raise Wrong(
        f"{what} Hint: take whole groups until there are at least {wanted:g}, and then stop."
    )


def _is_share_of_groups(case: Mapping, _: list[int], test: list[int]) -> bool:
    drawn = len({case["groups"][i] for i in test})
    exact = case["share"] * len(set(case["groups"]))
    return drawn in {math.floor(exact), math.ceil(exact), max(1, round(exact))}


SHARE_MISTAKES = [
    (
        _is_share_of_groups,
        "this is the share of the groups; groups differ in size, so count their examples.",
    ),
    (
        lambda case, train, test: _share_is_right(case, train),
        "the parts are turned round: training part first, test part second.",
    ),
    (
        lambda case, train, test: len(test) <= case["share"] * len(case["groups"]),
        "the test part stays below its share: the group that reaches the share belongs to it.",
    ),
    (
        lambda case, train, test: len(test) >= case["share"] * len(case["groups"]),
        "a group too many: ask before each draw whether the share is reached already.",
    ),
]


def _check_chances(answer: Any) -> None:
    """Every group, the largest too, must be drawn for some of many seeds."""
    groups = [101, 102, 102, 103, 104, 104, 104, 104, 105, 106, 106, 106]
    tests = [
        frozenset(_split_of(answer, {"groups": groups, "share": 0.25, "seed": seed})[1])
        for seed in range(200)
    ]
    text = f"With the groups {groups} and share=0.25, the seeds 0 to 199 gave"
    if len(set(tests)) == 1:
        raise Wrong(
            f"{text} one and the same test part, {sorted(tests[0])}. Hint: the order in which "
            "groups are taken must be drawn, by the seed."
        )
    drawn = {groups[i] for test in tests for i in test}
    if drawn < set(groups):
        never = min(set(groups) - drawn)
        raise Wrong(
            f"{text} no test part with group {never}, which has {groups.count(never)} examples. "
            "Hint: every group must have a chance, whatever its size."
        )


# 4. Class weights.


def _counts(labels: Tensor, classes: int) -> Tensor:
    return torch.bincount(labels, minlength=classes).float()


def _raw(counts: Tensor, power: float) -> Tensor:
    return torch.where(counts > 0, counts**-power, 0.0)


def _mean_one(raw: Tensor, counts: Tensor) -> Tensor:
    return raw / raw.repeat_interleave(counts.long()).mean()


def _weights(raw: Callable = _raw, scaled: Callable = _mean_one) -> Callable:
    """The weights, in which one part may be replaced by a mistake."""

    def weights(labels, classes, power):
        counts = _counts(labels, classes)
        return scaled(raw(counts, power), counts)

    return weights


def _of_each_example(labels: Tensor, classes: int, power: float) -> Tensor:
    return _weights()(labels, classes, power)[labels]


WEIGHT_MISTAKES = [
    (
        _weights(scaled=lambda raw, counts: raw),
        "counts ** −power is right up to a factor; scale it so that the mean over examples is 1.",
    ),
    (
        _weights(scaled=lambda raw, counts: raw / raw.sum()),
        "the weights of the classes add up to 1 here; their mean over the examples should be 1.",
    ),
    (
        _weights(scaled=lambda raw, counts: raw * len(raw) / raw.sum()),
        "the mean over the classes is 1 here; over the examples, a frequent class counts more.",
    ),
    (
        _weights(scaled=lambda raw, counts: raw / (raw * counts).sum()),
        "the weights of all examples add up to 1 here; their mean should be 1.",
    ),
    (
        _weights(raw=lambda counts, power: counts**power),
        "the sign of the power is turned round: the frequent classes get the large weights.",
    ),
    (
        _weights(raw=lambda counts, power: counts**-1.0),
        "power has no effect: this is always power 1.",
    ),
    (
        lambda labels, classes, power: _weights()(labels, classes, 1.0) ** power,
        "the power comes after the scaling, so that the mean is no longer 1: scale last.",
    ),
    (
        lambda labels, classes, power: (_counts(labels, classes) / len(labels)) ** -power / classes,
        "dividing by the number of classes makes the mean 1 only for power 1.",
    ),
    (
        lambda labels, classes, power: (_counts(labels, classes) / len(labels)) ** -power,
        "shares instead of counts change the factor only: the mean over examples is still not 1.",
    ),
    (
        _of_each_example,
        "these are weights for the examples; one for each class is asked for, of shape (classes,).",
    ),
]


def _divided(counts: Tensor, power: float) -> Tensor:
    """Without a thought for a class that has no examples."""
    return counts**-power


EMPTY_CLASS_MISTAKES = [
    (
        _weights(raw=_divided),
        "a class without examples is a division by 0, which gives inf: give it the weight 0.",
    ),
    (
        _weights(_divided, lambda raw, counts: raw * counts.sum() / (raw * counts).sum()),
        "a class without examples is a division by 0, and inf · 0 spoils all: give it 0.",
    ),
    (
        lambda **c: _weights(raw=_divided)(**c).nan_to_num(0, 0, 0),
        "with power 0 too a class without examples gets 0, though 0 ** 0 is 1.",
    ),
    (
        _weights(raw=lambda counts, power: counts.clamp(min=1) ** -power),
        "a class without examples is treated as one with a single example; give it the weight 0.",
    ),
    (
        lambda labels, classes, power: _weights()(labels, classes, power)[: labels.max() + 1],
        "the last class has no example and is missing: bincount needs minlength=classes.",
    ),
    (
        lambda labels, classes, power: _weights()(
            labels.unique(return_inverse=True)[1], len(labels.unique()), power
        ),
        "the class without examples is left out, which moves the others: it has a place and a 0.",
    ),
]


# 5. CutMix.


def _pictures(n: int) -> dict:
    generator = _generator()
    images = torch.randint(0, 10, (n, 2, 3, 4), generator=generator).float()
    # A cycle, so that nobody is its own partner; from 3 on, it is not its own inverse.
    order = torch.arange(n).roll(int(torch.randint(0, 2, (), generator=generator)) * 2 - 1)
    return {"images": images, "labels": torch.arange(n).flip(0), "order": order}


def _box(top: int, left: int, rows: int, columns: int, **_: int) -> tuple[int, int, int, int]:
    return top, left, top + rows, left + columns


def _inside(images: Tensor, box: Sequence[int]) -> Tensor:
    """True at the pixels (height, width) of the box that the picture has."""
    top, left, bottom, right = box
    rows, columns = (torch.arange(size) for size in images.shape[2:])
    rows, columns = (rows >= top) & (rows < bottom), (columns >= left) & (columns < right)
    return rows[:, None] & columns


def _cutmix(
    place: Callable = _inside,
    share: Callable = lambda inside, box: inside.float().mean(),
    partners: Callable = lambda values, order: values[order],
    labels_of: Callable = lambda labels, order: labels[order],
) -> Callable:
    """Pasted pictures and their targets, in which one part may be replaced by a mistake."""

    def mix(images, labels, order, box, classes):
        inside = place(images, box)
        mixed = torch.where(inside, partners(images, order), images)
        pasted = share(inside, box)
        own, other = (F.one_hot(c, classes).float() for c in (labels, labels_of(labels, order)))
        return mixed, (1 - pasted) * own + pasted * other

    return mix


def _blended(images, labels, order, box, classes) -> tuple[Tensor, Tensor]:
    _, targets = _cutmix()(images, labels, order, box, classes)
    pasted = _inside(images, box).float().mean()
    return (1 - pasted) * images + pasted * images[order], targets


def _with_label_numbers(images, labels, order, box, classes) -> tuple[Tensor, Tensor]:
    mixed, _ = _cutmix()(images, labels, order, box, classes)
    pasted = _inside(images, box).float().mean()
    return mixed, (1 - pasted) * labels + pasted * labels[order]


def _sliced(images: Tensor, box: Sequence[int]) -> Tensor:
    """What a Python slice does with a box that begins at a negative number."""
    inside = torch.zeros(images.shape[2:], dtype=torch.bool)
    inside[box[0] : box[2], box[1] : box[3]] = True
    return inside


def _area(inside: Tensor, box: Sequence[int]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1]) / inside.numel()


CUTMIX_MISTAKES = [
    (
        _cutmix(share=lambda inside, box: 0.0),
        "the pictures are mixed, but the targets are still those of the first picture alone.",
    ),
    (
        _cutmix(share=lambda inside, box: 1.0),
        "the targets are those of the partners alone; most of the picture may be another's.",
    ),
    (
        _cutmix(share=lambda inside, box: 0.5),
        "half and half, whatever the box: the share is that of the pixels which were pasted.",
    ),
    (
        _cutmix(share=lambda inside, box: 1 - inside.float().mean()),
        "the shares are swapped: what was pasted is the partner's.",
    ),
    (
        _cutmix(share=_area),
        "the share is that of the whole box; where it hangs over the edge, less is pasted.",
    ),
    (
        _cutmix(_sliced, share=_area),
        "a negative start of a slice counts from the end: cut the box to the picture first.",
    ),
    (
        _cutmix(_sliced),
        "a negative start of a slice counts from the end, so less is pasted than should be.",
    ),
    (
        _cutmix(place=lambda images, box: _inside(images, (box[1], box[0], box[3], box[2]))),
        "rows and columns are swapped: the box is (top, left, bottom, right).",
    ),
    (
        _cutmix(
            place=lambda images, box: _inside(images, (*box[:2], box[2] + 1, box[3] + 1)),
        ),
        "bottom and right are edges, as in a slice: the pixels there are not pasted any more.",
    ),
    (
        _cutmix(
            place=lambda images, box: ~_inside(images, box),
        ),
        "the inside of the box should be the partner's; here it is the outside.",
    ),
    (
        _blended,
        "the whole pictures are blended, which is called mixup; paste the box, keep the rest.",
    ),
    (
        _cutmix(partners=lambda images, order: images),
        "the pictures are as before: the box must come from images[order].",
    ),
    (
        _cutmix(partners=lambda images, order: torch.zeros_like(images)),
        "the box is erased, not filled with the same place of images[order].",
    ),
    (
        _cutmix(labels_of=lambda labels, order: order),
        "the partners' places are taken for their classes: labels[order].",
    ),
    (
        _cutmix(
            partners=lambda images, order: images[order.argsort()],
            labels_of=lambda labels, order: labels[order.argsort()],
        ),
        "the order is used backwards: the partner of picture i is picture order[i].",
    ),
    (
        _with_label_numbers,
        "class numbers are names and have no mean: mix one-hot rows, of shape (n, classes).",
    ),
    (
        lambda **c: _cutmix()(**c)[::-1],
        "the order is turned round: pictures first, then targets.",
    ),
]
