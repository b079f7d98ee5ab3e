"""Built-in positional encodings: features of a spatial frequency for a coordinate network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import PositiveFloat, PositiveInt

from tomodrgn.core.components import Component
from tomodrgn.core.hookspecs import hookimpl
from tomodrgn.core.specs.base import Spec

if TYPE_CHECKING:
    from collections.abc import Iterator


class WaveSpec(Spec):
    """Options of the encodings by waves along each axis."""

    dim: PositiveInt | None = None
    """Waves per axis, each giving a sine and a cosine; half the box by default."""


class GeomFtSpec(WaveSpec):
    """Options of ``geom_ft``."""

    kind: Literal["geom_ft"] = "geom_ft"


class GeomFullSpec(WaveSpec):
    """Options of ``geom_full``."""

    kind: Literal["geom_full"] = "geom_full"


class GeomLowfSpec(WaveSpec):
    """Options of ``geom_lowf``."""

    kind: Literal["geom_lowf"] = "geom_lowf"


class GeomNohighfSpec(WaveSpec):
    """Options of ``geom_nohighf``."""

    kind: Literal["geom_nohighf"] = "geom_nohighf"


class LinearLowfSpec(WaveSpec):
    """Options of ``linear_lowf``."""

    kind: Literal["linear_lowf"] = "linear_lowf"


class GaussianSpec(WaveSpec):
    """Options of ``gaussian``."""

    kind: Literal["gaussian"] = "gaussian"
    sigma: PositiveFloat = 0.5
    """Spread of the random wave vectors, in units of half the box."""


class NoneSpec(Spec):
    """Options of ``none``."""

    kind: Literal["none"] = "none"


@hookimpl
def tomodrgn_positional_encodings() -> Iterator[Component]:
    """Offer the built-in members."""
    axis_waves = "tomodrgn.plugins.encodings.axis_waves"
    for spec, factory, waves in (
        (GeomFtSpec, "geom_ft", "box to 1/2pi box, geometric: every scale of the box"),
        (GeomFullSpec, "geom_full", "box down to one radian per Nyquist range, geometric"),
        (GeomLowfSpec, "geom_lowf", "half the box to one radian, geometric: smooth, low waves"),
        (GeomNohighfSpec, "geom_nohighf", "half the box to one wave, geometric"),
        (LinearLowfSpec, "linear_lowf", "1, 2, ... radians per unit frequency, linear"),
    ):
        yield Component(
            spec=spec,
            factory=f"{axis_waves}:{factory}",
            summary=f"sines and cosines along x, y, z; wave numbers from {waves}",
        )
    yield Component(
        spec=GaussianSpec,
        factory="tomodrgn.plugins.encodings.gaussian:GaussianWaves",
        summary="sines and cosines along random directions (random Fourier features)",
    )
    yield Component(
        spec=NoneSpec,
        factory="tomodrgn.plugins.encodings.raw:RawFrequencies",
        summary="the three frequencies themselves",
    )
