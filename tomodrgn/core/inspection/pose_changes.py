"""Samples whose images are seen from elsewhere: other angles, another tilt, other shifts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.geometry.projections import (
    rotations_from_stage_angles,
    stage_angles_from_rotations,
)
from tomodrgn.core.geometry.rotations import euler_from_matrices, matrices_from_euler
from tomodrgn.core.inspection.transfer_changes import with_defocus

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.inspection.sample import Change, Sample

_SEEN_PX: Final = 0.25
"""Root mean square of shifts below which nothing is lost by getting them wrong."""


def _first_pose(sample: Sample) -> Tensor:
    """(M, 3, 3) the pose of the least tilted image of each particle, for each of its images."""
    order = np.lexsort((sample.images.tilt_deg.abs().numpy(), sample.particle.numpy()))
    _, first = np.unique(sample.particle.numpy()[order], return_index=True)
    rows = torch.from_numpy(order[first])
    first_of_particle: Tensor = sample.images.rotation[rows]
    return first_of_particle[sample.particle]


def _parts(sample: Sample) -> tuple[Tensor, Tensor]:
    """(M, 3, 3) tomogram to image, and reference to tomogram coordinates.

    Where the input gives the pose of images only, the least tilted image stands for the tomogram.
    """
    rotation = sample.images.rotation.double()
    if sample.stage is not None:
        stage = sample.stage.double()
        return stage, stage.mT @ rotation
    first = _first_pose(sample).double()
    return rotation @ first.mT, first


def inverted_orientations(sample: Sample) -> Sample | None:
    """Orientations of particles are those of the inverse rotation."""
    stage, orientation = _parts(sample)
    return sample.with_images(rotation=(stage @ orientation.mT).float())


def inverted_refinements(sample: Sample) -> Sample | None:
    """Rotations relative to the orientation of extraction are those of the inverse rotation."""
    if sample.extraction is None or sample.stage is None:
        return None
    extraction = sample.extraction.double()
    stage, orientation = _parts(sample)
    refined = extraction.mT @ orientation
    return sample.with_images(rotation=(stage @ extraction @ refined.mT).float())


def inverted_image_rotations(sample: Sample) -> Sample | None:
    """Poses of images are those of the inverse rotation."""
    return sample.with_images(rotation=sample.images.rotation.mT.contiguous())


def exchanged_angles(sample: Sample) -> Sample | None:
    """The first and the last Euler angle have changed places."""
    stage, orientation = _parts(sample)
    if sample.stage is None:
        stage, orientation = torch.eye(3, dtype=torch.float64), sample.images.rotation.double()
    euler = euler_from_matrices(orientation.numpy())
    exchanged = torch.from_numpy(matrices_from_euler(euler[:, ::-1]))
    return sample.with_images(rotation=(stage @ exchanged).float())


def inverted_tilts(sample: Sample) -> Sample | None:
    """Tilts inverted, and with them the shifts and heights that a reader projects."""
    stage, orientation = _parts(sample)
    if sample.stage is None:
        return sample.with_images(rotation=(stage.mT @ orientation).float())
    angles = stage_angles_from_rotations(stage.numpy())
    inverted = torch.from_numpy(
        rotations_from_stage_angles(angles[:, 0], -angles[:, 1], angles[:, 2])
    )
    shift = _project_again(sample, sample.images.shift_px, stage[:, :2], inverted[:, :2])
    turned = sample.with_images(rotation=(inverted @ orientation).float(), shift_px=shift)
    turned = replace(turned, stage=inverted)
    if sample.height_a is None:
        return turned
    heights = sample.height_a[:, None]
    added = _project_again(sample, heights, stage[:, 2:], inverted[:, 2:]) - heights
    changed = with_defocus(turned, added[:, 0])
    return turned if changed is None else replace(changed, height_a=(heights + added)[:, 0])


def _project_again(sample: Sample, seen: Tensor, old: Tensor, new: Tensor) -> Tensor:
    """What would be seen of the points of particles along other axes.

    Args:
        sample: says which particle each image shows.
        seen: (M, n) coordinates of one point of each particle, in each of its images.
        old: (M, n, 3) axes along which they were seen.
        new: (M, n, 3) axes along which to look.
    """
    squares = old.new_zeros(sample.n_particles, 3, 3)
    squares.index_add_(0, sample.particle, old.mT @ old)
    products = old.new_zeros(sample.n_particles, 3)
    products.index_add_(0, sample.particle, (old.mT @ seen.double()[..., None])[..., 0])
    points = (torch.linalg.pinv(squares, rtol=1e-6, hermitian=True) @ products[..., None])[..., 0]
    of_image = points[sample.particle][..., None]  # (M, 3, 1)
    change = ((new - old) @ of_image)[..., 0]
    moved: Tensor = seen + change
    return moved.float()


def _are_shifted(sample: Sample) -> bool:
    return float(sample.images.shift_px.square().mean().sqrt()) >= _SEEN_PX


def scaled_shifts(x: float, y: float) -> Change:
    """Shifts multiplied by factors."""

    def change(sample: Sample) -> Sample | None:
        if not _are_shifted(sample):
            return None
        return sample.with_images(shift_px=sample.images.shift_px * torch.tensor([x, y]))

    return change


def shifts_from_angstrom(sample: Sample) -> Sample | None:
    """Shifts that were in angstrom all along."""
    scale = sample.shrinkage / sample.pixel_size_a
    return scaled_shifts(scale, scale)(sample)


def shifts_from_px(sample: Sample) -> Sample | None:
    """Shifts that were in px of the images all along."""
    scale = sample.pixel_size_a / sample.shrinkage
    rms = float(sample.images.shift_px.square().mean().sqrt())
    if rms * scale < _SEEN_PX:
        return None
    return sample.with_images(shift_px=sample.images.shift_px * scale)
