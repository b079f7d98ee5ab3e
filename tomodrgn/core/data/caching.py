"""The cache of prepared images of a run, opened or built."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from tomodrgn.core.cache.job import BLOCK_BYTES
from tomodrgn.core.cache.store import ensure_cache
from tomodrgn.core.display import show_progress
from tomodrgn.core.errors import DataError
from tomodrgn.core.files.atomic import make_folder
from tomodrgn.core.memory.footprint import Footprint
from tomodrgn.core.memory.terms import block_term
from tomodrgn.core.memory.work import announce
from tomodrgn.core.products import CACHE

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.cache.store import CoefficientCache
    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.specs.run import RunSpecBase
    from tomodrgn.core.training.devices import Devices


def open_or_build(
    run: RunSpecBase,
    reader: Reader,
    particles: ParticleSet,
    outdir: Path | None,
    devices: Devices,
) -> CoefficientCache:
    """The cache of a run.

    Args:
        run: resolved run spec.
        reader: loads pixels where there is no cache.
        particles: the set.
        outdir: where the cache lies unless the spec names another place.
        devices: processes of the run, which all call this and share the work.

    Raises:
        DataError: neither the spec nor a run directory says where it lies.
    """
    path = run.cache.path
    if path is None:
        if outdir is None:
            raise DataError("prepare: give --cache, the file to write")
        path = outdir / CACHE
    with devices.agreement():
        make_folder(path.parent)
        if run.cache.rebuild or not path.exists():
            blocks = block_term(BLOCK_BYTES, particles.n_images, particles.box_size_px)
            announce(
                Footprint(host=(blocks,)),
                None,
                way_out="take a smaller box (--downsample) or fewer --processes",
                processes=run.cache.processes * devices.n_on_node,
            )
    with show_progress("preparing images") if devices.is_main else nullcontext() as progress:
        return ensure_cache(
            path,
            particles,
            reader,
            run.preparation,
            run.cache,
            progress=progress,
            team=devices,
        )
