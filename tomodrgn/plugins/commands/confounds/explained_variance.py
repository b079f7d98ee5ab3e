"""How much of the latent is explained by what is not structure: tomogram, defocus, dose, view.

Each direction of the latent is predicted from one covariate at a time, by ridge regression on a few
smooth functions of it, in particles that the regression has not seen. The same is done with the
covariate shuffled among particles, so chance, the number of functions and the number of directions
looked at are all allowed for. False alarms are controlled over the covariates together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tomodrgn.core.analysis.covariates import TOMOGRAM
from tomodrgn.core.analysis.multiple_testing import holm
from tomodrgn.plugins.commands.confounds.page import Influence, NuisanceReport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MAX_PARTICLES: Final = 4000
MAX_DIRECTIONS: Final = 8
N_SHUFFLES: Final = 499

_N_FOLDS: Final = 5
_N_KNOTS: Final = 4
_RIDGE: Final = 1.0
_MIN_OF_A_KIND: Final = 5
_MAX_KINDS: Final = 300
_MIN_PARTICLES: Final = 20
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
    if len(rows) < _MIN_PARTICLES:
        return None
    directions, shares = _main_directions(latents[rows])
    found, constant = [], []
    for name, values in covariates.items():
        known = _known(values[rows])
        features = _features(values[rows][known]) if known.sum() >= _MIN_PARTICLES else None
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


def _known(values: NDArray[Any]) -> NDArray[np.bool_]:
    if values.dtype.kind not in "fiu":
        return np.ones(len(values), dtype=bool)
    finite: NDArray[np.bool_] = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    return finite


def _features(values: NDArray[Any]) -> NDArray[np.float64] | None:
    """(B, F) functions of a covariate, of mean 0; None where it is constant."""
    if values.ndim == 2:  # noqa: PLR2004  unit vectors
        table = _of_direction(values.astype(np.float64))
    elif values.dtype.kind in "fiu":
        table = _of_number(values.astype(np.float64))
    else:
        table = _of_kind(values)
    table = table - table.mean(axis=0)
    spread = table.std(axis=0)
    varies = spread > _CONSTANT
    return table[:, varies] / spread[varies] if varies.any() else None


def _of_number(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A line, and bends at quantiles, in the number and in its rank."""
    different, place = np.unique(values, return_inverse=True)
    if len(different) <= _N_KNOTS + 1:
        return np.eye(len(different))[place] if len(different) > 1 else np.zeros((len(values), 1))
    ends = np.percentile(values, (1, 99))
    line = np.clip((values - ends[0]) / max(ends[1] - ends[0], 1e-300), 0, 1)
    rank = np.argsort(np.argsort(values, kind="stable")) / (len(values) - 1)
    knots = (np.arange(_N_KNOTS) + 1) / (_N_KNOTS + 1)
    bends = np.maximum(rank[:, None] - knots, 0)
    return np.column_stack([line, rank, bends])


def _of_direction(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spherical harmonics of degree 1 and 2, up to their scale."""
    x, y, z = vectors.T
    return np.stack([x, y, z, x * y, y * z, z * x, x * x - y * y, 3 * z * z - 1], axis=1)


def _of_kind(values: NDArray[Any]) -> NDArray[np.float64]:
    """One column for each frequent kind."""
    kinds, place, sizes = np.unique(values.astype(str), return_inverse=True, return_counts=True)
    if len(kinds) < 2:  # noqa: PLR2004  constant
        return np.zeros((len(values), 1))
    frequent = np.argsort(-sizes, kind="stable")[:_MAX_KINDS]
    frequent = frequent[sizes[frequent] >= _MIN_OF_A_KIND]
    return np.asarray(place[:, None] == frequent, dtype=np.float64)


def _influence(
    name: str,
    features: NDArray[np.float64],
    directions: NDArray[np.float64],
    shares: NDArray[np.float64],
    generator: np.random.Generator,
) -> Influence:
    """What features explain, and how probable that is by chance alone (not corrected)."""
    fold = generator.permutation(len(features)) % _N_FOLDS
    explained = _explained(features, directions, fold)
    n_directions = directions.shape[1]
    shuffled = np.empty((N_SHUFFLES, n_directions))
    at_once = max(1, _COLUMNS_AT_ONCE // n_directions)
    for first in range(0, N_SHUFFLES, at_once):
        n = min(at_once, N_SHUFFLES - first)
        columns = [directions[generator.permutation(len(directions))] for _ in range(n)]
        found = _explained(features, np.concatenate(columns, axis=1), fold)
        shuffled[first : first + n] = found.reshape(n, n_directions)
    at_least = int((shuffled.max(axis=1) >= explained.max()).sum())
    return Influence(
        name=name,
        explained=np.maximum(explained, 0),
        by_chance=max(0.0, float(np.percentile(shuffled.max(axis=1), 95))),
        p_value=(at_least + 1) / (N_SHUFFLES + 1),
        total=float(np.maximum(explained, 0) @ shares),
    )


def _explained(
    features: NDArray[np.float64], targets: NDArray[np.float64], fold: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(Y,) part of the variance of targets (B, Y) that features predict in particles not seen."""
    left = np.zeros(targets.shape[1])
    spread = np.zeros(targets.shape[1])
    for number in range(_N_FOLDS):
        seen, unseen = fold != number, fold == number
        mean = targets[seen].mean(axis=0)
        x = features[seen]
        gram = x.T @ x + _RIDGE * np.eye(x.shape[1])
        weights = np.linalg.solve(gram, x.T @ (targets[seen] - mean))
        left += np.square(targets[unseen] - mean - features[unseen] @ weights).sum(axis=0)
        spread += np.square(targets[unseen] - mean).sum(axis=0)
    return np.asarray(1 - left / np.maximum(spread, 1e-300))
