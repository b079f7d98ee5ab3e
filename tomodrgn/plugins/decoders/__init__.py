"""Built-in decoders: from a frequency and a latent to a Fourier coefficient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from tomodrgn.core.components import Component
from tomodrgn.core.hookspecs import hookimpl
from tomodrgn.core.specs.base import Spec

if TYPE_CHECKING:
    from collections.abc import Iterator


class FourierMlpSpec(Spec):
    """Options of ``fourier_mlp``."""

    kind: Literal["fourier_mlp"] = "fourier_mlp"
    layers: PositiveInt = 3
    """Number of hidden layers."""
    dim: PositiveInt = 256
    """Features per hidden layer."""
    activation: Literal["relu", "leaky_relu"] = "relu"
    """Activation between layers."""


class LinearVolumesSpec(Spec):
    """Options of ``linear_volumes``: none."""

    kind: Literal["linear_volumes"] = "linear_volumes"


class SubspaceMlpSpec(Spec):
    """Options of ``subspace_mlp``."""

    kind: Literal["subspace_mlp"] = "subspace_mlp"
    layers: PositiveInt = 2
    """Number of hidden layers between latents and coordinates."""
    dim: PositiveInt = 64
    """Features per hidden layer."""
    n_coordinates: PositiveInt | None = None
    """Number of basis maps; found from the images, and recorded in the run."""


@hookimpl
def tomodrgn_decoders() -> Iterator[Component]:
    """Offer the built-in members."""
    yield Component(
        spec=FourierMlpSpec,
        factory="tomodrgn.plugins.decoders.fourier_mlp.decoder:FourierMlp",
        summary="residual MLP over encoded frequencies and the latent",
    )
    yield Component(
        spec=LinearVolumesSpec,
        factory="tomodrgn.plugins.decoders.linear_volumes:LinearVolumes",
        summary="mean map plus one basis map per latent, as train_linear finds them",
    )
    yield Component(
        spec=SubspaceMlpSpec,
        factory="tomodrgn.plugins.decoders.subspace_mlp:SubspaceMlp",
        summary="mean map plus basis maps at coordinates that a small network finds, in seconds",
    )
