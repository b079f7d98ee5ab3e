"""A column of the STAR file that particles came from, one value for each particle."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.labels import as_numbers
from tomodrgn.core.files.named_files import SearchOrder
from tomodrgn.core.files.star import read_star
from tomodrgn.core.specs.faults import suggest

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.files.star import StarBlock, StarFile
    from tomodrgn.core.particles.tables import ParticleSet

_PARTICLES_FILE: Final = "rlnTomoParticlesFile"
_LARGEST_TABLE_BYTES: Final = 1 << 30
_HEAD_BYTES: Final = 1 << 16
VALUES_TOGETHER: Final = 16_000_000
"""Numbers in memory at once."""


def read_column(path: Path, column: str, particles: ParticleSet) -> NDArray[Any]:
    """Values (B,) of the particles of a set, as numbers where all of them are.

    Args:
        path: STAR file with a row for each particle or for each image, or an optimisation set.
        column: name with or without its leading underscore.
        particles: what was read from it; of a particle with several rows, the first image counts.

    Raises:
        DataError: no table has the column, or its rows are not those of the particles.
    """
    star = with_particles(read_star(path))
    name = column.removeprefix("_")
    known = [known for block in star.tables for known in block.columns]
    if name not in known:
        raise DataError(
            f"{star.path}: has no column {name}.{suggest(name, known)} Found: {', '.join(known)}"
        )
    having = [block for block in star.tables if name in block.columns]
    columns = [star.read(block, [name])[name].to_numpy(dtype=object) for block in having]
    fitting = [values for values in columns if _rows(particles, len(values)) is not None]
    values = (fitting or columns)[0]
    rows = _rows(particles, len(values))
    if rows is None:
        raise DataError(
            f"{star.path}: column {name} has {len(values)} values, particles are "
            f"{particles.n_particles}; name a column with a value for each particle"
        )
    try:
        return as_numbers(values[rows])
    except ValueError:
        return values[rows]


def read_numeric_columns(path: Path, particles: ParticleSet) -> dict[str, NDArray[np.float64]]:
    """All columns that are numbers, not all equal, as values (B,) of the particles of a set.

    Args:
        path: as for :func:`read_column`. Tables of more than 1 GB are left out.
        particles: what was read from it; of a particle with several rows, the first image counts.
    """
    star = with_particles(read_star(path))
    found: dict[str, NDArray[np.float64]] = {}
    for block in star.tables:
        if block.stop - block.start > _LARGEST_TABLE_BYTES:
            continue
        names = _numbers_at_first(star, block)
        n_lines = 1 + star.content.count(b"\n", block.start, block.stop)
        n_together = max(1, VALUES_TOGETHER // n_lines)
        for first in range(0, len(names), n_together):
            table = star.read(block, names[first : first + n_together], numbers=names)
            rows = _rows(particles, len(table))
            if rows is None:
                break
            for name in table.columns:
                values = pd.to_numeric(table[name].iloc[rows], errors="coerce").to_numpy(float)
                if np.isfinite(values).all() and np.ptp(values) > 0:
                    found.setdefault(name, values)
    return found


def _numbers_at_first(star: StarFile, block: StarBlock) -> list[str]:
    """Columns of a table with numbers in its first lines; no others can hold numbers alone."""
    place = min(block.start + _HEAD_BYTES, block.stop)
    head = replace(block, stop=star.content.find(b"\n", place, block.stop) + 1 or block.stop)
    table = star.read(head)
    return [
        str(name) for name in table if pd.to_numeric(table[name], errors="coerce").notna().any()
    ]


def _rows(particles: ParticleSet, n_rows: int) -> NDArray[np.int64] | None:
    """Row of each particle in a table of particles or of images; None if it is neither."""
    if particles.n_images and n_rows == particles.rows_read:
        return particles.source_image[particles.starts[:-1]]
    rows = particles.source_particle
    return rows if n_rows > rows.max() else None


def with_particles(star: StarFile) -> StarFile:
    """The particles file that an optimisation set names, or the file itself."""
    written = star.value_of(_PARTICLES_FILE)
    if written is None:
        return star
    places = SearchOrder(star=star.path, looks_above=True).find(written)
    return read_star(places[0].path if places else star.path.parent / written)
