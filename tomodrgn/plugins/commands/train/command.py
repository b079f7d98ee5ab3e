"""Training: from a run spec to a run directory."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import torch

from tomodrgn.core.data.checkups import Checkups
from tomodrgn.core.data.ctf_state import with_ctf_state
from tomodrgn.core.data.damaged import leave_out_damaged
from tomodrgn.core.data.dataset import Dataset
from tomodrgn.core.data.describe import dataset_facts, describe_run
from tomodrgn.core.data.parts import (
    build_model,
    build_weightings,
    require_sound,
    run_disc,
    say_tilt_counts,
    settle_encoder,
    tilts_per_particle,
)
from tomodrgn.core.data.run import Run
from tomodrgn.core.data.run_images import RunImages, open_run_images
from tomodrgn.core.data.start import (
    SavedState,
    begin_run,
    choose_seed,
    find_start,
    require_same_particles,
    set_results_aside,
)
from tomodrgn.core.display import logging_to
from tomodrgn.core.errors import RunError
from tomodrgn.core.files.atomic import append_line
from tomodrgn.core.files.mrc import write_volume
from tomodrgn.core.files.pickles import write_latents
from tomodrgn.core.invocation import text_of_call
from tomodrgn.core.memory.work import training_work
from tomodrgn.core.model.evaluation import decode_volumes
from tomodrgn.core.ownership.call import remove
from tomodrgn.core.particles.splits import train_mask
from tomodrgn.core.products import DAMAGED_IMAGES, INTERRUPTED, LOG, METRICS
from tomodrgn.core.training.checkpoint import Checkpoint, save_checkpoint
from tomodrgn.core.training.devices import Devices
from tomodrgn.core.training.dose_mask import kept_coefficients
from tomodrgn.core.training.embedding import EMBEDDING_BATCH, embed_together
from tomodrgn.core.training.held_out import HeldOutTilts
from tomodrgn.core.training.loop import EpochReport, TrainingLoop
from tomodrgn.core.training.sampling import Sampler
from tomodrgn.core.training.step import Stepper
from tomodrgn.core.training.tilt_batch import TiltBatchBuilder
from tomodrgn.core.training.warm_start import parameter_groups
from tomodrgn.plugins.commands.train.exporting import export_run
from tomodrgn.plugins.commands.train.pictures import (
    draw_run_report,
    draw_training_curves,
    draw_weighting_schemes,
)
from tomodrgn.plugins.commands.train.refined import refined_particles
from tomodrgn.plugins.commands.train.training_log import TrainingLog
from tomodrgn.plugins.commands.train.warm import WarmStart, is_warm

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from tomodrgn.core.ownership.results import ResultsFolder
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.specs.output import RunDirectorySpec
    from tomodrgn.core.specs.run import RunSpecBase

logger = logging.getLogger(__name__)


def train(dataset: Dataset, spec: RunDirectorySpec) -> Run:
    """Train a volume model and write its run directory.

    Args:
        dataset: what to train on, and how; without an encoder one volume is learned.
        spec: where to; the run directory is made where there is none.

    Raises:
        RunError: the directory already holds a run, or the run cannot go on.
        DataError: the particles or their images cannot be used.
        OutputError: the directory cannot be written.
        SystemExit: a signal stopped the run; its state is saved.
    """
    run, outdir = dataset.spec, spec.outdir
    require_sound(run)
    devices = Devices(run.devices)
    if run.seed is None:
        run = run.model_copy(update={"seed": choose_seed(run, outdir, devices)})
    log = outdir / LOG if devices.is_main else None
    with logging_to(log, verbose=run.training.verbose) as begin_log:
        with devices.agreement():
            start = find_start(run, outdir)
            training = _Training(dataset.with_spec(run), outdir, devices, is_new=start is None)
            if start is not None and not (start.path.parent / DAMAGED_IMAGES).exists():
                require_same_particles(start, training.facts, training.particles.source)
        devices.on_main(lambda: training.begin(begin_log))
        stopped_by = training.run(start)
    if stopped_by is not None:
        raise SystemExit(128 + stopped_by if devices.is_main else 0)
    return Run(outdir, dataset.registry)


class _Training:
    """One run: its parts, and what happens after epochs. It writes nothing before :meth:`run`."""

    images: RunImages
    checkups: Checkups
    results: ResultsFolder

    def __init__(self, dataset: Dataset, outdir: Path, devices: Devices, *, is_new: bool) -> None:
        self.outdir = outdir
        self.devices = devices
        logger.info("%s", text_of_call())
        logger.info("training on %s", devices.describe())
        self.registry = dataset.registry
        self.is_new = is_new
        self.reader, particles = dataset.selected
        run = with_ctf_state(dataset.spec, particles)
        self._asked = run
        self._assemble(run, particles)

    @property
    def dataset(self) -> Dataset:
        """What is trained on, as it is known by now."""
        known = self.reader, self.particles
        return Dataset(self.run_spec, self.registry, known=known)

    def _assemble(self, run: RunSpecBase, particles: ParticleSet) -> None:
        """Everything that depends on which particles and images there are."""
        registry, devices = self.registry, self.devices
        self.run_spec, self.particles = run, particles
        train_images = train_mask(particles, run.dataset.fraction_train, run.seed or 0)
        self.facts = dataset_facts(particles, train_images)
        self.run_spec = run = settle_encoder(run, self.facts)
        self.disc = disc = run_disc(run, self.facts.box_size_px)
        self.model = build_model(run, registry, self.facts).to(devices.device, devices.dtype)
        begins_warm = self.is_new and is_warm(run)
        self.warm_start = WarmStart(self.dataset, self.model) if begins_warm else None
        kept = kept_coefficients(particles, disc, dose_mask=run.training.l_dose_mask)
        self.builder = TiltBatchBuilder(
            particles,
            disc,
            weightings=build_weightings(run, registry, self.facts),
            kept=kept,
            dtype=devices.dtype,
            device=devices.device,
        )
        n_tilts = tilts_per_particle(run, self.model, self.facts)
        say_tilt_counts(particles, getattr(self.model.encoder, "n_tilts", None))

        def sampler(usable: NDArray[np.bool_]) -> Sampler:
            return Sampler(
                particles, kept=kept, usable=usable, sample_ntilts=n_tilts, seed=run.seed or 0
            )

        self.sampler = sampler(train_images)
        self.held_out = None if train_images.all() else sampler(~train_images)
        self.log = TrainingLog(run.training, has_latents=run.latent.dim is not None)

    def begin(self, begin_log: Callable[[], None]) -> None:
        """Make the run directory, which this process alone writes to from now on."""
        self.results = begin_run(self.outdir, begin_log)

    def run(self, saved: SavedState | None) -> int | None:
        """Train, write the final results; the signal that stopped the run, if one did."""
        self.images = self._open_images()
        if saved is None:
            self.devices.on_main(lambda: set_results_aside(self.results, self.run_spec))
        self._leave_out_damaged(saved)
        self.particles = refined_particles(
            self.dataset, self.images, self.outdir, self.devices, self.warm_start or saved is None
        )
        self.builder = self.builder.of(self.particles)
        self.checkups = self._prepare_checkups()
        optimizer = torch.optim.AdamW(
            parameter_groups(self.model) if self._is_taught(saved) else self.model.parameters(),
            lr=self.run_spec.training.lr,
            weight_decay=self.run_spec.training.wd,
            fused=True,
        )
        stepper = Stepper(self.model, optimizer, self.devices)
        start = None if saved is None else self._restore(stepper, *saved)
        self.devices.on_main(self._begin_directory)
        if self.warm_start is not None:
            self.warm_start.teach(
                self.outdir, self.images, self.sampler, self.builder, self.devices
            )
        loop = self._loop(stepper)
        began = time.perf_counter()
        with self.log.showing():
            stopped_by = loop.run(start)
        if stopped_by is None:
            self._finish(stepper, time.perf_counter() - began, start)
        else:
            logger.info("stopped by %s; go on with --load latest", stopped_by.name)
        return stopped_by

    def _loop(self, stepper: Stepper) -> TrainingLoop:
        """What goes through the epochs."""
        return TrainingLoop(
            stepper=stepper,
            sampler=self.sampler,
            builder=self.builder,
            source=self.images.source,
            cache_rows=self.images.cache_rows,
            training=self.run_spec.training,
            latent=self.run_spec.latent,
            norm=self.images.norm,
            on_progress=self.log.progress,
            on_epoch=self._after_epoch,
            on_checkpoint=self._save_interrupted,
        )

    def _leave_out_damaged(self, saved: SavedState | None) -> None:
        """Go on without images that turned out to be damaged, as a saved state did."""
        run, particles, self.images = leave_out_damaged(
            self._asked, self.particles, self.images, self.outdir, self.devices
        )
        if run is not self._asked:
            self._assemble(run, particles)
        if saved is not None:
            with self.devices.agreement():
                require_same_particles(saved, self.facts, self.particles.source)

    def _open_images(self) -> RunImages:
        """The images of the run, with room beside them for the work on them."""
        work = training_work(
            self.run_spec,
            self.model,
            self.particles,
            self.devices,
            embedding_batch=EMBEDDING_BATCH,
        )
        return open_run_images(
            self.run_spec, self.reader, self.particles, self.outdir, self.devices, work=work
        )

    def _is_taught(self, saved: SavedState | None) -> bool:
        """Whether encoder and decoder learn at rates of their own, as in the run gone on with."""
        if saved is None:
            return self.warm_start is not None
        optimizer = saved.checkpoint.optimizer
        return optimizer is not None and len(optimizer["param_groups"]) > 1

    def _prepare_checkups(self) -> Checkups:
        """What is measured at checkpoints."""
        held_out = None
        if self.held_out is not None:
            images = self.images
            held_out = HeldOutTilts(
                self.sampler,
                self.held_out,
                self.builder,
                self.disc,
                source=images.source,
                cache_rows=images.cache_rows,
            )
        return Checkups(self.outdir, self.run_spec, self.facts, self.model, self.devices, held_out)

    def _begin_directory(self) -> None:
        """Describe the run."""
        self._describe_run()
        draw_weighting_schemes(
            self.outdir,
            self.particles,
            self.builder.weightings,
            largest_radius_px=float(self.builder.radius_px[-1]),
        )

    def _describe_run(self) -> None:
        """Write what later commands and people need to know of the run."""
        describe_run(self.outdir, self.dataset, facts=self.facts, images=self.images)
        n_weights = sum(p.numel() for p in self.model.parameters())
        logger.info(
            "%d weights, seed %d, results in %s", n_weights, self.run_spec.seed, self.outdir
        )

    def _restore(self, stepper: Stepper, path: Path, checkpoint: Checkpoint) -> Checkpoint:
        """Put the state to go on from into the model and the optimizer."""
        with self.devices.agreement():
            try:
                self.model.load_state_dict(checkpoint.model)
                if checkpoint.optimizer is not None:
                    stepper.optimizer.load_state_dict(checkpoint.optimizer)
            except (RuntimeError, ValueError) as error:
                raise RunError(
                    f"{path}: these weights belong to another model than the run spec describes; "
                    "give the options of that run, or its run.yaml with --spec"
                ) from error
        if checkpoint.scaler:
            stepper.scaler.load_state_dict(checkpoint.scaler)
        logger.info("going on from %s, epoch %d", path, checkpoint.next_epoch + 1)
        return checkpoint

    def _after_epoch(self, report: EpochReport, checkpoint: Checkpoint) -> None:
        self.log.epoch(report)
        self.devices.on_main(lambda: self._write_metrics(report))
        if report.epoch % self.run_spec.training.checkpoint == 0:
            self._write_results(checkpoint, f".{report.epoch}")

    def _write_metrics(self, report: EpochReport) -> None:
        append_line(self.outdir / METRICS, json.dumps(asdict(report)))

    def _save_interrupted(self, checkpoint: Checkpoint) -> None:
        path = self.outdir / INTERRUPTED
        self.devices.on_main(lambda: save_checkpoint(path, checkpoint))
        logger.info("state saved in %s", path)

    def _finish(self, stepper: Stepper, seconds: float, start: Checkpoint | None) -> None:
        training = self.run_spec.training
        first = 0 if start is None else start.next_epoch
        final = Checkpoint(
            epoch=max(training.num_epochs, first) - 1,
            batches_done=None,
            model=self.model.state_dict(),
            optimizer=stepper.optimizer.state_dict(),
            scaler=stepper.scaler.state_dict(),
            sums=[],
            norm=self.images.norm,
        )
        self._write_results(final, "")
        self.devices.on_main(self._conclude)
        n_epochs = max(1, training.num_epochs - first)
        self.log.finished(seconds, seconds / n_epochs)

    def _conclude(self) -> None:
        """Draw, export and report what the finished run leaves."""
        draw_training_curves(self.outdir, self.outdir / METRICS)
        remove(self.outdir / INTERRUPTED)
        finished = Run(self.outdir, self.registry, dataset=self.dataset)
        export_run(finished)
        draw_run_report(finished, self.devices.device, wanted=self.run_spec.training.report)
        self.results.complete()

    def _write_results(self, checkpoint: Checkpoint, label: str) -> None:
        """Weights with latents or, for a model without encoder, with its volume.

        All processes embed and measure, the main process writes.
        """
        on_main = self.devices.on_main
        if self.model.encoder is None:
            on_main(lambda: self._write_volume(self.outdir / f"reconstruct{label}.mrc"))
        else:
            latents = self._write_latents(self.sampler, self.outdir / f"z{label}.pkl")
            if self.held_out is not None:
                self._write_latents(self.held_out, self.outdir / f"z{label}.test.pkl")
            self.checkups.write(checkpoint.epoch, *latents)
        on_main(lambda: save_checkpoint(self.outdir / f"weights{label}.pkl", checkpoint))

    def _write_latents(
        self, sampler: Sampler, path: Path
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        mean, log_variance = embed_together(
            self.model,
            sampler,
            self.builder,
            self.images.source,
            self.images.cache_rows,
            batch_size=EMBEDDING_BATCH,
            latent_dim=self.run_spec.latent.dim or 0,
            devices=self.devices,
        )
        self.devices.on_main(lambda: write_latents(path, mean, log_variance))
        return mean, log_variance

    def _write_volume(self, path: Path) -> None:
        (volume,) = decode_volumes(
            self.model,
            None,
            box_size_px=self.facts.box_size_px,
            extent=self.run_spec.preparation.l_extent,
            scale=self.images.norm[1],
        )
        write_volume(path, volume[0].float().cpu().numpy(), self.facts.pixel_size_a)
