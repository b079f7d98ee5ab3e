"""What plugins add to commands: each by itself, so that one that fails takes nothing with it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from tomodrgn.core.errors import SpecError
from tomodrgn.core.specs.faults import suggest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tomodrgn.core.extension import Extension, Point
    from tomodrgn.core.registry import Registry

logger = logging.getLogger(__name__)


def additions(registry: Registry, point: Point, *arguments: Any) -> Iterator[tuple[str, Any]]:
    """Name and answer of everything that plugins add at a point.

    One that fails is a warning.

    Args:
        registry: the installed components.
        point: where.
        arguments: what the functions of that point are called with.
    """
    for extension in registry.extensions:
        if extension.point != point:
            continue
        try:
            found = extension.load()(*arguments)
            yield extension.name, list(found) if point in {"check", "section"} else found
        except Exception as error:  # noqa: BLE001  a plugin must not break the others
            reason = f"{type(error).__name__}: {error}"
            logger.warning("%s %s is left out: %s", point, extension.name, reason)


def find_extension(registry: Registry, point: Point, name: str) -> Extension:
    """The extension of a name at a point.

    Raises:
        SpecError: no plugin offers it.
    """
    known = {each.name: each for each in registry.extensions if each.point == point}
    if name not in known:
        raise SpecError(
            f"no installed plugin offers the {point} {name!r}.{suggest(name, known)} "
            f"Installed: {', '.join(known) or 'none'}."
        )
    return known[name]
