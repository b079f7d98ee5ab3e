"""One optimizer step over all processes, and what happens when numbers are not finite.

A step is asked of the device and read later: the device itself leaves the weights alone where a
number is not finite, so that the host can prepare the next step meanwhile. One process on a GPU
reads nothing in between, except the scale of the loss in float16; several wait for each other once.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tomodrgn.core.device_transfer import Returning, send
from tomodrgn.core.errors import RunError
from tomodrgn.core.training.micro_batches import MicroBatches
from tomodrgn.core.training.objective import LatentPenalty

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tomodrgn.core.model.volume_model import VolumeModel
    from tomodrgn.core.training.devices import Devices
    from tomodrgn.core.training.tilt_batch import TiltBatch

logger = logging.getLogger(__name__)

PATIENCE = 3
"""Steps in a row without finite numbers before the precision is raised."""
RATE_FACTOR = "rate_factor"
"""Key of a parameter group with its own learning rate, as a fraction of that of the run."""
LIMIT = 10
"""Steps in a row without finite numbers before the run stops."""

WAY_OUT = (
    "look at the particles named in run.log, lower --lr, give --precision float32, or go on from "
    "an earlier --load"
)
"""What a user can do about a loss that is not finite."""


class AnotherProcessFailedError(Exception):
    """Another process cannot make its part of a step; what it says is not known yet."""


@dataclass(frozen=True, slots=True)
class StepLosses:
    """Losses of a batch over all processes.

    Attributes:
        squared_error: weighted squared error summed over coefficients.
        divergence: KL divergence summed over particles, in nats.
        n_coefficients: kept coefficients N.
        n_particles: particles of the batch.
        penalty: latent penalty per particle.
    """

    squared_error: float
    divergence: float
    n_coefficients: int
    n_particles: int
    penalty: float

    @property
    def generative(self) -> float:
        """Mean weighted squared error per coefficient."""
        return self.squared_error / self.n_coefficients

    @property
    def mean_divergence(self) -> float:
        """Mean KL divergence of a particle, in nats."""
        return self.divergence / self.n_particles

    @property
    def total(self) -> float:
        """The loss that is minimized."""
        return self.generative + 0.5 * self.n_particles * self.penalty / self.n_coefficients


@dataclass(frozen=True, slots=True)
class AskedStep:
    """A step that the device may still be busy with; :meth:`Stepper.read` says how it went.

    Attributes:
        numbers: squared error, divergence, whether any was not finite, processes that withdrew,
            and the news, all summed over processes.
        n_coefficients: kept coefficients of the batch over all processes.
        n_particles: particles of the batch over all processes.
        penalty: of the latents.
    """

    numbers: Returning
    n_coefficients: int
    n_particles: int
    penalty: LatentPenalty


@dataclass(frozen=True, slots=True)
class MadeStep:
    """How a step went.

    Attributes:
        losses: of the batch, None where the step was skipped for numbers that were not finite.
        news: sums over processes of what went along.
    """

    losses: StepLosses | None
    news: list[float]


@dataclass
class Stepper:
    """Makes optimizer steps.

    Attributes:
        model: the volume model, on its device.
        optimizer: over the parameters of the model.
        devices: processes and precision.
        scaler: loss scaling for float16; disabled otherwise.
        micro_batches: computes gradients in as many parts as memory asks for.
    """

    model: VolumeModel
    optimizer: torch.optim.Optimizer
    devices: Devices
    scaler: torch.amp.GradScaler = field(init=False)
    micro_batches: MicroBatches = field(default_factory=MicroBatches)
    failures: int = 0
    _knows_divergence: bool = False

    def __post_init__(self) -> None:
        self.scaler = torch.amp.GradScaler(
            self.devices.device.type, enabled=self.devices.needs_loss_scaling
        )

    def step(
        self,
        tilts: TiltBatch | None,
        noise: Tensor | None,
        *,
        beta: float,
        control: float | None,
        lr: float,
        n_coefficients: int,
        n_particles: int,
        news: Sequence[float] = (),
    ) -> AskedStep:
        """Ask for one step.

        Args:
            tilts: images of this process, None when its share of the batch is empty.
            noise: (B, Z) standard normal, or None for a model without encoder.
            beta: weight, or target, of the KL divergence.
            control: strength of the pull towards the target, or None.
            lr: learning rate of this step.
            n_coefficients: kept coefficients of the batch over all processes.
            n_particles: particles of the batch over all processes.
            news: numbers that go along, to be summed over all processes.

        Raises:
            RunError: another process has ended.
        """
        penalty = LatentPenalty(beta, control)

        def penalty_factor(divergences: Tensor) -> Tensor | float:
            return self._penalty_factor(penalty, divergences.sum(), n_particles)

        gradients = self._prepare(lr)
        sums = self._numbers(2)
        if tilts is not None:
            losses = self.micro_batches.accumulate_gradients(
                self.model,
                tilts,
                noise,
                n_coefficients=n_coefficients,
                penalty_factor=penalty_factor,
                autocast=self.devices.autocast,
                workers=self.devices.workers,
                gradient_scale=self.scaler.get_scale(),
            )
            sums += torch.stack(losses)
        elif noise is not None:
            penalty_factor(sums)
        told = self._exchange(gradients, sums, withdrawn=False, news=news)
        spoilt = self._apply(gradients, sums)
        numbers = Returning(torch.cat([sums, spoilt[None].to(sums), *told]))
        return AskedStep(numbers, n_coefficients, n_particles, penalty)

    def read(self, asked: AskedStep) -> MadeStep:
        """How a step went; steps are read in their order.

        Raises:
            RunError: nothing was finite for too long.
            AnotherProcessFailedError: another process has withdrawn from the step.
        """
        error, divergence, spoilt, withdrawn, *news = asked.numbers.read()
        if withdrawn:
            raise AnotherProcessFailedError
        if spoilt:
            self._count_failure()
            return MadeStep(None, news)
        self.failures = 0
        n_coefficients, n_particles = asked.n_coefficients, asked.n_particles
        penalty = asked.penalty.value(divergence / n_particles)
        losses = StepLosses(error, divergence, n_coefficients, n_particles, penalty)
        return MadeStep(losses, news)

    def withdraw(self, *, control: float | None, news: Sequence[float]) -> None:
        """Take part in the messages of a step that this process cannot make, and say so.

        Args:
            control: as in the step, or None for a model without encoder.
            news: as in the step.
        """
        if control is not None and not self._knows_divergence:
            self.devices.sum_over_processes([self._numbers(1)])
        self._exchange(self._prepare(0.0), self._numbers(2), withdrawn=True, news=news)

    def _exchange(
        self, gradients: list[Tensor], sums: Tensor, *, withdrawn: bool, news: Sequence[float]
    ) -> list[Tensor]:
        """Sum what belongs to a step over all processes; how many withdrew, and the news."""
        told = [self._numbers(1) + withdrawn]
        if news:
            told.append(send(np.array(news), self.devices.device).to(self.devices.dtype))
        self.devices.sum_over_processes([*gradients, sums, *told])
        self._knows_divergence = False
        return told

    def _numbers(self, n: int) -> Tensor:
        return torch.zeros(n, device=self.devices.device, dtype=self.devices.dtype)

    def _penalty_factor(
        self, penalty: LatentPenalty, divergence: Tensor, n_particles: int
    ) -> Tensor | float:
        """Derivative of the penalty, which a pull makes depend on the mean over all processes."""
        if penalty.control is not None:
            divergence = divergence.to(self.devices.dtype)
            self.devices.sum_over_processes([divergence])
            self._knows_divergence = True
        return penalty.factor(divergence.double() / n_particles)

    def _prepare(self, lr: float) -> list[Tensor]:
        """Set the learning rate and return the gradients of all parameters, zeroed."""
        gradients = []
        for group in self.optimizer.param_groups:
            group["lr"] = lr * group.get(RATE_FACTOR, 1.0)
            for parameter in group["params"]:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                gradients.append(parameter.grad)
        torch._foreach_zero_(gradients)
        return gradients

    def _apply(self, gradients: list[Tensor], sums: Tensor) -> Tensor:
        """Step unless a number is not finite; () whether one is, the same in every process."""
        if self.scaler.is_enabled():
            self.scaler.unscale_(self.optimizer)
        norms = torch.stack(torch._foreach_norm(gradients))
        spoilt = ~(torch.isfinite(norms).all() & torch.isfinite(sums).all())
        if all(group.get("fused") for group in self.optimizer.param_groups):
            optimizer: Any = self.optimizer
            optimizer.grad_scale, optimizer.found_inf = None, spoilt.float()
            optimizer.step()
            del optimizer.grad_scale, optimizer.found_inf
        elif not spoilt:
            self.optimizer.step()
        if self.scaler.is_enabled():
            self.scaler.update()
        return spoilt

    def _count_failure(self) -> None:
        """Go on in float32 after some steps that were not finite, and stop after more."""
        self.failures += 1
        if self.failures == PATIENCE and self.devices.lower_precision_risk():
            self.scaler = torch.amp.GradScaler(self.devices.device.type, enabled=False)
            logger.warning("loss was not finite %d times; going on in float32", PATIENCE)
        if self.failures >= LIMIT:
            raise RunError(
                f"training: the loss was not finite in {LIMIT} steps in a row; {WAY_OUT}"
            )
