"""How much of the latent is explained by what is not structure: tomogram, defocus, dose, view.

Each direction of the latent is predicted from one covariate at a time, by ridge regression on a few
smooth functions of it, in particles that the regression has not seen. The same is done with the
covariate shuffled among particles, so chance, the number of functions and the number of directions
looked at are all allowed for. False alarms are controlled over the covariates together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tomodrgn.core.analysis.covariate_regression import (
    FEWEST,
    explained_part,
    features_of,
    folds,
    known_values,
)
from tomodrgn.core.analysis.covariates import TOMOGRAM
from tomodrgn.core.analysis.multiple_testing import holm
from tomodrgn.plugins.commands.confounds.page import Influence, NuisanceReport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MAX_PARTICLES: Final = 4000
MAX_DIRECTIONS: Final = 8
N_SHUFFLES: Final = 499

_COLUMNS_AT_ONCE: Final = 512
_CONSTANT: Final = 1e-9
_MIN_WITHIN: Final = 0.1
"""Part of its variance that a number has within tomograms, if it is to be told from them."""


def nuisance_report(
    latents: NDArray[np.float32], covariates: Mapping[str, NDArray[Any]], *, seed: int = 0
) -> NuisanceReport | None:
    """Influences of covariates on latents; None for too few particles to tell.

    Args:
        latents: (B, Z).
        covariates: by name (B,) numbers, (B,) names of kinds, or (B, 3) unit vectors. Particles
            whose covariate is not finite are left out of its regression.
        seed: of the sample of particles and the shuffles.
    """
    generator = np.random.default_rng(seed)
    rows = np.arange(len(latents))
    if len(rows) > MAX_PARTICLES:
        rows = np.sort(generator.choice(len(rows), MAX_PARTICLES, replace=False))
    if len(rows) < FEWEST:
        return None
    directions, shares = _main_directions(latents[rows])
    found, constant = [], []
    for name, values in covariates.items():
        known = known_values(values[rows])
        features = features_of(values[rows][known]) if known.sum() >= FEWEST else None
        if features is None:
            constant.append(name)
        else:
            found.append(_influence(name, features, directions[known], shares, generator))
    corrected = holm(np.array([each.p_value for each in found]))
    influences = (
        Influence(name=each.name, explained=each.explained, by_chance=each.by_chance,
                  total=each.total, p_value=float(p))
        for each, p in zip(found, corrected, strict=True)
    )  # fmt: skip
    return NuisanceReport(
        influences=tuple(influences),
        constant=tuple(constant),
        shares=shares,
        n_particles=len(rows),
        of_tomograms=_of_tomograms({name: each[rows] for name, each in covariates.items()}),
    )


def _of_tomograms(covariates: Mapping[str, NDArray[Any]]) -> tuple[str, ...]:
    """Numbers (B,) that are nearly the same in all particles of a tomogram."""
    if TOMOGRAM not in covariates:
        return ()
    _, place = np.unique(covariates[TOMOGRAM], return_inverse=True)
    sizes = np.bincount(place)
    found = []
    for name, values in covariates.items():
        if values.ndim != 1 or values.dtype.kind not in "fiu" or not np.isfinite(values).all():
            continue
        centre = values - values.mean()
        within = centre - (np.bincount(place, centre) / sizes)[place]
        if _CONSTANT < np.square(centre).sum() * _MIN_WITHIN > np.square(within).sum():
            found.append(name)
    return tuple(found)


def _main_directions(
    latents: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(B, Z) standardized latents on their first main directions, and their shares of variance."""
    centred = latents.astype(np.float64) - latents.mean(axis=0)
    variance, axes = np.linalg.eigh(centred.T @ centred / len(centred))
    order = np.argsort(variance)[::-1][:MAX_DIRECTIONS]
    kept = order[variance[order] > 1e-9 * max(float(variance.max()), 1e-300)]
    if not len(kept):
        kept = order[:1]
    scale = np.sqrt(np.maximum(variance[kept], 1e-300))
    return centred @ axes[:, kept] / scale, variance[kept] / max(float(variance.sum()), 1e-300)


def _influence(
    name: str,
    features: NDArray[np.float64],
    directions: NDArray[np.float64],
    shares: NDArray[np.float64],
    generator: np.random.Generator,
) -> Influence:
    """What features explain, and how probable that is by chance alone (not corrected)."""
    fold = folds(len(features), generator)
    explained = explained_part(features, directions, fold)
    n_directions = directions.shape[1]
    shuffled = np.empty((N_SHUFFLES, n_directions))
    at_once = max(1, _COLUMNS_AT_ONCE // n_directions)
    for first in range(0, N_SHUFFLES, at_once):
        n = min(at_once, N_SHUFFLES - first)
        columns = [directions[generator.permutation(len(directions))] for _ in range(n)]
        found = explained_part(features, np.concatenate(columns, axis=1), fold)
        shuffled[first : first + n] = found.reshape(n, n_directions)
    at_least = int((shuffled.max(axis=1) >= explained.max()).sum())
    return Influence(
        name=name,
        explained=np.maximum(explained, 0),
        by_chance=max(0.0, float(np.percentile(shuffled.max(axis=1), 95))),
        p_value=(at_least + 1) / (N_SHUFFLES + 1),
        total=float(np.maximum(explained, 0) @ shares),
    )
