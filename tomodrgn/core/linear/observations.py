"""Tilt images as the linear model sees them: whitened, in blocks of whole particles, on the device.

An image is ``y = g F + h n``. What matters of it is ``signal = (g / h^2) y``, ``power = g^2 / h^2``
and where each coefficient lies in the volume. Small sets are kept as they are after the first pass;
others are computed anew in every pass, so that memory does not grow with the set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.device_transfer import send, send_all, send_rows
from tomodrgn.core.fourier.disc import shift_phases
from tomodrgn.core.fourier.grids import OVERSAMPLING, Corners, corners
from tomodrgn.core.fourier.shells import shell_indices
from tomodrgn.core.physics.dose import dose_attenuation
from tomodrgn.core.physics.transfer import noise_transfer, signal_transfer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.cache.stream import ImageSource
    from tomodrgn.core.fourier.disc import HalfPlaneDisc
    from tomodrgn.core.particles.tables import ImageTable, ParticleSet

_COEFFICIENTS_AT_ONCE: Final = {"cpu": 2**16, "cuda": 2**21}
KEPT_COEFFICIENTS: Final = 2**22
"""Sets with fewer coefficients than this stay in memory between passes, at about 120 bytes each."""
_LEAST_NOISE: Final = 1e-3
"""Where premultiplication left less noise than this, it left no signal either."""


def coefficients_at_once(device: torch.device) -> int:
    """Coefficients of a block on a device."""
    return _COEFFICIENTS_AT_ONCE.get(device.type, _COEFFICIENTS_AT_ONCE["cuda"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Coefficients of m images of some whole particles, each image with the n of lowest radius.

    Attributes:
        particles: (b,) int64 rows of the particles, on the device.
        owner: (m,) int64 which of these each image shows.
        rank: (m,) int64 place of the image within its particle.
        where: (m * n) places in the volume.
        signal: (m, n) complex, (g / h^2) y.
        power: (m, n) g^2 / h^2.
        observed: (m, n) complex y.
        signal_transfer: (m, n) g.
        noise_power: (m, n) h^2.
    """

    particles: Tensor
    owner: Tensor
    rank: Tensor
    where: Corners
    signal: Tensor
    power: Tensor
    observed: Tensor
    signal_transfer: Tensor
    noise_power: Tensor


