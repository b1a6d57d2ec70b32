"""The loop learns, repeats itself from its seed, refuses bad input, and leaves one progress line.

python -m pytest tests/test_training.py
"""

import math
import sys

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from helpers.training import fit, progress

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


def weights(network: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in network.parameters()])


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


IMAGES, LABELS = stripes()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"images": IMAGES.float()}, ValueError, "divide them by 255"),
        ({"images": IMAGES.long()}, TypeError, "not torch.int64"),
        ({"images": IMAGES[:, 0]}, ValueError, r"\(n, channels, height, width\).*\(64, 4, 4\)"),
        ({"images": IMAGES[:3]}, ValueError, r"not \(3, 1, 4, 4\) and \(64,\)"),
        ({"images": IMAGES[:0], "labels": LABELS[:0]}, ValueError, "n > 0"),
        ({"labels": LABELS.float()}, TypeError, "torch.int64, not torch.float32"),
        ({"labels": LABELS - 1}, ValueError, "start at 0, but the labels hold -1"),
        ({"labels": LABELS.tolist()}, TypeError, "Labels must be a tensor, not list"),
        ({"epochs": 0}, ValueError, "epochs must be a whole number of at least 1, not 0"),
        ({"epochs": 1.5}, ValueError, "epochs .* not 1.5"),
        ({"batch_size": 0}, ValueError, "batch_size .* not 0"),
        ({"max_lr": 0}, ValueError, "max_lr must be a positive number"),
        ({"max_lr": math.nan}, ValueError, "max_lr .* not nan"),
        ({"generator": 0}, TypeError, "must be a torch.Generator.*not int"),
    ],
)
def test_fit_refuses_bad_input_before_it_changes_the_model(change, error, message):
    network = model()
    arguments = {"images": IMAGES, "labels": LABELS, **SETTINGS, "generator": seeded(), **change}
    with pytest.raises(error, match=message):
        fit(network, arguments.pop("images"), arguments.pop("labels"), **arguments)
    assert torch.equal(weights(network), weights(model()))


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
    assert len(history.losses) == 3
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
