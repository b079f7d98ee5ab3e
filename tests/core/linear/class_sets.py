"""Simulated sets as the linear models see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tomodrgn.core.cli.fields import builtin_registry
from tomodrgn.core.commands import resolve_run
from tomodrgn.core.data.dataset import Dataset
from tomodrgn.core.data.observing import observe, window_power
from tomodrgn.core.data.run_images import open_run_images
from tomodrgn.core.particles.keyed_random import particle_keys
from tomodrgn.core.reconstruction.halves import halves_by_particle
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.simulation.truth import read_truth
from tomodrgn.core.specs.simulation import SimulationSpec
from tomodrgn.core.training.devices import Devices

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.linear.observations import Observations


class ClassSet(NamedTuple):
    """Images of simulated particles, and their classes."""

    images: Observations
    rows: tuple[NDArray[np.int64], NDArray[np.int64]]
    keys: NDArray[np.uint64]
    window_power: float
    labels: NDArray[np.int64]


def class_set(
    folder: Path,
    *,
    n_particles: int,
    n_classes: int,
    snr: float,
    treatment: str | None = None,
    window: bool = True,
    junk_fraction: float = 0.0,
) -> ClassSet:
    """A set of box 16 with 5 to 7 tilts, whose images were treated upstream in some way."""
    state = {} if treatment is None else {treatment: True}
    spec = SimulationSpec(
        outdir=folder,
        n_particles=n_particles,
        n_classes=n_classes,
        box_size_px=16,
        pixel_size_a=18.0,
        n_tilts=7,
        min_tilts=5,
        snr=snr,
        seed=1,
        junk_fraction=junk_fraction,
        **state,
    )
    registry = builtin_registry()
    layer = {"reader": {"path": str(simulate(spec))}, "devices": {"accelerator": "cpu"}}
    layer |= {"image_state": state, "preparation": {"window": window}}
    run = resolve_run("train_linear", layer, registry=registry)
    reader, particles = Dataset(run, registry).selected
    devices = Devices(run.devices)
    images = open_run_images(run, reader, particles, folder, devices)
    half = halves_by_particle(particles, np.zeros(n_particles, dtype=np.int64), 0)
    half = half[particles.starts[:-1]]
    number = np.array([int(name.split("_")[1]) for name in particles.name])
    return ClassSet(
        images=observe(run, particles, images, np.ones(particles.n_images, dtype=bool), devices),
        rows=(np.flatnonzero(half == 0), np.flatnonzero(half == 1)),
        keys=particle_keys(particles.tomogram, particles.name),
        window_power=window_power(run.preparation, particles.box_size_px),
        labels=read_truth(folder).labels[number],
    )
