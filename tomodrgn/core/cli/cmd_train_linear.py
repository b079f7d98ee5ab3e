"""``tomodrgn train_linear``: fit a linear model of heterogeneous particles in closed form."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomodrgn.core.cli.invocation import installed_registry
from tomodrgn.core.cli.options import TRAIN_LINEAR_OPTIONS, run_parameters
from tomodrgn.core.cli.spec_command import SpecCommand
from tomodrgn.core.commands import resolve_run

if TYPE_CHECKING:
    from tomodrgn.core.specs.files import Layer

_AUTO = "auto"


class _LatentCount(click.ParamType[str | int]):
    """A positive number, or auto."""

    name = "K|auto"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | int:
        if value == _AUTO:
            return _AUTO
        try:
            number = int(value)
        except ValueError:
            number = 0
        if number < 1:
            self.fail(f"{value} is neither a positive number nor auto", param, ctx)
        return number


@click.command(cls=SpecCommand, fields=run_parameters(TRAIN_LINEAR_OPTIONS))
@click.option(
    "-o", "--outdir", required=True, type=click.Path(path_type=Path), help="Run directory."
)
@click.option(
    "--zdim",
    type=_LatentCount(),
    help="Number of latent dimensions; auto, the default, keeps those that predict held-out tilts.",
)
def train_linear(layers: tuple[Layer, ...], outdir: Path, zdim: str | int | None) -> None:
    """Fit a linear model of heterogeneous particles, in seconds.

    PARTICLES is the STAR file of the tilt images, or the set file. The run directory receives the
    consensus map, a basis map per latent dimension, and the latents with their covariances.
    """
    registry = installed_registry()
    if zdim is not None:
        layers = (*layers, {"latent": {"dim": None if zdim == _AUTO else zdim}})
    run = resolve_run("train_linear", *layers, registry=registry)
    from tomodrgn.core.pipeline.linear import train_linear as fit

    fit(run, registry, outdir)
