"""Built-in readers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import PositiveFloat

from tomodrgn.core.components import Component
from tomodrgn.core.hookspecs import hookimpl
from tomodrgn.core.specs.base import Spec

if TYPE_CHECKING:
    from collections.abc import Iterator


class WarpParticleseriesSpec(Spec):
    """Options of ``warp_particleseries``."""

    kind: Literal["warp_particleseries"] = "warp_particleseries"
    path: Path
    """STAR file with one row per tilt image."""
    datadir: Path | None = None
    """Folder of the image stacks, tried after their paths as written and relative to the STAR file;
    by default the folder of the STAR file."""
    pixel_size_a: PositiveFloat | None = None
    """Pixel size in A/px, instead of the one of the STAR file."""


@hookimpl
def tomodrgn_readers() -> Iterator[Component]:
    """Offer the built-in members."""
    yield Component(
        spec=WarpParticleseriesSpec,
        factory="tomodrgn.plugins.readers.warp_particleseries:WarpParticleseries",
        summary="Warp 1, M and cryoSRPNT image series: a STAR file with one row per tilt image",
    )


@hookimpl
def tomodrgn_identify_reader(path: Path) -> str | None:
    """Recognise an image series by the columns that it needs; say which are missing."""
    from tomodrgn.plugins.readers.warp_columns import check_image_series

    check_image_series(path)
    return "warp_particleseries"
