"""One pass over images: what they say of latents, and sums for the next maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from tomodrgn.core.linear.basis import BasisCollector, BasisSums, MapSpectra, empty_basis_sums
from tomodrgn.core.linear.factors import positive_factor
from tomodrgn.core.linear.latents import LatentTerms, Posterior, posterior

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.linear.observations import Block, Observations


class LeavesResidual(Protocol):
    """A pass that knows what its prediction left; see :class:`Pass`."""

    @property
    def residual(self) -> Tensor:
        """(shells,) squared error."""

    @property
    def noise_transfer(self) -> Tensor:
        """(shells,) sum of h^2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What a pass over b particles found.

    Attributes:
        terms: of their latents.
        found: posteriors, given these terms.
        sums: for maps given these posteriors, or None.
        residual: (shells,) squared error of the prediction, latents uncertain, over all images.
        noise_transfer: (shells,) sum of h^2, which the error is to be divided by.
        signal_transfer: (shells,) sum of g^2.
    """

    terms: LatentTerms
    found: Posterior
    sums: BasisSums | None
    residual: Tensor
    noise_transfer: Tensor
    signal_transfer: Tensor


class _ShellSums:
    """Squared errors, h^2 and g^2, summed over each shell."""

    def __init__(self, shells: Tensor, n_shells: int) -> None:
        self._shells = shells
        self.residual = torch.zeros(n_shells, device=shells.device, dtype=torch.float64)
        self.noise, self.signal = torch.zeros_like(self.residual), torch.zeros_like(self.residual)

    def add(self, block: Block, squared_error: Tensor, counts: Tensor) -> None:
        """Add a block with the (m, n) squared errors of its prediction; particles count (b,)."""
        of_image = counts[block.owner]
        self.residual += self._of(of_image @ squared_error)
        self.noise += self._of(of_image @ block.noise_power)
        self.signal += self._of(of_image @ block.signal_transfer.square())

    def _of(self, values: Tensor) -> Tensor:
        sums = torch.zeros_like(self.residual)  # bincount would wait for the device
        return sums.index_add_(0, self._shells, values.double())


def run_pass(
    images: Observations,
    rows: NDArray[np.int64],
    maps: Tensor,
    precision: Tensor,
    *,
    known: Posterior | None = None,
    collect: bool = True,
) -> Pass:
    """See the images of some particles once.

    Args:
        images: of all particles.
        rows: (b,) particles to look at.
        maps: (1 + K, D, D, D) of the model, in the box of the images.
        precision: (shells,) of the noise.
        known: K' latents to collect sums for, instead of those that are found.
        collect: whether to collect sums.
    """
    spectra, weight = MapSpectra(maps), precision[images.shells]
    n_maps = len(maps) if known is None else 1 + known.mean.shape[1]
    sums = empty_basis_sums(n_maps, images.box_size_px, maps.device) if collect else None
    collector = None if sums is None else BasisCollector(sums)
    shells = _ShellSums(images.shells, len(precision))
    n_latents = len(maps) - 1
    matrices = maps.new_empty((len(rows), 2, n_latents, n_latents))  # small results between blocks
    vectors = maps.new_empty((len(rows), 2, n_latents))  # that go would leave holes in memory
    done = 0
    for block in images.blocks(rows):
        slices = spectra.side_by_side(block)
        matrix, vector = _terms(block, slices, weight)
        found = posterior(matrix.sum(1), vector.sum(1))
        here = slice(done, done + len(block.particles))
        matrices[here], vectors[here], counts = matrix, vector, images.counts_of(block)
        shells.add(block, _squared_error(block, slices, found), counts)
        if collector is not None:
            latents = found if known is None else known.take(here)
            collector.add(block, weight, *_moments(latents, counts))
        done = here.stop
    if collector is not None:
        collector.finish()
    terms = LatentTerms(matrices, vectors)
    return Pass(
        terms=terms,
        found=terms.posterior(),
        sums=sums,
        residual=shells.residual,
        noise_transfer=shells.noise,
        signal_transfer=shells.signal,
    )


def noise_precision(passes: Sequence[LeavesResidual], window_power: float) -> Tensor:
    """(shells,) precision of the noise that passes found, per independent coefficient.

    Args:
        passes: over different particles.
        window_power: mean square of the window of the images: it makes neighboring coefficients
            share their noise, so that fewer of them are independent.
    """
    residual = torch.stack([each.residual for each in passes]).sum(0)
    transfer = torch.stack([each.noise_transfer for each in passes]).sum(0)
    seen = transfer > 0
    variance = torch.where(seen, residual / transfer.clamp_min(1e-30), 1.0)
    precision = torch.where(seen & (variance > 0), window_power / variance, 0.0)
    return precision.float()


def _terms(block: Block, slices: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """(b, 2, K, K) and (b, 2, K), by tilts of even and odd rank, of slices (m, n, 2, 1 + K)."""
    n_particles, n_latents = len(block.particles), slices.shape[-1] - 1
    weighted = slices * (block.power * weight)[:, :, None, None]
    signal = torch.view_as_real(block.signal * weight)
    basis = slices.flatten(1, 2).mT  # (m, 1 + K, 2 n)
    products = basis @ weighted.flatten(1, 2)
    error = (basis @ signal.flatten(1)[:, :, None])[..., 0] - products[..., 0]
    place = 2 * block.owner + block.rank % 2
    matrices = products.new_zeros((2 * n_particles, n_latents, n_latents))
    vectors = products.new_zeros((2 * n_particles, n_latents))
    matrices.index_add_(0, place, 2 * products[:, 1:, 1:])
    vectors.index_add_(0, place, 2 * error[:, 1:])
    return matrices.unflatten(0, (n_particles, 2)), vectors.unflatten(0, (n_particles, 2))


def _squared_error(block: Block, slices: Tensor, found: Posterior) -> Tensor:
    """(m, n) expected squared error of the prediction."""
    n_particles, n_latents = found.mean.shape
    states = slices.new_zeros((n_particles, 1 + n_latents, 1 + n_latents))
    states[:, 0, 0] = 1  # the first column is the mean of u, the others are a root of its spread
    states[:, 1:, 0] = found.mean
    states[:, 1:, 1:] = positive_factor(found.covariance, "latents")
    shown = (slices.flatten(1, 2) @ states[block.owner]).view_as(slices)
    shown *= block.signal_transfer[:, :, None, None]
    shown[..., 0] -= torch.view_as_real(block.observed)
    return shown.square_().sum((2, 3))


def _moments(latents: Posterior, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (b, 1 + K) and second moments of u = (1, z), times counts (b,)."""
    mean = latents.mean
    full = torch.cat([mean.new_ones(len(mean), 1), mean], dim=1)
    moments = full[:, :, None] * full[:, None, :]
    moments[:, 1:, 1:] += latents.covariance
    return full * counts[:, None], moments * counts[:, None, None]
