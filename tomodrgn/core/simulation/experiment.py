"""Draws of a simulated experiment: which particle, in which pose, on which image, at which dose.

What is true of images, flaws included, and what files state of them lie side by side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tomodrgn.core.geometry.rotations import random_rotations
from tomodrgn.core.particles.tables import CtfTable, ImageTable
from tomodrgn.core.simulation.acquisition import Acquisition, draw_acquisition
from tomodrgn.core.simulation.flaws import Flaws, draw_flaws
from tomodrgn.core.simulation.imaging import defocused
from tomodrgn.core.simulation.motions import draw_coordinates
from tomodrgn.core.simulation.poses import Poses, draw_poses, vectors_within, with_errors
from tomodrgn.core.simulation.streams import random_stream
from tomodrgn.core.simulation.tomograms import tomogram_of_particles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.specs.simulation import SimulationSpec

JUNK: Final = -1
"""Label of particles that are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """B particles and their M tilt images, packed by particle in the order of acquisition.

    Attributes:
        labels: (B,) int64 class of each particle, numbered as the maps are; -1 for junk.
        motion: (B, C) float64 coordinates of the motion of each particle.
        orientation: (B, 3, 3) float64, reference to tomogram coordinates.
        tomogram: (B,) int64, ascending.
        place_a: (B, 3) float64 center of each particle, from the center of its tomogram.
        origin_a: (B, 3) float64, what is to be subtracted from the coordinate that a set states.
        drift_a: (B, 3) float64 movement of each particle from the first frame to the last.
        acquisition: the tilt series.
        counts: (B,) int64 images of each particle.
        images: M rows, float64, with the true poses and contrast transfer.
        stated: the poses that files state.
        stated_ctf: the contrast transfer that they state.
        flaws: what is wrong with the images.
        tilt: (M,) int64 rank of acquisition within the tilt series.
        seen_a: (M, 3) float64 center of the particle in the frame of each image, likewise.
    """

    labels: NDArray[np.int64]
    motion: NDArray[np.float64]
    orientation: NDArray[np.float64]
    tomogram: NDArray[np.int64]
    place_a: NDArray[np.float64]
    origin_a: NDArray[np.float64]
    drift_a: NDArray[np.float64]
    acquisition: Acquisition
    counts: NDArray[np.int64]
    images: ImageTable[NDArray[Any]]
    stated: Poses
    stated_ctf: CtfTable[NDArray[Any]] | None
    flaws: Flaws
    tilt: NDArray[np.int64]
    seen_a: NDArray[np.float64]

    @property
    def particle_of_image(self) -> NDArray[np.int64]:
        """(M,) row of the particle that each image shows."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @property
    def starts(self) -> NDArray[np.int64]:
        """(B + 1,) first image row of each particle, then M."""
        return np.concatenate([[0], np.cumsum(self.counts)]).astype(np.int64)

    @property
    def exposure_contrast(self) -> NDArray[np.float64]:
        """(M,) factor of all signal of each image, that of exposure and tomogram."""
        tomogram = self.tomogram[self.particle_of_image]
        contrast: NDArray[np.float64] = self.flaws.tilt_contrast[tomogram, self.tilt]
        return contrast

    @property
    def contrast(self) -> NDArray[np.float64]:
        """(M,) factor of the signal of the particle in each image."""
        return self.flaws.particle_contrast[self.particle_of_image] * self.exposure_contrast

    @property
    def gain(self) -> NDArray[np.float64]:
        """(M,) factor of signal and noise of each image."""
        gain: NDArray[np.float64] = self.flaws.tomogram_gain[self.tomogram[self.particle_of_image]]
        return gain

    @property
    def half_set(self) -> NDArray[np.int64]:
        """(B,) half set of upstream refinement, 1 or 2."""
        return 1 + np.arange(len(self.counts)) % 2


def draw_experiment(spec: SimulationSpec, pixel_size_a: float) -> Experiment:
    """Everything random about an experiment but its noise."""
    acquisition = draw_acquisition(spec)
    tomogram = tomogram_of_particles(spec)
    particle, tilt = np.nonzero(_presence(spec, acquisition.n_frames[tomogram]))
    place_a = vectors_within(spec, "position", 0.5) * np.array(spec.field_a)
    drift_a = vectors_within(spec, "drift", spec.trajectories_a)
    moved_a = drift_a[particle] * acquisition.progress[tilt, None]
    frames = acquisition.rotation[tilt]
    seen_a = np.einsum("mij,mj->mi", frames, place_a[particle] + moved_a)
    poses = draw_poses(spec, frames, particle, moved_a, pixel_size_a)
    labels = _labels(spec)
    exposure, flaws = (tomogram[particle], tilt), draw_flaws(spec, acquisition, len(tilt))
    images = ImageTable(
        rotation=_scrambled(spec, poses.rotation, labels[particle]),
        shift_px=poses.shift_px,
        dose_e_per_a2=spec.dose_per_tilt_e_per_a2 * (tilt + 1.0),
        tilt_deg=acquisition.tilt_deg[tilt],
        voltage_kv=np.full(len(tilt), spec.voltage_kv),
        optics=np.zeros(len(tilt), dtype=np.int64),
        ctf=_transfer(spec, acquisition, *exposure, seen_a) if spec.ctf else None,
    )
    return Experiment(
        labels=labels,
        motion=draw_coordinates(spec),
        orientation=poses.orientation,
        tomogram=tomogram,
        place_a=place_a,
        origin_a=poses.origin_a,
        drift_a=drift_a,
        acquisition=acquisition,
        counts=np.bincount(particle, minlength=spec.n_particles),
        images=_misaligned(images, flaws, exposure),
        stated=with_errors(spec, poses, frames, particle, pixel_size_a),
        stated_ctf=images.ctf,
        flaws=flaws,
        tilt=tilt,
        seen_a=seen_a,
    )


def _labels(spec: SimulationSpec) -> NDArray[np.int64]:
    """(B,) classes in proportion to their weights, others and junk, in random order."""
    n_real = spec.n_particles - round(spec.junk_fraction * spec.n_particles)
    n_molecules = n_real - round(spec.species_fraction * spec.n_particles)
    weights = np.array(spec.class_weights or [1.0] * spec.molecule_classes)
    edges = np.rint(np.cumsum(weights / weights.sum()) * n_molecules)
    ordered = np.full(spec.n_particles, JUNK)
    ordered[:n_molecules] = np.searchsorted(edges, np.arange(n_molecules), side="right")
    ordered[n_molecules:n_real] = spec.molecule_classes
    return random_stream(spec.seed, "labels").permutation(ordered).astype(np.int64)


def _scrambled(
    spec: SimulationSpec, rotation: NDArray[np.float64], labels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(M, 3, 3) rotations, unrelated to one another in images of scrambled junk."""
    if spec.junk != "scrambled":
        return rotation
    unrelated = random_rotations(len(rotation), random_stream(spec.seed, "scramble"))
    return np.where((labels == JUNK)[:, None, None], unrelated, rotation)


