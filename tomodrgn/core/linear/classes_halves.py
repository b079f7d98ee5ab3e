"""Class maps of two independent halves of the particles, fitted side by side.

A class is the mean map of its half plus a difference map, which is damped in each shell as far as
the halves disagree on it. What particles share is in the mean map, so that a class of few particles
only has to show what is its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.fourier.grids import complete_plane, grid_shells, spectra_to_volumes
from tomodrgn.core.linear.basis import resize_maps
from tomodrgn.core.linear.classes_passes import ClassPass, run_class_pass
from tomodrgn.core.linear.half_models import Halves, run_both
from tomodrgn.core.linear.halves import smooth_fsc, wiener_prior
from tomodrgn.core.linear.passes import noise_precision
from tomodrgn.core.linear.weighting import mean_of
from tomodrgn.core.particles.half_sets import halve_groups
from tomodrgn.core.reconstruction.insertion import FourierSums
from tomodrgn.core.reconstruction.wiener import shell_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.linear.observations import Observations

_WEAK_PRIOR: Final = 0.01
_STARTING_PRIOR: Final = 1.0
_LEAST_PRECISION: Final = 1e-6
_SPREAD_MEMBERS: Final = 1.0
"""Members of every class before any is seen, so that none gets a weight of 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfClasses:
    """Class maps of two halves; class c of one is class c of the other.

    Attributes:
        maps: (2, 1 + K, D, D, D) mean map, and the difference of each class from it.
        precision: (shells,) of the noise.
        fsc: (1 + K, shells) agreement of the halves.
        prior: (1 + K, shells) that the last maps were solved with.
        weights: (K,) share of particles in each class.
        shares: (B, K) of each particle, under the maps of its own half.
        evidence: mean log likelihood per particle over the mean map.
    """

    maps: Tensor
    precision: Tensor
    fsc: Tensor
    prior: Tensor
    weights: Tensor
    shares: Tensor
    evidence: float


