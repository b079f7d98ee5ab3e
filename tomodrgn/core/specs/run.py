"""The sections of a run spec that no plugin provides."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.dataset import (
    CacheSpec,
    ContrastSpec,
    DatasetSpec,
    ImageStateSpec,
    PreparationSpec,
    RefinementSpec,
)
from tomodrgn.core.specs.training import DevicesSpec, LatentSpec, TrainingSpec


class PartSpec(Spec):
    """What every section that a plugin provides has: the name of the part it describes."""

    kind: str


class AbsentPart(PartSpec):
    """A part of a finished run whose plugin is not installed, as it was written."""

    model_config = ConfigDict(extra="allow")

    family: str = Field(exclude=True)
    """Where it belongs."""


class RunSpecBase(Spec):
    """Base of the run spec.

    The last fields, one per family, are narrowed by :class:`~tomodrgn.core.registry.Registry` to
    the specs of the installed parts.
    """

    dataset: DatasetSpec = DatasetSpec()
    """Which particles and images are used."""
    preparation: PreparationSpec = PreparationSpec()
    """How pixels become Fourier coefficients."""
    image_state: ImageStateSpec = ImageStateSpec()
    """What was done to the images upstream."""
    contrast: ContrastSpec = ContrastSpec()
    """Sign and scale of the images."""
    refinement: RefinementSpec = RefinementSpec()
    """What is refined of stated poses and contrast."""
    cache: CacheSpec = CacheSpec()
    """Where prepared images lie."""
    latent: LatentSpec = LatentSpec()
    """The latent space."""
    training: TrainingSpec = TrainingSpec()
    """Optimization and checkpoints."""
    devices: DevicesSpec = DevicesSpec()
    """Where the run computes."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    """Seed of every random choice; drawn once and recorded when not given."""
    reader: PartSpec
    """Reads particles and tilt images."""
    positional_encoding: PartSpec | None = None
    """From spatial frequencies to features."""
    encoder: PartSpec | None = None
    """From tilt images to latents; none for a model of one structure."""
    decoder: PartSpec
    """From frequencies and latents to Fourier coefficients."""
    loss_weightings: tuple[PartSpec, ...] = ()
    """Weights of images and frequencies, multiplied."""
    exporters: tuple[PartSpec, ...] = ()
    """Write results for other programs when the run has ended."""
