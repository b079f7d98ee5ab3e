"""Built-in readers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tomodrgn.core.components import Component
from tomodrgn.core.hookspecs import hookimpl
from tomodrgn.plugins.readers.specs import (
    MVolumeseriesSpec,
    NextpypSpec,
    OptimisationSetSpec,
    WarpParticleseriesSpec,
    WarpVolumeseriesSpec,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@hookimpl
def tomodrgn_readers() -> Iterator[Component]:
    """Offer the built-in members."""
    yield Component(
        spec=WarpParticleseriesSpec,
        factory="tomodrgn.plugins.readers.image_series.warp_particleseries:WarpParticleseries",
        summary="Warp 1, M and cryoSRPNT image series: a STAR file with one row per tilt image",
    )
    yield Component(
        spec=NextpypSpec,
        factory="tomodrgn.plugins.readers.image_series.nextpyp:Nextpyp",
        summary="nextPYP image series: one row per tilt image, and a table of optics groups",
    )
    yield Component(
        spec=OptimisationSetSpec,
        factory="tomodrgn.plugins.readers.optimisation_set.reader:OptimisationSet",
        summary="WarpTools and RELION 4 or 5 sets of particles and tomograms, with 2-D stacks",
    )
    yield Component(
        spec=WarpVolumeseriesSpec,
        factory="tomodrgn.plugins.readers.volume_series.warp_volumeseries:WarpVolumeseries",
        summary="Warp 1 volume series: one row per particle, with coordinates and no tilt images",
    )
    yield Component(
        spec=MVolumeseriesSpec,
        factory="tomodrgn.plugins.readers.volume_series.m_volumeseries:MVolumeseries",
        summary="M particle poses: one row per particle, over time if sampled, no tilt images",
    )


@hookimpl
def tomodrgn_identify_reader(path: Path) -> str | None:
    """Recognise a file by the columns that its reader needs; say which are missing."""
    from tomodrgn.plugins.readers.identify import identify

    return identify(path)
