"""``tomodrgn convergence_vae``: the epochs of a run with latents, and which to use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tomodrgn.core.cli.convergence_options import CONVERGENCE_VAE_OPTIONS
from tomodrgn.core.cli.invocation import installed_registry
from tomodrgn.core.cli.options import spec_parameters
from tomodrgn.core.cli.spec_command import SpecCommand
from tomodrgn.core.specs.convergence import ConvergenceVaeSpec
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.files import merge

if TYPE_CHECKING:
    from tomodrgn.core.specs.files import Layer


@click.command(cls=SpecCommand, fields=spec_parameters(ConvergenceVaeSpec, CONVERGENCE_VAE_OPTIONS))
def convergence_vae(layers: tuple[Layer, ...]) -> None:
    """Compare the epochs of a train_vae run, and recommend one.

    RUN is the run directory, EPOCH the last epoch to look at, counted from 0. Tells from held-out
    tilts (train_vae --fraction-train) which epoch to use; writes to RUN/convergence.<epoch>.
    """
    spec = validate(ConvergenceVaeSpec, merge(*layers))
    from tomodrgn.core.pipeline.convergence_vae import convergence_vae as compare_epochs

    click.echo(compare_epochs(spec, installed_registry()))
