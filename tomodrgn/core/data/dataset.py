"""A data set: the particles of an input as a run spec declares and selects them, with a reader."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING, Final

from tomodrgn.core.cache.downsampled import DownsampledReader
from tomodrgn.core.data.ctf_state import require_ctf_state
from tomodrgn.core.data.pixel_size import require_pixel_size
from tomodrgn.core.errors import DataError
from tomodrgn.core.fourier.cropping import require_smaller_box
from tomodrgn.core.gray_levels.reader import NormalizingReader
from tomodrgn.core.interfaces import Reader, ReaderContext
from tomodrgn.core.particles.downsampling import downsample_particles
from tomodrgn.core.particles.image_state import declare_state, describe_state
from tomodrgn.core.particles.possible import refuse_impossible
from tomodrgn.core.particles.selection import select
from tomodrgn.core.particles.tilt_counts import require_tilts

if TYPE_CHECKING:
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.registry import Registry
    from tomodrgn.core.specs.dataset import PreparationSpec
    from tomodrgn.core.specs.run import RunSpecBase

logger = logging.getLogger(__name__)


_OF_READING: Final = ("reader", "image_state", "contrast", "preparation")
"""Sections of a run spec that say what is read and how."""


class Dataset:
    """The input of a run spec: read when it is first asked for, and once.

    Attributes:
        spec: the run spec.
        registry: offers the reader, and the parts of models that look at the data.
    """

    def __init__(
        self,
        spec: RunSpecBase,
        registry: Registry,
        *,
        known: tuple[Reader, ParticleSet] | None = None,
    ) -> None:
        """Of a spec.

        Args:
            spec: resolved run spec.
            registry: offers its parts.
            known: reader and particles, where they have been read.
        """
        self.spec = spec
        self.registry = registry
        if known is not None:
            self.selected = known

    def with_spec(self, spec: RunSpecBase) -> Dataset:
        """The same input with another selection, seed or model.

        It is not read again, unless the new spec names another input or calls it otherwise.
        """
        other = Dataset(spec, self.registry)
        is_same = all(getattr(spec, name) == getattr(self.spec, name) for name in _OF_READING)
        if is_same and "everything" in self.__dict__:
            other.everything = self.everything
        return other

    def replaced(self, spec: RunSpecBase, reader: Reader, particles: ParticleSet) -> Dataset:
        """What became of it: a spec that says more, and the particles that are left."""
        return Dataset(spec, self.registry, known=(reader, particles))

    @cached_property
    def everything(self) -> tuple[Reader, ParticleSet]:
        """The reader and all particles of the input, in the state that the spec declares.

        Raises:
            DataError: the input has no tilt images, or nothing tells whether they are
                CTF-premultiplied.
        """
        reader: Reader = self.registry.build(self.spec.reader, ReaderContext())
        return read_input(self.spec, reader)

    @cached_property
    def selected(self) -> tuple[Reader, ParticleSet]:
        """The reader and the particles that the spec selects, with images of its box.

        Raises:
            DataError: the input has no tilt images or one of each particle, nothing of it is
                selected, or its images are smaller than they are to be.
        """
        reader, particles = self.everything
        require_tilts(particles)
        return select_particles(self.spec, reader, particles)

    @property
    def reader(self) -> Reader:
        """Reads the images of :attr:`particles`."""
        return self.selected[0]

    @property
    def particles(self) -> ParticleSet:
        """The particles that the spec selects."""
        return self.selected[1]

    def __repr__(self) -> str:
        """What it holds, in a line."""
        particles = self.particles
        return (
            f"Dataset({str(particles.source)!r}: {particles.n_images} images of "
            f"{particles.n_particles} particles, box {particles.box_size_px} px, "
            f"{particles.pixel_size_a:.4g} A/px)"
        )


def read_input(run: RunSpecBase, reader: Reader) -> tuple[Reader, ParticleSet]:
    """The reader of a run and all particles of its input, in the state that the run declares.

    Raises:
        DataError: the input has no tilt images, its pixel size is contradicted by its stacks, or
            nothing tells whether they are CTF-premultiplied.
    """
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
