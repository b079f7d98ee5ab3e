"""Which exposure of its tilt series each tilt image is, whatever else was left out.

Exposures are told apart by their dose. A tilt series is known by all images of its tomogram, and by
exposures that the input names but shows no particle in, such as dark frames, so that a particle
which lacks the third exposure still has the fourth one as such. Where doses grow in even steps,
gaps tell which exposures are in no row at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ParticleSet

_SAME_DOSE_E_PER_A2: Final = 0.02
"""Doses that differ by less belong to one exposure; files state two or more decimals."""
_EVEN: Final = 0.1
"""Deviation from an even step, over the step, up to which exposures are counted by it."""
_MIN_STEPS: Final = 2
_MAX_LOST: Final = 5
"""Exposures that may be missing before the first of a tilt series."""


def exposure_numbers(particles: ParticleSet) -> NDArray[np.int64] | None:
    """(M,) number of the exposure of each image in its tilt series, from 0 by ascending dose.

    None where doses tell nothing, being all equal.

    Args:
        particles: a set of M images, with the exposures that its input names.
    """
    dose = particles.images.dose_e_per_a2.astype(np.float64)
    if not len(dose) or np.ptp(dose) < _SAME_DOSE_E_PER_A2:
        return None
    series, names = _series_of_images(particles)
    order = np.lexsort((dose, series))
    starts = np.searchsorted(series[order], np.arange(len(names) + 1))
    known = [
        _distinct(np.concatenate([dose[order[first:last]], _named(particles.exposure_doses, name)]))
        for name, first, last in zip(names, starts[:-1], starts[1:], strict=True)
    ]
    begins = [(doses[0], _step(doses)) for doses in known if len(doses) > _MIN_STEPS]
    found = np.empty(len(dose), dtype=np.int64)
    for doses, first, last in zip(known, starts[:-1], starts[1:], strict=True):
        rows = order[first:last]
        found[rows] = _count(doses, begins)[
            np.searchsorted(doses, dose[rows] + _SAME_DOSE_E_PER_A2 / 2) - 1
        ]
    return found


def distinct_exposures(particles: ParticleSet) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(M,) tilt series of each image and (M,) its exposure, all counted from 0 without gaps.

    Images whose doses tell nothing are of one exposure each.
    """
    series, _ = _series_of_images(particles)
    number = exposure_numbers(particles)
    if number is None:
        return series, np.arange(particles.n_images, dtype=np.int64)
    exposure = np.unique(np.stack([series, number], axis=1), axis=0, return_inverse=True)[1]
    return series, exposure.ravel().astype(np.int64)


def _series_of_images(particles: ParticleSet) -> tuple[NDArray[np.int64], list[str]]:
    """(M,) tilt series of each image and their names.

    Particles without a tomogram are grouped by the step of their doses.
    """
    of_particle, names = pd.factorize(particles.tomogram)
    if (names == "").any():
        text = particles.tomogram + np.where(particles.tomogram == "", _steps(particles), "")
        of_particle, names = pd.factorize(text)
    return of_particle[particles.particle_of_image].astype(np.int64), list(names)


def _steps(particles: ParticleSet) -> NDArray[np.object_]:
    """(B,) smallest step between doses of each particle, as text."""
    of, dose = particles.particle_of_image, particles.images.dose_e_per_a2.astype(np.float64)
    steps = np.where(np.diff(of) == 0, np.diff(dose), np.inf)  # images ascend in dose
    steps[steps < _SAME_DOSE_E_PER_A2] = np.inf
    smallest = np.full(particles.n_particles, np.inf)
    np.minimum.at(smallest, of[1:], steps)
    return np.char.mod(" %.2f", smallest).astype(object)


def _named(doses: Mapping[str, NDArray[np.float64]], name: str) -> NDArray[np.float64]:
    return doses.get(name, np.empty(0))


def _distinct(doses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Doses that differ, ascending."""
    ascending = np.sort(doses)
    is_new = np.diff(ascending, prepend=-np.inf) > _SAME_DOSE_E_PER_A2
    return ascending[is_new]


def _step(doses: NDArray[np.float64]) -> float:
    """Median step of ascending doses."""
    return float(np.median(np.diff(doses)))


def _count(doses: NDArray[np.float64], begins: list[tuple[float, float]]) -> NDArray[np.int64]:
    """Number of each exposure of a tilt series, by the step of doses where they grow evenly.

    Args:
        doses: of the exposures, ascending.
        begins: first dose and step of all tilt series; one that begins later than others of its
            step, by whole steps, lacks exposures.
    """
    in_turn = np.arange(len(doses))
    if len(doses) <= _MIN_STEPS:
        return in_turn
    step = _step(doses)
    steps = (doses - doses[0]) / step
    counted = np.rint(steps).astype(np.int64)
    if np.abs(steps - counted).max() > _EVEN or (np.diff(counted) < 1).any():
        return in_turn
    earliest = min(first for first, other in begins if abs(other / step - 1) <= _EVEN)
    lost = (doses[0] - earliest) / step
    is_whole = abs(lost - round(lost)) <= _EVEN and round(lost) <= _MAX_LOST
    numbers: NDArray[np.int64] = counted + (round(lost) if is_whole else 0)
    return numbers
