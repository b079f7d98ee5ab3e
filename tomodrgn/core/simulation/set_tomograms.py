"""The tomograms of a set: their tilt series as matrices (WarpTools, RELION 4) or angles (RELION 5).

Heights along the beam add ``hand`` times themselves to the defocus in RELION, and the opposite in
WarpTools, whose hand is -1 for a tilt series as recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.geometry.projections import stage_angles_from_rotations
from tomodrgn.core.simulation.coordinates import BINNING, series_pixel_size_a, tomogram_size_px
from tomodrgn.core.simulation.star_text import numbers, table_block
from tomodrgn.core.simulation.streams import random_stream
from tomodrgn.core.simulation.tomograms import stated_tomogram_name, tomogram_name
from tomodrgn.core.simulation.treatment import stated_dose_e_per_a2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.simulation.forward import Simulation

_MISALIGNMENT_A = 40.0
"""Largest shift of a frame against the tomogram; extracted images no longer have it."""


def matrix_tomograms_star(simulation: Simulation) -> str:
    """All tomograms with a block of projection matrices each."""
    n_tomograms = simulation.spec.n_tomograms
    blocks = [table_block(_global_columns(simulation), "global")]
    for tomogram in range(n_tomograms):
        name = stated_tomogram_name(simulation.spec, tomogram)
        frames = simulation.experiment.acquisition.by_tilt(tomogram)
        columns = _matrix_columns(simulation, frames) | _frame_columns(simulation, tomogram, frames)
        blocks.append(table_block(columns, name))
    return "".join(blocks)


def angle_tomograms_star(simulation: Simulation) -> dict[str, str]:
    """Each tilt series in a file of its own, then all tomograms; text by file name."""
    files = {}
    rng = random_stream(simulation.spec.seed, "alignment")
    for tomogram in range(simulation.spec.n_tomograms):
        name = tomogram_name(tomogram)
        frames = simulation.experiment.acquisition.by_tilt(tomogram)
        shifts_a = rng.uniform(-_MISALIGNMENT_A, _MISALIGNMENT_A, (len(frames), 2))
        columns = {
            "rlnMicrographName": [f"{name}_{frame:03d}.mrc" for frame in frames.tolist()],
            **_angle_columns(simulation, frames),
            "rlnTomoXShiftAngst": numbers(shifts_a[:, 0], 4),
            "rlnTomoYShiftAngst": numbers(shifts_a[:, 1], 4),
            **_frame_columns(simulation, tomogram, frames),
        }
        files[_series_file(tomogram)] = table_block(columns, name)
    columns = _global_columns(simulation)
    columns["rlnTomoTiltSeriesStarFile"] = [
        _series_file(tomogram) for tomogram in range(simulation.spec.n_tomograms)
    ]
    return {**files, "tomograms.star": table_block(columns, "global")}


def _series_file(tomogram: int) -> str:
    return f"tilt_series/{tomogram_name(tomogram)}.star"


def _global_columns(simulation: Simulation) -> dict[str, list[str]]:
    """One row per tomogram."""
    spec, n = simulation.spec, simulation.spec.n_tomograms
    is_binned = spec.size_convention == "binned"
    size_px = tomogram_size_px(simulation) * (1 if is_binned else BINNING)
    return {
        "rlnTomoName": [stated_tomogram_name(simulation.spec, t) for t in range(n)],
        "rlnTomoTiltSeriesName": [_series_name(simulation, t) for t in range(n)],
        "rlnTomoFrameCount": numbers(simulation.experiment.acquisition.n_frames, 0),
        **{f"rlnTomoSize{axis}": [str(size_px[i])] * n for i, axis in enumerate("XYZ")},
        "rlnTomoHand": [f"{_hand(simulation):.1f}"] * n,
        "rlnOpticsGroupName": [simulation.optics.name] * n,
        "rlnTomoTiltSeriesPixelSize": [f"{series_pixel_size_a(simulation):.8f}"] * n,
        "rlnVoltage": [f"{spec.voltage_kv:.3f}"] * n,
        "rlnSphericalAberration": [f"{spec.cs_mm:.3f}"] * n,
        "rlnAmplitudeContrast": [f"{spec.amplitude_contrast:.4f}"] * n,
        "rlnTomoImportFractionalDose": [f"{spec.dose_per_tilt_e_per_a2:.4f}"] * n,
    }


def _series_name(simulation: Simulation, tomogram: int) -> str:
    if simulation.spec.format == "warptools":
        return "dummy_tiltseries.mrc"
    return f"tilt_series/{tomogram_name(tomogram)}.mrc"


def _hand(simulation: Simulation) -> int:
    """``rlnTomoHand`` that states the sign of defocus."""
    sign = 1 if simulation.spec.defocus_sign == "plus" else -1
    return -sign if simulation.spec.format == "warptools" else sign


def _matrix_columns(simulation: Simulation, frames: NDArray[np.int64]) -> dict[str, list[str]]:
    """Rows of the projection matrices of frames; RELION states in them where the center goes."""
    rotation = simulation.experiment.acquisition.rotation[frames]
    centre_px = tomogram_size_px(simulation) * BINNING / 2
    offset_px = np.zeros((len(frames), 3))
    if simulation.spec.format != "warptools":
        offset_px = centre_px - rotation @ centre_px
    rows = np.concatenate([rotation, offset_px[:, :, None]], axis=2)  # (T, 3, 4)
    columns = {f"rlnTomoProj{axis}": _vectors(rows[:, i]) for i, axis in enumerate("XYZ")}
    return {**columns, "rlnTomoProjW": ["[0,0,0,1]"] * len(frames)}


def _vectors(rows: NDArray[np.float64]) -> list[str]:
    """``[a,b,c,d]`` of each row."""
    return [f"[{','.join(numbers(row, 9))}]" for row in rows]


def _angle_columns(simulation: Simulation, frames: NDArray[np.int64]) -> dict[str, list[str]]:
    """Angles of frames, tomogram to image coordinates."""
    rotation = simulation.experiment.acquisition.rotation[frames]
    x_tilt, y_tilt, z_rot = stage_angles_from_rotations(rotation).T
    return {
        "rlnTomoNominalStageTiltAngle": numbers(y_tilt, 4),
        "rlnTomoNominalTiltAxisAngle": numbers(z_rot, 4),
        "rlnTomoXTilt": numbers(x_tilt, 6),
        "rlnTomoYTilt": numbers(y_tilt, 6),
        "rlnTomoZRot": numbers(z_rot, 6),
    }


def _frame_columns(
    simulation: Simulation, tomogram: int, frames: NDArray[np.int64]
) -> dict[str, list[str]]:
    """Defocus at the center of a tomogram, tilt and dose of its frames."""
    spec, acquisition = simulation.spec, simulation.experiment.acquisition
    columns = {}
    if spec.ctf:
        for name, values in (
            ("rlnDefocusU", acquisition.defocus_u_a),
            ("rlnDefocusV", acquisition.defocus_v_a),
            ("rlnDefocusAngle", acquisition.defocus_angle_deg),
        ):
            columns[name] = [f"{values[tomogram]:.3f}"] * len(frames)
    if spec.ctf and (spec.size_convention == "binned" or acquisition.phase_shift_deg.any()):
        columns["rlnPhaseShift"] = numbers(acquisition.phase_shift_deg[frames], 3)
    cosine = np.cos(np.deg2rad(acquisition.tilt_deg[frames]))
    columns["rlnCtfScalefactor"] = numbers(cosine, 6)
    columns["rlnMicrographPreExposure"] = numbers(stated_dose_e_per_a2(spec, frames), 4)
    return columns
