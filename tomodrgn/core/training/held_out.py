"""How well the decoder predicts tilt images that it was not trained on.

The latent of a particle is inferred from its training tilts, and the volume at that latent is
compared with the held-out tilts of the same particle. Three yardsticks say what the error means:

- the consensus map, back-projected from all training tilts with the weights of the loss and
  Wiener-filtered by its half maps: what can be predicted without telling particles apart;
- the decoder at the latent of another particle: without information in the latents both errors
  are alike, whatever the decoder does;
- no map at all.

Errors are weighted squared errors per coefficient, as in the loss; every particle counts alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.device_transfer import send, send_all
from tomodrgn.core.model.evaluation import rows_per_call
from tomodrgn.core.particles.keyed_random import keyed_uniform
from tomodrgn.core.reconstruction.halves import halves_by_particle
from tomodrgn.core.reconstruction.insertion import empty_sums, insert
from tomodrgn.core.reconstruction.map_slices import MapSlices
from tomodrgn.core.reconstruction.maps import finish_halves
from tomodrgn.core.reconstruction.resolution import spherical_mask
from tomodrgn.core.reconstruction.weights import SliceWeights
from tomodrgn.core.training.embedding import with_coefficients

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.fourier.disc import HalfPlaneDisc
    from tomodrgn.core.model.volume_model import VolumeModel
    from tomodrgn.core.reconstruction.insertion import FourierSums
    from tomodrgn.core.training.devices import Devices
    from tomodrgn.core.training.embedding import CoefficientSource
    from tomodrgn.core.training.sampling import Sampler
    from tomodrgn.core.training.tilt_batch import CoefficientChunk, TiltBatch, TiltBatchBuilder

MAX_PARTICLES: Final = 4000
"""Of larger sets, this many particles are drawn once and measured at every checkpoint."""

_BATCH: Final = 64
_MASK_RADIUS: Final = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutErrors:
    """Mean weighted squared error per coefficient of the held-out tilts of each of n particles.

    Attributes:
        decoder: (n,) of the volume at the particle's own latent.
        exchanged: (n,) of the volume at the latent of another particle.
        consensus: (n,) of the consensus map.
        empty: (n,) of no map.
    """

    decoder: NDArray[np.float64]
    exchanged: NDArray[np.float64]
    consensus: NDArray[np.float64]
    empty: NDArray[np.float64]

    def report(self, epoch: int) -> HeldOutReport:
        """Their means over particles, and how certain the differences are."""
        return HeldOutReport(
            epoch=epoch,
            n_particles=len(self.decoder),
            error=float(self.decoder.mean()),
            exchanged_error=float(self.exchanged.mean()),
            consensus_error=float(self.consensus.mean()),
            empty_error=float(self.empty.mean()),
            gain=float((self.consensus - self.decoder).mean()),
            gain_standard_error=_standard_error(self.consensus - self.decoder),
            information=float((self.exchanged - self.decoder).mean()),
            information_standard_error=_standard_error(self.exchanged - self.decoder),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutReport:
    """What the held-out tilts say of an epoch, counted from 0.

    Attributes:
        epoch: after which it was measured.
        n_particles: how many particles were measured.
        error: of the decoder, per coefficient.
        exchanged_error: of the decoder at latents of other particles.
        consensus_error: of the consensus map.
        empty_error: of no map; what the consensus map and the decoder are below it is the signal
            that they predict.
        gain: mean of consensus minus decoder over particles; above 0, heterogeneity is predicted.
        gain_standard_error: its standard error.
        information: mean of exchanged minus decoder; above 0, latents tell particles apart.
        information_standard_error: its standard error.
    """

    epoch: int
    n_particles: int
    error: float
    exchanged_error: float
    consensus_error: float
    empty_error: float
    gain: float
    gain_standard_error: float
    information: float
    information_standard_error: float


class HeldOutTilts:
    """Measures a model on the tilt images that it is not trained on.

    Args:
        training: draws the images that the model is trained on.
        held_out: draws the others.
        builder: puts batches on the device.
        disc: the coefficients of each image.
        source: coefficients of images.
        cache_rows: (M,) place of every image in the cache.
        most_particles: how many particles are measured.
    """

    def __init__(
        self,
        training: Sampler,
        held_out: Sampler,
        builder: TiltBatchBuilder,
        disc: HalfPlaneDisc,
        *,
        source: CoefficientSource,
        cache_rows: NDArray[np.int64],
        most_particles: int = MAX_PARTICLES,
    ) -> None:
        self._training = training.with_all_tilts()
        self._held_out = held_out.with_all_tilts()
        self._builder = builder
        self._disc = disc
        self._source = source
        self._cache_rows = cache_rows
        luck = keyed_uniform(training.seed, "held out", 0, training.keys, 1)[:, 0]
        drawn = np.argsort(luck)[:most_particles]
        self._particles = np.sort(drawn)
        another = np.empty(len(luck), np.int64)
        another[drawn] = np.roll(drawn, 1)
        self._another = another[self._particles]
        self._consensus: MapSlices | None = None

    def measure(
        self,
        model: VolumeModel,
        latents: NDArray[np.float32],
        devices: Devices,
    ) -> HeldOutErrors:
        """Errors on the held-out tilts, the same in every process.

        Args:
            model: the volume model.
            latents: (B, Z) latents of all particles of the set, from their training tilts.
            devices: processes that share the work, and precision.
        """
        self._consensus = self._consensus or MapSlices(self.consensus(devices))
        found = torch.zeros(len(self._particles), 4, dtype=torch.float64, device=devices.device)
        with devices.agreement():
            self._measure_share(found, model, latents, self._consensus, devices)
        devices.sum_over_processes([found])
        errors = found.T.cpu().numpy()
        return HeldOutErrors(
            decoder=errors[0], exchanged=errors[1], consensus=errors[2], empty=errors[3]
        )

    def _measure_share(
        self,
        found: Tensor,
        model: VolumeModel,
        latents: NDArray[np.float32],
        consensus: MapSlices,
        devices: Devices,
    ) -> None:
        """Put the errors of the particles of this process into their rows of ``found`` (n, 4)."""
        table = torch.from_numpy(latents).to(self._builder.device, self._builder.dtype)
        share = self._held_out.share_in_order(devices.rank, devices.n_ranks, self._particles)
        first = int(np.searchsorted(self._particles, share[0])) if len(share) else 0
        for tilts in self._tilts(self._held_out, share):
            rows = slice(first, first + len(tilts.counts))
            places = send_all([self._particles[rows], self._another[rows]], table.device)
            own, other = (table[place] for place in places)
            with devices.autocast():
                found[rows] = _batch_errors(model, tilts, (own, other), consensus)
            first = rows.stop

    def consensus(self, devices: Devices) -> Tensor:
        """(D, D, D) map that explains the training tilts of all particles best, filtered."""
        with devices.agreement():
            sums = self._insert_share(devices)
        for grid in sums.grids:
            devices.sum_over_processes([grid])
        found = finish_halves(
            sums,
            (0, 1),
            pixel_size_a=self._training.particles.pixel_size_a,
            mask=spherical_mask(self._disc.box_size_px, _MASK_RADIUS),
        )
        return torch.from_numpy(found.full).to(self._builder.device)

    @torch.no_grad()
    def _insert_share(self, devices: Devices) -> FourierSums:
        """Sums of the training tilts of the particles of this process."""
        particles, device = self._training.particles, self._builder.device
        sums = empty_sums(2, self._disc.box_size_px, like=torch.empty(0, device=device))
        halves = halves_by_particle(
            particles, np.zeros(particles.n_particles, np.int64), self._training.seed
        )
        share = self._training.share_in_order(devices.rank, devices.n_ranks)
        for batch, tilts in self._batches(self._training, share):
            insert(
                sums,
                torch.view_as_complex(tilts.coefficients.float().contiguous()),
                _loss_weights(tilts),
                rotation=tilts.rotation.float(),
                disc=self._disc,
                volume_index=send(halves[batch], device),
            )
        return sums

    def _tilts(self, sampler: Sampler, rows: NDArray[np.int64]) -> Iterator[TiltBatch]:
        return (tilts for _, tilts in self._batches(sampler, rows))

    def _batches(
        self, sampler: Sampler, rows: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], TiltBatch]]:
        """Image rows and tilt images of some particles, a batch at a time."""
        batches = sampler.in_order(_BATCH, rows)
        for batch, coefficients in with_coefficients(batches, self._source, self._cache_rows):
            yield batch.images, self._builder.build(batch, coefficients)


def _loss_weights(tilts: TiltBatch) -> SliceWeights:
    """Weights with which insertion minimizes the same squared error as the loss."""
    n_coefficients = tilts.coefficients.shape[1]
    kept = send(tilts.kept, tilts.coefficients.device)[:, None]
    power = (torch.arange(n_coefficients, device=kept.device) < kept).float()
    if tilts.weights is not None:
        power = power * tilts.weights.float()
    if tilts.transfer is None:
        return SliceWeights(power, power)
    transfer = tilts.transfer.float()
    return SliceWeights(power * transfer, power * transfer.square())


@torch.no_grad()
def _batch_errors(
    model: VolumeModel,
    tilts: TiltBatch,
    latents: tuple[Tensor, Tensor],
    consensus: MapSlices,
) -> Tensor:
    """(B, 4) float64 mean errors per coefficient: decoder, exchanged, consensus, empty."""
    device = tilts.coefficients.device
    sums = torch.zeros(len(tilts.counts), 4, dtype=torch.float64, device=device)
    n_coefficients = sums.new_zeros(len(tilts.counts))
    for images in tilts.split(rows_per_call(device)):
        chunk = tilts.chunk(images)
        n_rows = len(chunk.freqs)
        owner = torch.repeat_interleave(chunk.counts, output_size=n_rows) + chunk.particles.start
        n_coefficients[chunk.particles] += chunk.counts
        guesses = [
            model.decode(chunk.freqs, latent[chunk.particles], chunk.counts) for latent in latents
        ]
        guesses += [consensus.at(chunk.freqs), torch.zeros_like(chunk.target)]
        errors = torch.stack([_errors(chunk, guess) for guess in guesses], dim=1)
        sums.index_add_(0, owner, errors.double())
    return sums / n_coefficients.clamp_min(1)[:, None]


def _errors(chunk: CoefficientChunk, predicted: Tensor) -> Tensor:
    """(n,) weighted squared error of each coefficient."""
    if chunk.transfer is not None:
        predicted = predicted * chunk.transfer
    error = (predicted - chunk.target).square().sum(1)
    return error if chunk.weights is None else error * chunk.weights[:, 0]


def _standard_error(values: NDArray[np.float64]) -> float:
    """Standard error of the mean; 0 of a single value."""
    if len(values) < 2:  # noqa: PLR2004  a spread needs two
        return 0.0
    return float(values.std(ddof=1) / np.sqrt(len(values)))
