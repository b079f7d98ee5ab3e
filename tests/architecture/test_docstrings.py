"""Public functions of rooms with science say the shapes of their arrays."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from .import_graph import ROOT

_ARRAY = re.compile(r"NDArray|Tensor|ArrayLike")
_SHAPE = re.compile(r"\([\w.][\w /+*'.^-]*,|\(\w?\)|\(\.{3}\)|shape|arguments as")
ROOMS = ("physics", "geometry", "fourier", "linear", "reconstruction")


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
    paths = sorted((ROOT / "tomodrgn" / "core" / room).glob("*.py"))
    found = [f for path in paths for f in public_functions(ast.parse(path.read_text()))]
    arrays = [function for function in found if takes_arrays(function)]
    assert arrays
    silent = [f.name for f in arrays if not _SHAPE.search(ast.get_docstring(f) or "")]
    assert silent == []
