"""What held-out tilts say of a run: the epoch to use, and what to beware of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

SIGNIFICANT: Final = 3.0
"""Standard errors above which a difference is taken to be real."""
LARGEST_RISE: Final = 0.02
"""Rise of the held-out error after its minimum that is taken for overfitting, as a fraction of the
signal that the best epoch predicts."""
LAST_EPOCHS: Final = 3
"""Checkpoints over which the end of a run is judged; single ones fluctuate."""

OVERFITTING: Final = "overfitting"
UNUSED_LATENT: Final = "unused latent"
NO_GAIN: Final = "no gain over the consensus map"
STILL_IMPROVING: Final = "still improving"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Findings about a run.

    Attributes:
        recommended_epoch: the epoch of least held-out error, counted from 0.
        reason: why, in words.
        warnings: findings in words, by their short names.
        relative_gain: signal that latents predict beyond the consensus map, relative to what that
            map predicts, at the recommended epoch.
        gain_significance: the gain in standard errors.
        information_significance: how much better own latents are than those of other particles, in
            standard errors.
    """

    recommended_epoch: int
    reason: str
    warnings: dict[str, str]
    relative_gain: float
    gain_significance: float
    information_significance: float


def judge(held_out: pd.DataFrame, training_error: pd.Series[float]) -> Verdict:
    """Findings from the errors of a run.

    Args:
        held_out: a row per checkpoint, ascending, with the columns of ``held_out.jsonl``.
        training_error: reconstruction loss by epoch.
    """
    errors = held_out["error"].to_numpy(np.float64)
    best = held_out.iloc[int(errors.argmin())]
    predicted = max(float(best["empty_error"] - best["consensus_error"]), np.finfo(float).tiny)
    gain = _in_standard_errors(best["gain"], best["gain_standard_error"])
    information = _in_standard_errors(best["information"], best["information_standard_error"])
    recommended = int(best["epoch"])
    findings = [
        _overfitting(held_out, training_error, recommended),
        _still_improving(held_out, recommended),
        _latent_use(gain, information),
    ]
    return Verdict(
        recommended_epoch=recommended,
        reason=(
            f"epoch {recommended} predicts held-out tilts best: error {best['error']:.6g} per "
            f"coefficient, {best['consensus_error']:.6g} for the consensus map"
        ),
        warnings=dict(finding for finding in findings if finding is not None),
        relative_gain=float(best["gain"]) / predicted,
        gain_significance=gain,
        information_significance=information,
    )


def _in_standard_errors(value: float, standard_error: float) -> float:
    return float(value) / float(standard_error) if standard_error > 0 else 0.0


def _overfitting(
    held_out: pd.DataFrame, training_error: pd.Series[float], recommended: int
) -> tuple[str, str] | None:
    """Held-out error that rises while the training error falls."""
    least = float(held_out["error"].min())
    after = held_out.loc[held_out["epoch"] > recommended, "error"]
    if after.empty:
        return None
    rise = float(after.tail(LAST_EPOCHS).median()) - least
    predicted = float(held_out["empty_error"].iloc[0]) - least
    last = int(held_out["epoch"].iloc[-1])
    falls = training_error.get(last, np.nan) < training_error.get(recommended, np.nan)
    if rise <= LARGEST_RISE * predicted or not falls:
        return None
    return OVERFITTING, (
        f"after epoch {recommended} the error of held-out tilts rises while that of training tilts "
        f"falls: later epochs learn the noise; use epoch {recommended}, or a smaller decoder"
    )


def _still_improving(held_out: pd.DataFrame, recommended: int) -> tuple[str, str] | None:
    """The last checkpoint is the best, and clearly better than the one before."""
    if len(held_out) < 2 or recommended != int(held_out["epoch"].iloc[-1]):  # noqa: PLR2004
        return None
    before, last = held_out["error"].iloc[-2:]
    if before - last <= 0.01 * (held_out["empty_error"].iloc[-1] - last):
        return None
    return STILL_IMPROVING, (
        f"held-out tilts are still predicted better with every epoch; go on beyond epoch "
        f"{recommended} with --load latest and more epochs"
    )


def _latent_use(gain: float, information: float) -> tuple[str, str] | None:
    """Latents that tell nothing, or nothing yet that the consensus map does not."""
    if information < SIGNIFICANT:
        return UNUSED_LATENT, (
            "held-out tilts are predicted as well with the latents of other particles: the latents "
            "hold nothing that can be told from noise, or the run has not yet found it"
        )
    if gain < SIGNIFICANT:
        return NO_GAIN, (
            "latents tell particles apart, but the decoder does not predict held-out tilts better "
            "than one consensus map does; train longer, or use train_linear"
        )
    return None
