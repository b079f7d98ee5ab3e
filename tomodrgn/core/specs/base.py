"""The base of every spec: frozen, closed, documented and torch-free."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """A description of one part of a run.

    A plugin spec adds ``kind: Literal["name"] = "name"``; that line is the only
    place where the name of a component is written. The docstring under a field is
    its only documentation: options, ``plugins show`` and errors are drawn from it.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )


WITHOUT_SOURCE: Final[dict[str, Any]] = {"use_attribute_docstrings": False}
"""Settings of a spec that is made and not written: no source is searched for what documents it."""
