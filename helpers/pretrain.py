"""Train a language model on a text of your own, from the command line.

    python -m helpers.pretrain --text FILE --out FOLDER

- The same command again goes on where the run stopped. `--out FOLDER` alone is enough for it:
  the settings and the characters are stored with the weights.
- Several processes: `torchrun --nproc-per-node 2 -m helpers.pretrain --text FILE`.
- The loop itself is `pretrain`, in `helpers.pretraining`.
"""

import argparse
import math
import sys
import time
import warnings
import zlib
from pathlib import Path

import torch
from torch import Tensor, nn

from helpers import parallel
from helpers.checkpoints import (
    CheckpointError,
    checkpoints_in,
    latest_checkpoint,
    load_weights,
    step_of,
)
from helpers.data import read_text, shakespeare
from helpers.evaluation import device_of
from helpers.generation import check_sampling, generate
from helpers.language import Characters, bits_per_character, window_loss
from helpers.language_recipes import half_is_faster
from helpers.pretrain_options import DEFAULTS, FREE, fail, flag, given_options
from helpers.pretraining import pretrain
from helpers.recipes import RECIPES
from helpers.runs import DivergedError

__all__ = ["main", "pretrain"]

PLAYS = "the plays"  # what --text is when no file is given


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says, and return the exit code.

    0 is success; 2 an input that cannot be, said in one sentence on stderr; 1 a run that diverged;
    130 an interrupt.
    """
    with parallel.joined():
        try:
            return _run(given_options(arguments))
        except (ValueError, OSError, CheckpointError) as error:
            return fail(str(error), 2)
        except DivergedError as error:
            return fail(str(error), 1)
        except KeyboardInterrupt:
            return fail("Interrupted.", 130)


def _say(line: str) -> None:
    if parallel.rank() == 0:
        print(line, flush=True)


def _run(given: dict) -> int:
    """Check everything that was given, then train, then sample."""
    state = _stored(given)
    options = _settle(given, state)
    device = _device(options)
    options.half = _half(options, device, state)
    texts = _read(options, state) if options.steps else ("", "")
    letters = Characters(state["notes"]["characters"] if state else "".join(texts))
    first = "\n" if "\n" in letters.numbers else letters.characters[0]
    prompt = letters.encode(options.prompt or first).to(device)
    model = _model(options, len(letters), device)
    done = len(state["history"]["losses"]) if state else 0
    if not options.steps:
        load_weights(model, state["model"])
    del state  # as large as the model and all that its optimizers keep
    if options.steps and not _train(model, options, letters, texts, done):
        return 130
    if parallel.rank() == 0 and options.sample:
        generator = torch.Generator().manual_seed(options.seed)
        sampling = {name: getattr(options, name) for name in ("temperature", "top_k", "top_p")}
        written = generate(model, prompt[None], options.sample, generator=generator, **sampling)
        _say(f"sample at temperature {options.temperature}:\n{letters.decode(written[0].tolist())}")
    return 0


def _model(options: argparse.Namespace, vocab_size: int, device: torch.device) -> nn.Module:
    """The model with its first weights."""
    torch.manual_seed(options.seed)
    model = RECIPES[options.model].model(vocab_size, options).to(device)
    return {"float32": model.float, "float64": model.double}[options.dtype]()  # complex tables stay


def _train(
    model: nn.Module,
    options: argparse.Namespace,
    letters: Characters,
    texts: tuple[str, str],
    done: int,
) -> bool:
    """Train, and say how well the model predicts the validation part. False after an interrupt."""
    recipe, (training, validation) = RECIPES[options.model], texts
    _describe(model, options, letters, texts, done)
    start = time.perf_counter()
    losses = pretrain(
        model, letters.encode(training), steps=options.steps, batch_size=options.batch,
        context=options.context, optimizers=recipe.optimizers(model, options.lr),
        schedule=recipe.schedule, clip_norm=recipe.clip_norm, checkpoints=options.out,
        generator=torch.Generator().manual_seed(options.seed), quiet=done == options.steps,
        checkpoint_every=options.checkpoint_every, notes=_notes(options, letters, texts),
    )  # fmt: skip
    seconds = time.perf_counter() - start
    if len(losses) < options.steps:
        if options.out:
            saved = step_of(checkpoints_in(options.out)[0])
            _say(f"The same command goes on after step {saved}, the last that was saved.")
        return False
    if done < options.steps:
        tokens = (options.steps - done) * options.batch * options.context
        _say(f"speed: {tokens / seconds:,.0f} tokens per second")
    if validation and parallel.rank() == 0:
        _judge(model, letters.encode(validation), options.context)
    return True


def _judge(model: nn.Module, ids: Tensor, context: int) -> None:
    """Say the loss on the validation part `(n,)`: the last step's weights are seen here first."""
    loss = window_loss(model, ids, context)
    if not math.isfinite(loss):
        raise DivergedError(
            f"The last step left a model whose validation loss is {loss}: begin anew with a "
            "smaller --lr, and another --out."
        )
    _say(
        f"validation: {loss:.3f} nats per character, {bits_per_character(loss, 1, 1):.3f} "
        f"bits, in windows of {context}"
    )


