"""``tomodrgn train_nn``: train a decoder on particles of one structure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomodrgn.core.cli.invocation import installed_registry
from tomodrgn.core.cli.options import TRAIN_NN_OPTIONS, run_parameters
from tomodrgn.core.cli.presets import preset_option, with_preset
from tomodrgn.core.cli.spec_command import SpecCommand
from tomodrgn.core.commands import resolve_run

if TYPE_CHECKING:
    from tomodrgn.core.specs.files import Layer


@click.command(cls=SpecCommand, fields=run_parameters(TRAIN_NN_OPTIONS))
@click.option(
    "-o", "--outdir", required=True, type=click.Path(path_type=Path), help="Run directory."
)
@preset_option("train_nn")
def train_nn(layers: tuple[Layer, ...], outdir: Path, preset: str | None) -> None:
    """Train a model of one structure.

    PARTICLES is the STAR file of the tilt images. The run directory receives the resolved spec,
    weights, volumes and the log.
    """
    registry = installed_registry()
    run = resolve_run("train_nn", *with_preset("train_nn", preset, layers), registry=registry)
    from tomodrgn.core.pipeline.train import train

    train(run, registry, outdir)
