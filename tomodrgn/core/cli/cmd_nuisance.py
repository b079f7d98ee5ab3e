"""``tomodrgn nuisance``: is the latent structure, or something else?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from tomodrgn.core.cli.invocation import installed_registry
from tomodrgn.core.cli.options import spec_parameters
from tomodrgn.core.cli.result_options import NUISANCE_OPTIONS
from tomodrgn.core.cli.spec_command import SpecCommand
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.files import merge
from tomodrgn.core.specs.nuisance import NuisanceSpec

if TYPE_CHECKING:
    from tomodrgn.core.specs.files import Layer


@click.command(cls=SpecCommand, fields=spec_parameters(NuisanceSpec, NUISANCE_OPTIONS))
def nuisance(layers: tuple[Layer, ...]) -> None:
    """Say what explains the latent besides structure.

    RUN is the directory of a finished run. Tomogram, defocus, dose, tilt count, view and contrast
    are tried, each against chance.
    """
    spec = validate(NuisanceSpec, merge(*layers))
    from tomodrgn.core.analysis.nuisance_page import nuisance_page
    from tomodrgn.core.pipeline.nuisance import nuisance as report_nuisance

    report = report_nuisance(spec, installed_registry())
    if spec.json_output:
        click.echo(json.dumps(report.as_json(), indent=1))
    else:
        click.echo(nuisance_page(report), nl=False)
