"""Steps that outgrow the memory: the same gradients, gathered from parts of the batch.

A batch is tried whole. Where memory runs out, its particles are shared out among parts of half as
many coefficients, and so on until a part fits; the decoder sees a particle that is too large by
itself some tilts at a time. Every part is normalized by the whole batch, so that the optimizer
makes the step that it would have made. What fits is remembered for the steps to come.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch

from tomodrgn.core.errors import RunError
from tomodrgn.core.model.memory_faults import unless_memory_runs_out
from tomodrgn.core.model.posterior import divergence, draw
from tomodrgn.core.training.objective import (
    LossSums,
    accumulate_gradients,
    decoder_gradients,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from torch import Tensor

    from tomodrgn.core.interfaces import Posterior
    from tomodrgn.core.model.volume_model import VolumeModel
    from tomodrgn.core.model.workers import Workers
    from tomodrgn.core.training.tilt_batch import TiltBatch

logger = logging.getLogger(__name__)


class MicroBatches:
    """Gradients of batches, each in as many parts as memory asks for.

    Attributes:
        most_coefficients: of a part; None as long as whole batches have fitted.
    """

    def __init__(self) -> None:
        self.most_coefficients: int | None = None

    def accumulate_gradients(
        self,
        model: VolumeModel,
        tilts: TiltBatch,
        noise: Tensor | None,
        *,
        n_coefficients: int,
        penalty_factor: Callable[[Tensor], Tensor | float],
        autocast: Callable[[], AbstractContextManager[object]],
        workers: Workers,
        gradient_scale: float = 1.0,
    ) -> LossSums:
        """See :func:`~tomodrgn.core.training.objective.accumulate_gradients`.

        The gradients of all parameters must be zero. ``penalty_factor`` is called once, with the
        divergences of all particles of the batch.

        Raises:
            RunError: memory does not even suffice for one image.
        """
        factor_once = _Once(penalty_factor)

        def attempt() -> LossSums:
            if self.most_coefficients is None:
                return accumulate_gradients(
                    model,
                    tilts,
                    noise,
                    n_coefficients=n_coefficients,
                    penalty_factor=factor_once,
                    autocast=autocast,
                    workers=workers,
                    gradient_scale=gradient_scale,
                )
            parts = _Parts(model, self.most_coefficients, autocast, workers)
            return parts.accumulate(tilts, noise, factor_once, gradient_scale / n_coefficients)

        before = self.most_coefficients
        while (sums := unless_memory_runs_out(attempt)) is None:
            model.zero_grad(set_to_none=False)
            self._halve(tilts)
        if self.most_coefficients != before:
            logger.warning(
                "memory ran out; batches are now computed in parts of about %d coefficients, which "
                "gives the same steps, a little more slowly",
                self.most_coefficients,
            )
        return sums

    def _halve(self, tilts: TiltBatch) -> None:
        """Half as many coefficients per part, if a part held more than one image."""
        total = int(tilts.kept.sum())
        most = min(self.most_coefficients or total, total)
        if most <= int(tilts.kept.max()):
            raise RunError(
                "training: memory does not suffice for the coefficients of a single image; take "
                "smaller networks, a smaller box (--downsample), fewer tilts (--sample-ntilts), or "
                "a machine with more memory"
            )
        self.most_coefficients = most // 2


class _Once:
    """A function of the divergences that is called once, as processes meet in it."""

    def __init__(self, function: Callable[[Tensor], Tensor | float]) -> None:
        self._function = function
        self.value: Tensor | float | None = None

    def __call__(self, divergences: Tensor) -> Tensor | float:
        if self.value is None:
            self.value = self._function(divergences)
        return self.value


class _Parts:
    """The sums of :func:`accumulate_gradients` over parts of a batch, one after the other."""

    def __init__(
        self,
        model: VolumeModel,
        most_coefficients: int,
        autocast: Callable[[], AbstractContextManager[object]],
        workers: Workers,
    ) -> None:
        self._model, self._most = model, most_coefficients
        self._autocast, self._workers = autocast, workers

    def accumulate(
        self, tilts: TiltBatch, noise: Tensor | None, penalty_factor: _Once, scale: float
    ) -> LossSums:
        """As the function, ``scale`` being that of all gradients."""
        parts = list(split_particles(tilts, self._most))
        if noise is not None and penalty_factor.value is None:
            penalty_factor(self._divergences(tilts, parts))
        factor = 0.0 if penalty_factor.value is None else penalty_factor.value
        sums = tilts.coefficients.new_zeros(2)
        for particles in parts:
            part = take_particles(tilts, particles)
            of_part = None if noise is None else noise[particles]
            sums += torch.stack(self._accumulate_part(part, of_part, factor, scale))
        return LossSums(*sums)

    @torch.no_grad()
    def _divergences(self, tilts: TiltBatch, parts: list[slice]) -> Tensor:
        """(B,) of all particles of a batch."""
        return torch.cat(
            [divergence(self._embed(take_particles(tilts, particles))) for particles in parts]
        )

    def _embed(self, tilts: TiltBatch) -> Posterior:
        with self._autocast():
            return self._model.embed(tilts.encoder_input(), tilts.counts, tilts.longest)

    def _accumulate_part(
        self, tilts: TiltBatch, noise: Tensor | None, factor: Tensor | float, scale: float
    ) -> LossSums:
        """Add the gradients of some particles to those of the parameters."""
        if noise is None:
            return LossSums(self._decode(tilts, None, scale)[0], tilts.coefficients.new_zeros(()))
        posterior = self._embed(tilts)
        latent, divergences = draw(posterior, noise), divergence(posterior)
        error, to_latent = self._decode(tilts, latent.detach(), scale)
        ((latent * to_latent).sum() + 0.5 * factor * scale * divergences.sum()).backward()
        return LossSums(error, divergences.detach().sum())

    def _decode(
        self, tilts: TiltBatch, latent: Tensor | None, scale: float
    ) -> tuple[Tensor, Tensor]:
        """Squared error and its gradient by the latents, some tilts at a time."""
        error = tilts.coefficients.new_zeros(())
        to_latent = error if latent is None else torch.zeros_like(latent)
        for images in tilts.split(self._most):
            of_images = decoder_gradients(
                self._model,
                _take_images(tilts, images),
                latent,
                scale=scale,
                autocast=self._autocast,
                workers=self._workers,
            )
            error, to_latent = error + of_images[0], to_latent + of_images[1]
        return error, to_latent


def split_particles(tilts: TiltBatch, most_coefficients: int) -> Iterator[slice]:
    """Runs of whole particles with about ``most_coefficients`` kept coefficients each."""
    kept = np.bincount(tilts.owner, weights=tilts.kept, minlength=len(tilts.counts))
    filled = (np.cumsum(kept) - 1) // max(1, most_coefficients)
    bounds = [0, *(np.flatnonzero(np.diff(filled)) + 1).tolist(), len(kept)]
    for first, last in pairwise(bounds):
        yield slice(first, last)


def take_particles(tilts: TiltBatch, particles: slice) -> TiltBatch:
    """A batch of some adjacent particles of a batch."""
    first, last = np.searchsorted(tilts.owner, [particles.start, particles.stop]).tolist()
    part = _take_images(tilts, slice(first, last))
    return replace(part, counts=tilts.counts[particles], owner=part.owner - particles.start)


def _take_images(tilts: TiltBatch, images: slice) -> TiltBatch:
    """A batch of some adjacent images for the decoder, which does not look at ``counts``."""
    return replace(
        tilts,
        coefficients=tilts.coefficients[images],
        rotation=tilts.rotation[images],
        transfer=None if tilts.transfer is None else tilts.transfer[images],
        weights=None if tilts.weights is None else tilts.weights[images],
        owner=tilts.owner[images],
        kept=tilts.kept[images],
    )
