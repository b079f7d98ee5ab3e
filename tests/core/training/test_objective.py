from __future__ import annotations

import contextlib

import numpy as np
import pytest
import torch

from tomodrgn.core.fourier.disc import HalfPlaneDisc
from tomodrgn.core.interfaces import Posterior
from tomodrgn.core.model.mlp import ResidualMlp
from tomodrgn.core.model.posterior import divergence, draw
from tomodrgn.core.model.ragged import segment_mean
from tomodrgn.core.model.volume_model import VolumeModel
from tomodrgn.core.model.workers import Workers
from tomodrgn.core.particles.tables import ImageTable, ParticleSet
from tomodrgn.core.physics.transfer import signal_transfer
from tomodrgn.core.training.objective import LatentPenalty, accumulate_gradients
from tomodrgn.core.training.sampling import Sampler
from tomodrgn.core.training.tilt_batch import TiltBatchBuilder
from tomodrgn.plugins.decoders.fourier_mlp.sweep import MlpSweep

LATENT_DIM = 4


class TinyEncoder(torch.nn.Module):
    n_tilts = None

    def __init__(self, n_coefficients: int) -> None:
        super().__init__()
        self.mlp = ResidualMlp(2 * n_coefficients, 1, 8, 2 * LATENT_DIM, "relu")

    def forward(self, images: torch.Tensor, counts: torch.Tensor) -> Posterior:
        return Posterior(*segment_mean(self.mlp(images.flatten(1)), counts).chunk(2, dim=1))


