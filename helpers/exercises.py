"""Exercises that explain the mistake, and quizzes.

A check is a function in `helpers/checks/chNN.py` with the exercise's name. It takes the reader's
answer, raises `Wrong` with a hint or `NotAttempted`, and returns the reason why a right answer is
right. Most checks are one call of `compare`: the right function, random inputs, and a table of
known mistakes, each a wrong function with its hint.
"""

import importlib
import json
import operator
import pkgutil
import random
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from types import ModuleType
from typing import Any

import torch

STUB_VALUES = (None, ...)
# The quiz takes the page's own colours, light or dark; jupyterquiz's own where there are none.
QUIZ_COLORS = {
    "--jq-multiple-choice-bg": "var(--pst-color-primary, var(--jp-brand-color1, #392061))",
    "--jq-many-choice-bg": "var(--pst-color-primary, var(--jp-brand-color1, #392061))",
    "--jq-incorrect-color": "var(--pst-color-danger, var(--jp-error-color1, #c80202))",
    "--jq-correct-color": "var(--pst-color-success, var(--jp-success-color0, #007a10))",
    "--jq-text-color": "var(--pst-color-background, var(--jp-layout-color0, #fafafa))",
}
QUIZ_STYLE = (
    "<style>.MCButton:focus-within { outline: 3px solid var(--jq-multiple-choice-bg); }</style>"
)
QUIZ_REPAIRS = (
    # MathJax may still be loading when the quiz is drawn: then it has no version, which raised an
    # error, or no typeset, where jupyterquiz replaced it by a copy from another host. Left alone,
    # MathJax typesets the quiz with the rest of the page.
    ("version[0]", "String(version)[0]"),
    ("MathJax.hasOwnProperty('typeset')", "true"),
    ("MathJax.typeset(", "MathJax.typeset?.("),
    ("https://cdn.jsdelivr.net/npm/mathjax@3/es5/tex-svg.js", ""),
    # A screen reader says the explanation when it appears.
    ("'Feedback';", "'Feedback'; this.fbDiv?.setAttribute('aria-live', 'polite');"),
)


class Wrong(Exception):
    """The answer is wrong; the message says how, and names the mistake where it is a known one."""


class NotAttempted(Exception):
    """The answer is still the stub."""


def check(name: str, answer: Any) -> None:
    """Print whether the answer to an exercise is right, and which mistake it shows if not.

    `name` is chapter and exercise, `answer` what the stub cell defines. Nothing is raised for a
    wrong answer, so that the chapter runs on; errors in the reader's code are printed as well.

    >>> check("03.same_padding", same_padding)
    03.same_padding: not attempted yet (the answer is None: does it end in `return`?).

    Raises:
        ValueError: there is no exercise of this name.
    """
    function = _find(name)
    try:
        if any(answer is stub for stub in STUB_VALUES):
            raise NotAttempted
        reason = function(answer)
    except NotAttempted:
        print(f"{name}: not attempted yet (the answer is None: does it end in `return`?).")
    except Wrong as mistake:
        print(f"{name}: not right yet. {mistake}")
    else:
        print(f"{name}: correct. {reason}")


def exercise_names() -> list[str]:
    """List every exercise that has a check.

    >>> exercise_names()
    ['03.count_layer', '03.even_blur', ...]
    """
    return [
        f"{chapter.removeprefix('ch')}.{exercise}"
        for chapter in _chapters()
        for exercise in _checks_in(importlib.import_module(f"helpers.checks.{chapter}"))
    ]


def ask(answer: Callable, **inputs: Any) -> Any:
    """Call the reader's function with the inputs, in their order, for a check.

    Raises:
        NotAttempted: it returned None or `...`, or raised NotImplementedError.
        Wrong: it is no function, or raised an error, which the message names.
    """
    if not callable(answer):
        raise Wrong(f"The answer must be a function, and this is {type(answer).__name__}.")
    try:
        result = answer(*inputs.values())
    except NotImplementedError:
        raise NotAttempted from None
    except Exception as error:
        raise Wrong(
            f"{call_text(answer, inputs)} raised {type(error).__name__}: {error}. "
            "Make this call in a cell of its own to see the line."
        ) from error
    if any(result is stub for stub in STUB_VALUES):
        raise NotAttempted
    return result


