"""Means over particles that do not all count alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def mean_of(values: Tensor, weights: Tensor | None) -> Tensor:
    """Mean of values (B, ...) over particles with weights (B,); None where all count alike."""
    if weights is None:
        return values.mean(0)
    weights = weights.to(values)
    mean: Tensor = torch.tensordot(weights, values, 1) / weights.sum()
    return mean


def z_of_mean(values: Tensor, weights: Tensor | None) -> Tensor:
    """Mean of values (..., B) over its standard error (...); 0 where nothing varies."""
    n_particles = values.shape[-1]
    if weights is None:
        mean, error = values.mean(-1), values.std(-1) / n_particles**0.5
    else:
        share = weights.to(values) / weights.sum()
        mean = values @ share
        error = ((values - mean[..., None]).square() @ share.square()).sqrt()
    z: Tensor = torch.where(error > 0, mean / error.clamp_min(1e-30), 0.0)
    return z
