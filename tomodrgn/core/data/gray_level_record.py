"""What a run records of the gray levels of its images, and how other images differ from them.

A background level is in deviations of the background, a deviation is over what the treatment of
images explains, as in :mod:`tomodrgn.core.gray_levels.survey`. Both are those of the files.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tomodrgn.core.cache.levels import has_surveyed
from tomodrgn.core.files.json_text import read_json
from tomodrgn.core.files.pickles import read_index_file
from tomodrgn.core.gray_levels.damage import damage_lines
from tomodrgn.core.gray_levels.standard import OFFSET_LIMIT
from tomodrgn.core.products import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.cache.layout import GrayLevelsFound
    from tomodrgn.core.cache.store import CoefficientCache
    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.specs.run import RunSpecBase

logger = logging.getLogger(__name__)

_OTHER_SCALE: Final = 1.25
"""Factor between deviations that subsets of one set do not show."""


@dataclass(frozen=True, slots=True)
class _Used:
    """Images as a model sees them, before the scale that all of them share."""

    normalizes: bool
    background: float | None
    deviation: float | None

    @property
    def sentence(self) -> str:
        if self.normalizes:
            return "normalized"
        if self.background is None or self.deviation is None:
            return "as they are, not measured"
        levels = f"background level {self.background:.2g}, deviation {self.deviation:.3g}"
        return f"as they are, {levels}"


def gray_level_record(found: GrayLevelsFound | None, run: RunSpecBase) -> dict[str, Any] | None:
    """What a run records; None where nobody looked.

    Args:
        found: of the images in its cache.
        run: its spec, which names the images that are left out.
    """
    if found is None:
        return None
    listed = run.dataset.leave_out_imgs
    return {
        "normalized": found.normalizes,
        "reasons": list(found.reasons),
        "background": found.background,
        "deviation": found.deviation,
        "images_with_replaced_pixels": found.n_healed,
        "damaged_images_left_out": 0 if listed is None else len(read_index_file(listed)),
    }


def record_sentence(record: Mapping[str, Any]) -> str:
    """What a record says, for a report."""
    what = "normalized" if record["normalized"] else "left as they are"
    n_out = int(record["damaged_images_left_out"])
    out = f"; {n_out} damaged image{'s' * (n_out != 1)} left out" if n_out else ""
    return f"{what}: {'; '.join(record['reasons'])}{out}"


def say_other_levels(directory: Path, found: GrayLevelsFound | None) -> None:
    """Log how images differ in gray levels from those that a run was trained on.

    Args:
        directory: of the run.
        found: of the images.
    """
    record = read_json(directory / MANIFEST).get("gray_levels")
    if found is None or record is None:
        return
    trained = _Used(record["normalized"], record["background"], record["deviation"])
    now = _Used(found.normalizes, found.background, found.deviation)
    if _are_alike(trained, now):
        logger.info("gray levels: as in training, %s", now.sentence)
        return
    logger.warning(
        "gray levels: images are %s; those of the training were %s, so that latents of both may "
        "not compare; a model that is trained with --normalize on sees all images on one scale",
        now.sentence, trained.sentence,
    )  # fmt: skip


def _are_alike(one: _Used, other: _Used) -> bool:
    """Whether a model sees both on one scale."""
    level, deviation = zip(*map(_level_and_deviation, (one, other)), strict=True)
    if None in level or None in deviation:
        return one.normalizes == other.normalizes
    ratio = max(deviation) / max(min(deviation), 1e-30)
    return bool(abs(level[0] - level[1]) <= OFFSET_LIMIT and ratio <= _OTHER_SCALE)


def _level_and_deviation(used: _Used) -> tuple[float | None, float | None]:
    return (0.0, 1.0) if used.normalizes else (used.background, used.deviation)


def tell_gray_levels(
    cache: CoefficientCache, particles: ParticleSet, reader: Reader
) -> NDArray[np.uint8]:
    """(M,) damage of the images of a set, as the cache has it; what it found goes to the log."""
    found = cache.gray_levels()
    if found is None:
        return np.zeros(particles.n_images, dtype=np.uint8)
    if not has_surveyed(reader):  # and said so
        what = "were normalized" if found.normalizes else "were left as they are"
        logger.info("gray levels: images %s: %s", what, "; ".join(found.reasons))
    damage = found.damage[cache.rows(particles)]
    if found.n_healed:
        logger.warning(
            "%d images had a few extreme pixels, which were replaced by background", found.n_healed
        )
    for line in damage_lines(damage, np.arange(particles.n_images), particles):
        logger.warning("left out %s", line)
    return damage
