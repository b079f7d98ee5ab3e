"""Sets of known answers for other programs, and what is read compared with what was simulated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tomodrgn.core.cli.fields import builtin_registry
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.core.simulation.forward import Simulation, design
from tomodrgn.core.simulation.structures import build_structure
from tomodrgn.core.simulation.tomograms import particle_names
from tomodrgn.core.simulation.treatment import stated_dose_e_per_a2
from tomodrgn.core.specs.simulation import SimulationSpec

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.particles.tables import ParticleSet

POSE = 1e-5
"""Elements of rotation matrices; also pixels of shifts."""
DEFOCUS_A = 0.1
DOSE_E_PER_A2 = TILT_DEG = PHASE_DEG = 1e-3
DEFOCI = ("defocus_u_a", "defocus_v_a")


def planned(folder: Path, **changes: Any) -> Simulation:
    """Twenty particles in two tomograms, of which a fifth of the eleven tilt images is missing."""
    settings = {
        "n_particles": 20, "n_tomograms": 2, "n_classes": 1, "n_tilts": 11, "tilt_step_deg": 6.0,
        "box_size_px": 32, "pixel_size_a": 8.0, "snr": 1.0, "seed": 1, "tilt_axis_deg": 84.0,
        "missing_fraction": 0.2,
    }  # fmt: skip
    spec = SimulationSpec(outdir=folder, **settings | changes)
    return design(spec, build_structure(spec))


def read(path: Path) -> tuple[Reader, ParticleSet]:
    """What a user gets who gives no more than a path."""
    registry = builtin_registry()
    spec = registry.get("reader", registry.identify_reader(path)).spec(path=path)
    reader = registry.build(spec, ReaderContext())
    return reader, reader.read()


def true_rows(particles: ParticleSet, simulation: Simulation) -> NDArray[np.int64]:
    """(M,) row in the simulation of every image that was read; names and counts are equal."""
    names = np.array(particle_names(simulation.spec), dtype=object)
    assert sorted(particles.name) == sorted(names)
    number = {name: i for i, name in enumerate(names)}
    order = np.array([number[name] for name in particles.name])
    experiment = simulation.experiment
    np.testing.assert_array_equal(particles.counts, experiment.counts[order])
    starts = experiment.starts
    return np.concatenate([np.arange(starts[i], starts[i + 1]) for i in order])


def centered(simulation: Simulation) -> Simulation:
    """The same as files state it that leave out every displacement."""
    experiment = simulation.experiment
    images = replace(experiment.images, shift_px=np.zeros_like(experiment.images.shift_px))
    return replace(simulation, experiment=replace(experiment, images=images))


def assert_true(
    particles: ParticleSet, simulation: Simulation, *, but: Collection[str] = ()
) -> NDArray[np.int64]:
    """Tomograms, counts, doses, tilts, poses and CTF are those of the simulation, but some."""
    rows = true_rows(particles, simulation)
    experiment, images = simulation.experiment, particles.images
    true = experiment.images.convert(lambda column: column[rows])
    np.testing.assert_allclose(images.rotation, true.rotation, rtol=0, atol=POSE)
    np.testing.assert_allclose(images.shift_px, true.shift_px, rtol=0, atol=POSE)
    dose = stated_dose_e_per_a2(simulation.spec, experiment.tilt[rows])
    np.testing.assert_allclose(images.dose_e_per_a2, dose, rtol=0, atol=DOSE_E_PER_A2)
    # the sign of a tilt is a matter of convention, also without a name for either side
    np.testing.assert_allclose(abs(images.tilt_deg), abs(true.tilt_deg), rtol=0, atol=TILT_DEG)
    assert images.ctf is not None
    assert true.ctf is not None
    accuracies = {
        "phase_shift_deg": PHASE_DEG, "voltage_kv": 0, "cs_mm": 1e-6, "amplitude_contrast": 1e-6,
        "defocus_angle_deg": 1e-3, "defocus_u_a": DEFOCUS_A, "defocus_v_a": DEFOCUS_A,
    }  # fmt: skip
    for name, accuracy in accuracies.items():
        if name not in but:
            found, expected = getattr(images.ctf, name), getattr(true.ctf, name)
            np.testing.assert_allclose(found, expected, rtol=0, atol=accuracy, err_msg=name)
    tomograms = experiment.tomogram[experiment.particle_of_image[rows[particles.starts[:-1]]]]
    assert len(set(zip(particles.tomogram, tomograms.tolist(), strict=True))) == len(
        set(tomograms.tolist())
    )
    return rows


def assert_true_pixels(reader: Reader, particles: ParticleSet, simulation: Simulation) -> None:
    """Every image is the one that was written for it."""
    rows = true_rows(particles, simulation)
    written = np.concatenate([images for _, images in simulation.render()])
    np.testing.assert_array_equal(reader.load_images(particles.source_image), written[rows])
