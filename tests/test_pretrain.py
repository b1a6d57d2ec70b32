"""The loop of language models: one process or two, killed or not, and what its command line says.

python -m pytest tests/test_pretrain.py
"""

import json
import math
import os
import re
import signal
import subprocess
import sys
import weakref
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import helpers.pretrain as command_line
from helpers import parallel, pretraining
from helpers.checkpoints import (
    checkpoints_in,
    latest_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from helpers.data import shakespeare
from helpers.language import random_windows
from helpers.language_recipes import CLASSIC, CLASSIC_STEPS, PLAIN
from helpers.models.modern import ModernGPT
from helpers.models.transformer import GPT, Llama
from helpers.optim import AdamW, Muon, warmup_cosine
from helpers.pretrain import main
from helpers.pretrain_options import DEFAULTS
from helpers.pretraining import pretrain
from helpers.recipes import RECIPES
from helpers.runs import DivergedError
from helpers.training import fit

ROOT = Path(__file__).parent.parent
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}
SMALL = ["--layers", "1", "--heads", "2", "--width", "16", "--context", "16", "--batch", "4"]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    """A file of 4,000 characters."""
    path = tmp_path_factory.mktemp("text") / "play.txt"
    path.write_text(shakespeare().train[:4000], encoding="utf-8")
    return path


def command(text: Path, folder: Path | None = None, *more: str, steps: int = 20) -> list[str]:
    out = ["--out", str(folder)] if folder else []
    return ["--text", str(text), *out, *SMALL, "--steps", str(steps), "--sample", "20", *more]


def newest(folder: Path) -> dict:
    return load_checkpoint(checkpoints_in(folder)[0])


def largest_difference(ours: dict, theirs: dict) -> float:
    return max((w - theirs[name]).abs().max().item() for name, w in ours.items())


# Several processes. A program that torchrun starts twice runs each of these commands in turn.
EXACT = ["--dtype", "float64", "--model", "llama"]
MODERN = ["--dtype", "float64", "--model", "modern"]
VARIANTS = {
    "right": None,
    "each keeps its own gradient": ("averaging", lambda model: model),
    "each takes the same rows": ("own_rows", lambda batch: batch.chunk(2)[0]),
}


def train_variants(text: str, folder: str) -> None:
    """What each of the two processes does."""
    with parallel.joined():
        for variant, change in VARIANTS.items():
            kept = dict(vars(parallel))
            if change:
                setattr(parallel, *change)
            assert main(command(Path(text), Path(folder, variant), *EXACT)) == 0
            vars(parallel).update(kept)
        assert main(command(Path(text), Path(folder, "modern"), *MODERN)) == 0
        whole, _ = train(network().double())
        cut_off(7, model=network().double(), checkpoints=Path(folder, "cut"))
        resumed, _ = train(network().double(), checkpoints=Path(folder, "cut"))
        weights = {"whole": whole.state_dict(), "resumed": resumed.state_dict()}
        torch.save(weights, Path(folder, f"weights{parallel.rank()}.pt"))
        assert main(command(Path(text), None, "--batch", "5")) == 2


