"""``tomodrgn eval_images``: latents of particles from a trained encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tomodrgn.core.cli.invocation import installed_registry
from tomodrgn.core.cli.options import run_parameters, spec_parameters
from tomodrgn.core.cli.result_options import EMBEDDING_DATA_OPTIONS, EMBEDDING_OPTIONS
from tomodrgn.core.cli.spec_command import SpecCommand
from tomodrgn.core.specs.embedding import EmbeddingSpec
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.files import merge

if TYPE_CHECKING:
    from tomodrgn.core.specs.files import Layer


@click.command(
    cls=SpecCommand,
    fields=[
        *run_parameters(EMBEDDING_DATA_OPTIONS),
        *spec_parameters(EmbeddingSpec, EMBEDDING_OPTIONS),
    ],
)
def eval_images(layers: tuple[Layer, ...]) -> None:
    """Encode particles with a trained model.

    PARTICLES is a STAR file of tilt images, of the run or of others extracted alike. Writes the
    latents, and beside them a STAR file of the particles in their order.
    """
    data = merge(*layers)
    own = {name: data.pop(name) for name in EmbeddingSpec.model_fields if name in data}
    spec = validate(EmbeddingSpec, own)
    from tomodrgn.core.pipeline.eval_images import evaluate_images

    for path in evaluate_images(spec, data, installed_registry()):
        click.echo(path)
