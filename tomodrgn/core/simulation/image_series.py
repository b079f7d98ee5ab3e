"""STAR files of image series, one row per tilt image, in the columns of Warp 1 and of nextPYP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tomodrgn.core.geometry.rotations import euler_from_matrices
from tomodrgn.core.simulation.star_text import angle_columns, axis_columns, numbers, table_block
from tomodrgn.core.simulation.tomograms import particle_names, stated_tomogram_name
from tomodrgn.core.simulation.treatment import stated_dose_e_per_a2, written_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import CtfTable
    from tomodrgn.core.simulation.forward import Simulation

NOMINAL_MAGNIFICATION = "10000.0"
"""At this magnification the detector pixel size is that of the images."""


def warp_star(simulation: Simulation, image_names: Sequence[str]) -> str:
    """Columns in the order of Warp 1, then those that only shifted particles need.

    Args:
        simulation: what was rendered.
        image_names: (M,) ``index@stack`` of each image.
    """
    experiment, ctf = simulation.experiment, simulation.experiment.stated_ctf
    particle = experiment.particle_of_image
    groups = particle_names(simulation.spec)
    columns = {
        "rlnMagnification": [NOMINAL_MAGNIFICATION] * len(particle),
        "rlnDetectorPixelSize": [f"{simulation.structure.pixel_size_a:.6f}"] * len(particle),
        **({} if ctf is None else _optics_columns(ctf)),
        **({} if ctf is None else {"rlnPhaseShift": _phase_shifts(ctf)}),
        **({} if ctf is None else _defocus_columns(ctf)),
        "rlnImageName": list(image_names),
        "rlnMicrographName": _tomograms(simulation),
        **axis_columns("rlnCoordinate*", _place_px(simulation), 3),
        **angle_columns(euler_from_matrices(experiment.stated.rotation)),
        **_weight_columns(simulation),
        "rlnRandomSubset": numbers(experiment.half_set[particle], 0),
        "rlnGroupName": [groups[p] for p in particle.tolist()],
    }
    if experiment.stated.shift_px.any():
        columns |= axis_columns("rlnOrigin*", experiment.stated.shift_px, 6)
    return table_block(columns)


def nextpyp_star(simulation: Simulation, image_names: Sequence[str]) -> str:
    """Optics, then the columns of nextPYP in its order; arguments as :func:`warp_star`."""
    experiment, ctf = simulation.experiment, simulation.experiment.stated_ctf
    particle = experiment.particle_of_image
    groups = particle_names(simulation.spec)
    shifts_a = experiment.stated.shift_px * simulation.structure.pixel_size_a
    euler = angle_columns(euler_from_matrices(experiment.stated.rotation))
    columns = {
        "rlnImageName": list(image_names),
        "rlnMicrographName": _tomograms(simulation),
        **axis_columns("rlnCoordinate*", _place_px(simulation), 3),
        **{name: euler[name] for name in ("rlnAnglePsi", "rlnAngleTilt", "rlnAngleRot")},
        **axis_columns("rlnOrigin*Angst", shifts_a, 6),
        **({} if ctf is None else _defocus_columns(ctf)),
        **({} if ctf is None else {"rlnPhaseShift": _phase_shifts(ctf)}),
        "rlnOpticsGroup": ["1"] * len(particle),
        "rlnGroupNumber": [groups[p] for p in particle.tolist()],
        **_weight_columns(simulation),
        "rlnLogLikeliContribution": ["0.00"] * len(particle),
        "rlnRandomSubset": numbers(experiment.half_set[particle], 0),
        "rlnTiltIndex": numbers(experiment.tilt, 0),
    }
    return _nextpyp_optics(simulation) + table_block(columns, "particles")


def _nextpyp_optics(simulation: Simulation) -> str:
    spec, optics = simulation.spec, simulation.optics
    columns = {
        "rlnOpticsGroupName": [optics.name],
        "rlnOpticsGroup": ["1"],
        "rlnMicrographOriginalPixelSize": [f"{optics.pixel_size_a:.6f}"],
        "rlnVoltage": [f"{spec.voltage_kv:.3f}"],
        "rlnSphericalAberration": [f"{spec.cs_mm:.3f}"],
        "rlnAmplitudeContrast": [f"{spec.amplitude_contrast:.4f}"],
        "rlnImagePixelSize": [f"{optics.pixel_size_a:.6f}"],
        "rlnImageSize": [str(optics.box_size_px)],
        "rlnImageDimensionality": ["2"],
    }
    if written_state(spec).ctf_premultiplied:
        columns["rlnCtfDataAreCtfPremultiplied"] = ["1"]
    return table_block(columns, "optics")


def _tomograms(simulation: Simulation) -> list[str]:
    """(M,) tomogram of each image."""
    tomogram = simulation.experiment.tomogram[simulation.experiment.particle_of_image]
    return [stated_tomogram_name(simulation.spec, t) for t in tomogram.tolist()]


def _place_px(simulation: Simulation) -> NDArray[np.float64]:
    """(M, 2) place of the particle in the tilt image, from its corner."""
    from_corner_a = simulation.experiment.seen_a[:, :2] + np.array(simulation.spec.field_a[:2]) / 2
    place: NDArray[np.float64] = from_corner_a / simulation.structure.pixel_size_a
    return place


def _weight_columns(simulation: Simulation) -> dict[str, list[str]]:
    """Dose and tilt, as a B-factor and a scale."""
    experiment = simulation.experiment
    dose = stated_dose_e_per_a2(simulation.spec, experiment.tilt)
    return {
        "rlnCtfBfactor": numbers(-4 * dose, 4),
        "rlnCtfScalefactor": numbers(np.cos(np.deg2rad(experiment.images.tilt_deg)), 6),
    }


def _optics_columns(ctf: CtfTable[NDArray[Any]]) -> dict[str, list[str]]:
    return {
        "rlnVoltage": numbers(ctf.voltage_kv, 3),
        "rlnSphericalAberration": numbers(ctf.cs_mm, 3),
        "rlnAmplitudeContrast": numbers(ctf.amplitude_contrast, 4),
    }


def _defocus_columns(ctf: CtfTable[NDArray[Any]]) -> dict[str, list[str]]:
    return {
        "rlnDefocusU": numbers(ctf.defocus_u_a, 2),
        "rlnDefocusV": numbers(ctf.defocus_v_a, 2),
        "rlnDefocusAngle": numbers(ctf.defocus_angle_deg, 3),
    }


def _phase_shifts(ctf: CtfTable[NDArray[Any]]) -> list[str]:
    return numbers(ctf.phase_shift_deg, 3)
