"""All that an author of plugins imports: ``from tomodrgn.plugin import Component, Spec, hookimpl``.

What is listed here stays through versions of the interface, :data:`API_VERSION`; any other module
may move. Importing it loads neither torch nor a plugin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tomodrgn.core.command import Command
from tomodrgn.core.components import Component
from tomodrgn.core.errors import (
    DataError,
    OutputError,
    PluginError,
    RunError,
    SpecError,
    TomodrgnError,
)
from tomodrgn.core.extension import Extension
from tomodrgn.core.hookspecs import hookimpl
from tomodrgn.core.interfaces import (
    Decoder,
    DecoderContext,
    Encoder,
    EncoderContext,
    EncodingContext,
    Exporter,
    ExporterContext,
    LossWeighting,
    PositionalEncoding,
    Posterior,
    Reader,
    ReaderContext,
    RunResults,
    SelectionWriter,
    SourceRows,
    WeightingContext,
)
from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.classic import Classic
from tomodrgn.core.specs.output import RunDirectorySpec
from tomodrgn.core.specs.run import PartSpec

if TYPE_CHECKING:
    from tomodrgn.core.data.dataset import Dataset
    from tomodrgn.core.data.labels import Labels
    from tomodrgn.core.data.run import Run
    from tomodrgn.core.inspection.findings import Finding
    from tomodrgn.core.particles.tables import ImageTable, OpticsGroup, ParticleSet
    from tomodrgn.core.report.page import Picture, Table

API_VERSION: Final = 1
"""Of the hooks and of what is listed here; it grows when something of it changes or goes."""

_LAZY: Final = {
    "Finding": "tomodrgn.core.inspection.findings:Finding",
    "Picture": "tomodrgn.core.report.page:Picture",
    "Table": "tomodrgn.core.report.page:Table",
    "Dataset": "tomodrgn.core.data.dataset:Dataset",
    "ImageTable": "tomodrgn.core.particles.tables:ImageTable",
    "Labels": "tomodrgn.core.data.labels:Labels",
    "OpticsGroup": "tomodrgn.core.particles.tables:OpticsGroup",
    "ParticleSet": "tomodrgn.core.particles.tables:ParticleSet",
    "Run": "tomodrgn.core.data.run:Run",
}

__all__ = [
    "API_VERSION",
    "Classic",
    "Command",
    "Component",
    "DataError",
    "Dataset",
    "Decoder",
    "DecoderContext",
    "Encoder",
    "EncoderContext",
    "EncodingContext",
    "Exporter",
    "ExporterContext",
    "Extension",
    "Finding",
    "ImageTable",
    "Labels",
    "LossWeighting",
    "OpticsGroup",
    "OutputError",
    "PartSpec",
    "ParticleSet",
    "Picture",
    "PluginError",
    "PositionalEncoding",
    "Posterior",
    "Reader",
    "ReaderContext",
    "Run",
    "RunDirectorySpec",
    "RunError",
    "RunResults",
    "SelectionWriter",
    "SourceRows",
    "Spec",
    "SpecError",
    "Table",
    "TomodrgnError",
    "WeightingContext",
    "hookimpl",
]


def __getattr__(name: str) -> Any:
    """Nouns, imported when they are first asked for."""
    if name not in _LAZY:
        raise AttributeError(f"module 'tomodrgn.plugin' has no attribute {name!r}")
    from pkgutil import resolve_name

    return resolve_name(_LAZY[name])
