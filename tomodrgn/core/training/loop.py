"""The passes over the particles: batches, steps, losses, checkpoints, signals.

A GPU computes a step while the host prepares and asks for the next one, and only then reads how the
first went. Whatever is still to be read is read before a checkpoint and at the end of an epoch.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tomodrgn.core.device_transfer import send
from tomodrgn.core.errors import RunError
from tomodrgn.core.training.checkpoint import Checkpoint
from tomodrgn.core.training.embedding import with_coefficients
from tomodrgn.core.training.interruption import Interruption, watch_signals
from tomodrgn.core.training.schedules import BetaSchedule, learning_rate
from tomodrgn.core.training.step import WAY_OUT, AnotherProcessFailedError

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.specs.training import LatentSpec, TrainingSpec
    from tomodrgn.core.training.embedding import CoefficientSource
    from tomodrgn.core.training.sampling import Batch, Sampler
    from tomodrgn.core.training.step import AskedStep, StepLosses, Stepper
    from tomodrgn.core.training.tilt_batch import TiltBatchBuilder

logger = logging.getLogger(__name__)

STEPS_AHEAD: Final = {"cpu": 0, "cuda": 1}
"""Steps that are asked for before the one in front of them is read, by the kind of device."""


@dataclass(slots=True)
class EpochSums:
    """What an epoch has added up so far."""

    squared_error: float = 0.0
    divergence: float = 0.0
    penalty: float = 0.0
    n_coefficients: float = 0.0
    n_particles: float = 0.0
    skipped: float = 0.0

    def add(self, losses: StepLosses) -> None:
        """Add the losses of a batch."""
        self.squared_error += losses.squared_error
        self.divergence += losses.divergence
        self.penalty += losses.penalty * losses.n_particles
        self.n_coefficients += losses.n_coefficients
        self.n_particles += losses.n_particles

    def as_list(self) -> list[float]:
        """The sums in the order of their names, for a checkpoint."""
        return [getattr(self, name) for name in self.__slots__]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochReport:
    """Averages of a finished epoch, counted from 0."""

    epoch: int
    generative: float
    divergence: float
    total: float
    beta: float
    lr: float
    seconds: float
    n_coefficients: int
    skipped_batches: int


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands, for whoever shows it."""

    epoch: int
    n_epochs: int
    particles_done: int
    n_particles: int
    losses: StepLosses
    beta: float


@dataclass(frozen=True, slots=True)
class _StepUnderway:
    """A step that was asked for, and what is to be said of it once it is read."""

    asked: AskedStep
    batch: Batch
    epoch: int
    particles_done: int
    beta: float


