"""Where no browser is, the suite fails and says how to get one; it never skips.

pytest tests/browser/test_without_chromium.py
"""

import os
import subprocess
import sys

from tests.notebooks import ROOT


def test_a_missing_browser_is_a_failure_with_a_remedy(tmp_path):
    """A suite that skips itself is green on a machine where nothing was tested."""
    env = {key: value for key, value in os.environ.items() if key != "BOOK_CHROMIUM"}
    test = "tests/browser/test_site.py::test_formulas_are_typeset"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
    result = subprocess.run(
        command, cwd=ROOT, env=env | {"PATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert result.returncode == 1
    assert "apt-get install chromium" in result.stdout
    assert "skipped" not in result.stdout
