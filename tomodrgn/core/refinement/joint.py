"""Errors of particles and of exposures at once.

What all particles of an exposure are displaced by is an error of the exposure; what all images of a
particle are displaced by is one of the particle. Both follow from the same residuals, so that they
are solved for together: two steps from one residual would correct twice. Particles are eliminated
first (they share no image), which leaves one small system for each tilt series.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from tomodrgn.core.linear.factors import positive_factor
from tomodrgn.core.refinement.equations import CONTRAST, N_CHANGES, SHIFT
from tomodrgn.core.refinement.steps import N_ERRORS, errors_to_changes, particle_equations

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.refinement.equations import ImageEquations
    from tomodrgn.core.refinement.steps import Widths

N_OF_TILT: Final = 3
"""Errors of an exposure: its shift along x and y (px) and its contrast."""
_NO_WIDTH: Final = 1e-7


@dataclass(frozen=True, slots=True)
class TiltWidths:
    """Standard deviations of the errors of exposures."""

    shift_px: float
    contrast: float

    def of_errors(self) -> Tensor:
        """(3,) float64."""
        return torch.tensor([self.shift_px, self.shift_px, self.contrast], dtype=torch.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """What is known of errors beforehand: they are normal, about what is stated.

    Attributes:
        widths: of errors of particles.
        tilt_widths: of errors of exposures.
        stated: (B, 7) errors by which the present particles would be as stated.
        stated_tilt: (T, 3) the same of exposures.
    """

    widths: Widths
    tilt_widths: TiltWidths
    stated: Tensor
    stated_tilt: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class JointErrors:
    """Posteriors of errors.

    Attributes:
        particle: (B, 7) means.
        particle_covariance: (B, 7, 7), exposures taken to be as found.
        tilt: (T, 3) means; exposures that show none of the particles have none.
        tilt_variance: (T, 3), particles being uncertain.
        tilt_evidence: log probability with errors of exposures about what is stated, over that
            without them.
    """

    particle: Tensor
    particle_covariance: Tensor
    tilt: Tensor
    tilt_variance: Tensor
    tilt_evidence: float


def joint_errors(
    images: ImageEquations, series: Tensor, exposure: Tensor, prior: Prior
) -> JointErrors:
    """Solve for the errors of B particles and T exposures.

    Args:
        images: equations of m images.
        series: (m,) tilt series of each image.
        exposure: (m,) exposure of each image, below T.
        prior: of these errors.
    """
    particles = particle_equations(images, len(prior.stated))
    alone, covariance = particles.errors(prior.widths, prior.stated)
    spread = prior.tilt_widths.of_errors().clamp_min(_NO_WIDTH)
    tilt = prior.stated_tilt.clone()  # without errors, exposures are as stated
    variance = spread.square().expand(len(tilt), -1).clone()
    particle, evidence = alone.clone(), 0.0
    terms = _tilt_terms(images)
    for number in series.unique() if any(prior.tilt_widths.of_errors()) else ():
        here = (series == number).nonzero()[:, 0]
        shown, place = exposure[here].unique(return_inverse=True)
        rows, owner = images.owner[here].unique(return_inverse=True)
        own, cross, vector = (each[here] for each in terms)
        dense = cross.new_zeros(len(rows), len(shown), N_ERRORS, N_OF_TILT)
        dense.index_put_((owner, place), cross, accumulate=True)
        coupling = dense.transpose(1, 2).flatten(2)  # (rows, 7, 3 exposures)
        solved = covariance[rows] @ coupling
        diagonal = own.new_zeros(len(shown), N_OF_TILT, N_OF_TILT).index_add_(0, place, own)
        matrix = torch.block_diag(*diagonal) - torch.einsum("rea,reb->ab", coupling, solved)
        right = vector.new_zeros(len(shown), N_OF_TILT).index_add_(0, place, vector).flatten()
        right = right - torch.einsum("rea,re->a", coupling, alone[rows])
        stated = prior.stated_tilt[shown].flatten()
        found, unknown, gained = _solved(matrix, right, spread.repeat(len(shown)), stated)
        tilt[shown] = found.unflatten(0, (-1, N_OF_TILT))
        variance[shown] = unknown.unflatten(0, (-1, N_OF_TILT))
        particle[rows] = alone[rows] - solved @ found
        evidence += gained
    return JointErrors(
        particle=particle,
        particle_covariance=covariance,
        tilt=tilt,
        tilt_variance=variance,
        tilt_evidence=evidence,
    )


def _tilt_terms(images: ImageEquations) -> tuple[Tensor, Tensor, Tensor]:
    """Of each image, (m, 3, 3) and (m, 7, 3) products with errors of exposures, and (m, 3)."""
    change = torch.zeros(N_CHANGES, N_OF_TILT, dtype=torch.float64)
    change[SHIFT, :2] = torch.eye(2, dtype=torch.float64)
    change[CONTRAST, 2] = 1
    seen = images.matrix @ change
    return change.T @ seen, errors_to_changes(images.rotation).mT @ seen, images.vector @ change


def _solved(
    matrix: Tensor, right: Tensor, spread: Tensor, stated: Tensor
) -> tuple[Tensor, Tensor, float]:
    """Errors (n,) of one tilt series, their variances, and what they add to the log evidence."""
    system = spread[:, None] * matrix * spread + torch.eye(len(spread), dtype=matrix.dtype)
    factor = positive_factor(system[None], "exposures", least=1.0)[0]

    def solve(vector: Tensor) -> Tensor:
        solution: Tensor = torch.cholesky_solve(vector[:, None], factor)[:, 0]
        return solution

    found = spread * solve(spread * right + stated / spread)
    variance = torch.cholesky_inverse(factor).diagonal() * spread.square()
    about_stated = spread * (right - matrix @ stated)
    evidence = 0.5 * about_stated @ solve(about_stated) - factor.diagonal().log().sum()
    return found, variance, float(evidence)