class ClassHalves:
    """Fits class maps of both halves at once, each on a core of its own."""

    def __init__(
        self,
        images: Observations,
        rows: tuple[NDArray[np.int64], ...],
        window_power: float,
    ) -> None:
        self.images, self.rows, self.window_power = images, rows, window_power
        self.mask = Halves(images, (rows[0], rows[1]), window_power).mask
        self.places = [torch.from_numpy(part).to(images.device) for part in rows]

    def at(self, images: Observations) -> ClassHalves:
        """The same at another resolution."""
        return ClassHalves(images, self.rows, self.window_power)

    def quartered(self, keys: NDArray[np.uint64]) -> ClassHalves:
        """The same with each half in two, by the keys (B,) of particles."""
        particles = self.images.particles
        half = np.zeros(particles.n_particles, np.int64)
        half[self.rows[1]] = 1
        second = halve_groups(half, keys, particles.filament)
        quarters = tuple(rows[second[rows] == part] for rows in self.rows for part in (0, 1))
        return ClassHalves(self.images, quarters, self.window_power)

    def passes(
        self,
        maps: Tensor,
        precision: Tensor,
        weights: Tensor,
        *,
        temperature: float = 1.0,
        collect: bool = True,
    ) -> list[ClassPass]:
        """A pass over each part with its maps (parts, 1 + C, D, D, D).

        Classes are those of several models, with weights (parts, models, C / models).
        """

        def one(part: int) -> ClassPass:
            return run_class_pass(
                self.images,
                self.rows[part],
                maps[part],
                precision,
                lambda _, gains: shares_of(gains, weights[part], temperature),
                collect=collect,
            )

        return self._each(one)

    def _each(self, one: Callable[[int], ClassPass]) -> list[ClassPass]:
        """A pass over each part, two at a time."""
        found: list[ClassPass] = []
        for first in range(0, len(self.rows), 2):

            def of_pair(place: int, first: int = first) -> ClassPass:
                return one(first + place)

            found += run_both(of_pair, self.images)
        return found

    def sums_of(self, shares: Tensor, precision: Tensor | None = None) -> list[ClassPass]:
        """A pass over each half whose particles are in classes by shares (B, C) already known."""
        box, device = self.images.box_size_px, self.images.device
        nothing = torch.zeros(1 + shares.shape[1], box, box, box, device=device)
        weight = torch.ones(box // 2 + 1, device=device) if precision is None else precision

        def one(half: int) -> ClassPass:
            return run_class_pass(
                self.images,
                self.rows[half],
                nothing,
                weight,
                lambda particles, _: shares[particles],
            )

        return self._each(one)

    def begin(self, shares: Tensor) -> HalfClasses:
        """Class maps of particles in classes by shares (B, K)."""
        n_classes = shares.shape[1]
        first = self.sums_of(shares)
        precision = noise_precision(first, self.window_power)
        again = self.sums_of(shares, precision)
        maps, fsc, prior = self.solve([each.collected() for each in again])
        return HalfClasses(
            maps=maps,
            precision=precision,
            fsc=fsc,
            prior=prior,
            weights=class_weights(shares, n_classes, self.images.weights)[0],
            shares=shares,
            evidence=float("-inf"),
        )

    def improve(self, models: HalfClasses) -> HalfClasses:
        """One round of expectation and maximisation, of each half by itself."""
        passes = self.passes(models.maps, models.precision, models.weights.expand(2, 1, -1))
        maps, fsc, prior = self.solve([each.collected() for each in passes])
        return self._next(replace(models, maps=maps, fsc=fsc, prior=prior), passes)

    def improve_together(self, models: HalfClasses) -> HalfClasses:
        """One round in which each part is judged by maps of all others, with the prior as it is.

        A particle makes the map of its class look like its own noise, most so in a class of few.
        """
        weights = models.weights.expand(len(self.rows), 1, -1)
        passes = self.passes(models.maps, models.precision, weights)
        sums = [each.collected() for each in passes]
        maps = [
            self.maps_of(joined(sums[:part] + sums[part + 1 :]), models.prior)
            for part in range(len(sums))
        ]
        return self._next(replace(models, maps=torch.stack(maps)), passes)

    def _next(self, models: HalfClasses, passes: list[ClassPass]) -> HalfClasses:
        """Models with new maps, and what else passes with the old ones found."""
        shares = self.in_order([each.shares for each in passes])
        gains = self.in_order([each.gains for each in passes]).sum(1)
        return replace(
            models,
            precision=noise_precision(passes, self.window_power),
            weights=class_weights(shares, shares.shape[1], self.images.weights)[0],
            shares=shares,
            evidence=float(mean_of(log_mixture(gains, models.weights.log()), self.images.weights)),
        )

    def resized(self, models: HalfClasses) -> HalfClasses:
        """Models of another resolution in the box of these images."""
        box = self.images.box_size_px
        maps = torch.stack([resize_maps(half, box) for half in models.maps])
        missing = box // 2 + 1 - len(models.precision)
        precision = torch.cat([models.precision[:-1], models.precision[-2:-1].repeat(missing + 1)])
        return replace(models, maps=maps, precision=precision)

    def in_order(self, parts: Sequence[Tensor]) -> Tensor:
        """(B, ...) what was found for the particles of each half, in the order of all rows."""
        joined = torch.cat(list(parts))
        return joined[torch.argsort(torch.cat(self.places))]

    def solve(
        self, sums: list[FourierSums], *, is_start: bool = False
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Maps (2, 1 + K, D, D, D), their FSC and the prior (1 + K, shells).

        At the start classes of the halves do not belong together yet, so that differences are all
        damped alike.
        """
        whole = [pooled(each) for each in sums]
        weights = torch.stack([_weights(each) for each in whole]).mean(0)
        rough_means = [self.mean_map(each, _WEAK_PRIOR * weights) for each in whole]
        fsc = smooth_fsc(*rough_means)[None]
        prior = wiener_prior(weights, fsc)
        own_weights = torch.stack([_weights(each) for each in sums]).mean(0)
        if is_start:
            own_fsc, own_prior = fsc.new_zeros(own_weights.shape), _STARTING_PRIOR * own_weights
        else:
            rough = [self.differences(each, _WEAK_PRIOR * own_weights) for each in sums]
            own_fsc = torch.stack([smooth_fsc(*pair) for pair in zip(*rough, strict=True)])
            own_prior = wiener_prior(own_weights, own_fsc)
        priors = torch.cat([prior, own_prior])
        maps = torch.stack([self.maps_of(each, priors) for each in sums])
        return maps, torch.cat([fsc, own_fsc]), priors

    def maps_of(self, sums: FourierSums, prior: Tensor) -> Tensor:
        """(1 + C, D, D, D) mean map of the sums of C classes, and differences; priors likewise."""
        mean = self.mean_map(pooled(sums), prior[:1])
        return torch.cat([mean[None], self.differences(sums, prior[1:])])

    def mean_map(self, sums: FourierSums, prior: Tensor) -> Tensor:
        """(D, D, D) of the sums of one volume, prior (1, shells)."""
        return solve_map(sums, prior[0], self.mask)

    def differences(self, sums: FourierSums, prior: Tensor) -> Tensor:
        """(C, D, D, D) of each class from all of them together, priors (C, shells).

        The mean map that is taken off is not damped: what damping takes from it, all classes would
        otherwise share as their difference.
        """
        whole = pooled(sums)
        mean = solve_grid(whole, _WEAK_PRIOR * _weights(whole)[0])
        maps = [
            solve_map(sums.one(c), prior[c], self.mask, beyond=mean) for c in range(sums.n_volumes)
        ]
        return torch.stack(maps)


def pooled(sums: FourierSums) -> FourierSums:
    """One volume of all."""
    return sums.pooled(list(range(sums.n_volumes)))


def joined(parts: Sequence[FourierSums]) -> FourierSums:
    """Sums of what any part has seen of the same volumes."""
    real, imag, power = (sum(grids) for grids in zip(*(part.grids for part in parts), strict=True))
    return FourierSums(parts[0].box_size_px, real, imag, power)


def solve_map(
    sums: FourierSums, prior: Tensor, mask: Tensor, *, beyond: Tensor | None = None
) -> Tensor:
    """(D, D, D) map, with a mean of 0, of :func:`solve_grid` and times a mask (D, D, D)."""
    volume = spectra_to_volumes(solve_grid(sums, prior, beyond=beyond), sums.box_size_px) * mask
    return volume - volume.mean()


def solve_grid(sums: FourierSums, prior: Tensor, *, beyond: Tensor | None = None) -> Tensor:
    """Half grid of least squared error, of what goes beyond a half grid already known.

    Args:
        sums: one volume.
        prior: (D/2 + 1,) precision of each shell before the data are seen.
        beyond: what is known; nothing by default.
    """
    power = complete_plane(sums.power[0], 1)
    seen = torch.complex(complete_plane(sums.real[0], 1), complete_plane(sums.imag[0], -1))
    if beyond is not None:
        seen = seen - power * beyond
    floor = (_LEAST_PRECISION * power.max()).clamp_min(torch.finfo(power.dtype).tiny)
    shells = grid_shells(sums.box_size_px).to(power.device)
    outside = prior.new_full((1,), torch.inf)
    per_point = torch.cat([prior.clamp_min(floor), outside]).to(power)[shells.long()]
    return seen / (power + per_point.view(power.shape))


def shares_of(gains: Tensor, weights: Tensor, temperature: float = 1.0) -> Tensor:
    """(b, C) of particles in the classes of several models, from their gains (b, C).

    Args:
        gains: log likelihood of each class.
        weights: (models, C / models) of the classes.
        temperature: by which gains are divided, so that one above 1 leaves particles undecided.
    """
    by_model = gains.view(len(gains), *weights.shape) / temperature
    return torch.softmax(by_model + weights.log(), dim=2).flatten(1)


def log_mixture(gains: Tensor, log_weights: Tensor) -> Tensor:
    """(b,) log likelihood of a mixture, of gains (b, K) and log weights (K,) or (b, K)."""
    return torch.logsumexp(gains + log_weights, dim=1)


def class_weights(shares: Tensor, n_classes: int, weights: Tensor | None = None) -> Tensor:
    """(models, K) of several models of K classes each, from the shares (B, models * K).

    Particles count by weights (B,), or alike.
    """
    counted = shares if weights is None else shares * weights[:, None]
    members = counted.sum(0).view(-1, n_classes) + _SPREAD_MEMBERS
    found: Tensor = members / members.sum(1, keepdim=True)
    return found


def _weights(sums: FourierSums) -> Tensor:
    return shell_weights(sums).float()
