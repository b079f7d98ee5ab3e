"""What trainings without a loop over images share: their images, opened, and a linear model."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from tomodrgn.core.data.ctf_state import with_ctf_state
from tomodrgn.core.data.damaged import leave_out_damaged
from tomodrgn.core.data.describe import dataset_facts
from tomodrgn.core.data.observing import observe, window_power
from tomodrgn.core.data.outlying import outliers_of, without_outliers
from tomodrgn.core.data.refining import errors_of, refine, verdict_of
from tomodrgn.core.data.run_images import open_run_images
from tomodrgn.core.data.start import begin_run, choose_seed, find_start, set_results_aside
from tomodrgn.core.display import logging_to
from tomodrgn.core.invocation import text_of_call
from tomodrgn.core.linear.fit import FEWEST_PER_LATENT, MOST_LATENTS, SPARE_LATENTS, fit_linear
from tomodrgn.core.linear.rare import rare_probability
from tomodrgn.core.memory.work import linear_work
from tomodrgn.core.particles.keyed_random import keyed_normal, particle_keys
from tomodrgn.core.particles.outliers_file import CALLED
from tomodrgn.core.particles.splits import train_mask
from tomodrgn.core.products import GROUPS, LOG, OUTLIERS
from tomodrgn.core.reconstruction.halves import rows_of_halves
from tomodrgn.core.refinement.joint_terms import UncertainPoses
from tomodrgn.core.training.devices import Devices

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.data.dataset import Dataset
    from tomodrgn.core.data.run_directory import DatasetFacts
    from tomodrgn.core.data.run_images import RunImages
    from tomodrgn.core.linear.fit import LinearFit
    from tomodrgn.core.linear.observations import Observations
    from tomodrgn.core.outliers.found import Outliers
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.refinement.rounds import Refinement
    from tomodrgn.core.refinement.verdict import Verdict
    from tomodrgn.core.specs.run import RunSpecBase

_MAX_RARE: Final = 0.15
"""Part of the particles up to which a state is called rare."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """Images that a model is to be fitted to, opened, and where its results go.

    Attributes:
        dataset: what they are of, and how they are to be fitted.
        particles: of the dataset, without damaged images.
        outdir: the run directory.
        devices: where to compute.
        facts: of the particles.
        rows: (n,) particles of each of two halves.
        is_trained: (M,) which of the images are not held out.
        images: all of them.
    """

    dataset: Dataset
    particles: ParticleSet
    outdir: Path
    devices: Devices
    facts: DatasetFacts
    rows: tuple[NDArray[np.int64], NDArray[np.int64]]
    is_trained: NDArray[np.bool_]
    images: RunImages

    @property
    def run(self) -> RunSpecBase:
        """What was asked for."""
        return self.dataset.spec

    @property
    def window_power(self) -> float:
        """Mean square of the window of the images."""
        return window_power(self.run.preparation, self.particles.box_size_px)

    def with_run(self, run: RunSpecBase) -> Task:
        """The same with what is known of the run by now."""
        reader = self.dataset.selected[0]
        return replace(self, dataset=self.dataset.replaced(run, reader, self.particles))

    def observed(self) -> Observations:
        """The images that are not held out, in the poses that the input states."""
        return observe(self.run, self.particles, self.images, self.is_trained, self.devices)

    def normal(self, purpose: str, n_columns: int) -> NDArray[np.float32]:
        """(B, n) standard normal numbers for a purpose; they go with particles, in any order."""
        keys = particle_keys(self.particles.tomogram, self.particles.name)
        return keyed_normal(self.run.seed or 0, purpose, 0, keys, n_columns)


@contextmanager
def opened_task(dataset: Dataset, outdir: Path, *, n_latents: int | None) -> Iterator[Task]:
    """Open the images of a run that is fitted at once; its directory is complete when all is done.

    Args:
        dataset: what to fit, and how.
        outdir: the run directory; it is made where there is none.
        n_latents: of the linear model; None finds it.

    Raises:
        RunError: the directory already holds a run.
        DataError: the particles or their images cannot be used, or are too few.
        OutputError: the directory cannot be written.
    """
    run = dataset.spec
    devices = Devices(run.devices, alone=True)
    if run.seed is None:
        run = run.model_copy(update={"seed": choose_seed(run, outdir, devices)})
    find_start(run, outdir, can_go_on=False)
    with logging_to(outdir / LOG, verbose=run.training.verbose) as begin_log:
        logger.info("%s", text_of_call())
        reader, particles = dataset.with_spec(run).selected
        run = with_ctf_state(run, particles)
        _halves(particles, run, n_latents)  # too few show before anything is written
        results = begin_run(outdir, begin_log)
        n_maps = None if n_latents is None else 1 + n_latents
        work = linear_work(run, particles, devices.device, n_maps=n_maps)
        images = open_run_images(run, reader, particles, outdir, devices, work=work)
        set_results_aside(results, run)
        run, particles, images = leave_out_damaged(run, particles, images, outdir, devices)
        is_trained = train_mask(particles, run.dataset.fraction_train, run.seed or 0)
        yield Task(
            dataset=dataset.replaced(run, reader, particles),
            particles=particles,
            outdir=outdir,
            devices=devices,
            facts=dataset_facts(particles, is_trained),
            rows=_halves(particles, run, n_latents),
            is_trained=is_trained,
            images=images,
        )
        results.complete()


class Found(NamedTuple):
    """A linear model, what is to be thought of it, and the images that it was fitted to.

    Attributes:
        errors: of poses and contrast, which its latents allow for.
    """

    fit: LinearFit
    verdict: Verdict
    refined: Refinement | None
    outliers: Outliers
    images: Observations
    errors: UncertainPoses
    rare: NDArray[np.float64] | None

    def lines(self) -> list[str]:
        """What was found, in words."""
        n_particles = len(self.fit.latents.mean)
        lines = [*self.outliers.lines(OUTLIERS), *self.verdict.lines(n_particles)]
        if self.rare is not None:
            n_rare = int((self.rare > CALLED).sum())
            lines.append(
                f"{n_rare} of {n_particles} particles are a rare state, apart from all others "
                f"(probability > {CALLED}): {GROUPS}"
            )
        return lines


def fit_task(task: Task, images: Observations, *, n_latents: int | None) -> Found:
    """Refine poses, fit a linear model, and judge it; ``n_latents`` None finds their number."""
    run = task.run
    images, refined = refine(run, images, task.rows, task.window_power)
    images = without_outliers(run, images, task.rows, task.window_power, refined)
    poses = UncertainPoses(*errors_of(images, task.rows, task.window_power, refined))
    n_searched = (n_latents or MOST_LATENTS) + SPARE_LATENTS
    fit = fit_linear(
        images,
        task.rows,
        task.normal("linear start", n_searched),
        n_latents=n_latents,
        window_power=task.window_power,
        report=logger.info,
        errors=poses,
    )
    models = fit.half_models.maps, fit.half_models.precision
    known = images.to_radius(fit.radius_px)
    verdict = verdict_of(fit, images, task.rows, task.window_power, refined)
    return Found(
        fit=fit,
        verdict=verdict,
        refined=refined,
        outliers=outliers_of(known, task.rows, task.window_power, refined, models),
        images=images,
        errors=poses,
        rare=_rare(fit) if verdict.has_rare else None,
    )


def _rare(fit: LinearFit) -> NDArray[np.float64] | None:
    """(B,) probability of particles to be of a rare state; None where what is apart is not rare."""
    found = rare_probability(fit.latents.mean, fit.latents.covariance).cpu().numpy()
    share = float((found > CALLED).mean())
    return np.asarray(found) if 0 < share <= _MAX_RARE else None


def _halves(
    particles: ParticleSet, run: RunSpecBase, n_latents: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the particles of two halves."""
    n_latents = n_latents or 1
    return rows_of_halves(
        particles,
        run.seed or 0,
        needed=FEWEST_PER_LATENT * n_latents,
        what="1 latent dimension needs"
        if n_latents == 1
        else f"{n_latents} latent dimensions need",
        **({"way_out": "lower --zdim"} if n_latents > 1 else {}),
    )
