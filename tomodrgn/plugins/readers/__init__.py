"""Built-in readers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tomodrgn.core.components import Component
from tomodrgn.core.hookspecs import hookimpl
from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.quantities import PixelSizeA

if TYPE_CHECKING:
    from collections.abc import Iterator


class _StarSpec(Spec):
    """What every reader of a STAR file asks for."""

    path: Path
    """STAR file of the particles."""
    pixel_size_a: PixelSizeA | None = None
    """Pixel size in A/px, instead of the one of the STAR file."""


class _ImageSeriesSpec(_StarSpec):
    """What every reader of tilt images asks for."""

    datadir: Path | None = None
    """Folder of the image stacks, where they are looked for first; then relative to the STAR file,
    then to the current folder."""


class WarpParticleseriesSpec(_ImageSeriesSpec):
    """Options of ``warp_particleseries``."""

    kind: Literal["warp_particleseries"] = "warp_particleseries"


class NextpypSpec(_ImageSeriesSpec):
    """Options of ``nextpyp``."""

    kind: Literal["nextpyp"] = "nextpyp"


class OptimisationSetSpec(_ImageSeriesSpec):
    """Options of ``optimisation_set``."""

    kind: Literal["optimisation_set"] = "optimisation_set"
    tomograms: Path | None = None
    """Tomograms STAR file, instead of the one that the optimisation set names; needed where the
    particles STAR file is given without its set."""
    defocus_sign: Literal["auto", "plus", "minus", "none"] = "auto"
    """Sign with which the height of a particle along the beam adds to its defocus; auto follows
    the program that wrote the set, none leaves the defocus of the tilt series as it is."""
    coordinate_pixel_size_a: PixelSizeA | None = None
    """Pixel size in A/px of coordinates in pixels, instead of the one that the files state."""
    trajectories: bool = True
    """Apply the motion of particles where the set names a file of trajectories."""


class WarpVolumeseriesSpec(_StarSpec):
    """Options of ``warp_volumeseries``."""

    kind: Literal["warp_volumeseries"] = "warp_volumeseries"


class MVolumeseriesSpec(_StarSpec):
    """Options of ``m_volumeseries``."""

    kind: Literal["m_volumeseries"] = "m_volumeseries"


@hookimpl
def tomodrgn_readers() -> Iterator[Component]:
    """Offer the built-in members."""
    yield Component(
        spec=WarpParticleseriesSpec,
        factory="tomodrgn.plugins.readers.warp_particleseries:WarpParticleseries",
        summary="Warp 1, M and cryoSRPNT image series: a STAR file with one row per tilt image",
    )
    yield Component(
        spec=NextpypSpec,
        factory="tomodrgn.plugins.readers.nextpyp:Nextpyp",
        summary="nextPYP image series: one row per tilt image, and a table of optics groups",
    )
    yield Component(
        spec=OptimisationSetSpec,
        factory="tomodrgn.plugins.readers.optimisation_set:OptimisationSet",
        summary="WarpTools and RELION 4 or 5 sets of particles and tomograms, with 2-D stacks",
    )
    yield Component(
        spec=WarpVolumeseriesSpec,
        factory="tomodrgn.plugins.readers.warp_volumeseries:WarpVolumeseries",
        summary="Warp 1 volume series: one row per particle, with coordinates and no tilt images",
    )
    yield Component(
        spec=MVolumeseriesSpec,
        factory="tomodrgn.plugins.readers.m_volumeseries:MVolumeseries",
        summary="M particle poses: one row per particle, over time if sampled, no tilt images",
    )


@hookimpl
def tomodrgn_identify_reader(path: Path) -> str | None:
    """Recognise a file by the columns that its reader needs; say which are missing."""
    from tomodrgn.plugins.readers.identify import identify

    return identify(path)
