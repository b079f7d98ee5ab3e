"""The same particles in every format and state give the same map, and lie in the same places."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tomodrgn.core.cli.fields import builtin_registry
from tomodrgn.core.fourier.disc import half_plane_disc, images_to_disc, shift_phases
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.core.particles.image_state import declare_state
from tomodrgn.core.particles.tables import ParticleSet
from tomodrgn.core.reconstruction.maps import finish, reconstruct
from tomodrgn.core.reconstruction.weights import Attenuation
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.simulation.treatment import reading_options
from tomodrgn.core.simulation.truth import read_truth
from tomodrgn.core.specs.dataset import ContrastSpec, ImageStateSpec
from tomodrgn.core.specs.simulation import SimulationSpec

BOX_SIZE_PX = 24
PIXEL_SIZE_A = 10.0
PARTICLES: dict[str, Any] = {
    "n_particles": 40, "n_tomograms": 3, "n_classes": 1, "box_size_px": BOX_SIZE_PX,
    "pixel_size_a": PIXEL_SIZE_A, "n_tilts": 11, "tilt_step_deg": 10.0, "missing_fraction": 0.2,
    "min_tilts": 8, "tilt_axis_deg": 84.0, "field_a": (4000.0, 3000.0, 6000.0), "snr": None,
    "origin_shift_px": 2.0, "defocus_um": (1.5, 2.5),
}  # fmt: skip
NOISE = {"snr": 0.1, "origin_shift_px": 0.0}
"""Centered, because formats differ in what they shift, and noise does not move with a particle."""
NEWER = {"format": "warptools", "size_convention": "binned"}
RELION5 = {"format": "relion5"}
FLAVOURS: dict[str, dict[str, Any]] = {
    "warp": {},
    "warp premultiplied": {"ctf_premultiplied": True},
    "warp phase-flipped": {"phase_flipped": True},
    "warp weighted": {"dose_weighted": True, "tilt_weighted": True},
    "warp as recorded": {"inverted": False},
    "nextpyp": {"format": "nextpyp"},
    "nextpyp premultiplied": {"format": "nextpyp", "ctf_premultiplied": True},
    "warptools": {"format": "warptools"},
    "warptools, visible frames": {"format": "warptools", "visible_frames_only": True},
    "warptools, float16": {"format": "warptools", "dtype": "float16"},
    "warptools, not weighted": {"format": "warptools", "dose_weighted": False},
    "warptools since 2026": NEWER,
    "relion5": RELION5,
    "relion5, all frames": {**RELION5, "visible_frames_only": False},
    "relion5, priors": {**RELION5, "subtomogram_priors": True},
    "relion5, drifting": {**RELION5, "trajectories_a": 25.0},
    "relion5, raw": {**RELION5, "ctf_premultiplied": False},
    "relion5, phase-flipped": {**RELION5, "phase_flipped": True},
    "relion5, raw and dark": {**RELION5, "ctf_premultiplied": False, "inverted": False},
    "relion4": {"format": "relion4"},
    "relion4, priors": {"format": "relion4", "subtomogram_priors": True},
}
OTHER_PHYSICS: dict[str, dict[str, Any]] = {
    "phase plate": {"phase_shift_deg": 30.0, "phase_shift_drift_deg": 60.0},
    "other hand": {"defocus_sign": "minus"},
}
SETS: tuple[dict[str, Any], ...] = (NEWER, RELION5, {"format": "relion4"})


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory):
    """Simulates a flavour, once."""

    @cache
    def write(changes: tuple[tuple[str, Any], ...]) -> tuple[SimulationSpec, Path]:
        folder = tmp_path_factory.mktemp("flavour")
        spec = SimulationSpec(outdir=folder, **{**PARTICLES, **dict(changes)})
        return spec, simulate(spec)

    return lambda changes: write(tuple(changes.items()))


@pytest.fixture(scope="session")
def mapped(written):
    """The map of a flavour, reconstructed once."""
    known: dict[str, np.ndarray] = {}

    def reconstruct_once(changes: dict[str, Any]) -> np.ndarray:
        if str(changes) not in known:
            known[str(changes)] = _map(*written(changes))
        return known[str(changes)]

    return reconstruct_once


def _read(path: Path, **options: Any) -> tuple[Any, ParticleSet]:
    """A reader that was given no more than the path, and what it reads."""
    registry = builtin_registry()
    kind = registry.identify_reader(path)
    spec = registry.get("reader", kind).spec(path=path, **options)
    reader = registry.build(spec, ReaderContext())
    return reader, reader.read()


def _declared(particles: ParticleSet, options: list[str]) -> ParticleSet:
    """Particles in the state that options of a command say."""
    given = {option.removeprefix("--").replace("-", "_"): True for option in options}
    sign = {"invert_data": True, "uninvert_data": False}
    contrast = next((sign[name] for name in given if name in sign), None)
    state = {
        name.removeprefix("not_"): not name.startswith("not_") for name in given if name not in sign
    }
    return declare_state(particles, ImageStateSpec(**state), ContrastSpec(invert_data=contrast))


def _map(spec: SimulationSpec, path: Path, **options: Any) -> np.ndarray:
    """The map of all images of a set."""
    reader, read = _read(path, **options)
    particles = _declared(read, reading_options(spec))
    disc = half_plane_disc(BOX_SIZE_PX)
    pixels = torch.from_numpy(reader.load_images(particles.source_image))
    coefficients = torch.view_as_complex(images_to_disc(pixels, disc))
    images = particles.images.convert(torch.from_numpy)
    phases = shift_phases(torch.from_numpy(disc.freqs()), images.shift_px)
    sums = reconstruct(
        coefficients * phases,
        images,
        particles.optics,
        disc,
        volume_index=torch.zeros(len(images), dtype=torch.int64),
        n_volumes=1,
        attenuation=Attenuation(dose=True),
    )
    return finish(sums)[0].numpy()


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


@pytest.mark.parametrize("changes", FLAVOURS.values(), ids=FLAVOURS.keys())
def test_every_flavour_gives_the_map_of_raw_images(
    written, mapped, changes: dict[str, Any]
) -> None:
    found, plain = mapped(changes), mapped({})
    assert _correlation(found, plain) > 0.999
    truth = read_truth(written(changes)[1].parent).maps[0]
    assert _correlation(found, truth) > 0.99
    # 1 where every coefficient is seen; 0.97 to 0.98 was found
    assert float((found * truth).sum() / np.square(truth).sum()) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    "changes",
    [changes for changes in FLAVOURS.values() if "trajectories_a" not in changes],
    ids=str,
)
def test_every_flavour_treats_the_same_noise(mapped, changes: dict[str, Any]) -> None:
    found, plain = mapped({**changes, **NOISE}), mapped(NOISE)
    assert _correlation(found, plain) > 0.99


@pytest.mark.parametrize("changes", FLAVOURS.values(), ids=FLAVOURS.keys())
def test_every_flavour_names_and_places_the_same_particles(
    written, changes: dict[str, Any]
) -> None:
    spec, path = written(changes)
    _, particles = _read(path)
    _, plain = _read(written({})[1])
    _, volumes = _read(spec.outdir / "volumes.star")
    np.testing.assert_array_equal(particles.counts, plain.counts)
    np.testing.assert_array_equal(particles.half_set, 1 + np.arange(spec.n_particles) % 2)
    assert volumes.name.tolist() == particles.name.tolist()
    assert volumes.tomogram.tolist() == particles.tomogram.tolist()
    positions_a = np.load(spec.outdir / "positions.npy")
    orientations = np.load(spec.outdir / "orientations.npy")
    for described in (volumes, particles) if spec.writes_set else (volumes,):
        assert described.position_a is not None
        np.testing.assert_allclose(described.position_a, positions_a, atol=2e-3)  # digits of px
        np.testing.assert_allclose(described.orientation, orientations, atol=1e-6)


@pytest.mark.parametrize("changes", SETS, ids=lambda changes: changes["format"])
@pytest.mark.parametrize("physics", OTHER_PHYSICS.values(), ids=OTHER_PHYSICS.keys())
def test_sets_state_what_changes_between_frames(
    mapped, changes: dict[str, Any], physics: dict[str, Any]
) -> None:
    found, plain = mapped({**changes, **physics}), mapped(physics)
    assert _correlation(found, plain) > 0.999


@pytest.mark.parametrize("changes", SETS, ids=lambda changes: changes["format"])
def test_the_sign_of_heights_matters_and_is_read_from_the_files(
    written, changes: dict[str, Any]
) -> None:
    spec, path = written({**changes, "field_a": (4000.0, 3000.0, 16000.0)})
    truth = read_truth(path.parent).maps[0]
    as_stated, wrong = (
        _correlation(_map(spec, path, defocus_sign=sign), truth) for sign in ("auto", "minus")
    )
    assert as_stated > wrong + 0.05


def test_a_drift_that_is_left_out_blurs_the_map(written) -> None:
    spec, path = written({**RELION5, "trajectories_a": 60.0})
    truth = read_truth(path.parent).maps[0]
    followed, blurred = (
        _correlation(_map(spec, path, trajectories=applied), truth) for applied in (True, False)
    )
    assert followed > blurred + 0.05
