"""A run that was killed and started again ends as the one that was left alone, bit for bit.

python -m pytest tests/test_resume.py
"""

import json
import math
import os
import random
import signal
import subprocess
import sys
import threading
import warnings
from functools import cache, partial
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim import lr_scheduler

from helpers import checkpoints, data, optim, runs
from helpers.checkpoints import checkpoints_in, load_checkpoint
from helpers.training import DivergedError, fit

ROOT = Path(__file__).parent.parent
OPTIMIZERS = {"ours": optim.Adam, "torch's": torch.optim.Adam}
STEPS = 4 * 7  # epochs, and batches of 16 in 100 pictures


def network() -> nn.Module:
    """Convolution, batch normalisation and dropout: weights, averages and random draws."""
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(),
        nn.Dropout(0.3), nn.Linear(4 * 6 * 6, 10),
    )  # fmt: skip


@cache
def pictures() -> data.FashionMNIST:
    return data.fashion_mnist()


def train(folder: Path | None, rule=torch.optim.Adam, model=None, **changes):
    """Train on 100 small pictures of clothes -> model and history."""
    clothes = pictures()
    model = model or network()
    optimizer = changes.pop("optimizer", None) or rule(model.parameters(), lr=0.01)
    arguments = {
        "images": clothes.train_images[:100, :, ::2, ::2],
        "labels": clothes.train_labels[:100],
        "validation": (clothes.validation_images[:60, :, ::2, ::2], clothes.validation_labels[:60]),
        "epochs": 4, "batch_size": 16, "patience": 3, "clip_norm": 2.0, "checkpoint_every": 4,
        "generator": torch.Generator().manual_seed(5),
        **changes,
    }  # fmt: skip
    if "scheduler" not in changes:
        arguments["scheduler"] = lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=STEPS)
    history = fit(model, optimizer=optimizer, checkpoints=folder, quiet=True, **arguments)
    return model, history


def result(model: nn.Module, history) -> dict:
    """All that must be the same: what was seen, the weights, and the next random draws."""
    return {
        **vars(history),
        **model.state_dict(),
        "random": torch.get_rng_state(),
    }


def assert_same(ours: dict, theirs: dict) -> None:
    assert list(ours) == list(theirs)
    for name, value in ours.items():
        same = torch.equal if isinstance(value, torch.Tensor) else list.__eq__
        assert same(value, theirs[name]), name


def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


def arrange(death: str | None) -> list:
    """Let the process be killed at a moment, such as "step 5"; return callbacks for `fit`."""
    kind, _, when = (death or "never").partition(" ")
    if kind == "step":
        return [lambda history: die() if len(history.losses) == int(when) else None]
    if kind == "after":  # so many seconds after the first step, wherever it is then
        timers = [threading.Timer(float(when), die)]
        return [lambda history: timers.pop().start() if timers else None]
    if kind == "rename":  # the file has been written, and has no name yet
        Path.replace = die
    if kind == "half":  # the file is written in part
        whole = os.fsync
        os.fsync = lambda file: (os.ftruncate(file, 500), whole(file), die())
    if kind == "validation":
        runs.Run.validate = die
    return []


def live_and_die(folder: str, rule: str, legs: list) -> None:
    """Start each run once for each of its deaths, in a process of its own.

    The processes are forked from one that has imported torch and has trained nothing.
    """
    torch.set_num_threads(1)
    pictures()
    w = nn.Parameter(torch.ones(1))
    w.grad = torch.ones(1)
    OPTIMIZERS[rule]([w], lr=0.1).step()  # its first step imports for seconds: once for all
    for run, deaths in legs:
        for death in deaths:
            child = os.fork()
            if child == 0:
                callbacks = arrange(death)
                ended = result(*train(Path(folder, run), OPTIMIZERS[rule], callbacks=callbacks))
                torch.save(ended, Path(folder, f"{run}.pt"))
                os._exit(0)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            end = "ended" if status == 0 else signal.Signals(-status).name
            saved = [path.name[5:11] for path in checkpoints_in(Path(folder, run))]
            print(run, death, end, *saved, sep=",")


