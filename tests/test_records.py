"""Records are complete, fresh and can be had again; what writes them writes whole files.

python -m pytest tests/test_records.py
"""

import datetime
import importlib
import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import common
from benchmarks._fingerprint import ROOT, code_sha256
from benchmarks.common import RECORDS, cheap_seeds, is_fresh, main
from helpers.evaluation import band, record

BENCHMARKS = sorted(
    path.stem for path in (ROOT / "benchmarks").glob("[!_]*.py") if path.stem != "common"
)
every_benchmark = pytest.mark.parametrize("name", BENCHMARKS)


def test_each_benchmark_has_a_record_and_each_record_a_benchmark():
    assert sorted(path.stem for path in RECORDS.glob("*.json")) == BENCHMARKS != []


def test_cheap_rows_have_five_seeds_for_their_band():
    assert cheap_seeds(range(3)) == [0, 1, 2, 3, 4]
    assert cheap_seeds([0, 1, 2, 3, 4, 5]) == [0, 1, 2, 3, 4, 5]
    assert cheap_seeds([7, 9, 8]) == [7, 9, 8, 10, 11]


@every_benchmark
def test_a_record_has_every_field_and_one_value_per_seed(name):
    loaded = record(name)
    assert list(loaded) == [
        *("name", "command", "date", "machine", "versions", "code_sha256"),
        *("seeds", "cheap", "rows"),
    ]
    assert (loaded["name"], loaded["command"]) == (name, f"python -m benchmarks.{name}")
    assert datetime.date.fromisoformat(loaded["date"])
    assert set(loaded["versions"]) == {"python", "torch", "numpy"}
    assert len(loaded["seeds"]) >= 3
    assert loaded["cheap"] in loaded["rows"]
    metrics = {tuple(row) for row in loaded["rows"].values()}
    assert len(metrics) == 1
    for label, row in loaded["rows"].items():
        seeds = cheap_seeds(loaded["seeds"]) if label == loaded["cheap"] else loaded["seeds"]
        assert all(len(values) == len(seeds) for values in row.values())


@every_benchmark
def test_a_record_names_the_machine_and_nobody(name):
    """Cores and memory, and neither a host name nor a path."""
    machine = record(name)["machine"]
    assert re.match(r"\d+ cores \(.+\), \d+ GB memory, \d+ torch threads?$", machine)
    assert "/" not in json.dumps(record(name))


@every_benchmark
def test_a_record_is_fresh(name):
    """The code that made it is the code that is there."""
    assert is_fresh(name), f"helpers/records/{name}.json: make records"


def test_a_record_is_stale_without_a_file_or_when_the_code_has_changed(tmp_path):
    assert not is_fresh("article_cnn", tmp_path)
    other = {**record("article_cnn"), "code_sha256": "0" * 64}
    (tmp_path / "article_cnn.json").write_text(json.dumps(other), encoding="utf-8")
    assert not is_fresh("article_cnn", tmp_path)


@every_benchmark
def test_the_cheap_row_comes_out_again_with_another_seed(name):
    benchmark = importlib.import_module(f"benchmarks.{name}")
    loaded = record(name)
    assert list(benchmark.ROWS) == list(loaded["rows"])
    assert (benchmark.CHEAP, list(benchmark.SEEDS)) == (loaded["cheap"], loaded["seeds"])
    again = benchmark.ROWS[benchmark.CHEAP](max(cheap_seeds(benchmark.SEEDS)) + 1)
    for metric, value in again.items():
        value = round(value, 6)  # as `run_row` writes it: a count without spread must be equal
        if metric.startswith("time"):  # never a bound on seconds: they belong to the machine
            continue
        values = loaded["rows"][benchmark.CHEAP][metric]
        low, high = band(values)
        # One more run lies this much further from the mean of n runs than from the true mean.
        half = (high - low) / 2 * math.sqrt(1 + 1 / len(values))
        assert abs(value - (low + high) / 2) <= half, f"{metric} is {value}"


# A repository of two files and what they import.
FILES = {
    "benchmarks/run.py": "from helpers import data\nROWS = {'a': data.size(3)}\n",
    "helpers/__init__.py": "",
    "helpers/data.py": "from helpers.assets import get\nfrom .sums import half as less, twice\n"
    "def size(n):\n    from . import deep\n    return get(less(n) + twice(n) + deep.LIMIT)\n"
    "def other(n):\n    return deep.TEXT\n",
    "helpers/sums.py": "FACTOR = 2\ndef half(n):\n    return n / FACTOR\n"
    "def twice(n):\n    return n * FACTOR\n",
    "helpers/assets.py": "def get(n):\n    return n\n",
    "helpers/deep/__init__.py": "from .inner import LIMIT, TEXT\n",
    "helpers/deep/inner.py": "print('loaded')\nLIMIT = 3\nTEXT = f'{LIMIT:>4} of {LIMIT!r}'\n",
    "helpers/unused.py": "LIMIT = 3\n",
}


def hashed(folder, **changes) -> str:
    for path, text in {**FILES, **changes}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return code_sha256("benchmarks.run", folder)


