"""Numbers of a set from columns that may be missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import numeric_column
from tomodrgn.plugins.readers.upstream_files.bounds import bounded_column, refuse_misread

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray


def optional_column(
    table: pd.DataFrame,
    name: str,
    path: Path,
    otherwise: float = np.nan,
    *,
    quantity: str | None = None,
) -> NDArray[np.float64]:
    """(rows,) numbers of a column, or the same number throughout where it is missing.

    With a quantity of ``SPANS``, numbers outside of its span are refused.
    """
    if name not in table:
        return np.full(len(table), otherwise)
    if quantity is not None:
        return bounded_column(table, name, path, quantity)
    return numeric_column(table, name, path)


def triples(
    table: pd.DataFrame, names: tuple[str, ...], path: Path, *, quantity: str | None = None
) -> NDArray[np.float64] | None:
    """(B, 3) numbers of three columns that come together, or None where there are none."""
    missing = [name for name in names if name not in table]
    if len(missing) == len(names):
        return None
    if missing:
        raise DataError(
            f"{path}: {', '.join(missing)} missing beside "
            f"{', '.join(name for name in names if name in table)}; give all of them or none"
        )
    parts = [optional_column(table, name, path, quantity=quantity) for name in names]
    values = np.stack(parts, axis=-1)
    refuse_misread(values, ", ".join(names), path)
    return values
