"""What is done to images, what the files say of it, and with which options they are read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from tests.rounding import assert_equal_to_rounding
from tomodrgn.core.fourier.disc import images_to_disc, shift_phases
from tomodrgn.core.particles.tables import ImageState
from tomodrgn.core.physics.transfer import noise_transfer, signal_transfer
from tomodrgn.core.simulation.forward import Simulation, design
from tomodrgn.core.simulation.structures import build_structure
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.simulation.treatment import (
    reading_options,
    stated_dose_e_per_a2,
    treat,
    written_state,
)
from tomodrgn.core.simulation.truth import read_truth

if TYPE_CHECKING:
    from collections.abc import Callable

    from tomodrgn.core.specs.simulation import SimulationSpec

    Alter = Callable[..., SimulationSpec]

FORMATS = ("warp", "nextpyp", "warptools", "relion5", "relion4")
STATES = [
    {"inverted": False},
    {"ctf_premultiplied": True},
    {"phase_flipped": True, "ctf_premultiplied": False},
    {"dose_weighted": True, "tilt_weighted": True},
    {"ctf_premultiplied": True, "dose_weighted": True, "inverted": True},
]


def _design(spec: SimulationSpec) -> Simulation:
    return design(spec, build_structure(spec))


def _rendered(simulation: Simulation) -> np.ndarray:
    return np.concatenate([images for _, images in simulation.render()])


def _recorded(simulation: Simulation) -> np.ndarray:
    return np.concatenate([images for _, images in simulation.record()])


@pytest.mark.parametrize("state", STATES, ids=str)
def test_images_follow_the_forward_model_of_their_state(
    altered: Alter, state: dict[str, bool]
) -> None:
    simulation = _design(altered(**state, ctf=True, phase_shift_deg=30.0, tilt_step_deg=20.0))
    plain = _design(altered(ctf=False))
    disc, rows = simulation.disc, np.arange(len(simulation.experiment.images))
    freqs_px = torch.from_numpy(disc.k / disc.box_size_px)
    images = simulation.experiment.images.convert(torch.from_numpy)
    damaged_slices = _design(altered(ctf=False, tilt_step_deg=20.0)).expected(rows) / plain.scale
    transfer = signal_transfer(images, freqs_px / 12.0, (simulation.optics,))
    assert transfer is not None
    pixels = torch.from_numpy(simulation.clean_images(rows)).to(torch.float64)
    found = torch.view_as_complex(images_to_disc(pixels, disc))
    centred = found * shift_phases(freqs_px, images.shift_px)
    modelled = transfer * damaged_slices
    scale = float((centred * modelled.conj()).real.sum() / modelled.abs().square().sum())
    assert scale > 0
    torch.testing.assert_close(
        centred, scale * modelled, rtol=1e-5, atol=1e-5 * float(centred.abs().max())
    )


@pytest.mark.parametrize("state", STATES, ids=str)
def test_noise_is_as_strong_as_the_state_makes_it(altered: Alter, state: dict[str, bool]) -> None:
    simulation = _design(altered(**state, snr=0.5, n_particles=40, tilt_step_deg=20.0))
    rows, disc = np.arange(len(simulation.experiment.images)), simulation.disc
    noise = _rendered(simulation) - simulation.clean_images(rows)
    power = images_to_disc(torch.from_numpy(noise), disc).square().sum(-1) / disc.box_size_px**2
    images = simulation.experiment.images.convert(torch.from_numpy)
    freqs_per_a = torch.from_numpy(disc.k / (disc.box_size_px * 12.0))
    transfer = noise_transfer(images, freqs_per_a, (simulation.optics,))
    expected = 1.0 if transfer is None else float(transfer.square().mean())
    assert float(power.mean()) == pytest.approx(expected, rel=0.05)  # 200 images of 97 numbers


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_records_the_same_noise(altered: Alter, name: str) -> None:
    warp, other = (_design(altered(snr=0.5, format=f)) for f in ("warp", name))
    rows = np.arange(len(warp.experiment.images))
    noises = [_recorded(simulation) - simulation._signal(rows) for simulation in (warp, other)]
    np.testing.assert_allclose(noises[0], noises[1], atol=1e-5)  # float32 images of size 1
    np.testing.assert_array_equal(warp.experiment.orientation, other.experiment.orientation)
    np.testing.assert_array_equal(warp.experiment.labels, other.experiment.labels)
    np.testing.assert_array_equal(warp.experiment.images.rotation, other.experiment.images.rotation)
    assert warp.scale == other.scale


def test_treating_keeps_blocks_apart(altered: Alter) -> None:
    simulation = _design(altered(format="relion5"))
    images = simulation.experiment.images.convert(torch.from_numpy)
    pixels = torch.from_numpy(_recorded(simulation))
    whole = treat(pixels, images, simulation.optics)
    part = treat(pixels[3:5], images.convert(lambda column: column[3:5]), simulation.optics)
    assert_equal_to_rounding(whole[3:5], part, n_roundings=50)  # transforms there and back


def test_raw_images_are_left_alone(altered: Alter) -> None:
    simulation = _design(altered(snr=0.5, inverted=False))
    np.testing.assert_array_equal(_rendered(simulation), _recorded(simulation))


def test_inverting_is_a_sign(altered: Alter) -> None:
    up, down = (_rendered(_design(altered(snr=0.5, inverted=i))) for i in (False, True))
    np.testing.assert_array_equal(up, -down)


@pytest.mark.parametrize("name", FORMATS)
def test_images_of_every_format_are_read_without_options(altered: Alter, name: str) -> None:
    spec = altered(format=name)
    assert reading_options(spec) == []
    assert read_truth(simulate(spec).parent).spec.format == name


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({"inverted": False}, ["--uninvert-data"]),
        ({"ctf_premultiplied": True}, ["--ctf-premultiplied"]),
        ({"format": "nextpyp", "ctf_premultiplied": True}, []),
        ({"format": "nextpyp", "tilt_weighted": True}, ["--tilt-weighted"]),
        ({"format": "relion5", "phase_flipped": True}, ["--phase-flipped"]),
        ({"format": "relion5", "ctf_premultiplied": False}, []),
        ({"format": "relion4", "dose_weighted": False}, ["--not-dose-weighted"]),
        ({"format": "relion5", "ctf_premultiplied": False, "inverted": False}, ["--uninvert-data"]),
        ({"format": "warptools", "ctf_premultiplied": False}, []),
        ({"format": "warptools", "dose_weighted": False}, ["--not-dose-weighted"]),
        ({"format": "warptools", "inverted": True}, ["--invert-data"]),
    ],
)
def test_what_files_cannot_say_is_told_in_options(
    altered: Alter, changes: dict[str, object], options: list[str]
) -> None:
    assert reading_options(altered(**changes)) == options


def test_phase_flipped_sets_are_not_premultiplied_as_well(altered: Alter) -> None:
    state = written_state(altered(format="warptools", phase_flipped=True))
    assert state == ImageState(phase_flipped=True, dose_weighted=True, tilt_weighted=True)


def test_only_warp_counts_the_exposure_of_a_frame_itself(altered: Alter) -> None:
    dose = {
        name: stated_dose_e_per_a2(altered(format=name), np.array([0, 2])).tolist()
        for name in FORMATS
    }
    assert dose == {name: [3.0, 9.0] if name == "warp" else [0.0, 6.0] for name in FORMATS}


def test_weights_follow_the_dose_that_the_files_state(altered: Alter) -> None:
    simulation = _design(altered(format="relion5", dose_per_tilt_e_per_a2=5.0))
    first = np.flatnonzero(simulation.experiment.tilt == 0)
    images = simulation.experiment.images.convert(lambda column: torch.from_numpy(column[first]))
    unweighted = replace(
        simulation.optics, state=replace(simulation.optics.state, dose_weighted=False)
    )
    recorded = torch.from_numpy(_recorded(simulation)[first])
    torch.testing.assert_close(
        torch.from_numpy(simulation.clean_images(first)), treat(recorded, images, unweighted)
    )
