"""Cholesky factors of matrices that are positive by their making, whatever rounding did to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch

from tomodrgn.core.errors import RunError

if TYPE_CHECKING:
    from torch import Tensor


def positive_factor(matrix: Tensor, what: str, *, least: float | Tensor = 0.0) -> Tensor:
    """Lower factor of (n, K, K) symmetric matrices whose eigenvalues are ``least`` or more.

    Where strong signals without noise leave a matrix that is not positive in its number type,
    eigenvalues below ``least``, or lost in rounding, are raised.

    Args:
        matrix: (n, K, K).
        what: whose matrices they are, for the error.
        least: smallest eigenvalue there can be.

    Raises:
        RunError: a number is not finite.
    """
    try:
        return cast("Tensor", torch.linalg.cholesky(matrix))
    except RuntimeError:  # of linear algebra; asking which failed would make every call wait
        return _raised_factor(matrix, what, least)


def _raised_factor(matrix: Tensor, what: str, least: float | Tensor) -> Tensor:
    """Factors of matrices of which some are not positive, or not finite."""
    factor: Tensor
    factor, failures = torch.linalg.cholesky_ex(matrix)
    failed = failures.nonzero()[:, 0]
    bad = matrix[failed].double()
    is_finite = torch.isfinite(bad).all(dim=(1, 2))
    if not is_finite.all():
        raise RunError(
            f"the equations of {int((~is_finite).sum())} of {len(matrix)} {what} hold numbers that "
            "are not finite: pixels, CTF parameters or weights of some images are far outside of "
            "those of others; run check on the input, and leave these images out"
        )
    values, vectors = torch.linalg.eigh(bad)
    lost = torch.finfo(bad.dtype).eps * values.shape[-1] * values[:, -1:]
    floor = torch.maximum(lost, torch.as_tensor(least, dtype=bad.dtype, device=bad.device))
    raised = (vectors * torch.maximum(values, floor)[:, None]) @ vectors.mT
    factor[failed] = torch.linalg.cholesky(raised).to(factor)
    return factor
