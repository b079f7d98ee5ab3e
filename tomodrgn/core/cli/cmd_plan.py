"""``tomodrgn plan``: the memory that training would take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tomodrgn.core.cli.invocation import installed_registry
from tomodrgn.core.cli.options import TRAIN_VAE_OPTIONS, run_parameters
from tomodrgn.core.cli.presets import preset_option, with_preset
from tomodrgn.core.cli.spec_command import SpecCommand
from tomodrgn.core.commands import resolve_run

if TYPE_CHECKING:
    from tomodrgn.core.specs.files import Layer


@click.command(cls=SpecCommand, fields=run_parameters(TRAIN_VAE_OPTIONS))
@preset_option("train_vae")
def plan(layers: tuple[Layer, ...], preset: str | None) -> None:
    """Say how much memory train_vae would take, and train nothing.

    PARTICLES is the STAR file of the tilt images; give the options that train_vae will be given.
    Nothing is written.
    """
    registry = installed_registry()
    run = resolve_run("train_vae", *with_preset("train_vae", preset, layers), registry=registry)
    from tomodrgn.core.pipeline.plan import plan_run

    click.echo(plan_run(run, registry).table())
