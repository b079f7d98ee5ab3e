"""Many latents in one go give what one after another gives."""

from __future__ import annotations

import pytest
import torch

from tomodrgn.core.model.mlp import BLOCK, ResidualMlp
from tomodrgn.plugins.decoders.fourier_mlp.many_latents import answers_at_latents


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
@pytest.mark.parametrize("layers", [0, 3])
@pytest.mark.parametrize("n_rows", [1, BLOCK + 1])
def test_latents_do_not_see_each_other(activation: str, layers: int, n_rows: int) -> None:
    torch.manual_seed(0)
    mlp = ResidualMlp(5 + 3, layers, 16, 2, activation).double()  # type: ignore[arg-type]
    features, latents = torch.randn(n_rows, 5).double(), torch.randn(4, 3).double()
    found = answers_at_latents(mlp, features, latents)
    counts = torch.tensor([n_rows])
    alone = [mlp(features, latent[None], counts).detach() for latent in latents]
    torch.testing.assert_close(found, torch.stack(alone))


def test_a_first_layer_that_adds_its_input_is_respected() -> None:
    torch.manual_seed(0)
    mlp = ResidualMlp(8, 1, 8, 2, "relu").double()
    features, latents = torch.randn(7, 5).double(), torch.randn(1, 3).double()
    expected = mlp(features, latents, torch.tensor([7])).detach()
    torch.testing.assert_close(answers_at_latents(mlp, features, latents)[0], expected)
