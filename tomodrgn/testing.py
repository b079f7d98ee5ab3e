"""Public face of the contract kit: ``from tomodrgn.testing import DecoderContract``."""

from __future__ import annotations

from tomodrgn.core.testing.component_contract import ComponentContract
from tomodrgn.core.testing.contracts import (
    DecoderContract,
    EncoderContract,
    EncodingContract,
    ExporterContract,
    ReaderContract,
    WeightingContract,
)

__all__ = [
    "ComponentContract",
    "DecoderContract",
    "EncoderContract",
    "EncodingContract",
    "ExporterContract",
    "ReaderContract",
    "WeightingContract",
]
