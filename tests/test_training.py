"""The loop does what the same loop written out does, refuses bad input, and leaves one line.

Checkpoints have test_checkpoints.py, and going on from them test_resume.py.

python -m pytest tests/test_training.py
"""

import copy
import math
import re
import sys
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim import lr_scheduler
from torch.testing import assert_close

from helpers.checkpoints import checkpoints_in, load_checkpoint, load_weights
from helpers.evaluation import accuracy, predict
from helpers.training import DivergedError, History, fit, progress

SETTINGS = {"epochs": 2, "batch_size": 16, "max_lr": 0.02}


def stripes(n: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (n, 1, 4, 4) uint8 that are bright in the upper (0) or in the lower (1) half."""
    labels = torch.arange(n) % 2
    images = torch.randint(0, 80, (n, 1, 4, 4), generator=seeded(), dtype=torch.uint8)
    for image, label in zip(images, labels, strict=True):
        image[0, 2 * label : 2 * label + 2] += 150
    return images, labels


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def model() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.Dropout(0), nn.Linear(8, 2))


def normed() -> nn.Module:
    """With averages that move in every forward pass, and random draws."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(
            *(nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 2))
        )


def weights(network: nn.Module) -> torch.Tensor:
    """All of them, and the averages of batch normalisation, as one vector."""
    return torch.cat([w.detach().flatten().float() for w in network.state_dict().values()])


def test_fit_learns_and_returns_the_loss_of_every_step():
    network = model()
    history = fit(network, *stripes(), epochs=5, batch_size=10, max_lr=0.05, generator=seeded())
    losses = history.losses
    assert len(losses) == 5 * math.ceil(64 / 10)
    assert losses[-1] < losses[0] / 2
    assert not network.training


def test_fit_is_adam_with_one_cycle_on_shuffled_batches():
    """Step by step against the same recipe written out; a wrong rate or order is far outside."""
    images, labels = stripes()
    ours, theirs = model(), model()
    fit(ours, images, labels, **SETTINGS, generator=seeded())
    optimizer = torch.optim.Adam(theirs.parameters())
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.02, epochs=2, steps_per_epoch=4)
    generator = seeded()
    for _ in range(2):
        order = torch.randperm(64, generator=generator)
        for rows in order.view(4, 16):
            optimizer.zero_grad()
            nn.functional.cross_entropy(theirs(images[rows] / 255), labels[rows]).backward()
            optimizer.step()
            cycle.step()
    assert_close(weights(ours), weights(theirs), atol=1e-6, rtol=0)
    assert (weights(ours) - weights(model())).abs().max() > 1e-2


def test_the_same_generator_gives_the_same_weights_bit_for_bit_whatever_the_global_seed():
    results = []
    for global_seed, seed in ((1, 0), (2, 0), (1, 5)):
        torch.manual_seed(global_seed)
        network = model()
        fit(network, *stripes(), **SETTINGS, generator=seeded(seed))
        results.append(weights(network))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_whole_pixels_and_floats_in_0_to_1_are_the_same_to_fit():
    images, labels = stripes()
    whole, floats = model(), model()
    fit(whole, images, labels, **SETTINGS, generator=seeded())
    fit(floats, images.float() / 255, labels, **SETTINGS, generator=seeded())
    assert torch.equal(weights(whole), weights(floats))


def by_hand(network, optimizer, epochs: int, batch_size: int, generator, clip_norm=None):
    """The loop in its simplest form; yields after each epoch."""
    images, labels = stripes()
    for _ in range(epochs):
        network.train()
        for rows in torch.randperm(64, generator=generator).split(batch_size):
            optimizer.zero_grad()
            cross_entropy(network(images[rows] / 255), labels[rows]).backward()
            if clip_norm:
                nn.utils.clip_grad_norm_(network.parameters(), clip_norm)
            optimizer.step()
        yield


