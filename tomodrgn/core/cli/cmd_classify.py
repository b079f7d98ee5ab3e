"""``tomodrgn classify``: sort particles into classes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomodrgn.core.cli.invocation import installed_registry
from tomodrgn.core.cli.options import (
    CLASSIFY_OPTIONS,
    TRAIN_LINEAR_OPTIONS,
    run_parameters,
    spec_parameters,
)
from tomodrgn.core.cli.spec_command import SpecCommand
from tomodrgn.core.commands import resolve_classification
from tomodrgn.core.specs.classify import ClassifySpec

if TYPE_CHECKING:
    from tomodrgn.core.specs.files import Layer


@click.command(
    cls=SpecCommand,
    fields=[
        *run_parameters(TRAIN_LINEAR_OPTIONS),
        *spec_parameters(ClassifySpec, CLASSIFY_OPTIONS),
    ],
)
@click.option(
    "-o", "--outdir", required=True, type=click.Path(path_type=Path), help="Run directory."
)
def classify(layers: tuple[Layer, ...], outdir: Path) -> None:
    """Sort particles into classes, each with a map.

    PARTICLES is the STAR file of the tilt images, or the set file. The run directory receives the
    label and the class probabilities of every particle, and maps and half maps of each class.
    """
    registry = installed_registry()
    spec, run = resolve_classification(*layers, registry=registry)
    from tomodrgn.core.pipeline.classify import classify as sort_particles

    sort_particles(spec, run, registry, outdir)
