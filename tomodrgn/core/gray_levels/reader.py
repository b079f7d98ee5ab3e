"""A reader whose images are looked at while they are read: normalized, healed, or found damaged."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from tomodrgn.core.gray_levels.damage import (
    BLANK_SIDE,
    CONSTANT,
    EXTREME,
    NOT_FINITE,
    ODD_SCALE,
    SOUND,
)
from tomodrgn.core.gray_levels.expected import expected_deviation
from tomodrgn.core.gray_levels.margin import Margin, PixelLevels
from tomodrgn.core.gray_levels.standard import Standard, set_standard
from tomodrgn.core.gray_levels.survey import GrayLevels, survey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.particles.tables import ParticleSet

logger = logging.getLogger(__name__)

_MAX_HEALED: float = 0.005
_MIN_HEALED: int = 4


@dataclass(frozen=True, slots=True)
class LookedAt:
    """Images as they are used.

    Attributes:
        images: (n, D, D) pixels; 0 where an image is damaged.
        damage: (n,) uint8 code of :mod:`tomodrgn.core.gray_levels.damage`.
        healed: (n,) pixels that were replaced by the background.
        own_weight: (n,) how much of its own deviation, over that of its tomogram, each image was
            divided by; None where images are not normalized.
    """

    images: NDArray[np.float32]
    damage: NDArray[np.uint8]
    healed: NDArray[np.int64]
    own_weight: NDArray[np.float32] | None = None


@runtime_checkable
class LookingReader(Protocol):
    """A reader that says which of its images are damaged."""

    def look_at(self, rows: NDArray[np.int64]) -> LookedAt:
        """Images (n, D, D) of the ``source_image`` rows given, in that order."""


def look_at(reader: Reader, rows: NDArray[np.int64]) -> LookedAt:
    """Images (n, D, D) of any reader; one that does not look finds nothing."""
    if isinstance(reader, LookingReader):
        return reader.look_at(rows)
    none = np.zeros(len(rows), dtype=np.int64)
    return LookedAt(reader.load_images(rows), none.astype(np.uint8), none)


class NormalizingReader:
    """What ``reader`` reads, on one scale of gray.

    The standard comes from a survey before the first images are read; it is the same whenever the
    same input is read, however it is selected from.

    Args:
        reader: reads the files.
        particles: all that it reads, in the state that is declared.
        forced: normalize even where the survey finds no need.
    """

    wraps: ClassVar = True
    """It is around another reader."""

    has_images = True

    def __init__(self, reader: Reader, particles: ParticleSet, *, forced: bool) -> None:
        self.reader = reader
        self._particles: ParticleSet | None = particles
        self._forced = forced
        self._margin = Margin(particles.box_size_px)
        self._standard: Standard | None = None
        self._found: GrayLevels | None = None
        self._expected = self._scale = np.zeros(0, dtype=np.float32)

    def __getstate__(self) -> dict[str, Any]:
        """The survey comes before copies are sent to other processes."""
        self.standard  # noqa: B018  surveys
        return self.__dict__

    @property
    def standard(self) -> Standard:
        """How images are judged."""
        if self._standard is None:
            self._survey()
        assert self._standard is not None  # noqa: S101  for mypy
        return self._standard

    @property
    def found(self) -> GrayLevels:
        """What the survey found."""
        if self._found is None:
            self._survey()
        assert self._found is not None  # noqa: S101  for mypy
        return self._found

    @property
    def has_surveyed(self) -> bool:
        """Whether the survey was made, and told, by this process."""
        return self._standard is not None

    def read(self) -> ParticleSet:
        """Metadata of the whole input."""
        return self.reader.read()

    def fingerprint(self) -> Mapping[str, Any]:
        """Files behind the set; what is done to images belongs to the preparation."""
        return self.reader.fingerprint()

    def load_images(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, D, D) pixels of the ``source_image`` rows given, in that order; 0 where damaged."""
        return self.look_at(rows).images

    def look_at(self, rows: NDArray[np.int64]) -> LookedAt:
        """Images (n, D, D) of the ``source_image`` rows given, and which of them are damaged."""
        standard = self.standard
        images = self.reader.load_images(rows)
        levels = self._margin.measure(images, is_coarse=not standard.normalizes)
        reference = np.exp(self._scale[rows]) * self._expected[rows]  # (n,) usual deviation
        healed = np.zeros(len(rows), dtype=np.int64)
        damage = np.full(len(rows), SOUND, dtype=np.uint8)
        suspects = self._suspects(levels, reference)
        if len(suspects):
            images, levels = self._heal(images, levels, suspects, healed, damage)
        self._judge(levels, reference, damage)
        broken = damage != SOUND
        own_weight = None
        if standard.normalizes:
            images, own_weight = self._normalized(images, levels, reference, self._expected[rows])
        if broken.any():
            images = np.where(broken[:, None, None], np.float32(0), images)
            healed[broken] = 0
        return LookedAt(images, damage, healed, own_weight)

    def _suspects(self, levels: PixelLevels, reference: NDArray[np.float32]) -> NDArray[np.int64]:
        """Images that may have extreme pixels, which widen a deviation themselves."""
        limit = self.standard.extreme_limit
        if not np.isfinite(limit):
            return np.zeros(0, dtype=np.int64)
        usual = np.minimum(levels.deviation, 2 * reference)
        with np.errstate(invalid="ignore"):
            return np.flatnonzero(levels.is_finite & (levels.extreme > 0.5 * limit * usual))

    def _judge(
        self,
        levels: PixelLevels,
        reference: NDArray[np.float32],
        damage: NDArray[np.uint8],
    ) -> None:
        """Note what is wrong with images; the plainest fault wins."""
        standard = self.standard
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.abs(np.log(levels.deviation / reference))
        damage[ratio > standard.odd_limit] = ODD_SCALE
        damage[levels.evenness < standard.evenness_limit] = BLANK_SIDE
        damage[levels.is_constant] = CONSTANT
        damage[~levels.is_finite] = NOT_FINITE

    def _heal(
        self,
        images: NDArray[np.float32],
        levels: PixelLevels,
        suspects: NDArray[np.int64],
        healed: NDArray[np.int64],
        damage: NDArray[np.uint8],
    ) -> tuple[NDArray[np.float32], PixelLevels]:
        """Images without their few extreme pixels, and their levels."""
        replaced, counts = self._margin.healed(
            images[suspects], levels.background[suspects], self.standard.extreme_limit
        )
        most = max(_MIN_HEALED, int(_MAX_HEALED * replaced[0].size))
        damage[suspects[counts > most]] = EXTREME
        few = (counts > 0) & (counts <= most)
        if not few.any():
            return images, levels
        mine = suspects[few]
        healed[mine] = counts[few]
        images = images.copy()
        images[mine] = replaced[few]
        return images, levels.replaced(mine, self._margin.measure(images[mine]))

    def _normalized(
        self,
        images: NDArray[np.float32],
        levels: PixelLevels,
        reference: NDArray[np.float32],
        expected: NDArray[np.float32],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Images with backgrounds at level 0 and of the deviation that is expected.

        And the weights (n,) with which their own deviations counted.
        """
        standard = self.standard
        with np.errstate(divide="ignore", invalid="ignore"):
            own = np.nan_to_num(np.log(levels.deviation / reference), posinf=0.0, neginf=0.0)
        weight = np.where(np.abs(own) > standard.own_limit, 1.0, standard.image_weight)
        factor = expected / (reference * np.exp(weight * own))
        flattened = self._margin.flattened(images, levels.background, factor)
        return flattened, weight.astype(np.float32)

    def _survey(self) -> None:
        """Look at a sample, set the standard and say so."""
        particles = self._particles
        assert particles is not None  # noqa: S101  for mypy
        self._found = found = survey(self.reader, particles)
        self._standard = standard = set_standard(found, forced=self._forced)
        _, tomogram = np.unique(particles.tomogram.astype(str), return_inverse=True)
        n_rows = int(particles.source_image.max()) + 1
        self._scale = np.zeros(n_rows, dtype=np.float32)
        self._expected = np.ones(n_rows, dtype=np.float32)
        self._scale[particles.source_image] = standard.scale[tomogram[particles.particle_of_image]]
        self._expected[particles.source_image] = expected_deviation(particles)
        self._particles = None
        what = "normalized" if standard.normalizes else "left as they are"
        logger.info("gray levels: images are %s: %s", what, "; ".join(standard.reasons))
