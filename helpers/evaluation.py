"""How good is a model, and is that the result to expect?

A result of training is a draw, not a constant: other hardware or another seed gives another value.
So a chapter states a *band* from several measured seeds (`expect`), and says beside it which value
a mistake would give. Results that take too long for a chapter are *records* (`show_record`).
"""

import html
import json
import math
import os
import statistics
from collections.abc import Mapping, Sequence
from importlib import resources

import torch
from torch import Tensor, nn

REASONS = (
    "Usual reasons: other hardware or another number of threads (sums are rounded in another "
    "order), another version of torch, or a changed setting above."
)


def unit_floats(images: Tensor) -> Tensor:
    """Give pixels as float32 in 0…1: whole-number pixels are divided by 255, floats are checked.

    >>> unit_floats(torch.tensor([0, 51, 255], dtype=torch.uint8))
    tensor([0.0000, 0.2000, 1.0000])

    Raises:
        TypeError: not a tensor of uint8 or floats.
        ValueError: floats outside 0…1, or not a number.
    """
    if not isinstance(images, Tensor):
        raise TypeError(f"Images must be a tensor, not {type(images).__name__}.")
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise TypeError(f"Images must have uint8 or float pixels, not {images.dtype}.")
    if images.dtype == torch.uint8:
        return images.float() / 255
    # Written so that a NaN fails too.
    if images.numel() and not (images.min() >= 0 and images.max() <= 1):
        low, high = images.min().item(), images.max().item()
        raise ValueError(
            f"Float pixels must lie in 0…1, but these span {low:g} to {high:g}: divide them by 255."
        )
    return images.float()


def predict(model: nn.Module, images: Tensor, batch_size: int = 1000) -> Tensor:
    """Compute logits `(n, classes)` for images `(n, channels, height, width)`, without gradients.

    The model runs in evaluation mode and is given back in the mode it came in. It may be on another
    device than the images; the logits come back to theirs.

    >>> predict(ArticleCNN(), torch.zeros(7, 1, 28, 28)).shape
    torch.Size([7, 10])

    Raises:
        TypeError, ValueError: see `unit_floats`; or there is no image.
    """
    if isinstance(images, Tensor) and len(images) == 0:
        raise ValueError("There is no image to predict: the tensor is empty.")
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            device = device_of(model)
            parts = [model(unit_floats(batch.to(device))) for batch in images.split(batch_size)]
            return torch.cat(parts).to(images.device)
    finally:
        model.train(was_training)


