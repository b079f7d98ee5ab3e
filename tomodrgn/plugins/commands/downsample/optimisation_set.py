"""Optimisation sets with smaller images: set, particles, tomograms and stacks, all together.

Every particle gets a stack of its visible frames, which is what RELION 5 expects. Whether the
coordinates of particles count pixels of images or of the tilt series differs between programs, so
the result is read again: no particle may have moved.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.display import show_progress
from tomodrgn.core.errors import DataError
from tomodrgn.core.files.file_names import file_stems
from tomodrgn.core.files.frame_lists import frame_flags
from tomodrgn.core.files.staging import staged
from tomodrgn.core.files.star import read_star
from tomodrgn.core.files.star_columns import with_columns, with_values
from tomodrgn.plugins.commands.downsample.star import (
    IMAGE,
    build_reader,
    require_image_names,
    rescaled_columns,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from tomodrgn.core.files.star import StarFile
    from tomodrgn.plugins.commands.downsample.star import ParticlesSource

VISIBLE: Final = "rlnTomoVisibleFrames"
_REFINED: Final = "tdgnImageName"
_PARTICLES: Final = "rlnTomoParticlesFile"
_TOMOGRAMS: Final = "rlnTomoTomogramsFile"
_LEFT_IN_PLACE: Final = ("rlnTomoTrajectoriesFile", "rlnTomoManifoldsFile")
_TOMOGRAM: Final = "rlnTomoName"
_TILT_SERIES: Final = "rlnTomoTiltSeriesStarFile"
_WRITERS: Final = 4
_SAME_PLACE_A: Final = 0.01  # angstrom; coordinates are written with nine digits


def is_set(star: StarFile) -> bool:
    """Whether a file names the files of a set."""
    return any(_PARTICLES in block.columns for block in star.tables)


def downsample_set(source: ParticlesSource, set_star: StarFile) -> list[Path]:
    """A whole set; its set file comes last among the paths."""
    out = source.spec.out.with_suffix(".star")
    values = _values(set_star)
    particles = read_star(_find(source, values[_PARTICLES]))
    require_image_names(particles)
    changed = {_PARTICLES: f"{out.stem}_particles.star"}
    others: dict[str, bytes] = {}
    if _names_a_file(values.get(_TOMOGRAMS)):
        changed[_TOMOGRAMS] = f"{out.stem}_tomograms.star"
        others[changed[_TOMOGRAMS]] = _tomograms(source, values[_TOMOGRAMS])
    for name in _LEFT_IN_PLACE:
        if _names_a_file(values.get(name)) and _places(source, values[name]):
            changed[name] = str(_find(source, values[name]))
    others[out.name] = with_values(set_star, changed)
    return _write(source, particles, changed[_PARTICLES], others)


def downsample_set_particles(source: ParticlesSource, particles: StarFile) -> list[Path]:
    """The particles of a set, where they were given without it."""
    return _write(source, particles, source.spec.out.with_suffix(".star").name, {})


def _write(
    source: ParticlesSource, star: StarFile, particles_name: str, others: Mapping[str, bytes]
) -> list[Path]:
    """Stacks, particles, and other files by name, of which the last is the one to read."""
    out = source.spec.out.with_suffix(".star")
    block = star.table_with(IMAGE)
    table = star.read(block, (_TOMOGRAM, IMAGE, VISIBLE, _REFINED))
    folder = f"{out.stem}_stacks"
    stacks = _stack_paths(table, folder)
    names = [folder, particles_name, *others]
    with staged(out.parent, names) as stage:
        _write_stacks(source, [stage / path for path in stacks], _visible_rows(table[VISIBLE]))
        for name, content in others.items():
            (stage / name).write_bytes(content)
        for with_coordinates in (False, True):
            changed = rescaled_columns(star, source.scale, with_coordinates=with_coordinates)
            changed.setdefault(block.name, {}).update(_images(table, stacks))
            (stage / particles_name).write_bytes(with_columns(star, changed))
            if _all_stay(source, stage / names[-1]):
                break
        else:
            raise DataError(
                f"{star.path}: particles would lie elsewhere in the smaller set, whatever their "
                "coordinates count; leave the files as they are and give --downsample when training"
            )
    return [out.parent / name for name in names]


def _write_stacks(
    source: ParticlesSource, paths: Sequence[Path], rows: Sequence[NDArray[np.int64]]
) -> None:
    """A stack per particle, several at once."""
    with (
        ThreadPoolExecutor(_WRITERS) as pool,
        show_progress("downsampling particles") as progress,
    ):
        writing = [
            pool.submit(source.images.write, path, of_stack, _ignore)
            for path, of_stack in zip(paths, rows, strict=True)
        ]
        try:
            for done, stack in enumerate(as_completed(writing), start=1):
                stack.result()
                progress(done, len(paths))
        finally:
            pool.shutdown(cancel_futures=True)


def _ignore(_n_written: int) -> None:
    """Progress is shown by particle."""


def _stack_paths(table: pd.DataFrame, folder: str) -> list[str]:
    """New stack of each particle, by tomogram and under its old name, relative to the set."""
    old = [PurePath(name).with_suffix(".mrcs").name for name in table[IMAGE]]
    tomograms = file_stems(table[_TOMOGRAM].tolist(), lambda name: PurePath(name).stem)
    paths = [f"{folder}/{of}/{name}" for of, name in zip(tomograms, old, strict=True)]
    if len({path.casefold() for path in paths}) < len(paths):  # old names differed in their folders
        paths = [f"{folder}/{number:06d}.mrcs" for number in range(1, len(paths) + 1)]
    return paths


def _images(table: pd.DataFrame, stacks: Sequence[str]) -> dict[str, NDArray[np.object_]]:
    """The new stacks, also where refined shifts of tilts say that they apply to the old ones."""
    named = {IMAGE: np.array(stacks, dtype=object)}
    if _REFINED in table:
        before = table[_REFINED].to_numpy(dtype=object)
        applies = before == table[IMAGE].to_numpy(dtype=object)
        named[_REFINED] = np.where(applies, named[IMAGE], before)
    return named


def _visible_rows(lists: pd.Series) -> list[NDArray[np.int64]]:
    """Image rows of each particle: places of its visible frames among the frames of all particles.

    A particle without any keeps all of its frames, as a stack cannot be empty.
    """
    flags, lengths = frame_flags(lists.tolist())
    ends = np.cumsum(lengths)
    rows = []
    for frames, start in zip(np.split(flags, ends[:-1]), ends - lengths, strict=True):
        visible = np.flatnonzero(frames)
        rows.append(start + (visible if len(visible) else np.arange(len(frames))))
    return rows


def _tomograms(source: ParticlesSource, written: str) -> bytes:
    """The tomograms file, whose tilt series are found from anywhere."""
    star = read_star(_find(source, written))
    changed = {}
    for block in star.tables:
        if _TILT_SERIES in block.columns:
            series = star.read(block, [_TILT_SERIES])[_TILT_SERIES]
            places = np.array([str(_find(source, name)) for name in series], dtype=object)
            changed[block.name] = {_TILT_SERIES: places}
    return with_columns(star, changed)


def _all_stay(source: ParticlesSource, path: Path) -> bool:
    """Whether a set has every particle where it was."""
    with _quietly():
        reader = build_reader(source.inputs, source.spec, path, needs_images=False)
        found = reader.read()
    before, after = source.particles.position_a, found.position_a
    if before is None or after is None:
        return before is after
    return len(before) == len(after) and bool(np.allclose(before, after, atol=_SAME_PLACE_A))


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep what a reader says about files that nobody has seen yet out of the log."""
    root = logging.getLogger("tomodrgn")
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(before)


def _values(star: StarFile) -> dict[str, str]:
    """Values of the block that names the files of a set, and of other simple blocks."""
    names = [
        name
        for block in star.tables
        if block.values is not None or _PARTICLES in block.columns
        for name in block.columns
    ]
    return {name: star.value_of(name) or "" for name in names}


def _names_a_file(value: str | None) -> bool:
    return value not in {None, "", "None"}


def _find(source: ParticlesSource, written: str) -> Path:
    """Where the reader found a file of the set.

    Raises:
        DataError: it found none of that name.
    """
    places = _places(source, written)
    if not places:
        raise DataError(f"{source.spec.particles}: names {written}, which is missing")
    return places[0]


def _places(source: ParticlesSource, written: str) -> list[Path]:
    """Files behind the set that a name may stand for, the likeliest first."""
    names = PurePath(written)
    same = [path for path in source.files if path.name == names.name]
    return sorted(same, key=lambda path: not path.as_posix().endswith(names.as_posix()))
