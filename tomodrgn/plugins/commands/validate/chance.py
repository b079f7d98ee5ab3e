"""Whether labels say more about images than labels drawn by lot would.

Each particle has a score for each class, from maps of particles of the other half. If labels have
nothing to do with the images, any shuffle of the labels within a half is as likely as the one
given, so the sum of the scores of particles for their own class is compared with that of shuffled
labels. This holds for any number of particles and any distribution of scores.

Source:
    Moments of sums over permutations: Hoeffding 1951, doi:10.1214/aoms/1177729545. Twice the mean
    of two p values is one, however they depend on each other: Rüschendorf 1982,
    doi:10.2307/1426684.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.analysis.multiple_testing import holm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

N_SHUFFLES: Final = 9999
CHANCE: Final = 0.01
"""Largest probability of labels drawn by lot to do as well at which labels are called real."""
_GATHERED_AT_ONCE: Final = 2**22


@dataclass(frozen=True, slots=True, kw_only=True)
class Separation:
    """How far labels are from labels drawn by lot.

    Attributes:
        p_value: probability of shuffled labels to do as well, over all classes.
        z: the same in standard deviations of shuffled labels, mean of the two halves.
        z_within: likewise with shuffles within strata, such as tomograms; None without strata, or
            where no stratum has particles of two classes.
        class_p_value: (K,) of each class against all particles, corrected for their number.
        class_z: (K,) likewise in standard deviations.
        pair_p_value: (K, K) of each two classes, corrected for their number; 1 on the diagonal.
        pair_z: (K, K) likewise; 0 on the diagonal.
    """

    p_value: float
    z: float
    z_within: float | None
    class_p_value: NDArray[np.float64]
    class_z: NDArray[np.float64]
    pair_p_value: NDArray[np.float64]
    pair_z: NDArray[np.float64]

    @property
    def is_real(self) -> bool:
        """Whether the classes differ by more than chance."""
        return self.p_value < CHANCE


def compare_with_chance(
    scores: NDArray[np.float64],
    labels: NDArray[np.int64],
    halves: NDArray[np.int64],
    *,
    strata: NDArray[np.int64] | None = None,
    seed: int = 0,
) -> Separation:
    """Compare labels with shuffled ones.

    Args:
        scores: (B, K) of each particle for each class.
        labels: (B,) 0 to K - 1.
        halves: (B,) 0 or 1.
        strata: (B,) groups to shuffle within, for ``z_within``.
        seed: of the shuffles.
    """
    parts = [(scores[halves == half], labels[halves == half]) for half in (0, 1)]
    parts = [part for part in parts if len(part[1]) > 1]
    generator = np.random.default_rng(seed)
    n_classes = scores.shape[1]
    shuffled = [_shuffled_p_values(*part, generator) for part in parts]
    p_values = _joint(np.array([p for p, _ in shuffled]))
    class_p_values = [_joint(np.array([p[c] for _, p in shuffled])) for c in range(n_classes)]
    pair_z = _mean([_pair_z(*part) for part in parts], (n_classes, n_classes))
    above = np.triu_indices(n_classes, 1)
    pair_p = np.ones((n_classes, n_classes))
    pair_p[above] = holm(np.array([normal_tail(z) for z in pair_z[above]]))
    return Separation(
        p_value=p_values,
        z=float(_mean([np.array(_z(*_moments(*part))) for part in parts], ())),
        z_within=None if strata is None else _z_within(scores, labels, halves, strata),
        class_p_value=holm(np.array(class_p_values)),
        class_z=_mean([_class_z(*part) for part in parts], (n_classes,)),
        pair_p_value=np.minimum(pair_p, pair_p.T),
        pair_z=pair_z,
    )


def normal_tail(z: float) -> float:
    """Probability of a standard normal number to be ``z`` or more."""
    return 0.5 * math.erfc(z / math.sqrt(2))


def _joint(p_values: NDArray[np.float64]) -> float:
    """One p value of those of the halves, (n,), which may depend on each other in any way.

    Source:
        Rüschendorf 1982, doi:10.2307/1426684: twice the mean of p values is a p value. The mean
        itself is not: it can lie below half a level as often as p values lie below that level.
    """
    if len(p_values) == 1:
        return float(p_values[0])
    return float(min(1.0, 2 * p_values.mean())) if len(p_values) else 1.0


def _mean(values: list[NDArray[np.float64]], shape: tuple[int, ...]) -> NDArray[np.float64]:
    return np.mean(values, axis=0) if values else np.zeros(shape)


def _shuffled_p_values(
    scores: NDArray[np.float64], labels: NDArray[np.int64], generator: np.random.Generator
) -> tuple[float, NDArray[np.float64]]:
    """Part of all labelings, the given one included, that do as well: over all, by class (K,)."""
    n_classes = scores.shape[1]
    given = _class_sums(scores, labels[None], n_classes)
    at_least = np.ones(n_classes)
    at_least_all = 1
    slack = 1e-9 * np.abs(scores).sum()  # equal sums, added in another order
    for shuffled in _shuffles(labels, generator):
        sums = _class_sums(scores, shuffled, n_classes)
        at_least += (sums >= given - slack).sum(axis=0)
        at_least_all += int((sums.sum(axis=1) >= given.sum() - slack).sum())
    return at_least_all / (N_SHUFFLES + 1), at_least / (N_SHUFFLES + 1)


def _shuffles(
    labels: NDArray[np.int64], generator: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """(S, n) labels in random orders, some at a time."""
    at_once = max(1, _GATHERED_AT_ONCE // len(labels))
    for first in range(0, N_SHUFFLES, at_once):
        n = min(at_once, N_SHUFFLES - first)
        yield generator.permuted(np.tile(labels, (n, 1)), axis=1)


def _class_sums(
    scores: NDArray[np.float64], labels: NDArray[np.int64], n_classes: int
) -> NDArray[np.float64]:
    """(S, K) sums of the scores of particles for their own class, for (S, n) labelings."""
    own = scores[np.arange(len(scores)), labels]
    place = labels + n_classes * np.arange(len(labels))[:, None]
    sums = np.bincount(place.ravel(), own.ravel(), minlength=n_classes * len(labels))
    return sums.astype(np.float64).reshape(len(labels), n_classes)


def _moments(scores: NDArray[np.float64], labels: NDArray[np.int64]) -> tuple[float, float, float]:
    """The sum of scores, and its mean and variance over all shuffles."""
    n = len(labels)
    sizes = np.bincount(labels, minlength=scores.shape[1])
    of_label = scores[np.arange(n), labels].sum()
    columns = scores.mean(axis=0)
    rows = scores @ sizes / n
    centred = scores - rows[:, None] - columns + columns @ sizes / n
    variance = (centred**2).sum(axis=0) @ sizes / max(n - 1, 1)
    return float(of_label), float(columns @ sizes), float(variance)


def _z(total: float, mean: float, variance: float) -> float:
    return (total - mean) / math.sqrt(variance) if variance > 0 else 0.0


def _z_within(
    scores: NDArray[np.float64],
    labels: NDArray[np.int64],
    halves: NDArray[np.int64],
    strata: NDArray[np.int64],
) -> float | None:
    """Standard deviations above shuffles within strata, mean of the halves."""
    found = []
    for half in (0, 1):
        moments = np.zeros(3)
        for stratum in np.unique(strata[halves == half]):
            rows = (halves == half) & (strata == stratum)
            moments += _moments(scores[rows], labels[rows])
        if moments[2] > 0:
            found.append(_z(*moments))
    return float(np.mean(found)) if found else None


def _class_z(scores: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """(K,) how far the scores of a class for itself lie above those of as many particles drawn."""
    n, n_classes = scores.shape
    sizes = np.bincount(labels, minlength=n_classes)
    sums = _class_sums(scores, labels[None], n_classes)[0]
    variance = sizes * (n - sizes) / max(n - 1, 1) * scores.var(axis=0)
    excess = sums - sizes * scores.mean(axis=0)
    z: NDArray[np.float64] = np.zeros(n_classes)
    np.divide(excess, np.sqrt(variance), out=z, where=variance > 0)
    return z


def _pair_z(scores: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """(K, K) how far the members of two classes are apart, were they shuffled among the two."""
    n_classes = scores.shape[1]
    z = np.zeros((n_classes, n_classes))
    for a in range(n_classes):
        for b in range(a + 1, n_classes):
            rows = (labels == a) | (labels == b)
            leaning = (scores[rows, a] - scores[rows, b])[:, None] * np.array([0.5, -0.5])
            z[a, b] = z[b, a] = _z(*_moments(leaning, (labels[rows] == b).astype(np.int64)))
    return z
