"""``tomodrgn simulate --example``: the sample set that comes with the program."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click


def _copy_example(ctx: click.Context, _param: click.Parameter, folder: Path | None) -> None:
    if folder is None or ctx.resilient_parsing:
        return
    from tomodrgn.core.simulation.example import copy_example

    click.echo(copy_example(folder))
    ctx.exit()


EXTRAS: Final = (
    click.Option(
        ["--example"],
        type=click.Path(path_type=Path),
        metavar="DIR",
        is_eager=True,
        expose_value=False,
        callback=_copy_example,
        help="Copy the small sample set that comes with the program to DIR, and stop.",
    ),
)
