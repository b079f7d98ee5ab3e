from __future__ import annotations

import ast
import json
from pathlib import Path

from tests.core.notebook.notebooks import code_cells
from tomodrgn.core.notebook.files import NOTEBOOKS, place_notebooks


def test_a_changed_notebook_stays_and_a_fresh_one_lies_beside_it(tmp_path: Path) -> None:
    assert [path.name for path in place_notebooks(tmp_path, tmp_path)] == list(NOTEBOOKS)
    assert place_notebooks(tmp_path, tmp_path) == []
    mine = tmp_path / NOTEBOOKS[0]
    mine.write_text("mine")
    assert [p.name for p in place_notebooks(tmp_path, tmp_path)] == [
        "tomoDRGN_viz+filt_template.1.ipynb"
    ]
    assert mine.read_text() == "mine"
    assert place_notebooks(tmp_path, tmp_path) == []


def test_folders_with_quotes_and_backslashes_are_written_as_python(tmp_path: Path) -> None:
    run = tmp_path / 'a "b" \\n é \U0001f600'
    (path, _) = place_notebooks(tmp_path / "out", run)
    json.loads(path.read_text(encoding="utf-8"))
    call = next(cell for cell in code_cells(path) if "load_analysis(" in cell)
    compile(call, "cell", "exec")
    (line,) = [line for line in call.splitlines() if line.startswith("analysis = ")]
    keywords = {each.arg: each.value for each in ast.walk(ast.parse(line)) if hasattr(each, "arg")}
    assert ast.literal_eval(keywords["run"]) == f"../{run.name}"
