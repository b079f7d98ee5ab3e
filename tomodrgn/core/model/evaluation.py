"""Volumes from latents: many at once, transformed on the device, memory bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tomodrgn.core.conventions import NYQUIST
from tomodrgn.core.errors import DataError
from tomodrgn.core.fourier.volumes import half_ball, half_ball_to_volumes, volumes_to_half_ball
from tomodrgn.core.interfaces import ManyLatentsDecoder, MapDecoder
from tomodrgn.core.model.memory_faults import halved_until_it_fits
from tomodrgn.core.model.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from tomodrgn.core.model.volume_model import VolumeModel

ROWS_PER_CALL = {"cpu": 4096, "cuda": 1 << 19}
"""Frequencies per decoder call: enough to keep either busy, few enough to need little memory."""


def rows_per_call(device: torch.device) -> int:
    """Decoder rows that suit a device."""
    return ROWS_PER_CALL.get(device.type, ROWS_PER_CALL["cuda"])


@torch.no_grad()
def decode_volumes(
    model: VolumeModel,
    latents: Tensor | None,
    *,
    box_size_px: int,
    output_box_px: int | None = None,
    extent: float = NYQUIST,
    scale: float = 1.0,
    batch_size: int = 32,
) -> Iterator[Tensor]:
    """Real volumes of latents, in batches.

    Args:
        model: the volume model, on its device.
        latents: (V, Z) on the same device, or None for a model without latents.
        box_size_px: D, the box that the model was trained in.
        output_box_px: box of the volumes, at most D; their pixels are larger accordingly.
        extent: largest frequency evaluated, in cycles per pixel of the training box.
        scale: factor from normalized to original intensities.
        batch_size: volumes per batch; fewer where memory runs out.

    Yields:
        (v, D', D', D') float32 on the device, [z, y, x].

    Raises:
        DataError: the output box is odd, or larger than the training box.
        RunError: memory does not suffice for one volume.
    """
    box = output_box_px or box_size_px
    if box % 2 or box > box_size_px:
        raise DataError(f"output box {box} px must be even and at most the box {box_size_px} px")
    weight = next(model.parameters())
    ball = half_ball(box, min(extent * box_size_px, NYQUIST * box))
    freqs = torch.from_numpy(ball.k).to(weight) / box_size_px
    factor = scale * (box / box_size_px) ** 3
    workers = Workers(torch.get_num_threads() if freqs.device.type == "cpu" else 1)

    def decode(volumes: slice, share: float) -> Tensor:
        batch = None if latents is None else latents[volumes]
        if isinstance(model.decoder, MapDecoder):
            coefficients = volumes_to_half_ball(model.decoder.volumes(batch), ball)
        else:
            n_rows = int(share * rows_per_call(freqs.device))
            coefficients = _decode_ball(model, freqs, batch, n_rows, workers)
        return factor * half_ball_to_volumes(coefficients, ball)

    n_volumes = 1 if latents is None else len(latents)
    yield from halved_until_it_fits("decoding volumes", n_volumes, batch_size, decode)


def _decode_ball(
    model: VolumeModel, freqs: Tensor, latents: Tensor | None, rows_at_once: int, workers: Workers
) -> Tensor:
    """(V, K) complex coefficients of every latent at every frequency, all with z <= 0."""
    n_volumes = 1 if latents is None else len(latents)
    shares = latents is not None and isinstance(model.decoder, ManyLatentsDecoder)
    blocks_itself = shares and freqs.device.type == "cpu"
    n_freqs = max(1, rows_at_once if blocks_itself else rows_at_once // n_volumes)
    answers = freqs.new_empty((n_volumes, len(freqs), 2))
    parts = list(zip(freqs.split(n_freqs), answers.split(n_freqs, dim=1), strict=True))

    def work(worker: int) -> None:
        with torch.no_grad():
            for part, target in parts[worker :: workers.n]:
                target.copy_(_answers(model, part, latents))

    workers.share(work)
    return torch.view_as_complex(answers)


def _answers(model: VolumeModel, freqs: Tensor, latents: Tensor | None) -> Tensor:
    """(V, K, 2) at frequencies (K, 3) with z <= 0."""
    if latents is not None and isinstance(model.decoder, ManyLatentsDecoder):
        return model.decoder.decode_at(freqs, latents)
    n_volumes = 1 if latents is None else len(latents)
    counts = torch.full((n_volumes,), len(freqs), device=freqs.device)
    answers = model.decode(freqs.repeat(n_volumes, 1), latents, counts)
    return answers.view(n_volumes, len(freqs), 2)
