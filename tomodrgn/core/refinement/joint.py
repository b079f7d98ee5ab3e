"""Errors of particles and of exposures at once.

What all particles of an exposure are displaced by is an error of the exposure; what all images of a
particle are displaced by is one of the particle. Both follow from the same residuals, so that they
are solved for together: two steps from one residual would correct twice. Particles are eliminated
first (they share no image), which leaves one small system for each tilt series.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import torch

from tomodrgn.core.linear.factors import positive_factor
from tomodrgn.core.refinement.equations import CONTRAST, N_CHANGES, SHIFT
from tomodrgn.core.refinement.steps import N_ERRORS, errors_to_changes, particle_equations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from tomodrgn.core.refinement.equations import ImageEquations
    from tomodrgn.core.refinement.steps import Widths

N_OF_TILT: Final = 3
"""Errors of an exposure: its shift along x and y (px) and its contrast."""
_NO_WIDTH: Final = 1e-7
_WIDTH_ROUNDS: Final = 25
_SETTLED: Final = 2e-3
"""Change of a width, over the width, below which rounds end."""


@dataclass(frozen=True, slots=True)
class TiltWidths:
    """Standard deviations of the errors of exposures."""

    shift_px: float
    contrast: float

    def of_errors(self) -> Tensor:
        """(3,) float64."""
        return torch.tensor([self.shift_px, self.shift_px, self.contrast], dtype=torch.float64)

    def is_near(self, other: TiltWidths) -> bool:
        """Whether both widths are the same up to little of them."""
        return all(
            abs(own - its) <= _SETTLED * max(own, its)
            for own, its in ((self.shift_px, other.shift_px), (self.contrast, other.contrast))
        )


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


@dataclass(frozen=True, slots=True)
class TiltSystem:
    """What the images of one tilt series say of the errors of its exposures, whatever their width.

    Particles are eliminated: their errors are as likely as they can be, given those of exposures.

    Attributes:
        shown: (e,) int64 the exposures.
        matrix: (3 e, 3 e) float64.
        right: (3 e,) float64.
        particles: (b,) int64 rows of the particles that these exposures show.
        follow: (b, 7, 3 e) by how much the errors of these follow those of exposures.
    """

    shown: Tensor
    matrix: Tensor
    right: Tensor
    particles: Tensor
    follow: Tensor


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
    if any(prior.tilt_widths.of_errors()):
        for system in _systems(images, series, exposure, alone, covariance):
            stated = prior.stated_tilt[system.shown]
            found, unknown, gained = solved_tilts(system, prior.tilt_widths, stated)
            tilt[system.shown], variance[system.shown] = found, unknown
            rows = system.particles
            particle[rows] = alone[rows] - system.follow @ found.flatten()
            evidence += gained
    return JointErrors(
        particle=particle,
        particle_covariance=covariance,
        tilt=tilt,
        tilt_variance=variance,
        tilt_evidence=evidence,
    )


def tilt_systems(
    images: ImageEquations, series: Tensor, exposure: Tensor, widths: Widths, stated: Tensor
) -> list[TiltSystem]:
    """Systems of all tilt series, without what particles follow from; arguments as above."""
    found = particle_equations(images, len(stated)).errors(widths, stated)
    nothing = stated.new_zeros(0, N_ERRORS, 0)
    return [
        replace(system, particles=system.particles[:0], follow=nothing)
        for system in _systems(images, series, exposure, *found)
    ]


def _systems(
    images: ImageEquations, series: Tensor, exposure: Tensor, alone: Tensor, covariance: Tensor
) -> Iterator[TiltSystem]:
    """Of each tilt series, given errors (B, 7) of particles without any of exposures."""
    order = torch.argsort(series, stable=True)
    for here in order.split(series.unique(return_counts=True)[1].tolist()):
        shown, place = exposure[here].unique(return_inverse=True)
        rows, owner = images.owner[here].unique(return_inverse=True)
        own, cross, vector = _tilt_terms(images, here)
        dense = cross.new_zeros(len(rows), len(shown), N_ERRORS, N_OF_TILT)
        dense.index_put_((owner, place), cross, accumulate=True)
        coupling = dense.transpose(1, 2).flatten(2)  # (rows, 7, 3 exposures)
        follow = covariance[rows] @ coupling
        flat = coupling.flatten(0, 1)
        diagonal = own.new_zeros(len(shown), N_OF_TILT, N_OF_TILT).index_add_(0, place, own)
        right = vector.new_zeros(len(shown), N_OF_TILT).index_add_(0, place, vector).flatten()
        yield TiltSystem(
            shown=shown,
            matrix=torch.block_diag(*diagonal) - flat.T @ follow.flatten(0, 1),
            right=right - alone[rows].flatten() @ flat,
            particles=rows,
            follow=follow,
        )


def _tilt_terms(images: ImageEquations, here: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of images (n,), (n, 3, 3) and (n, 7, 3) products with errors of exposures, and (n, 3)."""
    change = torch.zeros(N_CHANGES, N_OF_TILT, dtype=torch.float64)
    change[SHIFT, :2] = torch.eye(2, dtype=torch.float64)
    change[CONTRAST, 2] = 1
    seen = images.matrix[here] @ change
    of_particles = errors_to_changes(images.rotation[here]).mT @ seen
    return change.T @ seen, of_particles, images.vector[here] @ change


def likeliest_tilt_widths(
    systems: Sequence[Sequence[TiltSystem]], stated: Tensor, start: TiltWidths
) -> tuple[TiltWidths, float]:
    """Widths of greatest evidence, and this evidence in all, by expectation-maximization.

    Kinds of errors whose width is 0 at the start have none.

    Args:
        systems: of all tilt series of either half.
        stated: (2, T, 3) errors by which exposures would be as stated.
        start: where to begin.
    """
    found, evidence = start, 0.0
    for _ in range(_WIDTH_ROUNDS):
        second, n_shown, evidence = torch.zeros(N_OF_TILT, dtype=torch.float64), 0, 0.0
        for of_half, known in zip(systems, stated, strict=True):
            for system in of_half:
                about = known[system.shown]
                tilt, variance, gained = solved_tilts(system, found, about)
                second += ((tilt - about).square() + variance).sum(0)
                n_shown += len(system.shown)
                evidence += gained
        second /= n_shown
        shift_px, contrast = float(second[:2].mean().sqrt()), float(second[2].sqrt())
        before = found
        found = TiltWidths(shift_px if start.shift_px else 0.0, contrast if start.contrast else 0.0)
        if found.is_near(before):
            break
    return found, evidence


def solved_tilts(
    system: TiltSystem, widths: TiltWidths, stated: Tensor
) -> tuple[Tensor, Tensor, float]:
    """Errors (e, 3) of one tilt series, their variances, and what they add to the log evidence.

    Args:
        system: of the tilt series.
        widths: of these errors.
        stated: (e, 3) errors by which exposures would be as stated.
    """
    spread = widths.of_errors().clamp_min(_NO_WIDTH).repeat(len(system.shown))
    found, variance, evidence = _solved(system.matrix, system.right, spread, stated.flatten())
    return found.unflatten(0, (-1, N_OF_TILT)), variance.unflatten(0, (-1, N_OF_TILT)), evidence


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
