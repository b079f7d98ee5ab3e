"""Built-in encoders: from the tilt images of a particle to a posterior over latents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from tomodrgn.core.components import Component
from tomodrgn.core.hookspecs import hookimpl
from tomodrgn.core.specs.base import Spec

if TYPE_CHECKING:
    from collections.abc import Iterator

Pooling = Literal["auto", "concatenate", "max", "mean", "median", "set_encoder"]


class TiltSetSpec(Spec):
    """Options of ``tilt_set``."""

    kind: Literal["tilt_set"] = "tilt_set"
    layers_a: PositiveInt = 3
    """Hidden layers of the network applied to each tilt image (encoder A)."""
    dim_a: PositiveInt = 256
    """Features per hidden layer of encoder A."""
    out_dim_a: PositiveInt = 128
    """Features that encoder A finds in each tilt image."""
    pooling: Pooling = "auto"
    """How the features of the tilt images of a particle become one vector; auto concatenates them
    where all particles bring as many, and takes their mean where numbers differ."""
    layers_b: PositiveInt = 1
    """Hidden layers of the network applied to the pooled features (encoder B)."""
    dim_b: PositiveInt = 256
    """Features per hidden layer of encoder B, or of the set encoder."""
    num_heads: PositiveInt = 4
    """Attention heads of the set encoder."""
    layer_norm: bool = False
    """Normalize layers of the set encoder."""
    mask_radius_px: int | None = Field(default=None, ge=-1)
    """Radius in Fourier pixels of the coefficients that the encoder sees; half the box by default,
    -1 for all that are cached."""
    activation: Literal["relu", "leaky_relu"] = "relu"
    """Activation between layers."""

    @model_validator(mode="after")
    def _heads_divide_features(self) -> Self:
        if self.pooling == "set_encoder" and self.dim_b % self.num_heads:
            raise ValueError(f"num_heads {self.num_heads} must divide dim_b {self.dim_b}")
        return self

    def for_tilt_counts(self, fewest: int, most: int) -> Self:
        """The spec with a pooling that suits particles of ``fewest`` to ``most`` tilt images."""
        if self.pooling != "auto":
            return self
        pooling: Pooling = "concatenate" if fewest == most else "mean"
        return self.model_copy(update={"pooling": pooling})


class LinearPosteriorSpec(Spec):
    """Options of ``linear_posterior``."""

    kind: Literal["linear_posterior"] = "linear_posterior"
    layers: PositiveInt = 2
    """Number of hidden layers."""
    dim: PositiveInt = 64
    """Features per hidden layer."""


@hookimpl
def tomodrgn_encoders() -> Iterator[Component]:
    """Offer the built-in members."""
    yield Component(
        spec=TiltSetSpec,
        factory="tomodrgn.plugins.encoders.tilt_set:TiltSetEncoder",
        summary="MLP per tilt image, pooled over the tilts of a particle, then an MLP",
    )
    yield Component(
        spec=LinearPosteriorSpec,
        factory="tomodrgn.plugins.encoders.linear_posterior:LinearPosterior",
        summary="small MLP on what a linear model says of a particle; goes with subspace_mlp",
    )
