"""Loss weight by stage tilt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.interfaces import WeightingContext
    from tomodrgn.core.particles.tables import ImageTable
    from tomodrgn.plugins.weightings import TiltSpec


class TiltWeighting:
    """Cosine of the tilt: the path through the sample grows as its inverse."""

    def __init__(self, spec: TiltSpec, context: WeightingContext) -> None:
        del spec, context

    def weights(self, images: ImageTable[Tensor], radius_px: Tensor) -> Tensor:
        """(M, P) in [0, 1]."""
        cosine = torch.cos(torch.deg2rad(images.tilt_deg)).clamp(0, 1)
        return cosine[:, None].expand(-1, len(radius_px))
