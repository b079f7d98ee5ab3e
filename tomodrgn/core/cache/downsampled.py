"""A reader whose images are seen on fewer pixels; the files stay as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
import torch

from tomodrgn.core.fourier.cropping import crop_images
from tomodrgn.core.gray_levels.reader import LookedAt, look_at
from tomodrgn.core.particles.downsampling import downsample_particles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.particles.tables import ParticleSet

_BLOCK_BYTES: Final = 64 * 2**20  # of images in their own box that are cropped at once


@dataclass(frozen=True)
class DownsampledReader:
    """What ``reader`` reads, with images cropped in Fourier space.

    Attributes:
        reader: reads the files, which hold images.
        original_px: box edge of the images in the files.
        box_size_px: box edge that they are cropped to, not larger.
    """

    wraps: ClassVar = True
    """It is around another reader."""

    has_images = True

    reader: Reader
    original_px: int
    box_size_px: int

    def read(self) -> ParticleSet:
        """Metadata of the whole input, for images of the smaller box."""
        return downsample_particles(self.reader.read(), self.box_size_px)

    def load_images(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, D', D') pixels of the ``source_image`` rows given, in that order."""
        return self.look_at(rows).images

    def look_at(self, rows: NDArray[np.int64]) -> LookedAt:
        """Images (M, D, D) of the ``source_image`` rows (M,) given, and what was found of them."""
        images = np.empty((len(rows), self.box_size_px, self.box_size_px), dtype=np.float32)
        damage = np.zeros(len(rows), dtype=np.uint8)
        healed = np.zeros(len(rows), dtype=np.int64)
        step = max(1, _BLOCK_BYTES // (4 * self.original_px**2))
        for start in range(0, len(rows), step):
            block = slice(start, start + step)
            seen = look_at(self.reader, rows[block])
            images[block] = crop_images(torch.from_numpy(seen.images), self.box_size_px).numpy()
            damage[block], healed[block] = seen.damage, seen.healed
        return LookedAt(images, damage, healed)

    def fingerprint(self) -> Mapping[str, Any]:
        """Files behind the set; the box belongs to the preparation."""
        return self.reader.fingerprint()
