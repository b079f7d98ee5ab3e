"""Do particles differ, beyond what errors of their poses and contrast explain?

A rigid error of a particle is the same in all its tilts, so that held-out tilts alone cannot tell
it from structure. So the errors are part of both models that are compared: what latents add to the
prediction of held-out tilts is their gain over a model that has errors of pose and contrast
already. The models are those of the half to which the particle does not belong.

Two tests of the gains are made. The mean over its standard error sees what most particles share. A
rare state is averaged away by it, and has a test of its own, see :mod:`~tomodrgn.core.linear.rare`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from math import log, sqrt
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from tomodrgn.core.analysis.covariate_regression import TOGETHER
from tomodrgn.core.linear.factors import positive_factor
from tomodrgn.core.linear.half_models import run_both
from tomodrgn.core.linear.latents import LatentTerms
from tomodrgn.core.linear.rare import RARE_ODDS, rare_odds
from tomodrgn.core.refinement.joint_terms import joint_terms
from tomodrgn.core.refinement.steps import CONTRASTS, N_ERRORS, SHIFTS, TURNS, Widths

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.linear.half_models import HalfModels, Halves

MEAN_LEVEL: Final = 0.0025
"""Chance to call identical particles different by the mean, whatever number of latents is tried."""
MIN_GAIN: Final = 3.0
"""Log likelihood that all particles together have to gain; see :mod:`~tomodrgn.core.linear.fit`."""
NO_WIDTH: Final = 1e-7
MOSTLY: Final = 0.8
"""Share of the power of latents from which errors are taken to be the cause."""
REST: Final = "nothing of these"
_PARTICLES_OF_SHARES: Final = 100
"""Of either half, by which shares are told: they are much the same in all particles."""
_WORTH_NAMING: Final = 0.01
KINDS: Final = {"contrast": CONTRASTS, "shift": SHIFTS, "rotation": TURNS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What latents are worth beside errors of pose and contrast.

    Attributes:
        gain: (K,) mean log likelihood per particle that the first k + 1 latents add.
        z: (K,) the same over its standard error.
        log_odds: logarithm of the odds that few particles differ from all others.
        share: of the power of the latents, by kind of error, that this kind explains.
        sources: part of the spread of particles that what is known of them predicts, such as their
            tomogram or view; see :mod:`~tomodrgn.core.analysis.covariate_regression`.
    """

    gain: tuple[float, ...]
    z: tuple[float, ...]
    log_odds: float
    share: dict[str, float]
    sources: dict[str, float] = field(default_factory=dict)

    @property
    def rest(self) -> float:
        """Least part of what differs that neither errors nor anything known explains."""
        return (1 - self.share["errors"]) * (1 - self.sources.get(TOGETHER, 0.0))

    @property
    def is_explained_by_errors(self) -> bool:
        """Whether what differs is what errors of pose and contrast make, for the most part."""
        return self.share["errors"] >= MOSTLY

    def table(self) -> dict[str, float]:
        """Shares of what differs by where it may come from, which overlap, and the rest."""
        known = {name: part for name, part in self.sources.items() if name != TOGETHER}
        return {name: self.share[name] for name in KINDS} | known | {REST: self.rest}

    @property
    def needed_z(self) -> float:
        """Z from which a gain is significant."""
        from scipy.stats import norm  # type: ignore[import-untyped]

        return float(norm.isf(MEAN_LEVEL / len(self.z)))

    @property
    def has_rare(self) -> bool:
        """Whether some particles differ, judged by what few of them gain."""
        return self.log_odds > RARE_ODDS

    def is_heterogeneous(self, n_particles: int) -> bool:
        """Whether n particles differ in what the model describes."""
        return self.has_rare or any(
            n_particles * gain > MIN_GAIN and z > self.needed_z
            for gain, z in zip(self.gain, self.z, strict=True)
        )

    def figures(self) -> dict[str, Any]:
        """The same in numbers."""
        return asdict(self) | {"needed_z": self.needed_z, "table": self.table()}

    def lines(self, n_particles: int, what: str = "latents") -> list[str]:
        """What was found about n particles, in words.

        Args:
            n_particles: that were judged.
            what: tells them apart.
        """
        best = int(np.argmax(self.z))
        gain = (
            f"log likelihood {self.gain[best]:+.2f} per particle, {self.z[best]:.1f} standard "
            "errors"
        )
        if not self.is_heterogeneous(n_particles):
            return [
                f"no heterogeneity found: beside errors of pose and contrast, what {what} add to "
                f"held-out tilts is not significant ({gain}; {self.needed_z:.1f} are needed)"
            ]
        lines = [f"particles differ: {what} add to held-out tilts ({gain})"]
        if self.z[best] <= self.needed_z:
            lines = [
                f"some particles differ: a few gain much by {what} on held-out tilts, most do not "
                f"({gain} on average)"
            ]
        return [*lines, *self.lines_of_sources()]

    def lines_of_sources(self) -> list[str]:
        """What else than structure may differ, in words."""
        shares = ", ".join(f"{name} {self.share[name]:.0%}" for name in KINDS)
        lines = [
            f"of what differs, this could also be errors of pose or contrast: {shares}, together "
            f"{self.share['errors']:.0%}"
        ]
        if self.is_explained_by_errors:
            lines.append("so errors of pose or contrast are the likeliest cause of what differs")
        if self.sources:
            known = (
                f"{name} {part:.0%}"
                for name, part in self.sources.items()
                if name != TOGETHER and part >= _WORTH_NAMING
            )
            found = ", ".join(known) or "nothing that is known of them"
            lines.append(
                f"how particles differ is predicted by: {found}; {self.rest:.0%} is explained by "
                "neither this nor errors"
            )
        return lines


