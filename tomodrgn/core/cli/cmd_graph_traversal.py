"""``tomodrgn graph_traversal``: latents along a way from particle to particle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tomodrgn.core.cli.analysis_options import GRAPH_TRAVERSAL_OPTIONS
from tomodrgn.core.cli.options import spec_parameters
from tomodrgn.core.cli.spec_command import SpecCommand
from tomodrgn.core.specs.analysis import GraphTraversalSpec
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.files import merge

if TYPE_CHECKING:
    from tomodrgn.core.specs.files import Layer


@click.command(cls=SpecCommand, fields=spec_parameters(GraphTraversalSpec, GRAPH_TRAVERSAL_OPTIONS))
def graph_traversal(layers: tuple[Layer, ...]) -> None:
    """Find a way from particle to particle through their neighbours.

    LATENTS is a file such as z.19.pkl; the latents of the way are for eval_vol --zfile.
    """
    spec = validate(GraphTraversalSpec, merge(*layers))
    from tomodrgn.core.pipeline.traversals import graph_traversal as traverse

    for path in traverse(spec):
        click.echo(path)
