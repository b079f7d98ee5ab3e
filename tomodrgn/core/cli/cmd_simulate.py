"""``tomodrgn simulate``: tilt series with known answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomodrgn.core.cli.options import options_of
from tomodrgn.core.cli.spec_command import SpecCommand
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.files import merge
from tomodrgn.core.specs.simulation import SimulationSpec

if TYPE_CHECKING:
    from tomodrgn.core.specs.files import Layer


def _copy_example(ctx: click.Context, _param: click.Parameter, folder: Path | None) -> None:
    if folder is None or ctx.resilient_parsing:
        return
    from tomodrgn.core.simulation.example import copy_example

    click.echo(copy_example(folder))
    ctx.exit()


@click.command(cls=SpecCommand, fields=options_of(SimulationSpec))
@click.option(
    "--example",
    type=click.Path(path_type=Path),
    metavar="DIR",
    is_eager=True,
    expose_value=False,
    callback=_copy_example,
    help="Copy the small sample set that comes with the program to DIR, and stop.",
)
def simulate(layers: tuple[Layer, ...]) -> None:
    """Make tilt series with known answers.

    Writes STAR files and stacks as the program of the format does, and the truth: labels, maps and
    poses.
    """
    spec = validate(SimulationSpec, merge(*layers))
    from tomodrgn.core.simulation.tilt_series import simulate as simulate_series

    click.echo(simulate_series(spec))
