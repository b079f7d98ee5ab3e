"""The loss and its gradients: squared error of coefficients plus divergence of latents.

``[ sum w |g F - y|^2 + (beta / 2) sum KL ] / N``, N being the kept coefficients of the batch over
all processes. The half keeps the classic meaning of beta, which counts both k and -k.

The decoder runs over chunks of coefficients, each with its own backward pass: memory does not grow
with the batch. A decoder that offers a sweep (:class:`~tomodrgn.core.interfaces.SweepingDecoder`)
goes forward and backward block by block; for others autograd does it. The latents collect their
gradient over the chunks; the encoder is passed once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

import torch

from tomodrgn.core.interfaces import SweepingDecoder
from tomodrgn.core.model.evaluation import rows_per_call
from tomodrgn.core.model.posterior import divergence, draw
from tomodrgn.core.model.volume_model import upper_half_sign

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from torch import Tensor

    from tomodrgn.core.model.volume_model import VolumeModel
    from tomodrgn.core.model.workers import Workers
    from tomodrgn.core.training.tilt_batch import CoefficientChunk, TiltBatch


NumberT = TypeVar("NumberT", float, torch.Tensor)


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

    def factor(self, mean_divergence: NumberT) -> NumberT | float:
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
    """() weighted squared error, summed over the coefficients of a chunk; latents are (B, Z)."""
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
    penalty_factor: Callable[[Tensor], Tensor | float],
    autocast: Callable[[], AbstractContextManager[object]],
    workers: Workers,
    gradient_scale: float = 1.0,
) -> LossSums:
    """Add the gradients of the loss of a batch to those of the parameters.

    Args:
        model: the volume model.
        tilts: images of this process.
        noise: (B, Z) standard normal, or None for a model without encoder.
        n_coefficients: N.
        penalty_factor: derivative of the latent penalty for the divergences (B,), one number.
        autocast: context in which the networks run.
        workers: share the chunks of the decoder.
        gradient_scale: factor on all gradients (loss scaling in float16).
    """
    scale = gradient_scale / n_coefficients
    if noise is None:
        error, _ = decoder_gradients(
            model, tilts, None, scale=scale, autocast=autocast, workers=workers
        )
        return LossSums(error, torch.zeros_like(error))
    with autocast():
        posterior = model.embed(tilts.encoder_input(), tilts.counts, tilts.longest)
    latent, divergences = draw(posterior, noise), divergence(posterior)
    error, to_latent = decoder_gradients(
        model, tilts, latent.detach(), scale=scale, autocast=autocast, workers=workers
    )
    factor = 0.5 * penalty_factor(divergences.detach()) * scale
    ((latent * to_latent).sum() + factor * divergences.sum()).backward()
    return LossSums(error, divergences.detach().sum())


def decoder_gradients(
    model: VolumeModel,
    tilts: TiltBatch,
    latent: Tensor | None,
    *,
    scale: float,
    autocast: Callable[[], AbstractContextManager[object]],
    workers: Workers,
) -> tuple[Tensor, Tensor]:
    """Squared error () of a batch, and ``scale`` times its gradient (B, Z) by the latents.

    The gradients with respect to the parameters of the decoder are added to theirs.
    """
    chunks = list(tilts.split(_rows_per_chunk(tilts, workers.n)))

    def work(worker: int) -> _Share:
        own = chunks[worker :: workers.n]
        with autocast():
            share = _sweep(model, tilts, own, latent, scale)
        return share or _differentiate(model, tilts, own, latent, scale=scale, autocast=autocast)

    first, *others = workers.share(work)
    parameters = [p for p in model.decoder.parameters() if p.requires_grad]
    for share in (first, *others):
        for parameter, gradient in zip(parameters, share.to_parameters, strict=True):
            parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)
    error, to_latent = first.error, first.to_latent
    for share in others:
        error, to_latent = error + share.error, to_latent + share.to_latent
    return error, to_latent


class _Share(NamedTuple):
    """What one worker finds: squared error, and gradients by the latents and the parameters."""

    error: Tensor
    to_latent: Tensor
    to_parameters: list[Tensor]


def _differentiate(
    model: VolumeModel,
    tilts: TiltBatch,
    chunks: Sequence[slice],
    latent: Tensor | None,
    *,
    scale: float,
    autocast: Callable[[], AbstractContextManager[object]],
) -> _Share:
    """The share of some chunks by automatic differentiation, in the number types of the way up."""
    total, to_latent = tilts.coefficients.new_zeros(()), tilts.coefficients.new_zeros(())
    parameters = [p for p in model.decoder.parameters() if p.requires_grad]
    leaf = None
    if latent is not None:
        leaf = latent.detach().requires_grad_()
        to_latent = torch.zeros_like(leaf)
    sums = [torch.zeros_like(parameter) for parameter in parameters]
    asked = parameters if leaf is None else [*parameters, leaf]
    added_to = sums if leaf is None else [*sums, to_latent]
    for images in chunks:
        chunk = tilts.chunk(images)
        with torch.enable_grad(), autocast():
            error = squared_error(model, chunk, None if leaf is None else leaf[chunk.particles])
        gradients = torch.autograd.grad(error * scale, asked, allow_unused=True)
        for sum_so_far, gradient in zip(added_to, gradients, strict=True):
            if gradient is not None:
                sum_so_far.add_(gradient)
        total += error.detach()
    return _Share(total, to_latent, sums)


@torch.no_grad()
def _sweep(
    model: VolumeModel,
    tilts: TiltBatch,
    chunks: Sequence[slice],
    latent: Tensor | None,
    scale: float,
) -> _Share | None:
    """The same by a decoder that goes forward and backward in one go; None where it cannot."""
    sweep = model.decoder.sweep(latent) if isinstance(model.decoder, SweepingDecoder) else None
    if sweep is None:
        return None
    total = tilts.coefficients.new_zeros(())
    for images in chunks:
        chunk = tilts.chunk(images)
        sign = upper_half_sign(chunk.freqs)
        owner = torch.repeat_interleave(chunk.counts, output_size=len(sign)) + chunk.particles.start
        loss = _FoldedError(chunk, sign, scale)
        sweep.add(chunk.freqs * sign, owner, loss.answer_gradient)
        total += loss.total()
    gradients = sweep.finish()
    to_latent = total.new_zeros(()) if gradients.latent is None else gradients.latent
    return _Share(total, to_latent, gradients.parameters)


class _FoldedError:
    """Weighted squared error of a chunk whose answers stay in the half space of the decoder.

    Conjugating what was observed costs less than conjugating every answer.
    """

    def __init__(self, chunk: CoefficientChunk, sign: Tensor, scale: float) -> None:
        ones = torch.ones_like(sign)
        transfer = ones if chunk.transfer is None else chunk.transfer
        self._weights = ones if chunk.weights is None else chunk.weights
        self._factor = 2 * scale * self._weights * transfer
        self._transfer = transfer.expand_as(chunk.target)
        self._negated = torch.cat([-chunk.target[:, :1], chunk.target[:, 1:] * -sign], dim=1)
        self._errors = torch.zeros_like(chunk.target)

    def answer_gradient(self, rows: slice, answers: Tensor) -> Tensor:
        """Derivative of ``scale`` times the error by the answers, whose errors are remembered."""
        errors = self._errors[rows]
        torch.addcmul(self._negated[rows], answers, self._transfer[rows], out=errors)
        return errors * self._factor[rows]

    def total(self) -> Tensor:
        """Weighted squared error of the answers so far."""
        return (self._errors.square() * self._weights).sum()


def _rows_per_chunk(tilts: TiltBatch, n_workers: int) -> int:
    """Coefficients per chunk: about what suits the device, the same number for every worker."""
    total, most = int(tilts.kept.sum()), rows_per_call(tilts.coefficients.device)
    n_rounds = max(1, -(-total // (most * n_workers)))
    return max(1, -(-total // (n_rounds * n_workers)))
