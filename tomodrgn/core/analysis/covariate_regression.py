"""How much of numbers of particles a covariate predicts, in particles that were not looked at.

Ridge regression on a few smooth functions of the covariate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

FEWEST: Final = 20
"""Particles of which a covariate has to be known."""
TOGETHER: Final = "all together"
_N_FOLDS: Final = 5
_N_KNOTS: Final = 4
_RIDGE: Final = 1.0
_MIN_OF_A_KIND: Final = 5
_MAX_KINDS: Final = 300
_CONSTANT: Final = 1e-9


def covariate_shares(
    values: NDArray[np.floating], covariates: Mapping[str, NDArray[Any]], *, seed: int = 0
) -> dict[str, float]:
    """Part of the variance of values (B, Z) that each covariate predicts, and all together.

    Each covariate counts alone, so that parts may overlap. One that does not vary, or is known of
    too few particles, is left out; without any, nothing is found.

    Args:
        values: such as latents, in a common unit.
        covariates: by name (B,) numbers, (B,) names of kinds, or (B, 3) unit vectors.
        seed: of the particles that are predicted from the others.
    """
    targets = np.asarray(values, dtype=np.float64)
    power = targets.var(axis=0)
    found: dict[str, float] = {}
    tables = []
    for name, covariate in covariates.items():
        known = known_values(covariate)
        features = features_of(covariate[known]) if known.sum() >= FEWEST else None
        if features is None or power.sum() <= 0:
            continue
        found[name] = _share(features, targets[known], power, seed)
        tables.append(np.zeros((len(targets), features.shape[1])))
        tables[-1][known] = features
    if tables:
        every = _share(np.concatenate(tables, axis=1), targets, power, seed)
        found[TOGETHER] = max(every, *found.values())
    return found


def _share(
    features: NDArray[np.float64],
    targets: NDArray[np.float64],
    power: NDArray[np.float64],
    seed: int,
) -> float:
    fold = folds(len(features), np.random.default_rng(seed))
    explained = np.maximum(explained_part(features, targets, fold), 0)
    return float(explained @ power / power.sum())


def folds(n: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """(n,) which part of n particles is predicted together from all others."""
    return generator.permutation(n) % _N_FOLDS


def explained_part(
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


def known_values(values: NDArray[Any]) -> NDArray[np.bool_]:
    """(B,) which particles a covariate (B,) or (B, 3) is known of."""
    if values.dtype.kind not in "fiu":
        return np.ones(len(values), dtype=bool)
    finite: NDArray[np.bool_] = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    return finite


def features_of(values: NDArray[Any]) -> NDArray[np.float64] | None:
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
