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
    PoseWriter,
    PositionalEncoding,
    Posterior,
    Reader,
    ReaderContext,
    RunResults,
    SelectionWriter,
    SourceRows,
    SubspaceDecoder,
    SubspaceEncoder,
    SubspaceSpec,
    WeightingContext,
    WrittenPoses,
)
from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.classic import Classic
from tomodrgn.core.specs.output import RunDirectorySpec
from tomodrgn.core.specs.run import PartSpec

if TYPE_CHECKING:
    from tomodrgn.core.data.dataset import Dataset
    from tomodrgn.core.data.inputs import Inputs
    from tomodrgn.core.data.labels import Labels
    from tomodrgn.core.data.run import Run
    from tomodrgn.core.files.atomic import write_text_atomic
    from tomodrgn.core.files.labels import read_labels
    from tomodrgn.core.files.mrc import (
        read_mrc_header,
        read_mrc_slices,
        read_volume,
        write_stack,
        write_volume,
    )
    from tomodrgn.core.files.pickles import read_latents
    from tomodrgn.core.geometry.projections import (
        rotations_from_stage_angles,
        shifts_a,
        stage_angles_from_rotations,
    )
    from tomodrgn.core.geometry.rotations import euler_from_matrices, matrices_from_euler
    from tomodrgn.core.inspection.findings import Finding
    from tomodrgn.core.model.ragged import segment_max, segment_mean, segment_median
    from tomodrgn.core.particles.corrections import Corrections
    from tomodrgn.core.particles.tables import CtfTable, ImageTable, OpticsGroup, ParticleSet
    from tomodrgn.core.report.page import Picture, Table
    from tomodrgn.core.report.shown import Shown

API_VERSION: Final = 1
"""Of the hooks and of what is listed here; it grows when something of it changes or goes."""

_LAZY: Final = {
    "Dataset": "tomodrgn.core.data.dataset:Dataset",
    "Inputs": "tomodrgn.core.data.inputs:Inputs",
    "Labels": "tomodrgn.core.data.labels:Labels",
    "Run": "tomodrgn.core.data.run:Run",
    "write_text_atomic": "tomodrgn.core.files.atomic:write_text_atomic",
    "read_labels": "tomodrgn.core.files.labels:read_labels",
    "read_mrc_header": "tomodrgn.core.files.mrc:read_mrc_header",
    "read_mrc_slices": "tomodrgn.core.files.mrc:read_mrc_slices",
    "read_volume": "tomodrgn.core.files.mrc:read_volume",
    "write_stack": "tomodrgn.core.files.mrc:write_stack",
    "write_volume": "tomodrgn.core.files.mrc:write_volume",
    "read_latents": "tomodrgn.core.files.pickles:read_latents",
    "rotations_from_stage_angles": "tomodrgn.core.geometry.projections:rotations_from_stage_angles",
    "shifts_a": "tomodrgn.core.geometry.projections:shifts_a",
    "stage_angles_from_rotations": "tomodrgn.core.geometry.projections:stage_angles_from_rotations",
    "euler_from_matrices": "tomodrgn.core.geometry.rotations:euler_from_matrices",
    "matrices_from_euler": "tomodrgn.core.geometry.rotations:matrices_from_euler",
    "Finding": "tomodrgn.core.inspection.findings:Finding",
    "segment_max": "tomodrgn.core.model.ragged:segment_max",
    "segment_mean": "tomodrgn.core.model.ragged:segment_mean",
    "segment_median": "tomodrgn.core.model.ragged:segment_median",
    "Corrections": "tomodrgn.core.particles.corrections:Corrections",
    "CtfTable": "tomodrgn.core.particles.tables:CtfTable",
    "ImageTable": "tomodrgn.core.particles.tables:ImageTable",
    "OpticsGroup": "tomodrgn.core.particles.tables:OpticsGroup",
    "ParticleSet": "tomodrgn.core.particles.tables:ParticleSet",
    "Picture": "tomodrgn.core.report.page:Picture",
    "Shown": "tomodrgn.core.report.shown:Shown",
    "Table": "tomodrgn.core.report.page:Table",
}

__all__ = [
    "API_VERSION",
    "Classic",
    "Command",
    "Component",
    "Corrections",
    "CtfTable",
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
    "Inputs",
    "Labels",
    "LossWeighting",
    "OpticsGroup",
    "OutputError",
    "PartSpec",
    "ParticleSet",
    "Picture",
    "PluginError",
    "PoseWriter",
    "PositionalEncoding",
    "Posterior",
    "Reader",
    "ReaderContext",
    "Run",
    "RunDirectorySpec",
    "RunError",
    "RunResults",
    "SelectionWriter",
    "Shown",
    "SourceRows",
    "Spec",
    "SpecError",
    "SubspaceDecoder",
    "SubspaceEncoder",
    "SubspaceSpec",
    "Table",
    "TomodrgnError",
    "WeightingContext",
    "WrittenPoses",
    "euler_from_matrices",
    "hookimpl",
    "matrices_from_euler",
    "read_labels",
    "read_latents",
    "read_mrc_header",
    "read_mrc_slices",
    "read_volume",
    "rotations_from_stage_angles",
    "segment_max",
    "segment_mean",
    "segment_median",
    "shifts_a",
    "stage_angles_from_rotations",
    "write_stack",
    "write_text_atomic",
    "write_volume",
]


def __getattr__(name: str) -> Any:
    """Nouns and functions, imported when they are first asked for."""
    if name not in _LAZY:
        raise AttributeError(f"module 'tomodrgn.plugin' has no attribute {name!r}")
    from pkgutil import resolve_name

    return resolve_name(_LAZY[name])
