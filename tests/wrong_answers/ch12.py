"""Answers to the exercises of chapter 12: right ones, and wrong ones with words from their hint.

Written as a reader would write them, apart from the formulas in helpers/checks/ch12.py.
"""

import math

import torch
from torch.nn import functional as F


def schedule(step, steps, warmup):
    rising = [(n + 1) / warmup for n in range(warmup)]
    falling = torch.linspace(1, 0, steps - warmup + 1, dtype=torch.float64).tolist()
    return (rising + falling)[step]


def warmup_from_zero(step, steps, warmup):
    return step / warmup if step < warmup else (steps - step) / (steps - warmup)


def warmup_too_slow(step, steps, warmup):
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return (steps - step) / (steps - warmup)


def warmup_missing(step, steps, warmup):
    return min(1.0, (steps - step) / (steps - warmup))


def warmup_only_falling(step, steps, warmup):
    return (steps - step) / steps


def warmup_without_fall(step, steps, warmup):
    return min(1.0, (step + 1) / max(warmup, 1))


def warmup_falling_from_the_start(step, steps, warmup):
    return (step + 1) / warmup if step < warmup else 1 - step / steps


def warmup_product(step, steps, warmup):
    return min(1.0, (step + 1) / max(warmup, 1)) * (steps - step) / steps


def warmup_not_at_the_end(step, steps, warmup):
    return (step + 1) / warmup if step < warmup else 1 - (step - warmup) / steps


def warmup_zero_too_early(step, steps, warmup):
    if step < warmup:
        return (step + 1) / warmup
    return 1 - (step - warmup) / (steps - warmup - 1)


def warmup_zero_too_early_and_kept(step, steps, warmup):
    return max(0.0, warmup_zero_too_early(step, steps, warmup))


def warmup_falling_too_early(step, steps, warmup):
    if step < warmup:
        return (step + 1) / warmup
    return 1 - (step - warmup + 1) / (steps - warmup + 1)


def warmup_rising_twice(step, steps, warmup):
    return (step + 1) / warmup if step < warmup else (step - warmup) / (steps - warmup)


def warmup_as_cosine(step, steps, warmup):
    if step < warmup:
        return (step + 1) / warmup
    return (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) / 2


def warmup_in_whole_numbers(step, steps, warmup):
    return (step + 1) // warmup if step < warmup else (steps - step) // (steps - warmup)


def warmup_dividing_by_zero(step, steps, warmup):
    return min((step + 1) / warmup, (steps - step) / (steps - warmup), 1)


def warmup_or_nothing(step, steps, warmup):
    return schedule(step, steps, warmup) if warmup else 1.0


def warmup_at_least_one(step, steps, warmup):
    return schedule(step, steps, max(warmup, 1))


def warmup_as_list(step, steps, warmup):
    return [schedule(step, steps, warmup)]


def warmup_squared(step, steps, warmup):
    return schedule(step, steps, warmup) ** 2


def smoothed(logits, labels, smoothing):
    z = logits.clone().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(z, labels, label_smoothing=smoothing), z)[0]


def smoothed_as_sum(logits, labels, smoothing):
    z = logits.clone().requires_grad_()
    loss = F.cross_entropy(z, labels, label_smoothing=smoothing, reduction="sum")
    return torch.autograd.grad(loss, z)[0]


def smoothed_uphill(logits, labels, smoothing):
    return -smoothed(logits, labels, smoothing)


def smoothed_uphill_as_sum(logits, labels, smoothing):
    return -smoothed_as_sum(logits, labels, smoothing)


def smoothed_mean_of_all(logits, labels, smoothing):
    return smoothed(logits, labels, smoothing) / logits.shape[1]


def smoothed_over_classes(logits, labels, smoothing):
    return smoothed_as_sum(logits, labels, smoothing) / logits.shape[1]


def smoothed_not(logits, labels, smoothing):
    return smoothed(logits, labels, 0.0)


def with_target(logits, labels, right, others):
    gradient = logits.softmax(1)
    for row, label in enumerate(labels):
        gradient[row] -= others
        gradient[row, label] += others - right
    return gradient / len(logits)


def smoothed_among_others(logits, labels, smoothing):
    return with_target(logits, labels, 1 - smoothing, smoothing / (logits.shape[1] - 1))


def smoothed_without_own_share(logits, labels, smoothing):
    return with_target(logits, labels, 1 - smoothing, smoothing / logits.shape[1])