def noise(n: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    """A validation part with some wrong labels: a model that is too sure of itself pays for it."""
    images, labels = stripes(n)
    return images, torch.where(torch.arange(n) % 5 == 0, 1 - labels, labels)


@pytest.mark.parametrize("patience", [1, 2, 3])
def test_patience_ends_at_the_right_epoch_and_brings_the_best_weights_back(patience):
    """After so many epochs in a row that are not better than the best; written out beside it."""
    ours, theirs = normed(), normed()
    torch.manual_seed(0)
    history = fit(ours, *stripes(), epochs=40, batch_size=16, generator=seeded(), quiet=True,
                  optimizer=torch.optim.SGD(ours.parameters(), lr=0.02),
                  validation=noise(), patience=patience)  # fmt: skip
    torch.manual_seed(0)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.02)
    losses, states = [], []
    for _ in by_hand(theirs, optimizer, 40, 16, seeded()):
        losses.append(cross_entropy(predict(theirs, noise()[0]), noise()[1]).item())
        states.append(copy.deepcopy(theirs.state_dict()))
        best = losses.index(min(losses))
        if len(losses) - 1 == best + patience:
            break
    assert 0 < history.best_epoch == best < len(losses) - 1 < 39
    assert history.validation_losses == losses
    assert len(history.losses) == 4 * len(losses)
    theirs.load_state_dict(states[best])
    assert torch.equal(weights(ours), weights(theirs))
    assert history.validation_accuracies[best] == accuracy(predict(ours, noise()[0]), noise()[1])


@pytest.mark.parametrize(
    ("patience", "losses"),
    [
        (1, [5.0, 3.0, 4.0]),
        (2, [5.0, 3.0, 4.0, 3.5]),  # lower than the one before it is not lower than the best
        (3, [5.0, 3.0, 4.0, 3.5, 3.0]),  # and as low as the best is not lower
        (4, [5.0, 3.0, 4.0, 3.5, 3.0, 2.0, 6.0, 6.0, 6.0, 6.0]),
    ],
)
def test_patience_counts_epochs_since_the_best_one(patience, losses):
    script = iter([5.0, 3.0, 4.0, 3.5, 3.0, 2.0, 6.0, 6.0, 6.0, 6.0, 6.0, 6.0])

    def scripted(logits, labels):
        validating = len(labels) == 40
        return torch.tensor(next(script)) if validating else cross_entropy(logits, labels)

    history = fit(model(), *stripes(), epochs=12, batch_size=16, max_lr=0.01, loss_fn=scripted,
                  generator=seeded(), validation=noise(), patience=patience,
                  quiet=True)  # fmt: skip
    assert history.validation_losses == losses


def test_of_two_equal_epochs_the_earlier_is_the_best():
    assert History(validation_losses=[3.0, 1.0, 2.0, 1.0]).best_epoch == 1


@pytest.mark.parametrize("clip_norm", [None, 0.05, 1e9])
def test_clip_norm_is_clip_grad_norm_before_the_step(clip_norm):
    """At 0.05 every gradient is cut; at a billion none is, bit for bit as without."""
    ours, theirs = model(), model()
    fit(ours, *stripes(), epochs=2, batch_size=16, generator=seeded(), clip_norm=clip_norm,
        optimizer=torch.optim.SGD(ours.parameters(), lr=0.1, momentum=0.9), quiet=True)  # fmt: skip
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9)
    for _ in by_hand(theirs, optimizer, 2, 16, seeded(), clip_norm if clip_norm == 0.05 else None):
        pass
    assert torch.equal(weights(ours), weights(theirs))


def test_callbacks_see_each_step_and_the_first_true_ends_the_run():
    seen = []

    def look(history):
        seen.append((len(history.losses), history.losses[-1], len(history.validation_losses)))
        return None

    def enough(history):
        return len(history.losses) == 6

    network = model()
    history = fit(network, *stripes(), **SETTINGS, generator=seeded(), callbacks=[look, enough],
                  validation=noise(), quiet=True)  # fmt: skip
    assert [step for step, _, _ in seen] == [1, 2, 3, 4, 5, 6]
    assert [loss for _, loss, _ in seen] == history.losses
    assert [validated for _, _, validated in seen] == [0, 0, 0, 1, 1, 1]
    assert not network.training


def test_validation_does_not_change_the_training():
    """Neither the order, nor what dropout draws, nor the averages of batch normalisation."""
    results = []
    for validation in (None, noise()):
        torch.manual_seed(0)
        network = normed()
        history = fit(network, *stripes(), epochs=3, batch_size=10, max_lr=0.02,
                      generator=seeded(), validation=validation, quiet=True)  # fmt: skip
        results.append((weights(network), torch.tensor(history.losses), torch.get_rng_state()))
    assert all(map(torch.equal, *results))


