"""Files come whole and right, or not at all: real servers, real processes, a real full disk.

    python -m pytest tests/test_assets.py

No network is needed: every server and every package is made here.
"""

import gzip
import hashlib
import http.server
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from helpers import assets
from helpers.assets import Asset, AssetError

ROOT = Path(__file__).parent.parent
RIGHT = np.random.default_rng(0).bytes(200_000)
SHA256 = hashlib.sha256(RIGHT).hexdigest()
PACKED = gzip.compress(RIGHT)
BODIES = {
    "/right": RIGHT,
    "/right.gz": PACKED,
    "/wrong": RIGHT[:-1] + bytes([RIGHT[-1] ^ 1]),
    "/short": RIGHT[:1_000],
    "/long": RIGHT + RIGHT,
    "/login.gz": b"<html>Please log in to this network.</html>",
    "/half": RIGHT,  # the server goes away in the middle of the next two
    "/half.gz": PACKED,
    "/together": RIGHT,  # waits in the middle until two have asked
    "/stall": RIGHT,  # waits in the middle until the test ends
}


class Handler(http.server.BaseHTTPRequestHandler):
    """One path is one way in which a server behaves."""

    def do_GET(self):
        self.server.asked.append(self.path)
        if self.path not in BODIES:
            self.send_error(404)
            return
        body = BODIES[self.path]
        self.send_response(200)
        if "gzip" in self.headers["Accept-Encoding"]:  # as some servers do, even to a .gz
            self.send_header("Content-Encoding", "gzip")
            body = gzip.compress(body)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2])
        self.wait()
        if not self.path.startswith("/half"):
            self.wfile.write(body[len(body) // 2 :])

    def wait(self):
        if self.path == "/together":
            self.server.pair.wait()
        if self.path == "/stall":
            self.server.stalled.set()
            self.server.ended.wait()
            self.path = "/half"

    def log_message(self, *_):
        """Stay silent."""


@pytest.fixture
def server():
    """A server on this machine, with its `url` and the list of paths `asked` for."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.url, server.asked = f"http://127.0.0.1:{server.server_port}", []
        server.pair = threading.Barrier(2, timeout=60)
        server.stalled, server.ended = threading.Event(), threading.Event()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.ended.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty folder that is the cache during one test."""
    monkeypatch.setenv("BOOK_CACHE", str(tmp_path / "cache"))
    assets._package.cache_clear()
    return tmp_path / "cache"


@pytest.fixture
def fetch(cache, monkeypatch):
    """A function that registers an asset with the given sources and fetches it."""

    def fetch(*sources: str, name: str = "thing.bin") -> Path:
        monkeypatch.setitem(assets.ASSETS, name, Asset(sources, len(RIGHT), SHA256, "ours"))
        return assets.fetch(name)

    return fetch


def child(source: str, prelude: str = "") -> subprocess.Popen:
    """A process of its own that fetches thing.bin from a source."""
    code = f"""
        from helpers import assets
        {prelude}
        asset = assets.Asset({(source,)!r}, {len(RIGHT)}, {SHA256!r}, "ours")
        print(assets.obtain("thing.bin", asset))
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    env = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=pipe, stderr=pipe, text=True)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("path", ["/right", "/right.gz"])
def test_a_right_file_is_unpacked_kept_and_not_asked_for_again(fetch, server, cache, path):
    for _ in range(2):
        assert fetch(server.url + path).read_bytes() == RIGHT
    assert server.asked == [path]
    assert names(cache) == ["thing.bin"]


def test_a_fetched_file_can_be_read_by_others_who_share_the_cache(fetch, server):
    """Temporary files are private, and a rename would keep that."""
    assert fetch(f"{server.url}/right").stat().st_mode & 0o044 == 0o044


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/wrong", "sha256 differs"),
        ("/half", "got 100,000 of 200,000 bytes (ProtocolError)"),
        ("/half.gz", "of 200,000 bytes (ProtocolError)"),
        ("/short", "got 1,000 of 200,000 bytes"),
        ("/long", "got 262,144 of 200,000 bytes"),
        ("/login.gz", "got 0 of 200,000 bytes (BadGzipFile)"),
        ("/missing", "HTTP status 404"),
    ],
)
def test_a_bad_answer_is_named_and_nothing_of_it_stays(fetch, server, cache, path, reason):
    with pytest.raises(AssetError, match=r"^thing\.bin could not be fetched") as caught:
        fetch(server.url + path)
    message = str(caught.value)
    assert f"- {server.url}{path}: " in message
    assert reason in message
    assert "Connect this machine to the internet and run this again" in message
    assert f"(sha256 {SHA256}) by hand at {cache / 'thing.bin'}" in message
    assert names(cache) == []


def test_the_first_source_that_is_right_ends_the_search(fetch, server):
    paths = ["/missing", "/wrong", "/half", "/right.gz", "/right"]
    assert fetch(*[server.url + path for path in paths]).read_bytes() == RIGHT
    assert server.asked == paths[:-1]


def test_every_source_that_failed_is_listed_in_order(fetch, server):
    with pytest.raises(AssetError, match=r"(?s)/missing: HTTP status 404.*/wrong: sha256 differs"):
        fetch(f"{server.url}/missing", f"{server.url}/wrong")


def test_a_refused_connection_costs_no_time(fetch):
    with socket.create_server(("127.0.0.1", 0)) as closed_again:
        port = closed_again.getsockname()[1]
    start = time.monotonic()
    with pytest.raises(AssetError, match=r"host unreachable \(ConnectionError\)"):
        fetch(f"http://127.0.0.1:{port}/right")
    assert time.monotonic() - start < 3


def test_a_silent_host_costs_seconds_and_is_not_asked_again_at_once(fetch):
    """A listener whose queue is full lets further connections wait, as some firewalls do."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        url = "http://{}:{}/right".format(*listener.getsockname())
        start = time.monotonic()
        with pytest.raises(AssetError, match=r"host unreachable \(ConnectTimeout\)"):
            fetch(url)
        between = time.monotonic()
        with pytest.raises(AssetError, match="no answer less than a minute ago"):
            fetch(url)
    assert between - start < 10
    assert time.monotonic() - between < 1


@pytest.mark.parametrize("damage", [b"", RIGHT[:100_000], BODIES["/wrong"]])
def test_a_corrupted_cached_file_is_replaced(fetch, server, cache, damage):
    cache.mkdir()
    (cache / "thing.bin").write_bytes(damage)
    assert fetch(f"{server.url}/right").read_bytes() == RIGHT


def test_a_wrong_file_put_by_hand_is_named_and_not_used(fetch, server, cache):
    cache.mkdir()
    (cache / "thing.bin").write_bytes(BODIES["/wrong"])
    path = re.escape(str(cache / "thing.bin"))
    with pytest.raises(AssetError, match=f"- {path}: sha256 differs\n.*404"):
        fetch(f"{server.url}/missing")


def test_a_right_file_put_by_hand_needs_no_source(fetch, server, cache):
    cache.mkdir()
    (cache / "thing.bin").write_bytes(RIGHT)
    assert fetch(f"{server.url}/right") == cache / "thing.bin"
    assert server.asked == []


def test_two_processes_fetch_the_same_file_at_once(server, cache):
    """The server keeps both in the middle of the file until both are there."""
    children = [child(f"{server.url}/together") for _ in range(2)]
    for process in children:
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out) == (0, f"{cache / 'thing.bin'}\n"), err
    assert server.asked == ["/together"] * 2
    assert names(cache) == ["thing.bin"]
    assert (cache / "thing.bin").read_bytes() == RIGHT


@pytest.mark.parametrize(("sent", "left"), [(signal.SIGINT, 0), (signal.SIGKILL, 1)])
def test_an_interrupted_download_is_never_used(fetch, server, cache, sent, left):
    """What a killed process leaves has a temporary name; an interrupted one tidies up."""
    process = child(f"{server.url}/stall")
    assert server.stalled.wait(60)
    process.send_signal(sent)
    process.communicate(timeout=60)
    assert len(names(cache)) == left
    assert "thing.bin" not in names(cache)
    assert fetch(f"{server.url}/right").read_bytes() == RIGHT


def test_a_full_disk_is_named_with_the_folder_and_leaves_nothing(server, cache):
    """RLIMIT_FSIZE makes every write beyond 64 KiB fail, as on a full disk."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))"
    _, err = child(f"{server.url}/right", prelude=limit).communicate(timeout=60)
    assert f"- cache folder {cache}: disk full (" in err
    assert "Set the environment variable BOOK_CACHE to a folder that can be written." in err
    assert names(cache) == []


def test_a_cache_that_cannot_be_made_is_named_once(fetch, server, tmp_path, monkeypatch):
    """The parent of the cache folder is a file, which stops even root; no source can help."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("BOOK_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(AssetError, match=r"(?s)cannot be used \(.*Set .* BOOK_CACHE") as caught:
        fetch(f"{server.url}/right", f"{server.url}/right.gz")
    assert str(caught.value).count(f"cache folder {tmp_path / 'file' / 'cache'}") == 1
    assert server.asked == []


def test_the_cache_folder_is_the_users_own_unless_chosen(cache, monkeypatch):
    assert assets.cache_dir() == cache
    monkeypatch.delenv("BOOK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    assert assets.cache_dir().name == "large-models-from-scratch"
    monkeypatch.setenv("BOOK_CACHE", "~/mine")
    assert assets.cache_dir() == Path.home() / "mine"
    assert not cache.exists()


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="No asset is called 'mnist'; there are train-images"):
        assets.fetch("mnist")
    with pytest.raises(ValueError, match=r"No embedded file is called 'dog\.png'; .*photos/cat"):
        assets.embedded("dog.png")


@pytest.fixture
def deb(tmp_path):
    """A Debian package, tiny-data, with /usr/share/tiny/thing.bin.gz and a copy of it."""
    folder = tmp_path / "tiny-data"
    (folder / "DEBIAN").mkdir(parents=True)
    (folder / "usr/share/tiny").mkdir(parents=True)
    control = "Package: tiny-data\nVersion: 1\nArchitecture: all\nMaintainer: us\nDescription: x\n"
    (folder / "DEBIAN/control").write_text(control)
    for name in ("thing.bin.gz", "copy.bin.gz"):
        (folder / "usr/share/tiny" / name).write_bytes(PACKED)
    subprocess.run(["dpkg-deb", "--build", folder], check=True, stdout=subprocess.DEVNULL)
    return tmp_path / "tiny-data.deb"


@pytest.fixture
def apt_get(tmp_path, monkeypatch):
    """A function that puts a shell script in the place of this machine's apt-get."""

    def install(script: str) -> None:
        program = tmp_path / "bin/apt-get"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")

    return install


def test_two_files_of_one_package_cost_one_download(fetch, cache, deb, apt_get, tmp_path):
    apt_get(f'echo "$@" >> {tmp_path}/asked; cp {deb} .')
    for name in ("thing.bin", "copy.bin"):
        path = fetch(f"deb:tiny-data/usr/share/tiny/{name}.gz", name=name)
        assert path.read_bytes() == RIGHT
    (asked,) = (tmp_path / "asked").read_text().splitlines()
    assert asked.endswith("download tiny-data")
    assert names(cache) == ["copy.bin", "thing.bin"]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            "echo 'E: Unable to locate package' >&2; exit 100",
            "apt-get: E: Unable to locate package",
        ),
        ("exit 1", "apt-get: no reason given"),
        ("echo nonsense > tiny.deb", "dpkg-deb: .*not a Debian format archive"),
        ("cp {deb} .", "the package holds no such file"),
    ],
)
def test_why_a_debian_package_failed_is_said(fetch, cache, deb, apt_get, script, reason):
    apt_get(script.replace("{deb}", str(deb)))
    with pytest.raises(AssetError, match=f"- deb:tiny-data/usr/else.gz: {reason}"):
        fetch("deb:tiny-data/usr/else.gz")
    assert names(cache) == []


