from __future__ import annotations

import contextlib

import numpy as np
import pytest
import torch

from tests.core.training.conftest import MemorySource
from tomodrgn.core.fourier.disc import HalfPlaneDisc
from tomodrgn.core.interfaces import EncoderContext
from tomodrgn.core.model.volume_model import VolumeModel
from tomodrgn.core.particles.tables import ParticleSet
from tomodrgn.core.training.embedding import embed_particles
from tomodrgn.core.training.sampling import Sampler
from tomodrgn.core.training.tilt_batch import TiltBatchBuilder
from tomodrgn.plugins.encoders import TiltSetSpec
from tomodrgn.plugins.encoders.tilt_set import TiltSetEncoder


@pytest.mark.parametrize("pooling", ["concatenate", "max", "mean", "median", "set_encoder"])
def test_batch_size_has_no_effect_on_latents(
    pooling: str, particles: ParticleSet, disc: HalfPlaneDisc, coefficients: torch.Tensor
) -> None:
    torch.manual_seed(0)
    radius = torch.from_numpy(disc.radius_px)
    context = EncoderContext(box_size_px=16, radius_px=radius, latent_dim=4, min_tilts=3)
    encoder = TiltSetEncoder(TiltSetSpec.model_validate({"pooling": pooling}), context)
    model = VolumeModel(torch.nn.Identity(), encoder)
    kept = np.full(particles.n_images, len(disc))
    builder = TiltBatchBuilder(
        particles, disc, weightings=[], kept=kept, dtype=torch.float32, device=torch.device("cpu")
    )
    sampler = Sampler(particles, kept=kept, usable=None, sample_ntilts=encoder.n_tilts, seed=0)
    found = [
        embed_particles(
            model,
            sampler,
            builder,
            MemorySource(coefficients),
            np.arange(particles.n_images),
            batch_size=batch_size,
            autocast=contextlib.nullcontext,
        )
        for batch_size in (1, 3, 100)
    ]
    for mean, log_variance in found[1:]:
        np.testing.assert_allclose(mean, found[0][0], atol=1e-5)
        np.testing.assert_allclose(log_variance, found[0][1], atol=1e-5)
