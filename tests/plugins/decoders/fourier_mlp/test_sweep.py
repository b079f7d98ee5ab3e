"""The sweep gives what automatic differentiation gives."""

from __future__ import annotations

import pytest
import torch

from tomodrgn.core.model.mlp import BLOCK, ResidualMlp
from tomodrgn.plugins.decoders.fourier_mlp.sweep import MlpSweep

COUNTS = torch.tensor([3, BLOCK, 0, 17])
N = int(COUNTS.sum())


def gradients_of(
    mlp: ResidualMlp, features: torch.Tensor, latent: torch.Tensor | None, target: torch.Tensor
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Loss, and its derivatives by the parameters and the latent, by autograd."""
    leaf = None if latent is None else latent.clone().requires_grad_()
    loss = (mlp(features, leaf, COUNTS) - target).square().sum()
    asked = [*mlp.parameters(), *([] if leaf is None else [leaf])]
    return loss.detach(), list(torch.autograd.grad(loss, asked))


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
@pytest.mark.parametrize("latent_dim", [0, 3])
@pytest.mark.parametrize("n_features", [5, 16])  # 16 makes the first layer residual without latents
@pytest.mark.parametrize("layers", [0, 2])
def test_sweep_agrees_with_autograd(
    activation: str, latent_dim: int, n_features: int, layers: int
) -> None:
    torch.manual_seed(0)
    mlp = ResidualMlp(n_features + latent_dim, layers, 16, 2, activation).double()  # type: ignore[arg-type]
    features, target = torch.randn(N, n_features).double(), torch.randn(N, 2).double()
    latent = torch.randn(len(COUNTS), latent_dim).double() if latent_dim else None
    expected_loss, expected = gradients_of(mlp, features, latent, target)
    loss = torch.zeros((), dtype=torch.float64)

    def answer_gradient(rows: slice, answers: torch.Tensor) -> torch.Tensor:
        error = answers - targets[rows]
        loss.add_(error.square().sum())
        return 2 * error

    sweep = MlpSweep(mlp, latent)
    owner = torch.repeat_interleave(COUNTS)
    for part in (slice(0, 40), slice(40, N)):  # in several calls
        targets = target[part]
        sweep.add(features[part], owner[part], answer_gradient)
    found = sweep.finish()
    torch.testing.assert_close(loss, expected_loss)
    torch.testing.assert_close(found.parameters, expected[: len(found.parameters)])
    assert (found.latent is None) == (latent is None)
    if found.latent is not None:
        torch.testing.assert_close(found.latent, expected[-1])


def test_autocast_rounds_products_and_nothing_else() -> None:
    torch.manual_seed(0)
    mlp = ResidualMlp(16 + 3, 3, 64, 2, "relu")
    features, latent, target = torch.randn(N, 16), torch.randn(len(COUNTS), 3), torch.randn(N, 2)
    owner = torch.repeat_interleave(COUNTS)

    def gradients() -> list[torch.Tensor]:
        sweep = MlpSweep(mlp, latent)
        sweep.add(features, owner, lambda rows, answers: (answers - target[rows]) / N)
        found = sweep.finish()
        assert found.latent is not None
        return [*found.parameters, found.latent]

    exact = gradients()
    with torch.autocast("cpu", torch.bfloat16):
        rounded = gradients()
    for found, wanted in zip(rounded, exact, strict=True):
        assert found.dtype == wanted.dtype
        difference = (found - wanted).norm() / wanted.norm()
        assert 0 < difference < 0.1  # eight binary digits, through five layers
