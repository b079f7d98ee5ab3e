"""Linear models of two independent halves of the particles, fitted side by side.

Source:
    Tipping & Bishop 1999, doi:10.1111/1467-9868.00196 (the model);
    Scheres 2012, doi:10.1016/j.jmb.2011.11.010 (priors from half sets).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import torch

from tomodrgn.core.linear.basis import BasisSums, resize_maps, solve_basis
from tomodrgn.core.linear.halves import (
    common_frame,
    grams_of,
    honest_fsc,
    mean_map_fsc,
    wiener_prior,
)
from tomodrgn.core.linear.latents import (
    LatentTerms,
    Posterior,
    certain,
    log_evidence,
    standardising,
)
from tomodrgn.core.linear.passes import Pass, noise_precision, run_pass
from tomodrgn.core.linear.weighting import mean_of
from tomodrgn.core.model.memory_faults import return_free_memory
from tomodrgn.core.reconstruction.resolution import spherical_mask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.linear.observations import Observations

T = TypeVar("T")

_WEAK_PRIOR: Final = 0.01
_STARTING_PRIOR: Final = 1.0
_MASK_RADIUS, _MASK_EDGE = 0.85, 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfModels:
    """Models of two halves of the particles, in one frame.

    Attributes:
        maps: (2, 1 + K, D, D, D).
        precision: (shells,) of the noise.
        fsc: (1 + K, shells) agreement of their maps.
        prior: (1 + K, shells) that the last maps were solved with.
        latents: (B, K) posterior means, each under the model of its own half.
        evidence: mean log evidence per particle.
    """

    maps: Tensor
    precision: Tensor
    fsc: Tensor
    prior: Tensor
    latents: Tensor
    evidence: float

    @property
    def n_latents(self) -> int:
        """K."""
        return self.latents.shape[1]

    def first(self, n_latents: int) -> HalfModels:
        """With the leading latents alone."""
        n_maps = 1 + n_latents
        return replace(
            self,
            maps=self.maps[:, :n_maps],
            fsc=self.fsc[:n_maps],
            prior=self.prior[:n_maps],
            latents=self.latents[:, :n_latents],
        )

    def with_maps(self, maps: Tensor, precision: Tensor) -> HalfModels:
        """With other maps (2, 1 + K, D, D, D) and precisions of the noise (shells,)."""
        return replace(self, maps=maps, precision=precision)


class Halves:
    """Fits both halves at once, each on a core of its own."""

    def __init__(
        self,
        images: Observations,
        rows: tuple[NDArray[np.int64], NDArray[np.int64]],
        window_power: float,
    ) -> None:
        self.images, self.rows, self.window_power = images, rows, window_power
        self.mask = _mask(images)

    def at(self, images: Observations) -> Halves:
        """The same at another resolution."""
        return Halves(images, self.rows, self.window_power)

    def passes(
        self,
        maps: Tensor,
        precision: Tensor,
        *,
        known: Posterior | None = None,
        collect: bool = True,
    ) -> list[Pass]:
        """A pass over each half with its maps (2, C, D, D, D)."""

        def one(half: int) -> Pass:
            rows = self.rows[half]
            latents = None if known is None else known.take(torch.from_numpy(rows).to(maps.device))
            return run_pass(
                self.images, rows, maps[half], precision, known=latents, collect=collect
            )

        return run_both(one, self.images)

    def mean_maps(self) -> tuple[Tensor, Tensor, Tensor]:
        """Mean maps (2, 1, D, D, D), the precision (shells,) of the noise, and their FSC (shells,).

        Nothing has to be known beforehand.
        """
        means, precision, fsc = self._first_maps()
        passes = self.passes(means, precision, collect=False)
        return means, noise_precision(passes, self.window_power), fsc

    def begin(self, latents: Tensor) -> HalfModels:
        """Mean maps, and maps of random latents (B, K)."""
        means, precision, _ = self._first_maps()
        second = self.passes(means, precision, known=certain(latents))
        precision = noise_precision(second, self.window_power)
        maps, fsc, prior = self._solve([collected(each) for each in second], is_start=True)
        return HalfModels(
            maps=maps, precision=precision, fsc=fsc, prior=prior, latents=latents, evidence=0.0
        )

    def _first_maps(self) -> tuple[Tensor, Tensor, Tensor]:
        """Mean maps, the precision of noise and signal together, and the FSC of the maps."""
        box, device = self.images.box_size_px, self.images.device
        nothing = torch.zeros(2, 1, box, box, box, device=device)
        first = self.passes(nothing, torch.ones(box // 2 + 1, device=device))
        means, fsc, _ = self._solve([collected(each) for each in first], is_start=False)
        return means, noise_precision(first, self.window_power), fsc[0]

    def improve(self, models: HalfModels, *, is_start: bool) -> HalfModels:
        """One round of expectation and maximisation.

        At the start latents count as if they were certain, and maps are damped alike: directions
        are searched for, not yet judged.
        """
        passes = self.passes(models.maps, models.precision)
        sums, latents = [], models.latents.clone()
        for each, rows in zip(passes, self.rows, strict=True):
            change = standard_change(each.found, self.images.weights_of(rows))
            sums.append(collected(each).transformed(change))
            z = each.found.mean @ change[1:, 1:].T + change[1:, 0]
            latents[torch.from_numpy(rows).to(latents.device)] = z
        maps, fsc, prior = self._solve(sums, is_start=is_start)
        evidence = torch.cat([log_evidence(each.terms, each.found) for each in passes])
        order = np.concatenate(self.rows)
        return HalfModels(
            maps=maps,
            precision=noise_precision(passes, self.window_power),
            fsc=fsc,
            prior=prior,
            latents=latents,
            evidence=float(mean_of(evidence, self.images.weights_of(order))),
        )

    def grown(self, models: HalfModels, more: Tensor) -> HalfModels:
        """Models with maps of further latents (B, L), which are random ones to begin with."""
        known = torch.cat([models.latents, more], dim=1)
        passes = self.passes(models.maps, models.precision, known=certain(known))
        maps, fsc, prior = self._solve([collected(each) for each in passes], is_start=True)
        return replace(models, maps=maps, fsc=fsc, prior=prior, latents=known)

    def resized(self, models: HalfModels) -> HalfModels:
        """Models of another resolution in the box of these images."""
        box = self.images.box_size_px
        maps = torch.stack([resize_maps(half, box) for half in models.maps])
        missing = box // 2 + 1 - len(models.precision)
        if missing < 0:
            return replace(models, maps=maps, precision=models.precision[:missing])
        precision = torch.cat([models.precision[:-1], models.precision[-2:-1].repeat(missing + 1)])
        return replace(models, maps=maps, precision=precision)

    def cross_terms(self, models: HalfModels) -> LatentTerms:
        """Terms of each particle under the model of the half that it does not belong to."""
        passes = self.passes(models.maps.flip(0), models.precision, collect=False)
        return self.in_order(passes)[1]

    def in_order(self, passes: list[Pass]) -> tuple[Posterior, LatentTerms]:
        """Posteriors and terms of all particles, in the order of their rows."""
        rows = torch.from_numpy(np.concatenate(self.rows))
        order = torch.argsort(rows).to(self.images.device)
        terms = LatentTerms(
            torch.cat([each.terms.matrix for each in passes])[order],
            torch.cat([each.terms.vector for each in passes])[order],
        )
        return terms.posterior(), terms

    def _solve(self, sums: list[BasisSums], *, is_start: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Maps (2, C, D, D, D) in a common frame, their FSC and the prior (C, shells)."""
        weights = torch.stack([each.mean_weights() for each in sums])
        rough = self.solve(sums, _WEAK_PRIOR * weights)
        fsc = mean_map_fsc(rough[0][0], rough[1][0])[None]
        if len(rough[0]) > 1:
            grams = grams_of(rough[0][1:], rough[1][1:], weights.mean((0, 1)))
            frames = common_frame(grams)
            fsc = torch.cat([fsc, honest_fsc(grams.turned(*frames))])
            sums = [
                each.transformed(with_mean(frame.T.to(weights)))
                for each, frame in zip(sums, frames, strict=True)
            ]
            weights = torch.stack([each.mean_weights() for each in sums])
        prior = wiener_prior(weights.mean(0), fsc)
        if is_start:
            prior[1:] = _STARTING_PRIOR * weights.mean(0)[1:]
        return self.solve(sums, torch.stack([prior, prior])), fsc, prior

    def solve(self, sums: list[BasisSums], prior: Tensor) -> Tensor:
        """(2, C, D, D, D) of a prior (2, C, shells)."""

        def one(half: int) -> Tensor:
            return solve_basis(sums[half], prior[half], self.mask)

        return torch.stack(run_both(one, self.images))