def test_validation_values_are_those_of_the_model_after_each_epoch():
    """The last of them can be checked from outside."""
    network = normed()
    history = fit(network, *stripes(), **SETTINGS, generator=seeded(), validation=noise(),
                  quiet=True)  # fmt: skip
    logits = predict(network, noise()[0])
    assert history.validation_losses[1] == cross_entropy(logits, noise()[1]).item()
    assert history.validation_accuracies[1] == accuracy(logits, noise()[1])
    assert len(history.validation_losses) == len(history.validation_accuracies) == 2


@pytest.mark.parametrize("parts", [(5,), (2, 3), (1, 1, 1, 2)])
def test_several_fits_with_the_same_optimizer_and_generator_are_one_longer_fit(parts):
    network = normed()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    generator, losses = seeded(), []
    torch.manual_seed(0)
    for epochs in parts:
        history = fit(network, *stripes(), epochs=epochs, batch_size=10, optimizer=optimizer,
                      generator=generator, quiet=True)  # fmt: skip
        losses += history.losses
    torch.manual_seed(0)
    whole = normed()
    optimizer = torch.optim.Adam(whole.parameters(), lr=0.01)
    history = fit(whole, *stripes(), epochs=5, batch_size=10, optimizer=optimizer,
                  generator=seeded(), quiet=True)  # fmt: skip
    assert losses == history.losses
    assert torch.equal(weights(network), weights(whole))


def test_the_scheduler_is_stepped_after_each_batch_and_the_rate_of_each_step_is_kept():
    network = model()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    halving = lr_scheduler.LambdaLR(optimizer, lambda step: 0.5**step)
    history = fit(network, *stripes(), **{**SETTINGS, "max_lr": None}, generator=seeded(),
                  optimizer=optimizer, scheduler=halving, quiet=True)  # fmt: skip
    assert history.lrs == pytest.approx([0.1 * 0.5**step for step in range(8)])
    assert all(type(lr) is float for lr in history.lrs)


@pytest.mark.parametrize(("images", "epochs"), [(1, 1), (2, 1), (1, 2), (17, 1)])
def test_a_run_may_be_as_short_as_one_step(images, epochs):
    """One picture, one batch, or a last batch of one."""
    network, (pictures, labels) = model(), stripes()
    history = fit(network, pictures[:images], labels[:images], epochs=epochs, batch_size=16,
                  max_lr=0.1, generator=seeded(), quiet=True)  # fmt: skip
    assert len(history.losses) == len(history.lrs) == epochs * math.ceil(images / 16)
    assert not torch.equal(weights(network), weights(model()))


def test_another_loss_is_used_for_training_and_validation():
    smooth = partial(cross_entropy, label_smoothing=0.3)
    network = model()
    history = fit(network, *stripes(), **SETTINGS, generator=seeded(), loss_fn=smooth,
                  validation=noise(), quiet=True)  # fmt: skip
    first = stripes()[0][torch.randperm(64, generator=seeded())[:16]] / 255
    rows = torch.randperm(64, generator=seeded())[:16]
    assert history.losses[0] == pytest.approx(smooth(model()(first), stripes()[1][rows]).item())
    logits = predict(network, noise()[0])
    assert history.validation_losses[1] == smooth(logits, noise()[1]).item()


def test_quiet_prints_nothing(capsys):
    fit(model(), *stripes(), **SETTINGS, generator=seeded(), quiet=True)
    assert capsys.readouterr() == ("", "")


class Breaks(nn.Module):
    """A model whose weights are ruined by the update of a chosen step."""

    def __init__(self, step: int):
        super().__init__()
        self.layers, self.left = model(), step

    def ruin(self, history: History) -> None:
        if len(history.losses) == self.left:
            with torch.no_grad():
                self.layers[1].weight[0, 0] = math.nan

    def forward(self, images):
        return self.layers(images)


@pytest.mark.parametrize(("every", "good"), [(1, 4), (2, 4), (3, 3), (5, None)])
def test_a_nan_loss_names_the_step_and_the_last_checkpoint_with_good_weights(tmp_path, every, good):
    """One that holds the ruined weights is neither named nor left: all 5 steps are in it."""
    network = Breaks(5)
    with pytest.raises(DivergedError, match=r"The loss is nan after 5 steps\.") as caught:
        fit(network, *stripes(), **SETTINGS, generator=seeded(), callbacks=[network.ruin],
            checkpoints=tmp_path, checkpoint_every=every, quiet=True)  # fmt: skip
    left = checkpoints_in(tmp_path)
    assert all(int(path.name[5:11]) < 5 for path in left)
    if good is None:
        assert "Last good checkpoint: none, since no earlier one was saved." in str(caught.value)
        assert left == []
        return
    assert int(left[0].name[5:11]) == good
    assert f"Last good checkpoint: {left[0]}. Try a smaller" in str(caught.value)
    saved = load_checkpoint(left[0])
    assert len(saved["history"]["losses"]) == good
    load_weights(network, saved["model"])
    assert weights(network).isfinite().all()
    assert not network.training


