"""On a GPU the host asks and goes on: no step reads back, and nothing mixes devices."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.core.pretended import DEVICE, pretending
from tests.core.training.conftest import BOX
from tomodrgn.core.cache.normalisation import Normalisation
from tomodrgn.core.cache.stream import HeldImages
from tomodrgn.core.fourier.disc import HalfPlaneDisc
from tomodrgn.core.interfaces import (
    DecoderContext,
    EncoderContext,
    EncodingContext,
    WeightingContext,
)
from tomodrgn.core.model.evaluation import decode_volumes
from tomodrgn.core.model.volume_model import VolumeModel
from tomodrgn.core.model.workers import Workers
from tomodrgn.core.particles.tables import ParticleSet
from tomodrgn.core.training.dose_mask import kept_coefficients
from tomodrgn.core.training.embedding import embed_particles
from tomodrgn.core.training.sampling import Sampler
from tomodrgn.core.training.step import Stepper
from tomodrgn.core.training.tilt_batch import TiltBatchBuilder
from tomodrgn.plugins.decoders import FourierMlpSpec
from tomodrgn.plugins.decoders.fourier_mlp.decoder import FourierMlp
from tomodrgn.plugins.encoders import TiltSetSpec
from tomodrgn.plugins.encoders.tilt_set import TiltSetEncoder
from tomodrgn.plugins.encodings import GaussianSpec
from tomodrgn.plugins.encodings.gaussian import GaussianWaves
from tomodrgn.plugins.weightings import DoseSpec, TiltSpec
from tomodrgn.plugins.weightings.dose import DoseWeighting
from tomodrgn.plugins.weightings.tilt import TiltWeighting

POOLINGS = ["concatenate", "max", "mean", "median", "set_encoder"]


def reference_model(disc: HalfPlaneDisc, pooling: str) -> VolumeModel:
    """The reference network with one of the poolings."""
    encoding = GaussianWaves(GaussianSpec(), EncodingContext(box_size_px=BOX, seed=0))
    asked = DecoderContext(box_size_px=BOX, latent_dim=8, encoding=encoding, seed=0)
    decoder = FourierMlp(FourierMlpSpec(), asked)
    radius = torch.from_numpy(disc.radius_px)
    context = EncoderContext(box_size_px=BOX, radius_px=radius, latent_dim=8, min_tilts=3)
    encoder = TiltSetEncoder(TiltSetSpec.model_validate({"pooling": pooling}), context)
    return VolumeModel(decoder, encoder)


class Setting:
    """A set of ragged particles, seen through dose and tilt weights and a dose mask."""

    def __init__(
        self,
        particles: ParticleSet,
        disc: HalfPlaneDisc,
        kept: NDArray[np.int64],
        device: torch.device,
    ) -> None:
        context = WeightingContext(box_size_px=BOX, pixel_size_a=particles.pixel_size_a)
        weightings = [DoseWeighting(DoseSpec(), context), TiltWeighting(TiltSpec(), context)]
        self.builder = TiltBatchBuilder(
            particles, disc, weightings=weightings, kept=kept, dtype=torch.float32, device=device
        )
        self.sampler = Sampler(particles, kept=kept, usable=None, sample_ntilts=3, seed=0)
        self.disc, self.device = disc, device

    def devices(self) -> SimpleNamespace:
        return SimpleNamespace(
            device=self.device,
            dtype=torch.float32,
            needs_loss_scaling=False,
            autocast=contextlib.nullcontext,
            sum_over_processes=lambda tensors: None,
            workers=Workers(1),
        )


@pytest.fixture
def kept(particles: ParticleSet, disc: HalfPlaneDisc) -> NDArray[np.int64]:
    return kept_coefficients(particles, disc, dose_mask=True)


@pytest.mark.parametrize(
    ("pooling", "control"), [("concatenate", 0.1), *((pooling, None) for pooling in POOLINGS[1:])]
)
def test_a_step_is_asked_for_without_a_look_at_the_device(
    pooling: str,
    control: float | None,
    particles: ParticleSet,
    disc: HalfPlaneDisc,
    kept: NDArray[np.int64],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = reference_model(disc, pooling)
    with pretending(monkeypatch) as waits:
        setting = Setting(particles, disc, kept, DEVICE)
        model.to(DEVICE)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
        stepper = Stepper(model, optimizer, setting.devices())  # type: ignore[arg-type]
        waits.found.clear()
        for batch in setting.sampler.epoch(0, batch_size=3):
            coefficients = torch.zeros(len(batch.images), len(disc), 2, device=DEVICE)
            stepper.step(
                setting.builder.build(batch, coefficients),
                torch.zeros(len(batch.particles), 8, device=DEVICE),
                beta=0.1,
                control=control,
                lr=1e-3,
                n_coefficients=batch.n_coefficients,
                n_particles=len(batch.particles),
            )
        assert waits.found == []


@pytest.mark.parametrize("pooling", POOLINGS)
def test_embedding_reads_its_answers_at_the_end(
    pooling: str,
    particles: ParticleSet,
    disc: HalfPlaneDisc,
    kept: NDArray[np.int64],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = reference_model(disc, pooling)
    with pretending(monkeypatch) as waits:
        setting = Setting(particles, disc, kept, DEVICE)
        model.to(DEVICE)
        held = torch.zeros(particles.n_images, len(disc), 2, dtype=torch.float16, device=DEVICE)
        normalise = Normalisation(shift=0.1, scale=2.0, stored_scale=3.0)
        waits.found.clear()
        mean, _ = embed_particles(
            model,
            setting.sampler,
            setting.builder,
            HeldImages(held, normalise),
            np.arange(particles.n_images),
            batch_size=2,
            autocast=contextlib.nullcontext,
        )
        assert mean.shape == (particles.n_particles, 8)
        assert waits.found == 2 * ["aten._to_copy.default"]


def test_volumes_are_decoded_one_after_another_without_a_look_at_the_device(
    disc: HalfPlaneDisc, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = reference_model(disc, "max")
    with pretending(monkeypatch) as waits:
        model.to(DEVICE)
        latents = torch.zeros(5, 8, device=DEVICE)
        waits.found.clear()
        volumes = list(decode_volumes(model, latents, box_size_px=BOX, batch_size=2))
        assert [len(each) for each in volumes] == [2, 2, 1]
        assert waits.found == ["aten._to_copy.default"]  # of the frequencies, once
