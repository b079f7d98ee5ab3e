"""Selections of particles, and what can be done with them: and, or, not, without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tomodrgn.core.analysis.latent_clusters import gaussian_mixture, k_means
from tomodrgn.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

    from tomodrgn.core.notebook.analysis import NotebookAnalysis


@dataclass(frozen=True, eq=False)
class Selection:
    """Some of the B particles of an analysis; ``a & b``, ``a | b``, ``a - b``, ``a ^ b``, ``~a``.

    Attributes:
        analysis: that they are particles of.
        is_in: (B,) True for those that are selected.
    """

    analysis: NotebookAnalysis
    is_in: NDArray[np.bool_]

    def __len__(self) -> int:
        return int(self.is_in.sum())

    def __repr__(self) -> str:
        n_tomograms = len(np.unique(self.analysis.particles.tomogram[self.is_in]))
        return f"{len(self)} of {len(self.is_in)} particles, in {n_tomograms} tomograms"

    def __and__(self, other: Selection) -> Selection:
        return self._with(self.is_in & self._fitting(other))

    def __or__(self, other: Selection) -> Selection:
        return self._with(self.is_in | self._fitting(other))

    def __xor__(self, other: Selection) -> Selection:
        return self._with(self.is_in ^ self._fitting(other))

    def __sub__(self, other: Selection) -> Selection:
        return self._with(self.is_in & ~self._fitting(other))

    def __invert__(self) -> Selection:
        return self._with(~self.is_in)

    @property
    def rows(self) -> NDArray[np.int64]:
        """(n,) rows of the latents that are selected."""
        return np.flatnonzero(self.is_in).astype(np.int64)

    def by_tomogram(self) -> dict[str, Selection]:
        """The part in each tomogram that has any."""
        parts = {name: self & in_tomogram(self.analysis, name) for name in self.analysis.tomograms}
        return {name: part for name, part in parts.items() if len(part)}

    def _with(self, is_in: NDArray[np.bool_]) -> Selection:
        return Selection(self.analysis, is_in)

    def _fitting(self, other: Selection) -> NDArray[np.bool_]:
        if other.analysis is not self.analysis:
            raise DataError("selections are of two analyses; save one, and load it in the other")
        return other.is_in


def everything(analysis: NotebookAnalysis) -> Selection:
    """All particles."""
    return Selection(analysis, np.ones(len(analysis.table), dtype=bool))


def select_rows(analysis: NotebookAnalysis, rows: ArrayLike) -> Selection:
    """Particles by rows (n,) of the table, as a lasso gives them."""
    chosen = np.asarray(rows, dtype=np.int64).ravel()
    outside = chosen[(chosen < 0) | (chosen >= len(analysis.table))]
    if len(outside):
        raise DataError(f"row {outside[0]} is none of the {len(analysis.table)} particles")
    is_in = np.zeros(len(analysis.table), dtype=bool)
    is_in[chosen] = True
    return Selection(analysis, is_in)


def select_values(analysis: NotebookAnalysis, column: str, values: Iterable[Any]) -> Selection:
    """Particles with one of some values of a column, such as labels 0 and 3 of ``kmeans20``."""
    return Selection(analysis, analysis.column(column).isin(list(values)).to_numpy())


def select_range(analysis: NotebookAnalysis, column: str, low: float, high: float) -> Selection:
    """Particles with ``low <= value <= high`` in a column of numbers."""
    values = analysis.column(column)
    if values.dtype.kind not in "biuf":
        raise DataError(f"column {column!r} holds no numbers; select_values takes its values")
    return Selection(analysis, values.between(low, high).to_numpy())


def in_tomogram(analysis: NotebookAnalysis, tomogram: str) -> Selection:
    """Particles of a tomogram."""
    if tomogram not in analysis.tomograms:
        names = ", ".join(analysis.tomograms[:20])
        raise DataError(f"no tomogram {tomogram!r}; found {names}")
    return select_values(analysis, "tomogram", [tomogram])


def inside_outline(analysis: NotebookAnalysis, x: str, y: str, corners: ArrayLike) -> Selection:
    """Particles inside a polygon (n, 2) drawn on two columns: a lasso in numbers."""
    from tomodrgn.core.figures.notebook import are_inside

    places = np.column_stack([analysis.column(x), analysis.column(y)])
    return Selection(analysis, are_inside(places, np.asarray(corners, dtype=np.float64)))


def outliers(analysis: NotebookAnalysis, deviations: float = 2.0) -> Selection:
    """Particles whose latents lie far outside the cloud.

    Far is a Mahalanobis distance more than so many standard deviations of all distances above
    their mean.
    """
    distance = cloud_distance(analysis.latents)
    return Selection(analysis, distance > distance.mean() + deviations * distance.std())


def cloud_distance(latents: NDArray[np.float32]) -> NDArray[np.float64]:
    """(B,) Mahalanobis distance of latents (B, Z) from their mean."""
    apart = latents.astype(np.float64) - latents.mean(axis=0, dtype=np.float64)
    precision = np.linalg.pinv(apart.T @ apart / max(len(apart) - 1, 1), hermitian=True)
    squares = np.einsum("bi,ij,bj->b", apart, precision, apart)
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))


def add_kmeans(analysis: NotebookAnalysis, n_clusters: int, *, seed: int = 0) -> str:
    """Cluster latents by k-means into a new column of the table; its name."""
    name = f"my_kmeans{n_clusters}"
    analysis.table[name] = k_means(analysis.latents, n_clusters, seed=seed).labels
    return name


def add_mixture(analysis: NotebookAnalysis, n_clusters: int = 3, *, seed: int = 0) -> str:
    """Cluster latents by a mixture of Gaussians into a new column of the table; its name."""
    name = f"my_gmm{n_clusters}"
    analysis.table[name] = gaussian_mixture(analysis.latents, n_clusters, seed=seed).labels
    return name
