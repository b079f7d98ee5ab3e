"""Fused layers serve only where they were found right and faster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from tomodrgn.core.model.mlp import ResidualMlp
from tomodrgn.plugins.decoders.fourier_mlp import fused_choice
from tomodrgn.plugins.decoders.fourier_mlp.sweep import MlpSweep

if TYPE_CHECKING:
    from tomodrgn.core.interfaces import SweepGradients

_random = torch.Generator().manual_seed(0)
FEATURES = torch.randn(40, 6, generator=_random)
LATENT = torch.randn(3, 2, generator=_random)


@pytest.fixture(autouse=True)
def _nothing_found_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused_choice, "verdicts", {})
    monkeypatch.setattr(fused_choice.importlib.util, "find_spec", lambda _: True)


@pytest.fixture
def mlp() -> ResidualMlp:
    torch.manual_seed(0)
    return ResidualMlp(8, 1, 64, 2, "relu")


class WrongSweep(MlpSweep):
    def finish(self) -> SweepGradients:
        found = super().finish()
        return found._replace(parameters=[2 * found.parameters[0], *found.parameters[1:]])


def broken(*_: object) -> MlpSweep:
    raise RuntimeError("no such instruction\nmany lines more")


def asked(mlp: ResidualMlp) -> object:
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        return fused_choice.fused_sweep(mlp, LATENT, lambda: FEATURES)


@pytest.mark.parametrize(
    ("sweep", "duration", "is_taken", "reason"),
    [
        (MlpSweep, 1.0, True, "fused layers: "),
        (MlpSweep, -1.0, False, "layer by layer: "),
        (WrongSweep, 1.0, False, "gradients of fused layers differ by "),
        (broken, 1.0, False, "fused layers failed: no such instruction"),
    ],
)
def test_the_better_path_serves_and_the_log_says_once_why(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    mlp: ResidualMlp,
    sweep: Any,
    duration: float,
    is_taken: bool,
    reason: str,
) -> None:
    durations = {"fused": 2 - duration, "plain": 2 + duration}
    monkeypatch.setattr(fused_choice, "FusedSweep", sweep)
    monkeypatch.setattr(fused_choice, "_seconds", lambda work, _: durations[work.__name__])
    with caplog.at_level("INFO"):
        for _ in range(2):
            assert (asked(mlp) is not None) == is_taken
    (message,) = caplog.messages
    assert reason in message
    assert "many lines" not in message


def test_without_triton_nothing_is_tried(monkeypatch: pytest.MonkeyPatch, mlp: ResidualMlp) -> None:
    monkeypatch.setattr(fused_choice.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(fused_choice, "compared", broken)
    assert asked(mlp) is None
    (verdict,) = fused_choice.verdicts.values()
    assert "Triton is not installed" in verdict.why


def test_all_digits_stay_with_automatic_differentiation(mlp: ResidualMlp) -> None:
    with torch.no_grad():
        assert fused_choice.fused_sweep(mlp, LATENT, lambda: FEATURES) is None
    assert not fused_choice.verdicts
