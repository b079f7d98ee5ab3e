"""``tomodrgn pc_traversal``: latents along principal components."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tomodrgn.core.cli.analysis_options import PC_TRAVERSAL_OPTIONS
from tomodrgn.core.cli.options import spec_parameters
from tomodrgn.core.cli.spec_command import SpecCommand
from tomodrgn.core.specs.analysis import PcTraversalSpec
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.files import merge

if TYPE_CHECKING:
    from tomodrgn.core.specs.files import Layer


@click.command(cls=SpecCommand, fields=spec_parameters(PcTraversalSpec, PC_TRAVERSAL_OPTIONS))
def pc_traversal(layers: tuple[Layer, ...]) -> None:
    """Write latents along principal components.

    LATENTS is a file such as z.19.pkl; the files are for eval_vol --zfile.
    """
    spec = validate(PcTraversalSpec, merge(*layers))
    from tomodrgn.core.pipeline.traversals import pc_traversal as traverse

    for path in traverse(spec):
        click.echo(path)
