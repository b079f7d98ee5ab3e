"""``tomodrgn score``: a run on simulated tilt series against what was simulated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from tomodrgn.core.cli.invocation import installed_registry
from tomodrgn.core.cli.options import Classic, spec_parameters
from tomodrgn.core.cli.spec_command import SpecCommand
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.files import merge
from tomodrgn.core.specs.simulation import ScoreSpec

if TYPE_CHECKING:
    from tomodrgn.core.specs.files import Layer

OPTIONS: Final = (
    Classic("run", "run", needed=True),
    Classic("truth", "truth", needed=True),
    Classic("-o --out", "out"),
    Classic("--volumes", "volumes"),
    Classic("--n-decoded", "n_decoded"),
)


@click.command(cls=SpecCommand, fields=spec_parameters(ScoreSpec, OPTIONS))
def score(layers: tuple[Layer, ...]) -> None:
    """Compare a run on simulated series with the truth.

    Give the run directory and the folder that simulate wrote. Classes, motions, volumes and
    posteriors are scored as far as the run has them.
    """
    spec = validate(ScoreSpec, merge(*layers))
    from tomodrgn.core.pipeline.score import score as score_run

    score_run(spec, installed_registry())
    click.echo((spec.out or spec.run) / "scores.json")
