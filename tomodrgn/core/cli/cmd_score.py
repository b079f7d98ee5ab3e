"""``tomodrgn score``: a run on simulated tilt series against what was simulated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tomodrgn.core.cli.invocation import installed_registry
from tomodrgn.core.cli.options import SCORE_OPTIONS, spec_parameters
from tomodrgn.core.cli.spec_command import SpecCommand
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.files import merge
from tomodrgn.core.specs.simulation import ScoreSpec

if TYPE_CHECKING:
    from tomodrgn.core.specs.files import Layer


@click.command(cls=SpecCommand, fields=spec_parameters(ScoreSpec, SCORE_OPTIONS))
def score(layers: tuple[Layer, ...]) -> None:
    """Compare a run on simulated tilt series with what was simulated.

    Give the run directory and the folder that simulate wrote. Classes, motions, volumes and
    posteriors are scored as far as the run has them.
    """
    spec = validate(ScoreSpec, merge(*layers))
    from tomodrgn.core.pipeline import score as score_run

    score_run(spec, installed_registry())
    click.echo((spec.out or spec.run) / "scores.json")
