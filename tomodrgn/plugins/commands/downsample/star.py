"""Particles files with smaller images: new stacks, and a STAR file that fits them.

What counts pixels of images is rewritten, all else keeps its text. Pixels of the micrograph or the
tilt series stay what they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.data.pixel_size import say_conflict
from tomodrgn.core.errors import DataError
from tomodrgn.core.files.staging import staged
from tomodrgn.core.files.star import numeric_column
from tomodrgn.core.files.star_columns import with_columns
from tomodrgn.plugins.commands.downsample.images import (
    chunks,
    image_names,
    plan_images,
    stack_names,
    write_stacks,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tomodrgn.core.data.inputs import Inputs
    from tomodrgn.core.files.star import StarFile
    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.plugins.commands.downsample.images import SmallerImages
    from tomodrgn.plugins.commands.downsample.spec import DownsampleSpec

IMAGE: Final = "rlnImageName"
_OPTICS: Final = "rlnOpticsGroup"
_PIXEL_SIZES: Final = (
    "rlnDetectorPixelSize",
    "rlnImagePixelSize",
    "rlnPixelSize",
    "rlnTomoSubtomogramBinning",
)
_LENGTHS_PX: Final = (
    *("rlnImageSize", "rlnOriginX", "rlnOriginY", "rlnOriginZ"),
    *("tdgnStatedOriginX", "tdgnStatedOriginY", "tdgnStatedOriginZ"),
)
_COORDINATES_PX: Final = (
    *("rlnCoordinateX", "rlnCoordinateY", "rlnCoordinateZ"),
    *("tdgnStatedCoordinateX", "tdgnStatedCoordinateY", "tdgnStatedCoordinateZ"),
)
_SAMPLED_IMAGES: Final = 4


@dataclass(frozen=True, kw_only=True)
class ParticlesSource:
    """A particles file that was read, and what its images become.

    Attributes:
        spec: what is asked for.
        inputs: open further files.
        particles: what the reader found.
        images: the images of ``source_image`` rows.
        files: every file behind the set, as the reader found them.
    """

    spec: DownsampleSpec
    inputs: Inputs
    particles: ParticleSet
    images: SmallerImages
    files: Sequence[Path]

    @property
    def scale(self) -> float:
        """D'/D, by which lengths in pixels change."""
        return self.images.box_size_px / self.images.original_px


def open_source(inputs: Inputs, spec: DownsampleSpec) -> ParticlesSource:
    """Read a particles file.

    Raises:
        DataError: it cannot be read, or has no images, or smaller ones than are asked for.
    """
    reader = build_reader(inputs, spec, spec.particles)
    if not reader.has_images:
        raise DataError(
            f"{spec.particles}: holds one row per particle and no tilt images; give the "
            "particle-series STAR file, one row per tilt image"
        )
    particles = reader.read()
    say_conflict(particles, reader)
    files = [Path(file["path"]) for file in reader.fingerprint().get("files", ())]
    sample = reader.load_images(particles.source_image[:_SAMPLED_IMAGES])
    images = plan_images(
        spec,
        reader.load_images,
        original_px=particles.box_size_px,
        pixel_size_a=particles.pixel_size_a,
        fits_float16=np.array_equal(sample, sample.astype(np.float16)),
    )
    return ParticlesSource(
        spec=spec, inputs=inputs, particles=particles, images=images, files=files
    )


def build_reader(
    inputs: Inputs, spec: DownsampleSpec, path: Path, *, needs_images: bool = True
) -> Reader:
    """The reader that understands a file."""
    options = {"datadir": spec.datadir, "tomograms": spec.tomograms, "join_by": spec.join_by}
    return inputs.particles_file(path).reader(needs_images=needs_images, **options)


def downsample_series(source: ParticlesSource, star: StarFile) -> list[Path]:
    """One row per image: one stack, or several, in the order of the rows."""
    spec, out = source.spec, source.spec.out.with_suffix(".star")
    n_images = source.particles.rows_read
    tables = [block for block in star.tables if IMAGE in block.columns]
    block = next(block for block in tables if len(star.read(block, [IMAGE])) == n_images)
    rows = chunks(n_images, spec.chunk)
    stacks = stack_names(out.stem, len(rows))
    has_optics = any(_OPTICS in table.columns for table in star.tables)
    changed = rescaled_columns(star, source.scale, with_coordinates=not has_optics)
    changed.setdefault(block.name, {})[IMAGE] = image_names(stacks, rows)
    with staged(out.parent, [*stacks, out.name]) as stage:
        write_stacks(source.images, stage, stacks, rows)
        (stage / out.name).write_bytes(with_columns(star, changed))
    return [out.parent / name for name in (*stacks, out.name)]


def rescaled_columns(
    star: StarFile, scale: float, *, with_coordinates: bool
) -> dict[str, dict[str, NDArray[np.object_]]]:
    """Text (n,) of the columns that count pixels of images or their size, by block.

    Args:
        star: particles, and optics groups where the file has them.
        scale: new over old box.
        with_coordinates: whether coordinates count pixels of images.
    """
    factors = dict.fromkeys(_PIXEL_SIZES, 1 / scale) | dict.fromkeys(_LENGTHS_PX, scale)
    if with_coordinates:
        factors |= dict.fromkeys(_COORDINATES_PX, scale)
    changed: dict[str, dict[str, NDArray[np.object_]]] = {}
    for block in star.tables:
        chosen = [name for name in block.columns if name in factors]
        table = star.read(block, chosen)
        changed[block.name] = {
            name: _numbers(numeric_column(table, name, star.path) * factors[name])
            for name in chosen
        }
    return changed


def require_image_names(star: StarFile) -> None:
    """Refuse a file that cannot be rewritten.

    Raises:
        DataError: it names no images as STAR files do.
    """
    if not any(IMAGE in block.columns for block in star.tables):
        raise DataError(
            f"{star.path}: is no STAR file with the column {IMAGE}, so it cannot be rewritten for "
            "smaller images; leave the files as they are and give --downsample when training"
        )


def _numbers(values: NDArray[np.float64]) -> NDArray[np.object_]:
    return np.array([f"{value:.9g}" for value in values.tolist()], dtype=object)
