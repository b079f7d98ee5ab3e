"""Encodings by waves along each axis: they differ in their wave numbers alone.

Wave numbers are in radians per cycle/px, so a wave number w is a wave of period 2 pi / w over the
frequency axis: it resolves a point at w / 2 pi pixels from the center of the box.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.interfaces import EncodingContext
    from tomodrgn.plugins.encodings import WaveSpec


class AxisWaves(nn.Module):
    """Sines, then cosines, of every wave number along x, then y, then z.

    Args:
        wave_numbers: (n,) radians per cycle/px.
    """

    wave_numbers: Tensor

    def __init__(self, wave_numbers: Tensor) -> None:
        super().__init__()
        self.register_buffer("wave_numbers", wave_numbers.float(), persistent=False)
        self.out_dim = 6 * len(wave_numbers)

    def forward(self, freqs: Tensor) -> Tensor:
        """(N, 3) cycles/px to (N, 6 n)."""
        angles = freqs[:, :, None] * self.wave_numbers  # (N, 3, n)
        return torch.cat([angles.sin(), angles.cos()], dim=2).flatten(1)


def _geometric(first: float, last: float, n: int) -> Tensor:
    """(n,) numbers from ``first`` to ``last`` in equal ratios; ``first`` alone for n = 1."""
    exponents = torch.arange(n, dtype=torch.float64) / max(n - 1, 1)
    return first * (last / first) ** exponents


def geom_ft(spec: WaveSpec, context: EncodingContext) -> AxisWaves:
    """Wave numbers from pi D to 2 pi."""
    box = context.box_size_px
    return AxisWaves(_geometric(torch.pi * box, 2 * torch.pi, spec.dim or box // 2))


def geom_full(spec: WaveSpec, context: EncodingContext) -> AxisWaves:
    """Wave numbers from pi D to 1."""
    box = context.box_size_px
    return AxisWaves(_geometric(torch.pi * box, 1.0, spec.dim or box // 2))


def geom_lowf(spec: WaveSpec, context: EncodingContext) -> AxisWaves:
    """Wave numbers from D / 2 to 1."""
    box = context.box_size_px
    return AxisWaves(_geometric(box / 2, 1.0, spec.dim or box // 2))


def geom_nohighf(spec: WaveSpec, context: EncodingContext) -> AxisWaves:
    """Wave numbers from D / 2 to 2 pi."""
    box = context.box_size_px
    return AxisWaves(_geometric(box / 2, 2 * torch.pi, spec.dim or box // 2))


def linear_lowf(spec: WaveSpec, context: EncodingContext) -> AxisWaves:
    """Wave numbers 1, 2, ..., n."""
    n = spec.dim or context.box_size_px // 2
    return AxisWaves(torch.arange(1, n + 1, dtype=torch.float64))
