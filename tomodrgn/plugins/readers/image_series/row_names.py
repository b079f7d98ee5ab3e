"""The particle and the tomogram of each row of an image series.

The particle is what the column for it says. ``rlnMicrographName`` beside it names the tilt image in
files of Warp 1, M and converters, and the tomogram in others; the two are told apart by exposures,
each of which has a dose and a tilt. A tilt image is one exposure, so that a particle is in it at
most once; a particle has several exposures in its tomogram. Only a tomogram splits equal names of
particles.

Source:
    sta_testing_bin8.star of cryoDRGN's tests: 6 particles, 219 rows, 39 tilt images.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tomodrgn.plugins.readers.image_series.row_codes import (
    combined_codes,
    exposure_codes,
    first_rows,
    has_doses,
    n_pairs,
    stack_codes,
)
from tomodrgn.plugins.readers.image_series.seen_exposures import SeenExposures, tells_exposures
from tomodrgn.plugins.readers.image_series.tilt_names import (
    group_by,
    name_before_number,
    names_apart,
    tomogram_names,
)
from tomodrgn.plugins.readers.image_series.tomogram_keys import tomogram_keys
from tomodrgn.plugins.readers.upstream_files import warp_columns as columns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RowNames:
    """The particle of each row.

    Attributes:
        tomogram: (rows,) names.
        particle: (rows,) names, which tell particles apart together with the tomogram.
        rank: (rows,) rank of first appearance of the pair.
    """

    tomogram: NDArray[np.object_]
    particle: NDArray[np.object_]
    rank: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Rows:
    """Codes of what rows name, with the names; a pair is a micrograph and a particle in it."""

    micrograph: NDArray[np.int64]
    micrographs: NDArray[np.object_]
    particle: NDArray[np.int64]
    particles: NDArray[np.object_]
    pair: NDArray[np.int64]
    first_of_pair: NDArray[np.int64]

    @property
    def micrograph_of_pair(self) -> NDArray[np.int64]:
        return self.micrograph[self.first_of_pair]

    @property
    def particle_of_pair(self) -> NDArray[np.int64]:
        return self.particle[self.first_of_pair]


def name_rows(table: pd.DataFrame, particle_column: str, path: Path) -> RowNames:
    """Names of every row; what the micrograph is taken to name is logged where it matters.

    Args:
        table: the columns of the particle, the micrograph, the image and exposures, as text or as
            numbers; only the first is needed.
        particle_column: the column that names the particle.
        path: the file, for the log.
    """
    particle = table[particle_column].to_numpy(dtype=object)
    if columns.TOMOGRAM not in table:
        of_particle, _ = pd.factorize(particle)
        nameless = np.full(len(table), "", dtype=object)
        return RowNames(nameless, particle, of_particle.astype(np.int64))
    micrograph = table[columns.TOMOGRAM].to_numpy(dtype=object)
    rows = _encode(micrograph, particle)
    if len(rows.first_of_pair) == len(rows.particles):  # nothing to split
        return RowNames(micrograph, particle, rows.particle)
    exposure = exposure_codes(table)
    is_tilt_image = _names_tilt_image(rows, exposure, table)
    chosen = is_tilt_image[rows.particle]
    if not chosen.any():
        _say_tomograms(rows, path)
        return RowNames(micrograph, particle, rows.pair)
    part = _parts(rows, table, chosen) if has_doses(table) else rows.particle
    tomogram = micrograph.copy()
    tomogram[chosen] = _tomograms(rows, part, table, chosen)
    _say_tilt_images(rows, part, tomogram, is_tilt_image, path)
    if chosen.all():
        return RowNames(tomogram, particle, part)
    rank, _ = pd.factorize(np.where(chosen, part, rows.pair + part.max() + 1))
    return RowNames(tomogram, particle, rank.astype(np.int64))


def _encode(micrograph: NDArray[np.object_], particle: NDArray[np.object_]) -> _Rows:
    of_micrograph, micrographs = pd.factorize(micrograph)
    of_particle, particles = pd.factorize(particle)
    pair, _ = pd.factorize(of_micrograph.astype(np.int64) * len(particles) + of_particle)
    return _Rows(
        of_micrograph.astype(np.int64), np.asarray(micrographs, dtype=object),
        of_particle.astype(np.int64), np.asarray(particles, dtype=object),
        pair.astype(np.int64), first_rows(pair),
    )  # fmt: skip


def _names_tilt_image(
    rows: _Rows, exposure: NDArray[np.int64], table: pd.DataFrame
) -> NDArray[np.bool_]:
    """(particles,) whether the micrographs in which a name stands are tilt images."""
    n_pairs = len(rows.first_of_pair)
    if exposure.max() == 0:  # exposures tell nothing
        exposure = np.arange(len(exposure))
    has_several = np.zeros(n_pairs, dtype=bool)
    if len(rows.pair) > n_pairs:
        unit = _units(rows, table)
        n_exposures = int(exposure.max()) + 1
        distinct = pd.unique(unit * n_exposures + exposure) // n_exposures
        several = np.bincount(distinct) > 1
        has_several[rows.pair[several[unit]]] = True
    n_micrographs = len(rows.micrographs)
    of_micrograph, of_particle = rows.micrograph_of_pair, rows.particle_of_pair
    tells = np.bincount(rows.particle)[of_particle] > 1  # a lone row of a particle does not
    n_several = np.bincount(of_micrograph, has_several, n_micrographs)
    is_tomogram = 2 * n_several >= np.bincount(of_micrograph, tells, n_micrographs)
    is_tomogram &= n_several > 0
    if not is_tomogram.any():
        return np.ones(len(rows.particles), dtype=bool)
    n_tomograms = np.bincount(of_particle, is_tomogram[of_micrograph], len(rows.particles))
    return 2 * n_tomograms < np.bincount(of_particle)


def _units(rows: _Rows, table: pd.DataFrame) -> NDArray[np.int64]:
    """(rows,) code of what must hold one exposure of a tilt image: a pair in one stack.

    Sessions of equal names lie in other stacks. Stacks of one image each tell nothing.
    """
    stack, _ = stack_codes(table[columns.IMAGE].to_numpy(dtype=object))
    of_stack = combined_codes(stack, rows.particle)
    is_single = of_stack.max() + 1 == len(of_stack)
    return rows.pair if is_single else combined_codes(stack, rows.pair)


def _parts(rows: _Rows, table: pd.DataFrame, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(rows,) code of the particle; names that stand in several tomograms are split.

    They show by exposures or tilts that repeat in other tilt images. What tells them apart with the
    fewest particles is taken.
    """
    seen = SeenExposures.in_rows(table, np.flatnonzero(chosen), rows.pair[chosen])
    if not seen.clashing(rows.particle[chosen]).any():
        return rows.particle
    fewest = seen.fewest_owners(rows.particle[chosen])
    best, most = rows.particle, len(pd.unique(rows.pair[chosen])) // 2
    for key in _keys(rows, chosen, seen.n_exposures, table):
        part = combined_codes(rows.particle, key)
        n_parts = len(pd.unique(part[chosen]))
        if n_parts <= most and not seen.clashing(part[chosen]).any():
            best, most = part, n_parts - 1
        if most < fewest:
            break
    return best


