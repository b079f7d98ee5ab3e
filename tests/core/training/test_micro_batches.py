"""A step that outgrows the memory is the same step, made in parts."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.core.training.test_objective import (
    LATENT_DIM,
    SweepingDecoder,
    TinyDecoder,
    TinyEncoder,
)
from tomodrgn.core.errors import RunError
from tomodrgn.core.fourier.disc import HalfPlaneDisc
from tomodrgn.core.interfaces import Posterior
from tomodrgn.core.model.memory_faults import is_out_of_memory
from tomodrgn.core.model.volume_model import VolumeModel
from tomodrgn.core.model.workers import Workers
from tomodrgn.core.particles.tables import ParticleSet
from tomodrgn.core.training.sampling import Sampler
from tomodrgn.core.training.step import Stepper
from tomodrgn.core.training.tilt_batch import TiltBatch, TiltBatchBuilder
from tomodrgn.plugins.decoders.fourier_mlp.sweep import MlpSweep

NO_LIMIT = 1 << 30


class Room:
    """Memory for some rows at a time; counts how often it did not suffice."""

    def __init__(self, rows: int, error: Exception) -> None:
        self.rows, self.error = rows, error
        self.faults = 0

    def take(self, rows: int) -> None:
        if rows > self.rows:
            self.faults += 1
            raise self.error


class CrampedEncoder(TinyEncoder):
    room: Room

    def forward(self, images: torch.Tensor, counts: torch.Tensor) -> Posterior:
        self.room.take(images[..., 0].numel())
        return super().forward(images, counts)


class CrampedDecoder(TinyDecoder):
    room: Room

    def forward(
        self, freqs: torch.Tensor, latent: torch.Tensor, counts: torch.Tensor
    ) -> torch.Tensor:
        self.room.take(len(freqs))
        return super().forward(freqs, latent, counts)


class CrampedSweepingDecoder(SweepingDecoder):
    room: Room

    def sweep(self, latent: torch.Tensor | None) -> MlpSweep:
        sweep = super().sweep(latent)
        add = sweep.add

        def cramped(
            features: torch.Tensor,
            owner: torch.Tensor,
            answer_gradient: Callable[..., torch.Tensor],
        ) -> None:
            self.room.take(len(features))
            add(features, owner, answer_gradient)

        sweep.add = cramped  # type: ignore[method-assign]
        return sweep


@pytest.fixture
def tilts(particles: ParticleSet, disc: HalfPlaneDisc, coefficients: torch.Tensor) -> TiltBatch:
    kept = np.random.default_rng(0).integers(0, len(disc), particles.n_images)
    builder = TiltBatchBuilder(
        particles, disc, weightings=[], kept=kept, dtype=torch.float32, device=torch.device("cpu")
    )
    sampler = Sampler(particles, kept=kept, usable=None, sample_ntilts=None, seed=0)
    return builder.build(next(sampler.in_order(100)), coefficients)


def train(
    decoder: type[CrampedDecoder | CrampedSweepingDecoder],
    tilts: TiltBatch,
    *,
    decoder_rows: int = NO_LIMIT,
    encoder_rows: int = NO_LIMIT,
    control: float | None = None,
    error: Exception | None = None,
) -> tuple[list[torch.Tensor], list[float], int]:
    """Weights and losses after five steps, and how often memory ran out."""
    torch.manual_seed(0)
    encoder = CrampedEncoder(tilts.coefficients.shape[1])
    model = VolumeModel(decoder(), encoder)
    error = error or torch.OutOfMemoryError("CUDA out of memory")
    rooms = Room(decoder_rows, error), Room(encoder_rows, error)
    model.decoder.room, encoder.room = rooms  # type: ignore[assignment]
    one_cpu = SimpleNamespace(
        device=torch.device("cpu"),
        dtype=torch.float32,
        needs_loss_scaling=False,
        autocast=contextlib.nullcontext,
        sum_over_processes=lambda tensors: None,
        workers=Workers(2),
    )
    stepper = Stepper(model, torch.optim.AdamW(model.parameters(), lr=1e-3), one_cpu)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    losses = []
    for _ in range(5):
        asked = stepper.step(
            tilts,
            torch.randn(len(tilts.counts), LATENT_DIM, generator=generator),
            beta=0.5,
            control=control,
            lr=1e-3,
            n_coefficients=int(tilts.kept.sum()),
            n_particles=len(tilts.counts),
        )
        found = stepper.read(asked).losses
        assert found is not None
        losses.append(found.total)
    weights = [parameter.detach() for parameter in model.parameters()]
    return weights, losses, sum(room.faults for room in rooms)


@pytest.mark.parametrize(
    ("decoder", "room"),
    [
        (CrampedDecoder, {"decoder_rows": 900, "control": 0.1}),  # fewer particles
        (CrampedSweepingDecoder, {"decoder_rows": 150}),  # fewer tilts of one particle
        (CrampedSweepingDecoder, {"encoder_rows": 1300, "control": 0.1}),
    ],
)
def test_the_steps_are_those_of_whole_batches(
    decoder: type[CrampedDecoder | CrampedSweepingDecoder],
    room: dict[str, float],
    tilts: TiltBatch,
) -> None:
    control = room.get("control")
    expected, expected_losses, no_faults = train(decoder, tilts, control=control)
    found, losses, faults = train(decoder, tilts, **room)  # type: ignore[arg-type]
    assert no_faults == 0
    assert faults > 0
    torch.testing.assert_close(losses, expected_losses, rtol=1e-6, atol=0)
    for part, whole in zip(found, expected, strict=True):
        torch.testing.assert_close(part, whole, rtol=0, atol=1e-6)  # float32 sums in another order


def test_what_fits_is_remembered_and_said_once(
    tilts: TiltBatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        _, _, faults = train(CrampedDecoder, tilts, decoder_rows=900)
    assert faults <= 4  # two workers may both meet the limit; five steps would meet it ten times
    (record,) = caplog.records
    assert "memory ran out; batches are now computed in parts" in record.getMessage()


def test_memory_for_less_than_an_image_ends_the_run(tilts: TiltBatch) -> None:
    with pytest.raises(RunError, match="does not suffice for the coefficients of a single image"):
        train(CrampedDecoder, tilts, decoder_rows=10)


def test_other_errors_are_not_swallowed(tilts: TiltBatch) -> None:
    with pytest.raises(RuntimeError, match="shapes differ"):
        train(CrampedDecoder, tilts, decoder_rows=900, error=RuntimeError("shapes differ"))


def test_the_allocator_of_the_cpu_is_understood() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(ValueError("CUDA out of memory"))
