"""Which particles and images of a set a run uses.

Every step counts the rows it leaves out in ``ParticleSet.rejected``, so that the rows read are
always the images kept plus the rows rejected. Images stay packed in ascending dose.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.pickles import read_index_file
from tomodrgn.core.particles.exposures import exposure_numbers
from tomodrgn.core.particles.identity import image_keys
from tomodrgn.core.particles.keyed_random import keyed_uniform

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.specs.dataset import DatasetSpec


def select(particles: ParticleSet, spec: DatasetSpec, seed: int) -> ParticleSet:
    """The particles and images of a set that a run uses.

    Doses are overridden first, over all images of the input; then the steps apply in the order of
    the fields of the spec.

    Args:
        particles: a set as a reader returns it.
        spec: the selection.
        seed: seed of the run, for ``sort_ptcl_imgs = "random"``.

    Raises:
        DataError: an index file does not fit the set, or nothing is left.
    """
    n_source_particles = particles.n_source_particles
    exposure = _exposures(particles, spec)
    if spec.dose_override is not None:
        particles = override_dose(particles, spec.dose_override)
    if spec.ind_imgs is not None:
        indices = read_indices(spec.ind_imgs, particles.rows_read, "images")
        mask = np.isin(particles.source_image, indices)
        particles = take_images(particles, mask, f"not in {spec.ind_imgs}")
    if spec.ind is not None:
        indices = read_indices(spec.ind, n_source_particles, "particles")
        mask = np.isin(particles.source_particle, indices)
        particles = take_particles(particles, mask, f"particle not in {spec.ind}")
    particles = _take_gentle(particles, spec)
    if spec.use_first_ntilts is not None:
        particles = _take_first_tilts(particles, spec, exposure, seed)
    if spec.min_tilts is not None and particles.n_images:
        mask = particles.counts >= spec.min_tilts
        reason = f"particle with fewer than {spec.min_tilts} tilt images"
        particles = take_particles(particles, mask, reason)
    if spec.use_first_nptcls is not None:
        mask = np.arange(particles.n_particles) < spec.use_first_nptcls
        particles = take_particles(
            particles, mask, f"particle after the first {spec.use_first_nptcls}"
        )
    return leave_out(particles, spec.leave_out_imgs)


def leave_out(particles: ParticleSet, listed: Path | None) -> ParticleSet:
    """The set without the images that a file lists, if there is one.

    Raises:
        DataError: the file does not fit the set, or nothing is left.
    """
    if listed is None:
        return particles
    indices = read_indices(listed, particles.rows_read, "images")
    return take_images(particles, ~np.isin(particles.source_image, indices), f"in {listed}")


def take_images(particles: ParticleSet, mask: NDArray[np.bool_], reason: str) -> ParticleSet:
    """The set with only the images of the mask; particles without images disappear.

    Args:
        particles: a set of M images.
        mask: (M,) True for the images to keep.
        reason: why the others are left out, for ``rejected``.

    Raises:
        DataError: nothing is left.
    """
    if mask.all() and particles.counts.all():
        return particles
    rows = np.flatnonzero(mask)
    kept, counts = np.unique(particles.particle_of_image[rows], return_counts=True)
    rejected = dict(particles.rejected)
    n_left_out = particles.n_images - len(rows)
    if n_left_out:
        rejected[reason] = rejected.get(reason, 0) + n_left_out
    return replace(
        particles,
        counts=counts.astype(np.int64),
        rejected=rejected,
        **particles.take_rows(kept, rows),
    )


def take_particles(particles: ParticleSet, mask: NDArray[np.bool_], reason: str) -> ParticleSet:
    """The set with only the particles of the mask (B,), as :func:`take_images`.

    Where the input has no images, ``rejected`` counts particles.
    """
    if particles.n_images:
        return take_images(particles, mask[particles.particle_of_image], reason)
    kept, n_left_out = np.flatnonzero(mask), int((~mask).sum())
    rejected = dict(particles.rejected)
    if n_left_out:
        rejected[reason] = rejected.get(reason, 0) + n_left_out
    none = np.zeros(0, dtype=np.int64)
    return replace(
        particles,
        counts=particles.counts[kept],
        rejected=rejected,
        **particles.take_rows(kept, none),
    )


def override_dose(particles: ParticleSet, dose_per_tilt_e_per_a2: float) -> ParticleSet:
    """The set with doses that grow by the same amount with each image of a particle.

    Images count in the order of the rows of the input, and are packed by the new doses.

    Args:
        particles: a set of M images.
        dose_per_tilt_e_per_a2: dose of each tilt image in e/A^2.
    """
    order = np.lexsort((particles.source_image, particles.particle_of_image))
    everyone = np.arange(particles.n_particles)
    packed = replace(particles, **particles.take_rows(everyone, order))
    n_before = np.arange(packed.n_images) - packed.starts[packed.particle_of_image]
    dose = (dose_per_tilt_e_per_a2 * (n_before + 1)).astype(np.float32)
    return replace(packed, images=replace(packed.images, dose_e_per_a2=dose))


def rank_within_particle(particles: ParticleSet, values: NDArray[Any]) -> NDArray[np.int64]:
    """(M,) rank of each image among those of its particle by ascending ``values`` (M,), from 0."""
    order = np.lexsort((values, particles.particle_of_image))
    rank = np.empty(particles.n_images, dtype=np.int64)
    rank[order] = np.arange(particles.n_images) - particles.starts[particles.particle_of_image]
    return rank


def read_indices(path: Path, n: int, what: str) -> NDArray[np.int64]:
    """(k,) distinct indices below ``n`` from a file.

    Args:
        path: the index file.
        n: how many ``what`` there are.
        what: what the indices count, for the error.

    Raises:
        DataError: an index is out of range or twice there.
    """
    indices = read_index_file(path)
    outside = indices[(indices < 0) | (indices >= n)]
    if len(outside):
        raise DataError(
            f"{path}: index {outside[0]} is out of range ({len(outside)} such); the input has "
            f"{n} {what}, indices are 0 to {n - 1}"
        )
    distinct, counts = np.unique(indices, return_counts=True)
    if len(distinct) < len(indices):
        raise DataError(
            f"{path}: index {distinct[counts > 1][0]} is there {counts.max()} times; "
            f"each of the {n} {what} (0 to {n - 1}) may be named once"
        )
    return indices


def _take_gentle(particles: ParticleSet, spec: DatasetSpec) -> ParticleSet:
    """The set without images beyond the largest dose or tilt."""
    if spec.max_dose_e_per_a2 is not None:
        mask = particles.images.dose_e_per_a2 <= spec.max_dose_e_per_a2
        reason = f"dose above {spec.max_dose_e_per_a2:g} e/A^2"
        particles = take_images(particles, mask, reason)
    if spec.max_tilt_deg is not None:
        mask = np.abs(particles.images.tilt_deg) <= spec.max_tilt_deg
        particles = take_images(particles, mask, f"tilt above {spec.max_tilt_deg:g} degrees")
    return particles


def _exposures(particles: ParticleSet, spec: DatasetSpec) -> NDArray[np.int64] | None:
    """(rows of the input,) exposure of each image, before any is left out; None for no matter."""
    is_by_dose = spec.sort_ptcl_imgs == "dose_ascending" and spec.dose_override is None
    if spec.use_first_ntilts is None or not is_by_dose:
        return None
    numbers = exposure_numbers(particles)
    if numbers is None:
        return None
    of_row = np.zeros(int(particles.source_image.max()) + 1, dtype=np.int64)
    of_row[particles.source_image] = numbers
    return of_row


def _take_first_tilts(
    particles: ParticleSet, spec: DatasetSpec, exposure: NDArray[np.int64] | None, seed: int
) -> ParticleSet:
    """The images of the first exposures of each tilt series, or the first ones in another order.

    Args:
        particles: a set of M images.
        spec: says how many, and the order.
        exposure: of each row of the input; None to count the images that a particle has.
        seed: of a random order.
    """
    n = spec.use_first_ntilts or 0
    if exposure is not None:
        is_first = exposure[particles.source_image] < n
        return take_images(particles, is_first, f"exposure after the first {n}")
    values: dict[str, NDArray[Any]] = {
        "dose_ascending": np.arange(particles.n_images),
        "unsorted": particles.source_image,
        "random": keyed_uniform(seed, "tilt order", 0, image_keys(particles), 1)[:, 0],
    }
    rank = rank_within_particle(particles, values[spec.sort_ptcl_imgs])
    return take_images(particles, rank < n, f"tilt image after the first {n}")