def test_a_damaged_checkpoint_is_not_named_as_the_last_good_one(tmp_path):
    """The reader would try it."""
    network = Breaks(5)

    def damage(history):
        network.ruin(history)
        if len(history.losses) == 5:
            newest = checkpoints_in(tmp_path)[0]
            newest.write_bytes(newest.read_bytes()[:-1])

    with (
        pytest.warns(UserWarning, match="step-000004-.* is damaged"),
        pytest.raises(DivergedError, match=r"Last good checkpoint: .*step-000002-"),
    ):
        fit(network, *stripes(), **SETTINGS, generator=seeded(), callbacks=[damage],
            checkpoints=tmp_path, checkpoint_every=2, quiet=True)  # fmt: skip


def test_a_rate_that_is_far_too_high_ends_in_the_same_error():
    network = model()
    with pytest.raises(DivergedError, match=r"The loss is (nan|inf) after \d steps\. .*: none,"):
        fit(network, *stripes(), epochs=9, batch_size=16, generator=seeded(), quiet=True,
            optimizer=torch.optim.SGD(network.parameters(), lr=1e30))  # fmt: skip


def test_a_validation_loss_that_is_nan_is_the_same_error(tmp_path):
    """The update before it may be the one that ruined the weights."""
    network = Breaks(3)
    infinite = stripes()[0].float() / 255

    def overflow(logits, labels):
        return cross_entropy(logits, labels) * (1 if len(labels) == 16 else math.inf)

    with pytest.raises(
        DivergedError, match=r"The validation loss is inf after 4 steps\..*-000003-"
    ):
        fit(network, *stripes(), **SETTINGS, generator=seeded(), loss_fn=overflow,
            validation=(infinite, LABELS), checkpoints=tmp_path, checkpoint_every=1,
            quiet=True)  # fmt: skip


IMAGES, LABELS = stripes()
HALF = (IMAGES[:30], LABELS[:30])


def adam(network, **settings):
    return torch.optim.Adam(network.parameters(), **settings)


def moved_by(**changes):
    """Changes of the call that need the model: {name: function of the model}."""
    return lambda network: {"max_lr": None, **{k: make(network) for k, make in changes.items()}}


def with_lr(lr: float):
    """An optimizer whose second group has this rate."""

    def make(network):
        first, *others = network.parameters()
        optimizer = torch.optim.Adam([{"params": [first]}, {"params": others}], lr=1e-3)
        optimizer.param_groups[1]["lr"] = lr
        return optimizer

    return moved_by(optimizer=make)


def scheduled_then(lr: float):
    """The rate that the scheduler knows is a good one, and the rate of the next step is not."""

    def make(network):
        optimizer = adam(network)
        lr_scheduler.StepLR(optimizer, 3)
        optimizer.param_groups[0]["lr"] = lr
        return optimizer

    return moved_by(optimizer=make)


