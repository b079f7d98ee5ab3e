"""Filtering: part of a particles file, by index, label or tomogram, each row as it stands there."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from tomodrgn.core.errors import DataError, OutputError
from tomodrgn.core.files.file_names import file_stems
from tomodrgn.core.files.labels import as_numbers, read_labels
from tomodrgn.core.files.named_files import stack_folder, stack_of_image
from tomodrgn.core.files.star import read_star
from tomodrgn.core.interfaces import SelectionWriter, SourceRows
from tomodrgn.core.particles.selection import read_indices
from tomodrgn.core.placement.columns import with_particles
from tomodrgn.core.specs.faults import suggest
from tomodrgn.core.specs.files import AUTO

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.data.inputs import Inputs
    from tomodrgn.plugins.commands.filter_star.spec import FilterSpec

logger = logging.getLogger(__name__)

ALL_TOMOGRAMS: Final = "all"
_FAMILIES: Final = {
    "imageseries": {"warp_particleseries", "nextpyp"},
    "warp_imageseries": {"warp_particleseries"},
    "volumeseries": {"warp_volumeseries", "m_volumeseries"},
    "optimization_set": {"optimisation_set"},
}
"""Names of earlier versions, and the kinds of readers that they stand for."""
_FILES_OF_A_SET: Final = ("_particles", "_tomograms", "_trajectories")
_ENDINGS: Final = (".tomostar", ".mrc")
_IMAGE: Final = "rlnImageName"
_HEAD_BYTES: Final = 1 << 20


def filter_star(inputs: Inputs, spec: FilterSpec) -> list[Path]:
    """Write part of a particles file; the files written, the one asked for first.

    Raises:
        DataError: the input cannot be read or filtered, the indices or labels do not fit it, or
            nothing is left.
        OutputError: an output is the input, or cannot be written.
    """
    reader = _open(inputs, spec)
    source = _with_columns(spec, reader.source_rows())
    keeps = _chosen(spec, reader, source)
    if spec.min_tilts is not None:
        keeps &= _have_tilts(spec, reader, source, keeps)
    if spec.tomogram not in (None, ALL_TOMOGRAMS):
        keeps &= _in_tomogram(spec, source)
    if not keeps.any():
        raise DataError(f"{spec.particles}: nothing is left of {len(keeps)} rows; choose others")
    parts = {spec.out: keeps}
    if spec.tomogram == ALL_TOMOGRAMS:
        parts |= _by_tomogram(spec, source, keeps)
    taken = next((out for out in parts if out.resolve() == spec.particles.resolve()), None)
    if taken is not None:
        raise OutputError(f"{taken}: is the input, which stays as it is; name another output")
    _report(spec, source, keeps)
    written = [
        path
        for out, part in parts.items()
        for path in reader.write_selection(np.flatnonzero(part), out)
    ]
    if getattr(reader, "has_images", False):
        _say_where_images_are(spec, written)
    return written


def _open(inputs: Inputs, spec: FilterSpec) -> SelectionWriter:
    """The reader of the input, which need not have its images."""
    file = inputs.particles_file(spec.particles)
    named = spec.input_type or AUTO
    if named != AUTO and file.kind not in _FAMILIES.get(named, {named}):
        known = sorted({*_FAMILIES, *inputs.kinds_of_readers})
        raise DataError(
            f"{spec.particles}: is {file.kind}, not {named} as --input-type says; leave it "
            f"out, or give one of {', '.join(known)}"
        )
    options: dict[str, Any] = {"datadir": spec.datadir} if file.has_option("datadir") else {}
    if spec.join_by != "auto":
        if not file.has_option("join_by"):
            raise DataError(f"{spec.particles}: is {file.kind}, to which --join-by does not apply")
        options["join_by"] = spec.join_by
    reader = file.reader(needs_images=False, **options)
    if not isinstance(reader, SelectionWriter):
        raise DataError(
            f"{spec.particles}: the reader {file.kind} cannot write part of its input; leave "
            "particles out of a run with --ind instead"
        )
    return reader


def _with_columns(spec: FilterSpec, source: SourceRows) -> SourceRows:
    """The rows with particles and tomograms named by other columns, where the spec names them."""
    if spec.particle_column is not None:
        particle = np.arange(len(source.particle))
        if spec.particle_column != "index":
            particle, _ = pd.factorize(_column(spec.particles, spec.particle_column, source))
        _, first = np.unique(particle, return_index=True)
        tomogram = source.tomogram[source.particle[first]]
        source = SourceRows(particle=particle.astype(np.int64), tomogram=tomogram)
    if spec.tomogram_column is None:
        return source
    names = _column(spec.particles, spec.tomogram_column, source)
    _, first = np.unique(source.particle, return_index=True)
    return replace(source, tomogram=names[first])


def _column(path: Path, name: str, source: SourceRows) -> NDArray[np.object_]:
    """(rows,) text of a column of the table of particles."""
    star = with_particles(read_star(path))
    name = name.removeprefix("_")
    having = [block for block in star.tables if name in block.columns] or [star.table_with(name)]
    n_rows, n_particles = len(source.particle), len(source.tomogram)
    columns = [star.read(block, [name])[name].to_numpy(dtype=object) for block in having]
    for values in columns:
        if len(values) == n_rows:
            return values
        if len(values) == n_particles:  # of a set, whose rows are the images of its particles
            return values[source.particle]
    raise DataError(
        f"{star.path}: column {name} has {len(columns[0])} values for {n_particles} particles; "
        "name a column of the table of particles"
    )


def _chosen(spec: FilterSpec, reader: SelectionWriter, source: SourceRows) -> NDArray[np.bool_]:
    """(rows,) True for the rows that indices or labels keep; all without either."""
    is_named = np.ones(len(source.particle), dtype=bool)
    if spec.labels is not None:
        labels = _labels_of_file(spec, spec.labels, len(source.tomogram))
        is_named = _are_chosen(spec, spec.labels, labels)[source.particle]
    elif spec.labels_column is not None:
        labels = _numbers_or_names(_column(spec.particles, spec.labels_column, source))
        is_named = _are_chosen(spec, spec.particles, labels)
    elif spec.ind is not None:
        if spec.ind_type != "particle" and not getattr(reader, "has_images", True):
            raise DataError(
                f"{spec.particles}: has one row per particle and no tilt images; give particle "
                "indices"
            )
        is_named = _has_index(spec, spec.ind, source)
    return is_named if spec.action == "keep" else ~is_named


def _have_tilts(
    spec: FilterSpec, reader: SelectionWriter, source: SourceRows, keeps: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """(rows,) True for those of particles of which enough tilt images are kept."""
    particles = reader.read()  # type: ignore[attr-defined]  # each of them is a Reader, too
    if not particles.n_images:
        raise DataError(
            f"{spec.particles}: has one row per particle and no tilt images, so --min-tilts does "
            "not apply; leave it out"
        )
    is_image = np.zeros(len(keeps), dtype=bool)
    is_image[particles.source_image] = True  # dark frames and such that are not visible are none
    counts = np.bincount(source.particle[keeps & is_image], minlength=len(source.tomogram))
    return (counts >= (spec.min_tilts or 0))[source.particle]


def _labels_of_file(spec: FilterSpec, path: Path, n_particles: int) -> NDArray[Any]:
    """(particles,) labels."""
    labels = read_labels(path)
    if len(labels) != n_particles:
        raise DataError(
            f"{path}: holds {len(labels)} labels, {spec.particles} has {n_particles} particles; "
            "give the file that the labels were made from"
        )
    return labels


def _numbers_or_names(values: NDArray[np.object_]) -> NDArray[Any]:
    try:
        return as_numbers(values)
    except ValueError:
        return values


def _are_chosen(spec: FilterSpec, path: Path, labels: NDArray[Any]) -> NDArray[np.bool_]:
    """(n,) True for those of the labels (n,) in a file that are asked for."""
    chosen = []
    known = set(labels.tolist())
    for label in spec.labels_sel:
        same = [*_numbers_or_names(np.array([label], dtype=object)).tolist(), str(label)]
        found = [each for each in same if each in known]
        if not found:
            raise DataError(
                f"{path}: no particle has the label {label}; found "
                f"{', '.join(map(str, pd.unique(labels)[:20]))}"
            )
        chosen.append(found[0])
    return np.isin(labels, np.array(chosen, dtype=labels.dtype))


def _has_index(spec: FilterSpec, path: Path, source: SourceRows) -> NDArray[np.bool_]:
    """(rows,) True for those that the indices name."""
    if spec.ind_type == "image":
        return np.isin(
            np.arange(len(source.particle)), read_indices(path, len(source.particle), "images")
        )
    if spec.ind_type == "particle":
        n_particles = len(source.tomogram)
        return np.isin(source.particle, read_indices(path, n_particles, "particles"))
    counts = np.bincount(source.particle)
    indices = read_indices(path, int(counts.max(initial=0)), "tilt images per particle")
    n_short = int((counts <= indices.max(initial=-1)).sum())
    if n_short:
        logger.info(
            "%d of %d particles have fewer than %d images, so they lack some of these indices",
            n_short, len(counts), indices.max() + 1,
        )  # fmt: skip
    return np.isin(_rank_in_particle(source.particle), indices)


def _rank_in_particle(particle: NDArray[np.int64]) -> NDArray[np.int64]:
    """(rows,) rows of the same particle before each row."""
    order = np.argsort(particle, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(particle))])
    rank = np.empty(len(particle), dtype=np.int64)
    rank[order] = np.arange(len(particle)) - starts[particle[order]]
    return rank


def _in_tomogram(spec: FilterSpec, source: SourceRows) -> NDArray[np.bool_]:
    """(rows,) True for those of the tomogram asked for."""
    wanted = str(spec.tomogram)
    names = _tomogram_names(spec, source)
    found = [name for name in names if name == wanted] or [
        name for name in names if _short(name) == _short(wanted)
    ]
    if len(found) != 1:
        several = f"may be {' or '.join(found)}" if found else "is not there"
        raise DataError(
            f"{spec.particles}: tomogram {wanted!r} {several}.{suggest(wanted, names)} "
            f"Tomograms: {', '.join(names[:20])}"
        )
    is_in_it: NDArray[np.bool_] = source.tomogram == found[0]
    return is_in_it[source.particle]


def _by_tomogram(
    spec: FilterSpec, source: SourceRows, keeps: NDArray[np.bool_]
) -> dict[Path, NDArray[np.bool_]]:
    """The kept rows of each tomogram, by the file that they go to."""
    names = _tomogram_names(spec, source)
    of_tomogram, _ = pd.factorize(source.tomogram)
    of_row = of_tomogram[source.particle]
    masks = ((name, keeps & (of_row == number)) for number, name in enumerate(names))
    files = _file_names(spec.out, names)
    return {path: mask for path, (_, mask) in zip(files, masks, strict=True) if mask.any()}


def _file_names(out: Path, tomograms: Sequence[str]) -> list[Path]:
    """A file for each tomogram beside ``out``, with the short name where that is its own.

    Beside the file of a set lie its others, ``..._particles.star`` and so on.
    """
    shared = Counter(_short(name) for name in tomograms)
    labels = [name if shared[_short(name)] > 1 else _short(name) for name in tomograms]
    labels = [f"{label}_" if f"_{label}".endswith(_FILES_OF_A_SET) else label for label in labels]
    return [out.with_name(f"{out.stem}_{stem}.star") for stem in file_stems(labels)]


def _tomogram_names(spec: FilterSpec, source: SourceRows) -> list[str]:
    """The tomograms in order of first appearance."""
    names = [str(name) for name in pd.unique(source.tomogram)]
    if names == [""]:
        raise DataError(
            f"{spec.particles}: names no tomograms; name the column that does with --tomo-id-col"
        )
    return names


def _short(tomogram: str) -> str:
    """The name without the ending that programs leave off or add."""
    for ending in _ENDINGS:
        tomogram = tomogram.removesuffix(ending)
    return tomogram


def _report(spec: FilterSpec, source: SourceRows, keeps: NDArray[np.bool_]) -> None:
    kept = np.unique(source.particle[keeps])
    logger.info(
        "%s: %d of %d rows kept, %d of %d particles, %d of %d tomograms",
        spec.particles, keeps.sum(), len(keeps), len(kept), len(source.tomogram),
        len(pd.unique(source.tomogram[kept])), len(pd.unique(source.tomogram)),
    )  # fmt: skip


def _say_where_images_are(spec: FilterSpec, written: list[Path]) -> None:
    """Say which folder to name to later commands, if the paths of images no longer lead there."""
    for path in written[:2]:  # of a set, the particles come second
        star = read_star(path, max_bytes=_HEAD_BYTES)
        table = next((block for block in star.tables if _IMAGE in block.columns), None)
        if table is None:
            continue
        first = stack_of_image(star.read(table, [_IMAGE])[_IMAGE].iloc[0])
        folder = stack_folder(first, spec.particles, spec.datadir)
        if stack_folder(first, path, None).resolve() != folder.resolve():
            logger.info(
                "paths of images stay as written and do not lead from %s to %s; give "
                "--datadir %s to later commands", spec.out.parent, first, folder,
            )  # fmt: skip
        return
