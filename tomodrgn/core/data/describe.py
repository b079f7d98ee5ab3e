"""What a run directory says of its run: spec, manifest and the configuration of classic tools."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.data.gray_level_record import gray_level_record
from tomodrgn.core.data.provenance import write_manifest
from tomodrgn.core.data.run_directory import DatasetFacts, write_classic_config
from tomodrgn.core.errors import RunError
from tomodrgn.core.ownership.call import keep_edited
from tomodrgn.core.particles.identity import particles_digest, some_poses, unordered_digest
from tomodrgn.core.particles.tilt_counts import describe_fewest
from tomodrgn.core.products import CONFIG, MANIFEST, RUN_SPEC
from tomodrgn.core.specs.files import write_spec

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.data.dataset import Dataset
    from tomodrgn.core.data.run_images import RunImages
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.specs.run import RunSpecBase


def describe_run(outdir: Path, dataset: Dataset, *, facts: DatasetFacts, images: RunImages) -> None:
    """Write ``run.yaml``, ``manifest.json`` and ``config.pkl``.

    Args:
        outdir: run directory.
        dataset: with the resolved run spec.
        facts: of the images that the run uses.
        images: their shift and scale, and what was found of gray levels.
    """
    run = dataset.spec
    used = [run.reader, run.positional_encoding, run.encoder, run.decoder]
    used += [*run.loss_weightings, *run.exporters]
    keep_edited(outdir / RUN_SPEC)
    write_spec(outdir / RUN_SPEC, _without_circumstances(run))
    write_manifest(
        outdir / MANIFEST,
        parts=dataset.registry.origins(part for part in used if part is not None),
        seed=run.seed or 0,
        inputs=dataset.reader.fingerprint(),
        dataset=asdict(facts),
        gray_levels=gray_level_record(images.found, run),
    )
    write_classic_config(outdir / CONFIG, run, facts, images.norm)


def dataset_facts(particles: ParticleSet, train_images: NDArray[np.bool_]) -> DatasetFacts:
    """What a model has to know of the images (M,) that it is trained on.

    Raises:
        RunError: some particle has too few images to hold any out.
    """
    counts = np.add.reduceat(train_images.astype(np.int64), particles.starts[:-1])
    held_out = particles.counts - counts
    used = counts if train_images.all() else np.concatenate([counts, held_out])
    if used.min() < 1:
        n_needed = 1 + int(particles.counts[held_out < 1].max())
        raise RunError(
            "dataset.fraction_train: some particles have too few tilt images to hold one out: "
            f"{describe_fewest(particles, particles.counts, n_needed)}; raise it to 1, or leave "
            f"them out with --min-tilts {n_needed}"
        )
    return DatasetFacts(
        box_size_px=particles.box_size_px,
        pixel_size_a=particles.pixel_size_a,
        n_particles=particles.n_particles,
        n_images=particles.n_images,
        min_tilts=int(used.min()),
        max_tilts=int(used.max()),
        particles_sha256=particles_digest(particles),
        particle_set_sha256=unordered_digest(particles),
        some_poses=some_poses(particles),
    )


def _without_circumstances(run: RunSpecBase) -> RunSpecBase:
    """The run spec without what concerned this call alone, so that it can be used again."""
    training = run.training.model_copy(update={"load": None, "overwrite": False})
    cache = run.cache.model_copy(update={"rebuild": False})
    return run.model_copy(update={"training": training, "cache": cache})
