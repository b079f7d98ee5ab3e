"""How well found classes, latents and volumes agree with those that were simulated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.fourier.shells import fsc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassAgreement:
    """Found classes against true ones.

    Attributes:
        accuracy: fraction of particles in the right class, under the best naming of classes.
        adjusted_rand_index: 1 for equal partitions, about 0 for unrelated ones.
        rarest_f1: harmonic mean of precision and recall of the true class with fewest particles.
        renamed: (B,) found classes under that naming.
    """

    accuracy: float
    adjusted_rand_index: float
    rarest_f1: float
    renamed: NDArray[np.int64]


def compare_classes(found: NDArray[np.int64], true: NDArray[np.int64]) -> ClassAgreement:
    """Agreement of two partitions (B,) of particles; true classes are numbered from 0."""
    from sklearn.metrics import adjusted_rand_score

    found = np.unique(found, return_inverse=True)[1]
    n_classes = int(max(found.max(), true.max())) + 1
    together = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(together, (found, true), 1)
    _, names = _best_pairing(together)
    renamed = names[found].astype(np.int64)
    return ClassAgreement(
        accuracy=float((renamed == true).mean()),
        adjusted_rand_index=float(adjusted_rand_score(true, found)),
        rarest_f1=_rarest_f1(renamed, true),
        renamed=renamed,
    )


def cluster_latents(mean: NDArray[np.float32], n_classes: int) -> NDArray[np.int64]:
    """(B,) k-means classes of (B, Z) latents; the same at every call."""
    from sklearn.cluster import KMeans

    n_clusters = min(n_classes, len(np.unique(mean, axis=0)))
    clusters = KMeans(n_clusters=n_clusters, n_init=10, random_state=0).fit_predict(mean)
    return np.asarray(clusters, dtype=np.int64)


def axis_rank_correlation(mean: NDArray[np.float32], coordinate: NDArray[np.float64]) -> float:
    """Largest absolute Spearman correlation of a true coordinate with one latent dimension.

    Args:
        mean: (B, Z) latents.
        coordinate: (B,) true values.
    """
    return max(abs(_rank_correlation(axis, coordinate)) for axis in mean.T)


def readout_rank_correlation(mean: NDArray[np.float32], coordinate: NDArray[np.float64]) -> float:
    """Spearman correlation of a true coordinate with its linear readout, fitted on other particles.

    Args:
        mean: (B, Z) latents.
        coordinate: (B,) true values.
    """
    from sklearn.linear_model import LinearRegression
    from sklearn.model_selection import KFold, cross_val_predict

    folds = KFold(min(_FOLDS, len(mean)), shuffle=True, random_state=0)
    readout = cross_val_predict(LinearRegression(), mean, coordinate, cv=folds)
    return _rank_correlation(readout, coordinate)


def outlier_auc(mean: NDArray[np.float32], is_junk: NDArray[np.bool_]) -> float:
    """Chance that junk lies further from the middle of all latents than a particle does.

    Latents are (B, Z), junk (B,); distances are those of Mahalanobis. 0.5 says that they tell
    nothing, and less that junk gathers in the middle.
    """
    from sklearn.metrics import roc_auc_score

    centred = (mean - mean.mean(0)).astype(np.float64)
    precision = np.linalg.pinv(centred.T @ centred)
    distance = np.einsum("bi,ij,bj->b", centred, precision, centred)
    return float(roc_auc_score(is_junk, distance))


@dataclass(frozen=True, slots=True, kw_only=True)
class MapAgreement:
    """A decoded volume that shows a true map.

    Attributes:
        label: class of the map.
        volume: which of the volumes shows it best, one volume per map.
        curve: (D/2 + 1,) Fourier shell correlation.
    """

    label: int
    volume: int
    curve: NDArray[np.float64]

    @property
    def mean(self) -> float:
        """Mean over the shells from 1 to below Nyquist."""
        return float(self.curve[1:-1].mean())


def compare_maps(
    volumes: Sequence[NDArray[np.float32]], maps: Sequence[NDArray[np.float32]]
) -> list[MapAgreement]:
    """Agreement of each true map (D, D, D) with its own volume, under the best pairing.

    Raises:
        DataError: the boxes differ.
    """
    curves = [[fsc(volume, true) for volume in volumes] for true in maps]
    likeness = np.array([[curve[1:-1].mean() for curve in row] for row in curves])
    pairs = zip(*_best_pairing(likeness), strict=True)
    return [
        MapAgreement(label=int(label), volume=int(volume), curve=curves[label][volume])
        for label, volume in pairs
    ]


def _best_pairing(likeness: NDArray[np.generic]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns paired one to one so that the likeness adds up to most."""
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]

    rows, columns = linear_sum_assignment(likeness, maximize=True)
    return rows, columns


def _rarest_f1(found: NDArray[np.int64], true: NDArray[np.int64]) -> float:
    """F1 of the true class with fewest particles."""
    sizes = np.bincount(true).astype(np.float64)
    rarest = int(np.where(sizes > 0, sizes, np.inf).argmin())
    both = int(((found == rarest) & (true == rarest)).sum())
    return 2 * both / int((found == rarest).sum() + (true == rarest).sum())


def _rank_correlation(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Spearman correlation; 0 where either is constant."""
    if not np.ptp(first) or not np.ptp(second):
        return 0.0
    return float(np.corrcoef(_ranks(first), _ranks(second))[0, 1])


def _ranks(values: NDArray[np.floating]) -> NDArray[np.int64]:
    """Place of each value in ascending order; ties fall as they come."""
    return values.argsort().argsort()
