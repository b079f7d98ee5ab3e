"""Scores of a run on simulated data, as a table and as a picture."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from tomodrgn.core.pipeline.pictures import draw_recovery
from tomodrgn.core.simulation.scores import compare_run

if TYPE_CHECKING:
    from tomodrgn.core.specs.simulation import ScoreSpec

logger = logging.getLogger(__name__)

RECOVERY: Final = "recovery.png"


def score(spec: ScoreSpec) -> dict[str, Any]:
    """How well a run recovered what was simulated, by name.

    Writes ``scores.json``, ``class_latents.txt`` and ``recovery.png``, and logs the scores.

    Raises:
        DataError: the truth is missing or does not fit the run.
        RunError: the run has neither latents nor volumes yet.
    """
    found = compare_run(spec)
    draw_recovery((spec.out or spec.run) / RECOVERY, found)
    width = max(map(len, found.scores))
    for name, value in found.scores.items():
        logger.info("%-*s  %s", width, name, value)
    return found.scores
