"""The benchmark of the article's program: what it can get wrong without training for minutes.

python -m pytest tests/test_article_program.py
"""

import json
import subprocess
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from benchmarks import _fast_cnn, _keras_program, article_program
from benchmarks._fast_cnn import Fast, shifted
from benchmarks.article_program import CHEAP, ROWS, table
from benchmarks.common import main
from helpers.data import FashionMNIST, fashion_mnist
from helpers.models.cnn import ArticleCNN


def random_network() -> ArticleCNN:
    """Every weight random, in float64: with zero biases a lost one would not show."""
    network, generator = ArticleCNN().double(), torch.Generator().manual_seed(0)
    for weight in network.parameters():
        nn.init.normal_(weight, std=0.3, generator=generator)
    return network


def small_data() -> FashionMNIST:
    return FashionMNIST(*(part[:600] for part in fashion_mnist()))


def test_fast_computes_the_article_s_network_and_its_gradients_in_float64():
    """40 images: one whole piece and a part of one."""
    network = random_network()
    fast = Fast(network)
    images = torch.rand(40, 1, 28, 28, dtype=torch.float64)
    assert_close(fast(images), network(images), atol=1e-10, rtol=0)
    for model in (network, fast):
        model(images).logsumexp(dim=1).sum().backward()
    for name in ("convolution.weight", "convolution.bias", "output.weight", "hidden.bias"):
        ours, articles = fast.get_parameter(name).grad, network.get_parameter(name).grad
        assert_close(ours, articles, atol=1e-9, rtol=0)
    back = _fast_cnn.swap(fast.hidden.weight.grad, 169, 32)
    assert_close(back, network.hidden.weight.grad, atol=1e-9, rtol=0)


def test_fast_has_the_article_s_parameters_and_gives_them_back():
    network = random_network()
    fast = Fast(network)
    assert [w.shape for w in fast.parameters()] == [w.shape for w in network.parameters()]
    back = fast.article()
    assert type(back) is ArticleCNN
    for ours, articles in zip(back.parameters(), network.parameters(), strict=True):
        assert_close(ours, articles, atol=0, rtol=0)
    assert not torch.equal(fast.hidden.weight, network.hidden.weight)  # a copy, reordered


