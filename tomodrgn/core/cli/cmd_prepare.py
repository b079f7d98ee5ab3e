"""``tomodrgn prepare``: build the cache of coefficients ahead of training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomodrgn.core.cli.invocation import installed_registry
from tomodrgn.core.cli.options import PREPARE_OPTIONS, run_parameters
from tomodrgn.core.cli.spec_command import SpecCommand
from tomodrgn.core.commands import resolve_run

if TYPE_CHECKING:
    from tomodrgn.core.specs.files import Layer


@click.command(cls=SpecCommand, fields=run_parameters(PREPARE_OPTIONS))
@click.option(
    "-o",
    "--outdir",
    type=click.Path(path_type=Path),
    help="Run directory that will use the cache; not needed with --cache.",
)
@click.pass_context
def prepare(ctx: click.Context, layers: tuple[Layer, ...], outdir: Path | None) -> None:
    """Turn tilt images into a cache of coefficients.

    PARTICLES is the STAR file of the tilt images. Training does this too when there is no cache.
    """
    registry = installed_registry()
    run = resolve_run("prepare", *layers, registry=registry)
    if outdir is None and run.cache.path is None:
        raise click.UsageError("give the run directory (-o) or the file (--cache)", ctx=ctx)
    from tomodrgn.core.pipeline.prepare import prepare as prepare_cache

    click.echo(prepare_cache(run, registry, outdir))
