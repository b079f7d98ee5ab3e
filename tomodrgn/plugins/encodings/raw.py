"""No encoding: a coordinate network sees the frequency itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.interfaces import EncodingContext
    from tomodrgn.plugins.encodings import NoneSpec


class RawFrequencies(nn.Module):
    """Frequencies in units of Nyquist, in [-1, 1]."""

    out_dim = 3

    def __init__(self, spec: NoneSpec, context: EncodingContext) -> None:
        super().__init__()

    def forward(self, freqs: Tensor) -> Tensor:
        """(N, 3) cycles/px to (N, 3)."""
        return 2.0 * freqs
