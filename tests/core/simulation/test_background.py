"""Neighbors, membranes, ice, stripes and colored noise: what each adds to images."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from tomodrgn.core.fourier.disc import disc_to_images, half_plane_disc
from tomodrgn.core.simulation.background import Background
from tomodrgn.core.simulation.forward import Simulation, design
from tomodrgn.core.simulation.noise import colored, noise_power
from tomodrgn.core.simulation.structures import build_structure

if TYPE_CHECKING:
    from collections.abc import Callable

    from tomodrgn.core.specs.simulation import SimulationSpec

    Alter = Callable[..., SimulationSpec]


def _design(spec: SimulationSpec) -> Simulation:
    return design(spec, build_structure(spec))


def _recorded(simulation: Simulation) -> np.ndarray:
    return np.concatenate([images for _, images in simulation.record()])


def _all(simulation: Simulation) -> np.ndarray:
    return np.arange(len(simulation.experiment.images))


def _with_surroundings(simulation: Simulation, **changes: np.ndarray) -> Background:
    flaws = simulation.experiment.flaws
    around = replace(flaws.surroundings, **changes)
    experiment = replace(simulation.experiment, flaws=replace(flaws, surroundings=around))
    return replace(simulation.background, experiment=experiment)


def test_a_neighbor_in_the_place_and_pose_of_its_particle_looks_like_it(altered: Alter) -> None:
    spec = altered(neighbors=1.0, ctf=False, inverted=False, n_classes=1, origin_shift_px=1.0)
    simulation = _design(spec)
    n = spec.n_particles
    background = _with_surroundings(
        simulation,
        owner=np.arange(n),
        alike=(np.arange(n) + 0.5) / n,
        place=np.zeros((n, 3)),
        orientation=simulation.experiment.orientation,
    )
    neighbor = simulation.scale * background.objects(_all(simulation))
    particle = _design(altered(**{**spec.model_dump(), "neighbors": 0.0})).clean_images(
        _all(simulation)
    )
    # both lack their mean, over different boxes, and ring from the cut at Nyquist
    neighbor -= neighbor.mean((1, 2), keepdims=True)
    assert np.abs(neighbor - particle).max() < 0.02 * np.abs(particle).max()


def test_neighbors_are_displaced_and_defocused_by_their_place(altered: Alter) -> None:
    simulation = _design(altered(neighbors=1.0))
    rows, offset_a = np.array([0, 3]), np.array([[24.0, -12.0, 500.0], [0.0, 0.0, -300.0]])
    images = simulation.experiment.images
    table = simulation.background._table(rows, offset_a)
    np.testing.assert_allclose(images.shift_px[rows] - table.shift_px, [[2, -1], [0, 0]])
    assert images.ctf is not None
    assert table.ctf is not None
    np.testing.assert_allclose(table.ctf.defocus_u_a - images.ctf.defocus_u_a[rows], [500, -300])


def test_neighbors_are_as_many_and_as_far_as_asked_for(altered: Alter) -> None:
    around = _design(altered(n_particles=3000, n_tilts=1, neighbors=2.0)).experiment.flaws
    assert len(around.surroundings.owner) == pytest.approx(6000, rel=0.05)
    distance = np.linalg.norm(around.surroundings.place, axis=1)
    assert distance.min() >= 1
    assert distance.max() <= 1.5
    middle = np.cbrt((1 + 1.5**3) / 2)  # half of a shell's volume lies below
    assert (distance < middle).mean() == pytest.approx(0.5, abs=0.03)


def test_power_grows_with_the_number_of_neighbors(altered: Alter) -> None:
    """Poses are independent, so powers add."""
    spec = {"n_particles": 300, "n_tilts": 1, "ctf": False}
    few, many = (
        np.square(simulation.surroundings(_all(simulation))).mean()
        for simulation in (_design(altered(**spec, neighbors=n)) for n in (0.5, 2.0))
    )
    assert many / few == pytest.approx(4, rel=0.25)


def test_pairs_are_those_of_particles_and_their_neighbors(altered: Alter) -> None:
    around = _design(altered(neighbors=1.5)).experiment.flaws.surroundings
    particle = np.array([3, 3, 0, 11, 5])
    row, neighbor = around.neighbors_of(particle)
    expected = [
        (r, n) for r, p in enumerate(particle) for n in np.flatnonzero(around.owner == p).tolist()
    ]
    assert list(zip(row.tolist(), neighbor.tolist(), strict=True)) == expected


def test_a_bilayer_seen_from_the_side_has_two_leaflets_forty_angstrom_apart(
    altered: Alter,
) -> None:
    background = _design(altered(pixel_size_a=4.0, box_size_px=64, membrane=1.0)).background
    disc = half_plane_disc(128)
    side = background._bilayer(torch.tensor([[1.0, 0.0, 0.0]]).double(), disc)
    image = disc_to_images(torch.view_as_real(side), disc)[0].numpy()
    profile = image[64]
    left, right = profile[:64].argmax(), 64 + profile[64:].argmax()
    assert (right - left) * 4.0 == pytest.approx(40, abs=4)  # a pixel
    assert profile[64] < 0.5 * profile[left]


def test_a_bilayer_looks_alike_from_both_sides_and_is_smooth_from_above(altered: Alter) -> None:
    background = _design(altered(membrane=1.0)).background
    disc = half_plane_disc(32)
    normals = torch.tensor([[0.6, 0.0, 0.8], [-0.6, 0.0, -0.8], [0.0, 0.0, 1.0]]).double()
    one, other, above = background._bilayer(normals, disc)
    torch.testing.assert_close(one, other)
    beyond = disc.radius_px > 6
    assert float(above[beyond].abs().max()) < 1e-3 * float(above.abs().max())


def test_as_many_particles_touch_a_membrane_as_asked_for(altered: Alter) -> None:
    simulation = _design(altered(n_particles=400, n_tilts=1, membrane=0.25))
    images = simulation.surroundings(_all(simulation))
    assert images.any((1, 2)).mean() == pytest.approx(0.25, abs=0.07)  # 3 of sqrt(.25 * .75 / 400)


def test_ice_is_a_ramp_of_the_height_asked_for(altered: Alter) -> None:
    simulation = _design(altered(n_particles=200, ice_gradient=0.5))
    ramps = simulation.surroundings(_all(simulation)).astype(np.float64)
    np.testing.assert_allclose(np.diff(ramps, 2, axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(np.diff(ramps, 2, axis=2), 0, atol=1e-6)
    edge = ramps[:, 8, 0] - ramps[:, 8, 8]
    assert edge.std() == pytest.approx(0.5, rel=0.1)  # 1000 images


def test_stripes_run_along_one_direction_in_a_tomogram(altered: Alter) -> None:
    simulation = _design(altered(stripes=0.3))
    turned = _with_surroundings(simulation, stripe_deg=np.array([0.0, 90.0]))
    patterns = turned.patterns(_all(simulation))
    tomogram = simulation.experiment.tomogram[simulation.experiment.particle_of_image]
    np.testing.assert_allclose(np.ptp(patterns[tomogram == 0], axis=1), 0, atol=1e-9)
    np.testing.assert_allclose(np.ptp(patterns[tomogram == 1], axis=2), 0, atol=1e-9)
    np.testing.assert_allclose(patterns.std((1, 2)), 0.3)  # whole periods


@pytest.mark.parametrize("exponent", [0.5, 1.0])
def test_colored_noise_keeps_its_variance_and_has_the_spectrum_asked_for(exponent: float) -> None:
    white = np.random.default_rng(0).standard_normal((2000, 16, 16), dtype=np.float32)
    noise = colored(white, exponent)
    assert noise.std() == pytest.approx(1, rel=0.01)
    power = np.square(np.abs(np.fft.fft2(noise))).mean(0)
    assert power[0, 2] / power[0, 4] == pytest.approx(2 ** (2 * exponent), rel=0.1)
    disc = half_plane_disc(16)
    kx, ky = disc.k.T
    np.testing.assert_allclose(power[ky, kx] / 256, noise_power(disc, exponent), rtol=0.15)


@pytest.mark.parametrize(
    "flaw",
    [
        {"neighbors": 1.0}, {"membrane": 0.5}, {"ice_gradient": 0.5}, {"stripes": 0.5},
        {"noise_color": 0.5},
    ],
    ids=lambda flaw: next(iter(flaw)),
)  # fmt: skip
def test_a_flaw_leaves_all_other_draws_alone(altered: Alter, flaw: dict[str, float]) -> None:
    plain, other = _design(altered(snr=0.5)), _design(altered(snr=0.5, **flaw))
    difference = _recorded(other) - _recorded(plain)
    assert np.abs(difference).max() > 0.01
    if "noise_color" not in flaw:
        np.testing.assert_allclose(difference, other.surroundings(_all(other)), atol=1e-5)
    np.testing.assert_array_equal(
        other.experiment.images.rotation, plain.experiment.images.rotation
    )
