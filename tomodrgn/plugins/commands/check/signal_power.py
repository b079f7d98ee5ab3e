"""Do the images hold anything at all? Without poses or maps, only by where their power lies.

Noise is as strong in the middle of an image as at its edge; particles are in the middle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.fourier.disc import disc_to_images

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.inspection.sample import Sample

_MIDDLE: Final = 0.5
_EDGE: Final = 0.75
"""Where the edge begins, over the radius at which the window, or a mask upstream, ends it."""
_OPEN: Final = 0.95


def central_excess(sample: Sample) -> Tensor:
    """(B,) by how much pixels vary more in the middle of images than at their edge, relative."""
    disc = sample.disc
    pixels = disc_to_images(torch.view_as_real(sample.coefficients), disc)
    half = disc.box_size_px / 2
    axis = (np.arange(disc.box_size_px) - half) / half
    radius = torch.from_numpy(np.hypot(axis, axis[:, None])).float()
    end = float(radius[sample.window > _OPEN].max())
    middle, edge = radius < _MIDDLE, (radius > _EDGE * end) & (radius < end)
    edges = pixels[:, edge]
    level = edges.mean(1, keepdim=True)
    inner = (pixels[:, middle] - level).square().mean(1)
    outer = (edges - level).square().mean(1)
    sums = torch.zeros(2, sample.n_particles, dtype=torch.float64)
    for place, values in enumerate((inner, outer)):
        sums[place].index_add_(0, sample.particle, values.double())
    return sums[0] / sums[1].clamp_min(1e-30) - 1
