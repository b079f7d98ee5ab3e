"""What the pixels of images are like: background, its slope and deviation, extremes, blank parts.

The background is measured in the margin, outside a circle around the particle, as RELION does. A
plane is fitted to it; what the plane leaves has the deviation. Nothing here knows what the numbers
ought to be; :mod:`tomodrgn.core.gray_levels.survey` finds that out.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

MARGIN_R: Final = 0.9
"""Radius of the circle around the particle, as a fraction of the half box."""
_LINE_DEPTH: Final = 1 / 16
"""How far from the rim of the box the lines lie that tell blank parts, as a fraction of the box."""
_PIXELS_AT_ONCE: Final = 2**21
"""Few enough that what is computed of them takes little memory beside a block of images."""
_FEW_PIXELS: Final = 384
_SMALLEST: Final = 1e-30
_MAD_OF_NORMAL: Final = 1.4826


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelLevels:
    """Gray levels of n images, in the units of their pixels; one row for each.

    Attributes:
        background: (n, 3) plane through the margin: level at the center of the box, rise to the
            right and rise downwards over half a box.
        deviation: (n,) standard deviation of the margin around that plane.
        low: (n,) smallest pixel.
        high: (n,) largest pixel; not finite where any pixel is not.
        evenness: (n,) variance of the flattest over that of the liveliest of four lines along the
            rim of the box; close to 0 where a side of the box is blank.
    """

    background: NDArray[np.float64]
    deviation: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    evenness: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.deviation)

    @property
    def is_finite(self) -> NDArray[np.bool_]:
        """(n,) whether every pixel is finite."""
        found: NDArray[np.bool_] = np.isfinite(self.low) & np.isfinite(self.high)
        return found

    @property
    def is_constant(self) -> NDArray[np.bool_]:
        """(n,) whether all pixels are equal."""
        found: NDArray[np.bool_] = self.low == self.high
        return found

    @property
    def extreme(self) -> NDArray[np.float64]:
        """(n,) how far, at least, the most distant pixel lies from the background plane."""
        level, *rises = self.background.T
        reach = np.maximum(self.high - level, level - self.low)
        found: NDArray[np.float64] = reach - np.abs(rises).sum(axis=0)
        return found

    def take(self, rows: NDArray[Any]) -> PixelLevels:
        """Some of the rows (n,)."""
        return PixelLevels(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def replaced(self, rows: NDArray[np.int64], by: PixelLevels) -> PixelLevels:
        """The record with other values in some rows (n,)."""
        columns = {f.name: getattr(self, f.name).copy() for f in fields(self)}
        for name, column in columns.items():
            column[rows] = getattr(by, name)
        return PixelLevels(**columns)


def joined(parts: Sequence[PixelLevels]) -> PixelLevels:
    """The rows of several records, one after another."""
    return PixelLevels(
        **{
            f.name: np.concatenate([getattr(part, f.name) for part in parts])
            for f in fields(PixelLevels)
        }
    )


@dataclass(frozen=True, slots=True)
class _Shape:
    """Where a margin lies."""

    pixels: Tensor  # (m,) places of its pixels in a flat image
    basis: Tensor  # (m, 3) orthonormal, of the planes on it
    to_plane: Tensor  # (3, 3) from coefficients of the basis to level and rises


class Margin:
    """The margin of images of one box.

    Args:
        box_size_px: D.
    """

    def __init__(self, box_size_px: int) -> None:
        self.box_size_px = box_size_px
        axis = _axis(box_size_px)
        outside = np.hypot(axis[:, None], axis[None, :]) >= MARGIN_R
        y, x = np.nonzero(outside)
        self._shape = _shape_of(axis, y, x)
        some = slice(None, None, -(-len(x) // _FEW_PIXELS))
        self._coarse = _shape_of(axis, y[some], x[some])
        depth = min(max(1, round(box_size_px * _LINE_DEPTH)), box_size_px // 2 - 1)
        self._lines = depth, box_size_px - 1 - depth
        centered = axis - axis.mean()
        self._trend = (centered / np.linalg.norm(centered)).astype(np.float32)

    @property
    def n_pixels(self) -> int:
        """Pixels of the margin of an image."""
        return len(self._shape.pixels)

    @cached_property
    def planes(self) -> Tensor:
        """(3, D, D) float32: one, and the distance from the center in half boxes in x and in y."""
        axis = torch.from_numpy(_axis(self.box_size_px).astype(np.float32))
        across = axis.expand(self.box_size_px, -1)
        return torch.stack([torch.ones_like(across), across, across.T])

    def measure(self, images: NDArray[np.float32], *, is_coarse: bool = False) -> PixelLevels:
        """Gray levels of images (n, D, D); n may be 0.

        With ``is_coarse`` only a few hundred pixels of each margin are looked at, which is enough
        to tell what is odd.
        """
        shape = self._coarse if is_coarse else self._shape
        at_once = max(1, _PIXELS_AT_ONCE // self.box_size_px**2)
        starts = range(0, max(len(images), 1), at_once)
        with np.errstate(invalid="ignore", over="ignore"):
            parts = [self._measure(images[start : start + at_once], shape) for start in starts]
        return joined(parts)

    def healed(
        self, images: NDArray[np.float32], background: NDArray[np.float64], limit: float
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Images with the background in place of extreme pixels, and how many these were.

        Args:
            images: (n, D, D).
            background: (n, 3) their planes.
            limit: how many deviations of the margin away from it a pixel is extreme; level and
                deviation are taken from medians, which extreme pixels do not move.
        """
        rises = background[:, 1:].astype(np.float32)
        planes = np.tensordot(rises, self.planes[1:].numpy(), axes=1)  # (n, D, D)
        left = images - planes
        margin = left.reshape(len(images), -1)[:, self._shape.pixels.numpy()]
        level = np.median(margin, axis=1)
        deviation = _MAD_OF_NORMAL * np.median(np.abs(margin - level[:, None]), axis=1)
        far = np.abs(left - level[:, None, None]) > (limit * deviation)[:, None, None]
        return np.where(far, planes + level[:, None, None], images), far.sum(axis=(1, 2))

    def flattened(
        self,
        images: NDArray[np.float32],
        background: NDArray[np.float64],
        factor: NDArray[np.float64],
    ) -> NDArray[np.float32]:
        """Images (n, D, D) less their planes (n, 3), times factors (n,)."""
        flat = torch.from_numpy(np.array(images)).reshape(len(images), -1)
        flat -= torch.from_numpy(background[:, :1].astype(np.float32))
        slopes = torch.from_numpy(background[:, 1:].astype(np.float32))
        flat -= slopes @ self.planes[1:].reshape(2, -1)
        flat *= torch.from_numpy(factor.astype(np.float32))[:, None]
        found: NDArray[np.float32] = flat.reshape(images.shape).numpy()
        return found

    def _measure(self, images: NDArray[np.float32], shape: _Shape) -> PixelLevels:
        """Of a few images."""
        n = len(images)
        images = np.ascontiguousarray(images)
        flat = images.reshape(n, -1)
        margin = torch.from_numpy(flat).index_select(1, shape.pixels)
        level = margin.mean(1, keepdim=True)
        margin -= level
        coefficients = (margin @ shape.basis).double()  # (n, 3)
        squares = torch.linalg.vector_norm(margin, dim=1).double().square()
        left = squares - coefficients.square().sum(1)
        plane = coefficients @ shape.to_plane.T
        plane[:, 0] += level[:, 0].double()
        return PixelLevels(
            background=plane.numpy(),
            deviation=(left.clamp_min(0) / (len(shape.pixels) - 3)).sqrt().numpy(),
            low=flat.min(1, initial=np.inf).astype(np.float64),
            high=flat.max(1, initial=-np.inf).astype(np.float64),
            evenness=self._evenness(images).astype(np.float64),
        )

    def _evenness(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n,) of four lines near the rim, the least variance over the greatest."""
        first, last = self._lines
        lines = np.stack(
            [images[:, first], images[:, last], images[:, :, first], images[:, :, last]]
        )
        lines -= lines.mean(axis=2, keepdims=True)
        trend = lines @ self._trend  # a plane is no sign of life
        variance = np.einsum("lnd,lnd->ln", lines, lines) - np.square(trend)
        low, high = variance.min(axis=0), variance.max(axis=0)
        found: NDArray[np.float32] = np.maximum(low, 0) / np.maximum(high, _SMALLEST)
        return found


def _shape_of(axis: NDArray[np.float64], y: NDArray[np.int64], x: NDArray[np.int64]) -> _Shape:
    """The margin of the pixels in rows ``y`` and columns ``x``."""
    basis, triangle = np.linalg.qr(np.stack([np.ones(len(x)), axis[x], axis[y]], axis=1))
    return _Shape(
        torch.from_numpy(y * len(axis) + x),
        torch.from_numpy(basis.astype(np.float32)),
        torch.from_numpy(np.linalg.inv(triangle)),
    )


def _axis(box_size_px: int) -> NDArray[np.float64]:
    """(D,) distance of pixels from the center of the box along an axis, in half boxes."""
    places: NDArray[np.float64] = (np.arange(box_size_px) - box_size_px // 2) / (box_size_px / 2)
    return places
