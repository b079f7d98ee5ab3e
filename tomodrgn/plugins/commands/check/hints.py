"""What would decide an assumption that images leave open, and why some are not tried."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.inspection import alternatives as tried

_MORE: Final = "more particles"
_MORE_OF_THESE: Final = f"{_MORE} (--most-images)"
_FINER: Final = "images of finer detail, where the transfer has more zeros, or more particles"

DECIDED_BY: Final[dict[str, str]] = {
    tried.CTF_STATE: _FINER,
    tried.CTF: _FINER,
    tried.PIXEL_SIZE: f"{_FINER}; or a map of known size",
    tried.HEIGHT: "particles at more different heights, or finer detail",
    tried.DOSE_STATE: "more dose, finer detail, or more particles",
    tried.DOSE_ORDER: "more dose, finer detail, or more particles",
}
"""By assumption; all others need more particles."""

NOT_TRIED: Final[dict[str, str]] = {
    tried.SHIFT_SIGN: "shifts are too short for their sign to matter",
    tried.SHIFT_UNITS: "shifts are too short for their unit to matter",
    tried.CTF_STATE: "there is no contrast transfer function",
    tried.CTF: "there is no contrast transfer function",
    tried.PIXEL_SIZE: "only a contrast transfer function tells, and there is none",
    tried.HEIGHT: "particles differ too little in height, or there is no CTF",
    tried.DOSE_STATE: "there is no dose",
    tried.DOSE_ORDER: "there is no dose",
}
"""By assumption."""


def what_would_decide(assumption: str, *, all_were_tried: bool) -> str:
    """What a user could add; an option where the input has particles that were not tried."""
    return DECIDED_BY.get(assumption, _MORE if all_were_tried else _MORE_OF_THESE)
