"""Files come whole and right, or not at all: real servers, real processes, a real full disk.

    python -m pytest tests/test_assets.py

No network is needed: every server and every package is made here.
"""

import errno
import gzip
import hashlib
import http.server
import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import textwrap
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from helpers import assets, sources
from helpers.assets import Asset, AssetError, Group

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
    sources._package.cache_clear()
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


def test_a_device_that_is_full_is_not_taken_for_a_bad_source():
    """Else the next source would be tried, to fail in the same way."""
    with pytest.raises(OSError, match="No space left") as caught:
        assets._save(io.BytesIO(RIGHT), "/dev/full", len(RIGHT), len)
    assert caught.value.errno == errno.ENOSPC


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
    """A function that puts a shell script in the place of this machine's apt-get, or of another."""

    def install(script: str, name: str = "apt-get") -> None:
        program = tmp_path / "bin" / name
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
        wheel.writestr("../evil", RIGHT)
        wheel.writestr("/evil", RIGHT)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-data\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("wheels")
def test_a_file_of_a_wheel_is_fetched_with_pip(fetch):
    assert fetch("wheel:tiny-data==1.0/tiny_data/thing.bin").read_bytes() == RIGHT


@pytest.mark.usefixtures("wheels")
def test_why_pip_failed_is_said(fetch):
    with pytest.raises(AssetError, match=r"python: ERROR: No matching .* tiny-data==2\.0"):
        fetch("wheel:tiny-data==2.0/tiny_data/thing.bin")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda wheel: wheel.write_bytes(b"nonsense"), "python: ERROR: "),
        (lambda wheel: wheel.write_bytes(wheel.read_bytes()[:-500]), "python: ERROR: "),
        (
            lambda wheel: wheel.write_bytes(wheel.read_bytes().replace(RIGHT[-9:], bytes(9))),
            r"got [\d,]+ of 200,000 bytes \(BadZipFile\)",
        ),
    ],
    ids=["no zip", "cut short", "one file of it damaged"],
)
def test_a_corrupt_wheel_is_told_and_nothing_of_it_stays(fetch, cache, wheels, damage, reason):
    (wheel,) = wheels.glob("*.whl")
    damage(wheel)
    with pytest.raises(AssetError, match=f"- wheel:tiny-data==1.0/tiny_data/thing.bin: {reason}"):
        fetch("wheel:tiny-data==1.0/tiny_data/thing.bin")
    assert not cache.exists() or names(cache) == []


def tar(path: Path, contents: dict[str, bytes | str], mode: str = "w:gz") -> Path:
    """A tar of these, whatever they are called: a text is a link's target, x/ a folder."""
    with tarfile.open(path, mode) as file:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname, content = tarfile.SYMTYPE, content, b""
            if name.endswith("/"):
                member.type = tarfile.DIRTYPE
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return path


def test_a_file_of_an_npm_package_is_fetched_with_npm(fetch, tmp_path, apt_get):
    package = tar(tmp_path / "tiny-1.0.tgz", {"package/thing.bin": RIGHT})
    apt_get(f'echo "$@" > {tmp_path}/asked; cp {package} .', name="npm")
    assert fetch("npm:tiny@1.0/package/thing.bin").read_bytes() == RIGHT
    assert (tmp_path / "asked").read_text() == "pack --silent tiny@1.0\n"


BACKEND = """
import pathlib
def prepare_metadata_for_build_wheel(folder, settings=None):
    info = pathlib.Path(folder, "tiny_data-1.0.dist-info")
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: tiny-data\\nVersion: 1.0\\n")
    return info.name
"""
SDIST = {
    "tiny_data-1.0/PKG-INFO": b"Metadata-Version: 2.1\nName: tiny-data\nVersion: 1.0\n",
    "tiny_data-1.0/backend.py": BACKEND.encode(),
    "tiny_data-1.0/pyproject.toml": b'[build-system]\nrequires = []\nbuild-backend = "backend"\n'
    b'backend-path = ["."]\n',
    "tiny_data-1.0/thing.bin": RIGHT,
}


