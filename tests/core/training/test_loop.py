"""The passes do not depend on how far the host runs ahead of the device."""

from __future__ import annotations

import contextlib
import logging
import signal

import pytest
import torch

from tests.core.training.test_processes import Setting, setting
from tests.core.training.together import together
from tomodrgn.core.errors import RunError
from tomodrgn.core.training import loop as loop_module
from tomodrgn.core.training.checkpoint import Checkpoint
from tomodrgn.core.training.devices import Devices
from tomodrgn.core.training.interruption import Interruption
from tomodrgn.core.training.loop import EpochSums, Progress

__all__ = ["setting"]


@pytest.fixture(params=[0, 1, 2])
def steps_ahead(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(loop_module, "STEPS_AHEAD", {"cpu": request.param})
    ahead: int = request.param
    return ahead


def spoil(setting: Setting) -> None:
    """Particle p3 is not finite, so that one of three steps of an epoch is skipped."""
    first = int(setting.particles.starts[3])
    setting.coefficients[first : first + int(setting.particles.counts[3])] = torch.nan


@pytest.mark.usefixtures("steps_ahead")
def test_every_step_of_an_epoch_is_read(setting: Setting, caplog: pytest.LogCaptureFixture) -> None:
    spoil(setting)
    done: list[tuple[int, int]] = []

    def train(devices: Devices) -> tuple[dict[str, torch.Tensor], list[float], int | None]:
        return setting.train(
            devices, 3, lambda state: done.append((state.epoch, state.particles_done))
        )

    with caplog.at_level(logging.WARNING, "tomodrgn"):
        ((weights, losses, _),) = together(1, train)
    assert len(done) == 6  # of nine steps
    assert done == sorted(done)
    assert len(losses) == 3
    assert all(values.isfinite().all() for values in weights.values())
    assert sum("p3" in record.getMessage() for record in caplog.records) == 3


def test_a_checkpoint_holds_the_losses_of_every_step_asked_for(
    steps_ahead: int, setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    wishes = Interruption()
    saved: list[Checkpoint] = []
    monkeypatch.setattr(loop_module, "watch_signals", lambda: contextlib.nullcontext(wishes))

    def stop(state: Progress) -> None:
        if state.epoch == 1:
            wishes.stop = signal.SIGTERM

    (found,) = together(1, lambda one: setting.train(one, 9, stop, saved.append))
    (checkpoint,) = saved
    assert found[2] == signal.SIGTERM
    assert (checkpoint.epoch, checkpoint.batches_done) == (1, 1 + steps_ahead)
    assert EpochSums(*checkpoint.sums).n_particles == [3, 6, 7][steps_ahead]


@pytest.mark.parametrize("n_processes", [1, 2])
def test_a_run_that_trained_nothing_is_no_success(n_processes: int, setting: Setting) -> None:
    setting.coefficients[:] = torch.nan

    def train(devices: Devices) -> str:
        try:
            setting.train(devices, 2)
        except RunError as error:
            return str(error)
        except SystemExit:  # the main process says why
            return ""
        return "trained"

    said = together(n_processes, train)
    assert "no step of epoch 1, the last one, had a finite loss (3 were skipped)" in said[0]
    assert not any(said[1:])