def strange():
    return moved_by(optimizer=adam, scheduler=lambda n: lr_scheduler.StepLR(adam(n), 3))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"images": IMAGES.float()}, ValueError, "divide them by 255"),
        ({"images": IMAGES.float() * math.nan}, ValueError, "Float pixels must lie in 0…1"),
        ({"images": IMAGES.long()}, TypeError, "not torch.int64"),
        ({"images": IMAGES.numpy()}, TypeError, "Images must be a tensor, not ndarray"),
        ({"images": IMAGES[:, 0]}, ValueError, r"\(n, channels, height, width\).*\(64, 4, 4\)"),
        ({"images": IMAGES[:3]}, ValueError, r"not \(3, 1, 4, 4\) and \(64,\)"),
        ({"images": IMAGES[:0], "labels": LABELS[:0]}, ValueError, "n > 0"),
        ({"labels": LABELS[:, None]}, ValueError, r"and \(64, 1\)"),
        ({"labels": LABELS.float()}, TypeError, "torch.int64, not torch.float32"),
        ({"labels": LABELS.int()}, TypeError, "torch.int64, not torch.int32"),
        ({"labels": LABELS - 1}, ValueError, "start at 0, but the labels hold -1"),
        ({"labels": LABELS + 1}, ValueError, "2 classes apart, 0 to 1, but the labels hold 2"),
        ({"labels": LABELS.tolist()}, TypeError, "Labels must be a tensor, not list"),
        ({"epochs": 0}, ValueError, "epochs must be a whole number of at least 1, not 0"),
        ({"epochs": 1.5}, ValueError, "epochs .* not 1.5"),
        ({"epochs": True}, ValueError, "epochs .* not True"),
        ({"batch_size": 0}, ValueError, "batch_size .* not 0"),
        ({"batch_size": "16"}, ValueError, "batch_size .* not '16'"),
        ({"checkpoint_every": 0}, ValueError, "checkpoint_every .* not 0"),
        ({"patience": 0, "validation": HALF}, ValueError, "patience .* not 0"),
        ({"patience": 2}, ValueError, "patience needs a validation part"),
        ({"max_lr": 0}, ValueError, "max_lr must be a positive number"),
        ({"max_lr": -1e-3}, ValueError, "max_lr .* not -0.001"),
        ({"max_lr": math.nan}, ValueError, "max_lr .* not nan"),
        ({"max_lr": math.inf}, ValueError, "max_lr .* not inf"),
        ({"max_lr": "0.1"}, ValueError, "max_lr .* not '0.1'"),
        ({"max_lr": None}, ValueError, "Give max_lr alone, or an optimizer"),
        (lambda network: {"optimizer": adam(network)}, ValueError, "either max_lr or an optimizer"),
        (with_lr(-0.1), ValueError, "rate must be positive and finite, not -0.1"),
        (with_lr(math.nan), ValueError, "rate must be positive and finite, not nan"),
        (with_lr(0.0), ValueError, "rate must be positive and finite, not 0.0"),
        (scheduled_then(math.nan), ValueError, "rate must be positive and finite, not nan"),
        (scheduled_then(-1.0), ValueError, "rate must be positive and finite, not -1.0"),
        (with_lr(math.inf), ValueError, "rate must be positive and finite, not inf"),
        (moved_by(optimizer=lambda n: adam(model())), ValueError, "none of this model's weights"),
        (strange(), ValueError, "scheduler belongs to another optimizer"),
        (lambda n: {"scheduler": lr_scheduler.StepLR(adam(n), 3)}, ValueError, "Give max_lr alone"),
        (moved_by(optimizer=lambda n: torch.optim.Adam), TypeError, "type Optimizer, not type"),
        ({"scheduler": 3}, TypeError, "scheduler must be of type LRScheduler, not int"),
        ({"clip_norm": 0}, ValueError, "clip_norm must be a positive number"),
        ({"clip_norm": -1.0}, ValueError, "clip_norm .* not -1.0"),
        ({"clip_norm": math.nan}, ValueError, "clip_norm .* not nan"),
        ({"clip_norm": "1"}, ValueError, "clip_norm .* not '1'"),
        ({"validation": IMAGES}, TypeError, "validation must be a pair"),
        ({"validation": (IMAGES, LABELS[:3])}, ValueError, r"not \(64, 1, 4, 4\) and \(3,\)"),
        ({"validation": (IMAGES, LABELS + 1)}, ValueError, "0 to 1, but the labels hold 2"),
        ({"validation": (IMAGES[:0], LABELS[:0])}, ValueError, "n > 0"),
        ({"callbacks": print}, TypeError, "callbacks must be of type Sequence, not builtin"),
        ({"callbacks": [3]}, TypeError, "each of the callbacks must be functions"),
        ({"loss_fn": "cross_entropy"}, TypeError, "loss_fn .* must be functions"),
        ({"generator": 0}, TypeError, "must be a torch.Generator.*not int"),
    ],
)  # fmt: skip
def test_fit_refuses_bad_input_before_it_changes_the_model(change, error, message):
    """Neither its weights nor the averages of batch normalisation, and its mode as it was."""
    network = normed().train()
    change = change(network) if callable(change) else change
    arguments = {"images": IMAGES, "labels": LABELS, **SETTINGS, "generator": seeded(), **change}
    with pytest.raises(error, match=message) as caught:
        fit(network, arguments.pop("images"), arguments.pop("labels"), **arguments)
    assert "\n" not in str(caught.value)
    assert torch.equal(weights(network), weights(normed()))


