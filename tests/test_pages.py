"""What the start page, its picture and the install page say must hold in the repository.

pytest tests/test_pages.py
"""

import re
from xml.etree import ElementTree

import pytest
import yaml

from helpers import BOOK
from tests.notebooks import CHAPTERS, ROOT
from tools import address as addresses

SVG = "{http://www.w3.org/2000/svg}"
PICTURE = (ROOT / "book/path.svg").read_text(encoding="utf-8")
INDEX = (ROOT / "book/index.md").read_text(encoding="utf-8")
INSTALL = (ROOT / "book/install.md").read_text(encoding="utf-8")
LAST = 28  # the number of the last chapter that is planned
WIDEST = 32  # characters of 14 px that fit beside the path on a phone 360 px wide


def stations() -> list[ElementTree.Element]:
    groups = ElementTree.fromstring(PICTURE).iter(f"{SVG}g")
    return [group for group in groups if "station" in group.get("class", "")]


def chips(part: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    return [chip for chip in part.iter() if chip.get("class") == f"chip {kind}"]


def number(chip: ElementTree.Element) -> str:
    return chip.find(f"{SVG}text").text


def test_picture_shows_every_chapter_once_and_in_order():
    shown = [number(c) for part in stations() for c in part if "chip" in c.get("class", "")]
    assert shown == [f"{n:02d}" for n in range(LAST + 1)]


def test_picture_links_the_chapters_that_are_here_and_no_other():
    links = [chip.get("href") for part in stations() for chip in chips(part, "here")]
    assert links == [f"{chapter.stem}.html" for chapter in CHAPTERS]
    for part in stations():
        assert all(chip.tag == f"{SVG}g" for chip in chips(part, "planned"))
        for chip in chips(part, "here"):
            assert chip.get("href").startswith(number(chip))
            assert chip.get("aria-label").startswith(number(chip))


def test_picture_says_in_words_what_is_planned():
    """Solid and dashed lines alone would not tell everybody."""
    for part in stations():
        here, planned = len(chips(part, "here")), len(chips(part, "planned"))
        said = next(t.text for t in part.iter(f"{SVG}tspan") if t.get("class") == "state")
        assert said == (f"{here} of {here + planned} chapters here" if here else "planned")
        assert part.get("class") == f"station {'here' if here else 'planned'}"


def test_picture_fits_on_a_phone():
    for part in stations():
        (text,) = (t for t in part.iter(f"{SVG}text") if t.get("class") == "hold")
        for line in text.findall(f"{SVG}tspan"):
            assert len(line.text) <= WIDEST, line.text


def test_picture_has_a_name_and_a_description_and_needs_nothing_else():
    root = ElementTree.fromstring(PICTURE)
    ids = {element.get("id") for element in root.iter()} - {None}
    assert set(root.get("aria-labelledby").split()) == ids
    assert root.find(f"{SVG}title").text
    assert len(root.find(f"{SVG}desc").text.split()) >= 8
    assert not re.search(r"<script|<image|@import|url\(|@font-face", PICTURE)


def test_start_page_counts_the_chapters():
    here = len(CHAPTERS)
    assert f"**Here now: {here} chapters. Planned: {LAST + 1 - here} more.**" in INDEX


def test_start_page_links_the_three_ways_in():
    for target in ("install.md", "00_prerequisites.ipynb", "03_convolution.ipynb"):
        assert f"]({target}" in INDEX


def test_start_page_cites_as_the_citation_file_does():
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    (author,) = cff["authors"]
    expected = f"> {author['name']} ({cff['date-released'].year}). *{cff['title']}.* "
    expected += f"Version {cff['version']}. <{cff['repository-code']}>\n"
    assert expected in INDEX


def test_commands_of_the_install_page_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:`|\$ )make ([a-z]+)", INSTALL)):
        assert re.search(rf"^{target}:", makefile, flags=re.M), target
    for variable in re.findall(r"make \w+ ([A-Z_]+)=", INSTALL):
        assert f"\n{variable} ?=" in makefile, variable
    for name in re.findall(r"-[rc] ([\w.-]+\.txt)", INSTALL):
        assert (ROOT / name).is_file(), name
    for name in re.findall(r"book[/\\](\w+\.ipynb)", INSTALL):
        assert (ROOT / "book" / name) in CHAPTERS, name
    folder = addresses.address().rsplit("/", 1)[1]
    assert INSTALL.count(f" cd {folder}\n") == INSTALL.count("git clone ")


@pytest.mark.parametrize("name", ["BOOK_CACHE", "BOOK_WORKERS"])
def test_settings_of_the_install_page_are_read_somewhere(name):
    assert f"`{name}" in INSTALL
    sources = [p.read_text(encoding="utf-8") for p in (ROOT / "helpers").glob("*.py")]
    assert any(f'environ.get("{name}"' in source for source in sources)


def test_cache_folder_of_the_install_page_is_the_one_in_use(monkeypatch):
    from helpers import assets

    monkeypatch.delenv("BOOK_CACHE", raising=False)
    assert assets.cache_dir().name == BOOK
    assert f"a folder `{BOOK}`" in INSTALL


def test_data_that_can_be_fetched_have_the_size_that_the_install_page_says():
    from helpers.assets import ASSETS

    size = sum(asset.size for asset in ASSETS.values()) / 1e6  # MB
    assert f"({size:.0f} MB)" in INSTALL


def test_install_page_names_no_package_registry():
    """A mirror is the reader's to name, and an address here would grow old."""
    assert not re.search(r"pypi\.org|download\.pytorch|npmjs|pythonhosted", INSTALL + INDEX)
