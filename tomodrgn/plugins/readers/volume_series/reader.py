"""Volume series: a STAR file with one row per particle, where it lies and how it is turned.

There are no tilt images. Rows bring a name where a column has one for each particle; else a
particle is named by what its row says of its place, so that the order of rows never matters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import numeric_column
from tomodrgn.core.geometry.projections import particle_orientations
from tomodrgn.core.particles.tables import OpticsGroup, ParticleSet, no_images
from tomodrgn.plugins.readers.upstream_files.bounds import bounded_column
from tomodrgn.plugins.readers.upstream_files.image_stacks import describe_file
from tomodrgn.plugins.readers.upstream_files.selecting import WritesSelections
from tomodrgn.plugins.readers.volume_series import refined_poses

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from tomodrgn.core.interfaces import ReaderContext, WrittenPoses
    from tomodrgn.core.particles.corrections import Corrections
    from tomodrgn.plugins.readers.specs import MVolumeseriesSpec, WarpVolumeseriesSpec
    from tomodrgn.plugins.readers.upstream_files.star_write import SelectableTable
    from tomodrgn.plugins.readers.volume_series.refined_poses import PoseColumns


class VolumeSeries(WritesSelections):
    """Reads a volume series; subclasses say what its columns are."""

    has_images = False

    def __init__(
        self, spec: WarpVolumeseriesSpec | MVolumeseriesSpec, context: ReaderContext
    ) -> None:
        del context
        self._spec = spec

    def load_images(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Nothing for any rows (M,): there are no images.

        Raises:
            DataError: always.
        """
        del rows
        raise DataError(f"{self._spec.path}: holds one row per particle and no tilt images")

    def pose_columns(self) -> Sequence[PoseColumns]:
        """Where the file states poses, or could."""
        raise NotImplementedError

    def write_poses(
        self, particles: ParticleSet, corrections: Corrections, out: Path
    ) -> WrittenPoses:
        """Write the file with other angles and places."""
        rows = self._selectable
        return refined_poses.write_poses(rows, particles, corrections, out, self.pose_columns())

    @property
    def _selectable(self) -> SelectableTable:
        raise NotImplementedError

    def fingerprint(self) -> Mapping[str, Any]:
        """Size, time and hash of the head of the STAR file."""
        return {
            "kind": self._spec.kind,
            "pixel_size_a": self._spec.pixel_size_a,
            "files": [describe_file(self._spec.path)],
        }


def volume_particles(
    path: Path,
    tomogram: NDArray[np.object_],
    name: NDArray[np.object_],
    position_a: NDArray[np.float64],
    *,
    euler_deg: NDArray[np.float64] | None,
    half_set: NDArray[np.uint8] | None,
    pixel_size_a: float,
    corrections: Corrections | None = None,
) -> ParticleSet:
    """Particles without images, in the order of the rows.

    Args:
        path: the file.
        tomogram: (B,) tomogram names.
        name: (B,) particle names.
        position_a: (B, 3) centres from the first voxel of the tomogram.
        euler_deg: (B, 3) Rot, Tilt, Psi, where the file has them.
        half_set: (B,) half sets, where the file has them.
        pixel_size_a: of the coordinates as the file states them.
        corrections: by what places and angles differ from those stated first.
    """
    n_particles = len(name)
    group = OpticsGroup(name="volumes", pixel_size_a=pixel_size_a, box_size_px=0)
    return ParticleSet(
        source=path,
        tomogram=tomogram,
        name=name,
        source_particle=np.arange(n_particles, dtype=np.int64),
        images=no_images(),
        counts=np.zeros(n_particles, dtype=np.int64),
        image_name=np.empty(0, dtype=object),
        source_image=np.empty(0, dtype=np.int64),
        optics=(group,),
        rows_read=n_particles,
        particles_read=n_particles,
        position_a=position_a,
        orientation=None if euler_deg is None else particle_orientations(euler_deg),
        half_set=half_set,
        corrections=corrections,
    )


def numbers(table: pd.DataFrame, names: Sequence[str], path: Path) -> NDArray[np.float64]:
    """(rows, n) columns of numbers side by side."""
    return np.stack([numeric_column(table, name, path) for name in names], axis=-1)


def angles(table: pd.DataFrame, names: Sequence[str], path: Path) -> NDArray[np.float64]:
    """(rows, n) columns of angles in degrees side by side."""
    columns = [bounded_column(table, name, path, "angle_deg") for name in names]
    return np.stack(columns, axis=-1)
