"""Samples whose images lie in another order, or have their pixels the other way round."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.inspection.sample import reversed_within

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.inspection.sample import Change, Sample

_SEED: Final = 20240229


def _take_images(sample: Sample, source: Tensor) -> Sample:
    """Each row shows the image of another row."""
    levels = None if sample.levels is None else sample.levels.of(source)
    return replace(sample, coefficients=sample.coefficients[source], levels=levels)


def _by_stack(sample: Sample) -> Tensor:
    """(M,) rows by particle, then by place in the input."""
    return torch.from_numpy(np.lexsort((sample.source_row, sample.particle.numpy())))


def rolled_images(step: int) -> Change:
    """Each row shows the image ``step`` rows further down the input."""

    def change(sample: Sample) -> Sample | None:
        order = torch.from_numpy(np.argsort(sample.source_row))
        source = torch.empty_like(order)
        source[order] = order.roll(-step)
        return _take_images(sample, source)

    return change


def reversed_images(sample: Sample) -> Sample | None:
    """The images of each particle lie in reverse order."""
    order = _by_stack(sample)
    source = torch.empty_like(order)
    source[order] = order[reversed_within(sample.particle[order])]
    return _take_images(sample, source)


def images_by_dose(sample: Sample) -> Sample | None:
    """The images of each particle lie in the order of exposure, in the places of its rows."""
    by_stack = _by_stack(sample)
    dose = sample.images.dose_e_per_a2.numpy()
    by_dose = torch.from_numpy(np.lexsort((dose, sample.particle.numpy())))
    if torch.equal(by_dose, by_stack):
        return None
    source = torch.empty_like(by_stack)
    source[by_dose] = by_stack
    return _take_images(sample, source)


def reversed_stacks(sample: Sample) -> Sample | None:
    """The images of each tomogram lie in reverse order, particles and tilts alike."""
    tomogram = torch.from_numpy(sample.tomogram)[sample.particle]
    order = torch.from_numpy(np.lexsort((sample.source_row, tomogram.numpy())))
    source = torch.empty_like(order)
    source[order] = order[reversed_within(tomogram[order])]
    return _take_images(sample, source)


def images_of_next_particle(sample: Sample) -> Sample | None:
    """Pairs of neighbors of equal tilt counts exchange their images, in stack order."""
    places = torch.arange(sample.n_particles)
    partner = places ^ 1
    return _images_of_particles(sample, torch.where(partner < len(places), partner, places))


def images_of_shifted_particle(step: int) -> Change:
    """Each particle shows the images of the particle ``step`` further down the input."""

    def change(sample: Sample) -> Sample | None:
        return _images_of_particles(sample, torch.arange(sample.n_particles).roll(-step))

    return change


def _images_of_particles(sample: Sample, partner: Tensor) -> Sample | None:
    """Particles show the images of others of as many tilts, image by image in stack order.

    Args:
        sample: whose images change places.
        partner: (B,) place in the input of the particle that each place shows.
    """
    order = _by_stack(sample)
    counts = torch.bincount(sample.particle)
    starts = torch.cumsum(counts, 0) - counts
    by_place = torch.argsort(torch.from_numpy(sample.source_row)[order[starts]])
    shown = torch.empty_like(by_place)
    shown[by_place] = by_place[partner]
    matched = counts[shown] == counts
    if not bool(matched.any()):
        return None
    shown = torch.where(matched, shown, torch.arange(len(counts)))
    particle = sample.particle[order]
    within = torch.arange(len(particle)) - starts[particle]
    source = torch.empty_like(order)
    source[order] = order[starts[shown[particle]] + within]
    return _take_images(sample, source)


def scrambled_images(sample: Sample) -> Sample:
    """Each row shows an image of any row of its tomogram."""
    return _scrambled(sample, np.zeros(len(sample.source_row), dtype=np.int64))


def scrambled_tilts(sample: Sample) -> Sample:
    """The images of each particle are in any order."""
    return _scrambled(sample, sample.particle.numpy())


def scrambled_particles(sample: Sample) -> Sample:
    """Each image is that of any particle of its tomogram with as many exposures before it."""
    particle, dose = sample.particle.numpy(), sample.images.dose_e_per_a2.numpy()
    order = np.lexsort((dose, particle))
    counts = np.bincount(particle)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    return _scrambled(sample, rank)


def _scrambled(sample: Sample, group: NDArray[np.int64]) -> Sample:
    """Images in any order within the groups (M,) of each tomogram; the same in every check."""
    tomogram = sample.tomogram[sample.particle.numpy()]
    anyhow = np.random.default_rng(_SEED).permutation(len(group))
    source = np.empty(len(group), dtype=np.int64)
    source[np.lexsort((group, tomogram))] = np.lexsort((anyhow, group, tomogram))
    return _take_images(sample, torch.from_numpy(source))


def turned_images(matrix: list[list[int]]) -> Change:
    """Pixels moved by a signed permutation of (x, y); the metadata stay."""

    def change(sample: Sample) -> Sample | None:
        k = sample.disc.k
        turned = k @ np.array(matrix)
        box = sample.disc.box_size_px
        conjugate = (turned[:, 1] < 0) | ((turned[:, 1] == 0) & (turned[:, 0] < 0))
        turned = np.where(conjugate[:, None], -turned, turned)
        keys, wanted = k @ [1, 2 * box], turned @ [1, 2 * box]
        order = np.argsort(keys)
        source = torch.from_numpy(order[np.searchsorted(keys, wanted, sorter=order)])
        values = sample.coefficients[:, source]
        flips = torch.from_numpy(conjugate)
        return replace(sample, coefficients=torch.where(flips, values.conj(), values))

    return change
