"""The STAR file of a simulation, in the columns of Warp 1 image series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tomodrgn.core.geometry.rotations import euler_from_matrices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import CtfTable
    from tomodrgn.core.simulation.forward import Simulation

_NOMINAL_MAGNIFICATION = "10000.0"
"""At this magnification the detector pixel size is that of the images."""


def star_text(simulation: Simulation, image_names: Sequence[str]) -> str:
    """One row per image.

    Args:
        simulation: what was rendered.
        image_names: (M,) ``index@stack`` of each image.
    """
    columns = _columns(simulation, image_names)
    header = "".join(f"_{name} #{i}\n" for i, name in enumerate(columns, start=1))
    rows = "\n".join("\t".join(row) for row in zip(*columns.values(), strict=True))
    return f"data_\n\nloop_\n{header}{rows}\n\n"


def tomogram_name(tomogram: int) -> str:
    """Name of a tomogram, by its number from 0."""
    return f"sim_{tomogram + 1:03d}"


def _columns(simulation: Simulation, image_names: Sequence[str]) -> dict[str, list[str]]:
    """Columns in the order of Warp 1, then those that only shifted particles need."""
    experiment, images = simulation.experiment, simulation.experiment.images
    pixel_size_a = simulation.structure.pixel_size_a
    particle = experiment.particle_of_image
    tomogram = experiment.tomogram[particle]
    place_px = experiment.position_a / pixel_size_a
    euler = euler_from_matrices(images.rotation)
    columns = {
        "rlnMagnification": [_NOMINAL_MAGNIFICATION] * len(particle),
        "rlnDetectorPixelSize": [f"{pixel_size_a:.6f}"] * len(particle),
        **({} if images.ctf is None else _ctf_columns(images.ctf)),
        "rlnImageName": list(image_names),
        "rlnMicrographName": [f"{tomogram_name(t)}.tomostar" for t in tomogram],
        "rlnCoordinateX": _numbers(place_px[:, 0], 3),
        "rlnCoordinateY": _numbers(place_px[:, 1], 3),
        "rlnAngleRot": _numbers(euler[:, 0], 6),
        "rlnAngleTilt": _numbers(euler[:, 1], 6),
        "rlnAnglePsi": _numbers(euler[:, 2], 6),
        "rlnCtfBfactor": _numbers(-4 * images.dose_e_per_a2, 4),
        "rlnCtfScalefactor": _numbers(np.cos(np.deg2rad(images.tilt_deg)), 6),
        "rlnRandomSubset": [str(1 + p % 2) for p in particle],
        "rlnGroupName": [f"{t + 1:03d}_{p:06d}" for t, p in zip(tomogram, particle, strict=True)],
    }
    if simulation.spec.origin_shift_px:
        columns["rlnOriginX"] = _numbers(images.shift_px[:, 0], 6)
        columns["rlnOriginY"] = _numbers(images.shift_px[:, 1], 6)
    return columns


def _ctf_columns(ctf: CtfTable[NDArray[Any]]) -> dict[str, list[str]]:
    """Columns of the contrast transfer."""
    return {
        "rlnVoltage": _numbers(ctf.voltage_kv, 3),
        "rlnSphericalAberration": _numbers(ctf.cs_mm, 3),
        "rlnAmplitudeContrast": _numbers(ctf.amplitude_contrast, 4),
        "rlnPhaseShift": _numbers(ctf.phase_shift_deg, 3),
        "rlnDefocusU": _numbers(ctf.defocus_u_a, 2),
        "rlnDefocusV": _numbers(ctf.defocus_v_a, 2),
        "rlnDefocusAngle": _numbers(ctf.defocus_angle_deg, 3),
    }


def _numbers(values: NDArray[np.float64], digits: int) -> list[str]:
    """Fixed-point text; zero has no sign."""
    rounded = np.round(values, digits) + 0.0
    return [f"{value:.{digits}f}" for value in rounded.tolist()]
