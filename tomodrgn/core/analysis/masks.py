"""Where two volumes are compared: in the whole box, a sphere, or around what is dense.

Source: the masks of tomoDRGN 1.0: a sphere that touches the box; the voxels at or above a
percentile of either volume; the same grown and with a cosine edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from scipy import ndimage  # type: ignore[import-untyped]

from tomodrgn.core.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MaskKind = Literal["none", "sphere", "tight", "soft", "file"]

DENSE_PERCENTILE: Final = 99.0
_WIDTHS_PER_BOX: Final = 30
"""A soft mask grows by a thirtieth of the box, and its edge is as wide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskRule:
    """How to mask a pair of volumes.

    Attributes:
        kind: which mask.
        percentile: of the voxels that are dense, for ``tight`` and ``soft``.
        dilate_px: how far ``soft`` grows; a thirtieth of the box by default.
        edge_px: width of its edge; likewise.
        given: (D, D, D) the mask of kind ``file``.
    """

    kind: MaskKind = "soft"
    percentile: float = DENSE_PERCENTILE
    dilate_px: int | None = None
    edge_px: int | None = None
    given: NDArray[np.float32] | None = None

    def __call__(
        self, first: NDArray[np.floating], second: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """(D, D, D) mask in [0, 1] of two volumes of that shape.

        Raises:
            DataError: the shapes differ, or that of the given mask does.
        """
        if first.shape != second.shape:
            raise DataError(f"volumes of {first.shape} and {second.shape} voxels have no one mask")
        if self.kind == "none":
            return np.ones(first.shape)
        if self.kind == "sphere":
            return sphere(len(first))
        if self.kind == "file":
            return self._given_for(first)
        dense = tight(first, second, self.percentile)
        if self.kind == "tight":
            return dense.astype(np.float64)
        width = -(-len(first) // _WIDTHS_PER_BOX)
        dilate_px = width if self.dilate_px is None else self.dilate_px
        return soften(dense, dilate_px, width if self.edge_px is None else self.edge_px)

    def _given_for(self, volume: NDArray[np.floating]) -> NDArray[np.float64]:
        if self.given is None or self.given.shape != volume.shape:
            found = None if self.given is None else self.given.shape
            raise DataError(
                f"the mask has {found} voxels, volumes have {volume.shape}; resample it"
            )
        return self.given.astype(np.float64)


def sphere(box_size_px: int) -> NDArray[np.float64]:
    """(D, D, D) 1 within half a box of the center, 0 beyond."""
    axis = np.arange(box_size_px) - box_size_px // 2
    squared = axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2
    return (squared <= (box_size_px / 2) ** 2).astype(np.float64)


def tight(
    first: NDArray[np.floating], second: NDArray[np.floating], percentile: float
) -> NDArray[np.bool_]:
    """(D, D, D) voxels at or above a percentile of either volume."""
    is_dense: NDArray[np.bool_] = (first >= np.percentile(first, percentile)) | (
        second >= np.percentile(second, percentile)
    )
    return is_dense


def soften(dense: NDArray[np.bool_], dilate_px: int, edge_px: int) -> NDArray[np.float64]:
    """(D, D, D) a mask grown by steps to its six neighbors, with a cosine edge outside."""
    if dilate_px:
        dense = ndimage.binary_dilation(dense, iterations=dilate_px)
    if not edge_px:
        return dense.astype(np.float64)
    distance = ndimage.distance_transform_edt(~dense)
    edge: NDArray[np.float64] = np.cos(0.5 * np.pi * np.minimum(distance, edge_px) / edge_px)
    return np.where(distance >= edge_px, 0.0, edge)