def test_a_machine_without_apt_is_told_so(fetch, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AssetError, match="deb:tiny-data/thing: no apt-get on this machine"):
        fetch("deb:tiny-data/thing")


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """A folder with tiny_data-1.0, the only place where pip may look."""
    info = "tiny_data-1.0.dist-info"
    with zipfile.ZipFile(tmp_path / "tiny_data-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_data/thing.bin", RIGHT)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-data\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))


@pytest.mark.usefixtures("wheels")
def test_a_file_of_a_wheel_is_fetched_with_pip(fetch):
    assert fetch("wheel:tiny-data==1.0/tiny_data/thing.bin").read_bytes() == RIGHT


@pytest.mark.usefixtures("wheels")
def test_why_pip_failed_is_said(fetch):
    with pytest.raises(AssetError, match=r"python: ERROR: No matching .* tiny-data==2\.0"):
        fetch("wheel:tiny-data==2.0/tiny_data/thing.bin")


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A copy of the embedded files that may be damaged."""
    folder = Path(shutil.copytree(assets.FILES, tmp_path / "files"))
    monkeypatch.setattr(assets, "FILES", folder)
    return folder


def test_a_damaged_embedded_file_is_never_opened(files):
    """A turned bit in a JPEG would otherwise show as a slightly different photograph."""
    photo = files / "photos/china.jpg"
    content = bytearray(photo.read_bytes())
    content[100_000] ^= 1
    photo.write_bytes(content)
    with pytest.raises(
        AssetError, match=r"china\.jpg is damaged .* `git checkout -- helpers/files"
    ):
        assets.embedded("photos/china.jpg")


@pytest.mark.parametrize("missing", ["photos/china.jpg", "README.md"])
def test_a_missing_embedded_file_is_named(files, missing):
    (files / missing).unlink()
    with pytest.raises(AssetError, match=rf"{missing} cannot be read .* again or"):
        assets.embedded("photos/china.jpg")
