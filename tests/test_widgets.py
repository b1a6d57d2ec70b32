"""The explorables in Python: traits, messages, the joined module, the texts, the static picture.

pytest tests/test_widgets.py
"""

import io
import re

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from helpers.plotting import PALETTE
from helpers.widgets import (
    AugmentationLab,
    Broadcasting,
    FramePlayer,
    KernelLab,
    OptimizerRace,
    ReceptiveField,
    RotaryArrows,
    SlidingWindow,
    base,
    show,
    static_html,
)
from helpers.widgets._checks import checked_choice, checked_number, checked_whole
from helpers.widgets.base import BLUE, ORANGE, Explorable, format_number
from tests.browser.cases import (
    attention_lab,
    diagnosis_game,
    ladder_explorer,
    next_token,
    schedule_composer,
    text_writer,
    tokenizer_playground,
)
from tests.explorables import assert_refused

COMMENT = re.compile(r"^\s*/\*\*.*?\*/|(?<!\S)// [^\n]*", re.DOTALL | re.MULTILINE)
ALT = "grey noise that becomes a picture step by step"


def photo(height: int = 30, width: int = 40) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    size = (height, width)
    return torch.randint(0, 256, size, dtype=torch.uint8, generator=generator)


def player(count: int = 5, **given) -> FramePlayer:
    frames = torch.stack([photo()] * count)
    return FramePlayer(frames, [f"step {i}" for i in range(count)], **{"alt": ALT} | given)


MAKERS = {
    "attention_lab": attention_lab.example,
    "augmentation_lab": lambda: AugmentationLab({"dots": photo().expand(3, -1, -1)}, rotation=20),
    "broadcasting": Broadcasting,
    "diagnosis_game": diagnosis_game.example,
    "frame_player": player,
    "kernel_lab": lambda: KernelLab({"dots": photo()}),
    "ladder_explorer": ladder_explorer.example,
    "next_token": next_token.example,
    "optimizer_race": OptimizerRace,
    "receptive_field": lambda: ReceptiveField([(3, 1, 1)] * 3),
    "rotary_arrows": RotaryArrows,
    "schedule_composer": schedule_composer.example,
    "sliding_window": lambda: SlidingWindow(photo()[:8, :8]),
    "text_writer": text_writer.example,
    "tokenizer_playground": tokenizer_playground.example,
}


@pytest.fixture(params=MAKERS)
def explorable(request) -> Explorable:
    return MAKERS[request.param]()


def code(explorable: Explorable) -> str:
    """The joined module without comments."""
    return COMMENT.sub("", explorable._esm)


def test_every_explorable_is_tried_here():
    named = [vars(kind).get("module_name") for kind in Explorable.__subclasses__()]
    assert set(filter(None, named)) == set(MAKERS)


def test_module_is_one_without_imports(explorable):
    """A browser resolves no relative import inside a module that is a string."""
    assert not re.search(
        r"^\s*import\b|\bimport\s*\(|^\s*export\b.*\bfrom\b", code(explorable), re.M
    )
    assert code(explorable).count("export default") == 1
    assert code(explorable).index("function element(") < code(explorable).index("export default")


def test_every_text_is_in_the_table_and_used(explorable):
    """Texts are looked up as t("key") or t(`start_${name}`), and in no other way."""
    table, starts = set(explorable.STRINGS), re.findall(r"\bt\(`(\w+_)\$\{", code(explorable))
    used = set(re.findall(r'\bt\("(\w+)"', code(explorable)))
    for start in starts:
        family = {key for key in table if key.startswith(start)}
        assert family, start
        used |= family
    assert used == table
    assert len(re.findall(r"\bt\(", code(explorable))) == len(
        re.findall(r'\bt\(["`]', code(explorable))
    )


def test_every_preset_has_a_name():
    presets = re.search(r"const PRESETS = \{(.*?)\n\};", KernelLab._esm, re.DOTALL)[1]
    names = re.findall(r"^  (\w+):", presets, re.MULTILINE)
    assert {f"preset_{name}" for name in names} == {k for k in KernelLab.STRINGS if "preset_" in k}


def test_no_sentence_stands_in_the_javascript(explorable):
    """A text for readers belongs in STRINGS; class names and CSS do not read like one."""
    literals = re.findall(r'"([^"\n]*)"', code(explorable))
    prose = [text for text in literals if re.search(r"[A-Z][a-z]+ [a-z]|[a-z]{3,} [a-z]{3,}", text)]
    assert [text for text in prose if not text.startswith("lm")] == []


def test_replaced_texts_stay_beside_the_others():
    lab = KernelLab({"dots": photo()}, strings={"input": "输入"})
    assert (lab.strings["input"], lab.strings["output"]) == ("输入", "Output")


