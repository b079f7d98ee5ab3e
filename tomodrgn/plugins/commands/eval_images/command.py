"""Encoding: latents of particles, also of such that a run has never seen."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from tomodrgn.core.data.as_recorded import innermost
from tomodrgn.core.data.damaged import sound_images
from tomodrgn.core.data.dataset import Dataset
from tomodrgn.core.data.gray_level_record import say_other_levels
from tomodrgn.core.data.parts import build_weightings, run_disc
from tomodrgn.core.data.run_directory import DatasetFacts
from tomodrgn.core.data.run_images import open_run_images
from tomodrgn.core.data.subspace_latents import encode_in_subspace
from tomodrgn.core.errors import DataError, OutputError, RunError
from tomodrgn.core.files.atomic import make_folder
from tomodrgn.core.files.pickles import write_latents
from tomodrgn.core.interfaces import SelectionWriter, SubspaceEncoder
from tomodrgn.core.memory.work import embedding_work
from tomodrgn.core.particles.tilt_counts import describe_fewest
from tomodrgn.core.products import LATENTS
from tomodrgn.core.specs.files import AUTO, merge
from tomodrgn.core.training.devices import Devices
from tomodrgn.core.training.dose_mask import kept_coefficients
from tomodrgn.core.training.embedding import embed_together
from tomodrgn.core.training.sampling import Sampler
from tomodrgn.core.training.tilt_batch import TiltBatchBuilder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.data.run import Run
    from tomodrgn.core.data.run_images import RunImages
    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.model.volume_model import VolumeModel
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.specs.run import RunSpecBase
    from tomodrgn.plugins.commands.eval_images.spec import EmbeddingSpec

logger = logging.getLogger(__name__)

_OF_THE_DATA = ("reader", "dataset", "image_state", "cache", "exporters")
"""Sections of the trained run that say nothing about latents of other particles."""


def evaluate_images(run: Run, spec: EmbeddingSpec, data: Mapping[str, Any]) -> list[Path]:
    """Encode particles with a trained model; the files that were written, the latents first.

    Processes share the particles; the main process, which alone has files to tell, writes.

    Args:
        run: the trained run.
        spec: which weights, and the output.
        data: sections of a run spec that say which images to read and how; preparation and scale
            are those of the trained run.

    Raises:
        RunError: the model has no encoder, or its weights are missing.
        DataError: the images do not suit the model.
        OutputError: a file of the run or of its input would be replaced.
    """
    directory, facts = run.directory, run.facts
    model, checkpoint = run.model(spec.weights)
    if model.encoder is None:
        raise RunError(f"{directory}: is a run without an encoder; train_vae makes one")
    own = _spec_of_images(run, checkpoint.norm, data)
    dataset = Dataset(own, run.registry)
    reader, particles = dataset.selected
    _require_free(spec.out_z, directory, particles.source)
    _require_suitable(particles, model, facts)
    make_folder(spec.out_z.parent)
    own = _with_cache(own, spec.out_z)
    devices = Devices(own.devices)
    work = embedding_work(own, model, particles, devices, batch_size=spec.batch_size)
    images = open_run_images(own, reader, particles, spec.out_z.parent, devices, work=work)
    particles, images = _as_in_training(directory, particles, images)
    n_tilts = _require_suitable(particles, model, facts)
    dataset = dataset.replaced(own, reader, particles)
    model = model.to(devices.device, devices.dtype)
    if isinstance(model.encoder, SubspaceEncoder):
        mean, log_variance = encode_in_subspace(directory, model, dataset, images, devices)
    else:
        builder, sampler = _batching(dataset, n_tilts, devices)
        mean, log_variance = embed_together(
            model,
            sampler,
            builder,
            images.source,
            images.cache_rows,
            batch_size=spec.batch_size,
            latent_dim=own.latent.dim or 0,
            devices=devices,
        )
    logger.info("%d latents of %d dimensions", *mean.shape)
    written: list[Path] = []
    devices.on_main(lambda: written.extend(_write(spec, (mean, log_variance), reader, particles)))
    return written


def _as_in_training(
    directory: Path, particles: ParticleSet, images: RunImages
) -> tuple[ParticleSet, RunImages]:
    """Particles and images without damaged ones; where gray levels are other ones, it is said."""
    say_other_levels(directory, images.found)
    return sound_images(particles, images)


def _spec_of_images(run: Run, norm: tuple[float, float], data: Mapping[str, Any]) -> RunSpecBase:
    """How to read and prepare the images: as the trained run did, where nothing else is said."""
    sections = run.record.spec.items()
    return run.registry.parse(
        merge(
            {name: part for name, part in sections if name not in _OF_THE_DATA},
            {"reader": {"kind": AUTO}, "contrast": {"norm": list(norm)}},
            {"devices": {"devices": 1, "nodes": 1, "multigpu": False}},  # not those of the training
            data,
        )
    )


def _with_cache(run: RunSpecBase, out_z: Path) -> RunSpecBase:
    """The run with a cache beside the latents, unless it names another."""
    if run.cache.path is not None:
        return run
    path = out_z.with_name(f"{out_z.stem}_cache.h5")
    return run.model_copy(update={"cache": run.cache.model_copy(update={"path": path})})


def _require_free(out_z: Path, directory: Path, source: Path) -> None:
    """Refuse to replace what latents come from."""
    if out_z.with_suffix(source.suffix).resolve() == source.resolve():
        raise OutputError(
            f"{out_z}: the list of particles beside it would replace {source}; name another --out-z"
        )
    is_of_run = out_z.name == LATENTS or out_z.name.startswith("z.")
    if is_of_run and out_z.resolve().parent == directory.resolve():
        raise OutputError(f"{out_z}: belongs to the run itself; name another --out-z")


def _write(
    spec: EmbeddingSpec,
    latents: tuple[NDArray[np.float32], NDArray[np.float32]],
    reader: Reader,
    particles: ParticleSet,
) -> list[Path]:
    """Write the latents, and the images that they belong to; the files."""
    write_latents(spec.out_z, *latents)
    written = [spec.out_z]
    writer = innermost(reader)
    if isinstance(writer, SelectionWriter):
        star = spec.out_z.with_suffix(particles.source.suffix)
        written += writer.write_selection(np.sort(particles.source_image), star)
    return written


def _require_suitable(
    particles: ParticleSet, model: VolumeModel, facts: DatasetFacts
) -> int | None:
    """Images that the encoder takes of each particle; None for all."""
    if particles.box_size_px != facts.box_size_px:
        raise DataError(
            f"{particles.source}: images have {particles.box_size_px} px, the model was trained on "
            f"{facts.box_size_px} px; crop them with --downsample {facts.box_size_px}"
        )
    if not np.isclose(particles.pixel_size_a, facts.pixel_size_a, rtol=1e-3):
        raise DataError(
            f"{particles.source}: pixels are {particles.pixel_size_a:.4g} A, those of the run were "
            f"{facts.pixel_size_a:.4g} A; extract the particles alike"
        )
    needed: int | None = getattr(model.encoder, "n_tilts", None)
    if needed is not None and particles.counts.min() < needed:
        raise DataError(
            f"{particles.source}: the encoder takes {needed} tilt images of each particle, and "
            f"{describe_fewest(particles, particles.counts, needed)}; leave out those with fewer "
            f"by --min-tilts {needed}"
        )
    return needed


def _batching(
    dataset: Dataset,
    n_tilts: int | None,
    devices: Devices,
) -> tuple[TiltBatchBuilder, Sampler]:
    """What makes batches of particles, and draws them."""
    run, particles = dataset.spec, dataset.particles
    disc = run_disc(run, particles.box_size_px)
    kept = kept_coefficients(particles, disc, dose_mask=run.training.l_dose_mask)
    facts = DatasetFacts(
        box_size_px=particles.box_size_px,
        pixel_size_a=particles.pixel_size_a,
        n_particles=particles.n_particles,
        n_images=particles.n_images,
        min_tilts=int(particles.counts.min()),
    )
    builder = TiltBatchBuilder(
        particles,
        disc,
        weightings=build_weightings(run, dataset.registry, facts),
        kept=kept,
        dtype=devices.dtype,
        device=devices.device,
    )
    n_drawn = run.training.sample_ntilts or n_tilts
    sampler = Sampler(particles, kept=kept, usable=None, sample_ntilts=n_drawn, seed=run.seed or 0)
    return builder, sampler
