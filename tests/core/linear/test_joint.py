"""One model of all particles: standard latents, each found with maps of other particles."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.core.linear.class_sets import ClassSet, class_set
from tomodrgn.core.linear.basis import resize_maps, solve_basis
from tomodrgn.core.linear.fit import fit_half_models
from tomodrgn.core.linear.half_models import Halves, collected
from tomodrgn.core.linear.halves import shells_of
from tomodrgn.core.linear.joint import (
    JointModel,
    SeenLatents,
    join_halves,
    normal_latents,
    standard_latents,
)
from tomodrgn.core.linear.latents import LatentTerms, population
from tomodrgn.core.linear.passes import run_pass

B = 30

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> ClassSet:
    """Two classes of fifteen particles."""
    return class_set(tmp_path_factory.mktemp("two"), n_particles=B, n_classes=2, snr=2.0)


@pytest.fixture(scope="module")
def order() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((B, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def joint(given: ClassSet, order: np.ndarray) -> JointModel:
    halves = Halves(given.images.to_radius(5), given.rows, given.window_power)
    models = fit_half_models(halves, order, n_latents=1, report=lambda line: None)
    return join_halves(halves, models, lambda line: None)


def test_the_model_of_all_explains_more_than_noise(joint: JointModel) -> None:
    assert joint.evidence > 1
    means = torch.cat([joint.models.maps[:, 0], joint.maps[:1]]).flatten(1)
    assert float(torch.cosine_similarity(means[:2], means[2:]).min()) > 0.8


def test_no_particle_helps_to_make_the_maps_it_is_found_with(joint: JointModel) -> None:
    images, rows = joint.halves.images, np.array([1, 4, 9])
    others = np.setdiff1d(np.arange(B), rows)
    known = joint.latents.take(torch.from_numpy(others))
    apart = run_pass(images, others, joint.maps, joint.precision, known=known)
    maps = solve_basis(collected(apart), joint.models.prior, joint.halves.mask)
    expected = run_pass(images, rows, maps, joint.precision, collect=False).terms
    found = joint._fold_terms(rows, joint.precision)
    scale = float(expected.matrix.abs().max())  # float32 sums, with and without the others
    torch.testing.assert_close(found.matrix, expected.matrix, atol=1e-3 * scale, rtol=0)


def test_latents_tell_the_classes_apart_in_the_order_of_the_particles(
    given: ClassSet, joint: JointModel, order: np.ndarray
) -> None:
    latents, change = standard_latents(joint.cross_validated_terms(order[:, 0]).terms)
    assert latents.mean.shape == (B, 1)
    assert change.shape == (2, 2)
    assert abs(np.corrcoef(latents.mean[:, 0], given.labels)[0, 1]) > 0.95


def test_the_folds_matter_little(joint: JointModel, order: np.ndarray) -> None:
    one, other = (
        standard_latents(joint.cross_validated_terms(order[:, k]).terms)[0].mean for k in (0, 1)
    )
    assert np.corrcoef(one[:, 0], other[:, 0])[0, 1] > 0.98


def test_maps_with_all_shells_have_the_box_of_the_images(
    given: ClassSet, joint: JointModel
) -> None:
    wide = joint.at_full_resolution(given.images)
    assert wide.maps.shape == (2, 16, 16, 16)
    assert wide.half_maps.shape == (2, 16, 16, 16)
    assert wide.fsc.shape == (2, 9)
    assert len(wide.precision) == 9
    torch.testing.assert_close(wide.fsc[:, :6].float(), joint.models.fsc[:, :6].float())


def test_maps_with_all_shells_are_as_strong_as_those_that_latents_were_found_with(
    given: ClassSet, joint: JointModel
) -> None:
    wide = resize_maps(joint.at_full_resolution(given.images).maps, joint.maps.shape[-1])
    near = solve_basis(joint.total, joint.models.prior, joint.halves.mask)
    strength = (wide * near).sum((1, 2, 3)) / near.square().sum((1, 2, 3))
    torch.testing.assert_close(strength, torch.ones(2), atol=0.1, rtol=0)  # masks end elsewhere


def test_the_prior_is_about_standard_latents(joint: JointModel) -> None:
    mean, moment = joint.latents.mean.mean(0), joint.latents.moments().mean(0)
    torch.testing.assert_close(mean, torch.zeros(1), atol=1e-4, rtol=0)
    torch.testing.assert_close(moment, torch.eye(1), atol=1e-3, rtol=0)


def _terms(n_particles: int, n_latents: int, seed: int) -> LatentTerms:
    random = torch.Generator().manual_seed(seed)
    design = torch.randn(n_particles, 2, 6, n_latents, generator=random)
    latents = torch.randn(n_particles, n_latents, generator=random) @ torch.tensor(
        [[2.0, 0.3], [0.0, 0.7]]
    ) + torch.tensor([0.5, -0.3])
    seen = torch.einsum("bsrk,bk->bsr", design, latents)
    seen = seen + torch.randn(seen.shape, generator=random)
    return LatentTerms(
        torch.einsum("bsrk,bsrl->bskl", design, design),
        torch.einsum("bsrk,bsr->bsk", design, seen),
    )


@pytest.fixture
def terms() -> LatentTerms:
    return _terms(300, 2, 0)


@pytest.fixture
def maps() -> torch.Tensor:
    return torch.randn(3, 8, 8, 8, generator=torch.Generator().manual_seed(1))


def test_standard_latents_have_mean_zero_in_units_of_their_doubt(terms: LatentTerms) -> None:
    found, _ = standard_latents(terms)
    # population() ends after a fixed number of rounds
    torch.testing.assert_close(found.mean.mean(0), torch.zeros(2), atol=0.1, rtol=0)
    torch.testing.assert_close(found.covariance.mean(0), torch.eye(2), atol=1e-4, rtol=0)


def test_the_best_known_latent_comes_first(terms: LatentTerms) -> None:
    spread = standard_latents(terms)[0].moments().mean(0).diagonal()
    assert float(spread[0]) > float(spread[1]) >= 0.9


def test_standard_latents_describe_the_same_volumes(terms: LatentTerms, maps: torch.Tensor) -> None:
    """They are the posteriors under the population, in other coordinates."""
    found, change = standard_latents(terms)
    new = torch.einsum("cd,dzyx->czyx", change, maps)
    centre, spread = population(terms)
    precision = torch.linalg.inv(spread)
    matrix = terms.matrix.sum(1) + precision
    vector = terms.vector.sum(1) + precision @ centre
    old_mean = torch.linalg.solve(matrix, vector)
    before = maps[0] + torch.einsum("bk,kzyx->bzyx", old_mean, maps[1:])
    after = new[0] + torch.einsum("bk,kzyx->bzyx", found.mean, new[1:])
    torch.testing.assert_close(after, before, atol=1e-3, rtol=1e-3)
    basis = change[1:, 1:]
    old_covariance = basis.T @ found.covariance @ basis
    torch.testing.assert_close(old_covariance, torch.linalg.inv(matrix), atol=1e-4, rtol=1e-3)


def test_standard_latents_do_not_depend_on_the_basis(terms: LatentTerms) -> None:
    turned = terms.changed(torch.tensor([[1.5, 0.4], [-0.2, 0.8]]))
    one, other = standard_latents(terms)[0], standard_latents(turned)[0]
    torch.testing.assert_close(other.mean, one.mean, atol=0.02, rtol=0.02)


def test_latents_lean_to_the_positive_side(terms: LatentTerms) -> None:
    """A rare state has a large positive latent, whatever the sign of the basis was."""
    for sign in (1.0, -1.0):
        found, _ = standard_latents(LatentTerms(terms.matrix, sign * terms.vector))
        assert float((found.mean**3).sum(0).min()) >= 0


@pytest.mark.parametrize("agreement", [1.0, 0.5, 0.2])
def test_what_maps_may_be_wrong_by_counts_as_noise(joint: JointModel, agreement: float) -> None:
    """Of power P in a shell, (1 - FSC) / FSC P is doubted; images see it as their transfer does."""
    halves = joint.halves
    passes = halves.passes(torch.stack([joint.maps, joint.maps]), joint.precision)
    models = replace(joint.models, fsc=torch.full_like(joint.models.fsc, agreement))
    found = replace(joint, models=models)._tolerant_precision()
    maps = solve_basis(joint.total, joint.models.prior, halves.mask)
    spectra = torch.fft.fftshift(torch.fft.fftn(maps, dim=(1, 2, 3)), dim=(1, 2, 3))
    shells = shells_of(maps.shape[-1], maps.device).view(spectra.shape[1:])
    n_shells = len(found)
    power = torch.tensor([
        [float(each[shells == shell].abs().square().mean()) for shell in range(n_shells)]
        for each in spectra
    ])  # fmt: skip
    doubt = power.sum(0) * (1 - agreement) / agreement / halves.window_power
    signal = sum(each.signal_transfer for each in passes)
    noise = sum(each.noise_transfer for each in passes)
    seen = (noise > 0) & (joint.precision > 0)
    assert int(seen.sum()) > 3
    expected = 1 / (1 / joint.precision + signal / noise * doubt)
    torch.testing.assert_close(found[seen].double(), expected[seen].double(), rtol=1e-3, atol=0)
    assert float(found[~seen].abs().sum()) == 0


def test_folds_are_dealt_in_order_and_hold_each_particle_once(
    joint: JointModel, order: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    dealt: list[np.ndarray] = []
    fold_terms = JointModel._fold_terms

    def noted(self: JointModel, rows: np.ndarray, *others: Any) -> LatentTerms:
        dealt.append(rows)
        return fold_terms(self, rows, *others)

    monkeypatch.setattr(JointModel, "_fold_terms", noted)
    joint.cross_validated_terms(order[:, 2])
    assert sorted(np.concatenate(dealt).tolist()) == list(range(B))
    rank = np.argsort(np.argsort(order[:, 2]))
    assert {tuple(np.unique(rank[rows] % 10)) for rows in dealt} == {(n,) for n in range(10)}


def _seen(terms: LatentTerms) -> SeenLatents:
    return SeenLatents(
        terms=terms.marginal(0), of_tilts=terms.marginal_of_tilts(0), precision=torch.ones(1)
    )


def test_normal_latents_have_a_standard_population(terms: LatentTerms) -> None:
    normal, _ = normal_latents(_seen(terms))
    centre, spread = population(normal.terms)
    torch.testing.assert_close(centre, torch.zeros(2), atol=0.1, rtol=0)
    torch.testing.assert_close(spread, torch.eye(2), atol=0.1, rtol=0)
    known = normal.terms.matrix.sum(1).mean(0)
    assert float(known[0, 0]) > float(known[1, 1])  # the best known first
    assert abs(float(known[0, 1])) < 0.02 * float(known[1, 1])


def test_normal_latents_describe_the_same_volumes(terms: LatentTerms, maps: torch.Tensor) -> None:
    """A volume has the same likelihood, whatever latents it is described by."""
    normal, change = normal_latents(_seen(terms))
    new = torch.einsum("cd,dzyx->czyx", change, maps)
    latents = torch.randn(len(terms.vector), 2, generator=torch.Generator().manual_seed(5))
    volume = new[0] + torch.einsum("bk,kzyx->bzyx", latents, new[1:])
    old = latents @ change[1:, 1:] + change[0, 1:]
    torch.testing.assert_close(
        maps[0] + torch.einsum("bk,kzyx->bzyx", old, maps[1:]), volume, atol=1e-4, rtol=1e-4
    )
    for tilt in (0, 1):
        gains = [
            (each.vector[:, tilt] * at).sum(1)
            - 0.5 * torch.einsum("bk,bkl,bl->b", at, each.matrix[:, tilt], at)
            for each, at in ((normal.of_tilts, latents), (terms, old))
        ]
        level = gains[1] - gains[0]  # that of the mean map, which moved
        zero = change[0, 1:].expand_as(old)
        moved = (terms.vector[:, tilt] * zero).sum(1) - 0.5 * torch.einsum(
            "bk,bkl,bl->b", zero, terms.matrix[:, tilt], zero
        )
        torch.testing.assert_close(level, moved, atol=0.05, rtol=1e-2)