@pytest.mark.parametrize(
    ("network", "came"),
    [
        (nn.Flatten(0), re.escape("here (16, classes), not (256,)")),
        (nn.Flatten(2), re.escape("here (16, classes), not (16, 1, 16)")),
        (nn.Flatten(0, 2), re.escape("here (16, classes), not (64, 4)")),
    ],
)
def test_a_model_that_gives_no_logits_is_refused(network, came):
    network = nn.Sequential(nn.Conv2d(1, 1, 1), network)
    with pytest.raises(ValueError, match=came):
        fit(network, IMAGES, LABELS, **SETTINGS, generator=seeded(), quiet=True)


def test_something_that_is_no_model_is_refused():
    with pytest.raises(TypeError, match="model must be of type Module, not type"):
        fit(nn.Linear, IMAGES, LABELS, **SETTINGS, generator=seeded())


def test_a_scheduler_that_asks_for_a_loss_is_refused():
    network = model()
    optimizer = adam(network)
    with pytest.raises(TypeError, match="ReduceLROnPlateau"):
        fit(network, IMAGES, LABELS, epochs=1, batch_size=16, generator=seeded(),
            optimizer=optimizer, scheduler=lr_scheduler.ReduceLROnPlateau(optimizer))  # fmt: skip


def test_a_schedule_that_begins_or_ended_at_zero_is_no_bad_rate():
    """A warm-up from zero, and a second run after a cosine has ended."""
    network = model()
    optimizer = adam(network, lr=0.01)
    rise = lr_scheduler.LambdaLR(optimizer, lambda step: step / 8)
    settings = {"epochs": 2, "batch_size": 16, "generator": seeded(), "quiet": True}
    history = fit(network, *stripes(), optimizer=optimizer, scheduler=rise, **settings)
    assert history.lrs[0] == 0.0
    assert history.lrs[7] == pytest.approx(0.00875)


def test_some_frozen_weights_are_no_error():
    """An optimizer may move a part of the model."""
    network = model()
    settings = {"epochs": 1, "batch_size": 16, "generator": seeded(), "quiet": True}
    optimizer = torch.optim.SGD(network[3].parameters(), lr=0.1)
    fit(network, *stripes(), optimizer=optimizer, **settings)
    assert torch.equal(network[1].weight, model()[1].weight)
    assert not torch.equal(network[3].weight, model()[3].weight)


class InterruptedAtStep(nn.Module):
    """A model whose reader presses stop at its n-th batch."""

    def __init__(self, step: int):
        super().__init__()
        self.layers, self.left = model(), step

    def forward(self, images):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        return self.layers(images)


def test_an_interrupted_training_keeps_what_was_learned_and_says_so(capsys):
    network = InterruptedAtStep(4)
    before = weights(network)
    history = fit(network, *stripes(), **SETTINGS, generator=seeded())
    assert len(history.losses) == len(history.lrs) == 3
    assert not torch.equal(weights(network), before)
    assert not network.training
    assert "Stopped after 3 steps; the model keeps what it has learned." in capsys.readouterr().out


@pytest.mark.parametrize("total", [5, None])
def test_progress_leaves_one_line_on_stdout_and_nothing_on_stderr(capsys, total):
    """A page keeps every drawing of the line, and the build refuses stderr."""
    bar = progress(iter(range(5)), "counting", total=total)
    for number in bar:
        bar.set_postfix_str(f"number {number}", refresh=True)
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("\n") == 1
    assert "\r" not in out
    assert out.startswith("counting: ")
    assert out.endswith(", number 4]\n")
    assert ("5/5" in out) == (total == 5)


def test_progress_takes_the_length_from_the_iterable(capsys):
    assert list(progress([1, 2, 3], "listing")) == [1, 2, 3]
    assert "100% |####################| 3/3" in capsys.readouterr().out


class Terminal:
    """A stdout that somebody watches."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self): ...

    def isatty(self):
        return True


@pytest.mark.parametrize(("strict", "drawn_over"), [("0", True), ("1", False)])
def test_progress_draws_over_its_line_only_where_somebody_watches(monkeypatch, strict, drawn_over):
    monkeypatch.setenv("BOOK_STRICT", strict)
    monkeypatch.setattr(sys, "stdout", Terminal())
    for _ in progress(range(3), "steps"):
        pass
    assert ("\r" in sys.stdout.text) == drawn_over
    assert sys.stdout.text.count("\n") == 1