def start(folder: Path, rule: str, legs: list) -> list[list[str]]:
    """Run `live_and_die` in a fresh interpreter; what it printed."""
    program = (
        "import json, sys; from tests.test_resume import live_and_die; "
        "live_and_die(*json.loads(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, json.dumps([str(folder), rule, legs])],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [line.split(",") for line in done.stdout.splitlines()]


# Steps are counted from 1; 7, 14, 21 and 28 end an epoch; 4, 8, ... are saved.
DEATHS = [
    "step 3", "half", "rename", "step 4", "step 5", "validation", "step 7", "step 8", "step 10",
    "half", "step 14", "step 15", "rename", "step 18", "validation", "step 27", "step 28",
]  # fmt: skip
# Seconds after the first step. Where the run is by then differs from time to time.
ANYWHERE = [f"after {random.Random(i).uniform(0, 0.004 * (1 + i)):.6f}" for i in range(10)]


@pytest.fixture(scope="module", params=OPTIMIZERS)
def killed(request, tmp_path_factory):
    """The folder of the runs, and what their processes said: killed at known and random moments."""
    folder = tmp_path_factory.mktemp("killed")
    legs = [["whole", [None]], ["known", DEATHS], ["anywhere", ANYWHERE]]
    log = start(folder, request.param, legs)
    log += start(folder, request.param, [["known", [None]], ["anywhere", [None]]])
    return folder, log


linux = pytest.mark.skipif(not hasattr(os, "fork"), reason="asks for os.fork")


@linux
@pytest.mark.parametrize("run", ["known", "anywhere"])
def test_a_run_killed_again_and_again_ends_bit_for_bit_as_one_left_alone(killed, run):
    """Losses, rates, validation values, weights, batch averages and torch's random state.

    The last start is in a fresh interpreter.
    """
    folder, _ = killed
    whole, ended = torch.load(folder / "whole.pt"), torch.load(folder / f"{run}.pt")
    assert len(whole["losses"]) == STEPS
    assert len(whole["validation_losses"]) == 4
    assert_same(ended, whole)


@linux
def test_the_processes_were_really_killed_and_went_on_from_what_was_saved(killed):
    """The test above must not pass because nobody died, or because each began anew."""
    _, log = killed
    known = [line for line in log if line[0] == "known"]
    assert [line[1:3] for line in known[:-1]] == [[death, "SIGKILL"] for death in DEATHS]
    newest = [int(line[3]) if len(line) > 3 else 0 for line in known]
    assert newest == [0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 12, 12, 12, 16, 20, 24, 24, 28]
    assert known[-1][2] == "ended"
    assert "SIGKILL" in {line[2] for line in log if line[0] == "anywhere"}


def cut_off(folder: Path, at: int, **changes) -> None:
    """Train until an exception after step `at`."""

    def stop(history):
        if len(history.losses) == at:
            raise RuntimeError("cut off")

    with pytest.raises(RuntimeError, match="cut off"):
        train(folder, callbacks=[stop], **changes)


@pytest.fixture(scope="module")
def whole() -> dict:
    return result(*train(None))


def test_checkpoints_change_nothing(whole, tmp_path):
    assert_same(result(*train(tmp_path)), whole)


def test_from_the_one_before_when_the_newest_is_damaged_bit_for_bit(whole, tmp_path):
    cut_off(tmp_path, at=18)
    newest = checkpoints_in(tmp_path)[0]
    newest.write_bytes(newest.read_bytes()[:-9])
    with pytest.warns(UserWarning, match=f"{newest.name} is damaged"):
        resumed = result(*train(tmp_path))
    assert_same(resumed, whole)


@pytest.mark.parametrize("every", [4, 5])
def test_a_finished_run_called_again_does_nothing_and_gives_the_same(whole, tmp_path, every):
    """Its weights are those of the best epoch, as after the first call; 28 is no multiple of 5."""
    train(tmp_path, checkpoint_every=every)
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    calls = []
    again = train(tmp_path, checkpoint_every=every, callbacks=[calls.append])
    assert_same(result(*again), whole)
    assert calls == []
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files


def test_a_run_that_lost_patience_and_is_called_again_stays_ended(tmp_path):
    """At 0.5 the validation loss rises."""
    calls = []

    def run(**changes):
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
        changes |= {"optimizer": optimizer, "scheduler": None, "clip_norm": None, "patience": 1}
        return result(*train(tmp_path, model=model, checkpoint_every=5, **changes))

    first = run()
    assert len(first["losses"]) == 14
    assert_same(run(callbacks=[calls.append]), first)
    assert calls == []


def test_an_epoch_is_saved_once_when_no_number_of_steps_is_given(tmp_path):
    seen = []

    def look(history):
        seen.append(len(checkpoints_in(tmp_path)))

    train(tmp_path, checkpoint_every=None, callbacks=[look])
    assert seen == [0] * 7 + [1] * 7 + [2] * 14
    assert [path.name[:11] for path in checkpoints_in(tmp_path)] == ["step-000028", "step-000021"]


def test_another_number_of_threads_is_a_warning_that_says_what_it_costs(tmp_path):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        cut_off(tmp_path, at=5)
        torch.set_num_threads(2)
        with pytest.warns(UserWarning, match="was made with 1 threads") as caught:
            _, history = train(tmp_path)
    finally:
        torch.set_num_threads(before)
    [message] = [str(warning.message) for warning in caught]
    assert "was made with 1 threads, and this run has 2" in message
    assert "will not be the same bit for bit" in message
    assert caught[0].filename == __file__
    assert len(history.losses) == STEPS


def other_dropout() -> nn.Module:
    model = network()
    model[4].p = 0.5
    return model


def wider() -> nn.Module:
    model = network()
    model[5] = nn.Linear(4 * 6 * 6, 11)
    return model


class Hidden(nn.Module):
    """Another shape under the same description."""

    def __init__(self, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(144, width))

    def forward(self, x):
        return x @ self.weight


def hidden(width: int) -> nn.Module:
    model = network()
    model[5] = Hidden(width)
    return model


def with_optimizer(rule, **settings) -> dict:
    model = network()
    return {"model": model, "optimizer": rule(model.parameters(), **settings)}


def with_scheduler(make) -> dict:
    changes = with_optimizer(torch.optim.Adam, lr=0.01)
    return {**changes, "scheduler": make(changes["optimizer"])}


def two_groups() -> dict:
    model = network()
    ws = list(model.parameters())
    groups = [{"params": ws[:2]}, {"params": ws[2:]}]
    return {"model": model, "optimizer": torch.optim.Adam(groups, lr=0.01)}


def seven_phases(optimizer):
    return lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=STEPS, pct_start=0.5)


