"""Every explorable without a kernel: torch's arithmetic, working controls, no leftovers, fast.

pytest tests/browser/test_explorable_arithmetic.py
"""

import importlib
import pkgutil
import re
import statistics

import numpy as np
import pytest
from playwright.sync_api import expect

import helpers.widgets
from helpers.widgets import Explorable, static_html
from tests.browser.conftest import mount_on, watch

BUDGET_MS = 50  # one update, with layout

# test_language_model.py compares these with torch.
LANGUAGE_MODEL = {"decodeModel", "emptyCache", "rewind", "step"}

TIME_UPDATES = """async ([number, changes]) => {
    const { model, el } = explorables[number];
    const times = [];
    for (const [trait, value] of changes) {
        const start = performance.now();
        model.set(trait, value);
        await null;  // the view has painted in a microtask before this goes on
        el.getBoundingClientRect();
        times.push(performance.now() - start);
    }
    return times;
}"""


def explorables() -> dict[str, type[Explorable]]:
    """Module name -> class, for every explorable in helpers/widgets."""
    found = {}
    for info in pkgutil.iter_modules(helpers.widgets.__path__, "helpers.widgets."):
        for value in vars(importlib.import_module(info.name)).values():
            if (
                isinstance(value, type)
                and issubclass(value, Explorable)
                and value is not Explorable
            ):
                found[value.module_name] = value
    return found


def case(name: str):
    """The case file of an explorable; without one the suite fails."""
    try:
        return importlib.import_module(f"tests.browser.cases.{name}")
    except ModuleNotFoundError:
        pytest.fail(f"tests/browser/cases/{name}.py is missing: an explorable needs a case file.")


@pytest.fixture(params=sorted(explorables()))
def name(request) -> str:
    return request.param


def test_explorables_are_found():
    assert {"kernel_lab", "frame_player"} <= set(explorables())


def test_arithmetic_equals_torch(name, mount):
    mounted = mount(case(name).example())
    called = set()

    def evaluate(function, *arguments):
        called.add(function)
        return mounted.evaluate(function, *arguments)

    case(name).arithmetic(evaluate, np.random.default_rng(0))
    exported = mounted.exported_functions()
    shared = {"formatNumber", "shortNumber"} | LANGUAGE_MODEL  # one case proves the first two
    assert called | shared >= set(exported), "an exported function is not compared with torch"


def test_state_at_load_is_right(name, mount):
    example = case(name).example()
    case(name).at_load(mount(example).root, example)


@pytest.mark.parametrize("width", [800, 360])
def test_keyboard_and_pointer_give_the_numbers_of_torch(name, mount, page, width):
    page.set_viewport_size({"width": width, "height": 800})
    mounted = mount(case(name).example())
    case(name).operate(page, mounted.root)
    assert mounted.unsaved() == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_two_on_a_page_do_not_interfere(name, mount, page):
    example = case(name).example()
    first, second = mount(example), mount(example)
    before = second.root.inner_text()
    case(name).operate(page, first.root)
    assert second.root.inner_text() == before
    case(name).at_load(second.root, example)


def test_unmounting_leaves_nothing_behind(name, mount, page):
    page.clock.install(time=0)
    page.clock.pause_at(1000)  # what has begun to play goes on playing
    mounted = mount(case(name).example())
    for control in mounted.root.get_by_role("button").all():
        control.click()
    mounted.unmount()
    assert mounted.active_timers() == 0
    for trait, value in case(name).changes(np.random.default_rng(0))[:3]:
        mounted.set(trait, value)
    assert mounted.handlers() == 0


def test_every_control_tells_python(name, mount):
    mounted = mount(case(name).example())
    for control in mounted.root.get_by_role("button").all():
        control.click()
        control.click()  # plays and pauses; elsewhere it changes nothing more
        assert mounted.unsaved() == []
    for control in mounted.root.get_by_role("combobox").all():
        control.select_option(index=1)
        assert mounted.unsaved() == []
    for control in mounted.root.get_by_role("spinbutton").all():
        control.fill("0.5")
        assert mounted.unsaved() == []
    for control in mounted.root.get_by_role("slider").all():
        control.press("ArrowLeft")
        assert mounted.unsaved() == []


def test_jupyterlab_leaves_the_keys_of_every_control_alone(name, mount):
    """Its shortcuts ask for this attribute; test_jupyterlab.py shows it live."""
    controls = mount(case(name).example()).root.locator(
        "button, input, select, textarea, [tabindex]"
    )
    assert controls.count() > 0
    for control in controls.all():
        expect(control).to_have_attribute("data-lm-suppress-shortcuts", "true")


def test_no_trait_is_left_out_of_the_view(name, mount):
    """A view comes right from saved state alone: set before mounting or after, it is the same."""
    late, early = case(name).example(), case(name).example()
    mounted = mount(late)
    for trait, value in case(name).changes(np.random.default_rng(0)):
        mounted.set(trait, value)
        setattr(early, trait, value)
    expect(mounted.root).to_have_text(mount(early).root.inner_text(), use_inner_text=True)


@pytest.mark.benchmark
def test_update_is_fast(name, mount, page):
    mounted = mount(case(name).example())
    changes = case(name).changes(np.random.default_rng(0))
    median = statistics.median(page.evaluate(TIME_UPDATES, [mounted.number, changes]))
    print(f"{name}: update: median {median:.1f} ms")
    assert median <= BUDGET_MS


def test_static_picture_takes_over_in_print(name, mount, page):
    """On screen it takes no room, yet a screen reader finds it."""
    mounted = mount(case(name).example())
    add_static_picture(page, name)
    picture = page.locator(".lm-static img")
    assert page.locator(".lm-static").evaluate("node => node.offsetWidth") <= 1
    expect(picture).to_have_accessible_name(case(name).example().alt_text())
    page.emulate_media(media="print")
    expect(mounted.root).to_be_hidden()
    assert picture.evaluate("node => node.offsetWidth") > 300


def test_static_picture_shows_without_scripts(name, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.set_content(static_html(case(name).example()))
    assert page.locator(".lm-static img").bounding_box()["width"] > 300
    assert page.locator(".lm-static").bounding_box()["width"] > 300
    context.close()


def add_static_picture(page, name: str) -> None:
    script = """html => document.querySelector("main").insertAdjacentHTML("beforeend", html)"""
    page.evaluate(script, static_html(case(name).example()))


def test_touch_picks_a_pixel(browser, problems):
    """A tap keeps the pixel; a swipe upwards scrolls the page and picks nothing."""
    context = browser.new_context(viewport={"width": 360, "height": 700}, has_touch=True)
    page = context.new_page()
    watch(page, problems)
    mounted = mount_on(page, case("kernel_lab").example())
    picture = mounted.root.get_by_role("slider", name="Output")
    picture.tap(position={"x": 100, "y": 100})
    box = picture.bounding_box()
    column = int(100 / box["width"] * 90) - 1
    expect(picture).to_have_attribute("aria-valuetext", re.compile(rf"column {column}:"))
    assert mounted.get("column") == column
    assert picture.evaluate("node => getComputedStyle(node).touchAction") == "pan-y"
    context.close()
