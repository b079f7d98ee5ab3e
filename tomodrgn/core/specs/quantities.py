"""Numbers of options that mean what columns of files mean, within the same spans."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from tomodrgn.core.physics.spans import SPANS, Span

_PIXEL_SIZE: Final[Span] = SPANS["pixel_size_a"]
_VOLTAGE: Final[Span] = SPANS["voltage_kv"]
_CS: Final[Span] = SPANS["cs_mm"]
_DOSE: Final[Span] = SPANS["dose_e_per_a2"]

PixelSizeA = Annotated[float, Field(ge=_PIXEL_SIZE.low, le=_PIXEL_SIZE.high)]
VoltageKv = Annotated[float, Field(ge=_VOLTAGE.low, le=_VOLTAGE.high)]
CsMm = Annotated[float, Field(ge=_CS.low, le=_CS.high)]
DosePerTilt = Annotated[float, Field(gt=0, le=_DOSE.high)]
Percentile = Annotated[float, Field(ge=0, le=100)]
EvenInt = Annotated[int, Field(gt=0, multiple_of=2)]
"""A box edge in px."""
