"""Samples whose images lie in another order, or have their pixels the other way round."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from tomodrgn.core.inspection.sample import reversed_within

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.inspection.sample import Change, Sample


def _take_images(sample: Sample, source: Tensor) -> Sample:
    """Each row shows the image of another row."""
    return replace(sample, coefficients=sample.coefficients[source])


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


def images_of_next_particle(sample: Sample) -> Sample | None:
    """Pairs of neighbours of equal tilt counts exchange their images, in stack order."""
    order = _by_stack(sample)
    particle = sample.particle[order]
    counts = torch.bincount(particle)
    starts = torch.cumsum(counts, 0) - counts
    partner = torch.arange(len(counts)) ^ 1
    partner = torch.where(partner < len(counts), partner, torch.arange(len(counts)))
    matched = counts[partner] == counts
    if not bool(matched.any()):
        return None
    place = torch.arange(len(particle)) - starts[particle]
    chosen = torch.where(matched, partner, torch.arange(len(counts)))
    source = torch.empty_like(order)
    source[order] = order[starts[chosen[particle]] + place]
    return _take_images(sample, source)


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