def _presence(spec: SimulationSpec, n_frames: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(B, T) which tilt images exist of particles of (B,) frames; at least one each."""
    exists = np.arange(spec.n_tilts) < n_frames[:, None]
    luck = random_stream(spec.seed, "missing").random(exists.shape) * exists
    present = exists & (luck >= spec.missing_fraction)
    present[np.arange(len(luck)), luck.argmax(axis=1)] = True
    return present


def _transfer(
    spec: SimulationSpec,
    acquisition: Acquisition,
    tomogram: NDArray[np.int64],
    tilt: NDArray[np.int64],
    seen_a: NDArray[np.float64],
) -> CtfTable[NDArray[Any]]:
    """Contrast transfer of M images; the height of a particle along the beam adds to defocus."""
    height_a = seen_a[:, 2] if spec.defocus_sign == "plus" else -seen_a[:, 2]

    def constant(value: float) -> NDArray[np.float64]:
        return np.full(len(tomogram), value)

    at_centre = CtfTable(
        defocus_u_a=acquisition.defocus_u_a[tomogram],
        defocus_v_a=acquisition.defocus_v_a[tomogram],
        defocus_angle_deg=acquisition.defocus_angle_deg[tomogram],
        voltage_kv=constant(spec.voltage_kv),
        cs_mm=constant(spec.cs_mm),
        amplitude_contrast=constant(spec.amplitude_contrast),
        phase_shift_deg=acquisition.phase_shift_deg[tilt],
    )
    return defocused(at_centre, height_a)


def _misaligned(
    images: ImageTable[NDArray[Any]],
    flaws: Flaws,
    exposure: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> ImageTable[NDArray[Any]]:
    """M images with the errors of their exposures, the tomogram and rank (M,) of each."""
    moved = replace(images, shift_px=images.shift_px + flaws.tilt_shift_px[exposure])
    if images.ctf is None:
        return moved
    return replace(moved, ctf=defocused(images.ctf, flaws.tilt_defocus_a[exposure]))
