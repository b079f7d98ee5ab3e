"""Poses, shifts and contrast that a method found, beside those that were simulated.

A map may be turned, moved and scaled as a whole, and so may that of either half: the mean error of
each half counts as none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.spatial.transform import Rotation  # type: ignore[import-untyped]
from sklearn.metrics import roc_auc_score

from tomodrgn.core.cli.fields import builtin_registry
from tomodrgn.core.data.inputs import Inputs
from tomodrgn.core.particles.corrections_file import read_corrections, read_errors
from tomodrgn.core.particles.identity import match_particles
from tomodrgn.core.products import REFINED_POSES
from tomodrgn.core.simulation.coordinates import positions_a, stated_positions_a
from tomodrgn.core.simulation.experiment import JUNK
from tomodrgn.core.simulation.tomograms import names_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.particles.corrections import Corrections
    from tomodrgn.core.simulation.forward import Simulation

WITHIN: Final = 1.6448536269514722
"""Standard deviations within which a normal number lies nine times in ten."""

_PARTS: Final = {"contrast": slice(0, 1), "shift": slice(1, 4), "turn": slice(4, 7)}


@dataclass(frozen=True, slots=True)
class Refined:
    """Corrections of the particles of a simulation, in its order.

    Attributes:
        corrections: of the poses that the files state.
        deviations: (B, 7) of what is not known of contrast, shift (px) and turn (rad), or None.
    """

    corrections: Corrections
    deviations: NDArray[np.float64] | None = None


def read_refined(run: Path, star: Path, simulation: Simulation) -> Refined | None:
    """Poses that a run on a simulated set refined; None where it left none.

    Raises:
        DataError: the file cannot be read, or is about other particles.
    """
    if not (run / REFINED_POSES).exists():
        return None
    registry = builtin_registry()
    particles = Inputs(registry).particles_file(star).reader(needs_images=False).read()
    order = match_particles(particles, names_of(simulation.spec))
    images = np.concatenate([np.arange(*particles.starts[row : row + 2]) for row in order])
    errors = read_errors(run, particles)
    corrections = read_corrections(run, particles).take(order, images)
    return Refined(corrections, None if errors is None else errors[order])


def pose_figures(simulation: Simulation, refined: Refined | None = None) -> dict[str, Any]:
    """Errors of the poses that are stated, or of those after corrections; junk is left out.

    Turns are angles in degrees, shifts are along each axis in px, contrasts are natural logs; all
    are roots of mean squares. Where a run says how well it knows them, so is the share of errors
    within the widths that should hold 90 % of them.
    """
    errors = pose_errors(simulation, None if refined is None else refined.corrections)
    names = {"contrast": "contrast_rms", "shift": "shift_rms_px", "turn": "orientation_rms_deg"}
    found = {
        name: float(np.sqrt(np.square(errors[:, _PARTS[part]]).mean()))
        for part, name in names.items()
    }
    found["orientation_rms_deg"] = float(np.rad2deg(found["orientation_rms_deg"] * np.sqrt(3)))
    corrections = None if refined is None else refined.corrections
    is_junk = simulation.experiment.labels == JUNK
    if corrections is not None and is_junk.any():
        found["junk_by_contrast"] = float(roc_auc_score(is_junk, -corrections.log_scale))
    misplaced = image_errors_px(simulation, corrections)
    found["image_rms_px"] = float(np.sqrt(np.square(misplaced).mean()))
    if refined is not None and refined.deviations is not None:
        real = simulation.experiment.labels != JUNK
        is_within = np.abs(errors) <= WITHIN * refined.deviations[real]
        found |= {f"{part}_in_90": float(is_within[:, _PARTS[part]].mean()) for part in _PARTS}
    return found


def pose_errors(simulation: Simulation, corrections: Corrections | None) -> NDArray[np.float64]:
    """(R, 7) errors of contrast, shift in px and turn in radians of particles that are no junk.

    Where shifts of exposures were found that a move of all particles of a tomogram would make as
    well, they count as that move.
    """
    experiment = simulation.experiment
    orientation = experiment.stated.orientation
    error_a = stated_positions_a(simulation) - positions_a(simulation)
    error_px = error_a / simulation.structure.pixel_size_a
    contrast = -np.log(experiment.contrast)
    if corrections is not None:
        orientation = orientation @ corrections.rotation.swapaxes(1, 2)
        error_px = error_px - np.einsum("bij,bj->bi", orientation, corrections.shift_px)
        error_px = error_px - _moves_of_tomograms(simulation, corrections)
        owner = experiment.particle_of_image
        contrast = contrast + corrections.log_scale[owner] + corrections.tilt_log_scale
    of_particle = np.add.reduceat(contrast, experiment.starts[:-1]) / experiment.counts
    moved_px = np.einsum("bji,bj->bi", experiment.orientation, error_px)  # as the reference sees it
    turn = experiment.orientation.swapaxes(1, 2) @ orientation
    errors = np.zeros((len(turn), 7))
    for half in (1, 2):
        rows = np.flatnonzero((experiment.half_set == half) & (experiment.labels != JUNK))
        if len(rows):
            errors[rows, 0] = of_particle[rows] - of_particle[rows].mean()
            errors[rows, 1:4] = moved_px[rows] - moved_px[rows].mean(0)
            errors[rows, 4:] = _turns_about_mean(turn[rows])
    real: NDArray[np.float64] = errors[experiment.labels != JUNK]
    return real


def image_errors_px(simulation: Simulation, corrections: Corrections | None) -> NDArray[np.float64]:
    """(R, 2) how far the content of images lies from its place, those of junk left out.

    Errors of particles and of exposures count together, because one can stand for the other; what
    a move of the map of either half would explain does not count.
    """
    experiment = simulation.experiment
    owner, rotation = experiment.particle_of_image, experiment.stated.rotation
    errors = experiment.stated.shift_px - experiment.images.shift_px
    if corrections is not None:
        rotation = rotation @ corrections.rotation[owner].swapaxes(1, 2)
        moved_px = np.einsum("mij,mj->mi", rotation[:, :2], corrections.shift_px[owner])
        errors = errors + moved_px + corrections.tilt_shift_px
    is_real = experiment.labels[owner] != JUNK
    left: list[NDArray[np.float64]] = []
    for half in (1, 2):
        rows = np.flatnonzero((experiment.half_set[owner] == half) & is_real)
        if len(rows):
            ways, wrong = rotation[rows, :2].reshape(-1, 3), errors[rows].ravel()
            move = np.linalg.lstsq(ways, wrong, rcond=None)[0]
            left.append((wrong - ways @ move).reshape(-1, 2))
    return np.concatenate(left)


def _moves_of_tomograms(simulation: Simulation, corrections: Corrections) -> NDArray[np.float64]:
    """(B, 3) moves in px that errors of exposures make of a particle's tomogram and half set."""
    experiment = simulation.experiment
    owner = experiment.particle_of_image
    true = experiment.flaws.tilt_shift_px[experiment.tomogram[owner], experiment.tilt]
    errors = corrections.tilt_shift_px - true
    ways = experiment.acquisition.rotation[experiment.tilt][:, :2]
    group = 2 * experiment.tomogram + experiment.half_set - 1
    moves = np.zeros((len(group), 3))
    for each in np.unique(group):
        rows = np.flatnonzero(group[owner] == each)
        found = np.linalg.lstsq(ways[rows].reshape(-1, 3), errors[rows].ravel(), rcond=None)[0]
        moves[group == each] = found
    return moves


def _turns_about_mean(turn: NDArray[np.float64]) -> NDArray[np.float64]:
    """(B, 3) axes times angles in radians between turns (B, 3, 3) and their mean."""
    turns = Rotation.from_matrix(turn)
    return np.asarray((turns * turns.mean().inv()).as_rotvec())