@pytest.mark.parametrize("bfloat16", [False, True])
def test_fast_is_near_the_article_s_network_with_and_without_bfloat16(monkeypatch, bfloat16):
    """bfloat16 keeps 8 binary digits: each logit is off by up to some hundredths of its size."""
    monkeypatch.setattr(_fast_cnn, "computes_bfloat16", lambda device: bfloat16)
    network = ArticleCNN()
    images = torch.rand(64, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    logits = Fast(network)(images)
    assert logits.dtype == torch.float32
    error = (logits - network(images)).abs().max() / logits.abs().max()
    assert 1e-4 < error < 0.03 if bfloat16 else error < 1e-5


def test_shifted_moves_each_image_by_itself_in_all_nine_ways():
    torch.manual_seed(0)
    images = torch.rand(200, 1, 28, 28)
    came = []
    for image, moved in zip(images, shifted(images, 1), strict=True):
        padded = nn.functional.pad(image, (1, 1, 1, 1))
        corners = [(row, column) for row in range(3) for column in range(3)]
        same = [torch.equal(moved, padded[:, r : r + 28, c : c + 28]) for r, c in corners]
        assert sum(same) == 1
        came.append(same.index(True))
    assert set(came) == set(range(9))


def test_only_training_moves_images():
    fast, images = Fast(ArticleCNN(), shift=1), torch.rand(8, 1, 28, 28)
    assert torch.equal(fast.eval()(images), fast(images))
    assert not torch.equal(fast.train()(images), fast.eval()(images))


def test_the_rate_rises_in_a_straight_line_to_one_and_falls_to_nearly_zero():
    factors = [_keras_program.factor(step, 100) for step in range(101)]
    assert factors[9] == max(factors) == 1
    assert_close(np.diff(factors[:10]), np.full(9, 0.1))
    assert_close(np.diff(factors[10:]), np.full(90, -1 / 90))
    assert factors[100] == 0


@pytest.mark.parametrize("fast", [False, True])
def test_the_article_s_recipe_is_keras_s(monkeypatch, fast):
    """The arguments that reach `fit`: Keras's ε, its rate, its batches, its zero biases."""
    seen = {}

    def fit(model, images, labels, *, epochs, batch_size, optimizer, generator, quiet):
        (group,) = optimizer.param_groups
        settings = {name: group[name] for name in ("lr", "eps", "betas", "weight_decay")}
        biases = [model.get_parameter(f"{name}.bias") for name, _ in model.named_children()]
        assert all(bias.eq(0).all() for bias in biases)
        seen.update(settings, epochs=epochs, batch_size=batch_size, optimizer=type(optimizer))

    monkeypatch.setattr(article_program, "fit", fit)
    article_program.article_recipe(small_data(), 0, fast)
    assert seen == {
        "lr": 1e-3,
        "eps": 1e-7,
        "betas": (0.9, 0.999),
        "weight_decay": 0,
        "epochs": 5,
        "batch_size": 32,
        "optimizer": torch.optim.Adam,
    }


def test_our_recipe_moves_every_weight_and_can_be_had_again():
    recipe = {"epochs": 1, "batch_size": 200, "max_lr": 0.01, "label_smoothing": 0.1}
    torch.set_num_threads(1)
    first, again = (article_program.our_recipe(small_data(), 3, **recipe) for _ in range(2))
    start = article_program.initial(3, glorot=True)
    for name, weight in first.named_parameters():
        assert torch.equal(weight, again.get_parameter(name)), name
        assert not torch.equal(weight, start.get_parameter(name)), name


def answers(monkeypatch, **fields) -> list[list[str]]:
    """Let `subprocess.run` answer with these fields; the commands that it is given."""
    commands = []

    def fake(command, **_):
        commands.append(command)
        return subprocess.CompletedProcess(command, **{"stdout": "", "stderr": "", **fields})

    monkeypatch.setattr(subprocess, "run", fake)
    return commands


def test_without_a_network_one_error_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(article_program, "ROOT", tmp_path)
    answers(monkeypatch, returncode=1, stderr="WARNING: retrying\nERROR: no such host\n")
    with pytest.raises(RuntimeError, match=r"TensorFlow could not .* internet.*\. ERROR: no such"):
        article_program.keras_environment()


def test_the_environment_is_made_once_and_again_when_its_list_changes(monkeypatch, tmp_path):
    monkeypatch.setattr(article_program, "ROOT", tmp_path)
    listed = tmp_path / "list.txt"
    monkeypatch.setattr(article_program, "REQUIREMENTS", listed)
    (tmp_path / "_build/keras").mkdir(parents=True)
    commands = answers(monkeypatch, returncode=0)
    made = []
    for text in ("keras==1", "keras==1", "keras==2"):
        listed.write_text(text, encoding="utf-8")
        article_program.keras_environment()
        made.append(len(commands))
    assert made == [2, 2, 4]


def test_keras_gets_the_data_and_the_recipe_and_its_answer_is_read(monkeypatch, tmp_path):
    """The arrays are looked at while they exist, where the Keras program would."""
    seen = {}

    def fake(failed, python, program, path, settings):
        with np.load(path) as file:
            seen.update({name: file[name] for name in file.files})
        seen["settings"] = json.loads(settings)
        return '{"seconds": 2.5, "validation_accuracies": [0.5, 0.75], "test_accuracy": 0.625}'

    monkeypatch.setattr(article_program, "keras_environment", lambda: tmp_path)
    monkeypatch.setattr(article_program, "fashion_mnist", lambda full: small_data())
    monkeypatch.setattr(article_program, "run", fake)
    result = article_program.in_keras(7, epochs=5, batch_size=32)
    assert result == {"test_accuracy": 0.625, "validation_accuracy": 0.75, "time_seconds": 2.5}
    assert seen.pop("settings") == {"seed": 7, "epochs": 5, "batch_size": 32}
    for name, part in small_data()._asdict().items():
        assert_close(seen[name], part.squeeze(1).numpy() if part.ndim == 4 else part.numpy())


def test_every_package_of_the_keras_environment_is_pinned():
    lines = article_program.REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    named = [line.partition(";")[0] for line in lines if line and not line.startswith("#")]
    assert named
    assert all(name.count("==") == 1 for name in named)
    versions = dict(name.split("==") for name in named)
    for package, label in (("keras", "Keras "), ("tensorflow-cpu", "TensorFlow ")):
        short = ".".join(versions[package].split(".")[:2])
        assert f"{label}{short}" in article_program.KERAS


def test_the_table_gives_each_row_s_seconds_as_a_share_of_the_first_s_seed_by_seed():
    rows = {
        "slow": {"test_accuracy": [0.5, 0.7], "time_seconds": [10.0, 40.0]},
        "quick": {"test_accuracy": [0.75, 0.75], "time_seconds": [5.0, 10.0]},
    }
    _, slow, quick = table(rows).splitlines()
    assert slow.split() == ["slow", "60.00", "%", "±", "14.14", "25.0", "1.00"]
    assert quick.split() == ["quick", "75.00", "%", "±", "0.00", "7.5", "0.38"]  # (1/2 + 1/4) / 2


def test_the_cheap_row_needs_no_keras():
    assert ROWS[CHEAP].func is article_program.in_torch


def test_the_rows_of_a_seed_run_one_after_the_other(tmp_path):
    """A machine that slows down does so for all of them."""
    order = []

    def row(label, seed):
        order.append((seed, label))
        return {"square": seed**2}

    rows = {label: partial(row, label) for label in "ab"}
    main("benchmarks.article_program", rows, range(5), "a", tmp_path)
    assert order == [(seed, label) for seed in range(5) for label in "ab"]