def test_a_file_of_an_sdist_is_fetched_with_pip(fetch, wheels):
    tar(wheels / "tiny_data-1.0.tar.gz", SDIST)
    assert fetch("sdist:tiny-data==1.0/tiny_data-1.0/thing.bin").read_bytes() == RIGHT


def test_a_source_without_a_path_is_the_package_itself(cache, wheels):
    content = tar(wheels / "tiny_data-1.0.tar.gz", SDIST).read_bytes()
    asset = Asset(("sdist:tiny-data==1.0",), len(content), hashlib.sha256(content).hexdigest(), "")
    assert assets.obtain("tiny.tar.gz", asset).read_bytes() == content


def below(folder: Path) -> set[Path]:
    """Everything in a folder but the cache."""
    return {path for path in folder.rglob("*") if "cache" not in path.relative_to(folder).parts}


@pytest.mark.parametrize("scheme", ["wheel", "npm", "deb"])
@pytest.mark.parametrize("member", ["../evil", "/evil"])
def test_a_member_that_would_leave_the_archive_is_a_name_like_any_other(
    fetch, cache, wheels, apt_get, scheme, member
):
    """It is read into the one file that was asked for, and written nowhere else."""
    npm = tar(wheels / "evil-1.tgz", {"../evil": RIGHT, "/evil": RIGHT})
    inner = tar(wheels / "data.tar", {"./../evil": RIGHT, ".//evil": RIGHT}, "w").read_bytes()
    apt_get(f"cp {npm} .", name="npm")
    apt_get(f"cp {package_of(inner, wheels / 'evil.deb')} .")
    before = below(wheels)
    package = {"wheel": "tiny-data==1.0", "npm": "evil@1", "deb": "evil"}[scheme]
    assert fetch(f"{scheme}:{package}/{member}") == cache / "thing.bin"
    assert names(cache) == ["thing.bin"]
    assert below(wheels) == before
    assert not Path("/evil").exists()