@dataclass(frozen=True, kw_only=True)
class TrainingLoop:
    """Everything that the passes need; :meth:`run` makes them.

    Attributes:
        stepper: model, optimizer and devices.
        sampler: draws batches.
        builder: puts batches on the device.
        source: coefficients of images.
        cache_rows: (M,) place of every image in the cache.
        training: optimization, sampling and checkpoints.
        latent: latent space; ``dim`` None trains one volume for all.
        norm: shift and scale of the images, kept with the weights.
        on_progress: called after every step.
        on_epoch: called after every epoch with its averages.
        on_checkpoint: called with a checkpoint to write, by the main process.
    """

    stepper: Stepper
    sampler: Sampler
    builder: TiltBatchBuilder
    source: CoefficientSource
    cache_rows: NDArray[np.int64]
    training: TrainingSpec
    latent: LatentSpec
    norm: tuple[float, float]
    on_progress: Callable[[Progress], None]
    on_epoch: Callable[[EpochReport, Checkpoint], None]
    on_checkpoint: Callable[[Checkpoint], None]

    def run(self, start: Checkpoint | None) -> signal.Signals | None:
        """Train to the last epoch; the signal that stopped the run, if one did."""
        first_epoch = 0 if start is None else start.next_epoch
        skip, sums = 0, EpochSums()
        if start is not None and start.batches_done is not None:
            skip, sums = start.batches_done, EpochSums(*start.sums)
        with watch_signals() as wishes, self._stopping_together(wishes):
            for epoch in range(first_epoch, self.training.num_epochs):
                began = time.perf_counter()
                underway: deque[_StepUnderway] = deque()
                for index, drawn in enumerate(self._batches(epoch, skip), skip):
                    underway.append(self._ask(epoch, index, drawn, wishes))
                    asked = self._read(underway, self._steps_ahead, sums, wishes)
                    if asked.stop is not None or asked.save:
                        self._read(underway, 0, sums, wishes)
                        self.on_checkpoint(self._checkpoint(epoch, index + 1, sums))
                        wishes.save = False
                    if asked.stop is not None:
                        return asked.stop
                self._read(underway, 0, sums, wishes)
                if epoch == self.training.num_epochs - 1:
                    _require_a_step(epoch, sums)
                report = self._report(epoch, sums, time.perf_counter() - began)
                skip, sums = 0, EpochSums()
                self.on_epoch(report, self._checkpoint(epoch, None, sums))
        return None

    @contextlib.contextmanager
    def _stopping_together(self, wishes: Interruption) -> Iterator[None]:
        """Let an error that one process meets between two steps, or in one, stop all of them."""
        devices = self.stepper.devices
        try:
            yield
        except AnotherProcessFailedError:
            devices.agree()  # which raises what stopped the other process
        except Exception as error:
            if devices.n_ranks == 1 or devices.is_stopping:
                raise
            control = None if self.latent.dim is None else self.latent.beta_control
            self.stepper.withdraw(control=control, news=wishes.counts())
            devices.agree(error)

    @property
    def _steps_ahead(self) -> int:
        """Several processes learn in every step whether all of them go on."""
        devices = self.stepper.devices
        return STEPS_AHEAD[devices.device.type] if devices.n_ranks == 1 else 0

    def _beta(self, epoch: int, batch_index: int) -> float:
        """Weight of the KL divergence in a step."""
        n_particles = self.sampler.particles.n_particles
        seen = n_particles * epoch + batch_index * self.training.batch_size
        return BetaSchedule(self.latent, n_particles * self.training.num_epochs)(seen)

    @property
    def _steps_per_epoch(self) -> int:
        return -(-self.sampler.particles.n_particles // self.training.batch_size)

    def _batches(self, epoch: int, skip: int) -> Iterator[tuple[Batch, Tensor]]:
        devices = self.stepper.devices
        batches = self.sampler.epoch(
            epoch,
            batch_size=self.training.batch_size,
            rank=devices.rank,
            n_ranks=devices.n_ranks,
            skip=skip,
        )
        return with_coefficients(batches, self.source, self.cache_rows)

    def _ask(
        self, epoch: int, batch_index: int, drawn: tuple[Batch, Tensor], wishes: Interruption
    ) -> _StepUnderway:
        """Ask for one step."""
        batch, coefficients = drawn
        n_particles, n_epochs = self.sampler.particles.n_particles, self.training.num_epochs
        first = batch_index * self.training.batch_size
        done = min(first + self.training.batch_size, n_particles)
        beta = self._beta(epoch, batch_index)
        step = epoch * self._steps_per_epoch + batch_index
        asked = self.stepper.step(
            self.builder.build(batch, coefficients) if len(batch.images) else None,
            self._noise(batch, epoch),
            beta=beta,
            control=self.latent.beta_control,
            lr=learning_rate(self.training, step, self._steps_per_epoch * n_epochs),
            n_coefficients=batch.n_coefficients,
            n_particles=done - first,
            news=() if self.stepper.devices.n_ranks == 1 else wishes.counts(),
        )
        return _StepUnderway(asked, batch, epoch, done, beta)

    def _read(
        self, underway: deque[_StepUnderway], n_left: int, sums: EpochSums, wishes: Interruption
    ) -> Interruption:
        """Read steps until ``n_left`` are left and add them up; what any process asks for."""
        asked = wishes
        while len(underway) > n_left:
            step = underway.popleft()
            made = self.stepper.read(step.asked)
            if made.losses is None:
                sums.skipped += 1
                self._warn_of_skipped(step.batch)
            else:
                sums.add(made.losses)
                self.on_progress(self._progress(step, made.losses))
            if made.news:
                asked = Interruption.of_any(made.news)
        return asked

    def _progress(self, step: _StepUnderway, losses: StepLosses) -> Progress:
        return Progress(
            epoch=step.epoch,
            n_epochs=self.training.num_epochs,
            particles_done=step.particles_done,
            n_particles=self.sampler.particles.n_particles,
            losses=losses,
            beta=step.beta,
        )

    def _warn_of_skipped(self, batch: Batch) -> None:
        """Name the particles of all processes, as each knows its own."""
        own = ", ".join(self.sampler.particles.name[batch.particles])
        names = ", ".join(filter(None, self.stepper.devices.gather(own)))
        if self.stepper.devices.is_main:
            logger.warning("skipped a step: loss or gradient not finite for particles %s", names)

    def _noise(self, batch: Batch, epoch: int) -> Tensor | None:
        """(B, Z) standard normal numbers, or None without latents."""
        if self.latent.dim is None:
            return None
        numbers = self.sampler.noise(batch, epoch, self.latent.dim)
        return send(numbers, self.builder.device).to(self.builder.dtype)

    def _report(self, epoch: int, sums: EpochSums, seconds: float) -> EpochReport:
        generative = sums.squared_error / max(sums.n_coefficients, 1)
        return EpochReport(
            epoch=epoch,
            generative=generative,
            divergence=sums.divergence / max(sums.n_particles, 1),
            total=generative + 0.5 * sums.penalty / max(sums.n_coefficients, 1),
            beta=self._beta(epoch, self._steps_per_epoch - 1),
            lr=self.stepper.optimizer.param_groups[0]["lr"],
            seconds=seconds,
            n_coefficients=int(sums.n_coefficients),
            skipped_batches=int(sums.skipped),
        )

    def _checkpoint(self, epoch: int, batches_done: int | None, sums: EpochSums) -> Checkpoint:
        return Checkpoint(
            epoch=epoch,
            batches_done=batches_done,
            model=self.stepper.model.state_dict(),
            optimizer=self.stepper.optimizer.state_dict(),
            scaler=self.stepper.scaler.state_dict(),
            sums=sums.as_list(),
            norm=self.norm,
        )


def _require_a_step(epoch: int, sums: EpochSums) -> None:
    """Refuse to finish a run whose last epoch trained nothing.

    Raises:
        RunError: none of its steps had finite numbers.
    """
    if sums.n_particles:
        return
    raise RunError(
        f"training: no step of epoch {epoch}, the last one, had a finite loss ({sums.skipped:g} "
        f"were skipped), so nothing was trained in it; {WAY_OUT}"
    )
