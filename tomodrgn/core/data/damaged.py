"""Damaged images of a run: named once, written down, and left out like any other selection."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.files.atomic import write_text_atomic
from tomodrgn.core.files.pickles import read_index_file
from tomodrgn.core.gray_levels.damage import REASONS, SOUND
from tomodrgn.core.ownership.call import remove
from tomodrgn.core.particles.selection import take_images
from tomodrgn.core.products import DAMAGED_IMAGES
from tomodrgn.core.quoting import shown

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.cache.layout import GrayLevelsFound
    from tomodrgn.core.data.run_images import RunImages
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.specs.run import RunSpecBase
    from tomodrgn.core.training.devices import Devices

logger = logging.getLogger(__name__)


def with_resolved(run: RunSpecBase, found: GrayLevelsFound | None) -> RunSpecBase:
    """The run spec that says whether images were normalized, where that was found out."""
    if found is None or not found.normalizes:
        return run
    preparation = run.preparation.model_copy(update={"normalize": "on"})
    return run.model_copy(update={"preparation": preparation})


def leave_out_damaged(
    run: RunSpecBase, particles: ParticleSet, images: RunImages, outdir: Path, devices: Devices
) -> tuple[RunSpecBase, ParticleSet, RunImages]:
    """Run spec, particles and images of a run without its damaged images.

    Args:
        run: resolved run spec.
        particles: M images.
        images: of these.
        outdir: where the damaged ones are listed, for commands that read the run again.
        devices: the main process of them writes.

    Raises:
        DataError: nothing is left.
    """
    run = with_resolved(run, images.found)
    damage = images.damage
    is_sound = damage == SOUND
    path = outdir / DAMAGED_IMAGES
    earlier = run.dataset.leave_out_imgs
    if is_sound.all():
        if earlier is None:
            devices.on_main(lambda: remove(path))  # of another run
        return run, particles, images
    sound, images_left = sound_images(particles, images)
    before = "" if earlier is None else _rows_of(earlier)
    devices.on_main(lambda: write_text_atomic(path, before + _listed(damage, particles)))
    dataset = run.dataset.model_copy(update={"leave_out_imgs": path})
    logger.warning("%d damaged images are left out; they are listed in %s", (~is_sound).sum(), path)
    return run.model_copy(update={"dataset": dataset}), sound, images_left


def sound_images(particles: ParticleSet, images: RunImages) -> tuple[ParticleSet, RunImages]:
    """The set without damaged images, which are counted by reason, and its images.

    Raises:
        DataError: nothing is left.
    """
    damage = images.damage
    sound = particles
    for code, reason in REASONS.items():
        kept = np.isin(sound.source_image, particles.source_image[damage != code])
        sound = take_images(sound, kept, f"damaged: {reason}")
    kept = damage == SOUND
    return sound, replace(images, cache_rows=images.cache_rows[kept], damage=damage[kept])


def _rows_of(path: Path) -> str:
    """Lines of a list of images that were left out before."""
    return "".join(f"{row}  # in {path}\n" for row in read_index_file(path).tolist())


def _listed(damage: NDArray[np.uint8], particles: ParticleSet) -> str:
    """A line for each damaged image: its row in the input, and why."""
    rows = np.flatnonzero(damage != SOUND)
    rows = rows[np.argsort(particles.source_image[rows])]
    lines = [
        f"{particles.source_image[row]}  # {REASONS[int(damage[row])]}: "
        f"{shown(str(particles.image_name[row]))}"
        for row in rows.tolist()
    ]
    return "\n".join(["# row of the input, counted from 0", *lines]) + "\n"
