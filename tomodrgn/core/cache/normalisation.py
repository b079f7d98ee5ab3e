"""From stored numbers to the coefficients that a network sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalisation:
    """``(stored * stored_scale - shift) / scale``, the shift on the real part alone.

    A shift of the real part shifts the Hartley value of both k and -k.
    """

    shift: float
    scale: float
    stored_scale: float

    def __call__(self, stored: Tensor) -> Tensor:
        """(M, P, 2) as stored to (M, P, 2) float32; the same operations wherever it is held."""
        coefficients = stored.to(torch.float32, copy=True)
        coefficients *= self.stored_scale / self.scale
        if self.shift:
            coefficients[..., 0] -= self.shift / self.scale
        return coefficients
