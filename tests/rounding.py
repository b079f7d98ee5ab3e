"""Tolerances for float sums that are taken in another order: they follow from the arithmetic.

Another processor, number of threads or size of blocks adds the same terms in another order and
takes transforms and products by other instructions, so that single values differ by chance.
"""

from __future__ import annotations

import torch


def assert_equal_to_rounding(
    found: torch.Tensor, expected: torch.Tensor, *, n_roundings: float
) -> None:
    """Equal but for a number of roundings, each at the scale of the largest value.

    Args:
        found: any shape, floating point.
        expected: the same, by operations in another order.
        n_roundings: at most this many between input and output, in both together: n terms of a sum
            in any order take n - 1 each; a transform of n points log2(n) or so.

    Source:
        Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., eq. 4.4 (sums), 3.11 (inner
        products), theorem 24.2 (transforms): errors are at most n u times the sum of magnitudes.
    """
    scale = expected.abs().max()
    atol = n_roundings * torch.finfo(expected.dtype).eps * float(scale)
    torch.testing.assert_close(found, expected, rtol=0, atol=atol)