class Observations:
    """The images of a particle set up to a radius.

    Args:
        particles: B particles with M images.
        disc: the coefficients that the source holds of each image.
        source: normalised coefficients, by cache row.
        cache_rows: (M,) row of each image.
        radius_px: largest radius that is looked at, an integer number of Fourier pixels.
        dose: allow for the signal that radiation destroyed, where nobody did so upstream.
        device: where blocks lie.
        weights: (B,) how much each particle counts in what is fitted to all; None where all count
            alike. What is found of a particle itself does not depend on it.
    """

    def __init__(
        self,
        particles: ParticleSet,
        disc: HalfPlaneDisc,
        source: ImageSource,
        cache_rows: NDArray[np.int64],
        *,
        radius_px: int,
        dose: bool = True,
        device: torch.device,
        weights: Tensor | None = None,
    ) -> None:
        self.particles, self.disc, self.source = particles, disc, source
        self.weights = None if weights is None else weights.to(device, torch.float32)
        self.cache_rows, self.dose, self.device = cache_rows, dose, device
        self.radius_px = radius_px
        self.n_coefficients = disc.prefix(radius_px)
        self.box_size_px = min(2 * (radius_px + 1), disc.box_size_px)
        self.shells = torch.from_numpy(shell_indices(disc.radius_px[: self.n_coefficients])).to(
            device
        )
        self.k = torch.from_numpy(disc.k[: self.n_coefficients]).to(device, torch.float32)
        freqs_per_a = disc.freqs()[: self.n_coefficients] / particles.pixel_size_a
        self._freqs_per_a = torch.from_numpy(freqs_per_a).to(device)
        self._kept: dict[bytes, list[Block]] = {}

    def to_radius(self, radius_px: int) -> Observations:
        """The same images up to another radius."""
        return self._changed(self.particles, radius_px)

    def of(self, particles: ParticleSet) -> Observations:
        """The same images, with what another table says of their poses and contrast."""
        return self._changed(particles, self.radius_px)

    def weighted(self, weights: Tensor | None) -> Observations:
        """The same images of particles that count by weights (B,)."""
        changed = self._changed(self.particles, self.radius_px)
        changed.weights = None if weights is None else weights.to(self.device, torch.float32)
        changed._kept = self._kept  # blocks do not depend on weights
        return changed

    def weights_of(self, rows: NDArray[np.int64]) -> Tensor | None:
        """(n,) weights of the particles with the rows (n,) given."""
        if self.weights is None:
            return None
        return self.weights[torch.from_numpy(rows).to(self.device)]

    def counts_of(self, block: Block) -> Tensor:
        """(b,) how much the particles of a block count."""
        if self.weights is None:
            return block.power.new_ones(len(block.particles))
        return self.weights[block.particles]

    def _changed(self, particles: ParticleSet, radius_px: int) -> Observations:
        return Observations(
            particles,
            self.disc,
            self.source,
            self.cache_rows,
            radius_px=radius_px,
            dose=self.dose,
            device=self.device,
            weights=self.weights,
        )

    @property
    def are_kept(self) -> bool:
        """Whether there are so few that blocks stay in memory after the first pass."""
        return self.particles.n_images * self.n_coefficients <= KEPT_COEFFICIENTS

    def blocks(self, rows: NDArray[np.int64]) -> Iterator[Block]:
        """Blocks of the particles with the rows (n,) given, in that order."""
        key = rows.tobytes()
        if key in self._kept:
            yield from self._kept[key]
            return
        n_images = int(self.particles.counts[rows].sum())
        kept = []
        groups = self._groups(rows)
        images = [self.images_of(group) for group in groups]
        coefficients = self.source.batches(self.cache_rows[part] for part in images)
        for group, part, values in zip(groups, images, coefficients, strict=True):
            block = self._block(group, part, values)
            if self.are_kept:
                kept.append(block)
            yield block
        if self.are_kept and n_images:
            self._kept[key] = kept

    def _groups(self, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Rows of particles that fit into one block."""
        at_once = coefficients_at_once(self.device)
        ends = np.cumsum(self.particles.counts[rows]) * self.n_coefficients
        edges = np.flatnonzero(np.diff((ends - 1) // at_once)) + 1
        return np.split(rows, edges)

    def images_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of the images of the particles with the rows (n,) given, in that order."""
        starts, counts = self.particles.starts[rows], self.particles.counts[rows]
        first = np.cumsum(counts) - counts
        return np.asarray(np.arange(counts.sum()) - np.repeat(first - starts, counts))

    def _block(
        self, rows: NDArray[np.int64], images: NDArray[np.int64], coefficients: Tensor
    ) -> Block:
        table = send_rows(self.particles.images, images, self.device)
        observed = torch.view_as_complex(coefficients[:, : self.n_coefficients].contiguous())
        if table.further_shift_px is not None:
            freqs = self.k / self.disc.box_size_px
            observed = observed * shift_phases(freqs, table.further_shift_px.to(freqs))
        ones = torch.ones_like(observed.real)
        g = self._signal_transfer(table, ones)
        noise = noise_transfer(table, self._freqs_per_a, self.particles.optics)
        if noise is None:
            noise_power, factor = ones, g
        else:
            h = noise.to(ones)
            noise_power = h.square()
            factor = g / noise_power.clamp_min(_LEAST_NOISE**2)
            factor.masked_fill_(h <= _LEAST_NOISE, 0.0)
        points = OVERSAMPLING * (self.k @ table.rotation[:, :2].to(ones))  # (m, n, 3)
        counts = self.particles.counts[rows]
        owner = np.repeat(np.arange(len(rows)), counts)
        rank = np.arange(len(images)) - np.repeat(np.cumsum(counts) - counts, counts)
        places = send_all([rows, owner, rank], self.device)
        return Block(
            particles=places[0],
            owner=places[1],
            rank=places[2],
            where=corners(points.reshape(-1, 3).unbind(1), self.box_size_px),
            signal=observed * factor,
            power=g * factor,
            observed=observed,
            signal_transfer=g,
            noise_power=noise_power,
        )

    def _signal_transfer(self, table: ImageTable[Tensor], ones: Tensor) -> Tensor:
        """(m, n) g of images, with the dose that nobody allowed for upstream."""
        optics = self.particles.optics
        signal = signal_transfer(table, self._freqs_per_a, optics)
        g = ones if signal is None else signal.to(ones)
        if not self.dose or all(group.state.dose_weighted for group in optics):
            return g
        left = dose_attenuation(
            table.dose_e_per_a2, self._freqs_per_a.norm(dim=-1), table.voltage_kv
        ).to(ones)
        weighted = send(np.array([each.state.dose_weighted for each in optics]), self.device)
        return g * torch.where(weighted[table.optics.long(), None], ones, left)
