"""A reader that is built in, for tests that compare another with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tomodrgn.core.data.inputs import Inputs
from tomodrgn.core.manager import load_plugins
from tomodrgn.core.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.interfaces import Reader


def builtin_reader(path: Path, **options: Any) -> Reader:
    """The built-in reader that understands a particles file, whatever else is installed.

    Args:
        path: of the file.
        options: of the reader.

    Raises:
        DataError: no built-in reader understands the file.
    """
    registry = Registry(load_plugins(external=(), modules=()))
    return Inputs(registry).particles_file(path).reader(**options)
