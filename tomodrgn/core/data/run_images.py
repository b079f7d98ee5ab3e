"""The images of a run, prepared, normalized and ready to be drawn from."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tomodrgn.core.cache.residency import plan
from tomodrgn.core.cache.stream import open_images
from tomodrgn.core.data.caching import open_or_build
from tomodrgn.core.data.gray_level_record import tell_gray_levels
from tomodrgn.core.memory.footprint import NOTHING
from tomodrgn.core.memory.terms import cache_terms
from tomodrgn.core.memory.work import announce
from tomodrgn.core.particles.image_state import contrast_sign

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from tomodrgn.core.cache.layout import GrayLevelsFound
    from tomodrgn.core.cache.residency import Residency
    from tomodrgn.core.cache.store import CoefficientCache
    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.memory.footprint import Footprint
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.specs.run import RunSpecBase
    from tomodrgn.core.training.devices import Devices
    from tomodrgn.core.training.embedding import CoefficientSource

logger = logging.getLogger(__name__)

WAY_OUT = (
    "keep the cache in its file (--lazy), take smaller batches (--batch-size) or a smaller box "
    "(--downsample)"
)


@dataclass(frozen=True)
class RunImages:
    """Coefficients with sign and scale of a run.

    Attributes:
        cache_rows: (M,) place of every image of the run in the cache.
        source: gives coefficients by cache row.
        norm: shift and scale.
        damage: (M,) code of damage of every image, 0 where it is sound.
        found: what was found of gray levels; None where nobody looked.
    """

    cache_rows: NDArray[np.int64]
    source: CoefficientSource
    norm: tuple[float, float]
    damage: NDArray[np.uint8]
    found: GrayLevelsFound | None


def open_run_images(
    run: RunSpecBase,
    reader: Reader,
    particles: ParticleSet,
    outdir: Path,
    devices: Devices,
    *,
    work: Footprint = NOTHING,
) -> RunImages:
    """The images of a run; its processes build the cache where there is none.

    Args:
        run: resolved run spec.
        reader: loads pixels where there is no cache.
        particles: the set.
        outdir: where the cache lies unless the spec names another place.
        devices: processes and device of the run.
        work: memory that is needed beside the images.

    Raises:
        RunError: memory does not suffice.
    """
    cache = open_or_build(run, reader, particles, outdir, devices)
    with devices.agreement():
        rows = cache.rows(particles)
        damage = tell_gray_levels(cache, particles, reader)
        residency = _plan(run, cache, devices, work)
    norm = run.contrast.norm or (0.0, cache.rms)
    logger.info("images are shifted by %g and scaled by %g", *norm)
    with devices.agreement():  # after all have planned, as what one loads lessens what is free
        source = open_images(
            cache,
            residency,
            devices.device,
            shift=contrast_sign(particles) * norm[0] if norm[0] else 0.0,
            scale=norm[1],
            readers=run.cache.readers,
            prefetch=run.cache.prefetch,
        )
    return RunImages(rows, source, norm, damage, cache.gray_levels())


def _plan(
    run: RunSpecBase, cache: CoefficientCache, devices: Devices, work: Footprint
) -> Residency:
    """Where the processes of this node hold the coefficients, with room for their work."""
    residency = plan(
        cache.n_bytes,
        run.cache,
        devices.device,
        processes=devices.n_on_node,
        host_work_bytes=work.host_bytes,
        device_work_bytes=work.device_bytes,
    )
    logger.info(residency.reason)
    announce(
        cache_terms(cache.n_bytes, residency.kind) + work,
        devices.device,
        way_out=WAY_OUT,
        processes=devices.n_on_node,
    )
    return residency