def judge(halves: Halves, models: HalfModels, widths: Widths, stated: Tensor) -> Verdict:
    """Compare models with latents and without, both with errors.

    Args:
        halves: of B particles, in the poses and up to the shells of the models.
        models: of K latents.
        widths: of errors of particles, about what is stated.
        stated: (B, 7) errors by which particles would be as stated.
    """
    matrix, vector = terms_across(halves, models.maps, models.precision)
    about = stated[torch.from_numpy(np.concatenate(halves.rows))]
    n_latents = vector.shape[-1] - N_ERRORS
    gains = [_gains(matrix, vector, widths, about, k) for k in range(n_latents + 1)]
    added = torch.stack([each - gains[0] for each in gains[1:]])
    spread = (added.std(1) / sqrt(added.shape[1])).clamp_min(1e-30)
    return Verdict(
        gain=tuple(added.mean(1).tolist()),
        z=tuple((added.mean(1) / spread).tolist()),
        log_odds=rare_odds_of(halves, matrix.sum(1), vector.sum(1), widths, about),
        share=shares(halves, models.maps, models.precision),
    )


def terms_across(halves: Halves, maps: Tensor, precision: Tensor) -> tuple[Tensor, Tensor]:
    """:func:`joint_terms` of all particles, in the order of their halves, with maps of the other.

    Noise that tilts share, such as that of ramps, counts as noise.

    Args:
        halves: of B particles.
        maps: (2, 1 + K, D, D, D) of either half.
        precision: (shells,) of the noise.
    """
    rows, others = halves.rows, maps.flip(0)

    def one(half: int) -> tuple[Tensor, Tensor]:
        return joint_terms(halves.images, rows[half], others[half], precision)

    found = run_both(one, halves.images)
    matrix, vector = (torch.cat(each) for each in zip(*found, strict=True))
    latents = LatentTerms(matrix[..., N_ERRORS:, N_ERRORS:], vector[..., N_ERRORS:])
    excess = max(1.0, latents.inconsistency())
    return matrix / excess, vector / excess