@pytest.fixture(scope="module")
def two(text, tmp_path_factory):
    """The folder of the runs, and what the two processes wrote."""
    folder = tmp_path_factory.mktemp("two")
    program = (
        "import sys; from tests.test_pretrain import train_variants; train_variants(*sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         "--no-python", sys.executable, "-c", program, str(text), str(folder)],
        cwd=ROOT, env=ONE_THREAD, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, done


@pytest.fixture(scope="module")
def one(text, tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("one")
    assert main(command(text, folder, *EXACT)) == 0
    return newest(folder)


def test_two_processes_equal_one_in_float64_to_1e_10(two, one):
    """After 20 steps of the classic recipe: weights, and the loss of every step."""
    ours = newest(two[0] / "right")
    assert largest_difference(ours["model"], one["model"]) < 1e-10
    torch.testing.assert_close(
        ours["history"]["losses"], one["history"]["losses"], rtol=0, atol=1e-10
    )


@pytest.mark.parametrize("variant", [name for name, change in VARIANTS.items() if change])
def test_two_processes_that_do_not_share_as_they_should_are_far_from_one(two, one, variant):
    ours = newest(two[0] / variant)
    assert largest_difference(ours["model"], one["model"]) > 1e-3


def test_muon_and_adamw_in_two_processes_equal_one_and_each_other(two):
    """Muon rounds to bfloat16. Two float64 numbers that differ in their last bits are rounded to
    the same one, unless they lie on both sides of a border: with float32 that happens."""
    ours, theirs = (torch.load(two[0] / f"weights{rank}.pt")["whole"] for rank in (0, 1))
    assert largest_difference(ours, theirs) == 0
    assert largest_difference(ours, train(network().double())[0].state_dict()) < 1e-10


def test_modern_in_two_processes_equals_one(two, text, tmp_path):
    """Muon may round one weight to the other side; to take the same rows twice makes it 0.2."""
    assert main(command(text, tmp_path, *MODERN)) == 0
    ours, theirs = newest(two[0] / "modern"), newest(tmp_path)
    assert largest_difference(ours["model"], theirs["model"]) < 1e-3


def test_two_processes_that_were_cut_off_go_on_bit_for_bit(two):
    for rank in (0, 1):
        weights = torch.load(two[0] / f"weights{rank}.pt")
        assert largest_difference(weights["resumed"], weights["whole"]) == 0


def test_only_process_0_speaks(two):
    runs = len(VARIANTS) + 1  # and modern
    assert two[1].stdout.count("sample at temperature") == runs
    assert two[1].stdout.count("100%") == runs
    [error] = [line for line in two[1].stderr.splitlines() if line.startswith("error: ")]
    assert error == (
        "error: The batch must be divisible by the number of processes, but 2 do not divide 5."
    )


# Killed and interrupted. Steps are counted from 1; checkpoints come at 0, 4, 8, …, 20.
DEATHS = ["SIGKILL 3", "SIGINT 6", "SIGKILL 8", "SIGKILL 10", "SIGINT 11", "SIGKILL 19"]


def arrange(death: str) -> None:
    """Let this process get a signal after so many steps, before anything is saved."""
    kind, when = death.split()
    learn = pretraining.LanguageRun.learn

    def learn_and_die(run, *arguments):
        learn(run, *arguments)
        if run.step == int(when):
            os.kill(os.getpid(), signal.Signals[kind])

    pretraining.LanguageRun.learn = learn_and_die


def live_and_die(legs: list) -> None:
    """Run a command once for each of its deaths, in a process of its own, forked from this one."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
    w = nn.Parameter(torch.ones(1))
    w.grad = torch.ones(1)
    torch.optim.AdamW([w]).step()  # its first step imports for seconds: once for all
    for arguments, deaths in legs:
        for death in deaths:
            child = os.fork()
            if child == 0:
                if death:
                    arrange(death)
                os._exit(main(arguments))
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            print(f"{death}: {code}", flush=True)


@pytest.fixture(scope="module")
def killed(text, tmp_path_factory):
    """The folder of both runs, and what they wrote."""
    folder = tmp_path_factory.mktemp("killed")
    killed = command(text, folder / "killed", "--checkpoint-every", "4", "--model", "llama")
    whole = command(text, folder / "whole", "--checkpoint-every", "4", "--model", "llama")
    program = (
        "import json, sys; from tests.test_pretrain import live_and_die; "
        "live_and_die(json.loads(sys.argv[1]))"
    )
    last = ["--out", str(folder / "killed"), "--sample", "20"]  # alone suffices to go on
    legs = json.dumps([[whole, [None]], [killed, DEATHS], [last, [None]]])
    done = subprocess.run(
        [sys.executable, "-c", program, legs], cwd=ROOT, env=ONE_THREAD, capture_output=True,
        text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


linux = pytest.mark.skipif(not hasattr(os, "fork"), reason="asks for os.fork")


@linux
def test_a_run_killed_again_and_again_ends_bit_for_bit_as_one_left_alone(killed):
    """Weights, what AdamW remembers, losses and the next random draw."""
    ours, theirs = newest(killed[0] / "killed"), newest(killed[0] / "whole")
    assert len(ours["history"]["losses"]) == 20
    assert ours["history"] == theirs["history"]
    assert torch.equal(ours["generator"], theirs["generator"])
    for name, w in theirs["model"].items():
        assert torch.equal(ours["model"][name], w), name
    [ours], [theirs] = ours["optimizer"]["optimizers"], theirs["optimizer"]["optimizers"]
    for i, state in theirs["state"].items():
        assert all(torch.equal(ours["state"][i][name], value) for name, value in state.items())


@linux
def test_the_processes_were_really_killed_and_went_on_from_what_was_saved(killed):
    """The test above must not pass because nobody died, or because each began anew."""
    codes = re.findall(r"^(?:SIG|None).*: (-?\d+)$", killed[1], re.MULTILINE)
    assert list(map(int, codes)) == [0, -9, 130, -9, -9, 130, -9, 0]
    went_on = re.findall(r"^going on: (\d+) of 20 steps", killed[1], re.MULTILINE)
    assert list(map(int, went_on)) == [4, 4, 8, 8, 16]
    promised = re.findall(r"^The same command goes on after step (\d+),", killed[1], re.MULTILINE)
    assert list(map(int, promised)) == [4, 8]
    assert killed[1].count("sample at temperature") == 2


def stop_at(monkeypatch, step: int) -> None:
    """An interrupt after so many steps, before anything is saved."""
    learn = pretraining.LanguageRun.learn

    def learn_and_stop(run, *arguments):
        learn(run, *arguments)
        if run.step == step:
            raise KeyboardInterrupt

    monkeypatch.setattr(pretraining.LanguageRun, "learn", learn_and_stop)


def test_modern_goes_on_bit_for_bit_also_where_bfloat16_is_no_longer_faster(
    monkeypatch, text, tmp_path
):
    """Whether it is faster is measured; two machines, or two moments, need not agree."""
    more = ["--checkpoint-every", "4", "--model", "modern"]
    monkeypatch.setattr(command_line, "half_is_faster", lambda: True)
    assert main(command(text, tmp_path / "whole", *more)) == 0
    with monkeypatch.context() as interrupted:
        stop_at(interrupted, 10)
        assert main(command(text, tmp_path / "cut", *more)) == 130
    assert len(newest(tmp_path / "cut")["history"]["losses"]) == 8
    monkeypatch.setattr(command_line, "half_is_faster", lambda: False)
    assert main(command(text, tmp_path / "cut", *more)) == 0
    ours, theirs = newest(tmp_path / "cut"), newest(tmp_path / "whole")
    assert ours["history"] == theirs["history"]
    assert largest_difference(ours["model"], theirs["model"]) == 0
    assert main(command(text, tmp_path / "float32", *more)) == 0  # the two do differ
    assert newest(tmp_path / "float32")["history"] != theirs["history"]


@pytest.mark.parametrize(
    ("change", "faster", "shares", "expected"),
    [
        ({}, True, 1.0, True),
        ({}, False, 1.0, False),
        ({}, True, 0.5, False),  # in one of two processes only
        ({"model": "gpt"}, True, 1.0, False),
        ({"dtype": "float64"}, True, 1.0, False),
        ({"device": "mps"}, True, 1.0, False),  # it is measured elsewhere
    ],
)
def test_modern_is_in_bfloat16_where_all_processes_gain_by_it(
    monkeypatch, change, faster, shares, expected
):
    given = {"model": "modern", "dtype": "float32", "device": "cpu", **change}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(command_line, "half_is_faster", lambda: faster)
    monkeypatch.setattr(parallel, "mean_over_processes", lambda value: value.item() * shares)
    options, device = SimpleNamespace(**given), torch.device(given["device"])
    assert command_line._half(options, device, None) == expected
    for kept in (True, False):
        assert command_line._half(options, device, {"notes": {"half": kept}}) == kept


# The command line.


def run(capsys, *arguments) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the command."""
    try:
        code = main(list(map(str, arguments)))
    except SystemExit as end:
        code = end.code
    return code, *capsys.readouterr()


@pytest.fixture(scope="module")
def finished(text, tmp_path_factory) -> Path:
    """The folder of a run of 3 steps."""
    folder = tmp_path_factory.mktemp("finished")
    assert main(command(text, folder, steps=3)) == 0
    return folder


CONTENTS = {
    "empty": (b"", "file is empty."),
    "one character": (b"a", "at least two different characters to predict, not 'a' only."),
    "one repeated": (b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "not 'a' only."),
    "latin-1": (b"na\xefve " * 99, "file is not UTF-8: byte 2 is 0xef."),
    "utf-16": ("naive".encode("utf-16"), "file is UTF-16, not UTF-8."),
    "zeros": (b"abc\0" * 99, "file is no text: byte 3 is zero."),
    "cut": ("naïv".encode()[:3], "file was cut short: it ends in half a character."),
    "short": (b"ab" * 8, "file has 15 characters for training, but a window of 16 and the one"),
}


def one_sentence(outcome: tuple[int, str, str], message: str) -> None:
    """Exit code 2, nothing on stdout, and one line on stderr that holds the message."""
    code, out, err = outcome
    assert (code, out) == (2, "")
    assert re.fullmatch(r"error: .+\n", err), err
    assert message in err


@pytest.mark.parametrize("kind", CONTENTS)
def test_a_file_that_is_no_text_to_learn_from_is_one_clear_sentence(capsys, tmp_path, kind):
    content, message = CONTENTS[kind]
    (tmp_path / "file").write_bytes(content)
    one_sentence(run(capsys, *command(tmp_path / "file")), message)


WRONG = [
    (["--layers", "0"], "--layers: must be a whole number of at least 1, not '0'"),
    (["--batch", "2.5"], "--batch: must be a whole number of at least 1, not '2.5'"),
    (["--steps", "-1"], "--steps: must be a whole number of at least 0, not '-1'"),
    (["--seed", str(2**63)], "--seed: must be a whole number of at least 0, not '92"),
    (["--heads", "3"], "--heads must divide --width, but 3 does not divide 16."),
    (["--heads", "16", "--model", "llama"], "divided by --heads must be even, not 1."),
    (["--heads", "16", "--model", "modern"], "modern turns pairs of numbers: --width divided by"),
    (["--model", "rnn"], "--model: invalid choice: 'rnn' (choose from 'gpt', 'modern', 'llama')"),
    (["--lr", "0"], "--lr: must be a positive number such as 1e-3, not '0'"),
    (["--lr", "nan"], "--lr: must be a number, not 'nan'"),
    (["--lr", "fast"], "--lr: must be a number, not 'fast'"),
    (["--validation-share", "1"], "must be at least 0 and below 1, not '1'"),
    (["--validation-share", "0.0003"], "The validation part would be one character long"),
    (["--top-p", "2"], "top_p must be above 0 and at most 1, or None, not 2.0."),
    (["--top-k", "0"], "--top-k: must be a whole number of at least 1, not '0'"),
    (["--temperature", "-1"], "temperature must be 0 or a positive number, not -1.0."),
    (["--prompt", "Straße €"], "Characters that are not in the vocabulary: 'ß€'."),
    (["--steps", "0"], "--steps 0 samples from a run in --out, but None holds none."),
    (["--speed", "9"], "unrecognized arguments: --speed 9"),
]


@pytest.mark.parametrize(("change", "message"), WRONG, ids=lambda value: " ".join(value)[:30])
def test_a_wrong_option_is_one_clear_sentence(capsys, text, change, message):
    one_sentence(run(capsys, *command(text, None, *change)), message)


def test_a_missing_file_and_a_folder_are_one_clear_sentence(capsys, tmp_path):
    one_sentence(run(capsys, *command(tmp_path / "no")), f"There is no file {tmp_path / 'no'}.")
    one_sentence(run(capsys, *command(tmp_path)), f"{tmp_path} is a folder: name a text file.")


def test_a_share_of_the_plays_is_refused_since_they_have_parts_of_their_own(capsys):
    one_sentence(run(capsys, "--validation-share", "0.2"), "a validation part of their own")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_here_is_one_clear_sentence(capsys, text):
    message = "There is no device cuda here: take --device cpu."
    one_sentence(run(capsys, *command(text, None, "--device", "cuda")), message)


def test_help_names_what_is_usual_for_each_model(capsys):
    code, out, _ = run(capsys, "--help")
    assert code == 0
    for usual in ("4; modern 3", "64; modern 128", "12; modern 16", "0.001; modern 0.006", "2000"):
        assert f"(usually {usual})" in " ".join(out.split())


def test_each_process_takes_the_gpu_of_its_number(monkeypatch):
    """Without a GPU, as far as it can be seen: torch's answers are stood in for."""
    chosen = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    for number in ("0", "1"):
        monkeypatch.setenv("LOCAL_RANK", number)
        assert parallel.pick_device("auto") == torch.device("cuda", int(number))
        assert parallel.pick_device("cpu") == torch.device("cpu")
    assert chosen == [0, 1]
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    for number in ("0", "2"):  # the one that speaks has a GPU, and must say it, too
        monkeypatch.setenv("LOCAL_RANK", number)
        with pytest.raises(ValueError, match="3 processes need a GPU each, and here are 2: start"):
            parallel.pick_device("cuda")


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/no"])
def test_a_folder_that_cannot_be_written_is_known_at_once(capsys, text, tmp_path, place):
    """Not after the first 200 steps."""
    (tmp_path / "file").write_text("mine")
    code, _, err = run(capsys, *command(text, tmp_path / place, steps=10_000))
    assert code == 2
    assert re.fullmatch(r"error: .*(is a file; checkpoints need|step 0 cannot be written).*\n", err)


def test_settings_that_disagree_with_the_checkpoint_are_named_with_both_values(
    capsys, text, finished, tmp_path
):
    (tmp_path / "other").write_text(text.read_text() + "!")
    cases = {
        ("--layers", "2"): "--layers was 1 when the run in",
        ("--lr", "0.01"): "began, and is 0.01 now: leave --lr out, or name another --out.",
        ("--model", "llama"): "--model was gpt when",
        ("--steps", "4"): "--steps was 3 when",
        ("--text", str(tmp_path / "other")): f"began with ({text}).",
    }
    before = {path: path.read_bytes() for path in finished.iterdir()}
    for change, message in cases.items():
        one_sentence(run(capsys, "--out", finished, *change), message)
    assert {path: path.read_bytes() for path in finished.iterdir()} == before


def test_a_finished_run_says_so_and_samples_and_the_same_command_changes_nothing(
    capsys, text, finished
):
    before = {path: path.read_bytes() for path in finished.iterdir()}
    outputs = [run(capsys, "--out", finished), run(capsys, *command(text, finished, steps=3))]
    for code, out, err in outputs:
        assert (code, err) == (0, "")
        assert "finished: 3 of 3 steps are done" in out
        assert "training:" not in out
    assert {path: path.read_bytes() for path in finished.iterdir()} == before


def test_steps_0_samples_without_the_text_as_many_characters_as_asked_for(
    capsys, text, finished, tmp_path
):
    sampling = ["--steps", "0", "--sample", "70", "--prompt", "Ham", "--temperature", "0"]
    code, out, err = run(capsys, "--out", finished, "--text", tmp_path / "gone", *sampling)
    assert (code, err) == (0, "")
    head, written = out.removesuffix("\n").split("\n", 1)
    assert head == "sample at temperature 0.0:"
    assert written.startswith("Ham")
    assert len(written) == 73
    assert run(capsys, "--out", finished, *sampling)[1] == out
    free = ["--steps", "0", "--sample", "70"]
    draws = [run(capsys, "--out", finished, *free, "--seed", seed)[1] for seed in (0, 1)]
    assert draws[0] != draws[1]


def test_a_temperature_too_near_to_0_is_one_clear_sentence(capsys, finished):
    outcome = run(capsys, "--out", finished, "--steps", "0", "--temperature", "1e-50")
    one_sentence(outcome, "at temperature 1e-50: ")


def test_the_stored_state_is_not_kept_in_memory_while_the_run_goes_on(monkeypatch, finished):
    """It is as large as the model and all that its optimizers keep."""
    weights, alive = [], []

    def read(folder):
        path, state = latest_checkpoint(folder)
        weights.append(weakref.ref(state["model"]["wte.weight"]))
        return path, state

    def watched(*arguments, **settings):
        alive.append(weights[0]() is not None)
        return pretrain(*arguments, **settings)

    monkeypatch.setattr(command_line, "latest_checkpoint", read)
    monkeypatch.setattr(command_line, "pretrain", watched)
    assert main(["--out", str(finished)]) == 0
    assert alive == [False]


def test_a_damaged_checkpoint_is_a_warning_and_all_of_them_an_error(capsys, text, tmp_path):
    assert main(command(text, tmp_path, "--checkpoint-every", "2", steps=3)) == 0
    capsys.readouterr()
    for path in checkpoints_in(tmp_path)[:1]:
        path.write_bytes(b"")
    with pytest.warns(UserWarning, match="is damaged") as caught:
        code, out, _ = run(capsys, "--out", tmp_path)
    assert len(caught) == 1
    assert code == 0
    assert "going on: 2 of 3 steps are done" in out
    for path in checkpoints_in(tmp_path):
        path.write_bytes(b"")
    one_sentence(run(capsys, "--out", tmp_path), "are damaged: delete them to start anew.")
    [save_checkpoint(tmp_path / "fit", 1, {"model": {}})]
    one_sentence(run(capsys, "--out", tmp_path / "fit"), "was not made by this command")


def test_a_rate_far_too_high_is_a_sentence_that_names_the_last_checkpoint(capsys, text, tmp_path):
    more = ["--lr", "1e30", "--checkpoint-every", "1"]
    code, _, err = run(capsys, *command(text, tmp_path, *more))
    assert code == 1
    assert re.match(
        r"error: The loss is nan after \d steps. Last good checkpoint: .*/step-00000", err
    )


def test_a_last_step_that_diverges_is_known_however_often_one_asks(capsys, text, tmp_path):
    """No loss of a batch tells: there is none after it."""
    for _ in range(2):
        code, out, err = run(capsys, *command(text, tmp_path, "--lr", "1e30", steps=1))
        assert (code, "nan" in out) == (1, False)
        assert re.fullmatch(r"error: The last step left a model whose .* loss is nan: .*\n", err)


def test_the_program_itself(text, tmp_path):
    """Its exit codes, and that nothing but the sentence is on stderr."""
    program = [sys.executable, "-m", "helpers.pretrain"]
    settings = {"cwd": ROOT, "env": ONE_THREAD, "capture_output": True, "text": True}
    done = subprocess.run([*program, *command(text, tmp_path, steps=2)], **settings)
    assert (done.returncode, done.stderr) == (0, "")
    for word in ("text: ", "model: ", "speed: ", "validation: ", "sample at"):
        assert word in done.stdout
    wrong = subprocess.run([*program, "--text", str(tmp_path / "no")], **settings)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr == f"error: There is no file {tmp_path / 'no'}.\n"


# The loop as a function.

VOCABULARY = 5


def network(n_heads: int = 2) -> GPT:
    torch.manual_seed(3)
    return GPT(VOCABULARY, context=8, hidden_dim=8, n_layers=1, n_heads=n_heads)


def ids() -> torch.Tensor:
    return torch.randint(VOCABULARY, (200,), generator=seeded(1))


def both(model: nn.Module) -> list:
    """Muon for the matrices within the blocks, AdamW for the rest."""
    matrices = [w for w in model.h.parameters() if w.ndim == 2]
    inner = {id(w) for w in matrices}
    rest = [w for w in model.parameters() if id(w) not in inner]
    return [Muon(matrices, lr=0.02), AdamW(rest, lr=0.01)]


def train(model: nn.Module | None = None, optimizers=None, **changes):
    """Train a tiny network -> it and its losses."""
    model = model or network()
    arguments = {
        "ids": ids(), "steps": 12, "batch_size": 4, "context": 8, "schedule": warmup_cosine,
        "generator": seeded(5), "clip_norm": 0.5, "checkpoint_every": 4, "quiet": True, **changes,
    }  # fmt: skip
    return model, pretrain(model, optimizers=optimizers or both(model), **arguments)


def by_hand() -> tuple[nn.Module, list[float]]:
    """The loop, written out."""
    model, generator, losses = network(), seeded(5), []
    muon, adamw = both(model)
    for step in range(12):
        inputs, targets = random_windows(ids(), 8, 4, generator)
        loss = cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
        model.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        muon.param_groups[0]["lr"] = 0.02 * warmup_cosine(step, 12)
        adamw.param_groups[0]["lr"] = 0.01 * warmup_cosine(step, 12)
        muon.step()
        adamw.step()
        losses.append(loss.item())
    return model, losses


def assert_same(ours: tuple, theirs: tuple) -> None:
    assert ours[1] == theirs[1]
    for name, w in theirs[0].state_dict().items():
        assert torch.equal(ours[0].state_dict()[name], w), name


def test_pretrain_equals_the_loop_written_out_bit_for_bit():
    assert_same(train(), by_hand())


def cut_off(at: int, **changes) -> None:
    """Train until an exception after step `at`."""

    def stop(losses):
        if len(losses) == at:
            raise RuntimeError("cut off")

    with pytest.raises(RuntimeError, match="cut off"):
        train(callbacks=[stop], **changes)


def test_muon_and_adamw_together_go_on_bit_for_bit(tmp_path):
    for at in (3, 6, 11):
        cut_off(at, checkpoints=tmp_path)
    assert_same(train(checkpoints=tmp_path), by_hand())
    assert [path.name[:11] for path in checkpoints_in(tmp_path)] == ["step-000012", "step-000008"]


def test_a_finished_run_called_again_does_nothing_and_gives_the_same(tmp_path):
    train(checkpoints=tmp_path)
    calls = []
    assert_same(train(checkpoints=tmp_path, callbacks=[calls.append]), by_hand())
    assert calls == []


def test_interrupting_keeps_what_was_learned(capsys):
    def stop(losses):
        if len(losses) == 7:
            raise KeyboardInterrupt

    model, losses = train(callbacks=[stop])
    assert losses == by_hand()[1][:7]
    assert not model.training
    assert capsys.readouterr().out == (
        "Stopped after 7 steps; the model keeps what it has learned.\n"
    )


def test_a_callback_that_says_true_ends_the_run_also_when_called_again(tmp_path):
    for _ in range(2):
        _, losses = train(callbacks=[lambda losses: len(losses) == 6], checkpoints=tmp_path)
        assert len(losses) == 6


def test_a_loss_that_is_nan_names_the_last_checkpoint(tmp_path):
    def spoil(losses):
        if len(losses) == 6:
            nn.init.constant_(model.wte.weight, math.nan)

    model = network()
    with pytest.raises(DivergedError, match=r"nan after 6 steps.*checkpoint: .*step-000004-"):
        train(model, callbacks=[spoil], checkpoints=tmp_path)


def with_rate(lr: float) -> dict:
    model = network()
    return {"model": model, "optimizers": [AdamW(model.parameters(), lr=lr)]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (lambda: {"steps": 13}, "its steps is 12, not 13"),
        (lambda: {"context": 7}, "its context is 8, not 7"),
        (lambda: {"ids": ids().flip(0)}, "its checksum of the data is"),
        (lambda: {"schedule": lambda step, steps: 1.0}, r"its schedule\.1 is 0\.5.*, not 1\.0"),
        (lambda: {"model": network().double()}, "is 'torch.float32', not 'torch.float64'"),
        (lambda: with_rate(0.01), "its optimizers is 'Muon, AdamW', not 'AdamW'"),
        (lambda: {"model": network(4)}, r"its model's h\.0\.attn\.n_heads is 2, not 4"),
    ],
)
def test_another_call_in_the_same_folder_is_refused_and_names_what_differs(
    tmp_path, changes, message
):
    cut_off(5, checkpoints=tmp_path)
    with pytest.raises(ValueError, match=message):
        train(**{"checkpoints": tmp_path, **changes()})


SIZE = {"context": 8, "hidden_dim": 8, "n_layers": 1, "n_heads": 2}


def modern(**switches) -> ModernGPT:
    return ModernGPT(VOCABULARY, **SIZE, **switches)


def llama(eps: float) -> Llama:
    return Llama(VOCABULARY, **SIZE, n_kv_heads=1, mlp_dim=12, eps=eps)


def scaled(scale) -> nn.Module:
    """A model of somebody else's, with a number of numpy's, which no checkpoint may hold."""
    model = network()
    model.scale = scale
    return model


@pytest.mark.parametrize(
    ("begun", "now", "message"),
    [
        (modern(), modern(qk_norm=True), r"model's switches\.qk_norm is False, not True"),
        (modern(), modern(half=True), r"model's switches\.half is False, not True"),
        (llama(1e-5), llama(1e-6), r"input_layernorm\.eps is 1e-05, not 1e-06"),
        (scaled(np.float64(2)), scaled(np.float64(3)), r"scale is 'np\.float64\(2\.0\)', not 'np"),
    ],
)
def test_a_model_that_differs_inside_is_refused(tmp_path, begun, now, message):
    """Its weights have the same names and shapes, and it prints alike."""
    adamw = [{"optimizers": [AdamW(model.parameters(), lr=0.01)]} for model in (begun, now)]
    cut_off(5, model=begun, checkpoints=tmp_path, **adamw[0])
    with pytest.raises(ValueError, match=message):
        train(now, checkpoints=tmp_path, **adamw[1])


def test_a_checkpoint_of_fit_is_refused(tmp_path):
    pictures, labels = torch.rand(4, 1, 2, 2), torch.tensor([0, 1, 0, 1])
    fit(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), pictures, labels, epochs=1, batch_size=4,
        max_lr=0.1, generator=seeded(), checkpoints=tmp_path, quiet=True)  # fmt: skip
    with pytest.raises(ValueError, match=r"\.pt is no checkpoint of pretrain: name an empty fol"):
        train(checkpoints=tmp_path)