def package_of(inner: bytes, path: Path) -> Path:
    """A Debian package with this tar of files, put together by hand: dpkg-deb would refuse."""
    control = io.BytesIO()
    with tarfile.open(fileobj=control, mode="w") as file:
        text = b"Package: evil\nVersion: 1\nArchitecture: all\nMaintainer: us\nDescription: x\n"
        member = tarfile.TarInfo("./control")
        member.size = len(text)
        file.addfile(member, io.BytesIO(text))
    content = b"!<arch>\n"
    parts = {"debian-binary": b"2.0\n", "control.tar": control.getvalue(), "data.tar": inner}
    for name, part in parts.items():
        content += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(part):<10}`\n".encode()
        content += part + b"\n" * (len(part) % 2)
    path.write_bytes(content)
    return path


def test_pip_refuses_an_sdist_that_would_leave_its_folder(fetch, cache, wheels):
    """It unpacks an sdist, to ask it for its name; a hostile one gets no further."""
    tar(wheels / "tiny_data-1.0.tar.gz", SDIST | {"tiny_data-1.0/../../evil": RIGHT})
    before = below(wheels)
    with pytest.raises(AssetError, match=r"python: .* has a file \(.*/\.\./evil\)"):
        fetch("sdist:tiny-data==1.0/tiny_data-1.0/thing.bin")
    assert below(wheels) == before


@pytest.mark.parametrize("member", ["out", "in", "root", "folder"])
def test_a_member_that_is_no_file_is_not_followed(fetch, tmp_path, apt_get, member):
    (tmp_path / "secret").write_bytes(RIGHT)
    links = {"out": "../../secret", "in": "folder", "root": f"{tmp_path}/secret"}
    package = tar(tmp_path / "evil-1.tgz", {"folder/": b"", **links})
    apt_get(f"cp {package} .", name="npm")
    with pytest.raises(AssetError, match=f"npm:evil@1/{member}: the package holds no such file"):
        fetch(f"npm:evil@1/{member}")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"nonsense", "ReadError: "),
        (b"", "ReadError: "),
        (PACKED[:1_000], "(EOFError|ReadError): "),
    ],
    ids=["no archive", "empty", "cut short"],
)
def test_a_corrupt_npm_package_is_told(fetch, tmp_path, apt_get, content, reason):
    (tmp_path / "x-1.tgz").write_bytes(content)
    apt_get(f"cp {tmp_path}/x-1.tgz .", name="npm")
    with pytest.raises(AssetError, match=f"- npm:x@1/package/x: {reason}"):
        fetch("npm:x@1/package/x")


def test_the_hub_s_mirror_is_asked_and_named(fetch, server, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", f"{server.url}/")
    assert fetch(f"{sources.HUB}/right").read_bytes() == RIGHT
    with pytest.raises(AssetError, match=f"- {server.url}/missing: HTTP status 404"):
        fetch(f"{sources.HUB}/missing", name="other.bin")
    monkeypatch.setenv("HF_ENDPOINT", "mirror.example")
    with pytest.raises(AssetError, match=r"mirror.example/right: host unreachable \(MissingSchema"):
        fetch(f"{sources.HUB}/right", name="other.bin")


def test_a_package_is_removed_when_the_next_one_comes(fetch, cache, deb, apt_get, tmp_path):
    """Up to 93 MB lie there: two of them at a time would be a waste."""
    apt_get(f"pwd >> {tmp_path}/folders; cp {deb} .")
    for name in ("first", "second"):
        fetch(f"deb:{name}/usr/share/tiny/thing.bin.gz", name=name)
    first, second = map(Path, (tmp_path / "folders").read_text().split())
    assert not first.exists()
    assert second.exists()
    sources._package.cache_clear()
    assert not second.exists()


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


# The command line.


def groups(url: str) -> dict[str, Group]:
    """Three groups: two files, one that no source has, and one that is good.

    The second gets half a file, nothing, and another file of the right size.
    """
    line = f"{SHA256} {len(RIGHT)}"
    return {
        "pair": Group((f"{url}/{{}}",), "ours", f"{line} right\n{line} right.gz", "pair/"),
        "gone": Group(
            (f"{url}/half", f"{url}/missing/{{}}", f"{url}/{{}}"), "MIT", f"{line} wrong", "gone/"
        ),
        "good": Group((f"{url}/right",), "CC0", f"{line} thing.bin"),
    }


@pytest.fixture
def command(server, cache, monkeypatch, capsys):
    """A function that runs the command line: exit code and what it printed."""
    monkeypatch.setattr(assets, "GROUPS", groups(server.url))

    def command(*arguments: str) -> tuple[int, str]:
        code = assets.main(list(arguments))
        return code, capsys.readouterr().out

    return command


def test_list_shows_size_state_and_licence(command, cache):
    (cache / "pair").mkdir(parents=True)
    (cache / "pair/right").write_bytes(RIGHT)
    (cache / "thing.bin").write_bytes(RIGHT)
    code, out = command("list")
    assert code == 0
    assert re.search(r"pair +0\.4 MB +1 of 2 +ours\n", out)
    assert re.search(r"gone +0\.2 MB +no +MIT\n", out)
    assert re.search(r"good +0\.2 MB +yes +CC0\n", out)
    assert str(cache) in out
    assert "pair" not in command("list", "good")[1]


def test_fetch_goes_on_after_a_failure_and_sums_up(command, cache, server):
    code, out = command("fetch")
    assert code == 1
    assert "- " + f"{server.url}/missing/wrong: HTTP status 404" in out
    assert out.endswith("Not fetched: gone. The reasons stand above.\n")
    assert (cache / "thing.bin").read_bytes() == RIGHT
    assert names(cache / "pair") == ["right", "right.gz"]
    # The line of "gone" counts its last source alone.
    bars = re.findall(r"^(\S+): +(\d+)% \|.*B/s, 127\.0\.0\.1:\d+\]$", out, re.MULTILINE)
    assert bars == [("pair/right", "100"), ("pair/right.gz", "100"), ("gone/wrong", "100"),
                    ("thing.bin", "100")]  # fmt: skip


def test_what_is_right_is_not_fetched_again_and_what_is_damaged_is(command, cache, server):
    assert command("fetch", "good", "good")[0] == 0
    assert command("fetch", "good") == (0, f"thing.bin: in the cache\n\nIn {cache}: good.\n")
    assert server.asked == ["/right"]
    (cache / "thing.bin").write_bytes(RIGHT[:-1])
    assert command("fetch", "good")[0] == 0
    assert (cache / "thing.bin").read_bytes() == RIGHT


def test_fetch_names_a_cache_that_cannot_be_written_and_goes_on(command, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("BOOK_CACHE", str(tmp_path / "file"))
    code, out = command("fetch", "good", "pair")
    assert code == 1
    assert f"cache folder {tmp_path / 'file'}: cannot be used" in out
    assert "Not fetched: good, pair." in out
    assert command("list")[0] == 0
    assert command("verify", "good")[0] == 1


def test_verify_without_names_asks_for_what_is_there_and_with_names_for_these(command, cache):
    embedded = len(assets.checksums())
    assert command("verify") == (0, f"{embedded} of {embedded} files are right.\n")
    assert command("fetch", "pair")[0] == 0
    assert command("verify") == (0, f"{embedded + 2} of {embedded + 2} files are right.\n")
    code, out = command("verify", "good", "pair")
    assert code == 1
    assert out.startswith(f"{cache / 'thing.bin'} is missing.\n{embedded + 2} of {embedded + 3} ")
    assert command("verify", "all")[0] == 1


def test_verify_names_what_is_damaged_or_half_there(command, cache):
    command("fetch", "pair")
    (cache / "pair/right").write_bytes(BODIES["/wrong"])
    (cache / "pair/right.gz").unlink()
    code, out = command("verify")
    assert code == 1
    assert f"{cache / 'pair/right'} is damaged.\n{cache / 'pair/right.gz'} is missing.\n" in out


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda files: (files / "sms_spam/test.txt").unlink(), r"sms_spam/test\.txt is missing"),
        (lambda files: (files / "photos/cat.png").write_bytes(b""), r"cat\.png is damaged"),
        (lambda files: (files / "README.md").write_text("cut"), r"cat\.png is damaged"),
        (lambda files: (files / "README.md").unlink(), r"README\.md cannot be read \(No such file"),
    ],
    ids=["missing", "damaged", "table lost", "README lost"],
)
def test_verify_names_damaged_embedded_files(command, files, damage, problem):
    damage(files)
    code, out = command("verify")
    assert code == 1
    assert re.search(problem, out)


def test_an_unknown_group_is_answered_with_the_known_ones(command, capsys):
    with pytest.raises(SystemExit, match="2"):
        command("fetch", "good", "bad")
    assert "nothing is called 'bad'; there are pair, gone, good, and all" in capsys.readouterr().err


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_fetch_that_was_killed_half_way_is_run_again(command, server, cache, sent):
    """As a teacher would who closes the window, and types the same once more."""
    code = "import sys; from helpers import assets; from tests.test_assets import groups; "
    code += f"assets.GROUPS = groups({server.url!r}); "
    code += f"assets.GROUPS['good'] = assets.Group(('{server.url}/stall',), '', "
    code += f"'{SHA256} {len(RIGHT)} thing.bin'); sys.exit(assets.main(['fetch', 'pair', 'good']))"
    env = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=env,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    assert server.stalled.wait(60)
    process.send_signal(sent)
    out, complaint = process.communicate(timeout=60)
    if sent == signal.SIGINT:  # told in a sentence, and not by a traceback
        assert (process.returncode, complaint) == (130, b"")
        assert b"Interrupted. What was fetched whole is kept" in out
    assert not (cache / "thing.bin").exists()
    assert command("verify")[0] == 0
    server.asked.clear()
    assert command("fetch", "pair", "good")[0] == 0
    assert server.asked == ["/right"]
    assert command("verify", "pair", "good")[0] == 0


def test_the_real_command_line_lists_every_group():
    command = [sys.executable, "-m", "helpers.assets", "list"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert [name for name in assets.GROUPS if f"\n{name} " in done.stdout] == list(assets.GROUPS)
    assert done.stderr == ""


def test_every_place_of_a_group_names_the_file_or_is_a_file():
    for group in assets.GROUPS.values():
        for place in group.places:
            assert "{}" in place or place.endswith(".txt")
        for asset in group.assets().values():
            assert re.fullmatch("[0-9a-f]{64}", asset.sha256)
            assert asset.size > 0
