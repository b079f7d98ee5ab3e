"""``tomodrgn convergence_nn``: the epochs of a run of one structure against a known map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tomodrgn.core.cli.convergence_options import CONVERGENCE_NN_OPTIONS
from tomodrgn.core.cli.options import spec_parameters
from tomodrgn.core.cli.spec_command import SpecCommand
from tomodrgn.core.specs.convergence import ConvergenceNnSpec
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.files import merge

if TYPE_CHECKING:
    from tomodrgn.core.specs.files import Layer


@click.command(cls=SpecCommand, fields=spec_parameters(ConvergenceNnSpec, CONVERGENCE_NN_OPTIONS))
def convergence_nn(layers: tuple[Layer, ...]) -> None:
    """Compare the epochs of a train_nn run with a known map.

    RUN is the run directory, REFERENCE the map (MRC). Writes Fourier shell correlations and
    pictures to RUN/convergence.<number of epochs>.
    """
    spec = validate(ConvergenceNnSpec, merge(*layers))
    from tomodrgn.core.pipeline.convergence_nn import convergence_nn as compare_epochs

    click.echo(compare_epochs(spec))
