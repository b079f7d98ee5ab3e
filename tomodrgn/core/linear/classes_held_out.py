"""What classes are worth: how well they predict tilts that did not choose the class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from tomodrgn.core.linear.rare import are_significant, log_odds
from tomodrgn.core.linear.weighting import mean_of, z_of_mean

if TYPE_CHECKING:
    from torch import Tensor

_SIGNIFICANT_Z: Final = 2.5
_TILT_SETS: Final = 2
_STRONG_ODDS: Final = 150
"""Odds from which evidence for a model counts as very strong.

Source: Kass & Raftery 1995, doi:10.1080/01621459.1995.10476572.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassGain:
    """Log likelihood of held-out tilts under the classes of the other half, over one map for all.

    Attributes:
        gain: mean per particle.
        z: the same over its standard error.
        n_particles: how many there are.
        log_odds: logarithm of the odds that a part of the particles gains.
    """

    gain: float
    z: float
    n_particles: int
    log_odds: float

    @property
    def is_significant(self) -> bool:
        """Whether there is more than one class.

        A gain of next to nothing can be steady, as when classes mend the interpolation of the mean
        map; so all particles together must also speak strongly for classes. A rare class is heard
        though most particles gain nothing.
        """
        is_strong = self.gain * self.n_particles > math.log(_STRONG_ODDS)
        return (is_strong and self.z > _SIGNIFICANT_Z) or are_significant(self.log_odds)


def held_out_gains(gains: Tensor, weights: Tensor) -> Tensor:
    """(b, models) gain of each particle, its class being inferred from the other tilts.

    Args:
        gains: (b, 2, C) log likelihood of each class over the mean map, by sets of tilts.
        weights: (models, C / models) of the classes of several models.
    """
    by_model = gains.unflatten(2, tuple(weights.shape))  # (b, 2, models, K)
    told = torch.log_softmax(by_model + weights.log(), dim=3)
    predicted = torch.logsumexp(told + by_model.flip(1), dim=3)
    total: Tensor = predicted.sum(1)
    return total


def one_map_gains(gains: Tensor, weights: Tensor | None = None) -> Tensor:
    """(b,) gain of each particle under the one map that predicts all of them best.

    With few particles the mean map is filtered more than it should be, and each class map alone
    predicts all particles better, however they are sorted; that says nothing of classes.

    Args:
        gains: (b, 2, C) log likelihood of each class over the mean map, by sets of tilts.
        weights: (b,) by which particles count in the choice of the map; None where all count alike.
    """
    alone = torch.nn.functional.pad(gains.sum(1), (1, 0))  # the mean map first
    found: Tensor = alone[:, mean_of(alone, weights).argmax()]
    return found


def class_gain(gains: Tensor, weights: Tensor | None = None) -> ClassGain:
    """Mean of gains (B,), and its significance; 0 where nothing varies.

    Particles count by weights (B,), or alike.
    """
    counted = gains if weights is None else gains * weights
    odds = log_odds(counted.double() / _TILT_SETS)  # each set of tilts was predicted from the other
    return ClassGain(
        gain=float(mean_of(gains, weights)),
        z=float(z_of_mean(gains, weights)),
        n_particles=len(gains),
        log_odds=odds,
    )
