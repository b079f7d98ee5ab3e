"""The contract of decoders, and a law of this one."""

from __future__ import annotations

import torch
from tomodrgn_gaussian_mixture import GaussianMixtureSpec
from tomodrgn_gaussian_mixture.decoder import GaussianMixture

from tomodrgn.plugin import DecoderContext
from tomodrgn.testing import DecoderContract


class TestGaussianMixture(DecoderContract):
    spec = GaussianMixtureSpec(n_blobs=6)


def test_density_is_real() -> None:
    context = DecoderContext(box_size_px=16, latent_dim=0, encoding=None, seed=0)
    decoder = GaussianMixture(GaussianMixtureSpec(n_blobs=6), context)
    freqs = torch.tensor([[0.1, -0.2, -0.05]])
    here, there = decoder(torch.cat([freqs, -freqs]), None, torch.tensor([2]))
    torch.testing.assert_close(here, there * torch.tensor([1.0, -1.0]))