def clothes_with(**changes) -> dict:
    """The data of `train`, one pixel or label changed."""
    clothes = pictures()
    images, labels = clothes.train_images[:100, :, ::2, ::2].clone(), clothes.train_labels[:100]
    images[50, 0, 7, 7] += 1
    validation = (images[:60], labels[:60])
    return {"validation": {"validation": validation}, "images": {"images": images}}[changes["of"]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (lambda: {"epochs": 5}, "its epochs is 4, not 5"),
        (lambda: {"batch_size": 8}, "its batch_size is 16, not 8"),
        (lambda: {"patience": 2}, "its patience is 3, not 2"),
        (lambda: {"clip_norm": None}, "its clip_norm is 2.0, not None"),
        (lambda: {"loss_fn": nn.MSELoss()}, "its loss_fn is 'cross_entropy', not 'MSELoss'"),
        (lambda: clothes_with(of="images"), "its checksum of the data is"),
        (lambda: clothes_with(of="validation"), "its checksum of the data is"),
        (lambda: {"model": other_dropout()}, "is '(4): Dropout(p=0.3, inplace=False)', not '(4): "),
        (lambda: {"model": wider()}, "is '(5): Linear(in_features=144, out_features=10"),
        (lambda: {"rule": torch.optim.AdamW}, "its optimizer is 'Adam', not 'AdamW'"),
        (lambda: with_optimizer(torch.optim.Adam, lr=0.01, eps=1e-3), "optimizer.0.eps is 1e-08"),
        (lambda: with_optimizer(torch.optim.Adam, lr=0.01, weight_decay=1.0), "0.weight_decay is"),
        (lambda: two_groups(), "its optimizer.0.weights is 6, not 2"),
        (lambda: with_scheduler(seven_phases), "its scheduler._schedule_phases.0.end_step is 7.4"),
        (lambda: with_scheduler(lambda o: None), "its scheduler is 'OneCycleLR', not 'NoneType'"),
    ],
)  # fmt: skip
def test_another_call_in_the_same_folder_is_refused_and_names_what_differs(
    tmp_path, changes, message
):
    """Nothing is loaded then, and no checkpoint is lost."""
    cut_off(tmp_path, at=5)
    files = sorted(tmp_path.iterdir())
    changes = {"model": network(), **changes()}
    before = {name: w.clone() for name, w in changes["model"].state_dict().items()}
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        train(tmp_path, **changes)
    assert "belongs to another run: its " in str(caught.value)
    assert message in str(caught.value)
    assert str(caught.value).endswith("Name an empty folder, or repeat the call that made it.")
    for name, w in changes["model"].state_dict().items():
        assert torch.equal(w, before[name])
    assert sorted(tmp_path.iterdir()) == files


@pytest.mark.parametrize("kind", [partial(partial, cross_entropy), nn.CrossEntropyLoss])
def test_another_setting_of_the_loss_is_refused(tmp_path, kind):
    cut_off(tmp_path, at=5, loss_fn=kind(label_smoothing=0.1))
    with pytest.raises(ValueError, match=r"its loss_fn\.label_smoothing is 0\.1, not 0\.2"):
        train(tmp_path, loss_fn=kind(label_smoothing=0.2))
    assert len(train(tmp_path, loss_fn=kind(label_smoothing=0.1))[1].losses) == STEPS


