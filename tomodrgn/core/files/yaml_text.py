"""YAML as plain values within bounds: text, numbers, lists and sections, as a spec file has them.

A tag makes nothing, an alias repeats only what stays small, a key stands once. Dates and times of
day are text, as they are names of folders in this field; so are keys, whatever they look like.

Source:
    YAML 1.1 as PyYAML resolves it, https://yaml.org/type/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import yaml

from tomodrgn.core.errors import DataError, SpecError
from tomodrgn.core.files.opening import open_to_read
from tomodrgn.core.quoting import shown

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES: Final = 1 << 20
"""Longest text that is read; spec files have some thousand bytes."""
_MAX_DEPTH: Final = 40
_MAX_VALUES: Final = 100_000
_LARGEST_WHOLE: Final = 2**63
_LONGEST_NUMBER: Final = 400
_MAX_SHOWN: Final = 60
_TAG: Final = "tag:yaml.org,2002:"
_MERGE: Final = f"{_TAG}merge"
_TEXT_TAGS: Final = {f"{_TAG}{name}" for name in ("str", "timestamp", "value", "merge")}
_NUMBER_TAGS: Final = {f"{_TAG}{name}" for name in ("int", "float")}
_WORD_TAGS: Final = {f"{_TAG}{name}" for name in ("bool", "null")}


def read_yaml(path: Path) -> Any:
    """The value of a YAML file; None where it is empty.

    Raises:
        SpecError: as :func:`load_yaml`, or the file cannot be read.
    """
    try:
        with open_to_read(path) as file:
            content = file.read(MAX_BYTES + 1)
        is_cut = len(content) > MAX_BYTES
        text = content.decode("utf-8", errors="replace" if is_cut else "strict")
    except DataError as error:
        raise SpecError(str(error)) from error
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: cannot be read: it is not text in UTF-8") from error
    if len(content) > MAX_BYTES:
        raise _too_long(str(path))
    return load_yaml(text, str(path))


def load_yaml(text: str, place: str) -> Any:
    """The value of a YAML text; None where there is none.

    Args:
        text: the YAML (or JSON).
        place: file or option, for errors.

    Raises:
        SpecError: it is no YAML, or more than plain values within bounds; the key is named.
    """
    if len(text) > MAX_BYTES:
        raise _too_long(place)
    try:
        return _Reader(text, place).read()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None)
        raise SpecError(
            f"{place}{line}: {problem or 'it cannot be parsed'}; write it as YAML"
        ) from error
    except (ValueError, IndexError, OverflowError) as error:  # an escape beyond the last character
        raise SpecError(f"{place}: it cannot be parsed: {error}; write it as YAML") from error


class _BoundedLoader(yaml.SafeLoader):
    """Nodes of a text that is not nested without end."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise yaml.composer.ComposerError(
                None, None, f"is nested more than {_MAX_DEPTH} deep", None
            )
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Reader:
    """One text; counts the values that aliases make of it."""

    def __init__(self, text: str, place: str) -> None:
        self._place = place
        self._n_values = 0
        self._open = set[int]()
        self._loader = _BoundedLoader(text)

    def read(self) -> Any:
        try:
            node = self._loader.get_single_node()
            return None if node is None else self._value(node, "")
        finally:
            self._loader.dispose()

    def _value(self, node: yaml.Node, key: str) -> Any:
        self._n_values += 1
        if self._n_values > _MAX_VALUES:
            raise self._fault(
                node, key, f"makes more than {_MAX_VALUES:,} values, by aliases too; write fewer"
            )
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, key)
        if id(node) in self._open:
            raise self._fault(node, key, "holds itself by an alias; write the values out")
        self._open.add(id(node))
        value = (
            self._mapping(node, key)
            if isinstance(node, yaml.MappingNode)
            else self._list(node, key)
        )
        self._open.remove(id(node))
        return value

    def _mapping(self, node: yaml.MappingNode, key: str) -> dict[str, Any]:
        self._require_tag(node, key, f"{_TAG}map")
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for name_node, value_node in node.value:
            if not isinstance(name_node, yaml.ScalarNode):
                raise self._fault(name_node, key, "has a key that is no word; name it")
            name = str(name_node.value)
            inner = f"{key}.{name}" if key else name
            if name_node.tag == _MERGE:
                merged |= self._merged(value_node, inner)
                continue
            if name in own:
                raise self._fault(node, "", f"the key {name!r} is given twice; write it as YAML")
            own[name] = self._value(value_node, inner)
        return merged | own

    def _merged(self, node: yaml.Node, key: str) -> dict[str, Any]:
        """What ``<<`` takes over from one section or several, of which the first wins."""
        found = self._value(node, key)
        sections = found if isinstance(found, list) else [found]
        if not all(isinstance(section, dict) for section in sections):
            raise self._fault(node, key, "takes over what is no section; name sections by aliases")
        return {name: value for section in reversed(sections) for name, value in section.items()}

    def _list(self, node: yaml.Node, key: str) -> list[Any]:
        self._require_tag(node, key, f"{_TAG}seq")
        return [self._value(item, f"{key}.{number}") for number, item in enumerate(node.value)]

    def _scalar(self, node: yaml.ScalarNode, key: str) -> Any:
        text = str(node.value)
        if node.tag in _TEXT_TAGS or (node.tag in _NUMBER_TAGS and ":" in text):
            return text
        if node.tag not in _NUMBER_TAGS | _WORD_TAGS:
            raise self._tag_fault(node, key)
        if len(text) > _LONGEST_NUMBER:
            raise self._fault(node, key, f"is a number of {len(text)} digits; give a smaller one")
        try:
            value = self._loader.construct_object(node)
        except (ValueError, KeyError, IndexError, OverflowError) as error:
            kind = node.tag.removeprefix(_TAG)
            raise self._fault(node, key, f"{_short(text)} is no {kind}; correct it") from error
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _LARGEST_WHOLE:
            raise self._fault(node, key, f"{_short(text)} is too large; give less than 2**63")
        return value

    def _require_tag(self, node: yaml.Node, key: str, tag: str) -> None:
        if node.tag != tag:
            raise self._tag_fault(node, key)

    def _tag_fault(self, node: yaml.Node, key: str) -> SpecError:
        tag = _short(str(node.tag).replace(_TAG, "!!"))
        return self._fault(
            node, key, f"has the tag {tag}; a spec holds text, numbers, lists and sections, write "
            "it as YAML without tags",
        )  # fmt: skip

    def _fault(self, node: yaml.Node, key: str, problem: str) -> SpecError:
        where = f"{key}: " if key else ""
        return SpecError(
            f"{self._place}, line {node.start_mark.line + 1}: {_short(where)}{problem}"
        )


def _too_long(place: str) -> SpecError:
    return SpecError(
        f"{place}: holds more than {MAX_BYTES:,} bytes; a spec file is short, name large tables by "
        "their files"
    )


def _short(text: str) -> str:
    """Text of a stranger for an error."""
    text = shown(text)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
