"""Gray levels of normalized images under other readings of the metadata.

A reader that normalizes images brings them to the deviation that their stated doses, contrast
transfer and treatment let their noise have. Where these are wrong, so are the levels, and the right
reading would be tried on images that the wrong one has spoiled. So images are leveled again, as
they would have been under the reading that is tried.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from tomodrgn.core.gray_levels.expected import noise_deviation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.inspection.sample import Change, Sample


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageLevels:
    """How M images were normalized.

    Attributes:
        expected: (M,) logarithm of the deviation that each was expected to have by right.
        own_weight: (M,) as in :class:`~tomodrgn.core.gray_levels.reader.LookedAt`.
        factor: (M,) logarithm of what each was multiplied with since it was read.
    """

    expected: Tensor
    own_weight: Tensor
    factor: Tensor

    def of(self, rows: Tensor) -> ImageLevels:
        """Those of some images (n,)."""
        return ImageLevels(
            expected=self.expected[rows],
            own_weight=self.own_weight[rows],
            factor=self.factor[rows],
        )


def with_levels(sample: Sample, own_weight: NDArray[np.float32]) -> Sample:
    """The sample that knows how its images were normalized by the metadata it has.

    Args:
        sample: images and metadata, as they are read.
        own_weight: (M,) as in :class:`~tomodrgn.core.gray_levels.reader.LookedAt`.
    """
    expected = _log_expected(sample)
    weight = torch.from_numpy(own_weight).to(expected)
    levels = ImageLevels(expected=expected, own_weight=weight, factor=torch.zeros_like(expected))
    return replace(sample, levels=levels)


def read_as(change: Change, sample: Sample) -> Sample | None:
    """A sample under another reading, normalized as it would be if that is right.

    Args:
        change: to the reading.
        sample: images and metadata.

    Returns:
        None where the reading changes nothing that could be seen.
    """
    changed = change(sample)
    if changed is None or changed.levels is None:
        return changed
    levels = changed.levels
    expected = _log_expected(changed)
    more = expected - levels.expected
    if not bool(more.any()):
        return changed
    tomogram = torch.from_numpy(changed.tomogram)[changed.particle]
    usual = torch.bincount(tomogram, more) / torch.bincount(tomogram).clamp_min(1)
    own = levels.own_weight
    factor = own * more + (1 - own) * usual[tomogram]
    return replace(
        changed,
        coefficients=changed.coefficients * factor.exp()[:, None],
        levels=replace(levels, expected=expected, factor=levels.factor + factor),
    )


def _log_expected(sample: Sample) -> Tensor:
    """(M,) logarithm of the deviation that noise has by right in whole images."""
    pixel_size_a = sample.pixel_size_a / sample.shrinkage
    return noise_deviation(sample.images, sample.optics, pixel_size_a).log()
