"""Errors of particles from the equations of their images, and how wide such errors are.

The images of a particle move together: its seven errors are its contrast, three shifts (px) and
three turns (rad) in the frame of the reference. Each kind has a normal prior about what the file
states; its width is that of greatest evidence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import torch

from tomodrgn.core.linear.factors import positive_factor
from tomodrgn.core.refinement.equations import CONTRAST, N_CHANGES, SHIFT, TURN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tomodrgn.core.refinement.equations import ImageEquations

N_ERRORS: Final = 7
CONTRASTS: Final = slice(0, 1)
SHIFTS: Final = slice(1, 4)
TURNS: Final = slice(4, 7)
"""Places of the errors of each kind."""
_KINDS: Final = (CONTRASTS, SHIFTS, TURNS)
_WIDTH_ROUNDS: Final = 60
_MIN_WIDTH: Final = 1e-4
_NO_WIDTH: Final = 1e-7
_IMAGES_AT_ONCE: Final = 2**14
"""Whose products lie in memory beside their equations."""


@dataclass(frozen=True, slots=True)
class Widths:
    """Standard deviations of the errors of particles, each along one axis."""

    contrast: float
    shift_px: float
    turn_rad: float

    def only(self, fitted: Sequence[bool]) -> Widths:
        """Of some kinds of errors; there are no others."""
        now = (self.contrast, self.shift_px, self.turn_rad)
        return Widths(*(width if kept else 0.0 for width, kept in zip(now, fitted, strict=True)))

    def wider(self, errors: Tensor) -> Widths:
        """As wide as they are beside errors (B, 7) known already."""
        second = self.of_errors().square() + errors.square().mean(0)
        return Widths(*(float(second[kind].mean().sqrt()) for kind in _KINDS))

    def of_errors(self) -> Tensor:
        """(7,) float64."""
        each = (self.contrast, *3 * (self.shift_px,), *3 * (self.turn_rad,))
        return torch.tensor(each, dtype=torch.float64)


@dataclass(frozen=True, slots=True)
class ParticleEquations:
    """Log likelihood of errors e of B particles: ``vector.e - e.matrix e / 2``.

    Attributes:
        matrix: (B, 7, 7) float64; contrast, shift (px) and turn (rad) in the reference.
        vector: (B, 7) float64.
    """

    matrix: Tensor
    vector: Tensor

    def evidence(self, widths: Widths) -> Tensor:
        """(B,) log probability with errors integrated out, over that without any error."""
        scale = widths.of_errors()
        matrix = scale[:, None] * self.matrix * scale
        vector = scale * self.vector
        factor = positive_factor(matrix + torch.eye(N_ERRORS), "particles", least=1.0)
        solved = torch.cholesky_solve(vector[..., None], factor)[..., 0]
        volume = factor.diagonal(dim1=1, dim2=2).log().sum(1)
        return 0.5 * (vector * solved).sum(1) - volume

    def errors(self, widths: Widths, stated: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior means (B, 7) and covariances (B, 7, 7).

        Args:
            widths: of the prior.
            stated: (B, 7) errors by which the present poses would be the stated ones again.
        """
        scale = widths.of_errors().clamp_min(_NO_WIDTH)
        matrix = scale[:, None] * self.matrix * scale + torch.eye(N_ERRORS)
        factor = positive_factor(matrix, "particles", least=1.0)
        vector = scale * self.vector + stated / scale
        mean = scale * torch.cholesky_solve(vector[..., None], factor)[..., 0]
        covariance = scale[:, None] * torch.cholesky_inverse(factor) * scale
        return mean, covariance

    def weakened(self, factor: float) -> ParticleEquations:
        """As if the noise had ``factor`` times its power."""
        return ParticleEquations(self.matrix / factor, self.vector / factor)

    def widths(self, start: Widths) -> Widths:
        """Widths of greatest evidence about the present poses, by expectation-maximization.

        A kind of errors whose width is 0 at the start has none.
        """
        found = start
        nothing = torch.zeros_like(self.vector)
        for _ in range(_WIDTH_ROUNDS):
            mean, covariance = self.errors(found, nothing)
            found = widths_of(mean, covariance, found)
        return found


def widths_of(mean: Tensor, covariance: Tensor, present: Widths) -> Widths:
    """Widths of errors (B, 7) that are known up to covariances (B, 7, 7); those of 0 stay so."""
    second = mean.square() + covariance.diagonal(dim1=1, dim2=2)
    now = (present.contrast, present.shift_px, present.turn_rad)
    found = [
        max(_MIN_WIDTH, float(second[:, kind].mean().sqrt())) if width else 0.0
        for kind, width in zip(_KINDS, now, strict=True)
    ]
    return Widths(*found)


def particle_equations(images: ImageEquations, n_particles: int) -> ParticleEquations:
    """Sums over the images of each of B particles; others of these have zeros."""
    matrix = torch.zeros(n_particles, N_ERRORS, N_ERRORS, dtype=torch.float64)
    vector = torch.zeros(n_particles, N_ERRORS, dtype=torch.float64)
    for first in range(0, len(images.owner), _IMAGES_AT_ONCE):
        here = slice(first, first + _IMAGES_AT_ONCE)
        chain = errors_to_changes(images.rotation[here])
        matrix.index_add_(0, images.owner[here], chain.mT @ images.matrix[here] @ chain)
        vector.index_add_(0, images.owner[here], (chain.mT @ images.vector[here, :, None])[..., 0])
    return ParticleEquations(matrix, vector)


def of_tilt_sets(images: ImageEquations, n_particles: int) -> tuple[Tensor, Tensor]:
    """(B, 2, 7, 7) and (B, 2, 7) sums over images of even and odd rank of each of B particles."""
    changes = torch.diff(images.owner, prepend=images.owner.new_full((1,), -1)) != 0
    places = torch.arange(len(images.owner))
    first = torch.where(changes, places, 0).cummax(0)[0]
    is_odd = (places - first) % 2
    parts = []
    for odd in (0, 1):
        kept = (is_odd == odd)[:, None]
        part = replace(images, matrix=images.matrix * kept[..., None], vector=images.vector * kept)
        parts.append(particle_equations(part, n_particles))
    return (
        torch.stack([each.matrix for each in parts], dim=1),
        torch.stack([each.vector for each in parts], dim=1),
    )


def errors_to_changes(rotation: Tensor) -> Tensor:
    """(m, 6, 7) changes of images, seen with rotations (m, 3, 3), by errors of their particle."""
    chain = torch.zeros(len(rotation), N_CHANGES, N_ERRORS, dtype=rotation.dtype)
    chain[:, CONTRAST, 0] = 1
    chain[:, SHIFT, 1:4] = rotation[:, :2]
    chain[:, TURN, 4:7] = rotation
    return chain
