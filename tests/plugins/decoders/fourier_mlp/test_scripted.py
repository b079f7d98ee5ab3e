"""Scripted functions give what the functions give, and nothing depends on their being scripted."""

from __future__ import annotations

import pytest
import torch

from tomodrgn.core.model.mlp import ResidualMlp
from tomodrgn.plugins.decoders.fourier_mlp import sweep
from tomodrgn.plugins.decoders.fourier_mlp.scripted import scripted


def test_a_function_that_cannot_be_scripted_stays_itself() -> None:
    def varied(*numbers: float) -> float:  # scripts know no such arguments
        return sum(numbers)

    assert scripted(varied) is varied


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_a_sweep_gives_the_same_numbers_without_scripts(
    activation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    mlp = ResidualMlp(12, 2, 16, 2, activation)  # type: ignore[arg-type]
    features, latent = torch.randn(700, 9), torch.randn(4, 3)
    owner = torch.arange(4).repeat_interleave(175)

    def gradients() -> list[torch.Tensor]:
        made = sweep.MlpSweep(mlp, latent)
        made.add(features, owner, lambda _, answers: answers.clone())
        found = made.finish()
        assert found.latent is not None
        return [*found.parameters, found.latent]

    expected = gradients()
    monkeypatch.setattr(sweep, "up", sweep._up)
    monkeypatch.setattr(sweep, "down", sweep._down)
    for found, wanted in zip(gradients(), expected, strict=True):
        assert torch.equal(found, wanted)
