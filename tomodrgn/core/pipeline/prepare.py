"""From the particles file to prepared coefficients: read, select, build or open the cache."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tomodrgn.core.cache.downsampled import DownsampledReader
from tomodrgn.core.cache.job import BLOCK_BYTES
from tomodrgn.core.cache.store import ensure_cache
from tomodrgn.core.errors import DataError
from tomodrgn.core.files.atomic import make_folder
from tomodrgn.core.fourier.cropping import require_smaller_box
from tomodrgn.core.gray_levels.reader import NormalizingReader
from tomodrgn.core.interfaces import Reader, ReaderContext
from tomodrgn.core.particles.downsampling import downsample_particles
from tomodrgn.core.particles.image_state import declare_state, describe_state
from tomodrgn.core.particles.possible import refuse_impossible
from tomodrgn.core.particles.selection import select
from tomodrgn.core.particles.tilt_counts import require_tilts
from tomodrgn.core.pipeline.ctf_state import require_ctf_state
from tomodrgn.core.pipeline.damaged import tell_gray_levels
from tomodrgn.core.pipeline.display import show_progress
from tomodrgn.core.pipeline.memory import announce
from tomodrgn.core.pipeline.pixel_size import require_pixel_size
from tomodrgn.core.planning.footprint import Footprint
from tomodrgn.core.planning.terms import block_term

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.cache.store import CoefficientCache
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.registry import Registry
    from tomodrgn.core.specs.dataset import PreparationSpec
    from tomodrgn.core.specs.run import RunSpecBase

logger = logging.getLogger(__name__)

DEFAULT_CACHE = "cache.h5"


def prepare(run: RunSpecBase, registry: Registry, outdir: Path | None) -> Path:
    """Build the cache of a run, or find that it is there already; its path.

    Args:
        run: resolved run spec.
        registry: offers the reader.
        outdir: run directory, where the cache lies unless the spec names another place.
    """
    reader, particles = read_particles(run, registry)
    cache = open_or_build(run, reader, particles, outdir)
    tell_gray_levels(cache, particles, reader)
    return cache.path


def read_particles(run: RunSpecBase, registry: Registry) -> tuple[Reader, ParticleSet]:
    """The reader of a run and the particles that it uses, both with images of the box of the run.

    Raises:
        DataError: the input has no tilt images or one of each particle, nothing of it is
            selected, or its images are smaller than they are to be.
    """
    reader, particles = read_input(run, registry)
    require_tilts(particles)
    return select_particles(run, reader, particles)


def read_input(run: RunSpecBase, registry: Registry) -> tuple[Reader, ParticleSet]:
    """The reader of a run and all particles of its input, in the state that the run declares.

    Raises:
        DataError: the input has no tilt images, its pixel size is contradicted by its stacks, or
            nothing tells whether they are CTF-premultiplied.
    """
    reader: Reader = registry.build(run.reader, ReaderContext())
    particles = reader.read()
    refuse_impossible(particles)
    if not reader.has_images:
        raise DataError(
            f"{particles.source}: holds one row per particle and no tilt images; give the "
            "particle-series STAR file, one row per tilt image"
        )
    logger.info(
        "%s: %d images read, %d images of %d particles, box %d px, %.4g A/px",
        particles.source,
        particles.rows_read,
        particles.n_images,
        particles.n_particles,
        particles.box_size_px,
        particles.pixel_size_a,
    )
    for reason, n_rows in particles.rejected.items():
        logger.info("rejected %d images: %s", n_rows, reason)
    require_pixel_size(particles, reader, run.reader)
    particles = declare_state(particles, run.image_state, run.contrast)
    particles = require_ctf_state(particles, reader)
    reader = looking(reader, particles, run.preparation)
    for group in particles.optics:
        logger.info("%s: images are %s", group.name, describe_state(group.state))
    return reader, particles


def looking(reader: Reader, particles: ParticleSet, preparation: PreparationSpec) -> Reader:
    """The reader of all of a set, which looks at the gray levels of images unless it must not."""
    if preparation.normalize == "off":
        return reader
    return NormalizingReader(reader, particles, forced=preparation.normalize == "on")


def innermost(reader: Reader) -> Reader:
    """The reader of the files themselves."""
    while isinstance(reader, DownsampledReader | NormalizingReader):
        reader = reader.reader
    return reader


def select_particles(
    run: RunSpecBase, reader: Reader, particles: ParticleSet
) -> tuple[Reader, ParticleSet]:
    """What a run uses of its input: the selection, with images of the box of the run.

    Raises:
        DataError: nothing is selected, or the images are smaller than they are to be.
    """
    seed = 0 if run.seed is None else run.seed
    selected = select(particles, run.dataset, seed)
    if selected.n_images != particles.n_images:
        logger.info("selected %d images of %d particles", selected.n_images, selected.n_particles)
    box = run.preparation.downsample
    if box is None:
        return reader, selected
    return downsampled(reader, selected, box)


def downsampled(
    reader: Reader, particles: ParticleSet, box_size_px: int
) -> tuple[Reader, ParticleSet]:
    """Reader and particles with images cropped to a box.

    Raises:
        DataError: the box is not smaller than that of the images.
    """
    original_px = particles.box_size_px
    require_smaller_box(box_size_px, original_px)
    smaller = downsample_particles(particles, box_size_px)
    logger.info("downsampled to box %d px, %.4g A/px", box_size_px, smaller.pixel_size_a)
    return DownsampledReader(reader, original_px, box_size_px), smaller


def open_or_build(
    run: RunSpecBase, reader: Reader, particles: ParticleSet, outdir: Path | None
) -> CoefficientCache:
    """The cache of a run.

    Raises:
        DataError: neither the spec nor a run directory says where it lies.
    """
    path = run.cache.path
    if path is None:
        if outdir is None:
            raise DataError("prepare: give --cache, the file to write")
        path = outdir / DEFAULT_CACHE
    make_folder(path.parent)
    if run.cache.rebuild or not path.exists():
        blocks = block_term(BLOCK_BYTES, particles.n_images, particles.box_size_px)
        announce(
            Footprint(host=(blocks,)),
            None,
            way_out="take a smaller box (--downsample) or fewer --processes",
            processes=run.cache.processes,
        )
    with show_progress("preparing images") as progress:
        return ensure_cache(path, particles, reader, run.preparation, run.cache, progress=progress)