def _keys(
    rows: _Rows, chosen: NDArray[np.bool_], n_exposures: int, table: pd.DataFrame
) -> Iterator[NDArray[np.int64]]:
    """(rows,) codes of what may be the tomogram: parts of tilt names, else the stack."""
    used = pd.unique(rows.micrograph[chosen])
    of_micrograph = np.zeros(len(rows.micrographs), dtype=np.int64)
    for key in tomogram_keys(rows.micrographs[used].tolist(), n_exposures):
        if key.min() < key.max():
            of_micrograph[used] = key
            yield of_micrograph[rows.micrograph]
    stack, _ = stack_codes(table[columns.IMAGE].to_numpy(dtype=object))
    if n_pairs(rows.pair[chosen], stack[chosen]) == len(pd.unique(rows.pair[chosen])):
        yield stack


def _tomograms(
    rows: _Rows, part: NDArray[np.int64], table: pd.DataFrame, chosen: NDArray[np.bool_]
) -> NDArray[np.object_]:
    """Names for the chosen rows: particles that share a tilt image share a tomogram."""
    from scipy.sparse import coo_array  # type: ignore[import-untyped]  # slow
    from scipy.sparse.csgraph import (  # type: ignore[import-untyped]
        connected_components,
    )

    at = rows.first_of_pair
    if part is not rows.particle:
        at = first_rows(combined_codes(rows.micrograph, part))
    at = at[chosen[at]]
    n_micrographs, n_nodes = len(rows.micrographs), len(rows.micrographs) + int(part.max()) + 1
    edges = (np.ones(len(at), dtype=np.int8), (rows.micrograph[at], n_micrographs + part[at]))
    _, of_node = connected_components(coo_array(edges, shape=(n_nodes, n_nodes)), directed=False)
    row_of_tilt, row_of_part = at[first_rows(rows.micrograph[at])], at[first_rows(part[at])]
    tilts, parts = rows.micrograph[row_of_tilt], part[row_of_part]
    of_tilt, components = pd.factorize(of_node[tilts])
    of_part = pd.Index(components).get_indexer(of_node[n_micrographs + parts])
    particle_names = rows.particles[rows.particle[row_of_part]].tolist()
    tilts_of = group_by(of_tilt.tolist(), rows.micrographs[tilts].tolist(), len(components))
    particles_of = group_by(of_part.tolist(), particle_names, len(components))
    names = tomogram_names(tilts_of, particles_of)
    if len(set(names)) < len(names) and tells_exposures(table):
        seen = SeenExposures.in_rows(table, row_of_tilt, np.arange(len(tilts)))
        name, _ = pd.factorize(np.array(names, dtype=object))
        clashing = seen.clashing(name[of_tilt])[name]
        names = names_apart(names, clashing.tolist(), tilts_of, particles_of)
    name_of_part = np.empty(int(part.max()) + 1, dtype=object)
    name_of_part[parts] = [
        names[label] or name_before_number(particle)
        for label, particle in zip(of_part.tolist(), particle_names, strict=True)
    ]
    return np.asarray(name_of_part[part[chosen]], dtype=object)


