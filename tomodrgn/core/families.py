"""The extension points of tomodrgn, as one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Arity = Literal["one", "optional", "many"]


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of interchangeable part.

    ``name`` is its field in the run spec, ``hook`` the pluggy hook that offers
    its members, ``arity`` how many of them one run takes.
    """

    name: str
    hook: str
    arity: Arity


FAMILIES = (
    Family("reader", "tomodrgn_readers", "one"),
    Family("positional_encoding", "tomodrgn_positional_encodings", "optional"),
    Family("encoder", "tomodrgn_encoders", "optional"),
    Family("decoder", "tomodrgn_decoders", "one"),
    Family("loss_weightings", "tomodrgn_loss_weightings", "many"),
    Family("exporters", "tomodrgn_exporters", "many"),
)
