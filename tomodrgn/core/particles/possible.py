"""Whether the numbers of a set can be, whichever reader read it.

Readers of files judge their own columns, whose names and rows they know; this is for those that do
not, such as readers of other packages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.physics.spans import SPANS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ParticleSet


def refuse_impossible(particles: ParticleSet) -> None:
    """Refuse a set with numbers that no microscope records.

    Raises:
        DataError: it names the first image, the number and its likely unit.
    """
    for group in particles.optics:
        if SPANS["pixel_size_a"].excludes(np.array([group.pixel_size_a])).any():
            raise DataError(
                f"{particles.source}: the pixel size {group.pixel_size_a:g} A/px of {group.name} "
                f"is {SPANS['pixel_size_a'].fault(group.pixel_size_a)}; --Apix replaces it"
            )
    for field, quantity, values in _columns(particles):
        span = SPANS[quantity]
        is_bad = span.excludes(values)
        if is_bad.any():
            row = int(np.argmax(is_bad))
            raise DataError(
                f"{particles.source}: image {particles.image_name[row]}: {field} {values[row]:g} "
                f"is {span.fault(float(values[row]))} ({is_bad.sum()} such images)"
            )


def _columns(particles: ParticleSet) -> Iterator[tuple[str, str, NDArray[Any]]]:
    """Fields, their quantities, and their values."""
    images = particles.images
    yield "dose_e_per_a2", "dose_e_per_a2", images.dose_e_per_a2
    yield "tilt_deg", "tilt_deg", images.tilt_deg
    yield "voltage_kv", "voltage_kv", images.voltage_kv
    if images.ctf is None:
        return
    for field in ("defocus_u_a", "defocus_v_a"):
        yield field, "defocus_a", getattr(images.ctf, field)
    for field in ("cs_mm", "amplitude_contrast", "phase_shift_deg"):
        yield field, field, getattr(images.ctf, field)
