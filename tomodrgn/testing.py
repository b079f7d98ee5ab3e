"""Public face of what tests of plugins need: ``from tomodrgn.testing import DecoderContract``."""

from __future__ import annotations

from tomodrgn.core.geometry.rotations import random_rotations
from tomodrgn.core.registry import Registry
from tomodrgn.core.testing.builtin_reader import builtin_reader
from tomodrgn.core.testing.component_contract import ComponentContract
from tomodrgn.core.testing.contracts import (
    DecoderContract,
    EncoderContract,
    EncodingContract,
    SubspaceEncoderContract,
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
    "Registry",
    "SubspaceEncoderContract",
    "WeightingContract",
    "builtin_reader",
    "random_rotations",
]
