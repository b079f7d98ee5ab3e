"""Training in a linear subspace: networks that are fitted without another look at the images."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import torch

from tomodrgn.core.data.describe import describe_run
from tomodrgn.core.data.parts import build_model
from tomodrgn.core.data.run import Run
from tomodrgn.core.errors import SpecError
from tomodrgn.core.files.atomic import write_text_atomic
from tomodrgn.core.interfaces import SubspaceEncoder
from tomodrgn.core.linear.fit import LinearFit, widen_linear
from tomodrgn.core.particles.outliers_file import JUNK_CLASS
from tomodrgn.core.products import LABELS, SUBSPACE
from tomodrgn.core.report.class_files import write_class_labels, write_class_maps
from tomodrgn.core.subspace.fitting import Pair
from tomodrgn.core.subspace.model import SubspaceFit, fit_subspace
from tomodrgn.core.subspace.statistics import Statistics
from tomodrgn.plugins.commands.train.exporting import export_run
from tomodrgn.plugins.commands.train.fitted import (
    write_corrections,
    write_maps,
    write_model,
    write_posterior,
)
from tomodrgn.plugins.commands.train.fitting import Found, Task, fit_task, opened_task
from tomodrgn.plugins.commands.train.linear import say_finished, tell_linear
from tomodrgn.plugins.commands.train.pictures import draw_run_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tomodrgn.core.data.dataset import Dataset
    from tomodrgn.core.interfaces import SubspaceDecoder
    from tomodrgn.core.model.volume_model import VolumeModel
    from tomodrgn.core.specs.output import RunDirectorySpec
    from tomodrgn.core.specs.run import RunSpecBase
    from tomodrgn.core.subspace.states import States

logger = logging.getLogger(__name__)

MOST_COORDINATES: Final = 16
"""Basis maps that are searched for at most."""


def train_subspace(dataset: Dataset, spec: RunDirectorySpec) -> Run:
    """Fit a linear model, then networks to what images say of coordinates in it.

    Args:
        dataset: what to fit, and how; ``latent.dim`` None finds the number of latents.
        spec: where to; the run directory is made where there is none.

    Raises:
        RunError: the directory already holds a run.
        DataError: the particles or their images cannot be used, or are too few.
        OutputError: the directory cannot be written.
    """
    began = time.perf_counter()
    with opened_task(dataset, spec.outdir, n_latents=None) as opened:
        _pair(_model(opened, _with_sizes(opened.run, 1, 1)))  # parts that do not go together show
        found = fit_task(opened, opened.observed(), n_latents=None)
        linear = widen_linear(
            found.fit,
            found.images,
            opened.rows,
            opened.normal("further latents", MOST_COORDINATES),
            window_power=opened.window_power,
            report=logger.info,
            errors=found.errors,
        )
        fit = _fit(opened, found, linear)
        task = opened.with_run(_settled(opened.run, fit))
        describe_run(task.outdir, task.dataset, facts=task.facts, images=task.images)
        _write(task, found, linear, fit)
        if fit.are_states and found.verdict.is_heterogeneous(task.facts.n_particles):
            _write_states(task, found, fit.states)
        seconds = time.perf_counter() - began
        tell_linear(task, found, seconds)
        _tell(task, found, linear, fit, seconds=seconds)
        say_finished(task, seconds)
        finished = Run(task.outdir, dataset.registry, dataset=task.dataset)
        export_run(finished)
        draw_run_report(finished, task.devices.device, wanted=task.run.training.report)
    return finished


def _fit(task: Task, found: Found, linear: LinearFit) -> SubspaceFit:
    """Networks for the coordinates of a linear model."""
    began = time.perf_counter()
    n_coordinates = len(linear.maps) - 1

    def make(n_latents: int) -> Pair:
        return _pair(_model(task, _with_sizes(task.run, n_latents, n_coordinates)))

    fit = fit_subspace(
        Statistics.of(linear.seen),
        make,
        weights=found.images.weights,
        n_latents=task.run.latent.dim,
        seed=task.run.seed or 0,
    )
    logger.info(
        "networks fitted in %.1f s: numbers of latents that were compared %s, of basis maps %d",
        time.perf_counter() - began,
        ", ".join(map(str, fit.choice.compared)),
        n_coordinates,
    )
    return fit


def _model(task: Task, run: RunSpecBase) -> VolumeModel:
    return build_model(run, task.dataset.registry, task.facts)


def _pair(model: VolumeModel) -> Pair:
    """The networks of a model, without its maps.

    Raises:
        SpecError: its encoder takes images.
    """
    if not isinstance(model.encoder, SubspaceEncoder):
        raise SpecError(
            "encoder: a decoder in a subspace needs one that takes linear posteriors, such as "
            "linear_posterior; leave the encoder out, or ask for --set decoder.kind=fourier_mlp"
        )
    return Pair(model.encoder, cast("SubspaceDecoder", model.decoder).coordinates)


def _with_sizes(run: RunSpecBase, n_latents: int, n_coordinates: int) -> RunSpecBase:
    """The run with the numbers that were found."""
    return run.model_copy(
        update={
            "latent": run.latent.model_copy(update={"dim": n_latents}),
            "decoder": run.decoder.model_copy(update={"n_coordinates": n_coordinates}),
        }
    )


def _settled(run: RunSpecBase, fit: SubspaceFit) -> RunSpecBase:
    return _with_sizes(run, fit.n_latents, fit.n_coordinates)


def _write(task: Task, found: Found, linear: LinearFit, fit: SubspaceFit) -> None:
    """Write the model, its latents, its maps, and the poses that it was fitted in."""
    model = _model(task, task.run)
    maps = torch.einsum("cd,dzyx->czyx", linear.normal_change, linear.maps).float().cpu()
    with torch.no_grad():
        cast("SubspaceDecoder", model.decoder).maps.copy_(maps)
    _pair(model).load_state_dict(fit.pair.state_dict())
    write_model(task, model)
    write_posterior(task, fit.latents)
    write_maps(task, maps, linear.half_maps)
    write_corrections(task, found)


def _write_states(task: Task, found: Found, states: States) -> None:
    """Write which state each particle is in, and maps of the states straight from the images."""
    labels = np.where(found.outliers.is_junk, JUNK_CLASS, states.labels.cpu().numpy())
    write_class_labels(task.outdir, labels, states.probability)
    maps = write_class_maps(
        task.outdir, found.images, task.rows, states.probability, scale=task.images.norm[1]
    )
    logger.info("state  particles  resolution")
    for number, each in enumerate(maps):
        logger.info("%5d  %9d  %s", number, int((labels == number).sum()), each.resolution)


def _tell(task: Task, found: Found, linear: LinearFit, fit: SubspaceFit, *, seconds: float) -> None:
    """Say and write what networks found."""
    by_all = float(linear.seen.of_tilts.held_out_gains()[-1].mean())
    choice = fit.choice
    figures: dict[str, Any] = {
        "n_latents": fit.n_latents,
        "n_coordinates": fit.n_coordinates,
        "held_out": asdict(choice) | {"linear_gain": by_all},
        "states": {
            "are_enough": fit.are_states,
            "n": fit.states.n_states,
            "share": fit.states.share.tolist(),
            "compared": fit.states.compared,
            "gain": fit.states.gain,
            "error": fit.states.error,
        },
        "shells": linear.radius_px,
        "noise_precision": linear.seen.precision.tolist(),
        "seconds": round(seconds, 2),
    }
    write_text_atomic(task.outdir / SUBSPACE, json.dumps(figures, indent=2) + "\n")
    if found.verdict.is_heterogeneous(task.facts.n_particles):
        for line in _lines(fit, by_all):
            logger.info("%s", line)


def _lines(fit: SubspaceFit, linear_gain: float) -> list[str]:
    """What networks and states are worth on held-out tilts, and which of them tells more."""

    def listed(numbers: Sequence[int], gains: Sequence[float]) -> str:
        return ", ".join(f"{n}: {gain:.4g}" for n, gain in zip(numbers, gains, strict=True))

    choice, states = fit.choice, fit.states
    return [
        "log likelihood of held-out tilts per particle, over the consensus map, by number of "
        f"latents: {listed(choice.compared, choice.gain)}; by the linear model with its "
        f"{fit.n_coordinates}: {linear_gain:.4g}",
        f"the same by number of discrete states: {listed(states.compared[1:], states.gain[1:])}",
        _answer(fit),
    ]


def _answer(fit: SubspaceFit) -> str:
    """Whether there are states, and how many, or a motion."""
    states, gain = fit.states, fit.choice.chosen_gain
    if fit.are_states:
        shares = ", ".join(f"{share:.0%}" for share in states.share.tolist())
        return (
            f"particles are in {states.n_states} discrete states ({shares}): held-out tilts are "
            "predicted as well as by latents that may lie anywhere (log likelihood "
            f"{states.chosen_gain:.4g}, {gain:.4g}); labels in {LABELS}, maps in class_*.mrc"
        )
    plural = "" if fit.n_latents == 1 else "s"
    return (
        f"particles differ continuously, along {fit.n_latents} latent{plural}: held-out tilts are "
        f"predicted better than by up to {states.compared[-1]} discrete states (log likelihood "
        f"{gain:.4g}, {max(states.gain):.4g})"
    )
