"""What a training run says: classic log lines, and a bar on a terminal."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tomodrgn.core.specs.training import TrainingSpec
    from tomodrgn.core.training.loop import EpochReport, Progress

logger = logging.getLogger(__name__)

STATUS_INTERVAL_S = 30.0
"""Time between two lines about rate and time left, where no bar is shown."""


class Pace(NamedTuple):
    """How fast a run goes."""

    done: int
    particles_per_s: float
    seconds_left: float


class TrainingLog:
    """Reports steps and epochs.

    Args:
        training: how often to log.
        has_latents: whether there is a KL divergence to report.
    """

    def __init__(self, training: TrainingSpec, *, has_latents: bool) -> None:
        self.interval = training.log_interval
        self.has_latents = has_latents
        self.n_epochs = training.num_epochs
        self._bar: Any = None
        self._task: Any = None
        self._began = self._last_status = 0.0
        self._first: int | None = None
        self._last_logged = (-1, 0)

    @contextlib.contextmanager
    def showing(self) -> Iterator[None]:
        """Show a bar while the block runs, if standard error is a terminal."""
        self._began = self._last_status = time.monotonic()
        if not sys.stderr.isatty() or not logger.isEnabledFor(logging.INFO):
            yield
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("epoch {task.fields[epoch]}/{task.fields[n_epochs]}"),
            BarColumn(),
            TextColumn("{task.fields[rate]:.0f} particles/s"),
            TimeRemainingColumn(),
            TextColumn("loss {task.fields[loss]:.5f}"),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            self._bar = bar
            self._task = bar.add_task(
                "", total=None, epoch=0, n_epochs=self.n_epochs, rate=0.0, loss=0.0
            )
            try:
                yield
            finally:
                self._bar = None

    def progress(self, state: Progress) -> None:
        """Report a step: the bar always, a line each time ``log_interval`` particles are done.

        Off a terminal, rate and time left are logged every half minute.
        """
        pace = self._pace(state)
        if self._bar is not None:
            self._move_bar(state, pace)
        elif time.monotonic() - self._last_status > STATUS_INTERVAL_S:
            self._last_status = time.monotonic()
            logger.info(
                "epoch %d of %d, %.1f particles/s, %s left",
                state.epoch + 1,
                state.n_epochs,
                pace.particles_per_s,
                timedelta(seconds=round(pace.seconds_left)),
            )
        epoch, logged = self._last_logged
        if epoch != state.epoch:
            logged = 0
        if state.particles_done // self.interval > logged // self.interval:
            self._last_logged = (state.epoch, state.particles_done)
            logger.info("%s", self._step_line(state))

    def epoch(self, report: EpochReport) -> None:
        """Report the averages of an epoch in the classic line."""
        took = timedelta(seconds=report.seconds)
        if self.has_latents:
            logger.info(
                "# =====> Epoch: %d Average gen loss = %.15f, KLD = %.15f, total loss = %.15f; "
                "Finished in %s",
                report.epoch + 1,
                report.generative,
                report.divergence,
                report.total,
                took,
            )
        else:
            logger.info(
                "# =====> Epoch: %d Average loss = %.15f; Finished in %s",
                report.epoch + 1,
                report.total,
                took,
            )

    def finished(self, seconds: float, seconds_per_epoch: float) -> None:
        """Report the end of the run in the classic line."""
        total, each = timedelta(seconds=seconds), timedelta(seconds=seconds_per_epoch)
        logger.info("Finished in %s (%s per epoch)", total, each)

    def _step_line(self, state: Progress) -> str:
        where = (
            f"# [Train Epoch: {state.epoch + 1}/{state.n_epochs}] "
            f"[{state.particles_done}/{state.n_particles} particles]"
        )
        losses = state.losses
        if not self.has_latents:
            return f"{where}  loss={losses.total:.15f}"
        return (
            f"{where}  gen loss={losses.generative:.15f}, kld={losses.mean_divergence:.15f}, "
            f"beta={state.beta:.15f}, loss={losses.total:.15f}"
        )

    def _pace(self, state: Progress) -> Pace:
        """Particles done, rate and time left, counted from the first step of this call."""
        done = state.epoch * state.n_particles + state.particles_done
        if self._first is None:
            self._first = done
        rate = (done - self._first) / max(time.monotonic() - self._began, 1e-9)
        left = state.n_epochs * state.n_particles - done
        return Pace(done, rate, left / rate if rate else 0.0)

    def _move_bar(self, state: Progress, pace: Pace) -> None:
        self._bar.update(
            self._task,
            completed=pace.done,
            total=state.n_epochs * state.n_particles,
            epoch=state.epoch + 1,
            rate=pace.particles_per_s,
            loss=state.losses.total,
        )
