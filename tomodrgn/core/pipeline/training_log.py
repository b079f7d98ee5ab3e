"""What a training run says: classic log lines, and a bar on a terminal."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tomodrgn.core.specs.training import TrainingSpec
    from tomodrgn.core.training.loop import EpochReport, Progress

logger = logging.getLogger(__name__)


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
        self._began = 0.0
        self._first: int | None = None
        self._last_logged = (-1, 0)

    @contextlib.contextmanager
    def showing(self) -> Iterator[None]:
        """Show a bar while the block runs, if standard error is a terminal."""
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
            self._began = time.monotonic()
            try:
                yield
            finally:
                self._bar = None

    def progress(self, state: Progress) -> None:
        """Report a step: the bar always, a line each time ``log_interval`` particles are done."""
        if self._bar is not None:
            self._move_bar(state)
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

    def _move_bar(self, state: Progress) -> None:
        done = state.epoch * state.n_particles + state.particles_done
        if self._first is None:
            self._first = done
        rate = (done - self._first) / max(time.monotonic() - self._began, 1e-9)
        self._bar.update(
            self._task,
            completed=done,
            total=state.n_epochs * state.n_particles,
            epoch=state.epoch + 1,
            rate=rate,
            loss=state.losses.total,
        )
