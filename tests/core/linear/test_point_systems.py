"""Systems that are solved side by side are solved as each of them alone would be."""

from __future__ import annotations

import pytest
import torch

from tests.rounding import assert_equal_to_rounding
from tomodrgn.core.errors import RunError
from tomodrgn.core.linear.point_systems import solve_points

C, N = 5, 40


@pytest.fixture
def matrix() -> torch.Tensor:
    """(C, C, N) positive, all eigenvalues between 1 and 30 or so."""
    root = torch.randn(C, C, N, generator=torch.Generator().manual_seed(0))
    return torch.einsum("ijn,kjn->ikn", root, root) + torch.eye(C)[:, :, None]


@pytest.fixture
def right() -> torch.Tensor:
    return torch.randn(C, 2, N, generator=torch.Generator().manual_seed(1))


def test_solutions_are_those_of_each_system(matrix: torch.Tensor, right: torch.Tensor) -> None:
    exact = torch.linalg.solve(matrix.permute(2, 0, 1).double(), right.permute(2, 0, 1).double())
    found = solve_points(matrix, right, "points")
    condition = float(torch.linalg.cond(matrix.permute(2, 0, 1)).max())
    expected = exact.permute(1, 2, 0).float()
    assert_equal_to_rounding(found, expected, n_roundings=C * C * condition)


def test_what_was_given_stays(matrix: torch.Tensor, right: torch.Tensor) -> None:
    before = matrix.clone(), right.clone()
    solve_points(matrix, right, "points")
    assert torch.equal(matrix, before[0])
    assert torch.equal(right, before[1])


def test_one_matrix_that_lost_its_sign_to_rounding_spoils_no_other(
    matrix: torch.Tensor, right: torch.Tensor
) -> None:
    whole = solve_points(matrix, right, "points")
    matrix[..., 7] = torch.ones(C, C)
    matrix[0, 0, 7] -= 1e-7
    found = solve_points(matrix, right, "points")
    others = torch.arange(N) != 7
    assert torch.equal(found[..., others], whole[..., others])
    assert torch.isfinite(found).all()


def test_numbers_that_are_not_finite_are_told(matrix: torch.Tensor, right: torch.Tensor) -> None:
    matrix[1, 1, 3] = float("nan")
    with pytest.raises(RunError, match="1 of 1 points hold numbers that are not finite"):
        solve_points(matrix, right, "points")
