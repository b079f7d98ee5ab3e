"""Loss weight by radiation damage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tomodrgn.core.physics.dose import dose_attenuation, optimal_dose

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.interfaces import WeightingContext
    from tomodrgn.core.particles.tables import ImageTable
    from tomodrgn.plugins.weightings import DoseSpec


class DoseWeighting:
    """exp(-dose / (2 critical dose)), and zero where the optimal dose is exceeded.

    Source:
        Grant & Grigorieff 2015, doi:10.7554/eLife.06980, eq. 3 and the optimal-dose criterion.
    """

    def __init__(self, spec: DoseSpec, context: WeightingContext) -> None:
        self.box_size_a = context.box_size_px * context.pixel_size_a

    def weights(self, images: ImageTable[Tensor], radius_px: Tensor) -> Tensor:
        """(M, P) in [0, 1]."""
        freqs_per_a = radius_px / self.box_size_a
        left = dose_attenuation(images.dose_e_per_a2, freqs_per_a, images.voltage_kv)
        best = optimal_dose(freqs_per_a[None, :], images.voltage_kv[:, None])
        return left * (images.dose_e_per_a2[:, None] <= best)
