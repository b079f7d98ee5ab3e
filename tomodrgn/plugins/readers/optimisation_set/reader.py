"""Sets of particles and tomograms by WarpTools and RELION 4 or 5, with a stack for each particle.

The poses of particles are combined here with the projections of their tilt series into the poses of
images. Frames that a particle is not seen in, and dark frames, are rejected and counted. The order
of rows does not matter. What columns mean is told in the modules that read them.

Source:
    RELION 5 (doi:10.1002/2211-5463.13873) and WarpTools (doi:10.1038/s41592-019-0580-y).
"""

from __future__ import annotations

import logging
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from tomodrgn.core.errors import DataError
from tomodrgn.plugins.readers.optimisation_set.assembly import set_with_images, set_without_images
from tomodrgn.plugins.readers.optimisation_set.files import SetFiles, read_set
from tomodrgn.plugins.readers.optimisation_set.frame_stacks import FrameStacks, find_stacks
from tomodrgn.plugins.readers.optimisation_set.joined_sets import refuse_joined_tomograms
from tomodrgn.plugins.readers.optimisation_set.packed_frames import frames_of_particles
from tomodrgn.plugins.readers.optimisation_set.particles import (
    SetParticles,
    describe_particles,
    particle_names,
    read_particles,
)
from tomodrgn.plugins.readers.optimisation_set.refined_poses import write_poses
from tomodrgn.plugins.readers.optimisation_set.tomograms import Tomograms, read_tomograms
from tomodrgn.plugins.readers.optimisation_set.trajectories import (
    extracted_along,
    read_trajectories,
)
from tomodrgn.plugins.readers.optimisation_set.write import SelectableSet
from tomodrgn.plugins.readers.upstream_files import set_columns as columns
from tomodrgn.plugins.readers.upstream_files.image_stacks import describe_file
from tomodrgn.plugins.readers.upstream_files.selecting import WritesSelections

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.interfaces import ReaderContext, WrittenPoses
    from tomodrgn.core.particles.corrections import Corrections
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.plugins.readers.optimisation_set.visible_frames import FrameLists
    from tomodrgn.plugins.readers.specs import OptimisationSetSpec

logger = logging.getLogger(__name__)

_EXTRACT: Final = "RELION 5: --stack2d, WarpTools: --2d"