def _say_tomograms(rows: _Rows, path: Path) -> None:
    logger.info(
        "%s: %s names tomograms: %d names of particles stand for %d particles in %d of them",
        path, columns.TOMOGRAM, len(rows.particles), len(rows.first_of_pair),
        len(rows.micrographs),
    )  # fmt: skip


def _say_tilt_images(
    rows: _Rows,
    part: NDArray[np.int64],
    tomogram: NDArray[np.object_],
    is_tilt_image: NDArray[np.bool_],
    path: Path,
) -> None:
    chosen = is_tilt_image[rows.particle]
    counts = np.bincount(part[chosen])
    counts = counts[counts > 0]
    lowest, highest = int(counts.min()), int(counts.max())
    images = f"{highest}" if lowest == highest else f"{lowest} to {highest}"
    row = int(np.argmax(chosen))
    logger.info(
        "%s: %s names tilt images: %d particle%s of %s tilt image%s; tomogram of %s is taken to "
        "be %s",
        path, columns.TOMOGRAM, len(counts), "s" * (len(counts) > 1), images, "s" * (highest > 1),
        rows.particles[rows.particle[row]], tomogram[row] or "unknown",
    )  # fmt: skip
    if not is_tilt_image.all():
        other = int(np.argmin(is_tilt_image[rows.particle]))
        logger.warning(
            "%s: %s names tilt images for %d names of particles and tomograms for %d, such as %s "
            "of %s; check that the file was joined rightly",
            path, columns.TOMOGRAM, int(is_tilt_image.sum()), int((~is_tilt_image).sum()),
            rows.particles[rows.particle[other]], rows.micrographs[rows.micrograph[other]],
        )  # fmt: skip
