"""How well images show what maps say that they show, per particle and per exposure.

Maps are those of the half that a particle does not belong to, so that nothing is judged by a map
that it helped to make. Two figures tell what is no particle:

- the amplitude of its own state in its images, 1 for the contrast that was fitted to it: the least
  squares of a matched filter, with the latents and the errors of the pose unknown,
- what the best fit leaves, over what images of the same tomogram leave on average.

Source:
    Generalized least squares with random effects: Henderson 1975, doi:10.2307/2529430.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.linear.factors import positive_factor
from tomodrgn.core.linear.half_models import run_both
from tomodrgn.core.particles.exposures import distinct_exposures
from tomodrgn.core.refinement.equations import CONTRAST, Template, products
from tomodrgn.core.refinement.steps import N_ERRORS, errors_to_changes

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.linear.half_models import Halves
    from tomodrgn.core.linear.observations import Block, Observations
    from tomodrgn.core.refinement.steps import Widths

_NO_WIDTH: Final = 1e-7
_NO_POWER: Final = 1e-12
_MIN_OF_SERIES: Final = 8
"""Particles of a tomogram from which it has noise of its own."""
_MEDIAN_OF_SQUARE: Final = 0.4549
"""Of a standard normal number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodness:
    """Of B particles and T exposures.

    Attributes:
        amplitude: (B,) of the own state of a particle, 1 for the median contrast.
        error: (B,) its standard error.
        residual: (B,) what is left of the images of a particle, over what is left of others, in
            standard errors.
        tilt_amplitude: (T,) of all particles in an exposure.
        tilt_error: (T,) its standard error.
        tilt_residual: (T,) as that of particles.
        n_shown: (T,) particles in an exposure.
    """

    amplitude: NDArray[np.float64]
    error: NDArray[np.float64]
    residual: NDArray[np.float64]
    tilt_amplitude: NDArray[np.float64]
    tilt_error: NDArray[np.float64]
    tilt_residual: NDArray[np.float64]
    n_shown: NDArray[np.int64]


def goodness(
    halves: Halves, maps: Tensor, precision: Tensor, widths: Widths, stated: Tensor
) -> Goodness:
    """See all images once.

    Args:
        halves: of B particles.
        maps: (2, 1 + K, D, D, D) of either half, mean and basis maps of standard latents.
        precision: (shells,) of the noise.
        widths: of errors of particles, about what is stated.
        stated: (B, 7) errors by which particles would be as stated.
    """
    images, others = halves.images, maps.flip(0)

    def one(half: int) -> _Sums:
        return _sums(images, halves.rows[half], others[half], precision)

    sums = _Sums.of_halves(run_both(one, images), halves)
    return _Judge(images, sums, halves.window_power).goodness(widths, stated)


@dataclass(frozen=True, slots=True)
class _Sums:
    """What a pass over images adds up.

    Attributes:
        matrix: (B, 2, 7 + K, 7 + K) of errors and latents, by tilts of even and odd rank.
        vector: (B, 2, 7 + K).
        image_power: (M,) of the slice of the mean map.
        image_product: (M,) of the slice and the image.
        left: (B, shells) squared error of the mean map, over the power of the noise.
        image_left: (M,) the same of each image, over all shells.
    """

    matrix: Tensor
    vector: Tensor
    image_power: Tensor
    image_product: Tensor
    left: Tensor
    image_left: Tensor

    @classmethod
    def of_halves(cls, parts: list[_Sums], halves: Halves) -> _Sums:
        """In the order of all particles and images."""
        rows = torch.argsort(torch.from_numpy(np.concatenate(halves.rows)))
        shown = [halves.images.images_of(each) for each in halves.rows]
        images = torch.argsort(torch.from_numpy(np.concatenate(shown)))

        def joined(name: str, order: Tensor) -> Tensor:
            return torch.cat([getattr(each, name) for each in parts])[order]

        return cls(
            matrix=joined("matrix", rows),
            vector=joined("vector", rows),
            image_power=joined("image_power", images),
            image_product=joined("image_product", images),
            left=joined("left", rows),
            image_left=joined("image_left", images),
        )


