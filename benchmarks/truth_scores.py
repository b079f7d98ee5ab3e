"""Figures of one run on a simulated set, beside what a classifier reaches that knows the rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmarks.truth_outliers import junk_figures
from benchmarks.truth_poses import pose_figures, read_refined
from tomodrgn.core.cli.fields import builtin_registry
from tomodrgn.core.data.inputs import Inputs
from tomodrgn.core.data.run import Run
from tomodrgn.core.particles.identity import match_particles
from tomodrgn.core.products import LINEAR, SUBSPACE
from tomodrgn.core.simulation.experiment import JUNK
from tomodrgn.core.simulation.forward import design
from tomodrgn.core.simulation.structures import build_structure
from tomodrgn.core.simulation.tomograms import names_of
from tomodrgn.core.simulation.truth import read_truth
from tomodrgn.plugins.commands.score.agreement import compare_classes
from tomodrgn.plugins.commands.score.best_classifier import most_likely_classes
from tomodrgn.plugins.commands.score.command import score
from tomodrgn.plugins.commands.score.spec import ScoreSpec

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.simulation.forward import Simulation

Figures = dict[str, Any]

_LONG = {"fsc", "resolution_a", "shell_weights"}
"""Curves of a run that no table shows."""


def figures_of(run: Path, star: Path) -> Figures:
    """What is known about a run on a simulated set: scores, bound, and what the run says."""
    folder = star.parent
    truth = read_truth(folder)
    simulation = design(truth.spec, build_structure(truth.spec))
    spec = ScoreSpec(run=run, truth=folder, out=run.parent / "score", n_decoded=1)
    found: Figures = {"scores": dict(score(Inputs(builtin_registry()), spec))}
    if truth.spec.class_count > 1:
        found["bound"] = bound(simulation)
    found["stated"] = pose_figures(simulation)
    refined = read_refined(run, star, simulation)
    if refined is not None:
        found["refined"] = pose_figures(simulation, refined)
    particles = Run(run, builtin_registry()).particles
    labels = truth.take(match_particles(names_of(truth.spec), particles)).labels
    outliers = junk_figures(run, particles, labels)
    if outliers is not None:
        found["outliers"] = outliers
    if (run / LINEAR).exists():
        said = json.loads((run / LINEAR).read_text(encoding="utf-8"))
        found["run"] = {name: value for name, value in said.items() if name not in _LONG}
    if (run / SUBSPACE).exists():
        said = json.loads((run / SUBSPACE).read_text(encoding="utf-8"))
        found["subspace"] = {
            name: said[name] for name in ("n_latents", "n_coordinates", "held_out")
        }
    return found


def bound(simulation: Simulation) -> float:
    """Adjusted Rand index of the likeliest classes, where maps, poses and contrast are known."""
    labels = simulation.experiment.labels
    is_real = labels != JUNK
    best = most_likely_classes(simulation, len(labels))
    return compare_classes(best[is_real], labels[is_real]).adjusted_rand_index
