"""Grids side by side are read and added to as each of them alone would be."""

from __future__ import annotations

import pytest
import torch

from tests.rounding import assert_equal_to_rounding
from tomodrgn.core.fourier import grid_rows
from tomodrgn.core.fourier.grid_rows import RowSums, read_rows
from tomodrgn.core.fourier.grids import (
    OVERSAMPLING,
    Corners,
    add_to_grid,
    corners,
    grid_shells,
    read_grid,
)

BOX, N, OWNERS = 12, 300, 4
WIDTHS = (2, 1, 2)
KINDS = [0, 0, 1, 2, 2]
REACH = OVERSAMPLING * BOX // 2


@pytest.fixture
def random() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _points(random: torch.Generator) -> Corners:
    """Places in grid steps, on both sides of x = 0, some of them at the ends of the grid."""
    points = (REACH - 1e-3) * (2 * torch.rand(3, N, generator=random) - 1)
    return corners(points.unbind(), BOX)


def test_grids_are_read_together_as_one_by_one(random: torch.Generator) -> None:
    rows, where = torch.randn(grid_shells(BOX).numel(), 3, generator=random), _points(random)
    expected = torch.stack([read_grid(grid, where) for grid in rows.T.contiguous()], dim=1)
    assert_equal_to_rounding(read_rows(rows, where), expected, n_roundings=2 * 8)  # grid points


@pytest.mark.parametrize("slab_bytes", [2**8, 2**12, 2**30])
@pytest.mark.parametrize("waits", [0.0, 1e3])
def test_grids_are_added_to_together_as_one_by_one(
    slab_bytes: int, waits: float, random: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many slabs there are, and whether or not points wait for others."""
    monkeypatch.setattr(grid_rows, "_SLAB_BYTES", slab_bytes)
    monkeypatch.setattr(grid_rows, "_PENDING_SHARE", waits)
    monkeypatch.setattr(grid_rows, "_FACTOR_SHARE", waits)
    monkeypatch.setitem(grid_rows._VALUES_AT_ONCE, "cpu", 200)
    rows = torch.zeros(grid_shells(BOX).numel(), len(KINDS))
    expected = torch.zeros(len(KINDS), len(rows))
    sums = RowSums(rows, BOX, WIDTHS)
    for _ in range(3):
        where = _points(random)
        values = torch.randn(N, 3, generator=random)
        owner = torch.randint(OWNERS, (N,), generator=random)
        factors = torch.randn(OWNERS, len(KINDS), generator=random)
        sums.add(where, values, owner, factors)
        for channel, kind in enumerate(KINDS):
            products = values[:, kind] * factors[owner, channel]
            add_to_grid(expected[channel], where, products)
    sums.finish()
    assert_equal_to_rounding(rows.T, expected, n_roundings=3 * 8)  # of the few points of a place


def test_points_are_added_at_once_where_there_is_no_need_to_wait(
    random: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU."""
    where, values = _points(random), torch.randn(N, 3, generator=random)
    owner = torch.randint(OWNERS, (N,), generator=random)
    factors = torch.randn(OWNERS, len(KINDS), generator=random)
    both = []
    for add in (RowSums.add, RowSums._add_now):
        rows = torch.zeros(grid_shells(BOX).numel(), len(KINDS))
        sums = RowSums(rows, BOX, WIDTHS)
        add(sums, where, values, owner, factors)
        sums.finish()
        both.append(rows)
    assert_equal_to_rounding(*both, n_roundings=3 * 8)
