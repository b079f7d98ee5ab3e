"""Pictures and the report beside a model. They help to look; one that fails is only a warning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from tomodrgn.core.ownership.call import remove
from tomodrgn.core.products import REPORT, TRAINING_CURVES
from tomodrgn.core.report.drawing import drawing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch

    from tomodrgn.core.data.run import Run
    from tomodrgn.core.interfaces import LossWeighting
    from tomodrgn.core.particles.tables import ParticleSet


def draw_weighting_schemes(
    outdir: Path,
    particles: ParticleSet,
    weightings: Sequence[LossWeighting],
    *,
    largest_radius_px: float,
) -> None:
    """Draw ``weighting_scheme_I.png`` for the most frequent schemes of a run that weights."""
    if not weightings:
        return
    with drawing("weighting_scheme_*.png"):
        from tomodrgn.core.analysis.weighting import weighting_schemes
        from tomodrgn.core.figures.training import weighting_scheme

        schemes = weighting_schemes(particles, weightings, largest_radius_px=largest_radius_px)
        for i, scheme in enumerate(schemes):
            weighting_scheme(
                outdir / f"weighting_scheme_{i}.png",
                scheme.freqs_per_a,
                scheme.weights,
                scheme.dose_e_per_a2,
                scheme.tilt_deg,
                n_particles=scheme.n_particles,
            )


def draw_training_curves(outdir: Path, metrics: Path) -> None:
    """Draw ``training_curves.png`` from the metrics of a run, the last of each epoch."""
    with drawing(TRAINING_CURVES):
        from tomodrgn.core.figures.training import training_curves

        epochs = pd.read_json(metrics, lines=True).drop_duplicates("epoch", keep="last")
        training_curves(outdir / TRAINING_CURVES, epochs.sort_values("epoch"))


def draw_run_report(run: Run, device: torch.device, *, wanted: bool) -> None:
    """Write the report of a run that has ended; one of an earlier end does not stay.

    Args:
        run: it.
        device: where volumes are decoded.
        wanted: whether there is to be one.
    """
    remove(run.directory / REPORT)
    if wanted:
        with drawing(REPORT):
            from tomodrgn.plugins.commands.train.report import write_run_report

            write_run_report(run, device)