class OptimisationSet(WritesSelections):
    """Reads a set; the rows it asks for are places in the lists of frames of all particles."""

    has_images = True

    def __init__(self, spec: OptimisationSetSpec, context: ReaderContext) -> None:
        self._spec = spec
        self._needs_images = context.needs_images
        self._stacks: FrameStacks | None = None
        self._find: Callable[[], FrameStacks] | None = None
        self._paths: tuple[Path, ...] = ()
        self._pixel_size_a = 0.0

    def read(self) -> ParticleSet:
        """Metadata of all visible frames of all particles, with the headers of all stacks checked.

        Where tilt images are not needed, stacks are not looked for, and a set in which tilt images
        are not described is read without them.

        Raises:
            DataError: a file is missing or cannot be understood; images are missing or damaged.
        """
        files = read_set(self._spec.path, self._spec.tomograms)
        table = read_particles(files.particles)
        tomogram_of, names = pd.factorize(table[columns.TOMOGRAM])
        tomograms = (
            None if files.tomograms is None else read_tomograms(files.tomograms, list(names))
        )
        particles = describe_particles(
            files, table, tomograms, tomogram_of, self._spec, needs_images=self._needs_images
        )
        self._pixel_size_a = particles.pixel_size_a
        if files.tomograms is not None:
            refuse_joined_tomograms(table, particles.path, files.tomograms.path, self._spec.join_by)
        of_tomograms = () if tomograms is None else tomograms.paths
        self._paths = tuple(dict.fromkeys((files.path, particles.path, *of_tomograms)))
        fault = _fault_of_images(particles, tomograms)
        if tomograms is not None and fault is None:
            frames = frames_of_particles(particles, tomograms)
            self._find = _finding(particles, frames, self._spec.datadir)
            if self._needs_images:
                self._stacks = self._located()
            return set_with_images(
                particles,
                tomograms,
                frames,
                self._motion_a(files, table, frames),
                defocus_sign=self._spec.defocus_sign,
                box_size_px=self._stacks.box_size_px if self._stacks else None,
            )
        if self._needs_images:
            raise DataError(f"{self._spec.path}: {fault}")
        logger.warning("%s: read without tilt images: %s", self._spec.path, fault)
        return set_without_images(particles)

    def load_images(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, D, D) pixels of places in the lists of frames, in that order."""
        return self._located().load(np.asarray(rows, dtype=np.int64))

    @property
    def stack_paths(self) -> tuple[Path, ...]:
        """The stack of every particle."""
        return tuple(stack.path for stack in self._located().stacks)

    def write_poses(
        self, particles: ParticleSet, corrections: Corrections, out: Path
    ) -> WrittenPoses:
        """Write the set with other angles and origins, and shifts of tilts where there is place."""
        if not self._pixel_size_a:
            self.read()
        return write_poses(
            self._selectable, particles, corrections, out, pixel_size_a=self._pixel_size_a
        )

    @cached_property
    def _selectable(self) -> SelectableSet:
        return SelectableSet(self._spec)

    def fingerprint(self) -> Mapping[str, Any]:
        """Size, time and hash of the head of each STAR file, and one hash for all stacks."""
        stacks = self._located().fingerprint() if self._needs_images else None
        if not self._paths:
            self.read()
        return {
            **self._spec.model_dump(
                mode="json", include={"kind", "pixel_size_a", "defocus_sign", "trajectories"}
            ),
            **self._spec.model_dump(
                mode="json", include={"coordinate_pixel_size_a"}, exclude_none=True
            ),
            "files": [describe_file(path) for path in self._paths],
            "stacks": stacks,
        }

    def _located(self) -> FrameStacks:
        """The stacks of all particles, found first if they have not been."""
        if self._stacks is None and self._find is None:
            self.read()
        if self._stacks is None:
            if self._find is None:
                raise DataError(f"{self._spec.path}: has no tilt images")
            self._stacks, self._find = self._find(), None
        return self._stacks

    def _motion_a(
        self, files: SetFiles, table: pd.DataFrame, frames: FrameLists
    ) -> NDArray[np.float32] | None:
        """(entries, 3) motion that images do not follow yet, None where there is none."""
        if files.trajectories is None or not self._spec.trajectories:
            return None
        follows = np.zeros(len(table), dtype=np.bool_)
        if columns.STACK in table:
            follows = extracted_along(files.trajectories, table[columns.STACK].tolist())
        if follows.any():
            logger.info(
                "%s: %d of %d particles were extracted along their motion, which is not applied "
                "to them again (the job numbers of their stacks and of %s say so)",
                self._spec.path, int(follows.sum()), len(table), files.trajectories,
            )  # fmt: skip
        path = None if follows.all() else files.find_trajectories()
        if path is None:
            return None
        self._paths = (*self._paths, path)
        logger.info("%s: motion of particles is applied from %s", self._spec.path, path)
        motion_a = read_trajectories(path, particle_names(table).tolist(), frames)
        motion_a[follows[frames.particle_of_entry]] = 0
        return motion_a


def _finding(
    particles: SetParticles, frames: FrameLists, datadir: Path | None
) -> Callable[[], FrameStacks]:
    """What finds the stacks of all particles, now or once their images are asked for."""
    table = particles.table
    names = table[columns.STACK].tolist() if columns.STACK in table else None
    return partial(
        _find, names, frames, particles.path, datadir, stated_px=particles.optics.box_size_px
    )


def _find(
    names: list[str] | None,
    frames: FrameLists,
    path: Path,
    datadir: Path | None,
    *,
    stated_px: int,
) -> FrameStacks:
    """The stacks of all particles."""
    if names is None:
        raise DataError(
            f"{path}: column {columns.STACK} is missing, so there are no images; "
            f"extract the particles as 2-D stacks"
        )
    stacks = find_stacks(names, path, datadir, frames)
    if stated_px not in (0, stacks.box_size_px):
        raise DataError(
            f"{path}: {columns.IMAGE_SIZE} is {stated_px}, the stacks have "
            f"{stacks.box_size_px} px; give the stacks that belong to the particles"
        )
    return stacks


def _fault_of_images(particles: SetParticles, tomograms: Tomograms | None) -> str | None:
    """Why the tilt images of particles cannot be described, and the way out; None if they can."""
    table, are_volumes = particles.table, particles.optics.are_volumes
    if columns.STACK not in table and (are_volumes or columns.VISIBLE_FRAMES not in table):
        return (
            f"column {columns.STACK} is missing, so there are no images of its particles; extract "
            f"them as 2-D stacks ({_EXTRACT})"
        )
    if are_volumes:
        return (
            f"its particles are 3-D pseudo-subtomograms; extract them again as 2-D stacks "
            f"({_EXTRACT})"
        )
    if tomograms is None:
        return (
            "no tomograms file is named, so that projections, doses, tilt angles and defocus of "
            "its tilt images are unknown; give the optimisation set that names it, or the file "
            "with --tomograms"
        )
    if columns.VISIBLE_FRAMES not in particles.table:
        return (
            f"column {columns.VISIBLE_FRAMES} is missing from {particles.path}, so that the frames "
            f"in its stacks are unknown; extract the particles again as 2-D stacks"
        )
    if not particles.has_poses:
        return (
            f"{', '.join(columns.EULER_ANGLES)} are missing from {particles.path}, so that poses "
            f"are unknown; refine the particles first"
        )
    return None
