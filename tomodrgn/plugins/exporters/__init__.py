"""Built-in exporters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from tomodrgn.core.components import Component
from tomodrgn.core.hookspecs import hookimpl
from tomodrgn.core.specs.base import Spec

if TYPE_CHECKING:
    from collections.abc import Iterator


class StarSpec(Spec):
    """Options of ``star``."""

    kind: Literal["star"] = "star"
    labels: tuple[Path, ...] = ()
    """Files with a label for each particle of the run, such as labels.pkl; a column each."""
    prefix: Annotated[str, Field(pattern="^[A-Za-z][A-Za-z0-9]*$")] = "tomodrgn"
    """Beginning of the names of the new columns."""
    uncertainty: bool = True
    """Write the standard deviation of each latent too."""

    @field_validator("labels", mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, value: object) -> object:
        return (value,) if isinstance(value, (str, Path)) else value


class CryodrgnSpec(Spec):
    """Options of ``cryodrgn``."""

    kind: Literal["cryodrgn"] = "cryodrgn"


class ChimeraxSpec(Spec):
    """Options of ``chimerax``."""

    kind: Literal["chimerax"] = "chimerax"
    marker_radius_a: PositiveFloat = 100.0
    """Radius of the markers in angstrom."""
    labels: Path | None = None
    """File with a label for each particle of the run, such as labels.pkl, to color by."""
    latent: PositiveInt | None = None
    """Latent dimension to color by, from 1; without it and without labels, tomograms differ."""


@hookimpl
def tomodrgn_exporters() -> Iterator[Component]:
    """Offer the built-in members."""
    yield Component(
        spec=StarSpec,
        factory="tomodrgn.plugins.exporters.star:StarExporter",
        summary="the particles file of the run, with latents and labels as new columns",
    )
    yield Component(
        spec=CryodrgnSpec,
        factory="tomodrgn.plugins.exporters.cryodrgn:CryodrgnExporter",
        summary="ctf.pkl, poses.pkl, config.yaml, latents and weights for cryoDRGN 3 and later",
    )
    yield Component(
        spec=ChimeraxSpec,
        factory="tomodrgn.plugins.exporters.chimerax:ChimeraxExporter",
        summary="markers of the particles in their tomograms, as ChimeraX scripts",
    )
