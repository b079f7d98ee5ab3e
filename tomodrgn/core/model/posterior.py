"""Gaussian posteriors of latents: their divergence from the prior and draws from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.interfaces import Posterior


def divergence(posterior: Posterior) -> Tensor:
    """(B,) KL divergence from the standard normal, in nats.

    Source:
        Kingma & Welling 2014, arXiv:1312.6114, appendix B.
    """
    mean, log_variance = posterior
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(-1)


def divergence_between(known: Posterior, found: Posterior) -> Tensor:
    """(B,) KL divergence of ``known`` from ``found``, in nats."""
    offset = (known.mean - found.mean).square()
    spread = known.log_variance.exp() + offset
    ratio = spread * (-found.log_variance).exp()
    return 0.5 * (found.log_variance - known.log_variance + ratio - 1).sum(-1)


def draw(posterior: Posterior, noise: Tensor) -> Tensor:
    """(B, Z) latents for standard normal ``noise`` of that shape."""
    return posterior.mean + torch.exp(0.5 * posterior.log_variance) * noise
