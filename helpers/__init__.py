"""What the chapters of *Large Models from Scratch* share.

Importing this package does nothing slow: torch and matplotlib are loaded by `setup()`.
"""

import importlib.util
import os
import random
import subprocess
import sys
from importlib import metadata

# The distribution's name. It tells this package from any other folder that is called "helpers".
BOOK = "large-models-from-scratch"

# Replacing one of these under a running notebook breaks the notebook service itself.
KEEP_AS_IS = ("torch", "numpy", "ipywidgets", "ipython", "ipykernel", "jupyter-client", "tornado")

# Packages that are imported under another name than pip installs them by.
IMPORTED_AS = {"scikit-learn": "sklearn"}


def setup(seed: int = 0) -> None:
    """Seed every generator, share the processor fairly and choose the book's figure style.

    With `BOOK_WORKERS=n`, n chapters run side by side, and each takes its share of the cores:
    two processes with two threads each on two cores were measured three times slower.

    Raises:
        ValueError: `BOOK_WORKERS` is set to something else than a whole number from 1 on.
    """
    import numpy
    import torch

    from helpers import plotting

    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)
    workers = os.environ.get("BOOK_WORKERS", "1")
    if not workers.isdecimal() or int(workers) < 1:
        raise ValueError(f"BOOK_WORKERS must be a whole number from 1 on, not {workers!r}.")
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // int(workers)))
    plotting.use_style()


def need(*packages: str) -> None:
    """Make sure that the packages of a chapter, named as pip names them, can be imported.

    On Colab and Kaggle a missing one is installed, and nothing that runs already is replaced.
    Elsewhere the reader owns the environment, and is told what to type.

    >>> need("jupyterquiz")

    Raises:
        ModuleNotFoundError: a package is missing here.
        ImportError: on Colab or Kaggle, pip could not install it beside what runs there.
    """
    missing = [p for p in packages if importlib.util.find_spec(IMPORTED_AS.get(p, p)) is None]
    if not missing:
        return
    if not _on_hosted_notebook():
        raise ModuleNotFoundError(
            f"This chapter needs {', '.join(missing)}: install it with "
            f"`{sys.executable} -m pip install {' '.join(missing)}` and run this cell again."
        )
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    if subprocess.run([*pip, *missing, "-c", "/dev/stdin"], input=_pins(), text=True).returncode:
        raise ImportError(
            f"pip could not install {', '.join(missing)} beside the versions that run here: "
            "its reason stands above; without a network there is no remedy but to connect."
        )
    importlib.invalidate_caches()


def _on_hosted_notebook() -> bool:
    return "google.colab" in sys.modules or "KAGGLE_KERNEL_RUN_TYPE" in os.environ


def _pins() -> str:
    """The versions in use, as pip constraints."""
    pins = []
    for name in KEEP_AS_IS:
        try:
            pins.append(f"{name}=={metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return "\n".join(pins)
