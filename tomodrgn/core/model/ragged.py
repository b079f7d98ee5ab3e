"""Sums, extremes and medians over packed rows that belong to particles.

``counts`` (B,) says how many of the rows each particle owns; rows of a particle are adjacent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def owners(counts: Tensor, total: int) -> Tensor:
    """(total,) particle of each row."""
    return torch.repeat_interleave(counts, output_size=total)


def segment_mean(rows: Tensor, counts: Tensor) -> Tensor:
    """(B, F) means of packed rows (M, F)."""
    sums = rows.new_zeros((len(counts), rows.shape[1]))
    sums = sums.index_add(0, owners(counts, len(rows)), rows)
    return sums / counts[:, None]


def segment_max(rows: Tensor, counts: Tensor) -> Tensor:
    """(B, F) maxima of packed rows (M, F)."""
    index = owners(counts, len(rows))[:, None].expand_as(rows)
    start = rows.new_full((len(counts), rows.shape[1]), -torch.inf)
    return start.scatter_reduce(0, index, rows, "amax")


def segment_median(rows: Tensor, counts: Tensor, longest: int | None = None) -> Tensor:
    """(B, F) medians of packed rows (M, F); the mean of the middle two for even counts."""
    padded, _ = pad(rows, counts, longest, fill=torch.inf)
    ordered = padded.sort(dim=1).values
    low = ((counts - 1) // 2)[:, None, None].expand(-1, 1, rows.shape[1])
    high = (counts // 2)[:, None, None].expand(-1, 1, rows.shape[1])
    return 0.5 * (ordered.gather(1, low) + ordered.gather(1, high))[:, 0]


def pad(
    rows: Tensor, counts: Tensor, longest: int | None = None, *, fill: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Rows of each particle beside each other, for the few operations that need a rectangle.

    Args:
        rows: (M, F) packed.
        counts: (B,).
        longest: T, the largest count; without it the device of the counts is asked.
        fill: value of the places that no row takes.

    Returns:
        (B, T, F), and (B, T) bool, true where a row is.
    """
    owner = owners(counts, len(rows))
    starts = torch.cumsum(counts, 0) - counts
    place = torch.arange(len(rows), device=rows.device) - starts[owner]
    longest = int(counts.max()) if longest is None else longest
    padded = rows.new_full((len(counts), longest, rows.shape[1]), fill)
    padded = padded.index_put((owner, place), rows)
    present = torch.arange(longest, device=rows.device) < counts[:, None]
    return padded, present


def first_rows(rows: Tensor, counts: Tensor, n: int) -> Tensor:
    """(B, n, F) first ``n`` rows of each particle; every count must be at least ``n``."""
    starts = torch.cumsum(counts, 0) - counts
    return rows[starts[:, None] + torch.arange(n, device=rows.device)]
