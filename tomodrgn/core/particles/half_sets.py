"""Two half sets of particles: those of upstream refinement, or drawn here.

A half says something about noise only where the other never saw it, so that particles of one
filament, which overlap and share their neighbors, stay together. Halves are drawn by the keys of
particles, so that the order of the input does not matter.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from tomodrgn.core.particles.keyed_random import keyed_uniform, particle_keys

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ParticleSet

logger = logging.getLogger(__name__)

HALF_SETS: Final = (1, 2)
NO_NUMBER: Final = 255
"""Half set of particles of which the input states none that is a whole number below 254."""
SEVERAL: Final = 254
"""Half set of particles of which images are in different ones."""
_SPECIAL: Final = {NO_NUMBER: "no whole number", SEVERAL: "not the same in all images"}
_LOPSIDED: Final = 0.4
"""Share of particles in the smaller half below which halves count as lopsided."""
_LOPSIDED_Z: Final = 3.0
"""The same as a difference of both halves over its standard error if particles were drawn."""
_MIN_TOLD: Final = 6
"""Particles that all lie in one half set by chance with less than 5 %."""
_MAX_VALUES: Final = 4


class HalfSetFault(NamedTuple):
    """What is odd about upstream half sets, and what can be done."""

    text: str
    remedy: str


def halves_of_particles(
    particles: ParticleSet, classes: NDArray[np.int64], seed: int
) -> NDArray[np.int64]:
    """(B,) half 0 or 1 of each particle.

    Half sets of refinement are kept; particles in neither are dealt out to both. Where refinement
    made no two sets, halves are drawn, of each class by itself. What is odd is logged.

    Args:
        particles: B particles.
        classes: (B,) class of each, from 0.
        seed: of the draw.
    """
    for fault in half_set_faults(particles):
        logger.warning("%s: %s; %s", particles.source, *fault)
    keys = particle_keys(particles.tomogram, particles.name)
    draw = keyed_uniform(seed, "half set", 0, keys, 1)[:, 0]
    upstream = particles.half_set
    if upstream is None or not set(HALF_SETS) <= set(np.unique(upstream).tolist()):
        return halve_groups(classes, draw, particles.filament)
    is_known = np.isin(upstream, HALF_SETS)
    if is_known.all():
        logger.info("half sets are those of upstream refinement")
    halves = upstream.astype(np.int64) - 1
    rest = ~is_known
    of_rest = None if particles.filament is None else particles.filament[rest]
    halves[rest] = halve_groups(classes[rest], draw[rest], of_rest)
    return halves


def half_set_faults(particles: ParticleSet) -> list[HalfSetFault]:
    """What is odd about the half sets that the input states; nothing where it states none."""
    upstream = particles.half_set
    if upstream is None:
        return []
    n_all = len(upstream)
    n_first, n_second = ((upstream == half).sum() for half in HALF_SETS)
    n_other = n_all - n_first - n_second
    drawn_anew = "half sets are drawn anew, by particle, although poses were refined without them"
    if n_other == n_all:
        text = f"no particle is in half set 1 or 2 (rlnRandomSubset is {_values(upstream)})"
        return [HalfSetFault(text, "half sets are drawn anew")]
    faults = []
    if n_other:
        text = (
            f"{n_other} of {n_all} particles are in neither half set (rlnRandomSubset is "
            f"{_values(upstream)}; half sets are 1 and 2)"
        )
        faults.append(HalfSetFault(text, "they are dealt out to both; correct the column"))
    fewer, more = sorted((n_first, n_second))
    if not fewer and more < _MIN_TOLD:
        return faults
    if not fewer:
        text = f"all {more} other particles are" if n_other else f"all {more} particles are"
        text += f" in half set {1 if n_first else 2} (rlnRandomSubset)"
        faults.append(HalfSetFault(text, drawn_anew))
    elif fewer < _LOPSIDED * (fewer + more) and more - fewer > _LOPSIDED_Z * (fewer + more) ** 0.5:
        text = f"half sets are lopsided: {n_first} and {n_second} particles (rlnRandomSubset)"
        remedy = (
            "resolutions are those that the smaller half can reach; remove the column to have "
            "halves of one size drawn"
        )
        faults.append(HalfSetFault(text, remedy))
    return faults + _split_filaments(particles)


def halve_groups(
    groups: NDArray[np.int64],
    draw: NDArray[Any],
    units: NDArray[np.uint64] | None = None,
) -> NDArray[np.int64]:
    """0 or 1 for each of n members, in turn within its group in the order of a draw.

    Args:
        groups: (n,) group of each member.
        draw: (n,) numbers that decide.
        units: (n,) members of a group that share their half, or None for each by itself. Large
            units are dealt out first, so that both halves come out at about one size. A unit that
            is the whole of its group is divided.
    """
    if units is None:
        return _in_turn(groups, draw)
    pairs = np.stack([groups.astype(np.uint64), units], axis=1)
    distinct, first, of_member, sizes = np.unique(
        pairs, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    of_member = of_member.ravel()
    first_draw = np.full(len(distinct), draw.max(initial=0), dtype=draw.dtype)
    np.minimum.at(first_draw, of_member, draw)
    order = np.lexsort((first_draw, -sizes, distinct[:, 0]))
    of_unit = np.empty(len(distinct), dtype=np.int64)
    of_unit[order] = (place_in_group(groups[first][order]) + 1) // 2 % 2  # 0 1 1 0 0 1 1 0
    halves = of_unit[of_member]
    is_alone = np.isin(groups, np.flatnonzero(np.bincount(groups[first]) == 1))
    halves[is_alone] = _in_turn(groups[is_alone], draw[is_alone])
    return halves


def place_in_group(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) place of each member in its group, from 0; members of a group are adjacent."""
    starts = np.flatnonzero(np.diff(groups, prepend=groups[:1] - 1))
    place: NDArray[np.int64] = np.arange(len(groups)) - np.repeat(
        starts, np.diff([*starts, len(groups)])
    )
    return place


def _in_turn(groups: NDArray[np.int64], draw: NDArray[Any]) -> NDArray[np.int64]:
    order = np.lexsort((draw, groups))
    halves = np.empty(len(order), dtype=np.int64)
    halves[order] = place_in_group(groups[order]) % 2
    return halves


def _split_filaments(particles: ParticleSet) -> list[HalfSetFault]:
    """Say where both half sets have particles of one filament."""
    upstream, filament = particles.half_set, particles.filament
    if upstream is None or filament is None:
        return []
    first, second = (filament[upstream == half] for half in HALF_SETS)
    n_split = len(np.intersect1d(first, second))
    if not n_split:
        return []
    text = (
        f"{n_split} of {len(np.unique(filament))} filaments (rlnHelicalTubeID) have particles in "
        "both half sets, whose maps then agree in noise that neighbors share"
    )
    remedy = (
        "resolutions come out too good; refine with filaments kept together, or remove "
        "rlnRandomSubset to have halves drawn by filament"
    )
    return [HalfSetFault(text, remedy)]


def _values(upstream: NDArray[np.uint8]) -> str:
    """What the column says and how often, the most frequent first."""
    values, counts = np.unique(upstream, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    shown = [
        f"{_SPECIAL.get(int(values[i]), values[i])} for {counts[i]}" for i in order[:_MAX_VALUES]
    ]
    return ", ".join(shown) + (", ..." if len(order) > _MAX_VALUES else "")
