from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from tomodrgn.core.fourier.disc import images_to_disc, shift_phases
from tomodrgn.core.simulation.forward import Simulation, design
from tomodrgn.core.simulation.structures import build_structure
from tomodrgn.plugins.commands.score.calibration import (
    LEVELS,
    as_images_see,
    coordinates_on,
    coverage,
    linear_basis,
    turned,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from tomodrgn.core.specs.simulation import SimulationSpec

    Alter = Callable[..., SimulationSpec]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(2)


def _at(simulation: Simulation, coordinates: tuple[float, ...]) -> torch.Tensor:
    """(M, P) coefficients that all images would have at a coordinate."""
    experiment = simulation.experiment
    motion = np.tile(coordinates, (len(experiment.counts), 1)).astype(np.float64)
    there = replace(simulation, experiment=replace(experiment, motion=motion))
    return there.expected(np.arange(len(experiment.images)))


def _exact_posteriors(simulation: Simulation) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and covariance of z given the images, for one who knows the linear model."""
    experiment, disc = simulation.experiment, simulation.disc
    images = np.concatenate([block for _, block in simulation.record()])
    found = torch.view_as_complex(images_to_disc(torch.from_numpy(images), disc))
    shifts = torch.from_numpy(experiment.images.shift_px)
    found = found * shift_phases(torch.from_numpy(disc.k / disc.box_size_px), shifts)
    origin = _at(simulation, (0, 0))
    basis = torch.stack([_at(simulation, z) - origin for z in ((1, 0), (0, 1))], 1)  # (M, 2, P)
    weight = 2 / disc.box_size_px**2  # both of a pair +k, -k; white noise of variance 1 per pixel
    matrix = weight * torch.einsum("mkp,mlp->mkl", basis.conj(), basis).real.numpy()
    vector = weight * torch.einsum("mkp,mp->mk", basis.conj(), found - origin).real.numpy()
    starts = experiment.starts[:-1]
    precision = np.add.reduceat(matrix, starts) + np.eye(2)
    covariance = np.linalg.inv(precision)
    return np.einsum("bkl,bl->bk", covariance, np.add.reduceat(vector, starts)), covariance


@pytest.mark.parametrize("snr", [0.3, 0.01])
def test_exact_posteriors_of_simulated_images_are_calibrated(altered: Alter, snr: float) -> None:
    n = 400
    spec = altered(n_particles=n, n_classes=1, motion="linear", snr=snr, seed=4)
    simulation = design(spec, build_structure(spec))
    mean, covariance = _exact_posteriors(simulation)
    covered = coverage(simulation.experiment.motion, mean, covariance)
    for level in LEVELS:
        error = 3 * np.sqrt(level * (1 - level) / n)  # three binomial standard errors
        assert covered[level] == pytest.approx(level, abs=error)
    spread = simulation.experiment.motion.std(0) - mean.std(0)
    assert (spread > -0.01).all()  # a posterior mean never spreads wider than what it estimates


def test_coordinates_come_back_whatever_lies_outside_the_basis(rng: np.random.Generator) -> None:
    axes, _ = np.linalg.qr(rng.standard_normal((64, 4)))
    basis = (axes[:, :2] * [3.0, 0.1]).T.reshape(2, 4, 4, 4)
    basis[1] += 0.2 * basis[0]  # need not be orthogonal
    outside = axes[:, 2:].T.reshape(2, 4, 4, 4)
    z = rng.standard_normal((7, 2))
    volumes = 1 + np.tensordot(z, basis, 1) + np.tensordot(rng.standard_normal((7, 2)), outside, 1)
    found = coordinates_on(basis, np.ones((4, 4, 4)), volumes)
    np.testing.assert_allclose(found, z, atol=1e-9)


def test_a_change_of_the_coordinates_changes_no_coverage(rng: np.random.Generator) -> None:
    root = rng.standard_normal((50, 3, 3))
    covariance = root @ root.swapaxes(1, 2) + np.eye(3)
    true, mean = rng.standard_normal((2, 50, 3))
    change = rng.standard_normal((3, 3))
    moved = coverage(true @ change.T, mean @ change.T, change @ covariance @ change.T)
    assert moved == coverage(true, mean, covariance)


def test_a_basis_is_found_only_of_a_decoder_that_does_not_bend(rng: np.random.Generator) -> None:
    maps = rng.standard_normal((3, 4, 4, 4)).astype(np.float32)

    def straight(latents: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        yield from maps[0] + np.tensordot(latents, maps[1:], 1)

    def bent(latents: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        yield from straight(np.tanh(latents))

    found = linear_basis(straight, np.array([0.7, -2.0], np.float32))
    assert found is not None
    np.testing.assert_allclose(found[1], maps[1:], atol=1e-6)
    assert linear_basis(bent, np.array([0.7, -2.0], np.float32)) is None


def test_a_turned_volume_has_at_a_place_what_was_where_the_turn_takes_it(
    rng: np.random.Generator,
) -> None:
    volume = rng.standard_normal((9, 9, 9)).astype(np.float32)
    quarter = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # x goes to y
    found = turned(volume, quarter)
    for x, y, z in ((1, 0, 0), (2, -3, 1), (0, 4, -2)):
        to_x, to_y, to_z = np.array([x, y, z]) @ quarter.astype(int)
        assert found[4 + z, 4 + y, 4 + x] == pytest.approx(
            volume[4 + to_z, 4 + to_y, 4 + to_x], abs=1e-5
        )


def test_squared_errors_count_shells_by_their_weights(rng: np.random.Generator) -> None:
    volume = rng.standard_normal((16, 16, 16))
    spectrum = np.fft.fftn(volume)
    axis = np.fft.fftfreq(16, 1 / 16)
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    weights = np.array([0.0, 3.0, 1.0, 0.5, 0.0])
    expected = sum(
        weight * np.square(np.abs(spectrum[np.ceil(radius.round(9)) == shell])).sum()
        for shell, weight in enumerate(weights)
    )
    found = as_images_see(volume, weights)
    assert np.square(found).sum() * 16**3 == pytest.approx(expected, rel=1e-4)


def test_without_weights_a_volume_stays_as_it_is(rng: np.random.Generator) -> None:
    volume = rng.standard_normal((8, 8, 8)).astype(np.float32)
    np.testing.assert_array_equal(as_images_see(volume, None), volume)
