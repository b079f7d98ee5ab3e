"""Junk that a run found, beside that which was simulated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import roc_auc_score

from tomodrgn.core.particles.outliers_file import AMPLITUDE, CALLED, JUNK_PROBABILITY, read_outliers
from tomodrgn.core.simulation.experiment import JUNK

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ParticleSet

_BINS = (0.0, 0.1, 0.5, 0.9, 1.0)
"""Edges of the probabilities that are compared with what came true."""


def junk_figures(
    run: Path, particles: ParticleSet, labels: NDArray[np.int64]
) -> dict[str, Any] | None:
    """What the probabilities of junk are worth; None where a run has none.

    Args:
        run: its directory.
        particles: of the run.
        labels: (B,) true classes of these.
    """
    said = read_outliers(run, particles)
    return None if said is None else judged(said[JUNK_PROBABILITY], said[AMPLITUDE], labels == JUNK)


def judged(
    probability: NDArray[np.float64], amplitude: NDArray[np.float64], is_junk: NDArray[np.bool_]
) -> dict[str, Any]:
    """Figures of probabilities (B,) of junk, of which (B,) is; amplitudes tell equal ones apart."""
    called = probability > CALLED
    found: dict[str, Any] = {
        "false_junk": float((called & ~is_junk).sum() / max(1, (~is_junk).sum()))
    }
    place = np.searchsorted(_BINS, probability, side="right").clip(1, len(_BINS) - 1)
    found["came_true"] = {
        f"{_BINS[number - 1]:g} to {_BINS[number]:g}": [
            int((place == number).sum()),
            int((is_junk & (place == number)).sum()),
        ]
        for number in range(1, len(_BINS))
    }
    if 0 < is_junk.sum() < len(is_junk):
        order = np.lexsort((-amplitude, probability))
        rank = np.empty(len(order))
        rank[order] = np.arange(len(order))
        found["junk_by_probability"] = float(roc_auc_score(is_junk, rank))
        found["found_junk"] = float(called[is_junk].mean())
    return found
