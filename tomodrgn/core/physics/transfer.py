"""From a central slice to what an image holds of it: y = g F + h noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tomodrgn.core.physics.ctf import contrast_transfer

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.particles.tables import ImageState, ImageTable


def signal_transfer(
    images: ImageTable[Tensor], freqs_per_a: Tensor, state: ImageState
) -> Tensor | None:
    """Factor g of each coefficient: C, |C| (phase-flipped) or C^2 (premultiplied).

    Args:
        images: M images.
        freqs_per_a: (P, 2) in 1/angstrom.
        state: what was done to the images upstream.

    Returns:
        (M, P), or None for images without CTF parameters, whose factor is 1.
    """
    if images.ctf is None:
        return None
    transfer = contrast_transfer(images.ctf, freqs_per_a)
    if state.ctf_premultiplied:
        return transfer.square()
    return transfer.abs() if state.phase_flipped else transfer


def phase_flip(transfer: Tensor) -> Tensor:
    """Sign that makes the contrast of an image agree at all frequencies, +1 or -1."""
    return torch.where(transfer < 0, -1.0, 1.0)
