"""A run that starts from a linear model: finding or making it, and teaching the networks."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.commands import resolve_run
from tomodrgn.core.data.dataset import Dataset
from tomodrgn.core.data.run import Run
from tomodrgn.core.errors import RunError, SpecError
from tomodrgn.core.interfaces import Posterior, WarmStarting
from tomodrgn.core.particles.identity import match_particles
from tomodrgn.core.particles.image_state import contrast_sign
from tomodrgn.core.particles.selection import leave_out
from tomodrgn.core.products import CACHE, LINEAR_START
from tomodrgn.core.specs.output import RunDirectorySpec
from tomodrgn.core.training.warm_start import Teacher, fit_decoder, fit_encoder
from tomodrgn.plugins.commands.train.linear import train_linear

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.data.run_images import RunImages
    from tomodrgn.core.model.volume_model import VolumeModel
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.specs.run import RunSpecBase
    from tomodrgn.core.training.devices import Devices
    from tomodrgn.core.training.sampling import Sampler
    from tomodrgn.core.training.tilt_batch import TiltBatchBuilder

logger = logging.getLogger(__name__)

"""Folder of a run directory with the linear run that was made to start from."""
_KIND: Final = "linear_volumes"
_SHARED_SECTIONS: Final = (
    *("reader", "dataset", "preparation", "image_state", "contrast", "refinement", "cache"),
    *("devices", "seed"),
)


def is_warm(run: RunSpecBase) -> bool:
    """Whether a run starts from a linear model."""
    return run.training.init == "linear" or run.training.init_from is not None


class WarmStart:
    """What a new run starts from; faults show when it is made, before anything is written.

    Args:
        dataset: of the run.
        model: the networks that are to be taught.

    Raises:
        SpecError: a part of the model cannot be taught.
        RunError: the run to start from is none of train_linear, or its images differ.
        DataError: it does not know all the particles.
    """

    def __init__(self, dataset: Dataset, model: VolumeModel) -> None:
        _require_teachable(dataset.spec, model)
        self.run, self.registry, self.model = dataset.spec, dataset.registry, model
        self.particles, run = dataset.particles, dataset.spec
        self._known: Run | None = None
        self._is_made = False
        if run.training.init_from is not None:
            self._known = self._open(run.training.init_from)

    def teach(
        self,
        outdir: Path,
        images: RunImages,
        sampler: Sampler,
        builder: TiltBatchBuilder,
        devices: Devices,
    ) -> None:
        """Make the linear model where none was given, and teach it to the networks."""
        self.find(outdir, devices)
        with devices.agreement():
            self._known = self._known or self._open(outdir / LINEAR_START)
            teacher = self._teacher(self._known, images.norm[1], devices)
        devices.on_main(lambda: self._fit(teacher, images, sampler, builder, devices))
        if devices.n_ranks > 1:
            self.model.load_state_dict(devices.broadcast(self.model.state_dict()))

    def find(self, outdir: Path, devices: Devices) -> Path:
        """The directory of the linear model, which is made in one of a run where none was given."""
        if self._known is not None:
            return self._known.directory
        if not self._is_made:
            devices.on_main(lambda: self._make(outdir))
            self._is_made = True
        return outdir / LINEAR_START

    def _fit(
        self,
        teacher: Teacher,
        images: RunImages,
        sampler: Sampler,
        builder: TiltBatchBuilder,
        devices: Devices,
    ) -> None:
        began = time.perf_counter()
        error = fit_decoder(
            self.model,
            teacher,
            builder.disc_freqs.to(builder.dtype),
            devices=devices,
            seed=self.run.seed or 0,
        )
        logger.info(
            "decoder taught the volumes of the linear model in %.1f s: %.1f %% of their power "
            "missing",
            time.perf_counter() - began,
            100 * error,
        )
        began = time.perf_counter()
        divergence = fit_encoder(
            self.model,
            teacher,
            sampler,
            builder,
            source=images.source,
            cache_rows=images.cache_rows,
            devices=devices,
        )
        logger.info(
            "encoder taught its latents in %.1f s: %.2g nats from them",
            time.perf_counter() - began,
            divergence,
        )

    def _make(self, outdir: Path) -> None:
        """Fit a linear model to the images of this run."""
        data = self.run.model_dump()
        shared = {name: data[name] for name in _SHARED_SECTIONS}
        shared["cache"] |= {"path": self.run.cache.path or outdir / CACHE}
        shared["devices"] |= {"devices": 1, "nodes": 1, "multigpu": False}
        verbose = self.run.training.verbose
        shared["training"] = {"overwrite": True, "verbose": verbose, "report": False}
        linear = resolve_run("train_linear", shared, registry=self.registry)
        train_linear(Dataset(linear, self.registry), RunDirectorySpec(outdir=outdir / LINEAR_START))

    def _open(self, directory: Path) -> Run:
        """The linear run in a directory, if it is one and has the images of this one."""
        known = Run(directory, self.registry)
        if known.spec.decoder.kind != _KIND or known.z is None:
            raise RunError(
                f"{directory}: is no run of train_linear (its decoder is "
                f"{known.spec.decoder.kind}); give one with --init-from, or let one be made "
                "with --init linear"
            )
        found, wanted = _images_of(known.particles), _images_of(self.particles)
        if found != wanted:
            raise RunError(
                f"{directory}: its images have box, pixel size and contrast {found}, those of this "
                f"run {wanted}; fit the linear model with the same data options"
            )
        listed = known.spec.dataset.leave_out_imgs  # damaged, as this run will find too
        match_particles(known.particles, leave_out(self.particles, listed))
        self._warn_of_seen_tilts(known)
        return known

    def _warn_of_seen_tilts(self, known: Run) -> None:
        """Say so where the linear model was fitted to tilts that this run holds out."""
        mine = (self.run.dataset.fraction_train, self.run.seed)
        if mine[0] < 1 and mine != (known.spec.dataset.fraction_train, known.spec.seed):
            logger.warning(
                "%s: was fitted to tilts that this run holds out, so that they predict too well; "
                "fit it with --fraction-train %g --seed %s too, or let it be made with --init "
                "linear",
                known.directory, *mine,
            )  # fmt: skip

    def _teacher(self, known: Run, scale: float, devices: Devices) -> Teacher:
        """The linear model in the order and the intensities of this run."""
        model, weights = known.model()
        rows = match_particles(known.particles, self.particles)

        def of_run(values: NDArray[np.float32] | None) -> Tensor:
            found = np.asarray(values)[rows]
            return torch.from_numpy(found).to(devices.device, devices.dtype)

        return Teacher(
            model=model.to(devices.device, devices.dtype).requires_grad_(False),
            posterior=Posterior(of_run(known.z), of_run(known.log_variance)),
            latent_dim=self.run.latent.dim or 0,
            scale=weights.norm[1] / scale,
        )


def _require_teachable(run: RunSpecBase, model: VolumeModel) -> None:
    """Refuse parts that do not say that they can learn from another model."""
    if model.encoder is None:
        raise SpecError("training.init: one structure needs no linear model; leave --init out")
    for name in ("encoder", "decoder"):
        part = getattr(model, name)
        if not (isinstance(part, WarmStarting) and part.can_start_warm):
            raise SpecError(
                f"training.init: {name} {getattr(run, name).kind!r} cannot start from a "
                "linear model; leave --init and --init-from out"
            )


def _images_of(particles: ParticleSet) -> tuple[int, float, int]:
    sign = contrast_sign(particles)
    return particles.box_size_px, round(particles.pixel_size_a, 4), sign
