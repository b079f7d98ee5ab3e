"""Exporting: results of a finished run for another program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.errors import DataError, OutputError
from tomodrgn.core.interfaces import Exporter, ExporterContext
from tomodrgn.core.ownership.results import begin_results
from tomodrgn.core.particles.selection import read_indices
from tomodrgn.core.specs.faults import validate

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.data.run import Run
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.plugins.commands.export.spec import ExportSpec


def export(run: Run, spec: ExportSpec) -> list[Path]:
    """Hand a run to one exporter; the files that it wrote.

    Raises:
        RunError: there is no finished run, or its input has changed since.
        SpecError: there is no such exporter, or it has no such options.
        DataError: the indices do not fit the input, or none of their particles is in the run.
    """
    component = run.registry.get("exporters", spec.kind)
    options = validate(component.spec, {"kind": spec.kind, **spec.options})
    if spec.outdir.exists() and not spec.outdir.is_dir():
        raise OutputError(f"{spec.outdir}: is a file; name a folder to export to")
    results = run.results()
    selection = None if spec.ind is None else _chosen_rows(spec.ind, results.particles)
    begin_results(spec.outdir)
    exporter: Exporter = run.registry.build(options, ExporterContext(outdir=spec.outdir))
    return exporter.export(results, selection)


def _chosen_rows(path: Path, particles: ParticleSet) -> NDArray[np.int64]:
    """Rows of the particles that an index file names."""
    indices = read_indices(path, particles.n_source_particles, "particles")
    rows = np.flatnonzero(np.isin(particles.source_particle, indices))
    if not len(rows):
        raise DataError(f"{path}: names none of the particles that the run was trained on")
    return rows
