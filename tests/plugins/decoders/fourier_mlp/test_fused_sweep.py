"""The kernels give what automatic differentiation gives; Triton interprets them on a CPU."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch

from tomodrgn.core.model.mlp import ResidualMlp
from tomodrgn.plugins.decoders.fourier_mlp.fused_sweep import FusedSweep, can_fuse

if TYPE_CHECKING:
    from collections.abc import Iterator

KERNELS = "tomodrgn.plugins.decoders.fourier_mlp.fused_kernels"
COUNTS = torch.tensor([3, 150, 0, 17])
N = int(COUNTS.sum())


@pytest.fixture(scope="module")
def interpreted() -> Iterator[None]:
    """Kernels run by Triton's interpreter, which cannot multiply in bfloat16."""
    if importlib.util.find_spec("triton") is None:
        pytest.skip("Triton is not installed")
    if "triton" in sys.modules:
        pytest.skip("Triton was imported as a compiler")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        patch.setenv("TRITON_DEFAULT_FP_FUSION", "1")
        yield
    sys.modules.pop(KERNELS, None)


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize(("number", "bound"), [(torch.float32, 2e-5), (torch.float16, 0.05)])
@pytest.mark.parametrize(
    ("n_features", "latent_dim", "layers", "width", "activation"),
    [
        (5, 3, 1, 64, "relu"),
        (96, 8, 3, 64, "leaky_relu"),
        (40, 0, 2, 128, "relu"),
        (33, 1, 0, 64, "leaky_relu"),
        (36, 2, 1, 256, "relu"),
    ],
)
def test_fused_sweep_agrees_with_autograd(
    n_features: int,
    latent_dim: int,
    layers: int,
    width: int,
    activation: Any,
    number: torch.dtype,
    bound: float,
) -> None:
    torch.manual_seed(0)
    mlp = ResidualMlp(n_features + latent_dim, layers, width, 2, activation)
    assert can_fuse(mlp, latent_dim)
    features, target = torch.randn(N, n_features), torch.randn(N, 2)
    latent = torch.randn(len(COUNTS), latent_dim) if latent_dim else None
    leaf = None if latent is None else latent.clone().requires_grad_()
    expected_answers = mlp(features, leaf, COUNTS)
    asked = [*mlp.parameters(), *([] if leaf is None else [leaf])]
    wanted = torch.autograd.grad((expected_answers - target).square().sum(), asked)
    answers = torch.zeros(N, 2)

    sweep = FusedSweep(mlp, latent, number)
    owner = torch.repeat_interleave(COUNTS)
    with torch.no_grad():
        for part in (slice(0, 40), slice(40, N)):  # in several calls

            def answer_gradient(
                rows: slice, found: torch.Tensor, part: slice = part
            ) -> torch.Tensor:
                answers[part][rows] = found
                return 2 * (found - target[part][rows])

            sweep.add(features[part], owner[part], answer_gradient)
        gradients = sweep.finish()
    found = [*gradients.parameters, *([] if gradients.latent is None else [gradients.latent])]
    assert (gradients.latent is None) == (latent is None)
    assert _distance(answers, expected_answers.detach()) < bound
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == other.dtype
        assert _distance(one, other) < bound


def _distance(found: torch.Tensor, wanted: torch.Tensor) -> float:
    assert found.shape == wanted.shape
    return float((found - wanted).norm() / wanted.norm())


@pytest.mark.parametrize(
    "mlp",
    [
        ResidualMlp(20, 2, 96, 2, "relu"),  # no tile is 96 wide
        ResidualMlp(64, 2, 64, 2, "relu"),  # the first layer is residual
        ResidualMlp(20, 2, 64, 64, "relu"),  # the last layer is
        ResidualMlp(20, 2, 64, 2, "relu").double(),
    ],
)
def test_other_layers_are_refused(mlp: ResidualMlp) -> None:
    assert not can_fuse(mlp, 0)
