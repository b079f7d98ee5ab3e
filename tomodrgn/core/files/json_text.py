"""JSON of strangers: within bounds, and with one kind of fault.

Python reads JSON that is nested too deeply, or holds numbers of many digits, with errors of other
kinds than those of a text that is no JSON.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.opening import open_to_read

if TYPE_CHECKING:
    from pathlib import Path

_MAX_BYTES: Final = 1 << 28


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is none, or one that is nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        DataError: the file cannot be read, is too long, or holds something else.
    """
    with open_to_read(path) as file:
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise DataError(f"{path}: has more than {_MAX_BYTES:,} bytes; give a file of this program")
    try:
        found = parse_json(content)
    except ValueError as error:  # text that is no UTF-8, too
        raise DataError(
            f"{path}: cannot be read as JSON ({error}); it is damaged, write it again"
        ) from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: holds a {type(found).__name__}, an object is needed")
    return found
