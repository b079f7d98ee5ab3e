"""Equations of images are slopes of their likelihood; solving them is solving all at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from tests.core.linear.class_sets import ClassSet, class_set
from tomodrgn.core.linear.observations import Observations
from tomodrgn.core.particles.corrections import Corrections, no_corrections
from tomodrgn.core.particles.exposures import distinct_exposures
from tomodrgn.core.reconstruction.resolution import spherical_mask
from tomodrgn.core.refinement.equations import CONTRAST, ImageEquations, equations
from tomodrgn.core.refinement.joint import Prior, TiltWidths, joint_errors
from tomodrgn.core.refinement.moves import errors_back, moved
from tomodrgn.core.refinement.steps import (
    ParticleEquations,
    Widths,
    errors_to_changes,
    particle_equations,
)

B = 4
RADIUS_PX = 5


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> ClassSet:
    return class_set(tmp_path_factory.mktemp("four"), n_particles=B, n_classes=2, snr=2.0)


@pytest.fixture(scope="module")
def images(given: ClassSet) -> Observations:
    return given.images.to_radius(RADIUS_PX)


@pytest.fixture(scope="module")
def maps(images: Observations) -> torch.Tensor:
    box = images.box_size_px
    random = torch.Generator().manual_seed(0)
    inside = torch.from_numpy(spherical_mask(box, 0.4, 0.2))
    return 0.05 * torch.randn(1, box, box, box, generator=random) * inside


@pytest.fixture(scope="module")
def precision(images: Observations) -> torch.Tensor:
    return torch.linspace(0.5, 2.0, images.box_size_px // 2 + 1)


@pytest.fixture(scope="module")
def seen(images: Observations, maps: torch.Tensor, precision: torch.Tensor) -> ImageEquations:
    return equations(images, np.arange(B), maps, precision)


def _corrections(images: Observations, errors: np.ndarray) -> Corrections:
    """Errors (B, 7) as corrections."""
    return replace(
        no_corrections(images.particles),
        log_scale=errors[:, 0],
        shift_px=errors[:, 1:4],
        rotation=Rotation.from_rotvec(errors[:, 4:7]).as_matrix(),
    )


@pytest.mark.parametrize("error", range(7))
def test_vectors_are_slopes_of_the_likelihood(
    images: Observations, maps: torch.Tensor, precision: torch.Tensor, error: int
) -> None:
    step = (
        0.01  # trilinear slices are not smooth: small enough to be linear, wide enough to average
    )

    def likelihood(size: float) -> torch.Tensor:
        errors = np.zeros((B, 7))
        errors[:, error] = size
        moved_images = images.of(_corrections(images, errors).of(images.particles))
        found = equations(moved_images, np.arange(B), maps, precision)
        return torch.zeros(B, dtype=torch.float64).index_add_(0, found.owner, found.likelihood())

    slope = (likelihood(step) - likelihood(-step)) / (2 * step)
    at_rest = equations(images, np.arange(B), maps, precision)
    expected = particle_equations(at_rest, B)
    scale = expected.matrix[:, error, error].sqrt()  # a slope of 1 of it is one standard error
    torch.testing.assert_close(slope / scale, expected.vector[:, error] / scale, rtol=0.2, atol=0.2)


def test_contrast_of_a_template_without_noise_is_found(
    images: Observations, maps: torch.Tensor, precision: torch.Tensor, seen: ImageEquations
) -> None:
    doubled = equations(images, np.arange(B), 2 * maps, precision)
    torch.testing.assert_close(
        doubled.matrix[:, CONTRAST, CONTRAST],
        4 * seen.matrix[:, CONTRAST, CONTRAST],
        rtol=1e-4,
        atol=1e-6,
    )
    amplitude = seen.vector[:, CONTRAST] + seen.matrix[:, CONTRAST, CONTRAST]  # of y on F
    torch.testing.assert_close(
        2 * amplitude,
        doubled.vector[:, CONTRAST] + doubled.matrix[:, CONTRAST, CONTRAST],
        rtol=1e-3,
        atol=1e-2,
    )


def test_own_volumes_are_templates(
    images: Observations, maps: torch.Tensor, precision: torch.Tensor
) -> None:
    basis = torch.cat([maps, maps.flip(1), maps.flip(2)])
    latents = torch.tensor([[0.5, -1.0]]).expand(B, 2)
    own = (basis[0] + 0.5 * basis[1] - basis[2])[None]
    one = equations(images, np.arange(B), basis, precision, latents)
    other = equations(images, np.arange(B), own, precision)
    torch.testing.assert_close(one.matrix, other.matrix, rtol=1e-3, atol=1e-2)
    torch.testing.assert_close(one.vector, other.vector, rtol=1e-3, atol=1e-2)


def test_solving_for_particles_and_exposures_is_one_large_solution(
    images: Observations, seen: ImageEquations
) -> None:
    series, exposure = (torch.from_numpy(each) for each in distinct_exposures(images.particles))
    n_tilts = int(exposure.max()) + 1
    random = torch.Generator().manual_seed(2)
    prior = Prior(
        widths=Widths(0.1, 0.5, 0.05),
        tilt_widths=TiltWidths(0.3, 0.1),
        stated=0.1 * torch.randn(B, 7, generator=random, dtype=torch.float64),
        stated_tilt=0.1 * torch.randn(n_tilts, 3, generator=random, dtype=torch.float64),
    )
    found = joint_errors(seen, series[seen.images], exposure[seen.images], prior)
    n = 7 * B + 3 * n_tilts
    matrix, vector = torch.zeros(n, n, dtype=torch.float64), torch.zeros(n, dtype=torch.float64)
    of_particle = errors_to_changes(seen.rotation)
    for image, owner in enumerate(seen.owner.tolist()):
        chain = torch.zeros(6, n, dtype=torch.float64)
        chain[:, 7 * owner : 7 * owner + 7] = of_particle[image]
        first = 7 * B + 3 * int(exposure[seen.images[image]])
        chain[1, first] = chain[2, first + 1] = chain[0, first + 2] = 1
        matrix += chain.T @ seen.matrix[image] @ chain
        vector += chain.T @ seen.vector[image]
    scale = torch.cat(
        [prior.widths.of_errors().repeat(B), prior.tilt_widths.of_errors().repeat(n_tilts)]
    )
    stated = torch.cat([prior.stated.flatten(), prior.stated_tilt.flatten()])
    vector += stated / scale.square()
    whole = torch.linalg.solve(matrix + torch.diag(1 / scale.square()), vector)
    torch.testing.assert_close(found.particle.flatten(), whole[: 7 * B], rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(found.tilt.flatten(), whole[7 * B :], rtol=1e-6, atol=1e-8)
    variance = torch.linalg.inv(matrix + torch.diag(1 / scale.square())).diagonal()[7 * B :]
    torch.testing.assert_close(found.tilt_variance.flatten(), variance, rtol=1e-6, atol=1e-10)


def test_evidence_is_the_integral_over_errors() -> None:
    widths = Widths(0.2, 0.3, 0.1)
    random = torch.Generator().manual_seed(3)
    root = torch.randn(1, 7, 7, generator=random, dtype=torch.float64)
    found = ParticleEquations(
        root @ root.mT, torch.randn(1, 7, generator=random, dtype=torch.float64)
    )
    drawn = widths.of_errors() * torch.randn(200_000, 7, generator=random, dtype=torch.float64)
    exponent = drawn @ found.vector[0] - ((drawn @ found.matrix[0]) * drawn).sum(1) / 2
    assert float(found.evidence(widths)) == pytest.approx(
        float(exponent.exp().mean().log()), abs=0.01
    )


def test_widths_of_errors_that_are_there_are_found() -> None:
    random = torch.Generator().manual_seed(4)
    n, widths = 2000, Widths(0.2, 0.0, 0.05)
    matrix = torch.diag(torch.tensor([100.0, 9, 9, 9, 1600, 1600, 1600], dtype=torch.float64))
    errors = widths.of_errors() * torch.randn(n, 7, generator=random, dtype=torch.float64)
    noise = matrix.sqrt() @ torch.randn(n, 7, 1, generator=random, dtype=torch.float64)
    terms = ParticleEquations(matrix.expand(n, 7, 7), errors @ matrix + noise[..., 0])
    found = terms.widths(Widths(0.1, 0.5, 0.1))
    assert found.contrast == pytest.approx(0.2, rel=0.05)
    assert found.turn_rad == pytest.approx(0.05, rel=0.05)
    assert found.shift_px < 0.5 / 3  # half of what one particle leaves unknown


def test_a_step_back_states_the_poses_again(given: ClassSet, images: Observations) -> None:
    rng = np.random.default_rng(5)
    corrections = _corrections(images, rng.normal(0, 0.05, (B, 7)))
    _, exposure = (torch.from_numpy(each) for each in distinct_exposures(images.particles))
    rows = (np.arange(2), np.arange(2, 4))
    shown = [images.images_of(half) for half in rows]

    class Found:
        particle = errors_back(corrections)
        tilt = torch.zeros(2, int(exposure.max()) + 1, 3, dtype=torch.float64)

    same = moved(corrections, Found(), exposure, shown, rows, with_contrast=True)  # type: ignore[arg-type]
    np.testing.assert_allclose(same.rotation, np.tile(np.eye(3), (B, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(same.shift_px, 0, atol=0.01)  # of the second order in the turn
    np.testing.assert_allclose(same.log_scale, 0, atol=1e-12)
