"""A column of the STAR file that particles came from, one value for each particle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.labels import as_numbers
from tomodrgn.core.files.star import read_star
from tomodrgn.core.specs.faults import suggest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tomodrgn.core.files.star import StarFile
    from tomodrgn.core.particles.tables import ParticleSet

_PARTICLES_FILE: Final = "rlnTomoParticlesFile"


def read_column(path: Path, column: str, particles: ParticleSet) -> NDArray[Any]:
    """Values (B,) of the particles of a set, as numbers where all of them are.

    Args:
        path: STAR file with a row for each particle or for each image, or an optimisation set.
        column: name with or without its leading underscore.
        particles: what was read from it; of a particle with several rows, the first image counts.

    Raises:
        DataError: no table has the column, or its rows are not those of the particles.
    """
    star = _with_particles(read_star(path))
    name = column.removeprefix("_")
    known = {known: block for block in reversed(star.tables) for known in block.columns}
    if name not in known:
        raise DataError(
            f"{star.path}: has no column {name}.{suggest(name, known)} Found: {', '.join(known)}"
        )
    values = star.read(known[name], [name])[name].to_numpy(dtype=object)
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


def _rows(particles: ParticleSet, n_rows: int) -> NDArray[np.int64] | None:
    """Row of each particle in a table of particles or of images; None if it is neither."""
    if particles.n_images and n_rows == particles.rows_read:
        return particles.source_image[particles.starts[:-1]]
    rows = particles.source_particle
    return rows if n_rows > rows.max() else None


def _with_particles(star: StarFile) -> StarFile:
    """The particles file that an optimisation set names, or the file itself."""
    plain = {
        name: value
        for block in star.blocks
        if block.values is not None
        for name, value in zip(block.columns, block.values, strict=True)
    }
    if _PARTICLES_FILE not in plain:
        return star
    named = Path(plain[_PARTICLES_FILE])
    candidates = [star.path.parent / named, named, star.path.parent / named.name]
    found = next((path for path in candidates if path.is_file()), candidates[0])
    return read_star(found)