def test_another_learning_rate_is_refused(tmp_path):
    cut_off(5, checkpoints=tmp_path, **with_rate(0.01))
    with pytest.raises(ValueError, match=r"its learning rate\.0 is 0\.01, not 0\.02"):
        train(checkpoints=tmp_path, **with_rate(0.02))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"steps": 0}, ValueError, "steps must be a whole number of at least 1, not 0"),
        ({"batch_size": 1.5}, ValueError, "batch_size must be a whole number"),
        ({"context": True}, ValueError, "context must be a whole number"),
        ({"context": 200}, ValueError, "need 201 tokens, but the text has 200"),
        ({"context": 9}, ValueError, "9 tokens came, but this model has a context of 8"),
        ({"ids": "text"}, TypeError, r"token ids \(n,\) of type torch\.int64, not str"),
        ({"ids": torch.ones(9)}, TypeError, r"not torch\.float32 \(9,\)"),
        ({"ids": torch.ones(1, 9).long()}, TypeError, r"not torch\.int64 \(1, 9\)"),
        ({"schedule": 1.0}, TypeError, "schedule must be a function"),
        ({"optimizers": AdamW(network().parameters(), lr=1)}, TypeError, "must be a list of at"),
        ({"optimizers": [None]}, TypeError, "must be a list of at least one"),
        ({"optimizers": with_rate(1.0)["optimizers"]}, ValueError, "none of this model's weights"),
        ({"generator": 0}, TypeError, r"generator must be a torch\.Generator"),
        ({"callbacks": [1]}, TypeError, "each of the callbacks must be functions"),
        ({"clip_norm": -1}, ValueError, "clip_norm must be a positive number"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(changes, error, message):
    with pytest.raises(error, match=message):
        train(**changes)


def test_a_weight_that_two_optimizers_move_is_refused():
    model = network()
    twice = [AdamW(model.parameters(), lr=0.1), AdamW(model.h.parameters(), lr=0.1)]
    with pytest.raises(ValueError, match="move the same weight"):
        train(model, optimizers=twice)


def test_the_classic_schedule_rises_in_100_steps_and_falls_to_a_tenth():
    schedule = RECIPES["gpt"].schedule
    rates = [schedule(step, 2000) for step in range(2000)]
    assert rates[0] == pytest.approx(0.01)
    assert rates[99] == 1 == max(rates)
    assert rates[-1] == pytest.approx(0.1)
    assert rates[99:] == sorted(rates[99:], reverse=True)
    assert schedule(1049, 2000) == pytest.approx(0.55)


def test_the_classic_recipe_shrinks_matrices_alone():
    groups = RECIPES["gpt"].optimizers(network(), 1e-3)[0].param_groups
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    assert {w.ndim for w in groups[0]["params"]} == {2}
    assert {w.ndim for w in groups[1]["params"]} == {1}


def settings_of(optimizers: list) -> list[dict]:
    """All settings of all groups, and how many weights each has."""
    return [
        {**group, "params": len(group["params"])} for o in optimizers for group in o.param_groups
    ]


@pytest.mark.parametrize(("kind", "recipe"), [("gpt", CLASSIC), ("modern", PLAIN)])
def test_the_usual_options_are_the_recipe_that_was_chosen(kind, recipe):
    """Else a new choice in `language_recipes` would leave the command line behind."""
    made, options = RECIPES[kind], {**DEFAULTS, **RECIPES[kind].usual}
    ours = made.model(29, SimpleNamespace(**options, half=False))
    theirs = replace(recipe, switches={**recipe.switches, "half": False}).model(29)
    assert {name: w.shape for name, w in ours.named_parameters()} == {
        name: w.shape for name, w in theirs.named_parameters()
    }
    assert getattr(ours, "switches", theirs.switches) == theirs.switches
    assert (options["context"], options["batch"]) == (recipe.context, recipe.batch_size)
    assert (options["heads"], made.clip_norm) == (recipe.shape["n_heads"], recipe.clip_norm)
    optimizers = [made.optimizers(ours, options["lr"]), recipe.optimizers(theirs)]
    for group, its in zip(*map(settings_of, optimizers), strict=True):
        assert {**group, "lr": its["lr"]} == its
        assert group["lr"] == pytest.approx(its["lr"])  # 5 · 0.006 is not quite 0.03


def test_the_usual_length_is_the_classic_one():
    assert DEFAULTS["steps"] == CLASSIC_STEPS
