"""Images, particles and volumes on fewer pixels: which kind of input it is, and bare files."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.mrc import read_mrc_header, read_mrc_slices, read_volume, write_volume
from tomodrgn.core.files.named_files import SearchOrder
from tomodrgn.core.files.stack_choice import found_stacks
from tomodrgn.core.files.staging import staged
from tomodrgn.core.files.star import read_star
from tomodrgn.core.fourier.cropping import crop_volumes
from tomodrgn.plugins.commands.downsample.images import (
    chunks,
    plan_images,
    stack_names,
    write_stacks,
)
from tomodrgn.plugins.commands.downsample.optimisation_set import (
    VISIBLE,
    downsample_set,
    downsample_set_particles,
    is_set,
)
from tomodrgn.plugins.commands.downsample.star import (
    downsample_series,
    open_source,
    require_image_names,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.data.inputs import Inputs
    from tomodrgn.core.files.mrc import MrcHeader
    from tomodrgn.plugins.commands.downsample.spec import DownsampleSpec

logger = logging.getLogger(__name__)

_STACKS: Final = (".mrcs", ".mrc", ".st", ".map")
_VOLUMES: Final = (".mrc", ".map")


def downsample(inputs: Inputs, spec: DownsampleSpec) -> list[Path]:
    """Write images, particles or a volume on fewer pixels; the paths of the files.

    Raises:
        DataError: the input cannot be read, or is smaller than it is to be.
        OutputError: an output exists, or cannot be written; nothing is left behind.
    """
    suffix = spec.particles.suffix.lower()
    if spec.is_vol or (suffix in _VOLUMES and _is_cube(spec.particles)):
        return [_downsample_volume(spec)]
    if suffix == ".txt":
        return _downsample_stacks(spec, _listed_stacks(spec.particles, spec.datadir))
    if suffix in _STACKS:
        return _downsample_stacks(spec, [spec.particles])
    return _downsample_particles(inputs, spec)


def _downsample_particles(inputs: Inputs, spec: DownsampleSpec) -> list[Path]:
    source = open_source(inputs, spec)
    star = read_star(spec.particles)
    if is_set(star):
        return downsample_set(source, star)
    require_image_names(star)
    if any(VISIBLE in block.columns for block in star.tables):
        return downsample_set_particles(source, star)
    return downsample_series(source, star)


def _downsample_volume(spec: DownsampleSpec) -> Path:
    if not _is_cube(spec.particles):
        z, y, x = read_mrc_header(spec.particles).shape
        raise DataError(f"{spec.particles}: is {z} x {y} x {x} pixels; a volume is a cube here")
    volume, pixel_size_a = read_volume(spec.particles)
    smaller = crop_volumes(torch.from_numpy(volume), spec.downsample).numpy()
    with staged(spec.out.parent, [spec.out.name]) as stage:
        pixel_size_a *= len(volume) / spec.downsample
        write_volume(stage / spec.out.name, smaller, pixel_size_a)
    return spec.out


def _downsample_stacks(spec: DownsampleSpec, paths: Sequence[Path]) -> list[Path]:
    """One stack of all images, or several and a list of them."""
    headers = [read_mrc_header(path) for path in paths]
    _require_one_box(paths, headers)
    starts = np.cumsum([0, *(header.shape[0] for header in headers)])
    n_images, original_px = int(starts[-1]), headers[0].shape[-1]

    def load(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        images = np.empty((len(rows), original_px, original_px), dtype=np.float32)
        stack = np.searchsorted(starts, rows, side="right") - 1
        for index in np.unique(stack).tolist():
            here = stack == index
            images[here] = read_mrc_slices(paths[index], rows[here] - starts[index], headers[index])
        return images

    images = plan_images(
        spec,
        load,
        original_px=original_px,
        pixel_size_a=headers[0].pixel_size_a,
        fits_float16=all(header.dtype == np.float16 for header in headers),
    )
    rows = chunks(n_images, spec.chunk)
    names = stack_names(spec.out.stem, len(rows))
    lists = [f"{spec.out.stem}.txt"] if len(rows) > 1 else []
    with staged(spec.out.parent, [*names, *lists]) as stage:
        write_stacks(images, stage, names, rows)
        for name in lists:
            (stage / name).write_text("".join(f"{stack}\n" for stack in names))
    return [spec.out.parent / name for name in (*names, *lists)]


def _is_cube(path: Path) -> bool:
    return len(set(read_mrc_header(path).shape)) == 1


def _listed_stacks(path: Path, datadir: Path | None) -> list[Path]:
    """Stacks that a text file lists, one per line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as a list of stacks: {error}") from error
    listed = [line.strip() for line in lines if line.strip()]
    if not listed:
        raise DataError(f"{path}: lists no stack; write the path of one stack per line")
    return found_stacks(listed, SearchOrder(star=path, datadir=datadir))


def _require_one_box(paths: Sequence[Path], headers: Sequence[MrcHeader]) -> None:
    """Refuse images that are not square, or unlike those of the first stack."""
    _, y, x = headers[0].shape
    for path, header in zip(paths, headers, strict=True):
        if header.shape[1:] != (y, y):
            raise DataError(
                f"{path}: images are {header.shape[1]} x {header.shape[2]} pixels, those of "
                f"{paths[0]} are {y} x {x}; all need the same square box"
            )
        if not np.isclose(header.pixel_size_a, headers[0].pixel_size_a, rtol=1e-3):
            logger.warning(
                "%s: has %g A/px, %s has %g; the latter is written",
                path, header.pixel_size_a, paths[0], headers[0].pixel_size_a,
            )  # fmt: skip
