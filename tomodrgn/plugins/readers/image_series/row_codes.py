"""Numbers that stand for what rows of an image series name: exposures, stacks, combinations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from tomodrgn.plugins.readers.upstream_files import warp_columns as columns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_LARGEST_CODE: Final = 1 << 62


def combined_codes(*values: NDArray[Any]) -> NDArray[np.int64]:
    """(rows,) code from 0, by first appearance, of each combination of values."""
    codes, n_codes = np.zeros(len(values[0]), dtype=np.int64), 1
    for column in values:
        own, distinct = pd.factorize(column, use_na_sentinel=False)
        if n_codes * len(distinct) > _LARGEST_CODE:
            codes, kept = pd.factorize(codes)
            n_codes = len(kept)
        codes = codes * len(distinct) + own
        n_codes *= len(distinct)
    return pd.factorize(codes)[0].astype(np.int64) if len(values) > 1 else codes


def first_rows(codes: NDArray[Any]) -> NDArray[np.int64]:
    """The rows (n,) at which each of the codes (M,) appears first, in that order."""
    return np.flatnonzero(~pd.Series(codes).duplicated().to_numpy())


def n_pairs(left: NDArray[np.int64], right: NDArray[np.int64]) -> int:
    """Distinct pairs of codes (M,)."""
    return len(pd.unique(left * (int(right.max()) + 1) + right))


def exposure_codes(table: pd.DataFrame) -> NDArray[np.int64]:
    """(rows,) code of each dose and tilt; one for all where no column has them."""
    return _codes_of_columns(table, columns.EXPOSURE)


def tilt_codes(table: pd.DataFrame) -> NDArray[np.int64]:
    """(rows,) code of each tilt, also with its sign where that is known."""
    return _codes_of_columns(table, (columns.TILT_COSINE, *columns.STAGE_TILTS))


def has_doses(table: pd.DataFrame) -> bool:
    """Whether doses tell exposures apart."""
    doses = [column_numbers(table, name) for name in columns.DOSES if name in table]
    return any(dose.min() < dose.max() for dose in doses)


def stack_codes(images: NDArray[np.object_]) -> tuple[NDArray[np.int64], NDArray[np.object_]]:
    """(rows,) code of the stack in each image name, and the stacks as written."""
    names = [name.partition("@")[2] or name for name in images]
    codes, stacks = pd.factorize(np.array(names, dtype=object))
    return codes.astype(np.int64), np.asarray(stacks, dtype=object)


def _codes_of_columns(table: pd.DataFrame, names: Iterable[str]) -> NDArray[np.int64]:
    found = [column_numbers(table, name) for name in names if name in table]
    return combined_codes(*found) if found else np.zeros(len(table), dtype=np.int64)


def column_numbers(table: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """A column (M,) as numbers; readers refuse those that are none."""
    return pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=np.float64)
