"""Several processes compute what one does, and stop together."""

from __future__ import annotations

import contextlib
import copy
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from tests.core.training.conftest import MemorySource
from tests.core.training.test_objective import LATENT_DIM, Falling, TinyDecoder, TinyEncoder
from tests.core.training.together import together
from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.fourier.disc import HalfPlaneDisc
from tomodrgn.core.model.volume_model import VolumeModel
from tomodrgn.core.particles.splits import train_mask
from tomodrgn.core.particles.tables import ParticleSet
from tomodrgn.core.specs.training import LatentSpec, TrainingSpec
from tomodrgn.core.training import loop as loop_module
from tomodrgn.core.training.checkpoint import Checkpoint
from tomodrgn.core.training.devices import Devices
from tomodrgn.core.training.embedding import embed_together
from tomodrgn.core.training.held_out import HeldOutErrors, HeldOutTilts
from tomodrgn.core.training.interruption import Interruption
from tomodrgn.core.training.loop import Progress, TrainingLoop
from tomodrgn.core.training.sampling import Sampler
from tomodrgn.core.training.step import Stepper
from tomodrgn.core.training.tilt_batch import TiltBatchBuilder


@dataclass
class Setting:
    """A small run that any number of processes can make: batches of 3, 3 and 1 particles."""

    particles: ParticleSet
    disc: HalfPlaneDisc
    coefficients: torch.Tensor
    untrained: VolumeModel
    latent: LatentSpec = field(default_factory=lambda: LatentSpec(dim=LATENT_DIM))

    @property
    def source(self) -> MemorySource:
        return MemorySource(self.coefficients)

    @property
    def cache_rows(self) -> np.ndarray:
        return np.arange(self.particles.n_images)

    def model(self, devices: Devices) -> VolumeModel:
        return copy.deepcopy(self.untrained).to(devices.dtype)

    def kept(self) -> np.ndarray:
        return np.random.default_rng(0).integers(0, len(self.disc), self.particles.n_images)

    def builder(self, devices: Devices) -> TiltBatchBuilder:
        return TiltBatchBuilder(
            self.particles,
            self.disc,
            weightings=[Falling()],
            kept=self.kept(),
            dtype=devices.dtype,
            device=devices.device,
        )

    def sampler(self, usable: np.ndarray | None = None, n_tilts: int | None = 4) -> Sampler:
        return Sampler(
            self.particles, kept=self.kept(), usable=usable, sample_ntilts=n_tilts, seed=5
        )

    def train(
        self,
        devices: Devices,
        n_epochs: int,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        on_checkpoint: Callable[[Checkpoint], None] = lambda checkpoint: None,
        source: MemorySource | None = None,
    ) -> tuple[dict[str, torch.Tensor], list[float], int | None]:
        """Weights, losses by epoch, and the signal that stopped the run."""
        model, losses = self.model(devices), []
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        loop = TrainingLoop(
            stepper=Stepper(model, optimizer, devices),
            sampler=self.sampler(),
            builder=self.builder(devices),
            source=source or self.source,
            cache_rows=self.cache_rows,
            training=TrainingSpec(num_epochs=n_epochs, batch_size=3, lr=1e-3),
            latent=self.latent,
            norm=(0.0, 1.0),
            on_progress=on_progress,
            on_epoch=lambda report, _: losses.append(report.total),
            on_checkpoint=on_checkpoint,
        )
        stopped_by = loop.run(None)
        return model.state_dict(), losses, stopped_by


@pytest.fixture
def setting(particles: ParticleSet, disc: HalfPlaneDisc, coefficients: torch.Tensor) -> Setting:
    torch.manual_seed(1)
    untrained = VolumeModel(TinyDecoder(), TinyEncoder(len(disc)))
    return Setting(particles, disc, coefficients, untrained)


@pytest.fixture
def pulled(setting: Setting) -> Setting:
    """Processes meet once more in a step, for the mean divergence."""
    setting.latent = LatentSpec(dim=LATENT_DIM, beta=3.0, beta_control=0.01)
    return setting


@pytest.mark.parametrize(
    ("n_ranks", "control", "dtype", "n_epochs", "tolerance"),
    [
        (2, None, torch.float64, 17, 1e-9),  # 51 steps
        (4, 0.01, torch.float64, 17, 1e-9),
        (2, 0.01, torch.float32, 1, 1e-5),
        (4, None, torch.float32, 1, 1e-5),
    ],
)
def test_processes_train_the_model_of_one(
    n_ranks: int,
    dtype: torch.dtype,
    n_epochs: int,
    tolerance: float,
    control: float | None,
    setting: Setting,
) -> None:
    setting.latent = LatentSpec(dim=LATENT_DIM, beta=3.0, beta_control=control)
    ((weights, losses, _),) = together(1, lambda one: setting.train(one, n_epochs), dtype)
    for found in together(n_ranks, lambda each: setting.train(each, n_epochs), dtype):
        assert not isinstance(found, BaseException), found
        for name, values in weights.items():
            torch.testing.assert_close(found[0][name], values, rtol=0, atol=tolerance)
        np.testing.assert_allclose(found[1], losses, rtol=1e-3)