def _sums(images: Observations, rows: NDArray[np.int64], maps: Tensor, precision: Tensor) -> _Sums:
    """Of some particles (b,), with maps (1 + K, D, D, D)."""
    template, weight = Template(images, maps), precision[images.shells]
    n_images, n_terms = int(images.particles.counts[rows].sum()), N_ERRORS + len(maps) - 1
    turned = torch.from_numpy(images.particles.images.rotation[images.images_of(rows)])
    matrices = torch.zeros(2 * len(rows), n_terms, n_terms, dtype=torch.float64)
    vectors = torch.zeros(2 * len(rows), n_terms, dtype=torch.float64)
    of_images = torch.zeros(3, n_images, dtype=torch.float64)
    left = torch.zeros(len(rows), len(precision), dtype=torch.float64)
    done = n_particles = 0
    for block in images.blocks(rows):
        here = slice(done, done + len(block.owner))
        rotation = turned[here]
        changes = template.changes(block, rotation.to(maps.device), None)
        found = products(block, torch.cat([changes, template.basis(block)], 1), weight)
        matrix, vector = (each.double().cpu() for each in found)
        chain = _chain(rotation, n_terms)
        place = (2 * (n_particles + block.owner) + block.rank % 2).cpu()
        matrices.index_add_(0, place, chain.mT @ matrix @ chain)
        vectors.index_add_(0, place, (chain.mT @ vector[..., None])[..., 0])
        power = matrix[:, CONTRAST, CONTRAST]
        by_shell = _left(block, changes[:, CONTRAST], weight, images.shells, len(precision))
        of_images[:, here] = torch.stack([power, vector[:, CONTRAST] + power, by_shell.sum(1)])
        left.index_add_(0, (n_particles + block.owner).cpu(), by_shell)
        done = here.stop
        n_particles += len(block.particles)
    tilts = matrices.unflatten(0, (-1, 2)), vectors.unflatten(0, (-1, 2))
    return _Sums(*tilts, of_images[0], of_images[1], left, of_images[2])


def _chain(rotation: Tensor, n_terms: int) -> Tensor:
    """(m, 6 + K, 7 + K) changes of images by errors and latents of their particle."""
    changes = errors_to_changes(rotation.double())
    n_latents = n_terms - N_ERRORS
    chain = torch.zeros(len(rotation), changes.shape[1] + n_latents, n_terms, dtype=torch.float64)
    chain[:, : changes.shape[1], :N_ERRORS] = changes
    chain[:, changes.shape[1] :, N_ERRORS:] = torch.eye(n_latents, dtype=torch.float64)
    return chain


def _left(block: Block, slices: Tensor, weight: Tensor, shells: Tensor, n_shells: int) -> Tensor:
    """(m, shells) squared error of slices (m, n), over the power of the noise."""
    error = (block.observed - block.signal_transfer * slices).abs().square()
    seen = block.noise_power > 0
    share = torch.where(seen, error * weight / block.noise_power.clamp_min(_NO_POWER), 0.0)
    sums = share.new_zeros(len(share), n_shells).index_add_(1, shells, share)
    return sums.double().cpu()


