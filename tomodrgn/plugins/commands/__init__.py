"""Commands that are built in, offered like those of anybody else: one folder each, found here.

A folder says in its ``COMMANDS`` what it offers, and the record of a command where help lists it.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING

from tomodrgn.core.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tomodrgn.core.command import Command


@hookimpl
def tomodrgn_commands() -> Iterable[Command]:
    """All built-in commands."""
    folders = (found.name for found in pkgutil.iter_modules(__path__) if found.ispkg)
    return [each for name in folders for each in import_module(f"{__name__}.{name}").COMMANDS]
