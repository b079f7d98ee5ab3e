"""Image series of Warp 1 and M, and of the simulator cryoSRPNT: one STAR row per tilt image.

The Euler angles are those of each image, the dose is ``rlnCtfBfactor`` / -4, and the tilt angle is
the arccosine of ``rlnCtfScalefactor``; the files do not have its sign. Tilt images whose scale
factor is 0 are dark frames, which Warp switches off this way: their rows are rejected, and counted.
Rows that cannot be understood are errors, not rejections. The pixel size in the headers of the
stacks is not trusted.

Source:
    Column meanings: Warp 1 (doi:10.1038/s41592-019-0580-y), M (doi:10.1038/s41592-020-01054-7).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import numeric_column, read_star
from tomodrgn.core.geometry.rotations import matrices_from_euler
from tomodrgn.core.particles.tables import (
    CtfTable,
    ImageState,
    ImageTable,
    OpticsGroup,
    ParticleSet,
)
from tomodrgn.plugins.readers import warp_columns as columns
from tomodrgn.plugins.readers.image_stacks import ImageStacks, describe_file, locate_images

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.interfaces import ReaderContext
    from tomodrgn.plugins.readers import WarpParticleseriesSpec

logger = logging.getLogger(__name__)

DARK_FRAME: Final = f"dark frame: {columns.TILT_COSINE} is 0"
_ASSUMED_VOLTAGE_KV: Final = 300.0
_LARGEST_COSINE: Final = 1.01  # some programs round up
_SAME_PIXEL_SIZE: Final = 1e-4  # relative; files state five digits


class WarpParticleseries:
    """Reads an image series; the rows it asks for are those of the STAR file."""

    has_images = True

    def __init__(self, spec: WarpParticleseriesSpec, context: ReaderContext) -> None:
        del context
        self._spec = spec
        self._stacks: ImageStacks | None = None

    def read(self) -> ParticleSet:
        """Metadata of all rows, with the headers of all stacks checked.

        Raises:
            DataError: the file is no image series, has a row that cannot be understood, or its
                images are missing or damaged.
        """
        path = self._spec.path
        table = _read_rows(path)
        names = table[columns.IMAGE].to_numpy(dtype=object)
        stacks = self._locate(names)
        pixel_size_a = self._spec.pixel_size_a or _pixel_size_a(table, path)
        tomogram, particle = _name_pairs(table)
        rank, _ = pd.factorize(pd.MultiIndex.from_arrays([tomogram, particle]))  # by appearance
        images = _image_table(table, path, pixel_size_a)
        is_dark = numeric_column(table, columns.TILT_COSINE, path) == 0
        rows = _pack(rank, images, names, ~is_dark)
        source_particle, first, counts = np.unique(
            rank[rows], return_index=True, return_counts=True
        )
        return ParticleSet(
            source=path,
            tomogram=tomogram[rows[first]],
            name=particle[rows[first]],
            source_particle=source_particle.astype(np.int64),
            images=images.convert(lambda column: column[rows]),
            counts=counts.astype(np.int64),
            image_name=names[rows],
            source_image=rows,
            optics=(
                OpticsGroup(
                    name="opticsGroup1",
                    pixel_size_a=pixel_size_a,
                    box_size_px=stacks.box_size_px,
                    state=ImageState(inverted=True),
                ),
            ),
            rows_read=len(table),
            rejected={DARK_FRAME: int(is_dark.sum())} if is_dark.any() else {},
        )

    def load_images(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, D, D) pixels of rows of the STAR file, in that order."""
        return self._located().load(np.asarray(rows, dtype=np.int64))

    def fingerprint(self) -> Mapping[str, Any]:
        """Size, time and hash of the head of the STAR file and of each stack."""
        paths = [self._spec.path, *self._located().paths]
        return {
            "kind": self._spec.kind,
            "pixel_size_a": self._spec.pixel_size_a,
            "files": [describe_file(path) for path in paths],
        }

    def _locate(self, names: NDArray[np.object_]) -> ImageStacks:
        """Find the stacks of all rows and remember them."""
        self._stacks = locate_images(names, self._spec.path, self._spec.datadir)
        return self._stacks

    def _located(self) -> ImageStacks:
        """The stacks of all rows, found first if they have not been."""
        if self._stacks is not None:
            return self._stacks
        return self._locate(_read_rows(self._spec.path)[columns.IMAGE].to_numpy(dtype=object))


def _read_rows(path: Path) -> pd.DataFrame:
    """The known columns of all rows, as text."""
    columns.refuse_bare_images(path)
    star = read_star(path)
    block = columns.image_series_table(star)
    table = star.read(block, columns.KNOWN)
    if table.empty:
        raise DataError(f"{path}: has no rows, so there are no particles; export it again")
    if columns.DEPTH in table:
        columns.refuse_volume_series(path, table[columns.PARTICLE])
    return table


