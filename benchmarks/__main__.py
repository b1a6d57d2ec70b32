"""Run each benchmark whose record is out of date: `make records`. With --all, run every one."""

import runpy
import sys
from pathlib import Path

from benchmarks.common import is_fresh

everything, sys.argv = "--all" in sys.argv, sys.argv[:1]  # some benchmarks read options, too
for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
    if path.stem != "common" and (everything or not is_fresh(path.stem)):
        runpy.run_module(f"benchmarks.{path.stem}", run_name="__main__")
