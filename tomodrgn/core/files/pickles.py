"""Index lists and latents, as other programs exchange them.

A pickle can run any code when it is opened. Here it may only hold numpy arrays, numpy scalars and
plain containers; anything else is refused before it is made.
"""

from __future__ import annotations

import math
import operator
import pickle
import re
import struct
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.files.arrays import read_npy
from tomodrgn.core.files.atomic import atomic_path
from tomodrgn.core.files.opening import lines_of, open_to_read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

_CONTAINERS: Final = {"set", "frozenset", "complex"}
_ALLOWED: Final = {
    "builtins": _CONTAINERS,
    "__builtin__": _CONTAINERS,  # builtins in the days of Python 2
    "collections": {"OrderedDict"},
}
_TYPES: Final = re.compile(r"[<>=|]?(?:b1|[iu][1248]|f[248]|f16|c8|c16|[SUa]\d{1,6}|O8?|\?)")
_MAX_VALUES: Final = 1 << 28
_DEEPEST: Final = 200
_LARGEST_EXACT: Final = 2.0**53


class _Typecode:
    """A number type, a text of some length, or ``O``; never a record."""

    def __init__(self, code: object, _align: object = False, _copy: object = False) -> None:
        if not isinstance(code, str) or not _TYPES.fullmatch(code):
            raise pickle.UnpicklingError(f"it holds the type {code!r}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        """The byte order, which a pickle adds to a type."""
        _version, order, *names = state[:5]
        if any(each is not None for each in names) or order not in {"<", ">", "|", "="}:
            raise pickle.UnpicklingError("it holds a type of several parts")
        self.dtype = self.dtype.newbyteorder(order)


class _LoadedArray(np.ndarray[Any, Any]):
    """An array that takes its content from a pickle."""

    def __setstate__(self, state: Any, /) -> None:
        """Shape and content, which fill each other."""
        _version, shape, typecode, in_columns, content = state
        dtype = typecode.dtype
        if not isinstance(content, list if dtype.hasobject else bytes):
            raise pickle.UnpicklingError("it holds an array without its content")
        found = len(content) if dtype.hasobject else len(content) // max(dtype.itemsize, 1)
        if math.prod(map(operator.index, shape)) != found or any(n < 0 for n in shape):
            raise pickle.UnpicklingError("it holds an array of another size than its content")
        super().__setstate__((tuple(shape), dtype, bool(in_columns), content))  # type: ignore[arg-type]


_ARRAY: Final = object()
"""Stands for the class of arrays, so that no pickle can ask it for memory."""


def _empty_array(kind: object, shape: object, _typecode: object) -> _LoadedArray:
    """What a pickle begins an array with; its content, and with it its size, follows."""
    if kind is not _ARRAY or shape != (0,):
        raise pickle.UnpicklingError("it asks for memory that it does not fill")
    return np.empty(0, dtype=np.int8).view(_LoadedArray)


def _array_of(content: Any, typecode: _Typecode, shape: Any, order: Any) -> NDArray[Any]:
    """An array from the bytes of it."""
    return np.frombuffer(content, dtype=typecode.dtype).reshape(shape, order=order).copy()


def _number_of(typecode: _Typecode, content: Any = None) -> Any:
    """One number of an array."""
    if typecode.dtype.hasobject:
        return content
    return np.frombuffer(content, dtype=typecode.dtype)[0]


def _bytes_of(*content: object) -> bytearray:
    """A ``bytearray`` of bytes, never of a size."""
    if any(not isinstance(each, bytes | str) for each in content):
        raise pickle.UnpicklingError("it asks for memory that it does not fill")
    return bytearray(*content)


def _as_bytes(text: str, codec: str = "latin1") -> bytes:
    """Bytes as old pickles spell them."""
    if codec != "latin1":
        raise pickle.UnpicklingError(f"it asks for the codec {codec!r}")
    return text.encode("latin1")


_MADE_HERE: Final[dict[str, Any]] = {
    "numpy.ndarray": _ARRAY,
    "numpy.dtype": _Typecode,
    "builtins.bytearray": _bytes_of,
    "__builtin__.bytearray": _bytes_of,
    "_codecs.encode": _as_bytes,
    **{
        f"numpy.{core}.{name}": made
        for core in ("core", "_core")
        for name, made in (
            ("multiarray._reconstruct", _empty_array),
            ("multiarray.scalar", _number_of),
            ("numeric._frombuffer", _array_of),
        )
    },
}


class _PlainUnpickler(pickle._Unpickler):
    """Makes numpy arrays and plain containers, nothing else.

    The unpickler in Python: that in C takes as much memory as a pickle names places in it.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)
    stack: list[Any]
    read: Callable[[int], bytes]
    append: Callable[[Any], None]

    def load_build(self) -> None:
        """Give a state to types and arrays alone."""
        if not isinstance(self.stack[-2], _Typecode | _LoadedArray):
            raise pickle.UnpicklingError("it changes what is no array")
        super().load_build()  # type: ignore[misc]

    def load_bytearray8(self) -> None:
        """Take memory for bytes once they are read."""
        (n_bytes,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(n_bytes)))

    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8

    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" in _MADE_HERE:
            return _MADE_HERE[f"{module}.{name}"]
        if name in _ALLOWED.get(module, ()):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it holds a {module}.{name}")


def _n_values(value: object, known: dict[int, int], depth: int = 0) -> int:
    """Values in a container, each counted as often as it appears."""
    if not isinstance(value, list | tuple | dict | set | frozenset):
        return 1
    if id(value) not in known:
        if depth > _DEEPEST:
            raise pickle.UnpicklingError("it is nested too deeply")
        known[id(value)] = _MAX_VALUES + 1  # while it is counted: it must not hold itself
        parts = list(value.values()) if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_n_values(part, known, depth + 1) for part in parts)
    if known[id(value)] > _MAX_VALUES:
        raise pickle.UnpicklingError("it repeats its values too often, or holds itself")
    return known[id(value)]


def load_pickles(path: Path) -> list[Any]:
    """All consecutive pickles of a file.

    Raises:
        DataError: the file cannot be read, is damaged, or holds more than arrays and containers.
    """
    values = []
    try:
        with open_to_read(path) as file:
            while file.peek(1):  # type: ignore[attr-defined]
                value = _PlainUnpickler(file).load()
                _n_values(value, {})
                is_array = isinstance(value, _LoadedArray)
                values.append(value.view(np.ndarray) if is_array else value)
    except DataError:
        raise
    except MemoryError as error:
        raise DataError(
            f"{path}: memory does not suffice to read it, or it is damaged; look whether it is as "
            "large as it should be, and close other programs"
        ) from error
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
    if indices.dtype.kind == "f" and indices.size and np.abs(indices).max() > _LARGEST_EXACT:
        raise DataError(f"{path}: {np.abs(indices).max():g} is no index; indices are 0, 1, 2, ...")
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
            rows = [line for line in lines if line.split("#")[0].strip()]
            return np.loadtxt(rows, ndmin=2) if rows else np.empty((0, 1))
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
