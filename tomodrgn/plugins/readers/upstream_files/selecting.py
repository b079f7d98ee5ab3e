"""Readers that write part of their input, whose rows and files are an object of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from tomodrgn.core.interfaces import SourceRows


class Selectable(Protocol):
    """Files of which parts can be written."""

    @property
    def rows(self) -> SourceRows:
        """The particle of each row."""

    def write(
        self,
        rows: NDArray[np.int64],
        out: Path,
        columns: Mapping[str, NDArray[np.object_]] | None = None,
        /,
    ) -> list[Path]:
        """As ``write_selection`` of a reader."""


class WritesSelections:
    """A reader that hands selections to its ``_selectable``."""

    @property
    def _selectable(self) -> Selectable:
        """The files that were read."""
        raise NotImplementedError

    def source_rows(self) -> SourceRows:
        """The particle of every row that can be selected, also of those that are not read."""
        return self._selectable.rows

    def write_selection(
        self,
        rows: NDArray[np.int64],
        out: Path,
        columns: Mapping[str, NDArray[np.object_]] | None = None,
    ) -> list[Path]:
        """Write rows (M,) as they stand in the files; particles that keep none are left out."""
        return self._selectable.write(rows, out, columns)
