"""Chapter 03 with Colab's packages: ipywidgets 7.7.1, IPython 7.34, anywidget 0.9.21.

pytest tests/test_colab.py
"""

import os
import subprocess
import sys

import nbformat

from tests.notebooks import CHAPTERS, ROOT
from tools.execute import install_wheel, run

VERSIONS = """
import anywidget, ipywidgets, IPython
print(ipywidgets.__version__, IPython.__version__, anywidget.__version__)
"""


def test_chapter_03_runs_with_colab_s_old_widgets(tmp_path):
    """Colab cannot be upgraded to ipywidgets 8, so what needs 8 must not be in a chapter."""
    packages = tmp_path / "colab"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", packages]
    subprocess.run([*pip, "-r", ROOT / "tests/colab-packages.txt"], check=True)
    python_path = os.pathsep.join(
        map(str, [ROOT / "tools/offline", packages, install_wheel(tmp_path)])
    )

    chapter = next(path for path in CHAPTERS if path.stem == "03_convolution")
    notebook = nbformat.read(chapter, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(VERSIONS))
    nbformat.write(notebook, tmp_path / "chapter.ipynb")
    executed = run(tmp_path / "chapter.ipynb", python_path)

    assert executed.cells[-1].outputs[0].text.split() == ["7.7.1", "7.34.0", "0.9.21"]
    views = [
        output.data["application/vnd.jupyter.widget-view+json"]
        for cell in executed.cells
        for output in cell.get("outputs", [])
        if "application/vnd.jupyter.widget-view+json" in output.get("data", {})
    ]
    state = executed.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    assert views
    assert all("_esm" in state[view["model_id"]]["state"] for view in views)
