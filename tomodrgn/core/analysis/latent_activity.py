"""Which latent dimensions a model uses: how far they leave the prior, and what they move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.model.evaluation import decode_volumes

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from tomodrgn.core.model.volume_model import VolumeModel

LARGEST_BOX_PX: Final = 64
"""Volumes are compared at this box at most, so that a look costs little at any size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentActivity:
    """Activity of the latent dimensions after an epoch, counted from 0.

    Attributes:
        epoch: after which it was measured.
        divergence: mean KL divergence of each dimension from the prior, in nats.
        volume_variance: variance of the volume from one standard deviation below the mean latent
            to one above, along each dimension, relative to the variance of the volume at the mean.
    """

    epoch: int
    divergence: list[float]
    volume_variance: list[float]


def dimension_divergence(
    mean: NDArray[np.float32], log_variance: NDArray[np.float32]
) -> NDArray[np.float64]:
    """(Z,) mean KL divergence of latents (B, Z) from the standard normal, in nats."""
    mu, log = mean.astype(np.float64), log_variance.astype(np.float64)
    divergence: NDArray[np.float64] = 0.5 * (mu**2 + np.exp(log) - 1 - log).mean(0)
    return divergence


def latent_activity(
    model: VolumeModel,
    mean: NDArray[np.float32],
    log_variance: NDArray[np.float32],
    *,
    epoch: int,
    box_size_px: int,
    extent: float,
    autocast: Callable[[], AbstractContextManager[object]],
) -> LatentActivity:
    """Activity of each dimension.

    Args:
        model: the volume model, on its device.
        mean: (B, Z) latents.
        log_variance: (B, Z).
        epoch: named in the answer.
        box_size_px: box that the model was trained in.
        extent: largest frequency evaluated, in cycles per pixel of that box.
        autocast: context in which the networks run.
    """
    centre, step = mean.mean(0), np.diag(mean.std(0))
    places = np.concatenate([centre[None], centre + step, centre - step])
    weight = next(model.parameters())
    with autocast():
        batches = decode_volumes(
            model,
            torch.from_numpy(places).to(weight),
            box_size_px=box_size_px,
            output_box_px=min(box_size_px, LARGEST_BOX_PX),
            extent=extent,
        )
        volumes = torch.cat([batch.float().flatten(1) for batch in batches])
    above, below = volumes[1:].chunk(2)
    moved = (0.5 * (above - below)).square().mean(1)
    at_centre = volumes[0].var(correction=0).clamp_min(torch.finfo(torch.float32).tiny)
    return LatentActivity(
        epoch=epoch,
        divergence=dimension_divergence(mean, log_variance).tolist(),
        volume_variance=(moved / at_centre).tolist(),
    )
