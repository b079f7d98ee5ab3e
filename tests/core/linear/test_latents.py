"""Posteriors of latents, their population, and what they are worth on held-out tilts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tomodrgn.core.linear.latents import (
    LatentTerms,
    Posterior,
    log_evidence,
    population,
    posterior,
    standardising,
)

K = 3


def _random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _terms(latents: torch.Tensor, *, rows: int, noise: float = 1.0, seed: int = 1) -> LatentTerms:
    """Of measurements ``design z + noise`` with unit noise assumed, in two sets per particle."""
    shape = (len(latents), 2, rows, latents.shape[1])
    design = torch.randn(shape, generator=_random(seed), dtype=torch.float64)
    error = torch.randn(shape[:3], generator=_random(seed + 1), dtype=torch.float64)
    seen = torch.einsum("bsrk,bk->bsr", design, latents) + noise * error
    return LatentTerms(
        torch.einsum("bsrk,bsrl->bskl", design, design),
        torch.einsum("bsrk,bsr->bsk", design, seen),
    )


@pytest.fixture
def terms() -> LatentTerms:
    latents = torch.randn(20, K, generator=_random(), dtype=torch.float64)
    return _terms(latents, rows=4)


def test_posterior_solves_the_normal_equations(terms: LatentTerms) -> None:
    found = terms.posterior()
    for b in range(20):
        precision = terms.matrix[b].sum(0).numpy() + np.eye(K)
        vector = terms.vector[b].sum(0).numpy()
        np.testing.assert_allclose(found.mean[b], np.linalg.solve(precision, vector))
        np.testing.assert_allclose(found.covariance[b], np.linalg.inv(precision))


def test_without_images_the_posterior_is_the_prior() -> None:
    found = posterior(torch.zeros(2, K, K), torch.zeros(2, K))
    torch.testing.assert_close(found.mean, torch.zeros(2, K))
    torch.testing.assert_close(found.covariance, torch.eye(K).expand(2, K, K))


def test_a_model_without_latents_has_empty_posteriors() -> None:
    found = posterior(torch.zeros(2, 0, 0), torch.zeros(2, 0))
    assert found.mean.shape == (2, 0)
    assert found.covariance.shape == (2, 0, 0)


def test_moments_are_covariance_and_squared_mean(terms: LatentTerms) -> None:
    found = terms.posterior()
    outer = found.mean[:, :, None] * found.mean[:, None]
    torch.testing.assert_close(found.moments() - outer, found.covariance)


def test_evidence_is_the_integral_over_the_latent() -> None:
    matrix, vector = 3.0, 2.0
    terms = LatentTerms(
        torch.full((1, 2, 1, 1), matrix / 2, dtype=torch.float64),
        torch.full((1, 2, 1), vector / 2, dtype=torch.float64),
    )
    z = np.linspace(-10, 10, 20001)
    density = np.exp(vector * z - matrix * z**2 / 2 - z**2 / 2) / np.sqrt(2 * np.pi)
    found = float(log_evidence(terms, terms.posterior()))
    assert found == pytest.approx(np.log(np.trapezoid(density, z)))


@pytest.mark.parametrize("n_errors", [0, 1, 2])
def test_a_marginal_is_that_of_the_joint_normal_distribution(
    terms: LatentTerms, n_errors: int
) -> None:
    joint, found = terms.posterior(), terms.marginal(n_errors).posterior()
    torch.testing.assert_close(found.mean, joint.mean[:, n_errors:])
    torch.testing.assert_close(found.covariance, joint.covariance[:, n_errors:, n_errors:])


def test_a_change_of_latents_changes_their_posteriors_alike() -> None:
    change = torch.eye(1 + K, dtype=torch.float64)
    change[1:] = torch.randn(K, 1 + K, generator=_random(7), dtype=torch.float64)
    mean = torch.randn(5, K, generator=_random(8), dtype=torch.float64)
    found = Posterior(mean, torch.eye(K, dtype=torch.float64).expand(5, K, K)).changed(change)
    full = torch.cat([torch.ones(5, 1, dtype=torch.float64), mean], dim=1) @ change.T
    torch.testing.assert_close(found.mean, full[:, 1:])
    torch.testing.assert_close(found.covariance[0], change[1:, 1:] @ change[1:, 1:].T)


def test_population_is_recovered_from_many_particles() -> None:
    root = torch.tensor([[1.5, 0.0], [-0.6, 0.5]], dtype=torch.float64)
    mean = torch.tensor([0.4, -1.0], dtype=torch.float64)
    normal = torch.randn(4000, 2, generator=_random(), dtype=torch.float64)
    latents = normal @ root.T + mean
    centre, spread = population(_terms(latents, rows=2))
    # 4000 particles: four standard errors of a mean are 0.1, of a variance 0.2
    torch.testing.assert_close(centre, mean, atol=0.1, rtol=0)
    torch.testing.assert_close(spread, root @ root.T, atol=0.2, rtol=0)


def test_a_population_without_spread_has_none() -> None:
    _, spread = population(_terms(torch.zeros(2000, 2, dtype=torch.float64), rows=6))
    assert float(spread.diagonal().max()) < 0.02


def test_roots_standardise_a_covariance() -> None:
    factor = torch.randn(K, K, generator=_random(), dtype=torch.float64)
    covariance = factor @ factor.T
    root, inverse = standardising(covariance)
    torch.testing.assert_close(root @ root.T, covariance)
    torch.testing.assert_close(inverse @ root, torch.eye(K, dtype=torch.float64))


def test_a_changed_basis_describes_the_same_volumes(terms: LatentTerms) -> None:
    change = torch.randn(K, K, generator=_random(5), dtype=torch.float64)
    again = terms.changed(change).changed(torch.linalg.inv(change))
    torch.testing.assert_close(again.matrix, terms.matrix)
    torch.testing.assert_close(again.vector, terms.vector)


def test_latents_about_a_centre_are_those_less_the_centre() -> None:
    latents = torch.randn(10, K, generator=_random(), dtype=torch.float64)
    centre = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    moved = _terms(latents + centre, rows=5, noise=0.0).about(centre)
    torch.testing.assert_close(moved.vector, _terms(latents, rows=5, noise=0.0).vector)


def test_held_out_gains_are_zero_where_maps_are() -> None:
    nothing = LatentTerms(torch.zeros(7, 2, K, K), torch.zeros(7, 2, K))
    assert torch.equal(nothing.held_out_gains(), torch.zeros(K, 7))


def test_held_out_gains_are_losses_where_there_is_no_signal() -> None:
    gains = _terms(torch.zeros(2000, 2, dtype=torch.float64), rows=4).held_out_gains()
    z = gains.mean(1) / (gains.std(1) / 2000**0.5)
    assert float(z.max()) < 0


def test_held_out_gains_rise_with_each_latent_that_varies() -> None:
    latents = torch.randn(2000, K, generator=_random(), dtype=torch.float64)
    latents[:, 2] = 0
    first, second, third = _terms(latents, rows=4).held_out_gains().mean(1).tolist()
    assert 0 < first < second
    assert third < second


def test_a_gain_is_a_difference_of_squared_errors() -> None:
    """One tilt of each set: the prediction from one is held against the other."""
    design = torch.tensor([[2.0], [3.0]], dtype=torch.float64)  # (set, K)
    seen = torch.tensor([1.0, 4.0], dtype=torch.float64)
    terms = LatentTerms(
        (design[:, :, None] * design[:, None])[None], (design * seen[:, None])[None]
    )
    expected = 0.0
    for told in (0, 1):
        a, y = float(design[told, 0]), float(seen[told])
        b, other = float(design[1 - told, 0]), float(seen[1 - told])
        predicted = b * a * y / (a * a + 1)
        expected += 0.5 * (other**2 - (other - predicted) ** 2)
    assert float(terms.held_out_gains()) == pytest.approx(expected)


def test_some_particles_may_have_a_single_tilt(terms: LatentTerms) -> None:
    terms.matrix[::2, 1], terms.vector[::2, 1] = 0.0, 0.0
    assert np.isfinite(terms.inconsistency())
    nothing = LatentTerms(torch.zeros_like(terms.matrix), torch.zeros_like(terms.vector))
    assert nothing.inconsistency() == 1


@pytest.mark.parametrize("noise", [1.0, 1.5])
def test_inconsistency_is_the_power_of_the_noise(noise: float) -> None:
    latents = torch.randn(2000, 2, generator=_random(), dtype=torch.float64)
    found = _terms(latents, rows=6, noise=noise).inconsistency()
    assert found == pytest.approx(noise**2, rel=0.1)  # 8000 squared numbers, and few rounds


def test_weakened_terms_are_no_more_contradictory_than_noise() -> None:
    latents = torch.randn(2000, 2, generator=_random(), dtype=torch.float64)
    terms = _terms(latents, rows=6, noise=1.5)
    assert terms.weakened(terms.inconsistency()).inconsistency() == pytest.approx(1, rel=0.05)


def test_errors_are_integrated_out_of_tilts_apart_as_of_all() -> None:
    """Of a particle whose other tilts say nothing, one set of tilts is all that there is."""
    terms = _terms_of_errors()
    silent = torch.tensor([1.0, 0.0])
    alone = LatentTerms(
        terms.matrix * silent[None, :, None, None], terms.vector * silent[None, :, None]
    )
    found, known = terms.marginal_of_tilts(2), alone.marginal(2)
    torch.testing.assert_close(found.matrix[:, :1], known.matrix, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found.vector[:, :1], known.vector, atol=1e-4, rtol=1e-4)


def _terms_of_errors() -> LatentTerms:
    random = torch.Generator().manual_seed(8)
    root = torch.randn(20, 2, 4, 6, generator=random)
    return LatentTerms(root @ root.mT, torch.randn(20, 2, 4, generator=random))