@pytest.mark.parametrize(
    ("value", "spec", "text"),
    [
        (-2, "", "−2"),
        (np.int64(-12), "", "−12"),
        (-0.0, "", "0.0"),
        (-0.001, ".2f", "0.00"),
        (-0.001, "+.3f", "−0.001"),
        (0.0004, "+.3f", "0.000"),
        (1234.56, "+,.1f", "+1,234.6"),
        (-1234.56, ",.1f", "−1,234.6"),
        (-1e-7, "g", "−1e−07"),
        (float("-inf"), ".2f", "−inf"),
    ],
)
def test_a_number_has_a_true_minus_sign_and_zero_has_none(value, spec, text):
    assert format_number(value, spec) == text


@pytest.mark.parametrize(
    ("check", "value", "limits", "expected"),
    [
        (checked_whole, np.int64(3), (0, 9), 3),
        (checked_whole, np.uint8(3), (3,), 3),
        (checked_number, np.float32(0.5), (0, 1), 0.5),
        (checked_number, 1, (-1, 1), 1.0),
        (checked_choice, np.int64(4), ((2, 4),), 4),
        (checked_choice, "a", ({"a": 1},), "a"),
    ],
)
def test_a_checked_value_is_one_that_json_can_carry(check, value, limits, expected):
    found = check("it", value, *limits)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("check", [checked_whole, checked_number])
def test_nothing_is_taken_for_a_number_only_where_it_may_be(check):
    assert check("it", None, 0, 9, or_none=True) is None
    with pytest.raises(ValueError, match=r"^it should be a .*number from 0 to 9; got None\.$"):
        check("it", None, 0, 9)
    with pytest.raises(ValueError, match=r"from 0 to 9, or None; got True\.$"):
        check("it", True, 0, 9, or_none=True)


def test_pictures_have_the_colours_of_the_book():
    assert PALETTE[:2] == (BLUE, ORANGE)
    assert f"--lm-accent: {ORANGE.lower()};" in KernelLab._css


def test_unknown_text_is_refused():
    with pytest.raises(ValueError, match=r"strings should use the keys at_least, .*; got colour\."):
        KernelLab({"dots": photo()}, strings={"colour": "Farbe"})


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        ([photo()], TypeError, "dictionary from name to picture.* got list"),
        ({}, TypeError, r"got \{\}"),
        ({"": photo()}, TypeError, "dictionary from name to picture"),
        (
            {"cat": photo().float()},
            ValueError,
            r"'cat' should be uint8 .*float32 of shape \(30, 40\)",
        ),
        ({"cat": photo()[None]}, ValueError, r"uint8 of shape \(1, 30, 40\)"),
        ({"cat": photo(15)}, ValueError, r"16 to 320 pixels; got uint8 of shape \(15, 40\)"),
        ({"cat": photo(30, 321)}, ValueError, r"got uint8 of shape \(30, 321\)"),
    ],
)
def test_wrong_pictures_are_refused(images, error, message):
    with pytest.raises(error, match=message):
        KernelLab(images)


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("kernel", torch.ones(4, 4), r"kernel should be 3×3 or 5×5 finite .*shape \(4, 4\)"),
        ("kernel", [[1, 2], [3]], r"got \[\[1, 2\], \[3\]\]"),
        ("kernel", [[1, 2, 3]] * 2 + [[1, 2, float("nan")]], "got nan"),
        ("kernel", np.full((5, 5), -1001), r"between −1000 and 1000; got -1001\.0"),
        ("kernel", "sobel", "got 'sobel'"),
        ("kernel", torch.ones(3, 3, requires_grad=True), "got a tensor that needs a gradient"),
        ("bias", float("inf"), "bias should be one finite number .*got inf"),
        ("bias", [1.0], r"got shape \(1,\)"),
        ("row", -1, "row should be a whole number from 0 on; got -1"),
        ("row", None, "row should be a whole number from 0 on; got None"),
        ("row", True, "got True"),
        ("column", 1.5, "column should be .*got 1.5"),
        ("mode", "auto", "mode should be one of 'clip', 'signed'; got 'auto'"),
        ("image_name", "dog", "image_name should be one of 'dots'; got 'dog'"),
    ],
)
def test_wrong_traits_are_refused_and_change_nothing(trait, value, message):
    assert_refused(KernelLab({"dots": photo()}), trait, value, message)


@pytest.mark.parametrize("position", [(28, 0), (0, 38), (-1, 0)])
def test_position_outside_the_output_is_refused(position):
    with pytest.raises(ValueError, match=r"a row from 0 to 27 and a column from 0 to 37 .*got \("):
        KernelLab({"dots": photo()}, position=position)