@contextmanager
def cores_for_halves(device: torch.device) -> Iterator[None]:
    """While the block runs, each half has half of the cores of a CPU.

    Arrays are small at low resolution: threads that wait for each other after every product take
    longer than one alone.
    """
    before = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(max(1, before // 2))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def run_both(one: Callable[[int], T], images: Observations) -> list[T]:
    """The same for both halves of images: side by side on a CPU, one after the other on a GPU."""
    if images.device.type != "cpu":
        return [one(0), one(1)]
    share = torch.get_num_threads()
    with ThreadPoolExecutor(2, initializer=torch.set_num_threads, initargs=(share,)) as pool:
        found = list(pool.map(one, (0, 1)))
    if not images.are_kept:
        return_free_memory()
    return found


def _mask(images: Observations) -> Tensor:
    mask = spherical_mask(images.box_size_px, _MASK_RADIUS, _MASK_EDGE)
    return torch.from_numpy(mask).to(images.device)


def collected(each: Pass) -> BasisSums:
    """The sums of a pass that was told to collect them."""
    if each.sums is None:
        raise ValueError("the pass collected no sums")
    return each.sums


def standard_change(found: Posterior, weights: Tensor | None = None) -> Tensor:
    """(1 + K, 1 + K) from u to u' whose latents have a mean of 0 and a second moment of 1.

    Particles count by weights (b,), or alike.
    """
    centre = mean_of(found.mean, weights)
    deviation = found.mean - centre
    moments = deviation[:, :, None] * deviation[:, None, :] + found.covariance
    covariance = mean_of(moments, weights)
    _, inverse = standardising(covariance)
    change = with_mean(inverse)
    change[1:, 0] = -inverse @ centre
    return change


def with_mean(change: Tensor) -> Tensor:
    """(1 + K, 1 + K) of a change of latents alone (K, K)."""
    size = len(change)
    full = torch.eye(size + 1, device=change.device, dtype=change.dtype)
    full[1:, 1:] = change
    return full
