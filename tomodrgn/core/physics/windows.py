"""Soft circular windows in real space."""

from __future__ import annotations

import torch


def circular_window(box_size_px: int, *, inner: float, outer: float) -> torch.Tensor:
    """(D, D) float32: 1 inside ``inner``, a cosine edge, 0 beyond ``outer``.

    Args:
        box_size_px: D; the center is pixel D // 2.
        inner: radius where the edge starts, as a fraction of the half box.
        outer: radius where it ends, larger than ``inner``.
    """
    axis = (torch.arange(box_size_px, dtype=torch.float64) - box_size_px // 2) / (box_size_px / 2)
    radius = torch.hypot(axis[:, None], axis[None, :])
    edge = ((radius - inner) / (outer - inner)).clamp(0, 1)
    return (0.5 * (1 + torch.cos(torch.pi * edge))).to(torch.float32)
