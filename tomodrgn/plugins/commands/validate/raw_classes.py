"""Classes of a run beside their raw images, halved."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.particles.outliers_file import JUNK_NAMES
from tomodrgn.core.reconstruction.halves import halves_by_particle
from tomodrgn.core.reconstruction.resolution import spherical_mask
from tomodrgn.core.reconstruction.weights import Attenuation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.data.dataset import Dataset
    from tomodrgn.core.data.labels import Labels
    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.specs.run import RunSpecBase
    from tomodrgn.plugins.commands.validate.spec import ValidateSpec

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawClasses:
    """Classes of a run beside their raw images.

    Attributes:
        run: resolved run spec.
        reader: loads pixels.
        particles: the particles of the run.
        labels: their classes.
        halves: (M,) half of each image.
        usable: classes with images in both halves.
        attenuation: what reconstructions allow for.
        mask: (D, D, D) where maps are compared.
    """

    run: RunSpecBase
    reader: Reader
    particles: ParticleSet
    labels: Labels
    halves: NDArray[np.int64]
    usable: tuple[int, ...]
    attenuation: Attenuation
    mask: NDArray[np.float32]

    @property
    def class_of_image(self) -> NDArray[np.int64]:
        """(M,) class of each image."""
        return self.labels.of_particle[self.particles.particle_of_image]


def beside_images(spec: ValidateSpec, dataset: Dataset, labels: Labels) -> RawClasses:
    """The run with its images and the classes that can be halved.

    Args:
        spec: how to look.
        dataset: what the run was made from.
        labels: classes of its particles.
    """
    run, (reader, particles) = dataset.spec, dataset.selected
    halves, usable = _halve(particles, labels, run.seed or 0)
    kinds = {each.kind for each in run.loss_weightings}
    dose, tilt = spec.recon_dose_weight, spec.recon_tilt_weight
    return RawClasses(
        run=run,
        reader=reader,
        particles=particles,
        labels=labels,
        halves=halves,
        usable=usable,
        attenuation=Attenuation(
            dose="dose" in kinds if dose is None else dose,
            tilt="tilt" in kinds if tilt is None else tilt,
        ),
        mask=spherical_mask(particles.box_size_px, spec.mask_r),
    )


def _halve(
    particles: ParticleSet, labels: Labels, seed: int
) -> tuple[NDArray[np.int64], tuple[int, ...]]:
    """(M,) half of each image, and the classes that have images in both; junk is none.

    Half sets of refinement are kept, unless all of some class lies in one of them.
    """
    for source in (particles, replace(particles, half_set=None)):
        halves = halves_by_particle(source, labels.of_particle, seed)
        volume = 2 * labels.of_particle[particles.particle_of_image] + halves
        n_images = np.bincount(volume, minlength=2 * len(labels.names)).reshape(-1, 2)
        usable = (n_images > 0).all(axis=1).ravel()
        if usable[labels.sizes > 1].all():
            break
        logger.info("a class lies in one half set of refinement; halves are drawn at random")
    is_class = np.array([name not in JUNK_NAMES for name in labels.names])
    return halves, tuple(np.flatnonzero(usable & is_class).tolist())