@pytest.mark.parametrize("n_ranks", [2, 4, 9])
def test_processes_embed_what_one_embeds(n_ranks: int, setting: Setting) -> None:
    def embed(devices: Devices) -> tuple[np.ndarray, np.ndarray]:
        return embed_together(
            setting.model(devices),
            setting.sampler(),
            setting.builder(devices),
            setting.source,
            setting.cache_rows,
            batch_size=2,
            latent_dim=LATENT_DIM,
            devices=devices,
        )

    (alone,) = together(1, embed)
    for found in together(n_ranks, embed):
        np.testing.assert_allclose(found, alone, rtol=0, atol=1e-6)


def test_processes_measure_what_one_measures(setting: Setting) -> None:
    is_train = train_mask(setting.particles, 0.6, 0)
    latents = np.random.default_rng(0).standard_normal((7, LATENT_DIM)).astype(np.float32)

    def measure(devices: Devices) -> HeldOutErrors:
        check = HeldOutTilts(
            setting.sampler(is_train),
            setting.sampler(~is_train),
            setting.builder(devices),
            setting.disc,
            source=setting.source,
            cache_rows=setting.cache_rows,
        )
        return check.measure(setting.model(devices), latents, devices)

    (alone,) = together(1, measure)
    assert isinstance(alone, HeldOutErrors)
    for found in together(3, measure):
        assert isinstance(found, HeldOutErrors)
        for name in ("decoder", "exchanged", "consensus", "empty"):
            np.testing.assert_allclose(getattr(found, name), getattr(alone, name), rtol=1e-4)


class Unreadable(MemorySource):
    """Images of which some cannot be read."""

    def batches(self, requests: Iterator[np.ndarray]) -> Iterator[torch.Tensor]:
        for number, rows in enumerate(requests):
            if number == 1:
                raise DataError("stack.mrcs: cannot be read")
            yield from super().batches([rows])


@pytest.mark.parametrize("control", [None, 0.01])
@pytest.mark.parametrize("n_failing", [1, 3])
def test_an_error_in_one_process_stops_all_with_one_message(
    n_failing: int, control: float | None, setting: Setting
) -> None:
    setting.latent = LatentSpec(dim=LATENT_DIM, beta=3.0, beta_control=control)

    def train(devices: Devices) -> object:
        is_failing = devices.rank >= 3 - n_failing
        source = Unreadable(setting.coefficients) if is_failing else setting.source
        return setting.train(devices, 3, source=source)

    main, *others = together(3, train)
    words = "stack.mrcs: cannot be read"
    if n_failing == 1:
        assert isinstance(main, RunError)
        assert str(main) == f"process 2 of 3: {words}"
    else:
        assert isinstance(main, DataError)
        assert str(main) == words
    assert [(type(other), other.code) for other in others] == [(SystemExit, 0)] * 2


def test_a_bug_in_one_process_keeps_its_traceback(pulled: Setting) -> None:
    def train(devices: Devices) -> object:
        def progress(_: Progress) -> None:
            if devices.rank == 1:
                raise KeyError("a bug")

        return pulled.train(devices, 2, progress)

    main, faulty, other = together(3, train)
    assert isinstance(faulty, KeyError)
    assert isinstance(main, RunError)
    assert "process 1 of 3: stopped by KeyError" in str(main)
    assert isinstance(other, SystemExit)


def test_a_signal_to_one_process_stops_all_after_the_same_step(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = threading.local()
    saved: list[tuple[int, int | None]] = []
    monkeypatch.setattr(loop_module, "watch_signals", lambda: contextlib.nullcontext(own.wishes))

    def keep(checkpoint: Checkpoint) -> None:
        saved.append((checkpoint.epoch, checkpoint.batches_done))

    def train(devices: Devices) -> tuple[object, ...]:
        own.wishes = Interruption()

        def progress(state: Progress) -> None:
            if devices.rank == 2 and state.epoch == 1:
                own.wishes.stop = signal.SIGTERM

        return setting.train(devices, 9, progress, keep)

    found = together(3, train)
    assert [each[2] for each in found] == [signal.SIGTERM] * 3
    assert saved == [(1, 2)] * 3


def test_numbers_that_are_not_finite_skip_the_step_everywhere_and_are_named(
    setting: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    spoilt = int(setting.particles.starts[3])
    setting.coefficients[spoilt : spoilt + int(setting.particles.counts[3])] = torch.nan
    with caplog.at_level(logging.WARNING, "tomodrgn"):
        found = together(2, lambda devices: setting.train(devices, 2))
    for each in found:
        assert not isinstance(each, BaseException), each
        assert all(values.isfinite().all() for values in each[0].values())
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert all("p3" in message for message in messages)
    assert messages[0].count(",") == 2  # with the others of its batch, of both processes
