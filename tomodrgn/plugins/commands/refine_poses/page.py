"""What refinement found of stated poses, in words and as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tomodrgn.core.report.shown import Shown

if TYPE_CHECKING:
    from tomodrgn.core.refinement.rounds import Refinement


@dataclass(frozen=True, slots=True)
class PoseFinding(Shown):
    """Errors of stated poses, and the files in which they are mended.

    Attributes:
        found: corrections and their widths.
        pixel_size_a: of the images.
        files: with refined poses, the one to go on with first.
        not_written: what has no place in them, and why.
    """

    found: Refinement
    pixel_size_a: float
    files: tuple[str, ...]
    not_written: tuple[str, ...]
    stem: ClassVar[str] = "refine_poses"

    def page(self) -> str:
        """The errors, what was decided, and the files."""
        values = self.as_json()
        errors, left = values["errors"], values["not_known"]
        rows = [
            ("turn about each axis", "turn_deg", "degrees"),
            ("shift along each axis", "shift_a", "Å"),
            ("contrast", "contrast", ""),
        ]
        lines = [
            "# Poses",
            "",
            self._verdict(),
            "",
            f"| of a particle | error {self._standing} | not known, median |",
            "| --- | --- | --- |",
            *(_row(what, errors[key], left[key], unit) for what, key, unit in rows),
            "",
            f"Go on with `{self.files[0]}`.",
            *(f"\nNot written: {fault}." for fault in self.not_written),
        ]
        return "\n".join(lines) + "\n"

    def _verdict(self) -> str:
        gain = f"{self.found.gain.mean():+.2f} per particle, {self.found.z:.1f} standard errors"
        if self.found.is_used:
            return f"Poses were refined (log likelihood with maps of the other half {gain})."
        return f"Poses are left as they were stated (log likelihood {gain})."

    @property
    def _standing(self) -> str:
        return "as stated, rms" if self.found.is_used else "suspected, rms"

    def as_json(self) -> dict[str, Any]:
        """Widths of errors, what is not known of them, and the files."""
        found, pixel_size_a = self.found, self.pixel_size_a
        variance = found.covariance.diagonal(dim1=1, dim2=2).cpu().numpy()
        kinds = (variance[:, 1:4].mean(1), variance[:, 4:7].mean(1), variance[:, 0])
        shift_px, turn_rad, contrast = (float(np.median(np.sqrt(kind))) for kind in kinds)
        errors = {
            "turn_deg": float(np.rad2deg(found.widths.turn_rad)),
            "shift_a": found.widths.shift_px * pixel_size_a,
            "contrast": found.widths.contrast,
        }
        not_known = {
            "turn_deg": float(np.rad2deg(turn_rad)),
            "shift_a": shift_px * pixel_size_a,
            "contrast": contrast,
        }
        return {
            "is_refined": found.is_used,
            "n_particles": len(found.gain),
            "errors": errors,
            "errors_of_tilts": {
                "shift_a": found.tilt_widths.shift_px * pixel_size_a,
                "contrast": found.tilt_widths.contrast,
            },
            "not_known": {
                kind: value if errors[kind] > 0 or not found.rounds else None
                for kind, value in not_known.items()
            },
            "gain_per_particle": float(found.gain.mean()),
            "z": found.z,
            "shells": found.radius_px,
            "rounds": found.rounds,
            "files": list(self.files),
            "not_written": list(self.not_written),
        }


def _row(what: str, error: float, left: float | None, unit: str) -> str:
    """A line of the table; a kind of error that is not there is not fitted."""
    seen = f"{error:.3g} {unit}" if error > 0 else "none seen"
    return f"| {what} | {seen} | {'-' if left is None else f'{left:.3g} {unit}'} |"
