"""Networks that are taught a linear model before they see images."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tests.core.training.conftest import BOX, MemorySource
from tomodrgn.core.fourier.disc import HalfPlaneDisc
from tomodrgn.core.interfaces import DecoderContext, EncoderContext, EncodingContext, Posterior
from tomodrgn.core.model.volume_model import VolumeModel
from tomodrgn.core.model.workers import Workers
from tomodrgn.core.particles.tables import ParticleSet
from tomodrgn.core.training.sampling import Sampler
from tomodrgn.core.training.step import Stepper
from tomodrgn.core.training.tilt_batch import TiltBatchBuilder
from tomodrgn.core.training.warm_start import (
    TAUGHT_ENCODER_RATE,
    Teacher,
    fit_decoder,
    fit_encoder,
    parameter_groups,
)
from tomodrgn.plugins.decoders import FourierMlpSpec, LinearVolumesSpec
from tomodrgn.plugins.decoders.fourier_mlp.decoder import FourierMlp
from tomodrgn.plugins.decoders.linear_volumes import LinearVolumes
from tomodrgn.plugins.encoders import TiltSetSpec
from tomodrgn.plugins.encoders.tilt_set import TiltSetEncoder
from tomodrgn.plugins.encodings import GaussianSpec
from tomodrgn.plugins.encodings.gaussian import GaussianWaves

N_KNOWN, LATENT_DIM = 2, 3
ONE_CPU: Any = SimpleNamespace(
    autocast=contextlib.nullcontext,
    workers=Workers(1),
    device=torch.device("cpu"),
    needs_loss_scaling=False,
)


@pytest.fixture
def teacher(particles: ParticleSet) -> Teacher:
    """Smooth maps, and latents of every particle."""
    context = DecoderContext(box_size_px=BOX, latent_dim=N_KNOWN, encoding=None, seed=0)
    decoder = LinearVolumes(LinearVolumesSpec(), context)
    axis = torch.arange(BOX) - BOX // 2
    z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
    blob = torch.exp(-(x**2 + y**2 + z**2) / 8.0)
    decoder.maps.data = torch.stack([blob, blob * x / 4, blob * y / 4]) / 10
    generator = torch.Generator().manual_seed(1)
    mean = torch.randn(particles.n_particles, N_KNOWN, generator=generator)
    return Teacher(
        model=VolumeModel(decoder, None).requires_grad_(False),
        posterior=Posterior(mean, torch.full_like(mean, -2.0)),
        latent_dim=LATENT_DIM,
        scale=0.5,
    )


@pytest.fixture
def learner(disc: HalfPlaneDisc) -> VolumeModel:
    torch.manual_seed(0)
    encoding = GaussianWaves(GaussianSpec(), EncodingContext(box_size_px=BOX, seed=0))
    decoder = FourierMlp(
        FourierMlpSpec(dim=48, layers=2),
        DecoderContext(box_size_px=BOX, latent_dim=LATENT_DIM, encoding=encoding, seed=0),
    )
    encoder = TiltSetEncoder(
        TiltSetSpec(dim_a=32, layers_a=1, out_dim_a=16, pooling="mean", dim_b=32),
        EncoderContext(
            box_size_px=BOX,
            radius_px=torch.from_numpy(disc.radius_px),
            latent_dim=LATENT_DIM,
            min_tilts=3,
        ),
    )
    return VolumeModel(decoder, encoder)


def teach_decoder(learner: VolumeModel, teacher: Teacher, disc: HalfPlaneDisc, n: int) -> float:
    freqs = torch.from_numpy(disc.freqs()).float()
    return fit_decoder(learner, teacher, freqs, devices=ONE_CPU, seed=0, n_steps=n)


def builder_of(particles: ParticleSet, disc: HalfPlaneDisc) -> TiltBatchBuilder:
    kept = np.full(particles.n_images, len(disc))
    device = torch.device("cpu")
    return TiltBatchBuilder(
        particles, disc, weightings=[], kept=kept, dtype=torch.float32, device=device
    )


def teach_encoder(
    learner: VolumeModel,
    teacher: Teacher,
    particles: ParticleSet,
    disc: HalfPlaneDisc,
    coefficients: torch.Tensor,
    n: int,
) -> float:
    builder = builder_of(particles, disc)
    return fit_encoder(
        learner,
        teacher,
        Sampler(particles, kept=builder.kept, usable=None, sample_ntilts=None, seed=0),
        builder,
        source=MemorySource(coefficients),
        cache_rows=np.arange(particles.n_images),
        devices=ONE_CPU,
        n_steps=n,
    )


def test_a_taught_decoder_answers_as_its_teacher_in_the_scale_of_the_run(
    learner: VolumeModel, teacher: Teacher, disc: HalfPlaneDisc
) -> None:
    error = teach_decoder(learner, teacher, disc, 300)
    assert error < 0.1
    freqs = torch.from_numpy(np.random.default_rng(2).uniform(-0.3, 0.3, (400, 3))).float()
    latent = torch.tensor([[0.5, -0.5, 0.0]])
    known = teacher.model.decode(freqs, latent[:, :N_KNOWN], torch.tensor([400]))
    found = learner.decode(freqs, latent, torch.tensor([400])).detach()
    assert (found - 0.5 * known).square().sum() < 0.1 * (0.5 * known).square().sum()


def test_spare_dimensions_change_little_in_what_a_taught_decoder_answers(
    learner: VolumeModel, teacher: Teacher, disc: HalfPlaneDisc
) -> None:
    teach_decoder(learner, teacher, disc, 300)
    freqs = torch.from_numpy(np.random.default_rng(2).uniform(-0.3, 0.3, (400, 3))).float()

    def answer(*latent: float) -> torch.Tensor:
        return learner.decode(freqs, torch.tensor([latent]), torch.tensor([400])).detach()

    by_spare = answer(0.0, 0.0, 1.0) - answer(0.0, 0.0, -1.0)
    by_known = answer(1.0, 0.0, 0.0) - answer(-1.0, 0.0, 0.0)
    assert by_spare.square().sum() < 0.05 * by_known.square().sum()


def test_a_taught_encoder_finds_the_posteriors_and_the_prior_where_nothing_is_known(
    learner: VolumeModel,
    teacher: Teacher,
    particles: ParticleSet,
    disc: HalfPlaneDisc,
    coefficients: torch.Tensor,
) -> None:
    few = teach_encoder(learner, teacher, particles, disc, coefficients, 1)
    many = teach_encoder(learner, teacher, particles, disc, coefficients, 400)
    assert many < 0.1 < few
    builder = builder_of(particles, disc)
    everyone = next(
        Sampler(particles, kept=builder.kept, usable=None, sample_ntilts=None, seed=0).in_order(99)
    )
    tilts = builder.build(everyone, coefficients)
    found = learner.embed(tilts.encoder_input(), tilts.counts)
    known = teacher.posterior_of(np.arange(len(teacher.posterior.mean)))
    assert torch.allclose(found.mean[:, :N_KNOWN], known.mean[:, :N_KNOWN], atol=0.3)
    assert found.mean[:, N_KNOWN:].abs().max() < 0.3
    assert torch.allclose(
        found.log_variance[:, :N_KNOWN], known.log_variance[:, :N_KNOWN], atol=0.5
    )


def test_the_encoder_is_taught_without_touching_the_decoder(
    learner: VolumeModel,
    teacher: Teacher,
    particles: ParticleSet,
    disc: HalfPlaneDisc,
    coefficients: torch.Tensor,
) -> None:
    teach_decoder(learner, teacher, disc, 2)
    before = [parameter.clone() for parameter in learner.decoder.parameters()]
    teach_encoder(learner, teacher, particles, disc, coefficients, 2)
    after = learner.decoder.parameters()
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))


def test_latents_of_any_unit_are_taught_with_a_spread_of_one(teacher: Teacher) -> None:
    mean, log_variance = teacher.posterior
    unit = torch.tensor([3.0, 0.2])
    scaled = Teacher(
        model=teacher.model,
        posterior=Posterior(mean * unit, log_variance + 2 * unit.log()),
        latent_dim=teacher.latent_dim,
        scale=teacher.scale,
    )
    rows = np.arange(len(mean))
    one, other = teacher.posterior_of(rows), scaled.posterior_of(rows)
    assert torch.allclose(one.mean, other.mean, atol=1e-5)
    assert torch.allclose(one.log_variance, other.log_variance, atol=1e-5)
    second = (one.mean.square() + one.log_variance.exp()).mean(0)
    assert torch.allclose(second, torch.ones_like(second), atol=1e-5)


def test_a_learner_with_fewer_dimensions_learns_the_first(teacher: Teacher) -> None:
    narrow = Teacher(
        model=teacher.model, posterior=teacher.posterior, latent_dim=1, scale=teacher.scale
    )
    rows = np.array([4, 0])
    assert torch.equal(narrow.posterior_of(rows).mean, teacher.posterior_of(rows).mean[:, :1])
    freqs, counts = torch.full((5, 3), 0.1), torch.tensor([5])
    cut = narrow.coefficients(freqs, torch.tensor([[0.7]]), counts)
    assert torch.equal(cut, teacher.coefficients(freqs, torch.tensor([[0.7, 0.0, 9.0]]), counts))


def test_teaching_is_the_same_at_every_call(teacher: Teacher, disc: HalfPlaneDisc) -> None:
    def taught() -> list[torch.Tensor]:
        torch.manual_seed(0)
        context = DecoderContext(box_size_px=BOX, latent_dim=LATENT_DIM, encoding=None, seed=0)
        model = VolumeModel(FourierMlp(FourierMlpSpec(dim=8, layers=1), context), None)
        teach_decoder(model, teacher, disc, 3)
        return [parameter.detach() for parameter in model.parameters()]

    assert all(torch.equal(a, b) for a, b in zip(taught(), taught(), strict=True))


def test_a_taught_encoder_learns_more_slowly_than_the_decoder(learner: VolumeModel) -> None:
    groups = parameter_groups(learner)
    stepper = Stepper(learner, torch.optim.SGD(groups, lr=1.0), ONE_CPU)
    stepper._prepare(1e-3)
    rates = [group["lr"] for group in stepper.optimizer.param_groups]
    assert rates == [1e-3, 1e-3 * TAUGHT_ENCODER_RATE]
    assert sum(len(group["params"]) for group in groups) == len(list(learner.parameters()))