def smoothed_too_much(logits, labels, smoothing):
    share = smoothing / logits.shape[1]
    return with_target(logits, labels, 1 + share, share)


def smoothed_lost(logits, labels, smoothing):
    return with_target(logits, labels, 1 - smoothing, 0)


def smoothed_without_labels(logits, labels, smoothing):
    return (logits.softmax(1) - smoothing / logits.shape[1]) / len(logits)


def smoothed_without_target(logits, labels, smoothing):
    return logits.softmax(1) / len(logits)


def smoothed_over_the_batch(logits, labels, smoothing):
    return smoothed(logits, labels, smoothing) + (logits.softmax(0) - logits.softmax(1)) / len(
        logits
    )


def smoothed_log(logits, labels, smoothing):
    return smoothed(logits, labels, smoothing) + (
        logits.softmax(1).log() - logits.softmax(1)
    ) / len(logits)


def smoothed_raw(logits, labels, smoothing):
    return smoothed(logits, labels, smoothing) + (logits - logits.softmax(1)) / len(logits)


def smoothed_overflowing(logits, labels, smoothing):
    p = torch.exp(logits)
    p /= p.sum(1, keepdim=True)
    q = torch.full_like(p, smoothing / p.shape[1])
    q[range(len(q)), labels] += 1 - smoothing
    return (p - q) / len(p)


def smoothed_nan_hidden(logits, labels, smoothing):
    return torch.nan_to_num(smoothed_overflowing(logits, labels, smoothing))


def smoothed_loss(logits, labels, smoothing):
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)


def smoothed_in_place(logits, labels, smoothing):
    gradient = smoothed(logits, labels, smoothing)
    logits -= logits.amax(dim=1, keepdim=True)
    return gradient


def smoothed_twice(logits, labels, smoothing):
    return 2 * smoothed(logits, labels, smoothing)


def clip(gradients, max_norm):
    weights = [torch.zeros_like(g, requires_grad=True) for g in gradients]
    for w, g in zip(weights, gradients, strict=True):
        w.grad = g.clone()
    torch.nn.utils.clip_grad_norm_(weights, max_norm)
    return [w.grad for w in weights]


def clip_each(gradients, max_norm):
    return [clip([g], max_norm)[0] for g in gradients]


def clip_values(gradients, max_norm):
    return [torch.clamp(g, min=-max_norm, max=max_norm) for g in gradients]


def length(gradients):
    return sum((g**2).sum() for g in gradients) ** 0.5


def clip_scaling_up(gradients, max_norm):
    return [g / length(gradients) * max_norm for g in gradients]


def clip_only_up(gradients, max_norm):
    return clip_scaling_up(gradients, max_norm) if length(gradients) < max_norm else gradients


def clip_upside_down(gradients, max_norm):
    if length(gradients) < max_norm:
        return gradients
    return [g * length(gradients) / max_norm for g in gradients]


def clip_to_one(gradients, max_norm):
    if length(gradients) < max_norm:
        return gradients
    return [g / length(gradients) for g in gradients]


def clip_at_one(gradients, max_norm):
    return clip(gradients, 1.0)


def clip_nothing(gradients, max_norm):
    return gradients


def clip_with(norm):
    def scaled(gradients, max_norm):
        factor = max_norm / max(norm, max_norm)
        return [g * factor for g in gradients]

    return scaled


def clip_by_largest(gradients, max_norm):
    return clip_with(max(g.abs().max().item() for g in gradients))(gradients, max_norm)


def clip_by_absolutes(gradients, max_norm):
    return clip_with(sum(g.abs().sum().item() for g in gradients))(gradients, max_norm)


def clip_without_root(gradients, max_norm):
    return clip_with(length(gradients).item() ** 2)(gradients, max_norm)


def clip_by_sum_of_norms(gradients, max_norm):
    return clip_with(sum(length([g]).item() for g in gradients))(gradients, max_norm)


def clip_by_longest(gradients, max_norm):
    return clip_with(max(length([g]).item() for g in gradients))(gradients, max_norm)


def clip_by_mean_square(gradients, max_norm):
    count = sum(g.numel() for g in gradients)
    return clip_with(length(gradients).item() / count**0.5)(gradients, max_norm)


def clip_zeros_to_nan(gradients, max_norm):
    norm = length(gradients)
    return [g / norm * norm.clamp(max=max_norm) for g in gradients]


def clip_in_place(gradients, max_norm):
    if length(gradients) > max_norm:
        factor = max_norm / length(gradients)
        for g in gradients:
            g *= factor
    return gradients


