"""A finished run, opened again: its spec, its particles in the order of its latents, its reader."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.files.pickles import read_latents
from tomodrgn.core.interfaces import Reader, ReaderContext, RunResults
from tomodrgn.core.particles.downsampling import downsample_particles
from tomodrgn.core.particles.identity import particles_digest
from tomodrgn.core.particles.image_state import declare_state
from tomodrgn.core.particles.selection import select
from tomodrgn.core.run_directory import LATENTS, RUN_SPEC, find_run_directory, read_run

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.registry import Registry
    from tomodrgn.core.run_directory import DatasetFacts
    from tomodrgn.core.specs.run import RunSpecBase


def open_results(
    directory: Path,
    registry: Registry,
    *,
    latents_file: Path | None = None,
    known: tuple[Reader, ParticleSet] | None = None,
) -> RunResults:
    """The results of a run directory; images of its particles are not needed.

    Args:
        directory: of the run.
        registry: offers its reader.
        latents_file: latents of one of its epochs; the final ones by default.
        known: its reader and particles where they have been read, as by ``read_particles``.

    Raises:
        RunError: there is no finished run, or its input has changed since.
        DataError: the input can no longer be read.
    """
    directory = find_run_directory(directory, directory)
    data, facts = read_run(directory)
    run = registry.parse(data)
    reader, particles = known or _read(run, facts, directory, registry)
    _refuse_other_particles(directory, facts, particles)
    path = latents_file or directory / LATENTS
    latents, log_variance = _read_latents(path, run, particles)
    return RunResults(
        directory=directory,
        spec=run.model_dump(mode="json"),
        particles=particles,
        latents=latents,
        log_variance=log_variance,
        reader=reader,
    )


def _read(
    run: RunSpecBase, facts: DatasetFacts, directory: Path, registry: Registry
) -> tuple[Reader, ParticleSet]:
    """The reader of a run and its particles."""
    reader: Reader = registry.build(run.reader, ReaderContext(needs_images=False))
    try:
        everyone = reader.read()
    except DataError as error:
        error.add_note(
            f"it is the input that {directory / RUN_SPEC} names; call this where the run was "
            "started, or correct reader.path there"
        )
        raise
    return reader, _particles_of_run(run, facts, everyone)


def _particles_of_run(run: RunSpecBase, facts: DatasetFacts, everyone: ParticleSet) -> ParticleSet:
    """The particles as the run selected them, with the box that the run made of their images."""
    original_px = round(facts.box_size_px * facts.pixel_size_a / everyone.pixel_size_a)
    groups = tuple(replace(group, box_size_px=original_px) for group in everyone.optics)
    everyone = declare_state(replace(everyone, optics=groups), run.image_state, run.contrast)
    particles = select(everyone, run.dataset, run.seed or 0)
    if original_px == facts.box_size_px:
        return particles
    return downsample_particles(particles, facts.box_size_px)


def _refuse_other_particles(directory: Path, facts: DatasetFacts, particles: ParticleSet) -> None:
    """Refuse an input that no longer gives the particles of the run in their order."""
    found = particles.n_particles, particles.n_images, particles_digest(particles)
    trained = facts.n_particles, facts.n_images, facts.particles_sha256 or found[2]
    if found != trained:
        raise RunError(
            f"{particles.source}: has changed since the run in {directory}, which was trained on "
            f"{trained[1]} images of {trained[0]} particles; found {found[1]} of {found[0]}, "
            "perhaps in another order; put the file of that time back"
        )


def _read_latents(
    path: Path, run: RunSpecBase, particles: ParticleSet
) -> tuple[NDArray[np.float32] | None, NDArray[np.float32] | None]:
    """Mean and log variance of latents; None for a model of one structure."""
    if run.latent.dim is None:
        return None, None
    if not path.exists():
        raise RunError(f"{path}: is missing, so the run has not ended; go on with --load latest")
    mean, log_variance = read_latents(path)
    expected = (particles.n_particles, run.latent.dim)
    if mean.shape != expected:
        raise RunError(f"{path}: holds latents of shape {mean.shape}, the run has {expected}")
    return mean, log_variance
