"""Which built-in reader understands a file, by the columns in its first lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tomodrgn.core.files.star import read_star
from tomodrgn.plugins.readers.warp_columns import check_image_series, refuse_bare_images

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.files.star import StarFile

_HEAD_BYTES: Final = 1 << 16


def identify(path: Path) -> str:
    """Kind of the reader for a file.

    Raises:
        DataError: no built-in reader understands it; it says what an image series lacks.
    """
    refuse_bare_images(path)
    head = read_star(path, max_bytes=_HEAD_BYTES)
    for kind, recognises in _RECOGNISERS:
        if recognises(head):
            return kind
    check_image_series(path)
    return "warp_particleseries"


def _is_optimisation_set(star: StarFile) -> bool:
    named = {name for block in star.blocks if block.values is not None for name in block.columns}
    if "rlnTomoParticlesFile" in named:
        return True
    return _has_table(star, "rlnTomoName", "rlnImageName")


def _is_m_volumeseries(star: StarFile) -> bool:
    return _has_table(star, "wrpCoordinateX") or _has_table(star, "wrpCoordinateX1")


def _is_nextpyp(star: StarFile) -> bool:
    optics = _has_table(star, "rlnOpticsGroup", "rlnImagePixelSize")
    needed = ("rlnImageName", "rlnGroupNumber", "rlnOpticsGroup", "rlnCtfScalefactor")
    return optics and _has_table(star, *needed)


def _has_table(star: StarFile, *columns: str) -> bool:
    return any(set(columns) <= set(block.columns) for block in star.tables)


_RECOGNISERS: Final = (
    ("optimisation_set", _is_optimisation_set),
    ("m_volumeseries", _is_m_volumeseries),
    ("nextpyp", _is_nextpyp),
)
"""Readers by how specific their columns are; the image series of Warp comes last."""
