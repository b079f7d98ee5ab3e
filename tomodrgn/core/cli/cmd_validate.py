"""``tomodrgn validate``: are the states real?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from tomodrgn.core.cli.invocation import installed_registry
from tomodrgn.core.cli.options import spec_parameters
from tomodrgn.core.cli.result_options import VALIDATE_OPTIONS
from tomodrgn.core.cli.spec_command import SpecCommand
from tomodrgn.core.specs.faults import validate as validate_spec
from tomodrgn.core.specs.files import merge
from tomodrgn.core.specs.validate import ValidateSpec

if TYPE_CHECKING:
    from tomodrgn.core.specs.files import Layer


@click.command(cls=SpecCommand, fields=spec_parameters(ValidateSpec, VALIDATE_OPTIONS))
def validate(layers: tuple[Layer, ...]) -> None:
    """Hold classes against the raw tilt images: are the states real?

    RUN is the directory of a finished run. Writes half maps of each class straight from its images,
    their FSC, and whether the classes differ by more than chance.
    """
    spec = validate_spec(ValidateSpec, merge(*layers))
    from tomodrgn.core.analysis.validation import validation_page
    from tomodrgn.core.pipeline.validate import validate as validate_classes

    found = validate_classes(spec, installed_registry())
    if spec.json_output:
        click.echo(json.dumps(found.as_json(), indent=1))
    else:
        click.echo(validation_page(found), nl=False)
