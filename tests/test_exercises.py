"""Every check tells right from wrong, and names the mistake; every quiz explains its answers.

    python -m pytest tests/test_exercises.py

The answers that are tried stand in tests/wrong_answers/chNN.py, at least three wrong ones for each
exercise.
"""

import importlib
import json
import random

import nbformat
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nbclient import NotebookClient

from helpers import exercises
from helpers.exercises import (
    NotAttempted,
    Wrong,
    ask,
    check,
    compare,
    exercise_names,
    quiz_questions,
)

EXERCISES = exercise_names()
QUIZZES = sorted(
    file.name[2:4] for file in (exercises.resources.files("helpers") / "quizzes").iterdir()
)


def answers(name: str):
    """The right answer and the wrong ones (function -> words of its hint) of an exercise."""
    module = importlib.import_module(f"tests.wrong_answers.ch{name.partition('.')[0]}")
    return module.RIGHT[name], module.WRONG[name]


WRONG_ANSWERS = [
    pytest.param(name, wrong, words, id=f"{name}-{wrong.__name__}")
    for name in EXERCISES
    for wrong, words in answers(name)[1].items()
]


def printed(capsys, name, answer) -> str:
    assert check(name, answer) is None
    return capsys.readouterr().out


def test_there_are_exercises_and_quizzes():
    """So that the tests below do not pass for want of cases."""
    assert "03.same_padding" in EXERCISES
    assert "03" in QUIZZES


@pytest.mark.parametrize("name", EXERCISES)
def test_a_right_answer_is_correct_and_told_why(capsys, name):
    for _ in range(5):  # other random inputs each time
        text = printed(capsys, name, answers(name)[0])
        assert text.startswith(f"{name}: correct. ")
        assert len(text.split()) > 8


@pytest.mark.parametrize(("name", "wrong", "words"), WRONG_ANSWERS)
def test_a_wrong_answer_gets_the_hint_that_names_its_mistake(capsys, name, wrong, words):
    """Five times, because the inputs are random and a hint must not depend on luck."""
    for _ in range(5):
        text = printed(capsys, name, wrong)
        assert text.startswith(f"{name}: not right yet. ")
        assert words in text.partition("Hint:")[2]


@pytest.mark.parametrize("name", EXERCISES)
def test_at_least_three_wrong_answers_are_known_each_with_its_own_hint(capsys, name):
    wrong = answers(name)[1]
    hints = {printed(capsys, name, answer).partition("Hint:")[2] for answer in wrong}
    assert len(hints) == len(wrong) >= 3


@pytest.mark.parametrize("name", EXERCISES)
@pytest.mark.parametrize("stub", [None, ..., lambda *_: None, lambda *_: ...])
def test_a_stub_is_not_attempted_yet(capsys, name, stub):
    assert printed(capsys, name, stub).startswith(f"{name}: not attempted yet (the answer is")


def raises_not_implemented(*_):
    raise NotImplementedError


def test_a_stub_may_raise_not_implemented(capsys):
    assert "not attempted yet" in printed(capsys, "03.same_padding", raises_not_implemented)


def divides_by_zero(*_):
    return 1 / 0


@pytest.mark.parametrize("name", EXERCISES)
def test_an_answer_that_raises_is_told_which_call_failed_and_how(capsys, name):
    text = printed(capsys, name, divides_by_zero)
    assert "not right yet. divides_by_zero(" in text
    assert "raised ZeroDivisionError: division by zero." in text


def refuses_with_another_error(kernel):
    try:
        return answers("03.separate")[0](kernel)
    except ValueError:
        raise RuntimeError("no") from None


def test_an_error_of_another_kind_than_asked_for_stops_nothing(capsys):
    text = printed(capsys, "03.separate", refuses_with_another_error)
    assert "raised RuntimeError: no, and no column" in text
    assert "raise a ValueError" in text


@pytest.mark.parametrize("answer", [26, "26", [26]])
def test_an_answer_that_is_no_function_is_told_so(capsys, answer):
    text = printed(capsys, "03.same_padding", answer)
    assert f"must be a function, and this is {type(answer).__name__}" in text


def test_an_answer_with_too_few_arguments_is_told_so(capsys):
    assert "raised TypeError" in printed(capsys, "03.same_padding", lambda size: size)


@pytest.mark.parametrize("result", ["26", [26], 26 + 0j, torch.tensor([1, 2])])
def test_a_result_of_another_kind_is_wrong_and_stops_nothing(capsys, result):
    assert "not right yet" in printed(capsys, "03.same_padding", lambda *_: result)


@pytest.mark.parametrize(
    "name", ["03.nothing", "99.same_padding", "same_padding", "03.compare", ""]
)
def test_an_unknown_name_is_refused_and_the_known_ones_are_listed(name):
    with pytest.raises(ValueError, match=r"There is no exercise .*; there are: .*03\.same_padding"):
        check(name, None)


