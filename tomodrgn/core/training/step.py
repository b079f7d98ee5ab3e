"""One optimiser step over all processes, and what happens when numbers are not finite."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from tomodrgn.core.errors import RunError
from tomodrgn.core.training.micro_batches import MicroBatches
from tomodrgn.core.training.objective import LatentPenalty

if TYPE_CHECKING:
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
        """The loss that is minimised."""
        return self.generative + 0.5 * self.n_particles * self.penalty / self.n_coefficients


@dataclass
class Stepper:
    """Makes optimiser steps.

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
        news: Tensor | None = None,
    ) -> StepLosses | None:
        """Losses of the batch after one step; None when it was skipped for non-finite numbers.

        Args:
            tilts: images of this process, None when its share of the batch is empty.
            noise: (B, Z) standard normal, or None for a model without encoder.
            beta: weight, or target, of the KL divergence.
            control: strength of the pull towards the target, or None.
            lr: learning rate of this step.
            n_coefficients: kept coefficients of the batch over all processes.
            n_particles: particles of the batch over all processes.
            news: numbers that go along, replaced by their sums over all processes.

        Raises:
            RunError: nothing was finite for too long, or another process has ended.
            AnotherProcessFailedError: another process has withdrawn from the step.
        """
        penalty = LatentPenalty(beta, control)

        def penalty_factor(divergences: Tensor) -> float:
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
        self._exchange(gradients, sums, self._numbers(1), news)
        if not self._apply(gradients, sums):
            return None
        error, divergence = sums.tolist()
        value = penalty.value(divergence / n_particles)
        return StepLosses(error, divergence, n_coefficients, n_particles, value)

    def withdraw(self, *, control: float | None, news: Tensor) -> None:
        """Take part in the messages of a step that this process cannot make, and say so.

        Args:
            control: as in the step, or None for a model without encoder.
            news: as in the step.
        """
        if control is not None and not self._knows_divergence:
            self.devices.sum_over_processes([self._numbers(1)])
        try:
            self._exchange(self._prepare(0.0), self._numbers(2), self._numbers(1) + 1, news)
        except AnotherProcessFailedError:
            return

    def _exchange(
        self, gradients: list[Tensor], sums: Tensor, failures: Tensor, news: Tensor | None
    ) -> None:
        """Sum what belongs to a step over all processes."""
        also = [] if news is None else [news]
        self.devices.sum_over_processes([*gradients, sums, failures, *also])
        self._knows_divergence = False
        if failures.item():
            raise AnotherProcessFailedError

    def _numbers(self, n: int) -> Tensor:
        return torch.zeros(n, device=self.devices.device, dtype=self.devices.dtype)

    def _penalty_factor(
        self, penalty: LatentPenalty, divergence: Tensor, n_particles: int
    ) -> float:
        """Derivative of the penalty, which a pull makes depend on the mean over all processes."""
        if penalty.control is not None:
            divergence = divergence.to(self.devices.dtype)
            self.devices.sum_over_processes([divergence])
            self._knows_divergence = True
        return penalty.factor(float(divergence) / n_particles)

    def _prepare(self, lr: float) -> list[Tensor]:
        """Set the learning rate and return the gradients of all parameters, zeroed."""
        gradients = []
        for group in self.optimizer.param_groups:
            group["lr"] = lr * group.get(RATE_FACTOR, 1.0)
            for parameter in group["params"]:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                gradients.append(parameter.grad.zero_())
        return gradients

    def _apply(self, gradients: list[Tensor], sums: Tensor) -> bool:
        """Step if everything is finite; the same answer in every process."""
        if self.scaler.is_enabled():
            self.scaler.unscale_(self.optimizer)
        norms = torch.stack(torch._foreach_norm(gradients))
        if bool(torch.isfinite(norms).all() & torch.isfinite(sums).all()):
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.failures = 0
            return True
        if self.scaler.is_enabled():
            self.scaler.update()
        self.failures += 1
        if self.failures == PATIENCE and self.devices.lower_precision_risk():
            self.scaler = torch.amp.GradScaler(self.devices.device.type, enabled=False)
            logger.warning("loss was not finite %d times; going on in float32", PATIENCE)
        if self.failures >= LIMIT:
            raise RunError(
                f"training: the loss was not finite in {LIMIT} steps in a row; look at the "
                "particles named in run.log, lower --lr, or go on from an earlier --load"
            )
        return False
