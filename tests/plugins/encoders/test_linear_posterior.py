from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from tomodrgn.core.interfaces import EncoderContext, Posterior, SubspaceEncoder
from tomodrgn.plugins.encoders import LinearPosteriorSpec
from tomodrgn.plugins.encoders.linear_posterior import LinearPosterior
from tomodrgn.testing import SubspaceEncoderContract

if TYPE_CHECKING:
    from torch import Tensor

CONTEXT = EncoderContext(
    box_size_px=16, radius_px=torch.zeros(1), latent_dim=2, min_tilts=1, n_coordinates=3
)


class TestLinearPosterior(SubspaceEncoderContract):
    spec = LinearPosteriorSpec(dim=16)


@pytest.fixture
def encoder() -> LinearPosterior:
    return LinearPosterior(LinearPosteriorSpec(dim=16), CONTEXT)


def _linear(scale: float) -> Posterior:
    random = torch.Generator().manual_seed(0)
    mean: Tensor = scale * torch.randn(40, 3, generator=random)
    return Posterior(mean, -1 + 0.1 * torch.randn(40, 3, generator=random))


def test_scales_of_the_data_do_not_matter(encoder: LinearPosterior) -> None:
    found = []
    for scale in (1.0, 7.0):
        encoder.begin(_linear(scale))
        found.append(encoder(_linear(scale)).mean)
    torch.testing.assert_close(found[0], found[1], atol=1e-4, rtol=1e-4)


def test_latents_begin_as_coordinates(encoder: LinearPosterior) -> None:
    encoder.begin(_linear(1.0))
    mean = encoder(_linear(1.0)).mean
    for latent in range(2):
        together = torch.stack([mean[:, latent], _linear(1.0).mean[:, latent]])
        assert float(torch.corrcoef(together)[0, 1].detach()) > 0.9


def test_it_says_what_it_is(encoder: LinearPosterior) -> None:
    assert isinstance(encoder, SubspaceEncoder)
