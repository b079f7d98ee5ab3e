"""Numbers of a set from columns that may be missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import numeric_column

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray


def optional_column(
    table: pd.DataFrame, name: str, path: Path, otherwise: float = np.nan
) -> NDArray[np.float64]:
    """(rows,) numbers of a column, or the same number throughout where it is missing."""
    if name in table:
        return numeric_column(table, name, path)
    return np.full(len(table), otherwise)


def triples(table: pd.DataFrame, names: tuple[str, ...], path: Path) -> NDArray[np.float64] | None:
    """(B, 3) numbers of three columns that come together, or None where there are none."""
    missing = [name for name in names if name not in table]
    if len(missing) == len(names):
        return None
    if missing:
        raise DataError(
            f"{path}: {', '.join(missing)} missing beside "
            f"{', '.join(name for name in names if name in table)}; give all of them or none"
        )
    return np.stack([numeric_column(table, name, path) for name in names], axis=-1)
