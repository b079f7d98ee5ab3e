"""Latents of particles from a model in a subspace, also of those that it has never seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from tomodrgn.core.data.observing import observe
from tomodrgn.core.errors import RunError
from tomodrgn.core.files.json_text import read_json
from tomodrgn.core.linear.basis import resize_maps
from tomodrgn.core.linear.passes import run_pass
from tomodrgn.core.ownership.undamaged import require_as_made
from tomodrgn.core.products import SUBSPACE
from tomodrgn.core.subspace.fitting import Pair
from tomodrgn.core.subspace.posteriors import posteriors
from tomodrgn.core.subspace.statistics import Evidence, packed

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.data.dataset import Dataset
    from tomodrgn.core.data.run_images import RunImages
    from tomodrgn.core.interfaces import SubspaceDecoder
    from tomodrgn.core.linear.observations import Observations
    from tomodrgn.core.model.volume_model import VolumeModel
    from tomodrgn.core.training.devices import Devices


def encode_in_subspace(
    directory: Path, model: VolumeModel, dataset: Dataset, images: RunImages, devices: Devices
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Latents (B, Z) of particles and the logarithms of their variances (B, Z).

    Args:
        directory: the run of the model; it knows how strong the noise is.
        model: with an encoder and a decoder in a subspace, on the device.
        dataset: the particles, and how their images are read.
        images: of them.
        devices: where to compute.

    Raises:
        RunError: the run does not say how strong the noise is.
    """
    particles = dataset.particles
    everything = np.ones(particles.n_images, dtype=np.bool_)
    observed = observe(dataset.spec, particles, images, everything, devices)
    evidence = _evidence(directory, model, observed)
    decoder = cast("SubspaceDecoder", model.decoder)
    pair = Pair(cast("torch.nn.Module", model.encoder), decoder.coordinates)
    found = posteriors(pair, evidence)
    variance = found.covariance.diagonal(dim1=1, dim2=2)
    return found.mean.float().cpu().numpy(), variance.log().float().cpu().numpy()


@torch.no_grad()
def _evidence(directory: Path, model: VolumeModel, observed: Observations) -> Evidence:
    """What images say of coordinates, in the shells in which the model was fitted."""
    path = directory / SUBSPACE
    require_as_made(path)
    figures = read_json(path)
    try:
        radius_px, noise = int(figures["shells"]), figures["noise_precision"]
        precision = torch.tensor(noise, dtype=torch.float32, device=observed.device)
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{path}: does not say how strong the noise was (shells, noise_precision); train the "
            "model again, or put the file back as train_vae wrote it"
        ) from error
    images = observed.to_radius(radius_px)
    maps = cast("SubspaceDecoder", model.decoder).maps.float()
    small = resize_maps(maps, images.box_size_px)
    rows = np.arange(images.particles.n_particles)
    terms = run_pass(images, rows, small, precision, collect=False).terms
    return packed(terms.matrix.sum(1), terms.vector.sum(1))
