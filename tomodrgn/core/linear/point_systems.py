"""Small systems of equations, one per grid point, solved for all points side by side.

Programs for matrices take them one after the other, and most of their time is spent between small
ones. Here each step of the elimination is one product of arrays over points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tomodrgn.core.linear.factors import positive_factor

if TYPE_CHECKING:
    from torch import Tensor


def solve_points(matrix: Tensor, right: Tensor, what: str) -> Tensor:
    """Solutions (C, R, n) of n systems with positive matrices.

    Args:
        matrix: (C, C, n) symmetric, positive by its making; see
            :func:`tomodrgn.core.linear.factors.positive_factor` for what becomes of the others.
        right: (C, R, n) right sides.
        what: whose matrices they are, for errors.

    Raises:
        RunError: a number of a matrix is not finite.

    Source:
        Elimination without exchange of rows, as stable as Cholesky's method for positive matrices;
        Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 10.1.
    """
    left, solved = matrix.clone(), right.clone()
    for k in range(len(left)):
        rest = slice(k + 1, None)
        share = left[rest, k] / left[k, k]
        left[rest, rest].addcmul_(share[:, None], left[k, rest][None], value=-1)
        solved[rest].addcmul_(share[:, None], solved[k][None], value=-1)
    for k in reversed(range(len(left))):
        solved[k] -= (left[k, k + 1 :, None] * solved[k + 1 :]).sum(0)
        solved[k] /= left[k, k]
    is_positive = (left.diagonal() > 0).all(1)
    failed = (~is_positive).nonzero()[:, 0]
    if len(failed):
        factor = positive_factor(matrix[..., failed].permute(2, 0, 1), what)
        again = torch.cholesky_solve(right[..., failed].permute(2, 0, 1), factor)
        solved[..., failed] = again.permute(1, 2, 0)
    return solved
