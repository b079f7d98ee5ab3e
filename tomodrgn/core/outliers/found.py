"""Particles and exposures that look like nothing that the maps show, with probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tomodrgn.core.outliers.mixture import AmplitudeMixture, fit_amplitudes
from tomodrgn.core.particles.outliers_file import CALLED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.outliers.goodness import Goodness

_MIN_EXPOSURES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Outliers:
    """What is no particle among B, and what is no exposure of them among T.

    Attributes:
        goodness: how well images fit the maps.
        mixture: of the amplitudes of particles.
        tilt_mixture: of those of exposures.
        probability: (B,) that a particle is junk.
        tilt_probability: (T,) that an exposure shows nothing.
    """

    goodness: Goodness
    mixture: AmplitudeMixture
    tilt_mixture: AmplitudeMixture
    probability: NDArray[np.float64]
    tilt_probability: NDArray[np.float64]

    @property
    def is_junk(self) -> NDArray[np.bool_]:
        """(B,) more likely than not."""
        return self.probability > CALLED

    def weights(self, how: str) -> NDArray[np.float64] | None:
        """(B,) by which particles are to count in fits; None where all count alike.

        Args:
            how: ``report``, ``weight`` or ``exclude``.
        """
        if how == "report" or not self.probability.any():
            return None
        is_lost = self.probability if how == "weight" else self.is_junk.astype(np.float64)
        return np.asarray(1 - is_lost)

    def lines(self, where: str) -> list[str]:
        """What was found, in words; ``where`` it is written."""
        n, n_tilts = len(self.probability), len(self.tilt_probability)
        junk, bad = int(self.is_junk.sum()), int((self.tilt_probability > CALLED).sum())
        lines = [f"no outliers: all {n} particles look like what the maps show"]
        if junk:
            lines = [
                f"{junk} of {n} particles look like nothing that the maps show (junk probability "
                f"> {CALLED}): {where}"
            ]
        if bad:
            lines.append(f"{bad} of {n_tilts} exposures show nothing of their particles: {where}")
        return lines

    def figures(self) -> dict[str, Any]:
        """The same in numbers."""
        return {
            "n_junk": int(self.is_junk.sum()),
            "expected_junk": float(self.probability.sum()),
            "log_likelihood_gain": self.mixture.gain,
            "contrast_log_sd": self.mixture.log_sd,
            "n_bad_exposures": int((self.tilt_probability > CALLED).sum()),
        }


def find_outliers(goodness: Goodness) -> Outliers:
    """Probabilities from amplitudes; all 0 where nothing says that there are outliers."""
    mixture = fit_amplitudes(goodness.amplitude, goodness.error)
    shown = goodness.n_shown > 1
    tilts = fit_amplitudes(goodness.tilt_amplitude[shown], goodness.tilt_error[shown])
    tilt_probability = np.zeros(len(shown))
    if shown.sum() >= _MIN_EXPOSURES:
        tilt_probability[shown] = tilts.probability(
            goodness.tilt_amplitude[shown], goodness.tilt_error[shown]
        )
    return Outliers(
        goodness=goodness,
        mixture=mixture,
        tilt_mixture=tilts,
        probability=mixture.probability(goodness.amplitude, goodness.error),
        tilt_probability=tilt_probability,
    )
