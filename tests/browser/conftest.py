"""Chromium for the browser tests: a page that tolerates no error, explorables without a kernel."""

import base64
import functools
import os
import re
import shutil
from dataclasses import dataclass

import pytest
from playwright.sync_api import Locator, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
NO_BROWSER = (
    "The browser tests need Chromium or Chrome: install it (Debian and Ubuntu: "
    "`apt-get install chromium`; macOS: `brew install --cask google-chrome`; "
    "Windows: `winget install Google.Chrome`) or set BOOK_CHROMIUM to the path of its program."
)
OFF_SITE = re.compile(r"^(https?|wss?)://(?!(localhost|127\.0\.0\.1)[:/])")

# Stands in for anywidget's model: traits and change events, equal values compared deeply as there.
HOST = """
window.explorables = [];
window.activeTimers = new Set();
const { setInterval: start, clearInterval: stop } = window;
window.setInterval = (...given) => { const id = start(...given); activeTimers.add(id); return id; };
window.clearInterval = (id) => { activeTimers.delete(id); stop(id); };

class Model {
  constructor(state) {
    this.state = state;
    this.saved = { ...state };
    this.handlers = new Map();
  }
  get(name) { return this.state[name]; }
  set(name, value) {
    if (JSON.stringify(this.state[name]) === JSON.stringify(value)) return;
    this.state[name] = value;
    for (const handler of this.handlers.get(`change:${name}`) ?? []) handler();
  }
  on(event, handler) { this.handlers.set(event, [...(this.handlers.get(event) ?? []), handler]); }
  off(event, handler) {
    this.handlers.set(event, this.handlers.get(event).filter((known) => known !== handler));
  }
  save_changes() { this.saved = { ...this.state }; }
}

window.mountExplorable = async ({ esm, css, state, bytes, width }) => {
  for (const [name, text] of Object.entries(bytes)) {
    state[name] = new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  }
  const style = document.createElement("style");
  style.textContent = css;
  document.head.append(style);
  const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  const module = await import(url);
  const el = document.createElement("div");
  if (width) el.style.width = `${width}px`;
  document.querySelector("main").append(el);
  const model = new Model(state);
  const cleanup = await module.default.render({ model, el });
  return explorables.push({ module, el, model, cleanup }) - 1;
};
"""
BLANK = """<!doctype html><html lang="en"><head><title>Explorable</title>
<meta name="viewport" content="width=device-width"></head>
<body><main><h1>Explorable</h1></main></body></html>"""


@dataclass
class Mounted:
    """An explorable on a page without a kernel."""

    page: Page
    number: int
    root: Locator

    def evaluate(self, name: str, *arguments):
        """Call an exported function; typed arrays come back as lists."""
        script = """([number, name, given]) => {
            const result = explorables[number].module[name](...given);
            return ArrayBuffer.isView(result) ? Array.from(result) : result;
        }"""
        return self.page.evaluate(script, [self.number, name, list(arguments)])

    def get(self, trait: str):
        """A trait as the model has it now."""
        script = "([n, trait]) => explorables[n].model.get(trait)"
        return self.page.evaluate(script, [self.number, trait])

    def set(self, trait: str, value) -> None:
        """Set a trait as Python would."""
        script = "([n, trait, value]) => explorables[n].model.set(trait, value)"
        self.page.evaluate(script, [self.number, trait, value])

    def unsaved(self) -> list[str]:
        """Traits whose value Python has not been told."""
        script = """n => Object.entries(explorables[n].model.state)
            .filter(([name, value]) => explorables[n].model.saved[name] !== value)
            .map(([name]) => name)"""
        return self.page.evaluate(script, self.number)

    def unmount(self) -> None:
        """Undo as anywidget does when the view goes away."""
        script = "n => { explorables[n].cleanup(); explorables[n].el.remove(); }"
        self.page.evaluate(script, self.number)

    def active_timers(self) -> int:
        """Intervals of the whole page that nobody has cleared."""
        return self.page.evaluate("() => activeTimers.size")

    def handlers(self) -> int:
        """Change handlers that are still registered with the model."""
        script = "n => [...explorables[n].model.handlers.values()].flat().length"
        return self.page.evaluate(script, self.number)

    def exported_functions(self) -> list[str]:
        """Names of the functions that the module exports."""
        script = """n => Object.entries(explorables[n].module)
            .filter(([, value]) => typeof value === "function").map(([name]) => name)"""
        return self.page.evaluate(script, self.number)


def find_chromium() -> str | None:
    """Path of the browser's program: BOOK_CHROMIUM, else the first known name on the path."""
    return os.environ.get("BOOK_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="session")
def browser():
    path = find_chromium()
    if path is None:
        pytest.fail(NO_BROWSER)
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def problems():
    """What went wrong on the page, as lines of text: empty at the end of every test."""
    found = []
    yield found
    assert not found, "\n".join(found)


@pytest.fixture
def page(browser, problems):
    context = browser.new_context(viewport={"width": 800, "height": 900})
    page = context.new_page()
    watch(page, problems)
    yield page
    context.close()


def watch(page: Page, problems: list[str]) -> None:
    """Write down errors, failed requests and requests that leave this machine (and block those)."""
    page.on("console", lambda m: m.type == "error" and problems.append(f"console: {m.text}"))
    page.on("pageerror", lambda error: problems.append(f"uncaught: {error}"))
    # A request that is cut off because the test goes on to another page is no failure.
    page.on(
        "requestfailed",
        lambda r: (
            r.failure == "net::ERR_ABORTED" or problems.append(f"failed: {r.url} ({r.failure})")
        ),
    )
    page.on("response", lambda r: r.status >= 400 and problems.append(f"{r.status}: {r.url}"))
    page.on("request", lambda r: OFF_SITE.match(r.url) and problems.append(f"off-site: {r.url}"))
    page.route(OFF_SITE, lambda route: route.abort())


@pytest.fixture
def mount(page):
    """`mount(explorable, width=360)` puts an explorable on the page, without a kernel."""
    return functools.partial(mount_on, page)


def mount_on(page: Page, explorable, *, width: int | None = None) -> Mounted:
    """Put an explorable on a page, which is made blank before the first one."""
    if not page.evaluate("'explorables' in window"):
        page.set_content(BLANK)
        page.add_script_tag(content=HOST)
    given = exported(explorable) | {"width": width}
    number = page.evaluate("given => mountExplorable(given)", given)
    css_class = f".lm-{explorable.module_name.replace('_', '-')}"
    return Mounted(page, number, page.locator("main > div").nth(number).locator(css_class))


def exported(explorable) -> dict:
    """The state of an explorable as a saved notebook has it."""
    state = explorable.get_state()
    esm, css = state.pop("_esm"), state.pop("_css")
    ours = {name for name in state if not name.startswith("_")} - {"layout"}
    state = {name: state[name] for name in ours}
    binary = {name for name, value in state.items() if isinstance(value, (bytes, memoryview))}
    bytes_ = {name: base64.b64encode(state.pop(name)).decode() for name in binary}
    return {"esm": esm, "css": css, "state": state, "bytes": bytes_}
