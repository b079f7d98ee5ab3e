"""Errors and latents seen together are what they are apart, and what they share is shared once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.core.linear.class_sets import class_set
from tomodrgn.core.linear.observations import Observations
from tomodrgn.core.linear.passes import run_pass
from tomodrgn.core.reconstruction.resolution import spherical_mask
from tomodrgn.core.refinement.equations import equations
from tomodrgn.core.refinement.joint_terms import UncertainPoses, in_units_of_widths, joint_terms
from tomodrgn.core.refinement.steps import N_ERRORS, Widths, particle_equations

B, K = 4, 2
ROWS = np.array([2, 0, 3])

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Observations:
    given = class_set(tmp_path_factory.mktemp("four"), n_particles=B, n_classes=2, snr=2.0)
    return given.images.to_radius(5)


@pytest.fixture(scope="module")
def maps(images: Observations) -> torch.Tensor:
    box = images.box_size_px
    random = torch.Generator().manual_seed(0)
    inside = torch.from_numpy(spherical_mask(box, 0.4, 0.2))
    return 0.05 * torch.randn(1 + K, box, box, box, generator=random) * inside


@pytest.fixture(scope="module")
def precision(images: Observations) -> torch.Tensor:
    return torch.linspace(0.5, 2.0, images.box_size_px // 2 + 1)


@pytest.fixture(scope="module")
def latents() -> torch.Tensor:
    return torch.tensor([[0.5, -1.0], [2.0, 0.3], [-0.7, 0.0]])


def test_latents_are_seen_as_without_errors_from_wherever_they_are_seen(
    images: Observations, maps: torch.Tensor, precision: torch.Tensor, latents: torch.Tensor
) -> None:
    matrix, vector = joint_terms(images, ROWS, maps, precision, latents)
    alone = run_pass(images, ROWS, maps, precision, collect=False).terms
    known = slice(N_ERRORS, None)
    scale = float(alone.matrix.abs().max())
    torch.testing.assert_close(
        matrix[..., known, known].float(), alone.matrix, atol=1e-5 * scale, rtol=0
    )
    torch.testing.assert_close(vector[..., known].float(), alone.vector, atol=1e-4 * scale, rtol=0)


def test_errors_change_the_volume_of_the_particle_itself(
    images: Observations, maps: torch.Tensor, precision: torch.Tensor, latents: torch.Tensor
) -> None:
    matrix, vector = joint_terms(images, ROWS, maps, precision, latents)
    found = particle_equations(equations(images, ROWS, maps, precision, latents), B)
    errors = slice(0, N_ERRORS)
    scale = found.matrix.abs().amax((1, 2))[ROWS, None]
    together = matrix.sum(1)
    torch.testing.assert_close(
        together[:, errors, errors] / scale[..., None],
        found.matrix[ROWS] / scale[..., None],
        atol=1e-5,
        rtol=0,
    )
    at_latents = vector.sum(1)[:, errors] - torch.einsum(
        "bek,bk->be", together[:, errors, N_ERRORS:], latents.double()
    )
    torch.testing.assert_close(at_latents / scale, found.vector[ROWS] / scale, atol=1e-5, rtol=0)


def test_terms_are_in_units_of_widths_about_what_is_stated(
    images: Observations, maps: torch.Tensor, precision: torch.Tensor, latents: torch.Tensor
) -> None:
    widths = Widths(0.1, 0.5, 0.05)
    stated = torch.linspace(-0.02, 0.02, B * N_ERRORS, dtype=torch.float64).view(B, N_ERRORS)
    found = UncertainPoses(widths, stated).terms(images, ROWS, maps, precision, latents)
    matrix, vector = (each.sum(1) for each in joint_terms(images, ROWS, maps, precision, latents))
    prior = torch.cat([widths.of_errors().pow(-2), torch.ones(K, dtype=torch.float64)])
    about = torch.cat([stated[torch.from_numpy(ROWS)], torch.zeros(len(ROWS), K)], dim=1)
    joint = torch.linalg.inv(matrix + prior.diag())
    mean = (joint @ (vector + prior * about)[..., None])[..., 0]
    marginal = found.marginal(N_ERRORS).posterior()
    torch.testing.assert_close(marginal.mean.double(), mean[:, N_ERRORS:], atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(
        marginal.covariance.double(), joint[:, N_ERRORS:, N_ERRORS:], atol=1e-4, rtol=1e-3
    )


def test_tilts_that_obey_the_model_differ_as_noise_has_it() -> None:
    """And by more noise than is taken to be there, where that is what they have."""
    random, n, widths = torch.Generator().manual_seed(3), 2000, Widths(0.1, 0.5, 0.0)
    sizes = widths.of_errors()
    errors = sizes * torch.randn(n, N_ERRORS, generator=random, dtype=torch.float64)
    design = torch.randn(n, 2, 12, N_ERRORS, generator=random, dtype=torch.float64) * 3
    seen = torch.einsum("btre,be->btr", design, errors)
    noise = torch.randn(seen.shape, generator=random, dtype=torch.float64)
    matrix = torch.einsum("btre,btrf->btef", design, design)
    for power in (1.0, 1.5):
        vector = torch.einsum("btre,btr->bte", design, seen + power**0.5 * noise)
        nothing = torch.zeros(n, N_ERRORS, dtype=torch.float64)
        found = in_units_of_widths(matrix, vector, widths, nothing)
        assert found.vector.shape == (n, 2, 4)  # contrast and three shifts
        # 2000 particles, two sets, four errors: three standard errors of a chi square are 0.034
        assert found.inconsistency() == pytest.approx(power, rel=0.05)


def test_errors_that_cannot_be_leave_latents_as_they_are(
    images: Observations, maps: torch.Tensor, precision: torch.Tensor, latents: torch.Tensor
) -> None:
    poses = UncertainPoses(Widths(0.0, 0.0, 0.0), torch.zeros(B, N_ERRORS, dtype=torch.float64))
    assert poses.n_errors == 0
    found = poses.terms(images, ROWS, maps, precision, latents).marginal(0).posterior()
    alone = run_pass(images, ROWS, maps, precision, collect=False).found
    torch.testing.assert_close(found.mean, alone.mean, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(found.covariance, alone.covariance, atol=1e-4, rtol=1e-3)