def _describe(
    model: nn.Module,
    options: argparse.Namespace,
    letters: Characters,
    texts: tuple[str, str],
    done: int,
) -> None:
    training, validation = map(len, texts)
    _say(
        f"text: {options.text or PLAYS}, {training:,} characters for training and "
        f"{validation:,} for validation, {len(letters)} different ones"
    )
    parameters = sum(w.numel() for w in model.parameters())
    _say(f"model: {options.model}, {parameters:,} parameters, on {device_of(model)}")
    if done:
        whole = done == options.steps
        _say(f"{'finished' if whole else 'going on'}: {done} of {options.steps} steps are done")


def _stored(given: dict) -> dict | None:
    """The newest state in the folder, if there is one."""
    with warnings.catch_warnings():
        if given.get("steps") != 0:
            warnings.simplefilter("ignore")  # of a damaged file, the loop will warn
        found = latest_checkpoint(given["out"]) if "out" in given else None
    if found is None:
        return None
    path, state = found
    if "notes" not in state or "options" not in state["notes"]:
        raise ValueError(f"{path} was not made by this command: name another --out.")
    return state


def _notes(options: argparse.Namespace, letters: Characters, texts: tuple[str, str]) -> dict:
    """What is stored beside the weights."""
    return {
        "options": {name: getattr(options, name) for name in DEFAULTS},
        "half": options.half,
        "characters": letters.characters,
        "text": options.text and str(Path(options.text).absolute()),
        "checksum": _checksum(texts),
    }


def _checksum(texts: tuple[str, str]) -> int:
    return zlib.crc32("".join(texts).encode())


def _settle(given: dict, state: dict | None) -> argparse.Namespace:
    """What was given, what is stored and what is usual, in this order; and whether it fits."""
    kept = state["notes"]["options"] if state else {}
    only_sample = {"steps", "seed"} if given.get("steps") == 0 else set()
    for name, value in kept.items():
        if given.get(name, value) != value and name not in only_sample:
            option = flag(name)
            raise ValueError(
                f"{option} was {value} when the run in {given['out']} began, and is {given[name]} "
                f"now: leave {option} out, or name another --out."
            )
    text = {"text": state["notes"]["text"]} if state else {}
    usual = RECIPES[{**DEFAULTS, **kept, **given}["model"]].usual
    options = argparse.Namespace(**{**DEFAULTS, **FREE, **usual, **kept, **text, **given})
    if options.steps == 0 and state is None:
        raise ValueError(f"--steps 0 samples from a run in --out, but {options.out} holds none.")
    if options.text is None and "validation_share" in given:
        raise ValueError(
            "The plays have a validation part of their own: leave --validation-share out."
        )
    if options.width % options.heads:
        raise ValueError(
            f"--heads must divide --width, but {options.heads} does not divide {options.width}."
        )
    if options.model in ("modern", "llama") and options.width // options.heads % 2:
        raise ValueError(
            f"{options.model} turns pairs of numbers: --width divided by --heads must be even, not "
            f"{options.width // options.heads}."
        )
    check_sampling(options.temperature, options.top_k, options.top_p)
    return options


def _device(options: argparse.Namespace) -> torch.device:
    device = parallel.pick_device(options.device)
    if options.dtype == "float64" and device.type == "mps":
        raise ValueError("The device mps has no float64: take --device cpu.")
    return device


def _half(options: argparse.Namespace, device: torch.device, state: dict | None) -> bool:
    """Whether products are in bfloat16: as when the run began, else if all processes gain by it."""
    if state and "half" in state["notes"]:
        return state["notes"]["half"]
    measured = "cuda" if torch.cuda.is_available() else "cpu"  # where `half_is_faster` looks
    asked = options.model == "modern" and options.dtype == "float32" and device.type == measured
    gains = torch.tensor(float(asked and half_is_faster()))
    return parallel.mean_over_processes(gains) == 1


def _read(options: argparse.Namespace, state: dict | None) -> tuple[str, str]:
    """The training and the validation part of the text."""
    if options.text is None:
        plays = shakespeare()
        return plays.train, plays.validation
    try:
        text = read_text(options.text)
    except FileNotFoundError:
        raise ValueError(f"There is no file {options.text}.") from None
    except IsADirectoryError:
        raise ValueError(f"{options.text} is a folder: name a text file.") from None
    Characters(text)  # raises if there is nothing to predict
    cut = len(text) - int(options.validation_share * len(text))
    texts = text[:cut], text[cut:]
    if len(texts[0]) <= options.context:
        raise ValueError(
            f"{options.text} has {len(texts[0])} characters for training, but a window of "
            f"{options.context} and the one after it need {options.context + 1}: take a smaller "
            "--context or a longer text."
        )
    if len(texts[1]) == 1:
        raise ValueError(
            "The validation part would be one character long, too short for a loss: take a larger "
            "--validation-share, or 0 for none."
        )
    if state and _checksum(texts) != state["notes"]["checksum"]:
        raise ValueError(
            f"{options.text} is not the text that the run in {options.out} began with "
            f"({state['notes']['text'] or PLAYS})."
        )
    return texts


if __name__ == "__main__":
    warnings.formatwarning = lambda message, *_: "" if parallel.rank() else f"warning: {message}\n"
    sys.exit(main())
