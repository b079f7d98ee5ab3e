"""A pass says of latents and noise what a slow sum over coefficients says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.core.linear.class_sets import ClassSet, class_set
from tests.rounding import assert_equal_to_rounding
from tomodrgn.core.linear import observations
from tomodrgn.core.linear.basis import MapSpectra, empty_basis_sums
from tomodrgn.core.linear.latents import certain
from tomodrgn.core.linear.observations import Observations
from tomodrgn.core.linear.passes import noise_precision, run_pass

B, K = 5, 2
EPS = torch.finfo(torch.float32).eps


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> ClassSet:
    """Five particles with 5 to 7 tilts."""
    return class_set(tmp_path_factory.mktemp("five"), n_particles=B, n_classes=2, snr=0.5)


@pytest.fixture
def images(given: ClassSet) -> Observations:
    return given.images.to_radius(4)


@pytest.fixture
def maps(images: Observations) -> torch.Tensor:
    box = images.box_size_px
    random = torch.Generator().manual_seed(0)
    return 0.1 * torch.randn(1 + K, box, box, box, generator=random)


@pytest.fixture
def precision(images: Observations) -> torch.Tensor:
    return torch.linspace(0.5, 2.0, images.box_size_px // 2 + 1)


def test_terms_equal_a_slow_sum(
    images: Observations, maps: torch.Tensor, precision: torch.Tensor
) -> None:
    rows = np.arange(B)
    terms = run_pass(images, rows, maps, precision).terms
    matrix = torch.zeros(B, 2, K, K, dtype=torch.float64)
    vector = torch.zeros(B, 2, K, dtype=torch.float64)
    (block,) = images.blocks(rows)
    slices = MapSpectra(maps).at(block).to(torch.complex128)
    for image, (owner, rank) in enumerate(zip(block.owner, block.rank, strict=True)):
        for n, shell in enumerate(images.shells):
            g, h2 = block.signal_transfer[image, n].double(), block.noise_power[image, n].double()
            weight = precision[shell].double() / h2
            mean, *basis = g * slices[:, image, n]
            error = block.observed[image, n] - mean
            for k in range(K):
                vector[owner, rank % 2, k] += 2 * weight * (basis[k].conj() * error).real
                for other in range(K):
                    product = (basis[k].conj() * basis[other]).real
                    matrix[owner, rank % 2, k, other] += 2 * weight * product
    # float32 sums over some hundred coefficients
    torch.testing.assert_close(terms.matrix.double(), matrix, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(terms.vector.double(), vector, rtol=1e-4, atol=1e-4)


def test_the_squared_error_is_its_mean_over_the_posterior(
    images: Observations, maps: torch.Tensor, precision: torch.Tensor
) -> None:
    rows = np.array([3])
    found = run_pass(images, rows, maps, precision)
    random = torch.Generator().manual_seed(1)
    root = torch.linalg.cholesky(found.found.covariance[0])
    drawn = found.found.mean + torch.randn(4000, K, generator=random) @ root.T
    (block,) = images.blocks(rows)
    slices = MapSpectra(maps).at(block)
    total = torch.zeros(len(precision), dtype=torch.float64)
    for z in drawn.split(500):
        shown = slices[0] + torch.einsum("sk,kmn->smn", z.to(slices), slices[1:])
        error = (block.observed - block.signal_transfer * shown).abs().square().double()
        total += torch.bincount(images.shells, error.sum((0, 1)), minlength=len(total))
    torch.testing.assert_close(found.residual, total / 4000, rtol=0.02, atol=0)  # of 4000 draws


def test_sums_are_those_of_the_posteriors(
    images: Observations, maps: torch.Tensor, precision: torch.Tensor
) -> None:
    rows = np.arange(B)
    found = run_pass(images, rows, maps, precision)
    mean = torch.cat([torch.ones(B, 1), found.found.mean], dim=1)
    moments = mean[:, :, None] * mean[:, None]
    moments[:, 1:, 1:] += found.found.covariance
    (block,) = images.blocks(rows)
    expected = empty_basis_sums(1 + K, images.box_size_px, maps.device)
    expected.add(block, precision[images.shells], mean, moments)
    assert found.sums is not None
    n_roundings = len(block.signal)  # images
    assert_equal_to_rounding(found.sums.real, expected.real, n_roundings=n_roundings)
    assert_equal_to_rounding(found.sums.power, expected.power, n_roundings=n_roundings)


def test_known_latents_count_as_certain(
    images: Observations, maps: torch.Tensor, precision: torch.Tensor
) -> None:
    rows, known = np.arange(B), torch.full((B, 1), 2.0)
    sums = run_pass(images, rows, maps[:1], precision, known=certain(known)).sums
    assert sums is not None
    mean, basis = sums.real
    torch.testing.assert_close(basis, 2 * mean)
    one, product, square = sums.power
    torch.testing.assert_close(torch.stack([product, square]), torch.stack([2 * one, 4 * one]))


def test_known_latents_follow_their_particles_through_blocks(
    images: Observations,
    maps: torch.Tensor,
    precision: torch.Tensor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows, known = np.arange(B), torch.arange(B, dtype=torch.float32)[:, None]
    whole = run_pass(images, rows, maps[:1], precision, known=certain(known))
    monkeypatch.setitem(observations._COEFFICIENTS_AT_ONCE, "cpu", 1)
    parts = run_pass(images.to_radius(4), rows, maps[:1], precision, known=certain(known))
    assert whole.sums is not None
    assert parts.sums is not None
    atol = 1e-5 * float(whole.sums.real.abs().max())
    torch.testing.assert_close(parts.sums.real, whole.sums.real, atol=atol, rtol=0)
    for part, all_together in zip(parts.residual, whole.residual, strict=True):
        # of float32 coefficients, whose transforms and maps round some tens of times
        torch.testing.assert_close(part, all_together, rtol=50 * EPS, atol=0)


def test_a_pass_may_collect_nothing(
    images: Observations, maps: torch.Tensor, precision: torch.Tensor
) -> None:
    assert run_pass(images, np.arange(B), maps, precision, collect=False).sums is None


def test_noise_is_the_mean_squared_error_of_what_maps_leave(
    images: Observations, precision: torch.Tensor
) -> None:
    box = images.box_size_px
    nothing = torch.zeros(1, box, box, box)
    one = run_pass(images, np.arange(B), nothing, precision)
    (block,) = images.blocks(np.arange(B))
    found = noise_precision([one], window_power=0.8)
    for shell in range(1, 5):
        inside = images.shells == shell
        power = block.observed[:, inside].abs().square().mean()
        expected = 0.8 * block.noise_power[:, inside].mean() / power
        torch.testing.assert_close(found[shell], expected, rtol=1e-4, atol=0)


def test_shells_without_images_say_nothing(
    images: Observations, maps: torch.Tensor, precision: torch.Tensor
) -> None:
    found = run_pass(images, np.arange(B), maps, precision)
    blind = replace(found, noise_transfer=torch.zeros_like(found.noise_transfer))
    assert torch.equal(noise_precision([blind], 1.0), torch.zeros(len(precision)))