def _name_pairs(table: pd.DataFrame) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Tomogram and particle name of each row."""
    particle = table[columns.PARTICLE].to_numpy(dtype=object)
    if columns.TOMOGRAM in table:
        return table[columns.TOMOGRAM].to_numpy(dtype=object), particle
    return np.full(len(table), "", dtype=object), particle


def _image_table(table: pd.DataFrame, path: Path, pixel_size_a: float) -> ImageTable[NDArray[Any]]:
    """Every number of every row, in the order of the file."""
    euler_deg = np.stack([numeric_column(table, c, path) for c in columns.EULER_ANGLES], axis=-1)
    ctf = _ctf_table(table, path)
    n_rows = len(table)
    return ImageTable(
        rotation=matrices_from_euler(euler_deg).astype(np.float32),
        shift_px=_shift_px(table, path, pixel_size_a),
        dose_e_per_a2=_dose_e_per_a2(table, path),
        tilt_deg=_tilt_deg(table, path),
        voltage_kv=np.full(n_rows, _ASSUMED_VOLTAGE_KV, np.float32)
        if ctf is None
        else ctf.voltage_kv,
        optics=np.zeros(n_rows, dtype=np.int64),
        ctf=ctf,
    )


def _ctf_table(table: pd.DataFrame, path: Path) -> CtfTable[NDArray[Any]] | None:
    """The contrast transfer parameters, or None and a warning where the file has none."""
    if columns.CTF["defocus_u_a"] not in table:
        logger.warning(
            "%s: has no columns of the contrast transfer function (%s); images are taken to be "
            "without one, recorded at %g kV",
            path, ", ".join(columns.CTF.values()), _ASSUMED_VOLTAGE_KV,
        )  # fmt: skip
        return None
    voltage_kv = numeric_column(table, columns.CTF["voltage_kv"], path)
    _refuse_rows(table, columns.CTF["voltage_kv"], path, voltage_kv <= 0, "not positive")
    return CtfTable(
        **{
            field: numeric_column(table, column, path).astype(np.float32)
            for field, column in columns.CTF.items()
        }
    )


def _shift_px(table: pd.DataFrame, path: Path, pixel_size_a: float) -> NDArray[np.float32]:
    """(rows, 2) shifts in pixels; zero where the file has none."""
    for names, unit_a in ((columns.SHIFTS_PX, 1.0), (columns.SHIFTS_A, pixel_size_a)):
        if names[0] in table:
            shift = np.stack([numeric_column(table, name, path) for name in names], axis=-1)
            return (shift / unit_a).astype(np.float32)
    return np.zeros((len(table), 2), dtype=np.float32)


def _dose_e_per_a2(table: pd.DataFrame, path: Path) -> NDArray[np.float32]:
    if columns.DOSE not in table:
        logger.warning(
            "%s: has no column %s; every dose is taken to be 0, set it with --dose-override",
            path, columns.DOSE,
        )  # fmt: skip
        return np.zeros(len(table), dtype=np.float32)
    b_factor = numeric_column(table, columns.DOSE, path)
    _refuse_rows(table, columns.DOSE, path, b_factor > 0, "positive; it is -4 times the dose")
    return np.abs(b_factor / -4).astype(np.float32)


def _tilt_deg(table: pd.DataFrame, path: Path) -> NDArray[np.float32]:
    cosine = numeric_column(table, columns.TILT_COSINE, path)
    is_bad = (cosine < 0) | (cosine > _LARGEST_COSINE)
    _refuse_rows(table, columns.TILT_COSINE, path, is_bad, "no cosine of a tilt angle (0 to 1)")
    return np.rad2deg(np.arccos(np.minimum(cosine, 1.0))).astype(np.float32)


def _pixel_size_a(table: pd.DataFrame, path: Path) -> float:
    """The one pixel size of all rows, from the detector or from a column that states it."""
    if columns.DETECTOR_PIXEL_SIZE in table:
        sizes_a = numeric_column(table, columns.DETECTOR_PIXEL_SIZE, path)
        if columns.MAGNIFICATION in table:
            magnification = numeric_column(table, columns.MAGNIFICATION, path)
            _refuse_rows(table, columns.MAGNIFICATION, path, magnification <= 0, "not positive")
            sizes_a = 1e4 * sizes_a / magnification
    else:
        stated = [name for name in columns.PIXEL_SIZES if name in table]
        if not stated:
            allowed = ", ".join((columns.DETECTOR_PIXEL_SIZE, *columns.PIXEL_SIZES))
            raise DataError(f"{path}: states no pixel size ({allowed}); give it with --Apix")
        sizes_a = numeric_column(table, stated[0], path)
    if sizes_a.min() <= 0 or np.ptp(sizes_a) > _SAME_PIXEL_SIZE * sizes_a.max():
        raise DataError(
            f"{path}: pixel sizes are {sizes_a.min():g} to {sizes_a.max():g} A/px; one positive "
            f"size is needed, split the file or give it with --Apix"
        )
    return float(sizes_a[0])


def _refuse_rows(
    table: pd.DataFrame, column: str, path: Path, is_bad: NDArray[np.bool_], fault: str
) -> None:
    """Raise for the first bad row."""
    if is_bad.any():
        row = int(np.argmax(is_bad))
        raise DataError(
            f"{path}: column {column}, row {row + 1}: {table[column].iloc[row]} is {fault} "
            f"({is_bad.sum()} such rows)"
        )


def _pack(
    rank: NDArray[np.int64],
    images: ImageTable[NDArray[Any]],
    names: NDArray[np.object_],
    keeps: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Kept rows by particle, then ascending dose; tilt and image name decide between equals."""
    name_rank, _ = pd.factorize(names, sort=True)
    order = np.lexsort((name_rank, images.tilt_deg, images.dose_e_per_a2, rank))
    return order[keeps[order]].astype(np.int64)
