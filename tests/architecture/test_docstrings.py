"""Public functions say the shapes of their arrays."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from .import_graph import ROOT

_ARRAY = re.compile(r"NDArray|Tensor|ArrayLike")
_SHAPE = re.compile(r"\([\w.][\w /+*'.^-]*,|\(\w?\)|\(\.{3}\)|shape|arguments as|[Ss]ee :|^As ``")
PACKAGE = ROOT / "tomodrgn"
ROOMS = sorted(
    str(path.relative_to(PACKAGE))
    for path in (*PACKAGE.glob("core/*/"), *PACKAGE.glob("plugins/*/"))
    if (path / "__init__.py").exists()
)


def public_functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node)
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node


def takes_arrays(function: ast.FunctionDef) -> bool:
    arguments = (*function.args.args, *function.args.kwonlyargs)
    types = [each.annotation for each in arguments] + [function.returns]
    return any(_ARRAY.search(ast.unparse(each)) for each in types if each is not None)


@pytest.mark.parametrize("room", ROOMS)
def test_shapes_are_said(room: str) -> None:
    assert silent_in((PACKAGE / room).rglob("*.py")) == []


def test_shapes_are_said_outside_of_rooms() -> None:
    assert silent_in((*PACKAGE.glob("*.py"), *PACKAGE.glob("core/*.py"))) == []


def silent_in(paths: Iterable[Path]) -> list[str]:
    """Functions with arrays whose docstring says no shape, and leads to none that does."""
    return [
        f"{path.name}: {function.name}"
        for path in sorted(paths)
        for function in public_functions(ast.parse(path.read_text()))
        if takes_arrays(function) and not _SHAPE.search(ast.get_docstring(function) or "")
    ]
