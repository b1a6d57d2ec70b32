"""Run every benchmark, and write its record: `make records`."""

import runpy
from pathlib import Path

for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
    if path.stem != "common":
        runpy.run_module(f"benchmarks.{path.stem}", run_name="__main__")
