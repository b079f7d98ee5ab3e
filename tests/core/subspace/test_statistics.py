"""Packed statistics say what whole matrices say."""

from __future__ import annotations

import pytest
import torch

from tests.core.subspace.curves import B, K, Told, plane
from tomodrgn.core.linear.latents import posterior
from tomodrgn.core.subspace import statistics


@pytest.fixture(scope="module")
def told() -> Told:
    return plane()


def test_gain_is_that_of_whole_matrices(told: Told) -> None:
    evidence = told.statistics.odd
    matrix, vector = told.terms.matrix[:, 1], told.terms.vector[:, 1]
    at = torch.randn(B, K, generator=torch.Generator().manual_seed(7))
    expected = (vector * at).sum(1) - 0.5 * torch.einsum("bk,bkl,bl->b", at, matrix, at)
    torch.testing.assert_close(evidence.gain(at), expected)
    torch.testing.assert_close(evidence.whole_matrix(), matrix)


def test_all_tilts_say_what_even_and_odd_ones_say(told: Told) -> None:
    parts = [told.statistics.even, told.statistics.odd]
    together = told.statistics.all
    torch.testing.assert_close(together.matrix, parts[0].matrix + parts[1].matrix)
    torch.testing.assert_close(together.vector, parts[0].vector + parts[1].vector)


def test_linear_posteriors_do_not_depend_on_how_many_are_seen_at_once(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = told.statistics.all
    monkeypatch.setattr(statistics, "_AT_ONCE", 7)
    found = evidence.linear_posterior()
    known = posterior(told.terms.matrix.sum(1), told.terms.vector.sum(1))
    torch.testing.assert_close(found.mean, known.mean)
    variances = known.covariance.diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(found.log_variance, variances.log())


def test_some_particles_keep_their_evidence(told: Told) -> None:
    rows = torch.tensor([5, 2])
    some = told.statistics.of_particles(rows)
    assert some.n_particles == 2
    torch.testing.assert_close(some.odd.vector, told.terms.vector[rows, 1])


def test_gains_of_many_coordinates_are_those_of_each(told: Told) -> None:
    evidence = told.statistics.all
    many = torch.randn(5, K, generator=torch.Generator().manual_seed(9))
    together = evidence.gains(many)
    for column, one in enumerate(many):
        alone = evidence.gain(one.expand(B, K))
        torch.testing.assert_close(together[:, column], alone, atol=1e-3, rtol=1e-4)
