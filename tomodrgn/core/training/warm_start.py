"""Starting a model from one that is known: it is taught before it sees the images.

The decoder learns the volumes of the teacher from noiseless slices in random directions, which need
no images. The encoder learns the posteriors that the teacher found, from the images themselves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch.nn import functional

from tomodrgn.core.device_transfer import send
from tomodrgn.core.geometry.rotations import random_rotations
from tomodrgn.core.interfaces import Posterior
from tomodrgn.core.model.posterior import divergence_between, draw
from tomodrgn.core.training.embedding import with_coefficients
from tomodrgn.core.training.objective import decoder_gradients
from tomodrgn.core.training.step import RATE_FACTOR
from tomodrgn.core.training.tilt_batch import TiltBatch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.model.volume_model import VolumeModel
    from tomodrgn.core.training.devices import Devices
    from tomodrgn.core.training.embedding import CoefficientSource
    from tomodrgn.core.training.sampling import Sampler
    from tomodrgn.core.training.tilt_batch import TiltBatchBuilder

DECODER_STEPS: Final = 300
DECODER_RATE: Final = 2e-3
_SLICES: Final = 8
"""Latents in each step; many small steps teach more than a few large ones of the same cost."""
_COEFFICIENTS: Final = 256
"""Of each slice and step, drawn anew, so that the cost does not depend on the box."""
ENCODER_STEPS: Final = 300
ENCODER_RATE: Final = 1e-3
ENCODER_BATCH: Final = 16
TAUGHT_ENCODER_RATE: Final = 0.1
"""Learning rate of a taught encoder in joint training, over that of the run."""
_RISE: Final = 0.05
_MIN_PASSES: Final = 3
_LAST: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Teacher:
    """A model of the particles of a run that is known already.

    Attributes:
        model: decodes K latents.
        posterior: (B, K) means and logarithms of variances, in the order of the particles.
        latent_dim: Z of the learner. It learns the first Z of the K dimensions; those that it has
            to spare are to be those of the prior, with a mean of 0 and a variance of 1.
        scale: factor from the intensities of the model to those of the run.
    """

    model: VolumeModel
    posterior: Posterior
    latent_dim: int
    scale: float

    @property
    def unit(self) -> Tensor:
        """(K,) spread of the latents of the model, which is 1 for the learner."""
        mean, log_variance = self.posterior
        return (mean.square() + log_variance.exp()).mean(0).sqrt()

    def posterior_of(self, rows: NDArray[np.int64]) -> Posterior:
        """(b, Z) of some particles."""
        mean, log_variance = self.posterior
        found = send(rows, mean.device)
        mean = mean[found] / self.unit
        log_variance = log_variance[found] - 2 * self.unit.log()
        return Posterior(_resized(mean, self.latent_dim), _resized(log_variance, self.latent_dim))

    @torch.no_grad()
    def coefficients(self, freqs: Tensor, latent: Tensor, counts: Tensor) -> Tensor:
        """(N, 2) at latents (b, Z), in the intensities of the run."""
        known = _resized(latent, self.posterior.mean.shape[1]) * self.unit
        return self.scale * self.model.decode(freqs, known, counts)


def parameter_groups(learner: VolumeModel) -> list[dict[str, Any]]:
    """Parameters to train jointly after teaching, the encoder at a lower rate.

    A network that knows the answer for each particle forgets it again at the rate that suits a
    decoder that has not seen the images yet.
    """
    parts = ((learner.decoder, 1.0), (learner.encoder, TAUGHT_ENCODER_RATE))
    return [
        {"params": list(part.parameters()), RATE_FACTOR: factor}
        for part, factor in parts
        if part is not None
    ]


def fit_decoder(
    learner: VolumeModel,
    teacher: Teacher,
    disc_freqs: Tensor,
    *,
    devices: Devices,
    seed: int,
    n_steps: int = DECODER_STEPS,
) -> float:
    """Teach a decoder the volumes of the teacher at latents that particles have.

    Args:
        learner: whose decoder learns, in place.
        teacher: tells the coefficients.
        disc_freqs: (P, 2) cycles/px of the coefficients of an image.
        devices: where and how the networks compute.
        seed: of slices and latents.
        n_steps: optimizer steps.

    Returns:
        Squared error of the last steps, over the power of what was to be learned.
    """
    rng = np.random.default_rng([seed, 1])
    optimizer = torch.optim.AdamW(learner.decoder.parameters(), weight_decay=0)
    errors = []
    for step in range(n_steps):
        slices, latent = _slices(teacher, disc_freqs, rng)
        _set_rate(optimizer, DECODER_RATE, step / n_steps)
        optimizer.zero_grad(set_to_none=False)
        error, _ = decoder_gradients(
            learner,
            slices,
            latent,
            scale=1 / slices.coefficients[..., 0].numel(),
            autocast=devices.autocast,
            workers=devices.workers,
        )
        optimizer.step()
        errors.append(error / slices.coefficients.square().sum())
    return float(torch.stack(errors[-_LAST:]).mean())


def fit_encoder(
    learner: VolumeModel,
    teacher: Teacher,
    sampler: Sampler,
    builder: TiltBatchBuilder,
    *,
    source: CoefficientSource,
    cache_rows: NDArray[np.int64],
    devices: Devices,
    n_steps: int = ENCODER_STEPS,
) -> float:
    """Teach an encoder the posteriors that the teacher found for particles, from their images.

    Args:
        learner: whose encoder learns, in place.
        teacher: tells the posteriors.
        sampler: draws particles and, where the run does, some of their tilts.
        builder: puts batches on the device.
        source: coefficients of images.
        cache_rows: (M,) place of every image in the cache.
        devices: where and how the networks compute.
        n_steps: about how many optimizer steps; every particle is seen three times at least.

    Returns:
        Mean divergence of a posterior of the teacher from that of the encoder, in nats.
    """
    optimizer = torch.optim.AdamW(learner.parameters(), weight_decay=0)  # no gradient, no step
    n_particles = sampler.particles.n_particles
    per_pass = -(-n_particles // ENCODER_BATCH)
    n_passes = max(_MIN_PASSES, -(-n_steps // per_pass))
    total = torch.zeros((), dtype=torch.float64, device=builder.device)
    for epoch in range(n_passes):
        total.zero_()
        batches = sampler.epoch(epoch, batch_size=ENCODER_BATCH)
        seen = enumerate(with_coefficients(batches, source, cache_rows))
        for index, (batch, coefficients) in seen:
            tilts = builder.build(batch, coefficients)
            known = teacher.posterior_of(batch.particles)
            _set_rate(optimizer, ENCODER_RATE, (epoch + index / per_pass) / n_passes)
            optimizer.zero_grad()
            with devices.autocast():
                found = learner.embed(tilts.encoder_input(), tilts.counts, tilts.longest)
            loss = divergence_between(known, found)
            loss.mean().backward()
            optimizer.step()
            total += loss.detach().sum()
    return float(total) / n_particles


def _slices(
    teacher: Teacher, disc_freqs: Tensor, rng: np.random.Generator
) -> tuple[TiltBatch, Tensor]:
    """Noiseless slices in random directions, each of another latent (slices, Z)."""
    rows = rng.integers(0, len(teacher.posterior.mean), _SLICES)
    posterior = teacher.posterior_of(rows)
    noise = send(rng.standard_normal(posterior.mean.shape), disc_freqs.device).to(posterior.mean)
    latent = draw(posterior, noise)
    chosen = np.sort(rng.permutation(len(disc_freqs))[:_COEFFICIENTS])
    freqs = disc_freqs[send(chosen, disc_freqs.device)]
    rotation = send(random_rotations(_SLICES, rng), freqs.device).to(freqs)
    counts = torch.full((_SLICES,), len(freqs), device=freqs.device)
    points = (freqs @ rotation[:, :2]).flatten(0, 1)
    answer = teacher.coefficients(points, latent, counts)
    slices = TiltBatch(
        coefficients=answer.unflatten(0, (_SLICES, -1)),
        rotation=rotation,
        disc_freqs=freqs,
        transfer=None,
        weights=None,
        counts=torch.ones_like(counts),
        owner=np.arange(_SLICES),
        kept=np.full(_SLICES, len(freqs)),
    )
    return slices, latent


def _resized(values: Tensor, n_columns: int) -> Tensor:
    """(b, columns) with columns left out at the end, or zeros added there."""
    return functional.pad(values, (0, n_columns - values.shape[1]))


def _set_rate(optimizer: torch.optim.Optimizer, highest: float, done: float) -> None:
    """Learning rate after a fraction of the steps: a short rise, then a cosine to zero."""
    rise = min(1.0, (done + 1e-3) / _RISE)
    for group in optimizer.param_groups:
        group["lr"] = highest * rise * 0.5 * (1 + math.cos(math.pi * done))