def device_of(model: nn.Module) -> torch.device:
    """The device that a model's weights are on; the CPU if it has none."""
    return next((w.device for w in model.parameters()), torch.device("cpu"))


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Return the share of rows whose largest logit is the labelled class, between 0 and 1.

    `logits` is `(n, classes)`, `labels` `(n,)` of whole numbers.

    >>> accuracy(torch.tensor([[2.0, 1.0], [0.0, 3.0]]), torch.tensor([0, 0]))
    0.5

    Raises:
        TypeError: not tensors, or labels that are not whole numbers.
        ValueError: the shapes do not fit, nothing came, or a logit is not a number.
    """
    if not isinstance(logits, Tensor) or not isinstance(labels, Tensor):
        came = f"{type(logits).__name__} and {type(labels).__name__}"
        raise TypeError(f"Logits and labels must be tensors, not {came}.")
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or len(labels) == 0:
        raise ValueError(
            "Expected logits (n, classes) and labels (n,) with n > 0, "
            f"not {tuple(logits.shape)} and {tuple(labels.shape)}."
        )
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise TypeError(f"Labels must be whole numbers (torch.int64), not {labels.dtype}.")
    if logits.isnan().any():
        raise ValueError("Some logits are NaN: the training has diverged, try a smaller max_lr.")
    return (logits.argmax(dim=1) == labels).double().mean().item()


def band(seeds: Sequence[float]) -> tuple[float, float]:
    """Return mean − 4 sd and mean + 4 sd of results that were measured with several seeds.

    The sd is the sample's (division by n − 1).

    >>> band([1.0, 2.0, 3.0, 2.0, 2.0])
    (-0.82..., 4.82...)

    Raises:
        ValueError: fewer than 5 values, or one that is not finite.
    """
    values = [float(value) for value in seeds]
    if len(values) < 5:
        raise ValueError(f"A band needs at least 5 measured values, and {len(values)} came.")
    if not all(math.isfinite(value) for value in values):
        raise ValueError(f"A band needs finite values, and these came: {values}.")
    mean, spread = statistics.fmean(values), statistics.stdev(values)
    return mean - 4 * spread, mean + 4 * spread


def expect(name: str, value: float, *, seeds: Sequence[float], broken: float) -> None:
    """Print a result beside its band and beside the value that a mistake gives.

    `seeds` holds the measured values of at least 5 runs, `broken` the chance level or the result of
    the mistake that the section warns of. Never use it on seconds: they belong to the machine.

    >>> expect("test accuracy", 0.91, seeds=[0.90, 0.91, 0.92, 0.91, 0.91], broken=0.10)
    test accuracy: 0.91
    expected 0.8817 to 0.9383 (mean ± 4 sd of 5 runs); broken it would be 0.1

    Raises:
        AssertionError: the value is outside its band, and `BOOK_STRICT=1` (as in `make`).
        ValueError: `broken` lies inside the band, which then could not tell; or see `band`.
    """
    low, high = band(seeds)
    value, broken = float(value), float(broken)
    limits = f"{low:.4g} to {high:.4g} (mean ± 4 sd of {len(seeds)} runs)"
    if not (broken < low or broken > high):
        raise ValueError(f"The band {limits} is too wide to tell: it holds broken={broken:.4g}.")
    print(f"{name}: {value:.4g}\nexpected {limits}; broken it would be {broken:.4g}")
    if low <= value <= high:
        return
    if os.environ.get("BOOK_STRICT") == "1":
        raise AssertionError(f"{name} is {value:.4g}, outside {limits}. {REASONS}")
    print(f"Your value is outside the band. {REASONS}")


def record(name: str) -> dict:
    """Load the record `helpers/records/NAME.json`: results of runs too long for a chapter.

    >>> record("article_cnn")["seeds"]
    [0, 1, 2, 3, 4, 5]

    Raises:
        ValueError: there is no record of this name.
    """
    files = {
        file.name.removesuffix(".json"): file
        for file in (resources.files("helpers") / "records").iterdir()
        if file.name.endswith(".json")
    }
    if name not in files:
        raise ValueError(f"There is no record {name!r}; there are: {', '.join(sorted(files))}.")
    return json.loads(files[name].read_text(encoding="utf-8"))


def show_record(
    name: str, columns: Mapping[str, str] | None = None, *, only: str = "", without: str = ""
) -> "RecordTable":
    """Return a record as a table of mean ± sd, with its date, machine and command under it.

    `columns` maps a metric to its heading, and chooses and orders the metrics; all by default.
    Metrics whose name ends in "accuracy" are shown in percent. `only` keeps the rows whose label
    begins with it, and takes it off the label; `without` leaves out those that begin with it, such
    as the row that only tests the record.

    >>> show_record("article_cnn", {"test_accuracy": "test accuracy"})

    Raises:
        ValueError: no such record, or no such metric or row in it.
    """
    loaded = record(name)
    shown = [k for k in loaded["rows"] if k.startswith(only)]
    shown = [k for k in shown if not without or not k.startswith(without)]
    if not shown:
        raise ValueError(f"No row of record {name!r} begins with {only!r}: {list(loaded['rows'])}.")
    rows = {k.removeprefix(only): loaded["rows"][k] for k in shown}
    loaded = {**loaded, "rows": rows}
    known = list(next(iter(loaded["rows"].values())))
    columns = dict(columns) if columns else {metric: metric.replace("_", " ") for metric in known}
    unknown = sorted(set(columns) - set(known))
    if unknown:
        raise ValueError(f"Record {name!r} has no {', '.join(unknown)}; it has {', '.join(known)}.")
    return RecordTable(loaded, columns)


# A value and its spread stay on one line; a table wider than the screen scrolls by itself. The
# style travels along, for Colab and JupyterLab.
TABLE_STYLE = """<style>
.lm-record { overflow-x: auto; }
.lm-record :is(th, td) { padding: 0.2em 0.7em; text-align: right; }
.lm-record td { white-space: nowrap; }
.lm-record th[scope="row"] { padding-left: 0; text-align: left; min-width: 8em; }
</style>"""


class RecordTable:
    """A record's table: HTML in a notebook, plain text elsewhere."""

    def __init__(self, loaded: dict, columns: Mapping[str, str]):
        self.name = f"Record {loaded['name']}"
        self.head = ["", *columns.values()]
        self.body = [
            [label, *(_mean_and_spread(metric, row[metric]) for metric in columns)]
            for label, row in loaded["rows"].items()
        ]
        self.foot = (
            f"mean ± sd of {len(loaded['seeds'])} seeds, measured {loaded['date']} on "
            f"{loaded['machine']}; torch {loaded['versions']['torch']}; {loaded['command']}"
        )

    def __repr__(self) -> str:
        table = [self.head, *self.body]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]
        return "\n".join([*lines, self.foot])

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in self.head[1:])
        rows = "".join(
            f'<tr><th scope="row">{html.escape(label)}</th>'
            + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
            + "</tr>"
            for label, *cells in self.body
        )
        return (
            f'{TABLE_STYLE}<div class="lm-record" tabindex="0" role="region" '
            f'aria-label="{html.escape(self.name, quote=True)}"><table><thead><tr><td></td>{head}'
            f"</tr></thead><tbody>{rows}</tbody></table></div>"
            f"<p><small>{html.escape(self.foot)}</small></p>"
        )


def _mean_and_spread(metric: str, values: Sequence[float]) -> str:
    mean, spread = statistics.fmean(values), statistics.stdev(values)
    if metric.endswith("accuracy"):
        return f"{100 * mean:.2f} % ± {100 * spread:.2f}"
    if mean >= 100:  # 12,345 reads better than 1.234e+04
        return f"{mean:,.0f}" + (f" ± {spread:,.0f}" if spread else "")
    # A count comes out the same for every seed.
    return f"{mean:.4g}" + (f" ± {spread:.2g}" if spread else "")
