"""Draws of simulated tilt series: frames in the order of acquisition, and their defocus.

All tomograms are tilted alike; a series that was cut short lacks the last frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.geometry.projections import rotations_from_stage_angles
from tomodrgn.core.geometry.rotations import matrices_from_euler
from tomodrgn.core.simulation.streams import random_stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.specs.simulation import SimulationSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquisition:
    """T frames of each of G tomograms.

    Attributes:
        rotation: (T, 3, 3) float64, tomogram to image coordinates.
        tilt_deg: (T,) float64 stage tilt.
        phase_shift_deg: (T,) float64.
        progress: (T,) float64, 0 for the first frame and 1 for the last.
        n_frames: (G,) int64 frames that were acquired, the first ones.
        defocus_u_a: (G,) float64 at the center of the tomogram.
        defocus_v_a: (G,) float64.
        defocus_angle_deg: (G,) float64.
    """

    rotation: NDArray[np.float64]
    tilt_deg: NDArray[np.float64]
    phase_shift_deg: NDArray[np.float64]
    progress: NDArray[np.float64]
    n_frames: NDArray[np.int64]
    defocus_u_a: NDArray[np.float64]
    defocus_v_a: NDArray[np.float64]
    defocus_angle_deg: NDArray[np.float64]

    def by_tilt(self, tomogram: int) -> NDArray[np.int64]:
        """Ranks (T,) of acquisition of the frames of a tomogram, in ascending order of tilt."""
        return np.argsort(self.tilt_deg[: self.n_frames[tomogram]], kind="stable")


def tilt_angles_deg(n_tilts: int, step_deg: float, scheme: str) -> NDArray[np.float64]:
    """(n_tilts,) stage tilts in the order of acquisition, symmetric about 0 where n is odd."""
    angles = step_deg * (np.arange(n_tilts) - n_tilts // 2).astype(np.float64)
    if scheme == "unidirectional":
        return angles
    if scheme == "bidirectional":
        return np.concatenate([angles[n_tilts // 2 :], angles[: n_tilts // 2][::-1]])
    ring = np.abs(np.rint(angles / step_deg)).astype(np.int64)
    plus_first = ring % 2 == 1  # 0, +1, -1, -2, +2, +3, ... steps
    late = (angles > 0) ^ plus_first
    return angles[np.lexsort((late, ring))]


def draw_acquisition(spec: SimulationSpec) -> Acquisition:
    """Tilt series of all tomograms."""
    angles = tilt_angles_deg(spec.n_tilts, spec.tilt_step_deg, spec.tilt_scheme)
    angles = angles + spec.tilt_center_deg
    none = np.zeros_like(angles)
    in_plane = rotations_from_stage_angles(none, none, none + spec.tilt_axis_deg)
    progress = np.arange(spec.n_tilts) / max(spec.n_tilts - 1, 1)
    fewest = spec.n_tilts if spec.min_tilts is None else spec.min_tilts
    frames = random_stream(spec.seed, "counts")
    defocus = random_stream(spec.seed, "defocus")
    defocus_a = 1e4 * defocus.uniform(*spec.defocus_um, spec.n_tomograms)
    half_difference_a = 0.5e4 * spec.astigmatism_um
    return Acquisition(
        rotation=in_plane @ matrices_from_euler(np.stack([none, angles, none], axis=1)),
        tilt_deg=angles,
        phase_shift_deg=spec.phase_shift_deg + spec.phase_shift_drift_deg * progress,
        progress=progress,
        n_frames=frames.integers(fewest, spec.n_tilts + 1, size=spec.n_tomograms),
        defocus_u_a=defocus_a + half_difference_a,
        defocus_v_a=defocus_a - half_difference_a,
        defocus_angle_deg=defocus.uniform(0, 180, spec.n_tomograms),
    )
