from __future__ import annotations

import pytest
import torch

from tomodrgn.core.errors import RunError
from tomodrgn.core.linear.factors import positive_factor
from tomodrgn.core.linear.latents import posterior


def _moments(strength: float, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """What strong images say of latents: one direction each, and nothing of the other two."""
    directions = torch.randn(50, 3, generator=torch.Generator().manual_seed(0), dtype=dtype)
    return strength * directions[:, :, None] * directions[:, None, :], strength * directions


def test_factors_are_those_of_cholesky_where_there_are_any() -> None:
    matrix = _moments(10.0, torch.float64)[0] + torch.eye(3, dtype=torch.float64)
    assert torch.equal(positive_factor(matrix, "latents"), torch.linalg.cholesky(matrix))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("strength", [1e2, 1e10, 1e20, 1e30])
def test_images_without_noise_have_posteriors(strength: float, dtype: torch.dtype) -> None:
    matrix, vector = _moments(strength, dtype)
    found = posterior(matrix, vector)
    assert found.mean.isfinite().all()
    assert found.covariance.isfinite().all()
    assert (found.covariance.diagonal(dim1=1, dim2=2) >= 0).all()


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_numbers_that_are_not_finite_are_counted(bad: float) -> None:
    matrix, vector = _moments(1.0, torch.float32)
    matrix[[4, 7]] = bad
    with pytest.raises(RunError, match=r"equations of 2 of 50 latents hold numbers .* not finite"):
        posterior(matrix, vector)
