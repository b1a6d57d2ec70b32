"""A live JupyterLab: the explorable works there too, and what is moved arrives in the kernel.

pytest tests/browser/test_jupyterlab.py
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest
from jupyter_client import BlockingKernelClient
from playwright.sync_api import expect

from tests.notebooks import ROOT, read, tags

CHAPTER = ROOT / "book/03_convolution.ipynb"


@pytest.fixture
def clone(tmp_path) -> Path:
    """A clone in which the chapter goes no further than its first explorable: no training here."""
    shutil.copyfile(ROOT / "_toc.yml", tmp_path / "_toc.yml")
    (tmp_path / "helpers").symlink_to(ROOT / "helpers")
    (tmp_path / "book").mkdir()
    notebook = read(CHAPTER)
    last = next(i for i, cell in enumerate(notebook.cells) if "explorable" in tags(cell))
    notebook.cells = notebook.cells[: last + 1]
    nbformat.write(notebook, tmp_path / "book/chapter.ipynb")
    return tmp_path


@pytest.fixture
def lab(clone):
    """The address of a JupyterLab on the clone's book/, and the folder of its connection files."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    runtime = clone / "runtime"
    options = [
        "--no-browser", "--allow-root", f"--port={port}", "--ServerApp.port_retries=0",
        "--IdentityProvider.token=", "--ServerApp.root_dir=book", "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    # All cells stay in the page (by default those out of sight are taken out of it); no news.
    for name, settings in {
        "notebook-extension/tracker": '{"windowingMode": "none"}',
        "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}',
    }.items():
        path = clone / f"settings/@jupyterlab/{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(settings)
    env = os.environ | {
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTER_CONFIG_DIR": str(clone / "config"),
        "JUPYTERLAB_SETTINGS_DIR": str(clone / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(clone / "workspaces"),
    }
    with (
        open(clone / "lab.log", "w") as log,
        subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            cwd=clone,
            env=env,
            stdout=log,
            stderr=log,
        ) as process,
    ):
        url = f"http://127.0.0.1:{port}"
        try:
            wait_for(f"{url}/api", clone / "lab.log")
            yield url, runtime
        finally:
            process.terminate()


def wait_for(url: str, log: Path, seconds: int = 90) -> None:
    """Wait until the server answers; its own words are the best explanation if it does not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not answer in {seconds} s:\n{log.read_text()}")


def in_kernel(runtime: Path, expression: str) -> str:
    """The value of an expression in the one kernel that runs."""
    (connection,) = runtime.glob("kernel-*.json")
    client = BlockingKernelClient(connection_file=str(connection))
    client.load_connection_file()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        reply = client.execute_interactive(
            "", store_history=False, user_expressions={"it": expression}, timeout=60
        )
    finally:
        client.stop_channels()
    return reply["content"]["user_expressions"]["it"]["data"]["text/plain"]


def test_a_moved_explorable_changes_its_trait_in_the_kernel(browser, lab):
    url, runtime = lab
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.goto(f"{url}/lab/tree/chapter.ipynb?reset")
    # Cells that are run before the kernel is ready are answered with a dialogue.
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=60_000)
    page.locator("#jp-MainMenu, .lm-MenuBar").get_by_text("Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()

    root = page.locator(".lm-kernel-lab").first
    root.scroll_into_view_if_needed(timeout=60_000)
    assert in_kernel(runtime, "lab.bias") == "0.0"
    field = root.get_by_label("bias")
    field.fill("0.25")
    field.blur()
    expect(field).to_have_value("0.25")
    end = time.monotonic() + 20
    while in_kernel(runtime, "lab.bias") != "0.25":
        assert time.monotonic() < end, "the kernel never heard of the new bias"

    # "b" adds a cell in JupyterLab, but not while the reader's focus is in an explorable.
    cells = page.locator(".jp-Notebook-cell")
    before = cells.count()
    root.get_by_role("button").first.focus()
    page.keyboard.press("b")
    page.keyboard.press("Escape")
    expect(cells).to_have_count(before)
    page.close()