def test_kernel_lab_opens_at_the_strongest_response():
    lab = KernelLab({"dots": photo()})
    response = torch.tensor(lab.response())
    image = photo().double()[None, None] / 255
    expected = torch.nn.functional.conv2d(image, torch.tensor(lab.kernel)[None, None].double())
    torch.testing.assert_close(response, expected[0, 0], rtol=0, atol=1e-12)
    assert response[lab.row, lab.column].abs() == response.abs().max()
    assert lab.mode == "signed"


def test_blur_is_drawn_from_black_to_white():
    assert KernelLab({"dots": photo()}, kernel=torch.ones(3, 3) / 9).mode == "clip"


def test_given_state_is_kept():
    kernel = torch.arange(25.0).view(5, 5)
    lab = KernelLab({"dots": photo()}, kernel, (3, 4), bias=-0.5)
    assert (lab.kernel, lab.bias, lab.row, lab.column) == (kernel.tolist(), -0.5, 3, 4)


def test_frames_come_back_as_they_went_in():
    frames = torch.randint(0, 256, (3, 20, 30, 3), dtype=torch.uint8)
    film = FramePlayer(frames, ["a", "b", "c"], alt=ALT)
    for number, frame in enumerate(frames):
        torch.testing.assert_close(torch.tensor(film.picture(number)), frame, rtol=0, atol=0)
    files = [film.pictures[a:b] for a, b in zip(film.offsets, film.offsets[1:], strict=False)]
    assert FramePlayer(files, ["a", "b", "c"], alt=ALT).pictures == film.pictures


def test_player_opens_with_the_result():
    assert (player().frame, player(frame=2).frame) == (4, 2)


@pytest.mark.parametrize(
    ("frames", "given", "message"),
    [
        (torch.zeros(2, 8, 8), {}, r"frames should be uint8 .*got float32 of shape \(2, 8, 8\)"),
        (torch.zeros(8, 8, dtype=torch.uint8), {}, r"got uint8 of shape \(8, 8\)"),
        ([b"GIF89a", b"GIF89a"], {}, "frames should be PNG files; frame 0 is b'GIF89a'"),
        (torch.zeros(3, 8, 8, dtype=torch.uint8), {}, "got 2 for 3 frames"),
        (torch.zeros(2, 8, 8, dtype=torch.uint8), {"alt": "dots"}, "eight words .*got 'dots'"),
        (torch.zeros(2, 8, 8, dtype=torch.uint8), {"seconds": 0}, "seconds should be more than 0"),
        (torch.zeros(2, 8, 8, dtype=torch.uint8), {"frame": 2}, "number from 0 to 1; got 2"),
    ],
)
def test_wrong_frames_are_refused(frames, given, message):
    with pytest.raises(ValueError, match=message):
        FramePlayer(frames, ["a", "b"], **{"alt": ALT} | given)


def test_static_picture_is_a_figure_with_a_description(explorable):
    assert isinstance(explorable.static_figure(), Figure)
    assert len(explorable.alt_text().split()) >= 8


def test_static_picture_follows_the_state():
    lab = KernelLab({"dots": photo()})
    before = static_html(lab)
    lab.kernel = torch.ones(3, 3) / 9
    assert static_html(lab) != before


def test_static_html_carries_picture_description_and_style(explorable):
    html = static_html(explorable)
    data = re.search(
        r'<figure class="lm-static"><img alt="([^"]{30,})" src="data:image/png;base64,', html
    )
    assert data, html[:500]
    assert "@media print" in html
    assert "<noscript>" in html


def test_description_is_escaped():
    film = player(alt='a "quoted" <b>text</b> that has at least eight words')
    assert "&quot;quoted&quot; &lt;b&gt;" in static_html(film)


def test_show_displays_widget_and_picture(explorable, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    show(explorable)
    assert shown[0] is explorable
    assert shown[1].data == static_html(explorable)


def test_static_picture_is_small_enough_for_a_page(explorable):
    buffer = io.BytesIO()
    explorable.static_figure().savefig(buffer, format="png", dpi=110)
    assert Image.open(buffer).width <= 1400
    assert len(static_html(explorable)) < 400_000


def test_class_without_static_picture_says_so():
    class Bare(Explorable):
        pass

    with pytest.raises(NotImplementedError, match=r"Bare should define static_figure\(\)"):
        Bare().static_figure()
    with pytest.raises(NotImplementedError, match=r"Bare should define alt_text\(\)"):
        Bare().alt_text()


def test_shared_files_exist():
    for name in ("_common.js", "_common.css", "_pictures.js"):
        assert (base.SHARED / name).is_file()
