"""One model of all particles, with what two halves agree on as its prior.

Maps hold some of the noise of every image that they were made of, and that particle would be found
in it again. So the latents of a tenth of the particles at a time are inferred with maps made of all
others; what these maps may be wrong by counts as noise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import torch

from tomodrgn.core.fourier.volumes import centred_fft3
from tomodrgn.core.linear.basis import BasisSums, solve_basis
from tomodrgn.core.linear.half_models import (
    HalfModels,
    Halves,
    collected,
    run_both,
    standard_change,
    with_mean,
)
from tomodrgn.core.linear.halves import (
    mean_map_fsc,
    shells_of,
    smooth_fsc,
    wiener_prior,
)
from tomodrgn.core.linear.latents import (
    LatentTerms,
    Posterior,
    log_evidence,
    population,
    standardising,
)
from tomodrgn.core.linear.passes import Pass, noise_precision, run_pass
from tomodrgn.core.linear.weighting import mean_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.linear.observations import Observations

_FOLDS: Final = 10
_MOST_ROUNDS: Final = 40
_SETTLED: Final = 0.001
"""Change of the log evidence per particle, over its size, below which rounds end."""
_WEAK_PRIOR: Final = 0.01
_LEAST_FSC: Final = 1e-3
_LEAST_DOUBT: Final = 1e-8


class SeesErrors(Protocol):
    """Sees what else than latents changes images; errors are standard normal in its units."""

    @property
    def n_errors(self) -> int:
        """E of a particle."""

    def terms(
        self,
        images: Observations,
        rows: NDArray[np.int64],
        maps: Tensor,
        precision: Tensor,
        latents: Tensor,
    ) -> LatentTerms:
        """Terms of E errors, then of K latents.

        Args:
            images: of all particles.
            rows: (b,) particles to look at.
            maps: (1 + K, D, D, D) of the model, in the box of the images.
            precision: (shells,) of the noise.
            latents: (b, K) near which these particles lie.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class FullMaps:
    """Maps with all shells.

    Attributes:
        maps: (1 + K, D, D, D).
        half_maps: (2, D, D, D) mean maps of either half, not filtered.
        fsc: (1 + K, D/2 + 1) agreement of halves.
        precision: (D/2 + 1,) of the noise.
        shell_weights: (D/2 + 1,) what images say of a coefficient where latents were inferred.
    """

    maps: Tensor
    half_maps: Tensor
    fsc: Tensor
    precision: Tensor
    shell_weights: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenLatents:
    """What images say of latents, errors of poses and contrast integrated out.

    Attributes:
        terms: of all tilts of a particle.
        of_tilts: of those of even and of odd rank apart, as if there were no others.
        precision: (shells,) of the noise that counts.
    """

    terms: LatentTerms
    of_tilts: LatentTerms
    precision: Tensor

    def changed(self, centre: Tensor, change: Tensor) -> SeenLatents:
        """For latents less a centre (K,), and maps V ``change`` (K, K) instead of V."""
        return replace(
            self,
            terms=self.terms.about(centre).changed(change),
            of_tilts=self.of_tilts.about(centre).changed(change),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JointModel:
    """A model of all particles at the resolution of its halves.

    Attributes:
        halves: which images, and which particles belong together.
        models: the half models; their prior is that of this model.
        maps: (1 + K, D, D, D) that latents are inferred with.
        precision: (shells,) of the noise.
        evidence: mean log evidence per particle.
        latents: that these maps find, in units in which they have a mean of 0 and a second moment
            of 1; maps of such latents are what the prior is about.
        total: sums for maps of these latents.
        shown: (shells,) mean g^2 / h^2.
    """

    halves: Halves
    models: HalfModels
    maps: Tensor
    precision: Tensor
    evidence: float
    latents: Posterior
    total: BasisSums
    shown: Tensor

    @property
    def weights(self) -> Tensor:
        """(shells,) what all images together say of a coefficient of a volume."""
        return self.total.mean_weights()[0]

    def cross_validated_terms(
        self, order: NDArray[np.floating], errors: SeesErrors | None = None
    ) -> SeenLatents:
        """What images say of the latents of each particle, seen with maps of other particles.

        The noise counts as at least as strong as tilts find it that predict each other.

        Args:
            order: (B,) particles are dealt to the folds in this order.
            errors: of poses and contrast, which are integrated out; None where there are none.
        """
        precision = self._tolerant_precision()
        ranked = np.argsort(order, kind="stable")
        folds = [np.sort(ranked[fold::_FOLDS]) for fold in range(_FOLDS)]

        def one(fold: int) -> LatentTerms:
            return self._fold_terms(folds[fold], precision, errors)

        found = []
        for pair in range(0, _FOLDS, 2):
            found += run_both(
                partial(lambda first, half: one(first + half), pair), self.halves.images
            )
        back = torch.argsort(torch.from_numpy(np.concatenate(folds))).to(self.maps.device)
        terms = LatentTerms(
            torch.cat([each.matrix for each in found])[back],
            torch.cat([each.vector for each in found])[back],
        )
        weights, n_errors = self.halves.images.weights, 0 if errors is None else errors.n_errors
        centre, spread = population(terms.marginal(n_errors), weights)
        root, _ = standardising(spread)
        standard = terms.marginal_of_tilts(n_errors).about(centre).changed(root)
        excess = max(1.0, standard.inconsistency())
        weak = terms.weakened(excess)
        return SeenLatents(
            terms=weak.marginal(n_errors),
            of_tilts=weak.marginal_of_tilts(n_errors),
            precision=precision / excess,
        )

    def at_full_resolution(self, full: Observations) -> FullMaps:
        """Maps with all shells, filtered by what the halves agree on."""
        wide = self.halves.at(full)
        both = torch.stack([self.maps, self.maps])
        grown = wide.resized(self.models.with_maps(both, self.precision))
        passes = wide.passes(grown.maps, grown.precision, known=self.latents)
        sums = [collected(each) for each in passes]
        weights = torch.stack([each.mean_weights() for each in sums])
        rough = wide.solve(sums, _WEAK_PRIOR * weights)
        fsc = torch.stack([smooth_fsc(one, other) for one, other in zip(*rough, strict=True)])
        fsc[0] = mean_map_fsc(rough[0][0], rough[1][0])
        n_known = self.halves.images.radius_px + 1
        fsc[:, :n_known] = self.models.fsc[:, :n_known]
        prior = wiener_prior(weights.mean(0), fsc)
        shells = slice(1, n_known)
        shell_weights = torch.zeros_like(fsc[0])
        shell_weights[shells] = self.weights[shells].to(fsc)
        return FullMaps(
            maps=solve_basis(sums[0].pooled(sums[1]), prior, wide.mask),
            half_maps=rough[:, 0],
            fsc=fsc,
            precision=noise_precision(passes, wide.window_power),
            shell_weights=shell_weights,
        )

    def _fold_terms(
        self, rows: NDArray[np.int64], precision: Tensor, errors: SeesErrors | None = None
    ) -> LatentTerms:
        images, latents = self.halves.images, self.latents.take(torch.from_numpy(rows))
        own = collected(run_pass(images, rows, self.maps, self.precision, known=latents))
        maps = solve_basis(self.total.without(own), self.models.prior, self.halves.mask)
        if errors is not None:
            return errors.terms(images, rows, maps, precision, latents.mean)
        return run_pass(images, rows, maps, precision, collect=False).terms

    def _tolerant_precision(self) -> Tensor:
        """Precision of the noise and of what the maps may be wrong by."""
        maps = solve_basis(self.total, self.models.prior, self.halves.mask)
        fsc = self.models.fsc.clamp(_LEAST_FSC, 1).to(maps)
        doubt = (_shell_power(maps) * (1 - fsc) / fsc).sum(0) / self.halves.window_power
        variance = 1 / self.precision.clamp_min(1e-30) + self.shown * doubt
        seen = (self.shown > 0) & (self.precision > 0)
        return torch.where(seen, 1 / variance, 0.0)


def join_halves(halves: Halves, models: HalfModels, report: Callable[[str], None]) -> JointModel:
    """Fit one model to all particles, from models of halves."""
    maps, precision, evidence = models.maps.mean(0), models.precision, models.evidence
    weights = halves.images.weights
    for _ in range(_MOST_ROUNDS):
        passes = halves.passes(torch.stack([maps, maps]), precision)
        found, terms = halves.in_order(passes)
        precision = noise_precision(passes, halves.window_power)
        before, evidence = evidence, float(mean_of(log_evidence(terms, found), weights))
        pooled = collected(passes[0]).pooled(collected(passes[1]))
        maps = solve_basis(
            pooled.transformed(standard_change(found, weights)), models.prior, halves.mask
        )
        if abs(evidence - before) < _SETTLED * max(abs(evidence), 1.0):
            break
    report(f"all particles: log evidence {evidence:.2f} per particle")
    passes = halves.passes(torch.stack([maps, maps]), precision)
    found, _ = halves.in_order(passes)
    change = standard_change(found, weights)
    return JointModel(
        halves=halves,
        models=models,
        maps=maps,
        precision=precision,
        evidence=evidence,
        latents=found.changed(change),
        total=collected(passes[0]).pooled(collected(passes[1])).transformed(change),
        shown=_shown(passes).to(maps),
    )


def _shown(passes: list[Pass]) -> Tensor:
    """(shells,) mean g^2 / h^2 of images."""
    signal = torch.stack([each.signal_transfer for each in passes]).sum(0)
    noise = torch.stack([each.noise_transfer for each in passes]).sum(0)
    return signal / noise.clamp_min(1e-30)


def standard_latents(terms: LatentTerms, weights: Tensor | None = None) -> tuple[Posterior, Tensor]:
    """Latents with a mean of 0 in units of what is not known of them, best known first.

    Their posteriors are those of a normal population. Each dimension is scaled such that posteriors
    have a variance of 1 on average, and turned such that they are not correlated: distances between
    particles are in standard errors in all directions, which is what clustering needs.

    Args:
        terms: of B particles.
        weights: (B,) by which particles count in what is said of all; None where all count alike.

    Returns:
        The latents and the change (1 + K, 1 + K) of the maps that belongs to them.
    """
    centre, spread = population(terms, weights)
    root, _ = standardising(spread)
    about = terms.about(centre)
    standard = about.changed(root).posterior()
    doubts, axes = torch.linalg.eigh(mean_of(standard.covariance, weights))
    doubts = doubts.clamp_min(_LEAST_DOUBT).sqrt()
    scale = axes / doubts
    scale = scale * torch.where(mean_of((standard.mean @ scale) ** 3, weights) < 0, -1.0, 1.0)
    change = with_mean((root @ (scale * doubts.square())).T)
    change[0, 1:] = centre
    return Posterior(standard.mean @ scale, scale.T @ standard.covariance @ scale), change


def normal_latents(seen: SeenLatents, weights: Tensor | None = None) -> tuple[SeenLatents, Tensor]:
    """What images say of latents whose population is a standard normal one, best known first.

    Args:
        seen: of B particles.
        weights: (B,) by which particles count in what is said of all; None where all count alike.

    Returns:
        The same for these latents, and the change (1 + K, 1 + K) of the maps that belongs to them.
    """
    centre, spread = population(seen.terms, weights)
    root, _ = standardising(spread)
    normal = seen.changed(centre, root)
    _, axes = torch.linalg.eigh(mean_of(normal.terms.matrix.sum(1), weights))
    root = root @ axes.flip(1)
    change = with_mean(root.T)
    change[0, 1:] = centre
    return seen.changed(centre, root), change


def _shell_power(maps: Tensor) -> Tensor:
    """(C, shells) mean power of the coefficients of maps in each shell."""
    n_shells = maps.shape[-1] // 2 + 1
    shells = shells_of(maps.shape[-1], maps.device).clamp_max(n_shells)
    counts = torch.bincount(shells, minlength=n_shells + 1).clamp_min(1)
    power = centred_fft3(maps).abs().square().flatten(1).double()
    sums = torch.stack([torch.bincount(shells, each, minlength=n_shells + 1) for each in power])
    return (sums / counts)[:, :n_shells].to(maps)
