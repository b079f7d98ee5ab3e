"""What the gray levels of the images of a cache were like when it was built."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.cache.downsampled import DownsampledReader
from tomodrgn.core.cache.layout import GrayLevelsFound
from tomodrgn.core.gray_levels.reader import NormalizingReader

if TYPE_CHECKING:
    from tomodrgn.core.cache.job import BuildJob
    from tomodrgn.core.cache.power import BlockPower
    from tomodrgn.core.gray_levels.standard import Standard
    from tomodrgn.core.interfaces import Reader

logger = logging.getLogger(__name__)


def describe_gray_levels(job: BuildJob, power: BlockPower) -> GrayLevelsFound | None:
    """What a finished build found; None where it did not look."""
    looking = _looking(job.reader)
    if looking is None:
        return None
    standard, survey = looking.standard, looking.found
    is_known = survey.has_noise and bool(survey.is_measured.any())
    damage = np.zeros(job.header.n_images, dtype=np.uint8)
    damage[list(power.damaged)] = list(power.damaged.values())
    return GrayLevelsFound(
        normalizes=standard.normalizes,
        reasons=standard.reasons,
        n_healed=power.n_healed,
        damage=damage,
        background=survey.offset.shared if is_known else None,
        deviation=float(np.exp(survey.scale.shared)) if is_known else None,
    )


def standard_of(reader: Reader) -> Standard | None:
    """How a reader judges images; None where it does not look at them."""
    found = _looking(reader)
    return None if found is None else found.standard


def has_surveyed(reader: Reader) -> bool:
    """Whether a reader has looked at a sample of its images, and told what it found."""
    found = _looking(reader)
    return found is not None and found.has_surveyed


def _looking(reader: Reader) -> NormalizingReader | None:
    while isinstance(reader, DownsampledReader):
        reader = reader.reader
    return reader if isinstance(reader, NormalizingReader) else None
