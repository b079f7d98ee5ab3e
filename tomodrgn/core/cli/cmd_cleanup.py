"""``tomodrgn cleanup``: remove files of a run that are no longer needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tomodrgn.core.cli.options import spec_parameters
from tomodrgn.core.cli.result_options import CLEANUP_OPTIONS
from tomodrgn.core.cli.spec_command import SpecCommand
from tomodrgn.core.specs.cleanup import CleanupSpec
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.files import merge

if TYPE_CHECKING:
    from tomodrgn.core.specs.files import Layer


@click.command(cls=SpecCommand, fields=spec_parameters(CleanupSpec, CLEANUP_OPTIONS))
def cleanup(layers: tuple[Layer, ...]) -> None:
    """Remove files of a run that are no longer needed.

    RUN is a run directory. Final results, and epochs with a folder such as analyze.19, are kept.
    """
    spec = validate(CleanupSpec, merge(*layers))
    from tomodrgn.core.pipeline.cleanup import cleanup as clean_up

    for path in clean_up(spec):
        click.echo(path)
