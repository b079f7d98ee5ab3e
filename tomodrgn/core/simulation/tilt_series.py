"""Writes simulated tilt series: STAR file, stacks, and everything that is known about them.

The folder holds ``particles.star``, ``stacks/*.mrcs``, and the truth: ``truth.yaml`` (spec, scale
and list of files), ``labels.pkl`` and ``labels.txt`` (class of each particle, in order of first
appearance), ``motion.txt`` (hinge angles in degrees), ``orientations.npy`` (reference to tomogram)
and ``maps/class_*.mrc`` (at rest, on the scale of the images). The STAR file comes last.
"""

from __future__ import annotations

import logging
import pickle
from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.files.atomic import atomic_path, write_bytes_atomic, write_text_atomic
from tomodrgn.core.files.mrc import write_stack, write_volume
from tomodrgn.core.simulation.forward import Simulation, design
from tomodrgn.core.simulation.star import star_text, tomogram_name
from tomodrgn.core.simulation.structures import build_structure
from tomodrgn.core.simulation.truth import TruthFiles, write_truth

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.specs.simulation import SimulationSpec

STAR_NAME = "particles.star"

logger = logging.getLogger(__name__)


def simulate(spec: SimulationSpec) -> Path:
    """Write a simulated set of tilt series.

    Args:
        spec: structures, acquisition, noise and folder.

    Returns:
        Path of the STAR file.

    Raises:
        DataError: a map cannot be used.
    """
    simulation = design(spec, build_structure(spec))
    images = simulation.experiment.images
    logger.info(
        "simulating %d particles, %d images of %d px, %g A/px",
        spec.n_particles,
        len(images),
        simulation.structure.box_size_px,
        simulation.structure.pixel_size_a,
    )
    names = _write_stacks(simulation)
    truth = _write_known(simulation)
    write_truth(simulation, truth)
    star = spec.outdir / STAR_NAME
    write_text_atomic(star, star_text(simulation, names))
    return star


def _write_stacks(simulation: Simulation) -> list[str]:
    """Write every stack and return the name of each image, ``index@stack``."""
    spec, pixel_size_a = simulation.spec, simulation.structure.pixel_size_a
    names: list[str] = []
    blocks = _Regrouped(simulation.render())
    for stack_name, n_images in _stacks(simulation):
        pixels = blocks.take(n_images)
        write_stack(spec.outdir / stack_name, pixels, pixel_size_a, dtype=spec.dtype)
        names += [f"{i:06d}@{stack_name}" for i in range(1, n_images + 1)]
        logger.info("wrote %s with %d images", stack_name, n_images)
    return names


def _stacks(simulation: Simulation) -> Iterator[tuple[str, int]]:
    """Name and image count of each stack; a stack holds particles of one tomogram."""
    experiment, most = simulation.experiment, simulation.spec.particles_per_stack
    for tomogram in np.unique(experiment.tomogram).tolist():
        counts = experiment.counts[experiment.tomogram == tomogram]
        for part, first in enumerate(range(0, len(counts), most)):
            suffix = "" if len(counts) <= most else f"_{part + 1:03d}"
            name = f"stacks/{tomogram_name(tomogram)}{suffix}.mrcs"
            yield name, int(counts[first : first + most].sum())


class _Regrouped:
    """Hands out images of a stream of blocks in portions of any size."""

    def __init__(self, blocks: Iterator[tuple[slice, NDArray[np.float32]]]) -> None:
        self._blocks = blocks
        self._rest: NDArray[np.float32] | None = None

    def take(self, n_images: int) -> NDArray[np.float32]:
        """The next images."""
        parts: list[NDArray[np.float32]] = []
        missing = n_images
        while missing:
            block = next(self._blocks)[1] if self._rest is None else self._rest
            parts.append(block[:missing])
            self._rest = block[missing:] if len(block) > missing else None
            missing -= len(parts[-1])
        return np.concatenate(parts)


def _write_known(simulation: Simulation) -> TruthFiles:
    """Write labels, motion, orientations and maps."""
    experiment, outdir = simulation.experiment, simulation.spec.outdir
    maps = simulation.true_maps()
    files = TruthFiles(star=STAR_NAME, maps=tuple(f"maps/class_{i}.mrc" for i in range(len(maps))))
    for name, volume in zip(files.maps, maps, strict=True):
        write_volume(outdir / name, volume, simulation.structure.pixel_size_a)
    write_bytes_atomic(outdir / files.labels, pickle.dumps(experiment.labels, protocol=4))
    write_text_atomic(outdir / files.labels_text, _lines(experiment.labels, "d"))
    write_text_atomic(outdir / files.motion, _lines(experiment.motion_deg, ".6f"))
    with atomic_path(outdir / files.orientations) as partial, partial.open("wb") as file:
        np.save(file, experiment.orientation)
    return files


def _lines(values: NDArray[np.generic], form: str) -> str:
    """One value per line."""
    return "".join(f"{value:{form}}\n" for value in values.tolist())
