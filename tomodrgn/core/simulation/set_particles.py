"""The particles of a set: optics, coordinates, poses and visible frames, and their trajectories."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.geometry.rotations import euler_from_matrices, random_rotations
from tomodrgn.core.simulation.coordinates import (
    coordinates_a,
    series_pixel_size_a,
    tomogram_size_px,
)
from tomodrgn.core.simulation.stacks import visible_frames
from tomodrgn.core.simulation.star_text import (
    angle_columns,
    axis_columns,
    numbers,
    table_block,
    value_block,
)
from tomodrgn.core.simulation.streams import random_stream
from tomodrgn.core.simulation.tomograms import particle_names, stated_tomogram_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tomodrgn.core.simulation.forward import Simulation


def particles_star(simulation: Simulation, stacks: Sequence[str]) -> str:
    """General values, optics, and one row per particle.

    Args:
        simulation: what was rendered.
        stacks: (B,) stack of each particle.
    """
    experiment = simulation.experiment
    tomograms = experiment.tomogram.tolist()
    columns = {
        "rlnTomoName": [stated_tomogram_name(simulation.spec, t) for t in tomograms],
        "rlnTomoParticleId": [str(p + 1) for p in range(len(tomograms))],
        **_coordinate_columns(simulation),
        **_pose_columns(simulation),
        "rlnTomoParticleName": particle_names(simulation.spec),
        "rlnOpticsGroup": ["1"] * len(tomograms),
        "rlnImageName": list(stacks),
        "rlnRandomSubset": numbers(experiment.half_set, 0),
        "rlnTomoVisibleFrames": [_frame_list(shown) for shown in visible_frames(simulation)],
    }
    general = value_block({"rlnTomoSubTomosAre2DStacks": "1"}, "general")
    return general + _optics(simulation) + table_block(columns, "particles")


def trajectories_star(simulation: Simulation) -> str:
    """Displacement of each particle in each frame of its tilt series, by ascending tilt."""
    experiment, acquisition = simulation.experiment, simulation.experiment.acquisition
    names = particle_names(simulation.spec)
    blocks = [value_block({"rlnParticleNumber": str(len(names))}, "general")]
    for name, tomogram, drift_a in zip(
        names, experiment.tomogram.tolist(), experiment.drift_a, strict=True
    ):
        moved_a = drift_a * acquisition.progress[acquisition.by_tilt(tomogram), None]
        blocks.append(table_block(axis_columns("rlnOrigin*Angst", moved_a, 5), name))
    return "".join(blocks)


def _optics(simulation: Simulation) -> str:
    spec, optics = simulation.spec, simulation.optics
    series_a = series_pixel_size_a(simulation)
    columns = {
        "rlnOpticsGroup": ["1"],
        "rlnOpticsGroupName": [optics.name],
        "rlnSphericalAberration": [f"{spec.cs_mm:.3f}"],
        "rlnVoltage": [f"{spec.voltage_kv:.3f}"],
        "rlnTomoTiltSeriesPixelSize": [f"{series_a:.8f}"],
        "rlnCtfDataAreCtfPremultiplied": [str(int(optics.state.ctf_premultiplied is True))],
        "rlnImageDimensionality": ["2"],
        "rlnTomoSubtomogramBinning": [f"{optics.pixel_size_a / series_a:.5f}"],
        "rlnImagePixelSize": [f"{optics.pixel_size_a:.8f}"],
        "rlnImageSize": [str(optics.box_size_px)],
        "rlnAmplitudeContrast": [f"{spec.amplitude_contrast:.4f}"],
    }
    return table_block(columns, "optics")


def _coordinate_columns(simulation: Simulation) -> dict[str, list[str]]:
    """Coordinates in the unit of the format: particle pixels, angstrom, or tilt-series pixels."""
    coordinates = coordinates_a(simulation)
    pixel_size_a = simulation.structure.pixel_size_a
    match simulation.spec.format:
        case "warptools":
            return axis_columns("rlnCoordinate*", coordinates / pixel_size_a, 5)
        case "relion5":
            centre_a = tomogram_size_px(simulation) * pixel_size_a / 2
            return axis_columns("rlnCenteredCoordinate*Angst", coordinates - centre_a, 4)
        case _:
            series_a = series_pixel_size_a(simulation)
            return axis_columns("rlnCoordinate*", coordinates / series_a, 5)


def _pose_columns(simulation: Simulation) -> dict[str, list[str]]:
    """Angles and origins, in the frame in which the particle was extracted."""
    stated = simulation.experiment.stated
    if not simulation.spec.subtomogram_priors:
        return _poses(stated.orientation, stated.origin_a)
    rng = random_stream(simulation.spec.seed, "prior")
    priors = random_rotations(len(stated.orientation), rng)
    inverse = np.swapaxes(priors, -1, -2)
    return {
        **angle_columns(euler_from_matrices(priors), "rlnTomoSubtomogram*"),
        **_poses(
            inverse @ stated.orientation,
            np.einsum("bij,bj->bi", inverse, stated.origin_a),
        ),
    }


def _poses(orientation: NDArray[np.float64], origin_a: NDArray[np.float64]) -> dict[str, list[str]]:
    return {
        **angle_columns(euler_from_matrices(orientation)),
        **axis_columns("rlnOrigin*Angst", origin_a, 5),
    }


def _frame_list(shown: NDArray[np.bool_]) -> str:
    """``[0,1,...]``, one number per frame."""
    return f"[{','.join('1' if visible else '0' for visible in shown.tolist())}]"
