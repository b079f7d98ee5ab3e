"""Particles that zarr-particle-tools cut from simulated tilt images."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.interop.tilt_images import write_tilt_images
from tests.interop.truth import assert_true, centered, planned, read
from tomodrgn.core.simulation.tilt_series import simulate

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Command
    from tomodrgn.core.simulation.forward import Simulation

pytestmark = pytest.mark.interop

CUT = ("--box-size", 48, "--crop-size", 32, "--bin", 4)
"""CTF-premultiplied in a larger box, as is usual, in pixels of the simulated particles."""


@pytest.fixture(scope="module", params=["plus", "minus"])
def recorded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Simulation:
    """Tilt images with a phase shift that grows, and refined offsets in RELION 5's tables."""
    simulation = planned(
        tmp_path_factory.mktemp("recorded"), format="relion5", field_a=(1400.0, 1400.0, 300.0),
        missing_fraction=0.0, phase_shift_deg=30.0, phase_shift_drift_deg=40.0,
        origin_shift_px=3.0, defocus_sign=request.param,
    )  # fmt: skip
    simulate(simulation.spec)
    write_tilt_images(simulation)
    return simulation


@pytest.fixture(scope="module")
def extracted(recorded: Simulation, zarr_particle_extract: Command) -> Path:
    """The optimisation set of what is cut out of them, at refined places."""
    return _extract(zarr_particle_extract, recorded, "Extract")


def _extract(program: Command, recorded: Simulation, folder: str, *options: str) -> Path:
    program(
        "local", "--particles-starfile", "particles.star", "--tomograms-starfile",
        "tomograms.star", *CUT, *options, "--output-dir", folder, cwd=recorded.spec.outdir,
    )  # fmt: skip
    return recorded.spec.outdir / folder / "optimisation_set.star"


def assert_read_as(simulation: Simulation, optimisation_set: Path) -> None:
    """All numbers are true, and images show what they should where they should."""
    reader, particles = read(optimisation_set)
    rows = assert_true(particles, simulation)
    images = reader.load_images(particles.source_image)
    expected = simulation.clean_images(rows)
    likeness = np.corrcoef(images.reshape(len(rows), -1), expected.reshape(len(rows), -1))
    # at this SNR noise confuses some neighboring tilts
    nearest = likeness[: len(rows), len(rows) :].argmax(axis=1)
    assert np.mean(nearest == np.arange(len(rows))) > 0.9
    steps = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    overlap = [(images * np.roll(expected, step, (1, 2))).sum() for step in steps]
    assert steps[int(np.argmax(overlap))] == (0, 0)


def test_extracted_particles_are_read_as_simulated(recorded: Simulation, extracted: Path) -> None:
    assert_read_as(centered(recorded), extracted)


def test_offsets_that_extraction_keeps_are_read_as_simulated(
    recorded: Simulation, zarr_particle_extract: Command
) -> None:
    kept = _extract(zarr_particle_extract, recorded, "Kept", "--dont-apply-offsets")
    assert_read_as(recorded, kept)


def test_check_accuses_nothing_of_extracted_particles(
    extracted: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    said = tomodrgn("check", extracted, "-o", tmp_path / "report").stdout
    assert "WRONG" not in said
    assert "Error" not in said


def test_selections_are_extracted_as_before(
    recorded: Simulation, extracted: Path, tomodrgn: Command, zarr_particle_extract: Command
) -> None:
    folder = recorded.spec.outdir
    kept = [12, 3]
    (folder / "kept.pkl").write_bytes(pickle.dumps(np.array(kept)))
    star = folder / "optimisation_set.star"
    tomodrgn("filter_star", star, "--ind", folder / "kept.pkl", "-o", folder / "some.star")
    zarr_particle_extract(
        "local", "--optimisation-set-starfile", "some.star", *CUT, "--output-dir", "Some",
        cwd=folder,
    )  # fmt: skip
    whole, some = read(extracted), read(folder / "Some" / "optimisation_set.star")
    assert sorted(some[1].name) == ["sim_001/4", "sim_002/13"]
    for i, name in enumerate(some[1].name):
        before = whole[1].name.tolist().index(name)
        pixels = [
            reader.load_images(read_set.source_image[read_set.starts[j] : read_set.starts[j + 1]])
            for (reader, read_set), j in ((whole, before), (some, i))
        ]
        np.testing.assert_array_equal(*pixels)
