"""A run: its directory, opened once, from which every verb takes what it needs."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tomodrgn.core.commands import fields_of
from tomodrgn.core.data.as_recorded import innermost, select_as_recorded
from tomodrgn.core.data.calls import PythonCommand
from tomodrgn.core.data.paths import found_paths
from tomodrgn.core.data.run_directory import find_run_directory, read_run
from tomodrgn.core.data.selected import SelectedParticles, particle_index, selected_rows
from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.files.pickles import read_latents
from tomodrgn.core.interfaces import Reader, ReaderContext, RunResults
from tomodrgn.core.ownership.undamaged import note_run_opened, require_as_made, require_of_run
from tomodrgn.core.particles.identity import particles_digest
from tomodrgn.core.products import LATENTS, REFINED_POSES, RUN_SPEC, WEIGHTS
from tomodrgn.core.recorded import parse_recorded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd
    import torch
    from numpy.typing import ArrayLike, NDArray

    from tomodrgn.core.data.dataset import Dataset
    from tomodrgn.core.data.run_directory import DatasetFacts, RunRecord
    from tomodrgn.core.model.volume_model import VolumeModel
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.registry import Registry
    from tomodrgn.core.specs.run import RunSpecBase
    from tomodrgn.core.training.checkpoint import Checkpoint


class Run:
    """A run directory. What it holds is read when it is first asked for, and kept.

    Nothing is computed or written here: verbs do that with what a run gives them.

    Attributes:
        directory: the run directory.
        registry: offers the parts that the run is made of.
    """

    def __init__(
        self, directory: Path, registry: Registry, *, dataset: Dataset | None = None
    ) -> None:
        """Of a directory, or of a file in it.

        Args:
            directory: the run directory, or its run.yaml or config.pkl.
            registry: offers the parts.
            dataset: its input, where that has been read.

        Raises:
            RunError: there is no run.
        """
        self.directory = find_run_directory(directory, directory)
        note_run_opened(self.directory)
        self.registry = registry
        self._known = dataset

    def __repr__(self) -> str:
        """Where it lies, and what it was trained on."""
        facts = self.facts
        dim = self.spec.latent.dim
        plural = "" if dim == 1 else "s"
        latents = "no latents" if dim is None else f"{dim} latent dimension{plural}"
        return (
            f"Run({str(self.directory)!r}: {facts.n_particles} particles, {latents}, "
            f"box {facts.box_size_px} px, {facts.pixel_size_a:.4g} A/px)"
        )

    @cached_property
    def record(self) -> RunRecord:
        """``run.yaml`` and ``manifest.json`` as they stand.

        Raises:
            RunError: either is missing or damaged, or of a later version of the program.
        """
        return read_run(self.directory)

    @property
    def facts(self) -> DatasetFacts:
        """What the model has to know of its data."""
        return self.record.facts

    @cached_property
    def spec(self) -> RunSpecBase:
        """The resolved run spec, whose files are those that can be found from here.

        Parts of plugins that are gone stand in it as they were written; building one says so.
        """
        if self._known is not None:
            return self._known.spec
        return found_paths(parse_recorded(self.record.spec, self.registry), self.record.origin)

    @cached_property
    def dataset(self) -> Dataset:
        """The input of the run, with its tilt images.

        Raises:
            DataError: it can no longer be read.
            RunError: it has changed since.
        """
        from tomodrgn.core.data.dataset import Dataset  # torch takes seconds to import

        dataset = self._known or Dataset(self.spec, self.registry)
        self._require_own(dataset.particles)
        reader, particles = dataset.selected
        return dataset.replaced(dataset.spec, reader, self._as_refined(particles))

    @property
    def particles(self) -> ParticleSet:
        """The particles that the run was trained on, in the order of its latents."""
        return self._listed[1]

    @property
    def reader(self) -> Reader:
        """Reads the input of the run; its tilt images may be missing."""
        return self._listed[0]

    @cached_property
    def z(self) -> NDArray[np.float32] | None:
        """(B, Z) posterior mean of the latent of each particle; None for one structure."""
        return self._final_latents[0]

    @property
    def latents(self) -> pd.DataFrame:
        """Posterior means as a table with columns z0, z1, ..., by tomogram and particle.

        Raises:
            RunError: the model is of one structure.
        """
        import pandas as pd

        return pd.DataFrame(
            self._require_latents(),
            index=particle_index(self.particles),
            columns=[f"z{k}" for k in range(self.spec.latent.dim or 0)],
        )

    @cached_property
    def log_variance(self) -> NDArray[np.float32] | None:
        """(B, Z) logarithm of the posterior variance."""
        return self._final_latents[1]

    @property
    def weights(self) -> Path:
        """File of the final weights."""
        return self.directory / WEIGHTS

    def image_reader(self) -> Reader:
        """A reader of the images as they are in their files, by ``source_image``.

        Raises:
            DataError: they can no longer be read.
        """
        if "dataset" in self.__dict__:
            return innermost(self.dataset.reader)
        reader: Reader = self.registry.build(self.spec.reader, ReaderContext())
        reader.read()
        return reader

    def results(self, latents_file: Path | None = None) -> RunResults:
        """What exporters and analyses take of a run; images of its particles are not needed.

        Args:
            latents_file: latents of one of its epochs; the final ones by default.

        Raises:
            RunError: there is no finished run, or its input has changed since.
            DataError: the input can no longer be read.
        """
        particles = self.particles
        if latents_file is None:
            latents, log_variance = self._final_latents
        else:
            latents, log_variance = self._read_latents(latents_file)
        return RunResults(
            directory=self.directory,
            spec=self.spec.model_dump(mode="json"),
            particles=particles,
            latents=latents,
            log_variance=log_variance,
            reader=self.reader,
        )

    def model(self, weights: Path | None = None) -> tuple[VolumeModel, Checkpoint]:
        """The model with weights of one of its epochs, the last by default, on the CPU.

        Raises:
            RunError: the weights are missing, or those of another run.
        """
        from tomodrgn.core.data.parts import build_model
        from tomodrgn.core.training.checkpoint import load_checkpoint

        path = weights or self.weights
        require_as_made(path)
        checkpoint = load_checkpoint(path)
        require_of_run(path, self.directory, "weights")
        model = build_model(self.spec, self.registry, self.facts)
        try:
            model.load_state_dict(checkpoint.model)
        except RuntimeError as error:
            raise RunError(f"{path}: not the weights of the run in {self.directory}") from error
        return model.eval(), checkpoint

    def decode(
        self,
        latents: NDArray[np.float32] | None,
        *,
        weights: Path | None = None,
        device: torch.device | None = None,
        max_box_px: int | None = None,
    ) -> Iterator[NDArray[np.float32]]:
        """(D, D, D) volumes at latents (V, Z), one after the other.

        Args:
            latents: None for a model of one structure, which has one volume.
            weights: of one of its epochs; the final ones by default.
            device: where to decode; the CPU by default.
            max_box_px: even box to which larger volumes are cropped in Fourier space.

        Raises:
            RunError: the weights are missing, or those of another run.
        """
        import torch

        from tomodrgn.core.model.evaluation import decode_volumes

        model, checkpoint = self.model(weights)
        device = device or torch.device("cpu")
        box = self.facts.box_size_px
        batches = decode_volumes(
            model.to(device),
            None if latents is None else torch.tensor(latents).to(device),
            box_size_px=box,
            output_box_px=min(max_box_px or box, box),
            extent=self.spec.preparation.l_extent,
            scale=checkpoint.norm[1],
            batch_size=8,
        )
        for batch in batches:
            yield from batch.float().cpu().numpy()

    def volume(self, z: ArrayLike | None = None) -> NDArray[np.float32]:
        """The (D, D, D) volume at a latent.

        Args:
            z: (Z,) latent, such as a row of :attr:`latents` or their mean; None for the one
                volume of a model of one structure.

        Raises:
            RunError: the weights are missing.
            DataError: the latent has another number of dimensions.
        """
        if z is None:
            if self.spec.latent.dim is not None:
                raise RunError(f"{self.directory}: volumes depend on the latent; give one")
            return next(self.decode(None))
        volume: NDArray[np.float32] = self.volumes(np.atleast_2d(np.asarray(z)))[0]
        return volume

    def volumes(self, z: ArrayLike) -> NDArray[np.float32]:
        """(V, D, D, D) volumes at latents (V, Z), such as some rows of :attr:`latents`.

        Raises:
            RunError: the weights are missing, or the model is of one structure.
            DataError: latents have another number of dimensions.
        """
        latents = np.asarray(z, dtype=np.float32)
        dim = self._require_latents().shape[1]
        if latents.ndim != 2 or latents.shape[1] != dim:  # noqa: PLR2004  rows of numbers
            raise DataError(f"latents have shape {latents.shape}, the model takes rows of {dim}")
        return np.stack(list(self.decode(latents)))

    def select(self, which: ArrayLike) -> SelectedParticles:
        """Some of its particles, to be written for other commands.

        Args:
            which: a mask (B,) of its particles, their rows (n,), or part of :attr:`latents`.

        Raises:
            DataError: it names no particles of the run.
        """
        rows = selected_rows(which, self.particles)
        return SelectedParticles(self.particles, rows, innermost(self.reader))

    def __getattr__(self, name: str) -> Any:
        """A command as a method: ``run.validate(labels="labels.pkl")``."""
        registry = self.__dict__.get("registry")
        record = None if registry is None else registry.commands.get(name)
        if record is None or not record.is_step or "run" not in fields_of(record):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return PythonCommand(record, self.registry, self)

    def __dir__(self) -> list[str]:
        """What it has, and the commands that work on runs."""
        commands = self.registry.commands.items()
        return sorted({*super().__dir__(),
                       *(name for name, each in commands if "run" in fields_of(each))})  # fmt: skip

    @cached_property
    def _listed(self) -> tuple[Reader, ParticleSet]:
        """Reader and particles, from metadata alone unless the images are known already."""
        if self._known is not None or "dataset" in self.__dict__:
            return self.dataset.selected
        reader: Reader = self.registry.build(self.spec.reader, ReaderContext(needs_images=False))
        try:
            everyone = reader.read()
        except DataError as error:
            error.add_note(
                f"it is the input that {self.directory / RUN_SPEC} names; put it back, or correct "
                "reader.path there"
            )
            raise
        particles = select_as_recorded(everyone, self.spec, self.facts)
        self._require_own(particles)
        return reader, self._as_refined(particles)

    def _as_refined(self, particles: ParticleSet) -> ParticleSet:
        """Particles in the poses that the run refined, where it did."""
        if not (self.directory / REFINED_POSES).exists():
            return particles
        from tomodrgn.core.data.refining import as_refined  # torch takes seconds to import

        return as_refined(self.directory, particles)

    def _require_latents(self) -> NDArray[np.float32]:
        if self.z is None:
            raise RunError(f"{self.directory}: is a model of one structure and has no latents")
        return self.z

    @cached_property
    def _final_latents(self) -> tuple[NDArray[np.float32] | None, NDArray[np.float32] | None]:
        return self._read_latents(self.directory / LATENTS)

    def _read_latents(
        self, path: Path
    ) -> tuple[NDArray[np.float32] | None, NDArray[np.float32] | None]:
        """Mean and log variance of latents; None for a model of one structure."""
        dim = self.spec.latent.dim
        if dim is None:
            return None, None
        if not path.exists():
            raise RunError(
                f"{path}: is missing, so the run has not ended; go on with --load latest"
            )
        require_of_run(path, self.directory, "latents")
        mean, log_variance = read_latents(path)
        expected = (self.facts.n_particles, dim)
        if mean.shape != expected:
            raise RunError(f"{path}: holds latents of shape {mean.shape}, the run has {expected}")
        return mean, log_variance

    def _require_own(self, particles: ParticleSet) -> None:
        """Refuse an input that no longer gives the particles of the run in their order."""
        facts = self.facts
        found = particles.n_particles, particles.n_images, particles_digest(particles)
        trained = facts.n_particles, facts.n_images, facts.particles_sha256 or found[2]
        if found != trained:
            raise RunError(
                f"{particles.source}: has changed since the run in {self.directory}, which was "
                f"trained on {trained[1]} images of {trained[0]} particles; found {found[1]} of "
                f"{found[0]}, perhaps in another order; put the file of that time back"
            )