def shares(
    halves: Halves, maps: Tensor, precision: Tensor, weights: Tensor | None = None
) -> dict[str, float]:
    """Share of the power of latents that each kind of error explains alone, and all together.

    Of what maps of both halves show, so that noise of these is neither.

    Args:
        halves: of B particles.
        maps: (2, 1 + K, D, D, D) of either half, in a common frame.
        precision: (shells,) of the noise.
        weights: (K,) of the latents; all count alike by default.
    """
    n_latents = maps.shape[1] - 1
    total = torch.zeros(N_ERRORS + 2 * n_latents, N_ERRORS + 2 * n_latents, dtype=torch.float64)
    for half, rows in enumerate(halves.rows):
        seen = rows[:: max(1, len(rows) // _PARTICLES_OF_SHARES)]
        both = torch.cat([maps[1 - half][:1], maps[0, 1:], maps[1, 1:]])
        total += joint_terms(halves.images, seen, both, precision)[0].sum((0, 1))
    return explained(total, N_ERRORS, weights)


def explained(matrix: Tensor, n_errors: int, weights: Tensor | None = None) -> dict[str, float]:
    """:func:`shares` of a sum of matrices.

    Args:
        matrix: (E + 2 K, E + 2 K) of errors, of latents as one half has them, and as the other has.
        n_errors: E, 7.
        weights: (K,) of the latents.
    """
    n_latents = (len(matrix) - n_errors) // 2
    first = slice(n_errors, n_errors + n_latents)
    second = slice(n_errors + n_latents, len(matrix))
    weight = matrix.new_ones(n_latents) if weights is None else weights.to(matrix)
    power = float(matrix[first, second].diagonal() @ weight)
    if power <= 0:
        return dict.fromkeys([*KINDS, "errors"], 0.0)
    found = {}
    for name, kind in (KINDS | {"errors": slice(0, n_errors)}).items():
        own = matrix[kind, kind]
        ridge = 1e-9 * float(own.trace()) * torch.eye(len(own), dtype=own.dtype)
        known = torch.linalg.solve(own + ridge, matrix[kind, second])
        share = float((matrix[kind, first] * known).sum(0) @ weight) / power
        found[name] = min(1.0, max(0.0, share))
    return found | {"errors": max(found.values())}  # noise of the halves may take from the sum


def rare_odds_of(
    halves: Halves, matrix: Tensor, vector: Tensor, widths: Widths, stated: Tensor
) -> float:
    """Mean of the odds of both halves, each judged with the maps of the other, errors unknown.

    Takes terms (B, E + K, E + K) and (B, E + K), and errors of what is stated (B, E).
    """
    matrix, vector = without_errors(matrix, vector, widths, stated)
    first = len(halves.rows[0])
    odds = rare_odds(matrix[:first], vector[:first]), rare_odds(matrix[first:], vector[first:])
    return float(np.logaddexp(*odds)) - log(2)


def without_errors(
    matrix: Tensor, vector: Tensor, widths: Widths, stated: Tensor
) -> tuple[Tensor, Tensor]:
    """Terms of latents (B, K, K) and (B, K), errors being unknown.

    Args:
        matrix: (B, 7 + K, 7 + K) of errors and latents.
        vector: (B, 7 + K).
        widths: of errors, about what is stated.
        stated: (B, 7) errors by which particles would be as stated.
    """
    errors, latents = slice(0, N_ERRORS), slice(N_ERRORS, None)
    precision = widths.of_errors().clamp_min(NO_WIDTH).pow(-2)
    known = torch.cat(
        [matrix[:, errors, latents], (vector[:, errors] + precision * stated)[..., None]], 2
    )
    solved = torch.linalg.solve(matrix[:, errors, errors] + precision.diag(), known)
    cross = matrix[:, latents, errors]
    return (
        matrix[:, latents, latents] - cross @ solved[..., :-1],
        vector[:, latents] - (cross @ solved[..., -1:])[..., 0],
    )


def _gains(
    matrix: Tensor, vector: Tensor, widths: Widths, stated: Tensor, n_latents: int
) -> Tensor:
    """(B,) log probability of tilts given the others, in a model of errors and some latents.

    Half of the sum over both sets of tilts, so that the exponential of a difference has a mean of
    1 or less where the larger model has nothing to add.
    """
    n_terms = N_ERRORS + n_latents
    matrix, vector = matrix[..., :n_terms, :n_terms], vector[..., :n_terms]
    latents = torch.ones(n_latents, dtype=matrix.dtype)
    scale = torch.cat([widths.of_errors().clamp_min(NO_WIDTH), latents])
    centre = torch.cat([stated, stated.new_zeros(len(stated), n_latents)], dim=1) / scale

    def evidence(matrix: Tensor, vector: Tensor) -> Tensor:
        system = scale[:, None] * matrix * scale + torch.eye(n_terms, dtype=matrix.dtype)
        factor = positive_factor(system, "particles", least=1.0)
        right = scale * vector + centre
        solved = torch.cholesky_solve(right[..., None], factor)[..., 0]
        return 0.5 * (right * solved).sum(1) - factor.diagonal(dim1=1, dim2=2).log().sum(1)

    both = evidence(matrix.sum(1), vector.sum(1))
    return both - (evidence(matrix[:, 0], vector[:, 0]) + evidence(matrix[:, 1], vector[:, 1])) / 2