@pytest.mark.parametrize(
    ("path", "old", "new", "same"),
    [
        ("benchmarks/run.py", "size(3)", "size(4)", False),
        ("helpers/data.py", "less(n)", "less(n + 1)", False),
        ("helpers/data.py", "half as less, twice", "twice as less, half as twice", False),
        ("helpers/sums.py", "FACTOR = 2", "FACTOR = 3", False),
        ("helpers/deep/inner.py", "3", "4", False),
        ("helpers/deep/inner.py", "loaded", "ready", False),  # runs when it is imported
        ("helpers/unused.py", "3", "4", True),
        ("helpers/data.py", "return deep.TEXT", "return n", True),  # nobody calls it
        ("helpers/deep/inner.py", "of", "from", True),
        ("helpers/sums.py", "def half", "def third(n):\n    return n / 3\ndef half", True),
        ("helpers/assets.py", "return n", "return n + 0", True),  # what it gives has a sha256
        ("helpers/data.py", "(n):\n", '(n):\n    """How many."""\n', True),
        ("helpers/sums.py", "return n / FACTOR", "return n / FACTOR  # as it is", True),
        ("helpers/deep/inner.py", "LIMIT = 3", "LIMIT=3", True),
    ],
)
def test_the_hash_changes_with_code_that_is_used_and_with_nothing_else(
    tmp_path, path, old, new, same
):
    assert old in FILES[path]
    changed = {path: FILES[path].replace(old, new)}
    assert (hashed(tmp_path) == hashed(tmp_path, **changed)) == same


def test_the_hash_of_a_known_program_is_the_same_in_every_version_of_python(tmp_path):
    """Computed with 3.11, 3.12 and 3.13. `ast.dump` gives another text in each."""
    assert hashed(tmp_path)[:16] == "865261b6c1c4d60d"


def a_row(seed: int) -> dict[str, float]:
    return {"square": seed**2}


def test_main_writes_one_value_per_seed_and_leaves_nothing_else(tmp_path):
    main("benchmarks.article_cnn", {"a": a_row, "b": a_row}, range(5), "a", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["article_cnn.json"]
    written = json.loads((tmp_path / "article_cnn.json").read_text(encoding="utf-8"))
    assert written["rows"] == {row: {"square": [0, 1, 4, 9, 16]} for row in "ab"}


@pytest.mark.parametrize(
    ("rows", "seeds", "cheap", "message"),
    [
        ({"a": a_row}, range(2), "a", "at least 3 seeds"),
        ({"a": a_row}, range(5), "b", "a cheap row, not 'b'"),
        ({"a": a_row, "b": lambda seed: {"cube": seed**3}}, range(5), "a", "the same metrics"),
    ],
)
def test_main_refuses_a_benchmark_that_would_make_a_bad_record(
    tmp_path, rows, seeds, cheap, message
):
    with pytest.raises(ValueError, match=message):
        main("benchmarks.article_cnn", rows, seeds, cheap, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("wanted", "found"), [("row", 2), ("none", 0), ("2", 0)])
def test_one_row_again_must_be_one_row(wanted, found):
    """By its number, or by what stands in its name alone."""
    with pytest.raises(ValueError, match=f"'{wanted}' means {found} rows"):
        common.compare("article_cnn", {"a row": a_row, "Another row": a_row}, range(5), wanted)


@pytest.mark.parametrize("wanted", ["1", "another", "a row"])
def test_one_row_again_is_printed_beside_its_record_which_stays(wanted, capsys):
    before = (RECORDS / "article_cnn.json").read_bytes()
    common.compare("article_cnn", {"a row": a_row, "Another row": a_row}, range(5), wanted)
    label = "a row" if wanted == "a row" else "Another row"
    assert f"\n{label}\n" in capsys.readouterr().out
    assert (RECORDS / "article_cnn.json").read_bytes() == before


def test_a_run_that_breaks_off_leaves_the_old_record(tmp_path):
    (tmp_path / "article_cnn.json").write_text("old", encoding="utf-8")

    def breaks_off(seed):
        if seed == 3:
            raise KeyboardInterrupt
        return a_row(seed)

    with pytest.raises(KeyboardInterrupt):
        main("benchmarks.article_cnn", {"a": breaks_off}, range(5), "a", tmp_path)
    assert (tmp_path / "article_cnn.json").read_text(encoding="utf-8") == "old"


def test_a_write_that_fails_leaves_the_old_file_and_no_draft(tmp_path):
    """The new text cannot be encoded, which shows only while it is written."""
    path = tmp_path / "file.json"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(UnicodeEncodeError, match="surrogates not allowed"):
        common.write_whole(path, "new \ud800")
    assert [(p.name, p.read_text(encoding="utf-8")) for p in tmp_path.iterdir()] == [
        ("file.json", "old")
    ]


@given(st.integers(0, 9))
def test_a_row_is_rounded_to_six_digits_and_no_further(seed):
    row = common.run_row("a", lambda seed: {"third": seed / 3}, [seed])
    assert row["third"][0] == pytest.approx(seed / 3, abs=5e-7)
