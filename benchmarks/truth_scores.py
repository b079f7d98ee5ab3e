"""Figures of one run on a simulated set, beside what a classifier reaches that knows the rest."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.spatial.transform import Rotation  # type: ignore[import-untyped]

from tomodrgn.core.cli.fields import builtin_registry
from tomodrgn.core.data.inputs import Inputs
from tomodrgn.core.particles.corrections import Corrections
from tomodrgn.core.products import LINEAR
from tomodrgn.core.simulation.coordinates import positions_a, stated_positions_a
from tomodrgn.core.simulation.experiment import JUNK
from tomodrgn.core.simulation.forward import design
from tomodrgn.core.simulation.structures import build_structure
from tomodrgn.core.simulation.truth import read_truth
from tomodrgn.plugins.commands.score.agreement import compare_classes
from tomodrgn.plugins.commands.score.best_classifier import most_likely_classes
from tomodrgn.plugins.commands.score.command import score
from tomodrgn.plugins.commands.score.spec import ScoreSpec

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.simulation.forward import Simulation

Figures = dict[str, Any]

POSES: Final = "poses.npz"

_LONG = {"fsc", "resolution_a"}
"""Curves of a run that no table shows."""


def figures_of(run: Path, folder: Path) -> Figures:
    """What is known about a run on the set in a folder: scores, bound, and what the run says."""
    truth = read_truth(folder)
    simulation = design(truth.spec, build_structure(truth.spec))
    spec = ScoreSpec(run=run, truth=folder, out=run.parent / "score", n_decoded=1)
    found: Figures = {"scores": dict(score(Inputs(builtin_registry()), spec))}
    if truth.spec.class_count > 1:
        found["bound"] = bound(simulation)
    found["stated"] = errors_of_poses(simulation)
    corrections = corrections_of(run)
    if corrections is not None:
        found["refined"] = errors_of_poses(simulation, corrections)
    if (run / LINEAR).exists():
        said = json.loads((run / LINEAR).read_text(encoding="utf-8"))
        found["run"] = {name: value for name, value in said.items() if name not in _LONG}
    return found


def corrections_of(run: Path) -> Corrections | None:
    """Poses that a run refined: arrays by the names of the fields of corrections."""
    if not (run / POSES).exists():
        return None
    with np.load(run / POSES) as arrays:
        return Corrections(**{field.name: arrays[field.name] for field in fields(Corrections)})


def bound(simulation: Simulation) -> float:
    """Adjusted Rand index of the likeliest classes, where maps, poses and contrast are known."""
    labels = simulation.experiment.labels
    is_real = labels != JUNK
    best = most_likely_classes(simulation, len(labels))
    return compare_classes(best[is_real], labels[is_real]).adjusted_rand_index


def errors_of_poses(simulation: Simulation, corrections: Corrections | None = None) -> Figures:
    """Errors of the poses that are stated, or of those after corrections; junk is left out.

    Turns are rms angles in degrees, places rms along each axis in px. A map may be turned and moved
    as a whole, so the mean turn and shift of each half count as none.
    """
    experiment = simulation.experiment
    real = np.flatnonzero(experiment.labels != JUNK)
    orientation = experiment.stated.orientation
    error_a = stated_positions_a(simulation) - positions_a(simulation)
    error_px = error_a / simulation.structure.pixel_size_a
    if corrections is not None:
        orientation = orientation @ corrections.rotation.swapaxes(1, 2)
        error_px = error_px - np.einsum("bij,bj->bi", orientation, corrections.shift_px)
    turn = experiment.orientation.swapaxes(1, 2) @ orientation
    moved_px = np.einsum("bji,bj->bi", experiment.orientation, error_px)  # as the reference sees it
    halves = [real[experiment.half_set[real] == half] for half in (1, 2)]
    angles = np.concatenate([_turns_about_mean(turn[rows]) for rows in halves if len(rows)])
    moves = np.concatenate(
        [moved_px[rows] - moved_px[rows].mean(0) for rows in halves if len(rows)]
    )
    return {
        "orientation_rms_deg": float(np.rad2deg(np.sqrt((angles**2).mean()))),
        "shift_rms_px": float(np.sqrt((moves**2).mean())),
    }


def _turns_about_mean(turn: NDArray[np.float64]) -> NDArray[np.float64]:
    """(B,) angles in radians between turns (B, 3, 3) and their mean."""
    turns = Rotation.from_matrix(turn)
    return np.asarray((turns.mean().inv() * turns).magnitude())