def compare(
    answer: Callable,
    right: Callable,
    cases: Sequence[Mapping[str, Any]],
    mistakes: Sequence[tuple[Callable, str]],
    same: Callable[[Any, Any], bool] = operator.eq,
) -> None:
    """Compare the reader's function with the right one on all cases, for a check.

    `mistakes` pairs wrong functions with hints. A hint is given if its function explains every
    answer, so give enough random cases to tell the mistakes apart, the simplest case first.
    `same(result, wanted)` compares two results; state the tolerance there.

    Raises:
        NotAttempted, Wrong: see `ask`; Wrong also for a result that differs.
    """
    results = [ask(answer, **case) for case in cases]
    pairs = list(zip(cases, results, strict=True))
    failed = next(((c, r) for c, r in pairs if not same(r, right(**c))), None)
    if failed is None:
        return
    case, result = failed
    what = f"{call_text(answer, case)} gave {result!r}, expected {right(**case)!r}."
    for mistake, hint in mistakes:
        if all(same(result, mistake(**case)) for case, result in pairs):
            raise Wrong(f"{what} Hint: {hint}")
    raise Wrong(f"{what} Hint: work through this one case on paper, term by term.")


def same_tensor(
    result: Any, wanted: torch.Tensor, *, rtol: float = 1e-4, atol: float = 1e-5
) -> bool:
    """Whether a result has the wanted shape, and its numbers to the accuracy of float32.

    >>> same_tensor([0.5, 1.0], torch.tensor([0.5, 1.0]))
    True
    """
    try:
        values = torch.as_tensor(result, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        return False
    fits = values.shape == wanted.shape
    return fits and torch.allclose(values, wanted.double(), rtol=rtol, atol=atol, equal_nan=True)


def random_cases(count: int, **ranges: tuple[int, int]) -> list[dict[str, int]]:
    """Draw whole numbers, both limits included, anew at every call.

    >>> random_cases(1, size=(14, 40), kernel=(1, 5))
    [{'size': 31, 'kernel': 2}]
    """
    generator = torch.Generator()
    generator.seed()
    return [
        {
            name: int(torch.randint(low, high + 1, (), generator=generator))
            for name, (low, high) in ranges.items()
        }
        for _ in range(count)
    ]


def call_text(answer: Callable, inputs: Mapping[str, Any]) -> str:
    """Write a call as the reader would type it.

    >>> call_text(same_padding, {"kernel": 3, "dilation": 2})
    'same_padding(kernel=3, dilation=2)'
    """
    arguments = ", ".join(f"{name}={value!r}" for name, value in inputs.items())
    return f"{getattr(answer, '__name__', 'answer')}({arguments})"


def quiz(chapter: str) -> None:
    """Show the questions of a chapter, each wrong answer with its own explanation.

    The answers keep their order and the page its ids, so that a rebuilt page is the same page.

    >>> quiz("03")

    Raises:
        ModuleNotFoundError: run `helpers.need("jupyterquiz")` first.
        ValueError: the chapter has no quiz.
    """
    from IPython.utils.capture import capture_output
    from jupyterquiz import display_quiz

    questions = quiz_questions(chapter)
    state = random.getstate()  # jupyterquiz draws its element ids from here
    random.seed(f"quiz {chapter}")
    try:
        with capture_output() as captured:
            display_quiz(questions, shuffle_answers=False, colors=QUIZ_COLORS, max_width=720)
    finally:
        random.setstate(state)
    for output in captured.outputs:
        _show_without_network(output.data)


def quiz_questions(chapter: str) -> list[dict]:
    """Load the questions of `helpers/quizzes/chNN.json`.

    Raises:
        ValueError: the chapter has no quiz.
    """
    file = resources.files("helpers") / "quizzes" / f"ch{chapter}.json"
    if not file.is_file():
        raise ValueError(f'There is no quiz for chapter {chapter!r}; chapters are named as "03".')
    return json.loads(file.read_text(encoding="utf-8"))


def _show_without_network(data: Mapping[str, str]) -> None:
    from IPython.display import display

    data = dict(data)
    for old, new in QUIZ_REPAIRS:
        if "application/javascript" in data:
            data["application/javascript"] = data["application/javascript"].replace(old, new)
    if "text/html" in data:
        data["text/html"] += QUIZ_STYLE
    display(data, raw=True)


def _chapters() -> list[str]:
    package = importlib.import_module("helpers.checks")
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def _checks_in(module: ModuleType) -> dict[str, Callable]:
    """The public functions that are defined in a module, not those it imports."""
    return {
        name: value
        for name, value in vars(module).items()
        if callable(value) and value.__module__ == module.__name__ and not name.startswith("_")
    }


def _find(name: str) -> Callable[[Any], str]:
    chapter, _, exercise = name.partition(".")
    if f"ch{chapter}" in _chapters():
        found = _checks_in(importlib.import_module(f"helpers.checks.ch{chapter}")).get(exercise)
        if found is not None:
            return found
    known = ", ".join(exercise_names())
    raise ValueError(f"There is no exercise {name!r}; there are: {known}.")
