"""The sections of a run spec that no plugin provides."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.dataset import (
    CacheSpec,
    ContrastSpec,
    DatasetSpec,
    ImageStateSpec,
    PreparationSpec,
)
from tomodrgn.core.specs.training import DevicesSpec, LatentSpec, TrainingSpec


class RunSpecBase(Spec):
    """Base of the run spec; :class:`~tomodrgn.core.registry.Registry` adds a field per family."""

    dataset: DatasetSpec = DatasetSpec()
    """Which particles and images are used."""
    preparation: PreparationSpec = PreparationSpec()
    """How pixels become Fourier coefficients."""
    image_state: ImageStateSpec = ImageStateSpec()
    """What was done to the images upstream."""
    contrast: ContrastSpec = ContrastSpec()
    """Sign and scale of the images."""
    cache: CacheSpec = CacheSpec()
    """Where prepared images lie."""
    latent: LatentSpec = LatentSpec()
    """The latent space."""
    training: TrainingSpec = TrainingSpec()
    """Optimisation and checkpoints."""
    devices: DevicesSpec = DevicesSpec()
    """Where the run computes."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    """Seed of every random choice; drawn once and recorded when not given."""
