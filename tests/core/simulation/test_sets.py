"""Sets of particles and tomograms: what the files say is what was simulated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from tests.core.simulation.set_files import Frame, WrittenSet, table
from tomodrgn.core.files.mrc import read_mrc_header
from tomodrgn.core.fourier.disc import images_to_disc, shift_phases
from tomodrgn.core.particles.tables import CtfTable
from tomodrgn.core.physics.ctf import contrast_transfer
from tomodrgn.core.physics.dose import dose_attenuation
from tomodrgn.core.simulation.forward import Simulation, design
from tomodrgn.core.simulation.structures import build_structure
from tomodrgn.core.simulation.tilt_series import simulate

if TYPE_CHECKING:
    from collections.abc import Callable

    from tomodrgn.core.specs.simulation import SimulationSpec

    Alter = Callable[..., SimulationSpec]

FLAVOURS = {
    "warptools": {"format": "warptools"},
    "warptools since 2026": {"format": "warptools", "size_convention": "binned"},
    "warptools inverted": {
        "format": "warptools", "size_convention": "binned", "defocus_sign": "minus",
    },
    "relion5": {"format": "relion5"},
    "relion5 with priors": {"format": "relion5", "subtomogram_priors": True},
    "relion5 of the other hand": {"format": "relion5", "defocus_sign": "minus"},
    "relion5 with all frames": {"format": "relion5", "visible_frames_only": False},
    "relion4": {"format": "relion4"},
    "relion4 with visible frames": {"format": "relion4", "visible_frames_only": True},
}  # fmt: skip
DETAILS = {
    "n_particles": 5, "missing_fraction": 0.3, "min_tilts": 4, "tilt_axis_deg": 83.0,
    "trajectories_a": 9.0, "phase_shift_deg": 20.0, "phase_shift_drift_deg": 40.0,
    "field_a": (3001.0, 2500.0, 2000.0), "n_tilts": 7, "tilt_step_deg": 10.0,
}  # fmt: skip


@pytest.fixture(params=FLAVOURS.values(), ids=FLAVOURS.keys())
def spec(request: pytest.FixtureRequest, altered: Alter) -> SimulationSpec:
    return altered(**DETAILS, **request.param)


def _by_tilt(simulation: Simulation, particle: int) -> np.ndarray:
    """Image rows of a particle in ascending order of tilt."""
    rows = np.flatnonzero(simulation.experiment.particle_of_image == particle)
    return rows[np.argsort(simulation.experiment.images.tilt_deg[rows])]


def test_files_state_what_was_drawn(spec: SimulationSpec) -> None:
    written = WrittenSet(simulate(spec))
    simulation = design(spec, build_structure(spec))
    experiment, images = simulation.experiment, simulation.experiment.images
    assert images.ctf is not None
    for particle in range(spec.n_particles):
        frames, rows = written.frames(particle), _by_tilt(simulation, particle)
        assert len(frames) == len(rows)
        for frame, row in zip(frames, rows, strict=True):
            np.testing.assert_allclose(frame.rotation, images.rotation[row], atol=1e-6)
            np.testing.assert_allclose(frame.shift_a / 12, images.shift_px[row], atol=1e-4)
            stated = [images.ctf.defocus_u_a[row], images.ctf.defocus_v_a[row]]
            np.testing.assert_allclose(frame.defocus_a, stated, atol=0.02)  # four digits of 1 A
            assert frame.phase_shift_deg == pytest.approx(images.ctf.phase_shift_deg[row], abs=1e-3)
            assert frame.dose == pytest.approx(3 * experiment.tilt[row])
            assert frame.cosine == pytest.approx(np.cos(np.deg2rad(images.tilt_deg[row])), abs=1e-6)


def test_positions_are_coordinates_less_origins(spec: SimulationSpec) -> None:
    written = WrittenSet(simulate(spec))
    positions = np.load(spec.outdir / "positions.npy")
    for (_, row), position in zip(written.particles.iterrows(), positions, strict=True):
        found = written.offset_a(row) - written.origin_a(row) + written.size_a(row.rlnTomoName) / 2
        np.testing.assert_allclose(found, position, atol=1e-3)  # five digits of a pixel
        assert (position > 0).all()
        assert (position < written.size_a(row.rlnTomoName)).all()


def _stated_treatment(
    frame: Frame, spec: SimulationSpec, freqs_per_a: torch.Tensor
) -> torch.Tensor:
    """(P,) contrast transfer times weights of dose and tilt, by what the files say of a frame."""
    values = {
        "defocus_u_a": frame.defocus_a[0],
        "defocus_v_a": frame.defocus_a[1],
        "defocus_angle_deg": frame.defocus_angle_deg,
        "voltage_kv": spec.voltage_kv,
        "cs_mm": spec.cs_mm,
        "amplitude_contrast": spec.amplitude_contrast,
        "phase_shift_deg": frame.phase_shift_deg,
    }
    ctf = CtfTable(**{name: torch.tensor([value]) for name, value in values.items()})
    voltage_kv, dose = ctf.voltage_kv, torch.tensor([frame.dose])
    weights = dose_attenuation(dose, freqs_per_a.norm(dim=1), voltage_kv)
    return (contrast_transfer(ctf, freqs_per_a) * weights)[0] * frame.cosine


def test_pixels_are_weighted_by_what_the_files_state(spec: SimulationSpec) -> None:
    written = WrittenSet(simulate(spec))
    simulation = design(spec, build_structure(spec))
    disc = simulation.disc
    freqs_px = torch.from_numpy(disc.k / disc.box_size_px)
    for particle in range(spec.n_particles):
        rows = _by_tilt(simulation, particle)
        for frame, row in zip(written.frames(particle), rows, strict=True):
            pixels = torch.from_numpy(frame.pixels)[None].to(torch.float64)
            found = torch.view_as_complex(images_to_disc(pixels, disc))
            centred = (found * shift_phases(freqs_px, torch.from_numpy(frame.shift_a / 12)[None]))[
                0
            ]
            recorded = simulation.expected(np.array([row]))[0]
            expected = recorded * _stated_treatment(frame, spec, freqs_px / 12)
            # digits of defocus and shift in the files
            torch.testing.assert_close(
                centred, expected, rtol=1e-3, atol=1e-4 * float(recorded.abs().max())
            )


def test_stacks_hold_the_frames_that_the_program_writes(spec: SimulationSpec) -> None:
    written = WrittenSet(simulate(spec))
    for name, visible in zip(
        written.particles.rlnImageName, written.particles.rlnTomoVisibleFrames, strict=True
    ):
        n_images = read_mrc_header(spec.outdir / name).shape[0]
        shown = visible.count("1")
        assert n_images == (
            shown if spec.stacks_hold_visible_frames else shown + visible.count("0")
        )


def test_warptools_states_sizes_in_either_unit(altered: Alter) -> None:
    sizes = {}
    for convention in ("unbinned", "binned"):
        written = WrittenSet(simulate(altered(format="warptools", size_convention=convention)))
        row = written.tomograms.iloc[0]
        assert ("rlnPhaseShift" in written.tilt_series(row.rlnTomoName)) == (convention == "binned")
        sizes[convention] = (int(row.rlnTomoSizeX), float(row.rlnTomoTiltSeriesPixelSize))
    assert sizes["unbinned"] == (1336, 3.0)
    assert sizes["binned"] == (334, 12.0)


def test_matrices_of_relion_bring_the_centre_to_the_centre(altered: Alter) -> None:
    written = WrittenSet(simulate(altered(format="relion4", tilt_axis_deg=85.0)))
    row = written.tomograms.iloc[0]
    centre = np.array([float(row[f"rlnTomoSize{axis}"]) / 2 for axis in "XYZ"] + [1.0])
    for _, frame in written.tilt_series(row.rlnTomoName).iterrows():
        matrix = [
            [float(value) for value in frame[f"rlnTomoProj{axis}"].strip("[]").split(",")]
            for axis in "XYZW"
        ]
        np.testing.assert_allclose(np.array(matrix) @ centre, centre, atol=1e-4)


@pytest.mark.parametrize("name", ["warp", "nextpyp", *("warptools", "relion5", "relion4")])
def test_volumes_star_names_and_places_the_same_particles(altered: Alter, name: str) -> None:
    spec = altered(format=name)
    entry = simulate(spec)
    volumes = table(spec.outdir / "volumes.star", "rlnCoordinateZ")
    column = {"warp": "rlnGroupName", "nextpyp": "rlnGroupNumber"}.get(name, "rlnTomoParticleName")
    series = table(entry.parent / "particles.star", column)
    assert list(dict.fromkeys(series[column])) == list(volumes.rlnGroupName)
    tomogram = "rlnTomoName" if spec.writes_set else "rlnMicrographName"
    assert set(series[tomogram]) == set(volumes.rlnMicrographName)
    found = volumes[[f"rlnCoordinate{axis}" for axis in "XYZ"]].to_numpy(dtype=float) * 12
    np.testing.assert_allclose(found, np.load(spec.outdir / "positions.npy"), atol=1e-3)
