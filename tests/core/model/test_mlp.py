from __future__ import annotations

import pytest
import torch

from tomodrgn.core.model.mlp import ResidualMlp


def gradients(mlp: ResidualMlp, latent: torch.Tensor) -> list[torch.Tensor]:
    tensors = [*mlp.parameters(), latent]
    found = [tensor.grad.clone() for tensor in tensors if tensor.grad is not None]
    assert len(found) == len(tensors)
    return found


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
@pytest.mark.parametrize("in_dim", [20, 32])  # 32 makes the first layer residual
def test_the_fused_path_equals_its_plain_twin(activation: str, in_dim: int) -> None:
    torch.manual_seed(0)
    mlp = ResidualMlp(in_dim, 3, 32, 2, activation).double()  # type: ignore[arg-type]
    features = torch.randn(50, in_dim - 8).double()
    latent = torch.randn(3, 8).double().requires_grad_()
    spread = torch.repeat_interleave(torch.tensor([10, 25, 15]))
    found = []
    for path in (mlp._plain, mlp._fused):
        mlp.zero_grad()
        latent.grad = None
        answer = path(features, latent, spread)
        answer.square().sum().backward()
        found.append([answer.detach(), *gradients(mlp, latent)])
    torch.testing.assert_close(found[0], found[1])
    whole = mlp.main(torch.cat([features, latent[spread]], dim=1))
    torch.testing.assert_close(found[1][0], whole.detach())


def test_gradients_reach_the_features() -> None:
    torch.manual_seed(0)
    mlp = ResidualMlp(6, 1, 8, 2, "relu").double()
    features = torch.randn(5, 6).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda rows: mlp._fused(rows, None, None), features)


def test_autocast_takes_no_digits_from_the_fused_path() -> None:
    torch.manual_seed(0)
    mlp = ResidualMlp(20, 3, 32, 2, "relu")
    features, spread = torch.randn(50, 12), torch.tensor([10, 25, 15])
    latent = torch.randn(3, 8).requires_grad_()
    found = []
    for enabled in (False, True):
        mlp.zero_grad()
        latent.grad = None
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss = mlp(features, latent, spread).square().sum()
        loss.backward()
        found.append(gradients(mlp, latent))
    for plain, under_autocast in zip(*found, strict=True):
        assert torch.equal(plain, under_autocast)


def test_a_row_does_not_depend_on_the_others() -> None:
    torch.manual_seed(0)
    mlp = ResidualMlp(6, 2, 16, 3, "relu")
    rows = torch.randn(40, 6)
    torch.testing.assert_close(mlp(rows)[7:9], mlp(rows[7:9]), atol=1e-6, rtol=1e-5)
