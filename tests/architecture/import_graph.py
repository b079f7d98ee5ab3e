"""Which modules of the package import which, as their source says."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[2]


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(tree: ast.AST) -> Iterator[str]:
    """Names that are imported when code runs, at the top and in functions; not for types alone."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                continue
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(level=1 | 2 | 3):
                raise ValueError(f"{ast.unparse(node)}: write the name of the package out")
            case ast.ImportFrom():
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            case _:
                yield from imports_of(node)


def import_graph(paths: list[Path]) -> dict[str, set[str]]:
    """Imported modules of the package by module."""
    names = {module_name(path): path for path in paths}
    graph = {}
    for name, path in names.items():
        imported = imports_of(ast.parse(path.read_text()))
        near = {each if each in names else each.rpartition(".")[0] for each in imported}
        graph[name] = (near & set(names)) - {name}
    return graph


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Modules that import one another in a circle; none where there is no such."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []
