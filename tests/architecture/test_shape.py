"""The shape of the house: what a reader can count on when looking for something."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tomodrgn.core.manager import BUILTIN_PLUGINS

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "tomodrgn").rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in MODULES]
HEAVY = {"torch", "sklearn", "umap", "matplotlib", "h5py", "lightning_fabric"}


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_module_says_what_it_is_and_stays_short(path: Path) -> None:
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) < 400


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_functions_have_at_most_forty_lines_of_code(path: Path) -> None:
    tree = ast.parse(path.read_text())
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert [f.name for f in functions if _lines_of_code(f) > 40] == []


def _lines_of_code(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function from ``def`` to its end, without its docstring."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function) is None:
        return lines
    docstring = function.body[0]
    return lines - ((docstring.end_lineno or 0) - docstring.lineno + 1)


def test_the_registry_is_handed_to_few_functions() -> None:
    """It is asked by nouns that open things; everybody else takes the nouns."""
    trees = [ast.parse(path.read_text()) for path in MODULES]
    functions = [n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    taking = [f.name for f in functions if "registry" in _parameters(f)]
    assert 0 < len(taking) <= 15, taking


def _parameters(function: ast.FunctionDef) -> set[str]:
    arguments = function.args
    return {each.arg for each in (*arguments.args, *arguments.kwonlyargs, *arguments.posonlyargs)}


def test_no_module_is_called_after_nothing_in_particular() -> None:
    assert {path.stem for path in MODULES}.isdisjoint({"utils", "helpers", "common", "misc"})


@pytest.mark.parametrize("plugin", [*BUILTIN_PLUGINS, "tomodrgn.core.particles.tables"])
def test_plugin_families_and_tables_import_nothing_heavy(plugin: str) -> None:
    code = f"import {plugin}, sys; print(*sys.modules)"
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert HEAVY.isdisjoint(finished.stdout.split())


def test_text_is_quoted_for_other_languages_in_one_place() -> None:
    quoters = re.compile(r"^\s*(?:from|import) (?:html|shlex|xml\.sax\.saxutils|urllib)\b", re.M)
    found = {str(path.relative_to(ROOT)) for path in MODULES if quoters.search(path.read_text())}
    assert found == {"tomodrgn/core/quoting.py"}


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    needed = {_package(text) for group in groups for text in group}
    pinned = (ROOT / "constraints.txt").read_text().splitlines()
    assert all("==" in line for line in pinned)
    assert needed <= {_package(line) for line in pinned}


def _package(requirement: str) -> str:
    name = re.split(r"[\s<>=!~\[;]", requirement, maxsplit=1)[0]
    return name.lower().replace("_", "-")
