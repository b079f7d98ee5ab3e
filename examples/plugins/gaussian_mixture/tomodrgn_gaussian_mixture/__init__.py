"""A decoder for tomodrgn: a molecule as blobs that move and fade with the latent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import PositiveFloat, PositiveInt

from tomodrgn.plugin import Component, Spec, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator


class GaussianMixtureSpec(Spec):
    """Options of ``gaussian_mixture``."""

    kind: Literal["gaussian_mixture"] = "gaussian_mixture"
    n_blobs: PositiveInt = 128
    """Number of blobs."""
    width_px: PositiveFloat = 1.5
    """Standard deviation of a blob at the start, in px."""
    radius: PositiveFloat = 0.25
    """Spread of the blobs at the start, as a fraction of the box edge."""


@hookimpl
def tomodrgn_decoders() -> Iterator[Component]:
    """Offer the decoder."""
    yield Component(
        spec=GaussianMixtureSpec,
        factory="tomodrgn_gaussian_mixture.decoder:GaussianMixture",
        summary="blobs whose positions and weights depend linearly on the latent",
    )
