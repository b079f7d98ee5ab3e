"""Built-in loss weightings: how much each coefficient of each image counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tomodrgn.core.components import Component
from tomodrgn.core.hookspecs import hookimpl
from tomodrgn.core.specs.base import Spec

if TYPE_CHECKING:
    from collections.abc import Iterator


class DoseSpec(Spec):
    """Options of ``dose``."""

    kind: Literal["dose"] = "dose"


class TiltSpec(Spec):
    """Options of ``tilt``."""

    kind: Literal["tilt"] = "tilt"


@hookimpl
def tomodrgn_loss_weightings() -> Iterator[Component]:
    """Offer the built-in members."""
    yield Component(
        spec=DoseSpec,
        factory="tomodrgn.plugins.weightings.dose:DoseWeighting",
        summary="amplitude left by radiation damage, zero beyond the optimal dose",
    )
    yield Component(
        spec=TiltSpec,
        factory="tomodrgn.plugins.weightings.tilt:TiltWeighting",
        summary="cosine of the stage tilt: thicker samples count less",
    )
