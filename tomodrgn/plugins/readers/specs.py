"""What the user may say of each built-in reader."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.quantities import PixelSizeA


class _StarSpec(Spec):
    """What every reader of a STAR file asks for."""

    path: Path
    """STAR file of the particles."""
    pixel_size_a: PixelSizeA | None = None
    """Pixel size in A/px, instead of the one of the STAR file."""


JoinBy: TypeAlias = Literal["auto", "name", "stack"]


class _ImageSeriesSpec(_StarSpec):
    """What every reader of tilt images asks for."""

    datadir: Path | None = None
    """Folder of the image stacks, where they are looked for first; then relative to the STAR file,
    then to the current folder."""
    join_by: JoinBy = "auto"
    """What tells sessions apart that were joined under equal names of tomograms: auto refuses them,
    name takes tomograms of one name for one wherever their stacks lie, stack makes the folder of
    the stack part of the name (image series only: sets find tilt series by name)."""


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
