"""The record that a plugin yields for each small thing it adds to what a command looks at."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tomodrgn.core.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable

Point = Literal["covariate", "check", "section", "clustering"]
"""Where something can be added.

* ``covariate``: called as ``function(run)``; (B,) numbers or names, (B, 3) directions, of the
  particles of a run, that ``nuisance`` holds against its latents.
* ``check``: called as ``function(particles)``; yields :class:`~.inspection.findings.Finding` of a
  set, before images are looked at.
* ``section``: called as ``function(run)``; pictures and tables of the report of a run.
* ``clustering``: called as ``function(latents, n_clusters, seed=seed)`` with (B, Z) latents; (B,)
  labels that ``analyze --clustering NAME=K`` asks for.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """What a plugin adds at one point.

    Attributes:
        point: where.
        name: what users call it.
        function: its place, ``"package.module:function"``, imported when it is first needed.
        summary: one line.
    """

    point: Point
    name: str
    function: str
    summary: str

    def load(self) -> Callable[..., Any]:
        """Import the function.

        Raises:
            PluginError: it cannot be imported or called.
        """
        try:
            function: Callable[..., Any] = pkgutil.resolve_name(self.function)
        except Exception as error:  # third-party import: anything may happen
            raise PluginError(
                f"{self.point} {self.name}: cannot import {self.function!r}: "
                f"{type(error).__name__}: {error}"
            ) from error
        if not callable(function):
            raise PluginError(f"{self.point} {self.name}: {self.function!r} cannot be called")
        return function
