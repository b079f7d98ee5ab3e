"""What faults are called: short names for scripts, which stay as they are, and words for people."""

from __future__ import annotations

from typing import Final, Literal

FaultId = Literal[
    "contrast", "stack_row_mismatch", "transposed", "mirrored", "euler_inverse", "euler_exchanged",
    "hand", "defocus_hand", "shift_sign", "shift_units", "shifts_applied", "premultiplied",
    "ctf_sign", "phase_shift", "pixel_size", "dose_weighted", "dose_order", "tilt_scale",
    "duplicated", "pixels", "doses", "ctf", "shifts", "images", "tomograms", "half_sets",
    "gray_levels", "few_tilts", "one_tilt_each",
]  # fmt: skip

FAULT_NAMES: Final[dict[FaultId, str]] = {
    "contrast": "contrast",
    "stack_row_mismatch": "stack/row mismatch",
    "transposed": "transposed images",
    "mirrored": "mirrored images",
    "euler_inverse": "inverse Euler angles",
    "euler_exchanged": "exchanged Euler angles",
    "hand": "handedness (tilt-axis sign)",
    "defocus_hand": "sign of the defocus gradient",
    "shift_sign": "shift sign",
    "shift_units": "shift units (px/Å)",
    "shifts_applied": "shifts applied already",
    "premultiplied": "CTF state",
    "ctf_sign": "defocus sign",
    "phase_shift": "phase shift",
    "pixel_size": "pixel size",
    "dose_weighted": "dose-weighted flag",
    "dose_order": "dose order",
    "tilt_scale": "tilt scale",
    "duplicated": "duplicated particles",
    "pixels": "pixels",
    "doses": "doses",
    "ctf": "CTF",
    "shifts": "shifts",
    "images": "images",
    "tomograms": "tomograms",
    "gray_levels": "gray levels",
    "half_sets": "half sets",
    "few_tilts": "few tilts",
    "one_tilt_each": "one tilt image of each particle",
}


def fault_name(fault: str) -> str:
    """What a fault is called; words of a plugin are their own name."""
    names: dict[str, str] = dict(FAULT_NAMES.items())
    return names.get(fault, fault)
