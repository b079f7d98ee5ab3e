"""What latents and their clusters say, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import stats  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

UNUSED_LATENT: Final = "unused latent"
SPARE_DIMENSIONS: Final = "spare latent dimensions"
ONE_DIRECTION: Final = "latents along one line"
ONE_TOMOGRAM: Final = "clusters of one tomogram"
GOES_WITH_METADATA: Final = "components that go with metadata"

MIN_DIVERGENCE: Final = 0.01
"""Mean divergence from the prior, in nats, below which a latent dimension says nothing."""
_LARGE_PART: Final = 0.8
_NEARLY_ALL: Final = 0.98
_FEWEST: Final = 10
_MAX_RANKED: Final = 100_000
_STRONG: Final = 0.5
_MIN_RANKED: Final = 50
_MAX_NAMED: Final = 4


@dataclass(frozen=True, slots=True)
class TomogramCounts:
    """How many particles of each of K clusters lie in each of T tomograms.

    Attributes:
        names: (T,) tomograms.
        counts: (K, T).
    """

    names: list[str]
    counts: NDArray[np.int64]


def count_by_tomogram(
    labels: NDArray[np.int64], n_labels: int, tomograms: NDArray[np.object_]
) -> TomogramCounts:
    """Particles of each cluster in each tomogram, from labels (B,) and names (B,)."""
    names, place = np.unique(tomograms.astype(str), return_inverse=True)
    flat = np.bincount(labels * len(names) + place, minlength=n_labels * len(names))
    return TomogramCounts([str(name) for name in names], flat.reshape(n_labels, len(names)))


def clusters_of_one_tomogram(found: TomogramCounts) -> str | None:
    """Clusters most of whose particles lie in one of several tomograms, in words."""
    sizes = found.counts.sum(axis=1)
    usual = found.counts.sum(axis=0) / max(1, sizes.sum())
    largest = found.counts.argmax(axis=1)
    parts = found.counts.max(axis=1) / np.maximum(sizes, 1)
    clusters = [
        f"{label} ({parts[label]:.0%} of {sizes[label]} in {found.names[largest[label]]})"
        for label in range(len(sizes))
        if sizes[label] >= _FEWEST
        and parts[label] > _LARGE_PART
        and usual[largest[label]] < _LARGE_PART / 2
    ]
    if not clusters:
        return None
    return (
        f"particles of one tomogram make up cluster {', '.join(clusters)}; this may be "
        "the tomogram rather than the particle: see nuisance"
    )


def spare_dimensions(divergence: NDArray[np.float64]) -> tuple[str, str] | None:
    """Latent dimensions (Z,) that stay at the prior, as a short name and in words."""
    spare = np.flatnonzero(divergence < MIN_DIVERGENCE)
    if not len(spare):
        return None
    if len(spare) == len(divergence):
        return UNUSED_LATENT, (
            "no latent dimension leaves the prior: latents are the same for all particles as far "
            "as the model can tell, so clusters and components mean nothing"
        )
    numbers = ", ".join(str(number + 1) for number in spare)
    return SPARE_DIMENSIONS, (
        f"{len(spare)} of {len(divergence)} latent dimensions stay at the prior and say nothing "
        f"(number {numbers}); fewer would do (--zdim {len(divergence) - len(spare)})"
    )


def one_direction(shares: NDArray[np.float64]) -> str | None:
    """Latents of several dimensions that lie along one line, in words; shares (Z,) of variance."""
    if len(shares) == 1 or shares[0] < _NEARLY_ALL:
        return None
    return (
        f"{shares[0]:.1%} of their variance lies along PC 1: what other components, clusters and "
        "UMAP show beyond it is slight, gaps included; look at PC 1 first"
    )


def rank_correlations(
    scores: NDArray[np.float32], values: NDArray[np.floating], n_axes: int
) -> list[float]:
    """Spearman correlation of values (B,) with each of the first scores (B, K)."""
    step = -(-len(values) // _MAX_RANKED)
    ranks = stats.rankdata(values[::step])
    return [
        float(np.corrcoef(stats.rankdata(scores[::step, axis]), ranks)[0, 1])
        for axis in range(min(n_axes, scores.shape[1]))
        if np.ptp(scores[::step, axis]) > 0
    ]


def components_with_metadata(
    correlations: Mapping[str, Sequence[float]], n_particles: int
) -> str | None:
    """Components that rise or fall with what is known of particles besides, in words."""
    if n_particles < _MIN_RANKED:
        return None
    strong = [
        (abs(value), f"PC {axis + 1} and {name} ({value:+.2f})")
        for name, values in correlations.items()
        for axis, value in enumerate(values)
        if abs(value) >= _STRONG
    ]
    if not strong:
        return None
    words = [text for _, text in sorted(strong, key=lambda pair: -pair[0])]
    more = f" and {len(words) - _MAX_NAMED} more" if len(words) > _MAX_NAMED else ""
    return (
        f"rank correlations: {', '.join(words[:_MAX_NAMED])}{more}; structure need not be what "
        "the latent shows there: see nuisance, and controls/ of analyze"
    )
