"""The loss and its gradients: squared error of coefficients plus divergence of latents.

``[ sum w |g F - y|^2 + (beta / 2) sum KL ] / N``, N being the kept coefficients of the batch over
all processes. The half keeps the classic meaning of beta, which counts both k and -k.

The decoder runs over chunks of coefficients, each with its own backward pass: activations stay in
the cache of a CPU, and memory does not grow with the batch. The latents collect their gradient over
the chunks; the encoder is passed once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from tomodrgn.core.model.evaluation import rows_per_call
from tomodrgn.core.model.posterior import divergence, draw

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from torch import Tensor

    from tomodrgn.core.model.volume_model import VolumeModel
    from tomodrgn.core.training.tilt_batch import CoefficientChunk, TiltBatch


class LossSums(NamedTuple):
    """Sums of this process over a batch, before any division."""

    squared_error: Tensor  # ()
    divergence: Tensor  # ()


class LatentPenalty(NamedTuple):
    """How strongly the divergence of the latents counts.

    ``control`` None weights it with ``beta``; otherwise it is pulled towards ``beta``:
    ``control * (beta - mean KL)^2`` in place of ``beta * mean KL``.
    """

    beta: float
    control: float | None

    def factor(self, mean_divergence: float) -> float:
        """Derivative of the penalty of a particle with respect to its divergence."""
        if self.control is None:
            return self.beta
        return 2 * self.control * (mean_divergence - self.beta)

    def value(self, mean_divergence: float) -> float:
        """Penalty of a particle."""
        if self.control is None:
            return self.beta * mean_divergence
        return self.control * (mean_divergence - self.beta) ** 2


def squared_error(model: VolumeModel, chunk: CoefficientChunk, latent: Tensor | None) -> Tensor:
    """Weighted squared error summed over the coefficients of a chunk."""
    predicted = model.decode(chunk.freqs, latent, chunk.counts)
    if chunk.transfer is not None:
        predicted = predicted * chunk.transfer
    error = (predicted - chunk.target).square()
    return error.sum() if chunk.weights is None else (error * chunk.weights).sum()


def accumulate_gradients(
    model: VolumeModel,
    tilts: TiltBatch,
    noise: Tensor | None,
    *,
    n_coefficients: int,
    penalty_factor: Callable[[Tensor], float],
    autocast: Callable[[], AbstractContextManager[object]],
    gradient_scale: float = 1.0,
) -> LossSums:
    """Add the gradients of the loss of a batch to those of the parameters.

    Args:
        model: the volume model.
        tilts: images of this process.
        noise: (B, Z) standard normal, or None for a model without encoder.
        n_coefficients: N.
        penalty_factor: derivative of the latent penalty for the divergences (B,).
        autocast: context in which the networks run.
        gradient_scale: factor on all gradients (loss scaling in float16).
    """
    scale = gradient_scale / n_coefficients
    latent = latent_leaf = None
    divergences = tilts.coefficients.new_zeros(())
    if noise is not None:
        with autocast():
            posterior = model.embed(tilts.encoder_input(), tilts.counts)
        latent = draw(posterior, noise)
        latent_leaf = latent.detach().requires_grad_()
        divergences = divergence(posterior)
    total = tilts.coefficients.new_zeros(())
    for chunk in tilts.chunks(rows_per_call(tilts.coefficients.device)):
        with autocast():
            part = None if latent_leaf is None else latent_leaf[chunk.particles]
            error = squared_error(model, chunk, part)
        (error * scale).backward()
        total += error.detach()
    if latent is not None and latent_leaf is not None:
        through = latent_leaf.grad if latent_leaf.grad is not None else torch.zeros_like(latent)
        factor = 0.5 * penalty_factor(divergences.detach()) * scale
        ((latent * through).sum() + factor * divergences.sum()).backward()
    return LossSums(total, divergences.detach().sum())
