"""Public face of the contract kit: ``from tomodrgn.testing import DecoderContract``."""

from __future__ import annotations

from tomodrgn.core.testing.component_contract import ComponentContract
from tomodrgn.core.testing.contracts import (
    DecoderContract,
    EncoderContract,
    EncodingContract,
    WeightingContract,
)
from tomodrgn.core.testing.exporter_contract import ExporterContract
from tomodrgn.core.testing.reader_contract import ReaderContract

__all__ = [
    "ComponentContract",
    "DecoderContract",
    "EncoderContract",
    "EncodingContract",
    "ExporterContract",
    "ReaderContract",
    "WeightingContract",
]
