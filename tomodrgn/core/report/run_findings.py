"""What is to be said of a run at an epoch: whether to believe it, and what to beware of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tomodrgn.core.analysis.latent_findings import (
    ONE_DIRECTION,
    UNUSED_LATENT,
    one_direction,
    rank_correlations,
    spare_dimensions,
)
from tomodrgn.core.errors import DataError
from tomodrgn.core.files.json_text import read_json
from tomodrgn.core.products import GROUPS, LINEAR, OUTLIER_TILTS, OUTLIERS
from tomodrgn.core.report.page import Picture, Table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.data.chosen_epoch import ChosenEpoch

_AXES_COMPARED = 2
SOURCES = "Where differences may come from"
"""Heading of the table of shares."""


def verdict_words(chosen: ChosenEpoch) -> str:
    """Whether to believe that particles differ as the latents say."""
    if chosen.verdict is not None:
        return f"Held-out tilts: {chosen.verdict.reason}."
    figures = _linear_figures(chosen.run)
    if figures is None:
        return (
            "No tilts were held out, so nothing here tells learning from memorizing; train with "
            "--fraction-train 0.8 to be told."
        )
    held_out = figures.get("verdict", figures["held_out"])  # runs of before have no verdict
    best = int(np.argmax(held_out["z"]))
    gain = (
        f"log likelihood {held_out['gain'][best]:+.2f} per particle, {held_out['z'][best]:.1f} "
        "standard errors"
    )
    if figures["is_heterogeneous"]:
        return (
            "Particles differ: with latents, tilts that no latent was fitted to are predicted "
            f"better than by the consensus map with errors of pose and contrast ({gain})."
        )
    return f"No heterogeneity found: latents do not help to predict held-out tilts ({gain})."


def run_warnings(
    chosen: ChosenEpoch, shares: NDArray[np.float64], divergence: NDArray[np.float64] | None
) -> dict[str, str]:
    """What to beware of in a run, in words, by short names.

    Args:
        chosen: the run at an epoch.
        shares: (Z,) of the variance of the latents along each principal component.
        divergence: (Z,) mean divergence of each latent dimension from the prior, where it is known.
    """
    warnings: dict[str, str] = {}
    if chosen.verdict is not None:
        warnings |= chosen.verdict.warnings
        best = chosen.verdict.recommended_epoch
        if chosen.epoch is not None and best != chosen.epoch:
            warnings["another epoch is recommended"] = (
                f"held-out tilts favor epoch {best}, this is epoch {chosen.epoch}; see "
                "--epoch recommended"
            )
    spare = None if divergence is None else spare_dimensions(divergence)
    if spare is not None:
        warnings.setdefault(*spare)
    line = one_direction(shares)
    if line is not None:
        warnings[ONE_DIRECTION] = line
    linear = _linear_figures(chosen.run)
    if linear is not None and linear["is_heterogeneous"] is False:
        warnings[UNUSED_LATENT] = (
            "latents of the linear model add nothing significant to the consensus map on held-out "
            "tilts: clusters and components may be noise"
        )
    return warnings | outlier_warnings(linear or {})


def outlier_warnings(figures: Mapping[str, Any]) -> dict[str, str]:
    """Junk and bad exposures that a run found, in words; nothing of runs of before."""
    found = figures.get("outliers", {})
    warnings = {}
    if found.get("n_junk"):
        warnings["junk"] = (
            f"{found['n_junk']} particles look like nothing that the maps show; see {OUTLIERS}, "
            f"and leave them out with {GROUPS}"
        )
    if found.get("n_bad_exposures"):
        warnings["exposures that show nothing"] = (
            f"{found['n_bad_exposures']} exposures show nothing of their particles; see "
            f"{OUTLIER_TILTS}"
        )
    return warnings


def run_sources(run: Path) -> list[Picture | Table]:
    """Where differences of the particles of a run may come from, where it asked."""
    figures = _linear_figures(run)
    return [] if figures is None else sources_table(figures)


def sources_table(figures: Mapping[str, Any]) -> list[Picture | Table]:
    """Shares of what differs by where it may come from; nothing of runs of before."""
    shares = figures.get("verdict", {}).get("table")
    if not shares or not figures["is_heterogeneous"]:
        return []
    return [
        Table(
            caption="Where what differs may come from: the part of it that errors of contrast, "
            "shift and rotation would look like, and the part that follows from what is known of "
            "particles. Parts may overlap.",
            head=["source", "share"],
            rows=[[name, f"{share:.0%}"] for name, share in shares.items()],
        )
    ]


def related_columns(
    scores: NDArray[np.float32], columns: Mapping[str, NDArray[np.floating]]
) -> dict[str, list[float]]:
    """Rank correlations of what is known of particles (B,) with their first components (B, Z)."""
    return {
        name: rank_correlations(scores, values, _AXES_COMPARED) for name, values in columns.items()
    }


def _linear_figures(run: Path) -> dict[str, Any] | None:
    """What a linear fit says of itself; None where the run is none."""
    path = run / LINEAR
    if not path.exists():
        return None
    try:
        figures: dict[str, Any] = read_json(path)
        return figures if {"is_heterogeneous", "held_out"} <= set(figures) else None
    except DataError:
        return None  # damaged: it is only one of several hints
