"""``tomodrgn eval_vol``: decode volumes from a trained model."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import click

from tomodrgn.core.cli.invocation import installed_registry
from tomodrgn.core.cli.options import spec_parameters
from tomodrgn.core.cli.result_options import VOLUME_OPTIONS
from tomodrgn.core.cli.spec_command import SpecCommand
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.files import merge
from tomodrgn.core.specs.volumes import VolumesSpec

if TYPE_CHECKING:
    from tomodrgn.core.specs.files import Layer


@click.command(cls=SpecCommand, fields=spec_parameters(VolumesSpec, VOLUME_OPTIONS))
@click.option("-v", "--verbose", is_flag=True, help="Log more.")
def eval_vol(layers: tuple[Layer, ...], verbose: bool) -> None:
    """Decode volumes from a trained model.

    Give the weights as an argument or with -w, and the latents with one of -z, --z-start and
    --z-end, or --zfile; a model of one structure takes none.
    """
    spec = validate(VolumesSpec, merge(*layers))
    if verbose:
        logging.getLogger("tomodrgn").setLevel(logging.DEBUG)
    from tomodrgn.core.pipeline.volumes import evaluate_volumes

    for path in evaluate_volumes(spec, installed_registry()):
        click.echo(path)
