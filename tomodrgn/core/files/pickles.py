"""Index lists and latents, as other programs exchange them.

A pickle can run any code when it is opened. Here it may only hold numpy arrays, numpy scalars and
plain containers; anything else is refused before it is made.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.files.arrays import read_npy
from tomodrgn.core.files.atomic import atomic_path
from tomodrgn.core.files.opening import lines_of, open_to_read

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_CONTAINERS: Final = {"set", "frozenset", "complex"}
_ALLOWED: Final = {
    "builtins": _CONTAINERS,
    "__builtin__": _CONTAINERS,  # builtins in the days of Python 2
    "collections": {"OrderedDict"},
    "_codecs": {"encode"},  # how old pickles spell bytes
    "numpy": {"dtype"},
    "numpy.core.multiarray": {"scalar"},
    "numpy._core.multiarray": {"scalar"},
    "numpy.core.numeric": {"_frombuffer"},
    "numpy._core.numeric": {"_frombuffer"},
}
_ARRAY: Final = object()
"""Stands for the class of arrays, so that no pickle can ask it for memory."""


def _empty_array(kind: object, shape: object, _typecode: object) -> NDArray[Any]:
    """What a pickle begins an array with; its content, and with it its size, follows."""
    if kind is not _ARRAY or shape != (0,):
        raise pickle.UnpicklingError("it asks for memory that it does not fill")
    return np.empty(0, dtype=np.int8)


def _bytes_of(*content: object) -> bytearray:
    """A ``bytearray`` of bytes, never of a size."""
    if any(not isinstance(each, bytes | str) for each in content):
        raise pickle.UnpicklingError("it asks for memory that it does not fill")
    return bytearray(*content)


class _PlainUnpickler(pickle.Unpickler):
    """Makes numpy arrays and plain containers, nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("numpy", "ndarray"):
            return _ARRAY
        if name == "_reconstruct" and module in {"numpy.core.multiarray", "numpy._core.multiarray"}:
            return _empty_array
        if name == "bytearray" and module in {"builtins", "__builtin__"}:
            return _bytes_of
        if name in _ALLOWED.get(module, ()):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it holds a {module}.{name}")


def load_pickles(path: Path) -> list[Any]:
    """All consecutive pickles of a file.

    Raises:
        DataError: the file cannot be read, is damaged, or holds more than arrays and containers.
    """
    values = []
    try:
        with open_to_read(path) as file:
            while file.peek(1):  # type: ignore[attr-defined]
                values.append(_PlainUnpickler(file).load())
    except DataError:
        raise
    except Exception as error:  # a damaged pickle raises anything
        raise DataError(
            f"{path}: cannot be read as numpy arrays and plain containers: {error}; "
            f"save it as .npy or .txt"
        ) from error
    if not values:
        raise DataError(f"{path}: is empty")
    return values


def read_index_file(path: Path) -> NDArray[np.int64]:
    """A list of indices.

    Args:
        path: a ``.pkl``, ``.npy`` or ``.txt`` file with a one-dimensional list of whole numbers.

    Returns:
        (n,) indices as they stand in the file; their range is for the caller to check.

    Raises:
        DataError: the file holds anything else.
    """
    indices = _read_array(path)
    if path.suffix == ".txt" and 1 in indices.shape:
        indices = indices.ravel()
    if indices.ndim != 1 or (indices.size and indices.dtype.kind not in "iuf"):
        raise DataError(
            f"{path}: holds {indices.dtype} of shape {indices.shape}; "
            f"indices are a one-dimensional list of whole numbers"
        )
    not_whole = indices[indices != np.floor(indices)] if indices.dtype.kind == "f" else indices[:0]
    if len(not_whole):
        raise DataError(f"{path}: {not_whole[0]} is not a whole number; indices are 0, 1, 2, ...")
    return indices.astype(np.int64)


def read_latents(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Latents of B particles.

    Args:
        path: a ``.pkl`` with one or two consecutive pickles (mean, then log variance), or a
            ``.npy`` or ``.txt`` file with the mean; one row for each particle.

    Returns:
        Mean (B, Z), and log variance (B, Z) where the file has it.

    Raises:
        DataError: the file holds anything else.
    """
    values = load_pickles(path) if path.suffix == ".pkl" else [_read_array(path)]
    tables = [_latent_table(path, value) for value in values]
    if len(tables) > 2 or tables[0].shape != tables[-1].shape:  # noqa: PLR2004  mean, log variance
        shapes = ", ".join(str(table.shape) for table in tables)
        raise DataError(f"{path}: holds arrays of shapes {shapes}; latents are one or two alike")
    return tables[0], tables[1] if len(tables) > 1 else None


def write_latents(path: Path, mean: NDArray[Any], log_variance: NDArray[Any]) -> None:
    """Write mean (B, Z) and log variance (B, Z) as two consecutive pickles, whole or not at all.

    Raises:
        RunError: latents are not finite.
    """
    bad = np.flatnonzero(~(np.isfinite(mean) & np.isfinite(log_variance)).all(axis=1))
    if len(bad):
        raise RunError(
            f"{path}: latents of {len(bad)} of {len(mean)} particles are not finite, the first is "
            f"that of particle {bad[0]}, so they are not written; train with a lower --lr, take "
            "the weights of an earlier epoch, or run check on the input"
        )
    with atomic_path(path) as partial, partial.open("wb") as file:
        for values in (mean, log_variance):
            pickle.dump(np.ascontiguousarray(values, dtype=np.float32), file, protocol=4)


def write_pickle(path: Path, values: object) -> None:
    """Write an array or plain container as one pickle, whole or not at all."""
    with atomic_path(path) as partial, partial.open("wb") as file:
        pickle.dump(values, file, protocol=4)


def _read_array(path: Path) -> NDArray[Any]:
    """The array of a file; two-dimensional from text."""
    try:
        if path.suffix == ".pkl":
            return np.asarray(load_pickles(path)[0])
        if path.suffix == ".npy":
            return read_npy(path)
        if path.suffix == ".txt":
            with open_to_read(path) as file:
                lines = lines_of(file.read().decode("utf-8"))
            return np.loadtxt(lines, ndmin=2) if any(lines) else np.empty((0, 1))
    except (ValueError, EOFError) as error:
        raise DataError(f"{path}: is no table of numbers: {error}") from error
    raise DataError(f"{path}: ends in {path.suffix or 'nothing'}; .pkl, .npy and .txt are read")


def _latent_table(path: Path, value: Any) -> NDArray[np.float32]:
    """(B, Z) float32; a one-dimensional list has Z = 1."""
    try:
        table = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: is no table of numbers: {error}") from error
    if table.ndim == 1:
        table = table[:, None]
    if table.ndim != 2:  # noqa: PLR2004  rows and columns
        raise DataError(f"{path}: has shape {table.shape}; latents are (particles, dimensions)")
    return table
