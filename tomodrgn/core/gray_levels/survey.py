"""Gray levels of a set, as a bounded sample of its images shows them.

The sample is spread over all tomograms and over the tilts of each, and is the same whenever the
same input is read. Deviations are looked at over those that the treatment of the images explains.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.gray_levels.expected import expected_deviation
from tomodrgn.core.gray_levels.margin import Margin, PixelLevels, joined
from tomodrgn.core.particles.keyed_random import particle_keys
from tomodrgn.core.particles.selection import take_images

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.particles.tables import ParticleSet

_MIN_IMAGES: Final = 256
_MAX_IMAGES: Final = 2048
_PART: Final = 16
"""One image in so many is looked at where a set is neither small nor large."""
_MIN_OF_TOMOGRAM: Final = 16
_BLOCK_BYTES: Final = 16 * 2**20
_EMPTY: Final = 1e-3
"""A margin whose deviation is less than this part of the range of an image holds no noise."""
_NOISE_FREE_EXTREME: Final = 25.0
"""Typical largest pixel, in deviations, from which margins show the particle and no noise: it is 4
at SNR 0.05, 7 at 1 and 18 at 10, and above 35 in simulated images without noise."""
_TINY: Final = 1e-30
_MAD_OF_NORMAL: Final = 1.4826


@dataclass(frozen=True, slots=True, kw_only=True)
class Scatter:
    """A number of each tomogram, and how far its images differ from it.

    Attributes:
        typical: (T,) of each tomogram; NaN where none of its images could be measured.
        error: (T,) standard error.
        within: scatter of images around that of their tomogram.
    """

    typical: NDArray[np.float64]
    error: NDArray[np.float64]
    within: float

    @property
    def shared(self) -> float:
        """Median over the tomograms."""
        return float(np.nanmedian(self.typical))


@dataclass(frozen=True, kw_only=True)
class GrayLevels:
    """What a sample of n images tells of the gray levels of a set.

    Attributes:
        rows: (n,) rows of the set that were looked at.
        levels: (n,) of their pixels.
        expected: (n,) deviation that their treatment explains.
        tomogram: (n,) tomogram of each, an index into ``tomograms``.
        tomograms: (T,) names, of all of the set.
        n_pixels: pixels of the margin of an image.
    """

    rows: NDArray[np.int64]
    levels: PixelLevels
    expected: NDArray[np.float64]
    tomogram: NDArray[np.int64]
    tomograms: NDArray[np.object_]
    n_pixels: int

    @cached_property
    def has_noise(self) -> bool:
        """Whether margins hold noise; those of masked or noise-free images do not."""
        usable = self.levels.is_finite & ~self.levels.is_constant
        if not usable.any():
            return False
        reach = np.maximum((self.levels.high - self.levels.low)[usable], _TINY)
        is_empty = float(np.median(self.levels.deviation[usable] / reach)) < _EMPTY
        return not is_empty and self.extreme < _NOISE_FREE_EXTREME

    @cached_property
    def is_measured(self) -> NDArray[np.bool_]:
        """(n,) images whose background can be measured."""
        levels = self.levels
        return levels.is_finite & ~levels.is_constant & (levels.deviation > 0) & self.is_whole

    @cached_property
    def is_whole(self) -> NDArray[np.bool_]:
        """(n,) images without a blank side."""
        return self.levels.evenness >= self.evenness_limit

    @cached_property
    def evenness_limit(self) -> float:
        """Evenness below which a side is blank; 0 where that cannot be told."""
        usable = self.levels.is_finite & ~self.levels.is_constant
        if not usable.any():
            return 0.0
        typical = float(np.quantile(self.levels.evenness[usable], 0.6))
        return min(0.02, typical**2 / 4) if typical > _MIN_EVENNESS else 0.0

    @cached_property
    def scale(self) -> Scatter:
        """Logarithm of the deviation over the expected one."""
        with np.errstate(divide="ignore"):
            return self._scatter(np.log(self.levels.deviation / self.expected))

    @cached_property
    def offset(self) -> Scatter:
        """Background level, in deviations."""
        return self._scatter(self.levels.background[:, 0] / self._deviation)

    @cached_property
    def slope(self) -> float:
        """Typical rise of the background over half a box, in deviations."""
        rise = np.hypot(self.levels.background[:, 1], self.levels.background[:, 2])
        return self._median(rise / self._deviation)

    @cached_property
    def extreme(self) -> float:
        """Typical largest distance of a pixel from the background, in deviations."""
        return self._median(self.levels.extreme / self._deviation)

    @property
    def _deviation(self) -> NDArray[np.float64]:
        return np.maximum(self.levels.deviation, _TINY)

    def _median(self, values: NDArray[np.float64]) -> float:
        return float(np.median(values[self.is_measured])) if self.is_measured.any() else 0.0

    def _scatter(self, values: NDArray[np.float64]) -> Scatter:
        """Medians of tomograms, which a few odd images do not move."""
        n = len(self.tomograms)
        typical, error = np.full(n, np.nan), np.full(n, np.inf)
        measured = np.flatnonzero(self.is_measured)
        if not len(measured):
            return Scatter(typical=typical, error=error, within=0.0)
        order = measured[np.argsort(self.tomogram[measured], kind="stable")]
        numbers, firsts = np.unique(self.tomogram[order], return_index=True)
        left = np.zeros(len(values))
        parts = np.split(order, firsts[1:])
        for number, rows in zip(numbers.tolist(), parts, strict=True):
            typical[number] = np.median(values[rows])
            left[rows] = values[rows] - typical[number]
        within = _robust_deviation(left[order])
        counts = np.array([len(rows) for rows in parts], dtype=np.float64)
        error[numbers] = 1.25 * within / np.sqrt(counts)  # of a median
        return Scatter(typical=typical, error=error, within=within)


_MIN_EVENNESS: Final = 0.02


def survey(reader: Reader, particles: ParticleSet) -> GrayLevels:
    """Gray levels of a sample of a set.

    Args:
        reader: loads pixels.
        particles: the set, in the state that is declared.
    """
    tomograms, of_particle = np.unique(particles.tomogram.astype(str), return_inverse=True)
    tomogram = of_particle[particles.particle_of_image]
    rows = draw_rows(particles, tomogram)
    wanted = np.zeros(particles.n_images, dtype=np.bool_)
    wanted[rows] = True
    margin = Margin(particles.box_size_px)
    at_once = max(1, _BLOCK_BYTES // (4 * particles.box_size_px**2))
    ordered = rows[np.argsort(particles.source_image[rows], kind="stable")]
    blocks = np.split(ordered, np.arange(at_once, len(ordered), at_once))
    levels = joined(
        [margin.measure(reader.load_images(particles.source_image[block])) for block in blocks]
    )
    place = np.argsort(ordered)
    return GrayLevels(
        rows=np.sort(rows),
        levels=levels.take(place),
        expected=expected_deviation(take_images(particles, wanted, "not in the sample")).astype(
            np.float64
        ),
        tomogram=tomogram[np.sort(rows)],
        tomograms=tomograms.astype(object),
        n_pixels=margin.n_pixels,
    )


def draw_rows(particles: ParticleSet, tomogram: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of images spread over tomograms, and over the tilts and particles of each.

    Args:
        particles: M images.
        tomogram: (M,) number of the tomogram of each, from 0.
    """
    counts = np.bincount(tomogram)
    n_wanted = min(max(_MIN_IMAGES, particles.n_images // _PART), _MAX_IMAGES)
    most = max(_MIN_OF_TOMOGRAM, n_wanted // len(counts))
    rank = np.arange(particles.n_images) - particles.starts[particles.particle_of_image]
    keys = particle_keys(particles.tomogram, particles.name)  # an order that rows do not change
    order = np.lexsort((keys[particles.particle_of_image], rank, tomogram))
    own = tomogram[order]
    place = np.arange(len(order)) - (np.cumsum(counts) - counts)[own]
    n_own = np.minimum(most, counts)[own]
    is_drawn = (place + 1) * n_own // counts[own] > place * n_own // counts[own]
    return order[is_drawn].astype(np.int64)


def _robust_deviation(values: NDArray[np.float64]) -> float:
    """Standard deviation of numbers around 0 of which some are odd."""
    return float(_MAD_OF_NORMAL * np.median(np.abs(values))) if len(values) else 0.0
