"""Particles as a page keeps them: whole numbers of 16 bits, as text.

A picture has fewer pixels than 16 bits have values, so nothing visible is lost; latents, which are
exported again, stay 32-bit floats.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

UNKNOWN: Final = 65535
"""Stands for a number that is not finite."""
_STEPS: Final = 65534
_LIKELY: Final = (1.0, 99.0)
_CHARACTERS_OF_A_BYTE: Final = 4 / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Particles on a map.

    Attributes:
        name: what the map is called.
        axes: what its axes are called, with units.
        places: (B, 2), not finite where a particle has no place.
        has_scale: both axes have one unit and are drawn on one scale.
        by_tomogram: the map shows one tomogram at a time.
    """

    name: str
    axes: tuple[str, str]
    places: NDArray[np.floating]
    has_scale: bool = False
    by_tomogram: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinds:
    """What kind each particle is: its cluster, its tomogram.

    Attributes:
        codes: (B,) index into the names.
        names: of the kinds.
    """

    codes: NDArray[np.integer]
    names: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPoints:
    """All that the page knows of B particles.

    Attributes:
        maps: to draw side by side.
        kinds: by name, to color by; the first is shown at first.
        numbers: (B,) by name, to color by.
        index: (B,) number of each particle in the file that the run has read.
        latents: (B, Z), or None for a model that has none.
    """

    maps: list[Places]
    kinds: Mapping[str, Kinds]
    numbers: Mapping[str, NDArray[np.floating]]
    index: NDArray[np.integer]
    latents: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class EncodedPoints:
    """Points as plain values for JSON, and what had to be left out, in words."""

    values: dict[str, Any]
    left_out: list[str]


def encode_points(points: ReportPoints, *, most_bytes: int) -> EncodedPoints:
    """Points as plain values.

    Args:
        points: the particles.
        most_bytes: size from which on latents and further numbers are left out.
    """
    left_out = []
    values: dict[str, Any] = {
        "n": len(points.index),
        "unknown": UNKNOWN,
        "index": as_text(points.index.astype("<u4")),
        "maps": [_map(each) for each in points.maps],
        "kinds": [
            {"name": name, "names": kinds.names, "codes": as_text(kinds.codes.astype("<u2"))}
            for name, kinds in points.kinds.items()
            if len(kinds.names) < UNKNOWN
        ],
        "numbers": [],
        "latents": None,
    }
    of_two_bytes = 2 * len(points.index) * _CHARACTERS_OF_A_BYTE
    n_parts = 2 + 2 * len(points.maps) + len(points.kinds)
    room = most_bytes - n_parts * of_two_bytes
    n_latents = 0 if points.latents is None else points.latents.shape[1]
    of_latents = 2 * n_latents * of_two_bytes
    if points.latents is not None and of_latents <= room / 2:
        room -= of_latents
        values["latents"] = {"dim": n_latents, "values": as_text(points.latents.astype("<f4"))}
    elif points.latents is not None:
        left_out.append("latents are too many to be kept here; they are in the run directory")
    n_numbers = max(int(room // of_two_bytes), 0)
    values["numbers"] = [_number(*pair) for pair in list(points.numbers.items())[:n_numbers]]
    if n_numbers < len(points.numbers):
        names = ", ".join(list(points.numbers)[n_numbers:])
        left_out.append(f"columns beyond the size of this page: {names}")
    return EncodedPoints(values, left_out)


def quantise(values: NDArray[np.floating]) -> tuple[NDArray[np.uint16], float, float]:
    """Numbers (B,) in equal steps from the least to the greatest, and these two."""
    known = np.isfinite(values)
    if not known.any():
        return np.full(len(values), UNKNOWN, np.uint16), 0.0, 1.0
    low, high = float(values[known].min()), float(values[known].max())
    span = high - low or 1.0
    steps = np.round((np.where(known, values, low) - low) / span * _STEPS)
    return np.where(known, steps, UNKNOWN).astype(np.uint16), low, low + span


def as_text(values: NDArray[Any]) -> str:
    """The bytes of an array of any shape as base64."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")


def _map(each: Places) -> dict[str, Any]:
    axes = []
    for name, along in zip(each.axes, each.places.T, strict=True):
        steps, low, high = quantise(along)
        axes.append({"name": name, "low": low, "high": high, "steps": as_text(steps)})
    return {
        "name": each.name,
        "axes": axes,
        "has_scale": each.has_scale,
        "by_tomogram": each.by_tomogram,
    }


def _number(name: str, values: NDArray[np.floating]) -> dict[str, Any]:
    """A column, with the range in which most of it lies, for colors."""
    values = values.astype(np.float64)
    steps, low, high = quantise(values)
    known = values[np.isfinite(values)]
    likely = np.percentile(known, _LIKELY).tolist() if len(known) else [low, high]
    return {"name": name, "low": low, "high": high, "likely": likely, "steps": as_text(steps)}
