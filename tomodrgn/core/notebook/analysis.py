"""An analysis opened in a notebook: particles with their latents, and everything known of them."""

from __future__ import annotations

import os
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pandas as pd

from tomodrgn.core.analysis.particle_columns import particle_columns
from tomodrgn.core.data.run import Run
from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.files.json_text import read_json
from tomodrgn.core.files.labels import read_labels
from tomodrgn.core.files.pickles import read_latents
from tomodrgn.core.manager import load_plugins
from tomodrgn.core.products import ANALYSIS, UMAP
from tomodrgn.core.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tomodrgn.core.interfaces import RunResults
    from tomodrgn.core.particles.tables import ParticleSet

_LABELS: Final = "*/labels.pkl"


@dataclass(frozen=True, kw_only=True)
class NotebookAnalysis:
    """An analysis of B particles.

    Attributes:
        folder: of the analysis.
        particles: of the run, in the order of the latents.
        latents: (B, Z) float32.
        table: B rows: ``tomogram``, ``particle``, ``index`` (the classic index in the input),
            ``z0``, ``pc1``, ``umap1``, labels by the folder they lie in, and columns of the input.
    """

    folder: Path
    particles: ParticleSet
    latents: NDArray[np.float32]
    table: pd.DataFrame

    @property
    def tomograms(self) -> list[str]:
        """Names of the tomograms in order of first appearance."""
        return [str(name) for name in pd.unique(self.particles.tomogram)]

    @property
    def plane(self) -> tuple[str, str]:
        """The two columns that show most at one look: UMAP, else components, else what there is."""
        pairs = (("umap1", "umap2"), ("pc1", "pc2"), ("z0", "index"))
        return next(pair for pair in pairs if set(pair) <= set(self.table.columns))

    def column(self, name: str) -> pd.Series:
        """(B,) a column of the table.

        Raises:
            DataError: there is none of that name.
        """
        if name not in self.table:
            raise DataError(f"no column {name!r}; found {', '.join(map(str, self.table.columns))}")
        return self.table[name]


def load_analysis(
    folder: Path | str = ".", *, run: Path | str = "..", started_in: Path | str = "."
) -> NotebookAnalysis:
    """The analysis in a folder that ``tomodrgn analyze`` wrote.

    Args:
        folder: of the analysis.
        run: directory of the run.
        started_in: folder that relative paths of the run start from.

    Raises:
        RunError: either is missing, or the input of the run has changed since.
        DataError: a file does not fit the particles of the run.
    """
    folder, run = Path(folder).resolve(), Path(run).resolve()
    if not (folder / ANALYSIS).exists():
        raise RunError(f"{folder / ANALYSIS}: is missing; give the folder that analyze wrote")
    findings = read_json(folder / ANALYSIS)
    with chdir(started_in):
        results = Run(run, Registry(load_plugins())).results(run / findings["latents"])
        columns = particle_columns(results)
    if results.latents is None:
        raise RunError(f"{run}: is a run without latents")
    table = _identity(results)
    table = table.assign(**_numbered("z", results.latents, first=0), **_maps(folder, len(table)))
    table = table.assign(**_labels(folder, len(table)))
    table = table.assign(**{name: column for name, column in columns.items() if name not in table})
    return NotebookAnalysis(
        folder=folder, particles=results.particles, latents=results.latents, table=table
    )


def _identity(results: RunResults) -> pd.DataFrame:
    particles = results.particles
    return pd.DataFrame(
        {
            "tomogram": particles.tomogram.astype(str),
            "particle": particles.name.astype(str),
            "index": particles.source_particle,
        }
    )


def _maps(folder: Path, n_particles: int) -> dict[str, NDArray[np.float32]]:
    """Components and UMAP, where the analysis has them."""
    found: dict[str, NDArray[np.float32]] = {}
    for name, file in (("pc", folder / "pc.pkl"), ("umap", folder / UMAP)):
        if file.exists():
            places, _ = read_latents(file)
            _refuse_others(file, len(places), n_particles)
            found |= _numbered(name, places, first=1)
    return found


def _labels(folder: Path, n_particles: int) -> dict[str, NDArray[np.generic]]:
    """Labels in the folders of the analysis, by the name of the folder."""
    found = {}
    for file in sorted(folder.glob(_LABELS)):
        labels = read_labels(file)
        _refuse_others(file, len(labels), n_particles)
        found[file.parent.name] = labels
    return found


def _numbered(name: str, values: NDArray[np.float32], first: int) -> dict[str, NDArray[np.float32]]:
    return {f"{name}{number}": column for number, column in enumerate(values.T, start=first)}


def _refuse_others(file: Path, n_rows: int, n_particles: int) -> None:
    if n_rows != n_particles:
        raise DataError(
            f"{os.fspath(file)}: has {n_rows} rows, the run {n_particles} particles; analyze again"
        )
