"""What a command will need, said before it begins, and refused where it cannot be had."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import nn

from tomodrgn.core.cache.residency import free_memory_bytes
from tomodrgn.core.errors import RunError
from tomodrgn.core.fourier.disc import half_plane_disc
from tomodrgn.core.fourier.grids import grid_shape
from tomodrgn.core.linear.fit import MOST_LATENTS, SPARE_LATENTS
from tomodrgn.core.linear.observations import KEPT_COEFFICIENTS, coefficients_at_once
from tomodrgn.core.memory.footprint import Footprint, MemoryPlan, Term, on_device
from tomodrgn.core.memory.process import process_memory
from tomodrgn.core.memory.terms import (
    Images,
    Networks,
    block_term,
    columns_term,
    drawing_term,
    embedding_terms,
    equations_term,
    kept_term,
    linear_terms,
    rows_term,
    training_terms,
    volumes_terms,
)
from tomodrgn.core.model.evaluation import rows_per_call
from tomodrgn.core.model.memory_faults import return_free_memory
from tomodrgn.core.placement.columns import VALUES_TOGETHER
from tomodrgn.core.reconstruction.stream import BLOCK_BYTES, bytes_needed

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.model.volume_model import VolumeModel
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.specs.run import RunSpecBase
    from tomodrgn.core.training.devices import Devices

logger = logging.getLogger(__name__)

_CERTAINTY: Final = 0.8
"""Part of an estimate that is needed beyond doubt."""
_EQUATIONS_OF_REFINEMENT: Final = 3
"""Sets of equations: about both maps, and once more where these are compared."""
_USUAL_MAPS: Final = 4
"""The mean and three latents."""


def announce(
    footprint: Footprint, device: torch.device | None, *, way_out: str, processes: int = 1
) -> MemoryPlan:
    """Log what will be needed; the plan.

    Args:
        footprint: of the work that is about to begin.
        device: where it computes; None for the host.
        way_out: how to need less.
        processes: of this machine that do the same.

    Raises:
        RunError: less than 80 % of what is needed is free.
    """
    plan = memory_plan(footprint, device, processes=processes)
    logger.info(plan.sentence())
    shortage = plan.shortage()
    if shortage * _CERTAINTY > 1:
        raise RunError(
            f"{plan.sentence()}: that is {shortage:.1f} times too much; {way_out}, close other "
            "programs, or take a machine with more memory"
        )
    if shortage > 1:
        logger.warning("memory may not suffice; if the run is killed, %s", way_out)
    return plan


def memory_plan(
    footprint: Footprint, device: torch.device | None, *, processes: int = 1
) -> MemoryPlan:
    """The footprint beside what is held and what is free."""
    is_gpu = device is not None and device.type == "cuda"
    return_free_memory()
    return MemoryPlan(
        process=process_memory(),
        footprint=footprint,
        free_host_bytes=free_memory_bytes(),
        free_device_bytes=torch.cuda.mem_get_info(device)[0] if is_gpu else None,
        processes=processes,
    )


def training_work(
    run: RunSpecBase,
    model: VolumeModel,
    particles: ParticleSet,
    devices: Devices,
    *,
    embedding_batch: int,
) -> Footprint:
    """Steps, checkpoints and the report of a training run."""
    work = training_terms(
        images_of(run, particles),
        _networks(model, devices, run.latent.dim),
        batch_size=-(-run.training.batch_size // devices.n_ranks),
        embedding_batch=embedding_batch,
        is_gpu=devices.device.type == "cuda",
    )
    return work.then(report_work(particles)) if run.training.report else work


def embedding_work(
    run: RunSpecBase,
    model: VolumeModel,
    particles: ParticleSet,
    devices: Devices,
    *,
    batch_size: int,
) -> Footprint:
    """The encoding of particles, and the list of them that is written afterwards."""
    encoding = embedding_terms(
        images_of(run, particles),
        _networks(model, devices, run.latent.dim),
        batch_size=batch_size,
        is_gpu=devices.device.type == "cuda",
    )
    rows = rows_term(_file_bytes(particles.source), particles.rows_read)
    return encoding.then(Footprint(host=(rows,)))


def linear_work(
    run: RunSpecBase,
    particles: ParticleSet,
    device: torch.device,
    *,
    n_maps: int | None,
    n_searched: int | None = None,
    is_joint: bool = True,
) -> Footprint:
    """Passes, solutions and the report of a linear model, or of classes (not ``is_joint``).

    Where the number of maps is yet to be found, it is taken to be a usual one. More maps are
    searched for at low resolution than are kept; by default as many as linear models do.
    """
    is_gpu = device.type == "cuda"
    images = images_of(run, particles)
    work = linear_terms(
        images,
        n_maps=n_maps or _USUAL_MAPS,
        n_searched=n_searched or (n_maps or 1 + MOST_LATENTS) + SPARE_LATENTS,
        points_at_once=coefficients_at_once(device),
        grid_points=math.prod(grid_shape(particles.box_size_px)),
        n_halves_at_once=1 if is_gpu else 2,
        is_gpu=is_gpu,
        is_joint=is_joint,
    )
    kept = kept_term(images.n_images * images.n_coefficients, KEPT_COEFFICIENTS)
    work += on_device((kept,), is_gpu=is_gpu)
    n_kept = 1 if run.refinement.poses == "off" else _EQUATIONS_OF_REFINEMENT
    poses = equations_term(images, n_maps=n_maps or _USUAL_MAPS, n_kept=n_kept)
    work += Footprint(host=(poses,))
    return work.then(report_work(particles)) if run.training.report else work


def maps_work(particles: ParticleSet, n_volumes: int, device: torch.device) -> Footprint:
    """Sums of back-projection, the division of one map, and images on their way."""
    box = particles.box_size_px
    sums = Term("sums and division of maps", bytes_needed(n_volumes, box))
    blocks = block_term(BLOCK_BYTES, particles.n_images, box)
    host = Footprint(host=(blocks, drawing_term()))
    return on_device((sums,), is_gpu=device.type == "cuda") + host


def volumes_work(
    model: VolumeModel, devices: Devices, n_volumes: int, box_size_px: int
) -> Footprint:
    """Volumes that are decoded and written at the same time."""
    networks = _networks(model, devices, None)
    return volumes_terms(
        networks, n_volumes=n_volumes, box_size_px=box_size_px,
        is_gpu=devices.device.type == "cuda",
    )  # fmt: skip


def report_work(particles: ParticleSet) -> Footprint:
    """What a report needs, which looks at all that the input says in numbers."""
    columns = columns_term(_file_bytes(particles.source), VALUES_TOGETHER)
    return Footprint(host=(columns, drawing_term()))


def images_of(run: RunSpecBase, particles: ParticleSet) -> Images:
    """What a plan needs to know of the images of a run."""
    return Images(
        n_images=particles.n_images,
        n_particles=particles.n_particles,
        n_coefficients=len(half_plane_disc(particles.box_size_px, run.preparation.l_extent)),
        most_tilts=int(particles.counts.max()),
        stored_bytes=2 * np.dtype(run.cache.dtype).itemsize,
        prefetch=run.cache.prefetch,
    )


def _networks(model: VolumeModel, devices: Devices, latent_dim: int | None) -> Networks:
    """What a plan needs to know of the networks of a run."""
    is_gpu = devices.device.type == "cuda"
    halves = is_gpu and devices.dtype is torch.float32
    return Networks(
        n_weights=sum(weight.numel() for weight in model.parameters()),
        encoder_width=0 if model.encoder is None else _width(model.encoder),
        decoder_width=_width(model.decoder),
        rows_at_once=rows_per_call(devices.device),
        n_workers=devices.workers.n,
        feature_bytes=2 if halves else devices.dtype.itemsize,
        latent_dim=latent_dim or 0,
    )


def _file_bytes(path: Path) -> int:
    """Size of a file, 0 where there is none any more."""
    return path.stat().st_size if path.exists() else 0


def _width(network: nn.Module) -> int:
    """Features of all linear layers together, with those that go in."""
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    return layers[0].in_features + sum(layer.out_features for layer in layers) if layers else 0
