"""Labels of particles, as clustering and other programs leave them: one for each particle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.arrays import read_npy
from tomodrgn.core.files.opening import lines_of, open_to_read
from tomodrgn.core.files.pickles import load_pickles
from tomodrgn.core.ownership.undamaged import require_as_made

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def read_labels(path: Path) -> NDArray[Any]:
    """One label for each particle.

    Args:
        path: a ``.pkl`` or ``.npy`` file with a one-dimensional list, or a ``.txt`` file with one
            label on each line.

    Returns:
        (n,) whole numbers, floats or texts (str, as objects); texts where any label is no number.

    Raises:
        DataError: the file holds anything else.
    """
    values = _read_values(path)
    if values.ndim == 2 and 1 in values.shape:  # noqa: PLR2004  a column is a list
        values = values.ravel()
    if values.ndim != 1 or not len(values):
        raise DataError(f"{path}: has shape {values.shape}; labels are a list, one per particle")
    if values.dtype.kind in "biuf":
        return values.astype(np.int64) if values.dtype.kind == "b" else values
    try:
        return as_numbers(values)
    except (ValueError, TypeError):  # the latter of None
        return np.array([_text(value) for value in values.tolist()], dtype=object)


def as_numbers(values: NDArray[Any]) -> NDArray[Any]:
    """Texts (n,) as whole numbers where all of them are, else as floats.

    Raises:
        ValueError: one of them is no number.
    """
    if any("_" in str(value) for value in values.tolist()):
        raise ValueError("names such as 001_000002, which Python would take for a number")
    try:
        return values.astype(np.int64)
    except (ValueError, OverflowError):
        return values.astype(np.float64)


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _read_values(path: Path) -> NDArray[Any]:
    """The array of a file, of any shape and type."""
    require_as_made(path)
    try:
        if path.suffix == ".pkl":
            return np.asarray(load_pickles(path)[0])
        if path.suffix == ".npy":
            return read_npy(path)
        if path.suffix == ".txt":
            with open_to_read(path) as file:
                lines = lines_of(file.read().decode("utf-8"))
            return np.array([line.strip() for line in lines if line.strip()], dtype=object)
    except (ValueError, EOFError) as error:
        raise DataError(f"{path}: is no list of labels: {error}") from error
    raise DataError(f"{path}: ends in {path.suffix or 'nothing'}; .pkl, .npy and .txt are read")
