"""Learning rate and weight of the KL divergence over a run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tomodrgn.core.specs.training import LatentSpec, TrainingSpec

BETA_RAMPS = {
    "a": (0.0, 1e6, 0.001, 15.0),
    "b": (2e5, 8e5, 5.0, 15.0),
    "c": (2e5, 8e5, 5.0, 18.0),
    "d": (1e6, 5e6, 5.0, 18.0),
}
"""Particles seen at the start and the end of a ramp, beta at its start and its end."""

CYCLES = 4
"""Cycles of schedule e over a run; beta rises from 0 to 1 in the first half of each."""


@dataclass(frozen=True, slots=True)
class BetaSchedule:
    """Weight of the KL divergence as a function of the particles seen.

    Source:
        Schedule e: Fu et al. 2019, arXiv:1903.10145 (cyclical annealing).
    """

    spec: LatentSpec
    n_particles_in_run: int

    def __call__(self, particles_seen: int) -> float:
        """Beta after ``particles_seen`` particles of the run."""
        beta = self.spec.beta
        if beta is None:
            return 1.0 / (self.spec.dim or 1)
        if isinstance(beta, str):
            if beta == "e":
                cycle = self.n_particles_in_run / CYCLES
                return min(1.0, 2.0 * (particles_seen % cycle) / cycle)
            start, end, low, high = BETA_RAMPS[beta]
            return float(np.interp(particles_seen, [start, end], [low, high]))
        return float(beta)


def learning_rate(spec: TrainingSpec, step: int, n_steps: int) -> float:
    """Learning rate of optimizer step ``step`` (from 0) out of ``n_steps``.

    Source:
        Cosine: Loshchilov & Hutter 2017, arXiv:1608.03983, one cycle without restart.
    """
    if spec.lr_schedule == "constant":
        return spec.lr
    warmup = max(1, round(spec.warmup_fraction * n_steps))
    if step < warmup:
        return spec.lr * (step + 1) / warmup
    done = (step - warmup) / max(1, n_steps - warmup)
    return spec.lr * 0.5 * (1 + math.cos(math.pi * done))
