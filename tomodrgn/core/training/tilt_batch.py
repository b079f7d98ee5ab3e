"""The tilt images of a batch on the device, with everything the forward model says about them."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch

from tomodrgn.core.device_transfer import send, send_all, send_rows
from tomodrgn.core.fourier.disc import shift_phases
from tomodrgn.core.physics.transfer import phase_flip, signal_transfer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.fourier.disc import HalfPlaneDisc
    from tomodrgn.core.interfaces import LossWeighting
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.training.sampling import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class CoefficientChunk:
    """Kept coefficients of some adjacent images, flat.

    Attributes:
        freqs: (n, 3) cycles/px in the frame of the reference.
        target: (n, 2) observed real and imaginary parts.
        transfer: (n, 1) factor of the signal, or None for 1.
        weights: (n, 1) loss weights, or None for 1.
        particles: slice of the particles of the batch that own them.
        counts: coefficients of each of these particles.
    """

    freqs: Tensor
    target: Tensor
    transfer: Tensor | None
    weights: Tensor | None
    particles: slice
    counts: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class TiltBatch:
    """M images of B particles: what was observed and how it came about.

    Attributes:
        coefficients: (M, P, 2) observed.
        rotation: (M, 3, 3) reference to image coordinates.
        disc_freqs: (P, 2) cycles/px of the coefficients in the image plane.
        transfer: (M, P) factor of the signal, or None for 1.
        weights: (M, P) loss weights, or None for 1.
        counts: (B,) images of each particle, on the device.
        owner: (M,) particle of each image, on the host.
        kept: (M,) leading coefficients that the loss keeps, on the host.
    """

    coefficients: Tensor
    rotation: Tensor
    disc_freqs: Tensor
    transfer: Tensor | None
    weights: Tensor | None
    counts: Tensor
    owner: NDArray[np.int64]
    kept: NDArray[np.int64]

    @property
    def longest(self) -> int:
        """Images of the particle that has most, known on the host."""
        return int(np.bincount(self.owner).max())

    def encoder_input(self) -> Tensor:
        """(M, P, 2) coefficients whose contrast has one sign at all frequencies."""
        if self.transfer is None:
            return self.coefficients
        return self.coefficients * phase_flip(self.transfer)[:, :, None]

    def split(self, n_rows: int) -> Iterator[slice]:
        """Runs of whole images with about ``n_rows`` kept coefficients each."""
        filled = (np.cumsum(self.kept) - 1) // max(1, n_rows)
        edges = np.flatnonzero(np.diff(filled)) + 1
        bounds = [0, *edges.tolist(), len(self.kept)]
        for first, last in pairwise(bounds):
            if self.kept[first:last].any():
                yield slice(first, last)

    def chunk(self, images: slice) -> CoefficientChunk:
        """The kept coefficients of some adjacent images."""
        first, last = images.start, images.stop
        kept, owner = self.kept[first:last], self.owner[first:last]
        width = int(kept.max())
        device = self.coefficients.device
        counts = np.bincount(owner - owner[0], weights=kept).astype(np.int64)
        chosen = None
        if (kept == width).all():
            there = send(counts, device)
        else:
            there, chosen = _leading(kept, width, counts, device)

        def flat(values: Tensor) -> Tensor:
            rows = values[first:last, :width].flatten(0, 1)
            return rows if chosen is None else rows.index_select(0, chosen)

        plane = self.rotation[first:last, :2]  # (m, 2, 3): image axes in the reference
        with torch.autocast(plane.device.type, enabled=False):  # phases need all their digits
            freqs = (self.disc_freqs[:width] @ plane).flatten(0, 1)
        return CoefficientChunk(
            freqs=freqs if chosen is None else freqs.index_select(0, chosen),
            target=flat(self.coefficients),
            transfer=None if self.transfer is None else flat(self.transfer[:, :, None]),
            weights=None if self.weights is None else flat(self.weights[:, :, None]),
            particles=slice(int(owner[0]), int(owner[-1]) + 1),
            counts=there,
        )


def _leading(
    kept: NDArray[np.int64], width: int, counts: NDArray[np.int64], device: torch.device
) -> tuple[Tensor, Tensor]:
    """``counts`` on a device, and places of the first ``kept`` (m,) entries of (m, width) rows.

    Their number is known on the host, so the device need not be waited for.
    """
    begins = np.cumsum(kept) - kept
    offset = np.arange(len(kept)) * width - begins
    there, offsets, lengths = send_all([counts, offset, kept], device)
    n = int(kept.sum())
    spread = torch.repeat_interleave(offsets, lengths, output_size=n)
    return there, spread + torch.arange(n, device=device)


class TiltBatchBuilder:
    """Builds tilt batches of a particle set on a device.

    Args:
        particles: the set.
        disc: the coefficients of each image.
        weightings: loss weightings; their weights are multiplied.
        kept: (M,) leading coefficients of every image of the set that the loss keeps.
        dtype: number type of what the networks see.
        device: where batches live.
    """

    def __init__(
        self,
        particles: ParticleSet,
        disc: HalfPlaneDisc,
        *,
        weightings: Sequence[LossWeighting],
        kept: NDArray[np.int64],
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.particles = particles
        self.weightings = tuple(weightings)
        self.kept = kept
        self.dtype = dtype
        self.device = device
        self.disc_freqs = torch.from_numpy(disc.freqs()).to(device)
        self.radius_px = torch.from_numpy(disc.radius_px).to(device, torch.float32)

    def of(self, particles: ParticleSet) -> TiltBatchBuilder:
        """The same for particles in other poses."""
        other = copy(self)
        other.particles = particles
        return other

    def build(self, batch: Batch, coefficients: Tensor) -> TiltBatch:
        """The batch with its observed coefficients (M, P, 2)."""
        images = send_rows(self.particles.images, batch.images, self.device)
        freqs_per_a = self.disc_freqs / self.particles.pixel_size_a
        transfer = signal_transfer(images, freqs_per_a, self.particles.optics)
        if images.further_shift_px is not None:
            phases = shift_phases(self.disc_freqs, images.further_shift_px.to(self.disc_freqs))
            centered = torch.view_as_complex(coefficients.float().contiguous()) * phases
            coefficients = torch.view_as_real(centered)
        weights: Tensor | None = None
        for weighting in self.weightings:
            factor = weighting.weights(images, self.radius_px)
            weights = factor if weights is None else weights * factor
        return TiltBatch(
            coefficients=coefficients.to(self.dtype),
            rotation=images.rotation.to(self.dtype),
            disc_freqs=self.disc_freqs.to(self.dtype),
            transfer=None if transfer is None else transfer.to(self.dtype),
            weights=None if weights is None else weights.to(self.dtype),
            counts=send(batch.counts, self.device),
            owner=np.repeat(np.arange(len(batch.counts)), batch.counts),
            kept=self.kept[batch.images],
        )
