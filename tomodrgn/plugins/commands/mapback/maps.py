"""Maps that mapback draws: of each class, of each particle, or made by a trained model."""

from __future__ import annotations

import pickle
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.decoding.volumes import Decoding, write_decoded
from tomodrgn.core.errors import DataError
from tomodrgn.core.files.atomic import write_bytes_atomic
from tomodrgn.core.files.latent_table import write_latent_table
from tomodrgn.core.files.mrc import read_mrc_header, read_volume, write_volume
from tomodrgn.core.placement.contour import common_level
from tomodrgn.core.training.devices import Devices

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.plugins.commands.mapback.spec import MapbackSpec
    from tomodrgn.plugins.commands.mapback.subject import Subject

_NUMBER: Final = re.compile(r"\d+")
_MAX_LEVELS: Final = 20
"""So many maps, evenly chosen, decide on the contour level of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticleMap:
    """A map file, its (z, y, x) voxels and their edge."""

    path: Path
    shape: tuple[int, int, int]
    pixel_size_a: float


def find_map(path: Path, spec: MapbackSpec) -> ParticleMap:
    """A map and its size, with the pixel size that the spec states or else its header.

    Raises:
        DataError: it is no MRC file, or nobody states its pixel size.
    """
    header = read_mrc_header(path)
    pixel_size_a = spec.volume_pixel_size_a or header.pixel_size_a
    if pixel_size_a <= 0:
        raise DataError(f"{path}: states no pixel size; give it with --vols-apix-override")
    return ParticleMap(path=path, shape=header.shape, pixel_size_a=pixel_size_a)


def find_alike(paths: Sequence[Path], spec: MapbackSpec) -> ParticleMap:
    """The first of some maps, which agree in their voxels.

    Raises:
        DataError: they do not.
    """
    first = find_map(paths[0], spec)
    for path in paths[1:]:
        other = find_map(path, spec)
        if (other.shape, other.pixel_size_a) != (first.shape, first.pixel_size_a):
            raise DataError(
                f"{path}: has {_size(other)}, {first.path.name} has {_size(first)}; maps of "
                "particles are alike"
            )
    return first


def maps_of_classes(folder: Path, classes: NDArray[np.int64]) -> list[Path]:
    """The map of each of some classes (K,), by the last number in its name.

    Raises:
        DataError: a class has no map, or several.
    """
    numbered: dict[int, list[Path]] = {}
    for path in _maps_in(folder):
        numbers = _NUMBER.findall(path.stem)
        if numbers:
            numbered.setdefault(int(numbers[-1]), []).append(path)
    for number in classes.tolist():
        found = numbered.get(number, [])
        if len(found) != 1:
            names = ", ".join(path.name for path in found) or "no map"
            raise DataError(
                f"{folder}: class {number} needs one map with this number in its name, found "
                f"{names}; numbers there: {', '.join(map(str, sorted(numbered))) or 'none'}"
            )
    return [numbered[number][0] for number in classes.tolist()]


def maps_of_particles(folder: Path, subject: Subject) -> list[Path]:
    """The map of each particle, by the order of their names and numbers.

    Raises:
        DataError: there are fewer or more.
    """
    paths = _maps_in(folder)
    everyone = np.empty(len(paths), dtype=object)
    everyone[:] = paths
    chosen: list[Path] = subject.values_of(everyone, folder, "maps").tolist()
    return chosen


def make_maps(subject: Subject, latents: NDArray[np.float32], folder: Path) -> list[Path]:
    """Decode a map from each of latents (K, Z) into a folder, beside ``z_values.pkl``; their paths.

    Raises:
        DataError: maps of an earlier call are to be used, and one is not there.
        RunError: there is no run to make them.
    """
    spec = subject.spec
    if spec.skip_vol:
        paths = [folder / f"vol_{number:03d}.mrc" for number in range(len(latents))]
        missing = next((path for path in paths if not path.is_file()), None)
        if missing is not None:
            raise DataError(f"{missing}: is not there to be used again; leave out --skip-vol")
        return paths
    zfile = folder / "z_values.pkl"
    write_bytes_atomic(zfile, pickle.dumps(np.ascontiguousarray(latents), protocol=4))
    how = Decoding(
        weights=subject.weights(),
        flip=spec.flip,
        invert=spec.invert,
        downsample=spec.downsample,
        lowpass_a=spec.lowpass_a,
        batch_size=spec.batch_size,
    )
    run = subject.inputs.run(subject.run_directory())
    rows = np.ascontiguousarray(np.atleast_2d(latents), dtype=np.float32)
    paths = write_decoded(run, rows, folder, how, Devices(spec.devices))
    if paths:
        write_latent_table(folder / "z_values.txt", rows)
    return paths


def copy_map(source: ParticleMap, target: Path) -> Path:
    """Copy a map to a file, as numbers that ChimeraX reads, with its first voxel at 0."""
    write_volume(target, read_volume(source.path)[0], source.pixel_size_a)
    return target


def contour_level(paths: Sequence[Path], spec: MapbackSpec) -> float:
    """The level that the spec states, or else one that suits the maps."""
    if spec.level is not None:
        return spec.level
    chosen = np.unique(np.linspace(0, len(paths) - 1, _MAX_LEVELS).astype(int)).tolist()
    return common_level(read_volume(paths[i])[0] for i in chosen)


def _size(one: ParticleMap) -> str:
    z, y, x = one.shape
    return f"{x} x {y} x {z} voxels of {one.pixel_size_a:.6g} A"


def _maps_in(folder: Path) -> list[Path]:
    """MRC files of a folder, numbers in their names in numerical order."""
    paths = [path for path in _entries(folder) if path.suffix in {".mrc", ".map"}]
    return sorted(paths, key=_natural)


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be read as a folder of maps: {error.strerror}"
        ) from error


def _natural(path: Path) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
