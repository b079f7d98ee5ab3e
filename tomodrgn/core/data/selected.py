"""Some particles of a run, and the files by which other commands take them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tomodrgn.core.errors import DataError, OutputError
from tomodrgn.core.files.pickles import write_pickle
from tomodrgn.core.interfaces import SelectionWriter

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.particles.tables import ParticleSet


def particle_index(particles: ParticleSet) -> pd.MultiIndex:
    """Tomogram and name of each particle, in their order."""
    return pd.MultiIndex.from_arrays(
        [particles.tomogram.astype(str), particles.name.astype(str)],
        names=["tomogram", "particle"],
    )


def selected_rows(
    which: ArrayLike | pd.DataFrame | pd.Series[Any], particles: ParticleSet
) -> NDArray[np.int64]:
    """Rows (n,) of the particles that are meant, ascending.

    Args:
        which: a mask (B,) of the particles, their rows (n,), or a table by tomogram and
            particle.
        particles: those of the run.

    Raises:
        DataError: it names none, or others.
    """
    if isinstance(which, pd.DataFrame | pd.Series) and isinstance(which.index, pd.MultiIndex):
        named = which.index
        if isinstance(which, pd.Series) and which.dtype == bool:
            named = named[which.to_numpy()]
        rows = particle_index(particles).get_indexer(named)
        if (rows < 0).any():
            tomogram, name = named[int(np.argmin(rows))]
            raise DataError(f"{tomogram} {name}: is no particle of the run")
    else:
        values = np.asarray(which)
        if values.dtype == bool and values.shape != (particles.n_particles,):
            raise DataError(
                f"a mask of shape {values.shape} was given, the run has {particles.n_particles} "
                "particles"
            )
        if len(values) and values.dtype.kind not in "biu":
            raise DataError(f"rows are whole numbers, found {values.dtype}; give a mask or rows")
        rows = np.flatnonzero(values) if values.dtype == bool else values.astype(np.int64)
        if len(rows) and not (rows.min() >= 0 and rows.max() < particles.n_particles):
            raise DataError(
                f"rows go from 0 to {particles.n_particles - 1}; found {rows.min()} to {rows.max()}"
            )
    if not len(rows):
        raise DataError("no particle is selected")
    return np.unique(rows).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class SelectedParticles:
    """Some particles of a run.

    Attributes:
        particles: all of the run.
        rows: (n,) those selected, ascending.
        reader: of their input.
    """

    particles: ParticleSet
    rows: NDArray[np.int64]
    reader: Reader

    def __len__(self) -> int:
        """How many there are."""
        return len(self.rows)

    def __repr__(self) -> str:
        """How many of how many."""
        return f"{len(self)} of {self.particles.n_particles} particles of {self.particles.source}"

    @property
    def index(self) -> pd.MultiIndex:
        """Their tomograms and names."""
        return particle_index(self.particles)[self.rows]

    @property
    def indices(self) -> NDArray[np.int64]:
        """(n,) their numbers in the input, ascending, as ``--ind`` takes them."""
        return np.sort(self.particles.source_particle[self.rows])

    def save(self, path: Path | str) -> Path:
        """Write their numbers in the input, for ``--ind`` (.pkl); the file.

        Raises:
            OutputError: it is the input, or cannot be written.
        """
        write_pickle(self._free(Path(path)), self.indices)
        return Path(path)

    def write_star(self, path: Path | str) -> list[Path]:
        """Write their rows of the input, not changed in any byte; the files, ``path`` first.

        Raises:
            DataError: the reader of the input cannot write.
            OutputError: the path is that of the input, or cannot be written.
        """
        if not isinstance(self.reader, SelectionWriter):
            raise DataError(f"{self.particles.source}: its reader cannot write; save() the numbers")
        is_mine = np.isin(self.particles.particle_of_image, self.rows)
        return self.reader.write_selection(
            np.sort(self.particles.source_image[is_mine]), self._free(Path(path))
        )

    def _free(self, path: Path) -> Path:
        """The path, unless it is that of the input."""
        if path.resolve() == self.particles.source.resolve():
            raise OutputError(f"{path}: is the input, which stays as it is; name another output")
        return path
