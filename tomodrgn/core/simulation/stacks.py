"""Stacks of simulated images: many particles in one, or one particle each, as the format has it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.files.mrc import write_stack
from tomodrgn.core.simulation.streams import random_stream
from tomodrgn.core.simulation.tomograms import tomogram_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tomodrgn.core.simulation.forward import Simulation

logger = logging.getLogger(__name__)


def write_series_stacks(simulation: Simulation) -> list[str]:
    """Write the stacks of an image series; (M,) ``index@stack`` of each image."""
    names: list[str] = []
    blocks = _Regrouped(simulation.render())
    for stack_name, n_images in _series_stacks(simulation):
        _write(simulation, stack_name, blocks.take(n_images))
        names += [f"{i:06d}@{stack_name}" for i in range(1, n_images + 1)]
        logger.info("wrote %s with %d images", stack_name, n_images)
    return names


def write_particle_stacks(simulation: Simulation) -> list[str]:
    """Write a stack for each particle of a set; (B,) their names.

    Frames come in ascending order of tilt. Those in which the particle is missing hold noise, or
    are left out.
    """
    names: list[str] = []
    box, experiment = simulation.structure.box_size_px, simulation.experiment
    starts, tilt_deg = experiment.starts, experiment.images.tilt_deg
    blocks = _Regrouped(simulation.render())
    rng = random_stream(simulation.spec.seed, "invisible")
    for particle, visible in enumerate(visible_frames(simulation)):
        folder = tomogram_name(experiment.tomogram[particle])
        name = f"stacks/{folder}/{folder}_{particle + 1:06d}.mrcs"
        first, stop = starts[particle : particle + 2].tolist()
        by_tilt = np.argsort(tilt_deg[first:stop], kind="stable")
        pixels = blocks.take(stop - first)[by_tilt]
        if not simulation.spec.stacks_hold_visible_frames:
            frames = rng.standard_normal((len(visible), box, box), dtype=np.float32)
            frames[visible] = pixels
            pixels = frames
        _write(simulation, name, pixels)
        names.append(name)
    logger.info("wrote %d stacks, one per particle", len(names))
    return names


def visible_frames(simulation: Simulation) -> Iterator[NDArray[np.bool_]]:
    """For each particle of a set, which frames (T,) show it, in ascending order of tilt."""
    experiment = simulation.experiment
    starts = experiment.starts
    for particle, tomogram in enumerate(experiment.tomogram.tolist()):
        shown = experiment.tilt[starts[particle] : starts[particle + 1]]
        yield np.isin(experiment.acquisition.by_tilt(tomogram), shown)


def _series_stacks(simulation: Simulation) -> Iterator[tuple[str, int]]:
    """Name and image count of each stack; a stack holds particles of one tomogram."""
    experiment, most = simulation.experiment, simulation.spec.particles_per_stack
    ending = "_stack" if simulation.spec.format == "nextpyp" else ""
    for tomogram in np.unique(experiment.tomogram).tolist():
        counts = experiment.counts[experiment.tomogram == tomogram]
        for part, first in enumerate(range(0, len(counts), most)):
            suffix = "" if len(counts) <= most else f"_{part + 1:03d}"
            name = f"stacks/{tomogram_name(tomogram)}{suffix}{ending}.mrcs"
            yield name, int(counts[first : first + most].sum())


def _write(simulation: Simulation, name: str, pixels: NDArray[np.float32]) -> None:
    spec = simulation.spec
    write_stack(spec.outdir / name, pixels, simulation.structure.pixel_size_a, dtype=spec.dtype)


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