@pytest.mark.parametrize(("lr", "max_lr"), [(0.02, None), (None, 0.02)])
def test_another_learning_rate_is_refused(tmp_path, lr, max_lr):
    """Of an optimizer, and the one given as max_lr (whose run starts at 1/25 of it)."""

    def run(factor, callbacks=()):
        model = network()
        by = {"optimizer": torch.optim.SGD(model.parameters(), lr=factor * lr)} if lr else {}
        by |= {"max_lr": factor * max_lr} if max_lr else {}
        images, labels = torch.rand(40, 1, 14, 14, generator=seeded()), torch.arange(40) % 10
        return fit(model, images, labels, epochs=2, batch_size=20, generator=seeded(), quiet=True,
                   checkpoints=tmp_path, callbacks=callbacks, **by)  # fmt: skip

    assert len(run(1, callbacks=[lambda history: len(history.losses) == 2]).losses) == 2
    with pytest.raises(ValueError, match=r"its learning rate\.0 is .*, not "):
        run(2)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_weights_of_another_shape_under_the_same_description_are_refused(tmp_path):
    cut_off(tmp_path, at=5, model=hidden(10))
    model = hidden(12)
    before = {name: w.clone() for name, w in model.state_dict().items()}
    with pytest.raises(ValueError, match=r"5\.weight has shape \(144, 10\) instead of \(144, 12\)"):
        train(tmp_path, model=model)
    assert all(torch.equal(w, before[name]) for name, w in model.state_dict().items())


def test_a_checkpoint_that_fit_did_not_make_is_refused(tmp_path):
    checkpoints.save_checkpoint(tmp_path, 3, {"model": network().state_dict()})
    with pytest.raises(ValueError, match="is no checkpoint of fit: it lacks best, cuda_random, "):
        train(tmp_path)


def composed(optimizer):
    rise = lr_scheduler.LinearLR(optimizer, 0.1, total_iters=9)
    fall = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 6)
    return lr_scheduler.SequentialLR(optimizer, [rise, fall], [10])


SCHEDULERS = {
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda s: optim.warmup_cosine(s, STEPS, 5)),
    "SequentialLR": composed,
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [5, 12, 20]),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 1e-3, 1e-2, 4, cycle_momentum=False),
}
RULES = {
    "SGD": lambda ws: optim.SGD(ws, lr=0.05, momentum=0.9, nesterov=True),
    "RMSProp": lambda ws: optim.RMSProp(ws, lr=1e-3),
    "AdamW": lambda ws: optim.AdamW(ws, lr=1e-2),
    "torch's AdamW": lambda ws: torch.optim.AdamW(ws, lr=1e-2, amsgrad=True),
}


@pytest.mark.parametrize(("rule", "scheduler"), list(zip(RULES, SCHEDULERS, strict=True)))
def test_each_kind_of_optimizer_and_scheduler_resumes_bit_for_bit(tmp_path, rule, scheduler):
    def run(folder, at=None):
        model = network()
        optimizer = RULES[rule](model.parameters())
        changes = {"scheduler": SCHEDULERS[scheduler](optimizer), "optimizer": optimizer}
        if at is not None:
            return cut_off(folder, at=at, model=model, **changes)
        return result(*train(folder, model=model, **changes))

    alone = run(None)
    run(tmp_path, at=13)
    run(tmp_path, at=22)
    assert_same(run(tmp_path), alone)


def test_the_same_objects_can_go_on_in_the_same_process(whole, tmp_path):
    """A cell that was interrupted and is run again has a moved optimizer and scheduler."""
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    cycle = lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=STEPS)
    objects = {"model": model, "optimizer": optimizer, "scheduler": cycle}
    cut_off(tmp_path, at=11, **objects)
    assert_same(result(*train(tmp_path, **objects)), whole)


def test_a_loss_that_was_nan_once_leaves_a_checkpoint_that_leads_to_the_same_end(whole, tmp_path):
    """Say, a memory error. The run goes on from the last good checkpoint."""
    calls = []

    def cross_entropy_(logits, labels):
        calls.append(1)
        loss = cross_entropy(logits, labels)
        return loss * math.nan if len(calls) == 11 else loss

    cross_entropy_.__qualname__ = "cross_entropy"
    with pytest.raises(DivergedError, match=r"after 9 steps.*checkpoint: .*step-000008-") as caught:
        train(tmp_path, loss_fn=cross_entropy_)
    named = checkpoints_in(tmp_path)[0]
    assert str(named) in str(caught.value)
    assert len(load_checkpoint(named)["history"]["losses"]) == 8
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same(result(*train(tmp_path)), whole)