class _Judge:
    """From sums over images to figures of particles and exposures."""

    def __init__(self, images: Observations, sums: _Sums, window_power: float) -> None:
        self.images, self.sums, self.window_power = images, sums, window_power
        self.particles = images.particles
        self.series, self.exposure = distinct_exposures(self.particles)
        self.counts = torch.bincount(images.shells.cpu(), minlength=sums.left.shape[1]).double()

    def goodness(self, widths: Widths, stated: Tensor) -> Goodness:
        """Of all."""
        found, variance = self._effects(widths, stated)
        known = self.particles.corrections
        log_scale = np.zeros(len(found)) if known is None else known.log_scale
        tilt_log_scale = np.zeros(len(self.exposure)) if known is None else known.tilt_log_scale
        scale = np.exp(log_scale)
        excess = max(1.0, self._excess(found))
        amplitude, error = self._of_exposures(np.exp(tilt_log_scale))
        n_shown = np.bincount(self.exposure)
        return Goodness(
            amplitude=scale * (1 + found[:, CONTRAST].numpy()),
            error=scale * (excess * variance).sqrt().numpy(),
            residual=self._residual(found),
            tilt_amplitude=amplitude,
            tilt_error=error * excess**0.5,
            tilt_residual=self._tilt_residual(),
            n_shown=n_shown,
        )

    def _effects(self, widths: Widths, stated: Tensor) -> tuple[Tensor, Tensor]:
        """Errors and latents (B, 7 + K) with any contrast, and the variance (B,) of contrast."""
        matrix, vector = self.sums.matrix.sum(1), self.sums.vector.sum(1)
        n_latents = vector.shape[1] - N_ERRORS
        scale = torch.cat([widths.of_errors().clamp_min(_NO_WIDTH), torch.ones(n_latents)])
        precision = scale.double().pow(-2)
        power = matrix[:, CONTRAST, CONTRAST].clamp_min(_NO_POWER)
        about = torch.nn.functional.pad(stated.double(), (0, n_latents))
        prior = precision.diag().expand(len(vector), -1, -1).clone()
        prior[:, CONTRAST, CONTRAST] = _NO_POWER * power + _NO_POWER
        about = torch.where(torch.arange(len(scale)) == CONTRAST, 0.0, precision * about)
        root = (matrix + prior).diagonal(dim1=1, dim2=2).sqrt()  # parts differ by many decades
        system = (matrix + prior) / root[:, :, None] / root[:, None]
        factor = positive_factor(system, "particles")
        found = torch.cholesky_solve(((vector + about) / root)[..., None], factor)[..., 0] / root
        variance = torch.cholesky_inverse(factor)[:, CONTRAST, CONTRAST]
        return found, variance / root[:, CONTRAST].square()

    def _excess(self, found: Tensor) -> float:
        """How much more contrast differs between tilts of even and odd rank than noise explains."""
        rest = found.clone()
        rest[:, CONTRAST] = 0
        matrix, vector = self.sums.matrix[:, :, CONTRAST], self.sums.vector[:, :, CONTRAST]
        power = matrix[..., CONTRAST]
        seen = (power > _NO_POWER).all(1)
        contrast = (vector - (matrix * rest[:, None]).sum(2))[seen] / power[seen]
        squared = (contrast[:, 0] - contrast[:, 1]).square() / (1 / power[seen]).sum(1)
        return float(squared.median()) / _MEDIAN_OF_SQUARE if len(squared) else 1.0

    def _of_exposures(
        self, scale: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Amplitudes (T,) of exposures and their errors, with the scales (M,) fitted to them."""
        scales = torch.from_numpy(scale)
        n_exposures, place = int(self.exposure.max()) + 1, torch.from_numpy(self.exposure)

        def total(values: Tensor) -> Tensor:
            return torch.zeros(n_exposures, dtype=torch.float64).index_add_(0, place, values)

        power = total(self.sums.image_power / scales.square()).clamp_min(_NO_POWER)
        amplitude = total(self.sums.image_product / scales) / power
        return amplitude.numpy(), power.rsqrt().numpy()

    def _expected(self) -> Tensor:
        """(B, shells) what is left of a particle on average, in its tomogram."""
        of_image = torch.from_numpy(self.particles.counts).double()[:, None] * self.counts
        ratio = torch.where(of_image > 0, self.sums.left / of_image.clamp_min(1), torch.nan)
        level = ratio.nanmedian(0).values.repeat(len(ratio), 1)
        series = torch.from_numpy(self.series[self.particles.starts[:-1]])
        for number in series.unique():
            here = series == number
            if int(here.sum()) >= _MIN_OF_SERIES:
                level[here] = ratio[here].nanmedian(0).values
        return torch.nan_to_num(level) * of_image

    def _residual(self, found: Tensor) -> NDArray[np.float64]:
        """(B,) of the best fit, in standard errors about the median."""
        matrix, vector = self.sums.matrix.sum(1), self.sums.vector.sum(1)
        gain = 2 * (found * vector).sum(1) - torch.einsum("bi,bij,bj->b", found, matrix, found)
        expected = self._expected()
        level = expected.sum(1)
        n_independent = (self.particles.counts * float(self.counts.sum())) * self.window_power
        over = (self.sums.left.sum(1) - gain) / level.clamp_min(_NO_POWER)
        over = over / over.median().clamp_min(_NO_POWER) - 1
        return np.asarray(over.numpy() * np.sqrt(n_independent))

    def _tilt_residual(self) -> NDArray[np.float64]:
        """(T,) of the mean map, over what other exposures of the tilt series leave."""
        n_exposures = int(self.exposure.max()) + 1
        left = np.bincount(self.exposure, self.sums.image_left.numpy(), n_exposures)
        shown = np.bincount(self.exposure, minlength=n_exposures)
        series = np.zeros(n_exposures, dtype=np.int64)
        series[self.exposure] = self.series
        mean = left / shown
        level = np.array([np.median(mean[series == number]) for number in range(series.max() + 1)])
        n_independent = shown * float(self.counts.sum()) * self.window_power
        over = mean / np.maximum(level[series], _NO_POWER) - 1
        return np.asarray(over * np.sqrt(n_independent))
