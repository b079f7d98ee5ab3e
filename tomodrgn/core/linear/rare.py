"""A test for rare states: do few particles gain much by a model that tells particles apart?

The mean gain of all particles averages a rare state away. But the gain of a particle is the
logarithm of a likelihood ratio, whose mean is 1 or less where particles do not differ; so is that
of a mixture in which a fraction of the particles differs, and a large ratio is its own
significance: by Markov's inequality it exceeds r with a chance of 1 / r at most.

Source:
    E-values: Vovk & Wang 2021, doi:10.1214/20-AOS2020.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from torch import Tensor

LEVEL: Final = 0.0175
"""Chance to call identical particles different; a bound, which is far from being reached."""
_FRACTIONS: Final = (1.0, 0.3, 0.1, 0.03, 0.01)
_MAX_GAIN: Final = 50.0


def log_odds(gains: Tensor) -> float:
    """Logarithm of the likelihood ratio of mixtures in which some particles gain as given (B,).

    Fractions that differ count alike. The ratio has a mean of 1 or less where none differs.
    """
    mixed = [
        torch.log1p(fraction * torch.expm1(gains.clamp_max(_MAX_GAIN))).sum()
        if fraction < 1
        else gains.sum()
        for fraction in _FRACTIONS
    ]
    return float(torch.stack(mixed).logsumexp(0)) - log(len(_FRACTIONS))


def are_significant(odds: float) -> bool:
    """Whether some particles differ, given the logarithm of the odds."""
    return odds > -log(LEVEL)