def clip_into_one(gradients, max_norm):
    return torch.cat([g.flatten() for g in clip(gradients, max_norm)])


def clip_twice(gradients, max_norm):
    return clip(gradients, max_norm / 2)


def parts_of(inputs, targets, part_size):
    for start in range(0, len(inputs), part_size):
        yield inputs[start : start + part_size], targets[start : start + part_size]


def accumulated(w, inputs, targets, loss_fn, part_size):
    w.grad = None
    for x, y in parts_of(inputs, targets, part_size):
        (loss_fn(w, x, y) * len(x) / len(inputs)).backward()
    return w.grad


def gradients_of(w, inputs, targets, loss_fn, part_size):
    parts = parts_of(inputs, targets, part_size)
    return [torch.autograd.grad(loss_fn(w, x, y), w)[0] for x, y in parts]


def accumulated_mean_of_means(*case):
    return torch.stack(gradients_of(*case)).mean(dim=0)


def accumulated_over_full_parts(*case):
    return sum(gradients_of(*case)) / max(1, len(case[1]) // case[4])


def accumulated_sum(*case):
    return sum(gradients_of(*case))


def accumulated_equal_shares(*case):
    return sum(gradients_of(*case)) * case[4] / len(case[1])


def accumulated_sum_of_rows(*case):
    return accumulated(*case) * len(case[1])


def accumulated_divided_twice(*case):
    return sum(gradients_of(*case)) / len(case[1])


def accumulated_last(*case):
    return gradients_of(*case)[-1]


def accumulated_cleared_in_between(w, inputs, targets, loss_fn, part_size):
    for x, y in parts_of(inputs, targets, part_size):
        w.grad = None
        (loss_fn(w, x, y) * len(x) / len(inputs)).backward()
    return w.grad


def accumulated_first(*case):
    return gradients_of(*case)[0]


def accumulated_returning_early(w, inputs, targets, loss_fn, part_size):
    for x, y in parts_of(inputs, targets, part_size):
        return torch.autograd.grad(loss_fn(w, x, y) * len(x) / len(inputs), w)[0]


def accumulated_without_rest(w, inputs, targets, loss_fn, part_size):
    full = len(inputs) // part_size * part_size
    gradient = accumulated(w, inputs[:full], targets[:full], loss_fn, part_size)
    return gradient * full / len(inputs)


def accumulated_mean_without_rest(w, inputs, targets, loss_fn, part_size):
    full = len(inputs) // part_size * part_size
    return accumulated(w, inputs[:full], targets[:full], loss_fn, part_size)


def accumulated_cleared_at_the_end(*case):
    gradient = accumulated(*case)
    gradient.zero_()
    return gradient


def accumulated_on_top(w, inputs, targets, loss_fn, part_size):
    for x, y in parts_of(inputs, targets, part_size):
        (loss_fn(w, x, y) * len(x) / len(inputs)).backward()
    return w.grad


def accumulated_at_once(w, inputs, targets, loss_fn, part_size):
    return torch.autograd.grad(loss_fn(w, inputs, targets), w)[0]


def accumulated_in_chunks(w, inputs, targets, loss_fn, part_size):
    count = min(part_size, len(inputs))
    pairs = zip(inputs.chunk(count), targets.chunk(count), strict=True)
    return sum(torch.autograd.grad(loss_fn(w, x, y), w)[0] * len(x) for x, y in pairs) / len(inputs)


def accumulated_losses(w, inputs, targets, loss_fn, part_size):
    parts = parts_of(inputs, targets, part_size)
    loss = sum(loss_fn(w, x, y) * len(x) for x, y in parts) / len(inputs)
    return torch.autograd.grad(loss, w)[0]


def accumulated_as_tuple(*case):
    return (accumulated(*case),)


def accumulated_uphill(*case):
    return -accumulated(*case)


def lion(w, g, m, lr, beta1, beta2, weight_decay):
    moved = w * (1 - lr * weight_decay)
    moved -= lr * torch.lerp(g, m, beta1).sign()
    return moved, torch.lerp(g, m, beta2)


def lion_turned_round(*case):
    return lion(*case)[::-1]


def lion_new_momentum(w, g, m, lr, beta1, beta2, weight_decay):
    m = beta2 * m + (1 - beta2) * g
    return w - lr * (m.sign() + weight_decay * w), m


def lion_swapped(w, g, m, lr, beta1, beta2, weight_decay):
    return lion(w, g, m, lr, beta2, beta1, weight_decay)


def lion_one_average(w, g, m, lr, beta1, beta2, weight_decay):
    m = beta1 * m + (1 - beta1) * g
    return w - lr * (m.sign() + weight_decay * w), m


def lion_shares_swapped(w, g, m, lr, beta1, beta2, weight_decay):
    return lion(w, g, m, lr, 1 - beta1, 1 - beta2, weight_decay)


def lion_running_sums(w, g, m, lr, beta1, beta2, weight_decay):
    step = torch.sign(beta1 * m + g) + weight_decay * w
    return w - lr * step, beta2 * m + g


def lion_sign_of_gradient(w, g, m, lr, beta1, beta2, weight_decay):
    return lion(w, g, m, lr, 0.0, 0.0, weight_decay)[0], torch.lerp(g, m, beta2)


def lion_sign_of_old_momentum(w, g, m, lr, beta1, beta2, weight_decay):
    return lion(w, g, m, lr, 1.0, 0.0, weight_decay)[0], torch.lerp(g, m, beta2)


def lion_without_sign(w, g, m, lr, beta1, beta2, weight_decay):
    step = beta1 * m + (1 - beta1) * g + weight_decay * w
    return w - lr * step, torch.lerp(g, m, beta2)


def lion_forgetful(w, g, m, *settings):
    return lion(w, g, m, *settings)[0], m


def lion_without_decay(*case):
    return lion(*case[:-1], 0.0)


def lion_decay_without_rate(w, g, m, lr, beta1, beta2, weight_decay):
    return lion(w, g, m, lr, beta1, beta2, weight_decay / lr)


def lion_growing(*case):
    return lion(*case[:-1], -case[-1])


def lion_decay_last(w, g, m, lr, beta1, beta2, weight_decay):
    w = w - lr * torch.lerp(g, m, beta1).sign()
    return w - lr * weight_decay * w, torch.lerp(g, m, beta2)


def lion_decay_inside(w, g, m, lr, beta1, beta2, weight_decay):
    step = torch.sign(torch.lerp(g, m, beta1) + weight_decay * w)
    return w - lr * step, torch.lerp(g, m, beta2)


def lion_decay_in_gradient(w, g, m, lr, beta1, beta2, weight_decay):
    return lion(w, g + weight_decay * w, m, lr, beta1, beta2, 0.0)


def lion_climbing(w, g, m, *settings):
    return lion(w, -g, -m, *settings)[0], lion(w, g, m, *settings)[1]


def lion_nan(w, g, m, lr, beta1, beta2, weight_decay):
    c = torch.lerp(g, m, beta1)
    return w - lr * (c / c.abs() + weight_decay * w), torch.lerp(g, m, beta2)


def lion_up_at_zero(w, g, m, lr, beta1, beta2, weight_decay):
    sign = torch.where(torch.lerp(g, m, beta1) > 0, 1.0, -1.0)
    return w - lr * (sign + weight_decay * w), torch.lerp(g, m, beta2)


def lion_down_at_zero(w, g, m, lr, beta1, beta2, weight_decay):
    sign = torch.where(torch.lerp(g, m, beta1) < 0, -1.0, 1.0)
    return w - lr * (sign + weight_decay * w), torch.lerp(g, m, beta2)


def lion_in_place(w, g, m, lr, beta1, beta2, weight_decay):
    step = torch.lerp(g, m, beta1).sign() + weight_decay * w
    m *= beta2
    m += (1 - beta2) * g
    return w - lr * step, m


def lion_w_alone(*case):
    return lion(*case)[0]


def lion_still(w, g, m, *settings):
    return w, m


RIGHT = {
    "12.warmup_linear": schedule,
    "12.smoothed_gradient": smoothed,
    "12.clip_by_norm": clip,
    "12.accumulate": accumulated,
    "12.lion_step": lion,
}
WRONG = {
    "12.warmup_linear": {
        warmup_from_zero: "step 0 gets the rate 0",
        warmup_too_slow: "so step warmup − 1 has 1",
        warmup_missing: "there is no rise: before",
        warmup_only_falling: "a fall alone",
        warmup_without_fall: "the fall is missing",
        warmup_falling_from_the_start: "is counted from step 0",
        warmup_product: "are multiplied",
        warmup_not_at_the_end: "0 is not reached at the end",
        warmup_zero_too_early: "not to the last step before",
        warmup_zero_too_early_and_kept: "and stays",
        warmup_falling_too_early: "begins one step early",
        warmup_rising_twice: "rises from 0 to 1",
        warmup_as_cosine: "half a cosine",
        warmup_in_whole_numbers: "divide with /",
        warmup_dividing_by_zero: "nothing to divide by",
        warmup_or_nothing: "there is still the fall",
        warmup_at_least_one: "is not one of 1",
        warmup_as_list: "return one number",
        warmup_squared: "on paper",
    },
    "12.smoothed_gradient": {
        smoothed_as_sum: "each row's gradient is divided",
        smoothed_uphill: "turned round: a larger",
        smoothed_uphill_as_sum: "two things at once",
        smoothed_mean_of_all: "the classes are not counted",
        smoothed_over_classes: "instead of the number of classes",
        smoothed_not: "smoothing is ignored",
        smoothed_among_others: "the right one included",
        smoothed_without_own_share: "gets its share s/K",
        smoothed_too_much: "more than 1",
        smoothed_lost: "is lost here",
        smoothed_without_labels: "the labels have no effect",
        smoothed_without_target: "the softmax alone",
        smoothed_over_the_batch: "over the classes it is dim=1",
        smoothed_log: "not its logarithm",
        smoothed_raw: "must go through the softmax",
        smoothed_overflowing: "the exponential overflows",
        smoothed_nan_hidden: "hidden here, not avoided",
        smoothed_loss: "the shape of the logits",
        smoothed_in_place: "logits was changed in place",
        smoothed_twice: "on paper",
    },
    "12.clip_by_norm": {
        clip_each: "each tensor is clipped by itself",
        clip_values: "each value is clipped by itself",
        clip_scaling_up: "are scaled up",
        clip_only_up: "the small ones grow",
        clip_upside_down: "upside down",
        clip_to_one: "it should become max_norm",
        clip_at_one: "the limit is always 1",
        clip_nothing: "nothing is scaled",
        clip_by_largest: "the largest entry",
        clip_by_absolutes: "absolute values are added",
        clip_without_root: "the root is missing",
        clip_by_sum_of_norms: "norms do not add up",
        clip_by_longest: "the longest tensor",
        clip_by_mean_square: "the squares are averaged",
        clip_zeros_to_nan: "divides 0 by 0",
        clip_in_place: "gradients was changed in place",
        clip_into_one: "return a list",
        clip_twice: "on paper",
    },
    "12.accumulate": {
        accumulated_mean_of_means: "the mean of the parts' means",
        accumulated_over_full_parts: "forgets the small last part",
        accumulated_sum: "added as they are",
        accumulated_equal_shares: "not part_size",
        accumulated_sum_of_rows: "the sum over all rows",
        accumulated_divided_twice: "already a mean over the part",
        accumulated_last: "of the last part alone",
        accumulated_cleared_in_between: "only the last part's share",
        accumulated_first: "of the first part alone",
        accumulated_returning_early: "only the first part's share",
        accumulated_without_rest: "the rows of the smaller last part are left out",
        accumulated_mean_without_rest: "the mean over the full parts",
        accumulated_cleared_at_the_end: "cleared before it was returned",
        accumulated_on_top: "adds to what it finds",
        accumulated_at_once: "the whole batch at once",
        accumulated_in_chunks: "chunk counts parts",
        accumulated_losses: "keeps every part in memory",
        accumulated_as_tuple: "gives a tuple",
        accumulated_uphill: "on paper",
    },
    "12.lion_step": {
        lion_turned_round: "w first, then m",
        lion_new_momentum: "the sign of the new m",
        lion_swapped: "the betas are swapped",
        lion_one_average: "is kept as m",
        lion_shares_swapped: "the other way",
        lion_running_sums: "running sums",
        lion_sign_of_gradient: "the sign of g alone",
        lion_sign_of_old_momentum: "the sign of the old m",
        lion_without_sign: "the sign is missing",
        lion_forgetful: "as it went in",
        lion_without_decay: "decay is missing",
        lion_decay_without_rate: "not multiplied by lr",
        lion_growing: "the weights grow",
        lion_decay_last: "that of the old w",
        lion_decay_inside: "inside the sign",
        lion_decay_in_gradient: "added to the gradient",
        lion_climbing: "this climbs",
        lion_nan: "the sign of 0 is 0.",
        lion_up_at_zero: "not −1",
        lion_down_at_zero: "not 1.",
        lion_in_place: "m was changed in place",
        lion_w_alone: "return two tensors",
        lion_still: "on paper",
    },
}
