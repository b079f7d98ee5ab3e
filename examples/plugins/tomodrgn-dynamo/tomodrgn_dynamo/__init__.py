"""Dynamo tables: read particles and their tilt images, write runs back as tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeFloat, PositiveFloat

from tomodrgn.plugin import Component, Spec, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator


class DynamoReaderSpec(Spec):
    """Options of the reader ``dynamo_table``."""

    kind: Literal["dynamo_table"] = "dynamo_table"
    path: Path
    """Dynamo table (.tbl, text) of the particles."""
    tilts: Path | None = None
    """CSV file with one row per tilt image of each tomogram; by default tilts.csv beside the table.
    """
    datadir: Path | None = None
    """Folder of the stacks particle_00001.mrcs and so on, one per tag; by default that of the
    table."""
    pixel_size_a: PositiveFloat | None = None
    """Pixel size of the tilt images in A/px, instead of the one in the headers of the stacks."""
    table_pixel_size_a: PositiveFloat | None = None
    """Pixel size in A/px of the tomograms that the table counts in, instead of its column 36."""
    voltage_kv: PositiveFloat = 300.0
    """Acceleration voltage in kV."""
    cs_mm: NonNegativeFloat = 2.7
    """Spherical aberration in mm."""
    amplitude_contrast: NonNegativeFloat = 0.07
    """Fraction of amplitude contrast."""


class DynamoExporterSpec(Spec):
    """Options of the exporter ``dynamo_table``."""

    kind: Literal["dynamo_table"] = "dynamo_table"
    labels: Path | None = None
    """Whole-number labels of the particles of the run, in their order (.pkl, .npy or .txt), for the
    column of classes."""
    pixel_size_a: PositiveFloat | None = None
    """Pixel size in A/px of the tomograms that the table counts in, instead of that of the run."""


@hookimpl
def tomodrgn_readers() -> Iterator[Component]:
    """Offer the reader."""
    yield Component(
        spec=DynamoReaderSpec,
        factory="tomodrgn_dynamo.reader:DynamoReader",
        summary="Dynamo tables, with a stack of tilt images for each particle",
    )


@hookimpl
def tomodrgn_identify_reader(path: Path) -> str | None:
    """Recognize a table by its ending; what is in it is for the reader to check."""
    return "dynamo_table" if path.suffix == ".tbl" else None


@hookimpl
def tomodrgn_exporters() -> Iterator[Component]:
    """Offer the exporter."""
    yield Component(
        spec=DynamoExporterSpec,
        factory="tomodrgn_dynamo.exporter:DynamoExporter",
        summary="Dynamo table of the particles of a run, with their classes and latents",
    )
