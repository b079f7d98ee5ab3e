"""Files of a model that was fitted at once: weights, latents with their covariances, and maps."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.data.outlying import write_outliers
from tomodrgn.core.data.refining import write_refined
from tomodrgn.core.files.atomic import write_bytes_atomic
from tomodrgn.core.files.mrc import write_volume
from tomodrgn.core.files.pickles import write_latents
from tomodrgn.core.products import COVARIANCE, LATENTS, WEIGHTS
from tomodrgn.core.training.checkpoint import Checkpoint, save_checkpoint

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.linear.latents import Posterior
    from tomodrgn.core.model.volume_model import VolumeModel
    from tomodrgn.plugins.commands.train.fitting import Found, Task


def write_model(task: Task, model: VolumeModel) -> None:
    """Write the weights, as those of a network are written."""
    checkpoint = Checkpoint(
        epoch=0,
        batches_done=None,
        model=model.state_dict(),
        optimizer=None,
        scaler=None,
        sums=[],
        norm=task.images.norm,
    )
    save_checkpoint(task.outdir / WEIGHTS, checkpoint)


def write_posterior(task: Task, latents: Posterior) -> None:
    """Means with logarithms of variances, as classic tools read them, and whole covariances."""
    covariance = latents.covariance.float().cpu()
    log_variance = covariance.diagonal(dim1=1, dim2=2).log().numpy()
    write_latents(task.outdir / LATENTS, latents.mean.float().cpu().numpy(), log_variance)
    buffer = io.BytesIO()
    np.save(buffer, covariance.numpy())
    write_bytes_atomic(task.outdir / COVARIANCE, buffer.getvalue())


def write_corrections(task: Task, found: Found) -> None:
    """Write the poses that a model was fitted in, and which particles look like no such."""
    if found.refined is not None:
        write_refined(task.outdir, task.particles, task.is_trained, found.refined)
    particles = found.images.particles
    write_outliers(task.outdir, particles, found.refined, found.outliers, found.rare)


def write_maps(task: Task, maps: Tensor, half_maps: Tensor) -> None:
    """Write maps in the intensities of the images.

    Args:
        task: what they were fitted to.
        maps: (1 + K, D, D, D) mean and basis maps.
        half_maps: (2, D, D, D) mean maps of the halves.
    """
    mean, *basis = maps
    first, second = half_maps
    named = {"": mean, "_half1": first, "_half2": second}
    volumes = {f"reconstruct{name}.mrc": volume for name, volume in named.items()}
    volumes |= {f"basis_{k:03d}.mrc": volume for k, volume in enumerate(basis)}
    scale = task.images.norm[1]
    for name, volume in volumes.items():
        values = (scale * volume).float().cpu().numpy()
        write_volume(task.outdir / name, values, task.facts.pixel_size_a)