@given(st.integers(1, 7), st.integers(1, 4))
def test_what_the_check_of_same_padding_calls_right_keeps_the_size_in_torch(kernel, dilation):
    """The right answer agrees with torch, and the check agrees with the right answer (above)."""
    right, _ = answers("03.same_padding")
    signal = torch.nn.functional.pad(torch.ones(1, 1, 9), right(kernel, dilation))
    weight = torch.ones(1, 1, kernel)
    assert torch.nn.functional.conv1d(signal, weight, dilation=dilation).shape == (1, 1, 9)


def test_compare_gives_the_hint_only_if_it_explains_every_answer():
    cases = [{"x": 1}, {"x": 2}, {"x": 3}]
    mistakes = [(lambda x: -x, "the sign.")]
    assert compare(lambda x: x, lambda x: x, cases, mistakes) is None
    with pytest.raises(Wrong, match=r"gave -1, expected 1\. Hint: the sign\."):
        compare(lambda x: -x, lambda x: x, cases, mistakes)
    with pytest.raises(Wrong, match=r"gave -3, expected 3\. Hint: work through"):
        compare(lambda x: x if x < 3 else -x, lambda x: x, cases, mistakes)


def test_ask_lets_an_interruption_through():
    """A reader who stops an endless loop wants it stopped."""

    def interrupted(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(interrupted, x=1)
    with pytest.raises(NotAttempted):
        ask(lambda x: None, x=1)


def test_random_cases_are_new_each_time_and_keep_to_their_limits():
    first, second = (exercises.random_cases(50, a=(1, 3), b=(0, 10**9)) for _ in range(2))
    assert first != second
    assert {case["a"] for case in first} == {1, 2, 3}


@pytest.mark.parametrize("chapter", QUIZZES)
def test_every_answer_of_a_quiz_has_its_own_explanation(chapter):
    for question in quiz_questions(chapter):
        assert question["type"] in ("multiple_choice", "many_choice")
        right = [answer["correct"] for answer in question["answers"]].count(True)
        assert right == 1 if question["type"] == "multiple_choice" else right > 1
        feedback = [answer["feedback"] for answer in question["answers"]]
        assert len(set(feedback)) == len(feedback) >= 3
        assert all(len(text.split()) >= 8 for text in feedback)
        assert "http" not in json.dumps(question)


def test_an_unknown_quiz_is_refused():
    with pytest.raises(ValueError, match="There is no quiz for chapter '3'"):
        exercises.quiz("3")


@pytest.fixture(scope="module")
def shown() -> list[list]:
    """The outputs of the same quiz in two kernels that have drawn other random numbers."""
    outputs = []
    for seed in (1, 2):
        program = (
            f"import random; random.seed({seed}); before = random.getstate()\n"
            'from helpers import exercises; exercises.quiz("03")\n'
            "assert random.getstate() == before"
        )
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(program)])
        NotebookClient(notebook, timeout=60).execute()
        outputs.append([dict(output.get("data", output)) for output in notebook.cells[0].outputs])
    return outputs


def test_a_quiz_is_the_same_page_again_and_leaves_random_alone(shown):
    """Ids drawn at random would make every build differ."""
    assert shown[0] == shown[1]
    assert len(shown[0]) == 2


def test_a_quiz_names_no_other_host_and_keeps_its_order(shown):
    text = json.dumps(shown[0])
    assert "https://" not in text
    assert 'data-shuffleanswers=\\"False\\"' in text
    assert "one position of one output channel" in text


def test_every_repair_of_jupyterquiz_is_still_needed_and_made(shown):
    """When a new version of jupyterquiz no longer has the text, the repair goes."""
    from jupyterquiz.dynamic.renderer import build_script

    untouched = build_script("{", True, "", "id", True)
    script = "".join(data.get("application/javascript", "") for data in shown[0])
    for old, new in exercises.QUIZ_REPAIRS:
        assert old in untouched
        assert new in script
        assert old not in script.replace(new, "") or not new


def test_a_quiz_waits_for_no_mathjax_and_is_read_aloud(shown):
    """Without MathJax, or with one that is still loading, nothing must raise."""
    script = "".join(data.get("application/javascript", "") for data in shown[0])
    assert len(script) > 30_000
    for trap in ("version[0]", "hasOwnProperty('typeset')", "MathJax.typeset("):
        assert trap not in script
    assert "setAttribute('aria-live', 'polite')" in script


def test_showing_a_quiz_does_not_change_the_readers_random_numbers():
    state = random.getstate()
    exercises.quiz("03")
    assert random.getstate() == state
