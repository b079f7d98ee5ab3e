"""The contract kit finds what it promises to find."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pytest
import torch
from torch import nn

from tomodrgn.core.specs.base import Spec
from tomodrgn.testing import DecoderContract, WeightingContract

if TYPE_CHECKING:
    from collections.abc import Callable


class _MixingSpec(Spec):
    kind: Literal["mixing"] = "mixing"


class _MixingDecoder(nn.Module):
    """Breaks the contract: every value depends on all frequencies of the batch."""

    def __init__(self, spec: object, context: Any) -> None:
        super().__init__()
        del spec
        self.scale = nn.Parameter(torch.ones(max(context.latent_dim, 1)))

    def forward(self, freqs: torch.Tensor, latent: Any, counts: torch.Tensor) -> torch.Tensor:
        spread = 0.0 if latent is None else (latent * self.scale).sum(1).repeat_interleave(counts)
        value = freqs.mean() + freqs[:, 0] + spread
        return torch.stack([value, value], dim=1)


class _GreedyWeighting:
    """Breaks the contract: weights above one."""

    def __init__(self, spec: object, context: object) -> None:
        del spec, context

    def weights(self, images: Any, radius_px: torch.Tensor) -> torch.Tensor:
        return torch.full((len(images), len(radius_px)), 1.5)


class _Loaded:
    """A component whose factory is at hand."""

    def __init__(self, factory: Callable[..., Any]) -> None:
        self.factory = factory

    def load(self) -> Callable[..., Any]:
        return self.factory


class _MixingContract(DecoderContract):
    __test__ = False
    spec: ClassVar[Spec] = _MixingSpec()


def test_decoder_that_mixes_particles_is_caught() -> None:
    contract = _MixingContract()
    decoder = contract.build(_Loaded(_MixingDecoder), _MixingSpec(), 3)  # type: ignore[arg-type]
    contract.test_each_frequency_has_a_coefficient(decoder)
    with pytest.raises(AssertionError):
        contract.test_particles_do_not_influence_each_other(decoder)
    with pytest.raises(AssertionError):
        contract.test_frequencies_do_not_influence_each_other(decoder)


def test_weights_above_one_are_caught() -> None:
    with pytest.raises(AssertionError):
        WeightingContract().test_weights_lie_between_zero_and_one(_GreedyWeighting(None, None))


def test_option_without_docstring_is_caught() -> None:
    class Bare(Spec):
        kind: Literal["bare"] = "bare"
        size: int = 3

    with pytest.raises(AssertionError, match="options without a docstring: size"):
        DecoderContract().test_every_option_is_documented(Bare())
