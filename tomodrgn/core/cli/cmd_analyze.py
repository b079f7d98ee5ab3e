"""``tomodrgn analyze``: what there is in the latents of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tomodrgn.core.cli.analysis_options import ANALYSIS_OPTIONS
from tomodrgn.core.cli.invocation import installed_registry
from tomodrgn.core.cli.options import spec_parameters
from tomodrgn.core.cli.spec_command import SpecCommand
from tomodrgn.core.specs.analysis import AnalysisSpec
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.files import merge

if TYPE_CHECKING:
    from tomodrgn.core.specs.files import Layer


@click.command(cls=SpecCommand, fields=spec_parameters(AnalysisSpec, ANALYSIS_OPTIONS))
def analyze(layers: tuple[Layer, ...]) -> None:
    """Look at the latents of a run: components, clusters, volumes and pictures.

    RUN is the run directory of train_vae or train_linear, EPOCH the epoch to look at, counted from
    0. Writes to RUN/analyze.<epoch>; a second call replaces the results of the first.
    """
    spec = validate(AnalysisSpec, merge(*layers))
    from tomodrgn.core.pipeline.analyze import analyze as analyze_run

    click.echo(analyze_run(spec, installed_registry()))
