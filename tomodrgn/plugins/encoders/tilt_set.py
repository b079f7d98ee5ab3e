"""Encoder of a set of tilt images: a network per image, pooling, a network per particle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from torch.nn import functional

from tomodrgn.core.errors import SpecError
from tomodrgn.core.interfaces import Posterior
from tomodrgn.core.model.mlp import LEAKY_SLOPE, ResidualMlp
from tomodrgn.core.model.ragged import first_rows, segment_max, segment_mean, segment_median
from tomodrgn.plugins.encoders.set_attention import SetAttention

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.interfaces import EncoderContext
    from tomodrgn.plugins.encoders import TiltSetSpec

SEGMENT_POOLING = {"max": segment_max, "mean": segment_mean}


class TiltSetEncoder(nn.Module):
    """Posterior of a particle from any number of its tilt images.

    Only ``concatenate`` needs a fixed number of images: the first of each particle in dose order.

    Source:
        Powell & Davis 2024, doi:10.1038/s41592-024-02210-z (per-tilt encoder A, per-particle B);
        Zaheer et al. 2017, arXiv:1703.06114 (pooling over sets).
    """

    can_start_warm = True
    pads_images = True

    def __init__(self, spec: TiltSetSpec, context: EncoderContext) -> None:
        super().__init__()
        radius = spec.mask_radius_px
        if radius is None:
            radius = context.box_size_px // 2
        seen = len(context.radius_px) if radius < 0 else int((context.radius_px <= radius).sum())
        if not seen:
            raise SpecError(
                f"encoder.mask_radius_px: {radius} leaves nothing to see; use 1 or more"
            )
        self.n_seen = seen
        self.pooling = "concatenate" if spec.pooling == "auto" else spec.pooling
        self.n_tilts = context.min_tilts if self.pooling == "concatenate" else None
        self.slope = 0.0 if spec.activation == "relu" else LEAKY_SLOPE
        self.encoder1 = ResidualMlp(
            2 * seen, spec.layers_a, spec.dim_a, spec.out_dim_a, spec.activation
        )
        if spec.pooling == "set_encoder":
            self.encoder2: nn.Module = SetAttention(
                spec.out_dim_a,
                spec.dim_b,
                2 * context.latent_dim,
                n_heads=spec.num_heads,
                layer_norm=spec.layer_norm,
            )
        else:
            self.encoder2 = ResidualMlp(
                (self.n_tilts or 1) * spec.out_dim_a,
                spec.layers_b,
                spec.dim_b,
                2 * context.latent_dim,
                spec.activation,
            )

    def forward(self, images: Tensor, counts: Tensor, longest: int | None = None) -> Posterior:
        """(M, P, 2) packed, (B,) and the largest of them, to the posterior of B particles."""
        features = self.encoder1(images[:, : self.n_seen].flatten(1))  # (M, out_dim_a)
        answer = self._pool(features, counts, longest).to(images.dtype)  # (B, 2 Z)
        mean, log_variance = answer.chunk(2, dim=1)
        return Posterior(mean, log_variance)

    def _pool(self, features: Tensor, counts: Tensor, longest: int | None) -> Tensor:
        if self.pooling == "set_encoder":
            attended: Tensor = self.encoder2(features, counts, longest)
            return attended
        if self.n_tilts is not None:
            pooled = first_rows(features, counts, self.n_tilts).flatten(1)
        else:
            if self.pooling == "median":
                pooled = segment_median(features, counts, longest)
            else:
                pooled = SEGMENT_POOLING[self.pooling](features, counts)
            pooled = functional.leaky_relu(pooled, self.slope)
        answer: Tensor = self.encoder2(pooled)
        return answer
