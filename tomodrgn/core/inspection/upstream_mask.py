"""Did upstream programs mask the images? The noise says where it is weaker.

RELION and its like set what lies beyond a circle to zero. A model of the noise has to know, because
a mask is a window: it spreads power over neighboring frequencies.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import torch

from tomodrgn.core.fourier.disc import disc_to_images

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.inspection.sample import Sample

_INSIDE: Final = (0.55, 0.8)
"""Radii in units of the half box: outside most particles, and inside of most masks."""
_CORNERS: Final = (1.0, 1.15)
_MASKED: Final = 0.5
"""Deviation of corners, over that inside, below which images are masked."""


def with_upstream_mask(sample: Sample) -> Sample:
    """The sample whose window knows a circular mask, if its images have one."""
    if not len(sample.coefficients):
        return sample
    box = sample.disc.box_size_px
    half = box // 2
    pixels = disc_to_images(torch.view_as_real(sample.coefficients), sample.disc)
    axis = torch.arange(box) - half
    radius = torch.hypot(axis[:, None].double(), axis[None, :].double())
    ring = radius.round().long()
    power = pixels.square().flatten(1)
    rings = torch.zeros(len(power), int(ring.max()) + 1).index_add_(1, ring.ravel(), power)
    profile = (rings / torch.bincount(ring.ravel())).median(0).values
    distance = torch.arange(len(profile)) / half
    inside = profile[(distance >= _INSIDE[0]) & (distance <= _INSIDE[1])].mean()
    corners = profile[(distance >= _CORNERS[0]) & (distance <= _CORNERS[1])].mean()
    if not bool(corners < _MASKED**2 * inside):
        return sample
    outer = distance > _INSIDE[1]
    strength: Tensor = torch.where(outer, (profile / inside).sqrt().clamp(max=1), 1.0)
    # what the window itself does to the noise is in the profile already
    mask = torch.where(sample.window > 0, strength[ring].float(), 0.0)
    return replace(sample, window=torch.minimum(sample.window, mask), is_masked=True)
