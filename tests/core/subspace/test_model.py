"""Networks find the curve that particles lie on, and how many latents it takes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from tests.core.subspace.curves import B, Told, angles, half_circle, make, plane, straight, told_of
from tomodrgn.core.linear.latents import posterior
from tomodrgn.core.subspace import choice as choosing
from tomodrgn.core.subspace import fitting, states
from tomodrgn.core.subspace.fitting import Ensemble, Member, Pair, steps_for
from tomodrgn.core.subspace.model import SubspaceFit, fit_subspace
from tomodrgn.core.subspace.posteriors import posteriors
from tomodrgn.core.subspace.unfolding import unfolded


def _fit(told: Told, n_latents: int | None = None) -> SubspaceFit:
    return fit_subspace(told.statistics, make, n_latents=n_latents, seed=0)


@pytest.fixture(scope="module", autouse=True)
def _few_steps() -> Iterator[None]:
    """Enough for sets as small and clear as these."""
    with pytest.MonkeyPatch.context() as few:
        few.setattr(fitting, "N_STEPS", 150)
        few.setattr(fitting, "_FIRST_STEPS", 60)
        few.setattr(choosing, "NUMBERS", ((1, 2),))
        few.setattr(states, "MOST_STATES", 2)
        yield


@pytest.fixture(scope="module")
def curve() -> Told:
    return half_circle()


@pytest.fixture(scope="module")
def fit(curve: Told) -> SubspaceFit:
    return _fit(curve)


def test_one_latent_runs_along_a_curve(fit: SubspaceFit) -> None:
    assert fit.n_latents == 1
    assert abs(spearmanr(fit.latents.mean[:, 0], angles())[0]) > 0.99


def test_a_curve_predicts_held_out_tilts_better_than_all_of_its_coordinates(
    curve: Told, fit: SubspaceFit
) -> None:
    assert fit.choice.chosen_gain > float(curve.terms.held_out_gains()[-1].mean())


def test_two_latents_are_found_where_there_are_two() -> None:
    flat = plane()
    found = _fit(flat)
    assert found.n_latents == 2
    readout = torch.linalg.lstsq(found.latents.mean, flat.coordinates[:, :2]).solution
    left = flat.coordinates[:, :2] - found.latents.mean @ readout
    assert float(left.var()) < 0.1


def test_no_gain_is_found_where_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "N_STEPS", 100)
    found = _fit(told_of(torch.zeros(B, 3), 5.0))
    assert found.n_latents == 1
    assert found.choice.chosen_gain < 3 * found.choice.error[0]


def test_posteriors_of_90_percent_hold_most_of_the_truth(curve: Told, fit: SubspaceFit) -> None:
    """Coordinates from the posterior, against those that the evidence was drawn from."""
    slope = torch.func.vmap(torch.func.jacrev(fit.pair.coordinates))(fit.latents.mean)[..., 0]
    at = fit.pair.coordinates(fit.latents.mean).detach()
    along = (slope * (curve.coordinates - at)).sum(1) / slope.square().sum(1)
    z = along.detach() / fit.latents.covariance[:, 0, 0].sqrt()
    assert 0.8 < float((z.abs() < 1.645).float().mean()) < 0.97


def test_the_number_that_is_asked_for_is_taken(
    curve: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "N_STEPS", 20)
    found = _fit(curve, 2)
    assert found.latents.mean.shape == (B, 2)
    assert found.choice.compared == (2,)


def test_straight_coordinates_have_the_posteriors_of_a_linear_model() -> None:
    """But for where the grid of latents ends."""
    flat = plane(strength=3.0)
    weight = torch.tensor([[0.5, 1.0], [-1.0, 0.3], [0.2, 0.1]])
    pair = Pair(make(2).encoder, straight(weight))
    found = posteriors(pair, flat.statistics.all)
    seen = flat.terms.changed(weight)
    known = posterior(seen.matrix.sum(1), seen.vector.sum(1))
    torch.testing.assert_close(found.mean, known.mean, atol=5e-3, rtol=1e-2)
    torch.testing.assert_close(found.covariance, known.covariance, atol=5e-3, rtol=1e-2)


def test_members_learn_from_what_they_are_told(curve: Told) -> None:
    told = [curve.statistics.even, curve.statistics.odd]
    members = [Member(n_latents=1, told=0), Member(n_latents=1, told=1)]
    ensemble = Ensemble(make(1), members, told, torch.ones(B), seed=0)
    before = ensemble.gains(told)
    ensemble.begin_unfolded()
    ensemble.fit(60)
    own, others = ensemble.gains(told).mean(1), ensemble.gains(told[::-1]).mean(1)
    assert float(own.sum()) > float(others.sum())
    assert float(others.min()) > float(before.mean(1).max())


def test_particles_of_weight_0_are_not_learned_from(curve: Told) -> None:
    told = curve.statistics.all
    wrong = told.vector.clone()
    wrong[: B // 2] = 50.0
    weights = (torch.arange(B) >= B // 2).float()
    states = []
    for vector in (told.vector, wrong):
        evidence = type(told)(told.matrix, vector)
        linear = Ensemble(make(1), [Member(n_latents=1, told=0)], [evidence], weights, seed=0)
        linear.fit(3)
        pair = make(1)
        linear.load_into(pair, 0)
        states.append(pair.coordinates.state_dict())
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value)


def test_many_particles_are_seen_in_batches(curve: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "_BATCH", 50)
    monkeypatch.setattr(choosing, "MOST_COMPARED", 100)
    found = _fit(curve, 1)
    assert abs(spearmanr(found.latents.mean[:, 0], angles())[0]) > 0.98


def test_steps_grow_with_particles() -> None:
    assert steps_for(100) == fitting.N_STEPS
    assert steps_for(10**8) > 10 * fitting.N_STEPS


def test_distances_are_those_along_the_curve(curve: Told) -> None:
    linear = curve.statistics.all.linear_posterior()
    along = unfolded(linear, 1)
    assert abs(spearmanr(along[:, 0], angles())[0]) > 0.99
    np.testing.assert_allclose(along.std(0, unbiased=False), 1, rtol=1e-5)


def test_the_same_seed_gives_the_same_latents(curve: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "N_STEPS", 20)
    assert torch.equal(_fit(curve, 1).latents.mean, _fit(curve, 1).latents.mean)


class _Switch(torch.nn.Module):
    """Coordinates of two discrete states: the same over each half of the latents."""

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        return torch.sign(latent[:, :1]) * torch.tensor([1.0, 0.5, -0.5])


def test_latents_of_a_discrete_state_have_the_mean_of_its_stretch() -> None:
    """Where all latents of a half are as likely but for the prior: a half normal distribution."""
    sides = torch.where(torch.arange(B) % 2 == 0, 1.0, -1.0)
    told = told_of(sides[:, None] * torch.tensor([[1.0, 0.5, -0.5]]), 200.0)
    found = posteriors(Pair(make(1).encoder, _Switch()), told.statistics.all)
    expected = (2 / torch.pi) ** 0.5 * sides
    torch.testing.assert_close(found.mean[:, 0], expected, atol=0.05, rtol=0)
    variance = torch.full((B,), 1 - 2 / torch.pi)
    torch.testing.assert_close(found.covariance[:, 0, 0], variance, atol=0.05, rtol=0)