class TinyDecoder(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mlp = ResidualMlp(3 + LATENT_DIM, 2, 16, 2, "relu")

    def forward(
        self, freqs: torch.Tensor, latent: torch.Tensor, counts: torch.Tensor
    ) -> torch.Tensor:
        answer: torch.Tensor = self.mlp(freqs, latent, counts)
        return answer


class SweepingDecoder(TinyDecoder):
    """The same, forward and backward in one go."""

    def sweep(self, latent: torch.Tensor | None) -> MlpSweep:
        return MlpSweep(self.mlp, latent)


class Falling:
    """A weighting that differs between images and coefficients."""

    def weights(self, images: ImageTable[torch.Tensor], radius_px: torch.Tensor) -> torch.Tensor:
        return torch.exp(-0.02 * images.dose_e_per_a2[:, None] * radius_px / radius_px.max())


@pytest.fixture(params=[TinyDecoder, SweepingDecoder])
def model(request: pytest.FixtureRequest, disc: HalfPlaneDisc) -> VolumeModel:
    torch.manual_seed(1)
    return VolumeModel(request.param(), TinyEncoder(len(disc))).double()


def plain_loss(
    model: VolumeModel,
    particles: ParticleSet,
    disc: HalfPlaneDisc,
    coefficients: torch.Tensor,
    kept: np.ndarray,
    noise: torch.Tensor,
    beta: float,
) -> torch.Tensor:
    """The definition, one image and one coefficient after another."""
    images = particles.images.convert(torch.from_numpy)
    freqs = torch.from_numpy(disc.freqs())
    transfer = signal_transfer(images, freqs / particles.pixel_size_a, particles.optics)
    assert transfer is not None
    weights = Falling().weights(images, torch.from_numpy(disc.radius_px))
    flipped = coefficients.double() * torch.where(transfer < 0, -1, 1)[:, :, None]
    posterior = model.embed(flipped, torch.from_numpy(particles.counts))
    latents = draw(posterior, noise)
    total = torch.zeros((), dtype=torch.float64)
    for image, particle in enumerate(particles.particle_of_image):
        for index in range(kept[image]):
            k = torch.tensor([*disc.freqs()[index], 0.0]).double()
            rotated = (k @ images.rotation[image].double())[None]
            answer = model.decode(rotated, latents[particle : particle + 1], torch.tensor([1]))[0]
            error = transfer[image, index] * answer - coefficients[image, index]
            total = total + weights[image, index] * error.square().sum()
    return (total + 0.5 * beta * divergence(posterior).sum()) / kept.sum()


@pytest.mark.parametrize("n_workers", [1, 3])
def test_gradients_are_those_of_the_definition(
    n_workers: int,
    particles: ParticleSet,
    disc: HalfPlaneDisc,
    coefficients: torch.Tensor,
    model: VolumeModel,
) -> None:
    rng = np.random.default_rng(0)
    kept = rng.integers(0, 12, particles.n_images)
    noise = torch.from_numpy(rng.standard_normal((particles.n_particles, LATENT_DIM)))
    builder = TiltBatchBuilder(
        particles,
        disc,
        weightings=[Falling()],
        kept=kept,
        dtype=torch.float64,
        device=torch.device("cpu"),
    )
    sampler = Sampler(particles, kept=kept, usable=None, sample_ntilts=None, seed=0)
    (batch,) = sampler.in_order(100)
    sums = accumulate_gradients(
        model,
        builder.build(batch, coefficients),
        noise,
        n_coefficients=batch.n_coefficients,
        penalty_factor=lambda _: 0.7,
        autocast=contextlib.nullcontext,
        workers=Workers(n_workers),
    )
    found = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    loss = plain_loss(model, particles, disc, coefficients, kept, noise, 0.7)
    loss.backward()
    expected = [p.grad for p in model.parameters()]
    value = (sums.squared_error + 0.35 * sums.divergence) / kept.sum()
    assert value.item() == pytest.approx(loss.item(), rel=1e-6)  # float32 lattice and transfer
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("n_rows", [1, 100, 300, 10**6])
def test_chunks_hold_every_kept_coefficient_once(
    particles: ParticleSet, disc: HalfPlaneDisc, coefficients: torch.Tensor, n_rows: int
) -> None:
    kept = np.arange(particles.n_images) % len(disc)
    builder = TiltBatchBuilder(
        particles, disc, weightings=[], kept=kept, dtype=torch.float32, device=torch.device("cpu")
    )
    sampler = Sampler(particles, kept=kept, usable=None, sample_ntilts=None, seed=0)
    (batch,) = sampler.in_order(100)
    tilts = builder.build(batch, coefficients)
    chunks = [tilts.chunk(images) for images in tilts.split(n_rows)]
    expected = torch.cat([coefficients[i, :n] for i, n in enumerate(kept)])
    torch.testing.assert_close(torch.cat([chunk.target for chunk in chunks]), expected)
    per_particle = torch.zeros(particles.n_particles, dtype=torch.int64)
    for chunk in chunks:
        per_particle[chunk.particles] += chunk.counts
    assert per_particle.tolist() == np.add.reduceat(kept, particles.starts[:-1]).tolist()


def test_frequencies_keep_their_digits_where_networks_do_not(
    particles: ParticleSet, disc: HalfPlaneDisc, coefficients: torch.Tensor
) -> None:
    kept = np.full(particles.n_images, len(disc))
    builder = TiltBatchBuilder(
        particles, disc, weightings=[], kept=kept, dtype=torch.float32, device=torch.device("cpu")
    )
    sampler = Sampler(particles, kept=kept, usable=None, sample_ntilts=None, seed=0)
    tilts = builder.build(next(sampler.in_order(100)), coefficients)
    images = slice(0, particles.n_images)
    with torch.autocast("cpu", torch.bfloat16):
        found = tilts.chunk(images).freqs
    assert torch.equal(found, tilts.chunk(images).freqs)


def test_control_pulls_the_divergence_towards_its_target() -> None:
    penalty = LatentPenalty(beta=3.0, control=0.5)
    step = 1e-6
    slope = (penalty.value(2 + step) - penalty.value(2 - step)) / (2 * step)
    assert penalty.factor(2.0) == pytest.approx(slope)
    assert penalty.factor(2.0) < 0 < penalty.factor(4.0)
