"""Notebooks without Jupyter and its widgets: their cells in order, as Python."""

from __future__ import annotations

import json
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest


def code_cells(notebook: Path) -> list[str]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def execute(notebook: Path) -> dict[str, Any]:
    """Run all cells in the folder of the notebook; its variables."""
    variables: dict[str, Any] = {"__name__": "__main__"}
    with chdir(notebook.parent), pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "jscatter", None)
        for number, cell in enumerate(code_cells(notebook)):
            exec(compile(cell, f"{notebook.name}[{number}]", "exec"), variables)  # noqa: S102
    return variables
