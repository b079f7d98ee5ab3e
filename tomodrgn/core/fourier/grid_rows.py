"""Several half grids of one box with their values at a point side by side: a row per grid point.

What is read of a point, or added to it, is then one piece of memory for all grids together. Rows
are added slab by slab: what belongs into a slab of the grid is gathered until there is as much of
it as the slab is large, and then summed while the slab fits into the cache of a processor.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch
from scipy import sparse  # type: ignore[import-untyped]

from tomodrgn.core.fourier.grids import N_CORNERS, Corners, corner_steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

_SLAB_BYTES: Final = 2**22
_PENDING_SHARE: Final = 0.4
"""Memory of what waits to be added, over that of the grids."""
_FACTOR_SHARE: Final = 1 / 16
"""Memory of the factors of what waits to be added, over that of the grids."""
_VALUES_AT_ONCE: Final = {"cpu": 2**20, "cuda": 2**23}


def read_rows(rows: Tensor, where: Corners) -> Tensor:
    """(n, C) values of C flat grids (points, C); imaginary parts are yet to be folded."""
    values: Tensor = torch.nn.functional.embedding_bag(
        where.places, rows, mode="sum", per_sample_weights=where.share.to(rows)
    )
    return values


class _Points(NamedTuple):
    """Points that wait to be added.

    Attributes:
        first: (n,) first of the grid points around each.
        share: (n, 8) of all eight.
        values: (n, Q).
        owner: (n,) rows of the factors that wait with them.
    """

    first: Tensor
    share: Tensor
    values: Tensor
    owner: Tensor

    def split(self, ends: list[int]) -> list[_Points]:
        """Those between each end and the next one."""
        slices = [slice(*pair) for pair in pairwise(ends)]
        return [_Points(*(part[some] for part in self)) for some in slices]


class RowSums:
    """Adds products of values of points and factors of their owners to grids.

    Each value of a point goes to some channels, there times a factor of its owner for each.

    Args:
        rows: (points, C) grids to add to, in place.
        box_size_px: D of the volumes.
        widths: how many channels each of the Q values goes to, C in all; they lie in this order.
    """

    def __init__(self, rows: Tensor, box_size_px: int, widths: Sequence[int]) -> None:
        self.rows = rows
        self._steps = corner_steps(box_size_px, rows.device)
        self._channels = torch.block_diag(*(rows.new_ones(1, width) for width in widths))  # (Q, C)
        n_slabs = -(-rows.numel() * rows.element_size() // _SLAB_BYTES)
        self._slab_points = -(-len(rows) // n_slabs)
        self._starts = torch.arange(0, len(rows), self._slab_points)
        at_once = _VALUES_AT_ONCE["cpu" if rows.device.type == "cpu" else "cuda"]
        self._at_once = max(1, at_once // rows.shape[1])
        self._waiting: list[list[_Points]] = []  # by slabs, in the order of the grid
        self._waiting_bytes = 0
        self._factors: list[Tensor] = []

    def add(self, where: Corners, values: Tensor, owner: Tensor, factors: Tensor) -> None:
        """Add points.

        Args:
            where: n points.
            values: (n, Q) of the points.
            owner: (n,) the owner of each point.
            factors: (b, C) of the owners.
        """
        if self.rows.device.type != "cpu":
            self._add_now(where, values, owner, factors)
            return
        offset = sum(map(len, self._factors))
        points = _Points(where.places[:, 0], where.share, values, owner + offset)
        self._waiting.append(self._by_slabs(points))
        self._waiting_bytes += sum(part.nbytes for part in points)
        self._factors.append(factors)
        is_much = self._waiting_bytes > _PENDING_SHARE * self.rows.nbytes
        if is_much or offset + len(factors) > _FACTOR_SHARE * len(self.rows):
            self.finish()

    def _by_slabs(self, points: _Points) -> list[_Points]:
        """The points of each slab, in the order of the grid."""
        if len(self._starts) == 1:
            return [points]
        first, order = torch.sort(points.first)
        inner = _Points(first, *(part.index_select(0, order) for part in points[1:]))
        return inner.split(
            [*torch.searchsorted(first, self._starts.to(first)).tolist(), len(first)]
        )

    def finish(self) -> None:
        """Add what waits."""
        if not self._waiting:
            return
        factors = torch.cat(self._factors)
        for start, parts in zip(
            self._starts.tolist(), zip(*self._waiting, strict=True), strict=True
        ):
            points = _Points(*(torch.cat(part) for part in zip(*parts, strict=True)))
            ends = [*range(0, len(points.first), self._at_once), len(points.first)]
            for some in points.split(ends):
                self._add_to_slab(start, some, factors)
        self._waiting.clear()
        self._waiting_bytes = 0
        self._factors.clear()

    def _add_to_slab(self, start: int, points: _Points, factors: Tensor) -> None:
        """Add points whose first grid points lie in the slab that starts there."""
        n_points = len(points.first)
        slab = self.rows[start : start + self._slab_points + int(self._steps[-1])]
        products = (points.values @ self._channels).mul_(factors.index_select(0, points.owner))
        places = ((points.first - start)[:, None] + self._steps).flatten().numpy()
        ends = np.arange(0, N_CORNERS * n_points + 1, N_CORNERS, dtype=places.dtype)
        shares = sparse.csc_array(
            (points.share.flatten().numpy(), places, ends), shape=(len(slab), n_points)
        )
        slab += torch.from_numpy(shares @ products.numpy())

    def _add_now(self, where: Corners, values: Tensor, owner: Tensor, factors: Tensor) -> None:
        """Add points without gathering them first: a GPU has many of them at once in any case."""
        for first in range(0, len(values), self._at_once):
            some = slice(first, first + self._at_once)
            products = (values[some] @ self._channels).mul_(factors.index_select(0, owner[some]))
            for place, share in zip(
                where.places[some].unbind(1), where.share[some].unbind(1), strict=True
            ):
                self.rows.index_add_(0, place, products * share[:, None])
