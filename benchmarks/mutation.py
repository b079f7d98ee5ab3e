"""Small faults to put into a module, one at a time: does a test notice?

A fault changes one node of the syntax tree: a comparison, an operator, a number, the side of a
condition, a function for its twin, or a statement for nothing. Words are left alone: docstrings,
annotations, errors and what is logged.
"""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMPARED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATED: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_TWINS: Final = (
    ("min", "max"),
    ("minimum", "maximum"),
    ("clamp_min", "clamp_max"),
    ("argmin", "argmax"),
    ("any", "all"),
    ("floor", "ceil"),
    ("sum", "mean"),
    ("median", "mean"),
    ("sin", "cos"),
    ("zeros", "ones"),
    ("zeros_like", "ones_like"),
    ("new_zeros", "new_ones"),
)
_TWIN_OF: Final = {name: twin for pair in reversed(_TWINS) for name, twin in (pair, pair[::-1])}
_SPOKEN: Final = {"logger", "warnings"}
_UNTOUCHED_ARGUMENTS: Final = {"strict", "dtype"}
_UNTOUCHED_FIELDS: Final = {
    "annotation",
    "returns",
    "decorator_list",
    "bases",
    "ctx",
    "type_params",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One change of one module.

    Attributes:
        line: that it is in, from 1.
        column: that it begins in, from 1.
        number: among the faults of the module, from 0.
        was: the source of what it changes, its first line.
        now: the source of what that becomes.
    """

    line: int
    column: int
    number: int
    was: str
    now: str


@dataclass(frozen=True, slots=True)
class _Change:
    parent: ast.AST
    field: str
    index: int | None
    old: ast.AST
    new: ast.AST

    def make(self) -> None:
        """Change the tree."""
        if self.index is None:
            setattr(self.parent, self.field, self.new)
        else:
            getattr(self.parent, self.field)[self.index] = self.new


def faults(source: str) -> list[Fault]:
    """All faults of a module, in the order of its source."""
    return [
        Fault(
            line=getattr(change.old, "lineno", 0),
            column=getattr(change.old, "col_offset", -1) + 1,
            number=number,
            was=_head(change.old),
            now=_head(change.new),
        )
        for number, change in enumerate(_changes(ast.parse(source)))
    ]


def with_fault(source: str, number: int) -> str:
    """The source of a module with one of its :func:`faults`."""
    tree = ast.parse(source)
    list(_changes(tree))[number].make()
    return ast.unparse(ast.fix_missing_locations(tree))


def _head(node: ast.AST) -> str:
    """The first line of a source."""
    return ast.unparse(node).partition("\n")[0]


def _changes(parent: ast.AST) -> Iterator[_Change]:
    for field, value in ast.iter_fields(parent):
        if field in _UNTOUCHED_FIELDS:
            continue
        children = enumerate(value) if isinstance(value, list) else [(None, value)]
        for index, child in children:
            if not isinstance(child, ast.AST) or _is_word(child):
                continue
            for new in _alternatives(child):
                yield _Change(parent, field, index, child, new)
            yield from _changes(child)


def _is_word(node: ast.AST) -> bool:
    """Whether a node only speaks: text, an error, a line of a log, a type."""
    match node:
        case ast.JoinedStr() | ast.Raise() | ast.Import() | ast.ImportFrom() | ast.Assert():
            return True
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)))):
            return name in _SPOKEN
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.keyword(arg=name):
            return name in _UNTOUCHED_ARGUMENTS
    return False


def _alternatives(node: ast.AST) -> Iterator[ast.AST]:
    """What a node may become."""
    yield from _operators(node)
    yield from _values(node)
    yield from _ways(node)


def _operators(node: ast.AST) -> Iterator[ast.AST]:
    """Another comparison or operation between the same things."""
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in _COMPARED:
            yield _with(node, ops=[_COMPARED[type(operator)]()])
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATED:
            if not (_is_text(left) or _is_text(right)):
                yield _with(node, op=_OPERATED[type(operator)]())
        case ast.AugAssign(op=operator) if type(operator) in _OPERATED:
            yield _with(node, op=_OPERATED[type(operator)]())
        case ast.BoolOp(op=operator):
            yield _with(node, op=ast.Or() if isinstance(operator, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert(), operand=operand):
            yield operand


def _values(node: ast.AST) -> Iterator[ast.AST]:
    """Another number."""
    match node:
        case ast.Constant(value=bool() as value):
            yield _with(node, value=not value)
        case ast.Constant(value=int() as value):
            yield _with(node, value=value + 1)
        case ast.Constant(value=float() as value):
            yield _with(node, value=2 * value or 1.0)


def _ways(node: ast.AST) -> Iterator[ast.AST]:
    """The other side of a condition, a function's twin, or nothing instead of a statement."""
    match node:
        case ast.AugAssign() | ast.Expr(value=ast.Call()):
            yield ast.copy_location(ast.Pass(), node)
        case ast.IfExp(body=body, orelse=orelse):
            yield _with(node, body=orelse, orelse=body)
        case ast.If(test=test) if not isinstance(test, (ast.Compare, ast.UnaryOp)):
            yield _with(node, test=ast.UnaryOp(op=ast.Not(), operand=test))
        case ast.Call(func=ast.Attribute(attr=name) as function) if name in _TWIN_OF:
            yield _with(node, func=_with(function, attr=_TWIN_OF[name]))
        case ast.Call(func=ast.Name(id=name) as function) if name in _TWIN_OF:
            yield _with(node, func=_with(function, id=_TWIN_OF[name]))


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _with(node: ast.AST, **fields: object) -> ast.AST:
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other
