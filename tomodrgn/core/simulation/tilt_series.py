"""Writes simulated tilt series: STAR files, stacks, and everything that is known about them.

The folder holds the set as the program of the format writes it, ``volumes.star`` (where particles
lie), and the truth: ``truth.yaml`` (spec, scale, list of files, and how to read the set),
``labels.pkl`` and ``labels.txt`` (class of each particle, in order of first appearance),
``motion.txt`` (coordinates of the motion, where anything moves), ``contrast.txt`` and
``exposures.txt`` (contrast of particles, and what is wrong with exposures, where they vary),
``orientations.npy`` (reference to tomogram), ``positions.npy`` (angstrom from the first voxel of
the tomogram) and ``maps/class_*.mrc`` (at rest, on the scale of recorded images). The STAR file to
give to other commands comes last.
"""

from __future__ import annotations

import logging
import pickle
from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.errors import OutputError
from tomodrgn.core.files.atomic import atomic_path, write_bytes_atomic, write_text_atomic
from tomodrgn.core.files.mrc import write_volume
from tomodrgn.core.ownership.results import begin_results
from tomodrgn.core.simulation.coordinates import positions_a
from tomodrgn.core.simulation.flaws import EXPOSURE_COLUMNS
from tomodrgn.core.simulation.formats import entry_name, write_stacks
from tomodrgn.core.simulation.forward import Simulation, design
from tomodrgn.core.simulation.structures import build_structure
from tomodrgn.core.simulation.treatment import reading_options
from tomodrgn.core.simulation.truth import TRUTH_NAME, TruthFiles, write_truth
from tomodrgn.core.simulation.volume_series import volume_series_star

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.specs.simulation import SimulationSpec

logger = logging.getLogger(__name__)


def simulate(spec: SimulationSpec) -> Path:
    """Write a simulated set of tilt series.

    Args:
        spec: structures, acquisition, noise and folder.

    Returns:
        Path of the STAR file to give to other commands.

    Raises:
        DataError: a map cannot be used.
        OutputError: the folder holds particles that were not simulated.
    """
    star = spec.outdir / entry_name(spec)
    if star.exists() and not (spec.outdir / TRUTH_NAME).exists():
        raise OutputError(f"{star}: exists and is no simulated set; name another --outdir")
    begin_results(spec.outdir)
    simulation = design(spec, build_structure(spec))
    images = simulation.experiment.images
    logger.info(
        "simulating %d particles, %d images of %d px, %g A/px",
        spec.n_particles,
        len(images),
        simulation.structure.box_size_px,
        simulation.structure.pixel_size_a,
    )
    stars = write_stacks(simulation)
    write_truth(simulation, _write_known(simulation))
    for name, text in stars.items():
        write_text_atomic(spec.outdir / name, text)
    options = reading_options(spec)
    if options:
        logger.info("the files cannot say all that was done; read them with %s", " ".join(options))
    return star


def _write_known(simulation: Simulation) -> TruthFiles:
    """Write labels, motion, orientations, positions and maps."""
    experiment, outdir = simulation.experiment, simulation.spec.outdir
    maps = simulation.true_maps()
    files = TruthFiles(
        star=entry_name(simulation.spec),
        motion="motion.txt" if experiment.motion.shape[1] else None,
        contrast="contrast.txt" if (experiment.flaws.particle_contrast != 1).any() else None,
        exposures="exposures.txt" if experiment.flaws.vary_between_exposures else None,
        maps=tuple(f"maps/class_{i}.mrc" for i in range(len(maps))),
    )
    for name, volume in zip(files.maps, maps, strict=True):
        write_volume(outdir / name, volume, simulation.structure.pixel_size_a)
    write_bytes_atomic(outdir / files.labels, pickle.dumps(experiment.labels, protocol=4))
    write_text_atomic(outdir / files.labels_text, _lines(experiment.labels[:, None], "d"))
    if files.motion is not None:
        write_text_atomic(outdir / files.motion, _lines(experiment.motion, ".6f"))
    if files.contrast is not None:
        contrast = experiment.flaws.particle_contrast
        write_text_atomic(outdir / files.contrast, _lines(contrast[:, None], ".6f"))
    if files.exposures is not None:
        rows = experiment.flaws.of_exposures(experiment.acquisition.n_frames)
        header = f"# {' '.join(EXPOSURE_COLUMNS)}\n"
        write_text_atomic(outdir / files.exposures, header + _lines(rows, ".6g"))
    _write_array(outdir / files.orientations, experiment.orientation)
    _write_array(outdir / files.positions, positions_a(simulation))
    write_text_atomic(outdir / files.volumes, volume_series_star(simulation))
    return files


def _write_array(path: Path, values: NDArray[np.float64]) -> None:
    with atomic_path(path) as partial, partial.open("wb") as file:
        np.save(file, values)


def _lines(values: NDArray[np.generic], form: str) -> str:
    """One row per line."""
    return "".join(" ".join(f"{v:{form}}" for v in row) + "\n" for row in values.tolist())
