"""Pixel sizes of metadata that the headers of stacks contradict: said once, or refused."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tomodrgn.core.errors import DataError
from tomodrgn.core.inspection.contract import header_pixel_sizes_a
from tomodrgn.core.inspection.header_pixel_size import REMEDY, HeaderConflict, header_conflict

if TYPE_CHECKING:
    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.specs.base import Spec

logger = logging.getLogger(__name__)


def require_pixel_size(particles: ParticleSet, reader: Reader, spec: Spec) -> None:
    """Say where headers of stacks contradict the pixel size of the metadata.

    Args:
        particles: the set, in the pixels of its files.
        reader: knows its stacks.
        spec: of the reader; its pixel size, if there is one, is what the user says.

    Raises:
        DataError: they do so by more than a factor of 1.5, and the user does not say which is
            right.
    """
    is_given = getattr(spec, "pixel_size_a", None) is not None
    found = header_conflict(header_pixel_sizes_a(reader), particles.pixel_size_a)
    if found is not None and found.is_gross and not is_given:
        raise DataError(
            f"{particles.source}: {found.sentence}, so that one of them is wrong, and with it "
            f"every CTF and resolution; {REMEDY}"
        )
    _warn(particles, found, taken="of --Apix" if is_given else "of the metadata")


def say_conflict(particles: ParticleSet, reader: Reader) -> None:
    """Warn where headers contradict the metadata, which are taken."""
    found = header_conflict(header_pixel_sizes_a(reader), particles.pixel_size_a)
    _warn(particles, found, taken="of the metadata")


def _warn(particles: ParticleSet, found: HeaderConflict | None, *, taken: str) -> None:
    if found is not None:
        logger.warning(
            "%s: %s; that %s is taken; %s", particles.source, found.sentence, taken, REMEDY
        )
