from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import nn

from tomodrgn.core.analysis.latent_activity import dimension_divergence, latent_activity
from tomodrgn.core.model.volume_model import VolumeModel


class FirstDimensionOnly(nn.Module):
    """A decoder whose coefficients grow with the first latent, and heed no other."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(
        self, freqs: torch.Tensor, latent: torch.Tensor, counts: torch.Tensor
    ) -> torch.Tensor:
        height = torch.repeat_interleave(2 + latent[:, 0], counts)
        shape = torch.exp(-30 * freqs.square().sum(1))
        return torch.stack([height * shape, torch.zeros_like(shape)], dim=1)


def test_the_prior_itself_has_no_divergence() -> None:
    zeros = np.zeros((5, 3), np.float32)
    np.testing.assert_allclose(dimension_divergence(zeros, zeros), 0)


def test_a_dimension_that_moves_nothing_has_no_volume_variance() -> None:
    rng = np.random.default_rng(0)
    mean = rng.standard_normal((50, 2)).astype(np.float32)
    mean = (mean - mean.mean(0)) / mean.std(0)
    found = latent_activity(
        VolumeModel(FirstDimensionOnly(), None),
        mean,
        np.zeros_like(mean),
        epoch=4,
        box_size_px=16,
        extent=0.5,
        autocast=nullcontext,
    )
    # at the mean latent the map is twice the shape, one standard deviation away it gains one
    assert found.volume_variance == pytest.approx([0.25, 0.0], abs=1e-5)
    assert found.divergence == pytest.approx([0.5, 0.5], abs=1e-5)
    assert found.epoch == 4
