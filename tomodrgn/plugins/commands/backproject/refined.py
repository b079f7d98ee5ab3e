"""The particles of maps in refined poses, where that is asked for and worth it."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.data.observing import observe, window_power
from tomodrgn.core.data.refining import MIN_PER_HALF, as_refined, refine, write_refined
from tomodrgn.core.data.run_images import open_run_images
from tomodrgn.core.errors import SpecError
from tomodrgn.core.gray_levels.damage import SOUND
from tomodrgn.core.memory.work import linear_work
from tomodrgn.core.ownership.call import remove
from tomodrgn.core.products import REFINED_POSES, REFINED_TILTS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.data.run_images import RunImages
    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.specs.run import RunSpecBase
    from tomodrgn.core.training.devices import Devices

logger = logging.getLogger(__name__)

_N_MAPS: Final = 8
"""The consensus map and what it changes by: contrast, shifts and turns."""


@dataclass(frozen=True, slots=True)
class PosesOfMaps:
    """Refines the particles of a map, each against its own half alone.

    So half maps stay independent. Corrections are written beside the maps, where all processes read
    them.

    Attributes:
        run: says whether to refine, and how images are read.
        reader: of the images.
        out: the map; files beside it are named after it.
        devices: where to compute.
    """

    run: RunSpecBase
    reader: Reader
    out: Path
    devices: Devices

    def refined(self, particles: ParticleSet, halves: NDArray[np.int64] | None) -> ParticleSet:
        """Particles in refined poses, or as stated where these are no better.

        Args:
            particles: B particles.
            halves: (B,) half map of each; None where half maps share out the tilts of each.

        Raises:
            SpecError: half maps of tilts cannot be independent of refined poses.
        """
        if self.devices.is_main:
            self._forget()
        if not self._is_wanted(particles, halves):
            return particles
        assert halves is not None  # noqa: S101  refused otherwise, for mypy
        rows = np.flatnonzero(halves == 0), np.flatnonzero(halves == 1)
        run, devices = self.run, self.devices
        folder = self.out.with_name(f".{self.out.stem}_images")
        try:
            work = linear_work(run, particles, devices.device, n_maps=_N_MAPS, is_joint=False)
            images = open_run_images(run, self.reader, particles, folder, devices, work=work)
            is_used = torch.zeros(1, device=devices.device)
            devices.on_main(lambda: is_used.fill_(self._refine(particles, images, rows)))
        finally:
            if devices.is_main:
                shutil.rmtree(folder, ignore_errors=True)
        devices.sum_over_processes([is_used])
        if not is_used.any():  # whatever lies there by that name
            return particles
        with devices.agreement():
            return as_refined(self.out.parent, particles, prefix=self._prefix)

    @property
    def _prefix(self) -> str:
        return f"{self.out.stem}_"

    def _is_wanted(self, particles: ParticleSet, halves: NDArray[np.int64] | None) -> bool:
        """Whether to look at poses; why not is logged."""
        wanted = self.run.refinement.poses
        if wanted == "off" or particles.images.further_shift_px is not None:
            return False
        if halves is None:
            if wanted == "on":
                raise SpecError(
                    "refinement.poses: on goes with half_by: particle, as poses that all tilts of "
                    "a particle refined leave no tilts that know nothing of each other"
                )
            logger.info("poses are left as stated, as half maps share out the tilts of particles")
            return False
        if np.bincount(halves, minlength=2).min() < MIN_PER_HALF:
            logger.info("poses are left as stated: half maps have too few particles to tell them")
            return False
        return True

    def _refine(
        self,
        particles: ParticleSet,
        images: RunImages,
        rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    ) -> bool:
        """Refine, and write corrections beside the map, if they are worth it."""
        is_seen = images.damage == SOUND
        n_sound = np.add.reduceat(is_seen, particles.starts[:-1], dtype=np.int64)
        is_seen[particles.starts[:-1][n_sound == 0]] = True  # so that no particle is lost
        observed = observe(self.run, particles, images, is_seen, self.devices)
        power = window_power(self.run.preparation, particles.box_size_px)
        _, found = refine(self.run, observed, rows, power)
        if found is None:
            return False
        write_refined(self.out.parent, particles, is_seen, found, prefix=self._prefix)
        return found.is_used

    def _forget(self) -> None:
        """Remove corrections of maps of that name that were made earlier."""
        for name in (REFINED_POSES, REFINED_TILTS):
            remove(self.out.with_name(f"{self._prefix}{name}"))
