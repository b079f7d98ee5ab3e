"""Built-in exporters: none yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tomodrgn.core.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tomodrgn.core.components import Component


@hookimpl
def tomodrgn_exporters() -> Iterable[Component]:
    """Offer the built-in members."""
    return ()
