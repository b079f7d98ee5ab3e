from __future__ import annotations

import ast

from .import_graph import ROOT, circle, import_graph, imports_of


def test_no_module_imports_itself_through_others() -> None:
    assert circle(import_graph(sorted((ROOT / "tomodrgn").rglob("*.py")))) == []


def test_a_circle_through_a_function_is_found_and_one_of_types_is_not() -> None:
    assert circle({"a": {"b"}, "b": {"a"}}) == ["a", "b", "a"]
    code = "if TYPE_CHECKING:\n    import types_\ndef f():\n    from b import c\n"
    assert list(imports_of(ast.parse(code))) == ["b.c"]
