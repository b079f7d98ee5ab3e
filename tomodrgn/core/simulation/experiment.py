"""Draws of a simulated experiment: which particle, in which pose, on which image, at which dose.

Every quantity has its own random stream, so that changing one option leaves the others as drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tomodrgn.core.geometry.rotations import matrices_from_euler, random_rotations
from tomodrgn.core.particles.tables import CtfTable, ImageTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.specs.simulation import SimulationSpec

FIELD_A = np.array([4000.0, 4000.0, 1000.0])
"""Extent of the tomograms in which particles lie, x, y and z in angstrom."""

_STREAMS = (
    "labels", "motion", "orientation", "position", "shift", "defocus", "counts", "missing", "noise",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """B particles and their M tilt images, packed by particle in the order of acquisition.

    Attributes:
        labels: (B,) int64 class of each particle, numbered as the maps are.
        motion_deg: (B,) float64 hinge angle of each particle.
        orientation: (B, 3, 3) float64, reference to tomogram coordinates.
        tomogram: (B,) int64, ascending.
        counts: (B,) int64 images of each particle.
        images: M rows, float64.
        tilt: (M,) int64 rank of acquisition within the tilt series.
        position_a: (M, 2) float64 place of the particle in the tilt image, from its corner.
    """

    labels: NDArray[np.int64]
    motion_deg: NDArray[np.float64]
    orientation: NDArray[np.float64]
    tomogram: NDArray[np.int64]
    counts: NDArray[np.int64]
    images: ImageTable[NDArray[Any]]
    tilt: NDArray[np.int64]
    position_a: NDArray[np.float64]

    @property
    def particle_of_image(self) -> NDArray[np.int64]:
        """(M,) row of the particle that each image shows."""
        return np.repeat(np.arange(len(self.counts)), self.counts)


def random_stream(seed: int, name: str) -> np.random.Generator:
    """Generator of one quantity of an experiment."""
    return np.random.default_rng([seed, _STREAMS.index(name)])


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


def draw_experiment(spec: SimulationSpec) -> Experiment:
    """Everything random about an experiment but its noise."""
    n = spec.n_particles
    tomogram = np.arange(n) * spec.n_tomograms // n
    orientation = random_rotations(n, random_stream(spec.seed, "orientation"))
    particle, tilt = np.nonzero(_presence(spec, tomogram))
    angles = tilt_angles_deg(spec.n_tilts, spec.tilt_step_deg, spec.tilt_scheme)
    stage = matrices_from_euler(np.stack([0 * angles, angles, 0 * angles], axis=1))  # (T, 3, 3)
    place = (random_stream(spec.seed, "position").random((n, 3)) - 0.5) * FIELD_A
    seen = np.einsum("mij,mj->mi", stage[tilt], place[particle])
    images = ImageTable(
        rotation=stage[tilt] @ orientation[particle],
        shift_px=_shifts(spec, len(tilt)),
        dose_e_per_a2=spec.dose_per_tilt_e_per_a2 * (tilt + 1.0),
        tilt_deg=angles[tilt],
        voltage_kv=np.full(len(tilt), spec.voltage_kv),
        optics=np.zeros(len(tilt), dtype=np.int64),
        ctf=_transfer(spec, tomogram[particle], depth_a=seen[:, 2]) if spec.ctf else None,
    )
    return Experiment(
        labels=_labels(spec),
        motion_deg=_motion(spec),
        orientation=orientation,
        tomogram=tomogram,
        counts=np.bincount(particle, minlength=n),
        images=images,
        tilt=tilt,
        position_a=seen[:, :2] + FIELD_A[:2] / 2,
    )


def _labels(spec: SimulationSpec) -> NDArray[np.int64]:
    """(B,) classes in proportion to their weights, in random order."""
    weights = np.array(spec.class_weights or [1.0] * spec.class_count)
    edges = np.cumsum(weights / weights.sum()) * spec.n_particles
    ordered = np.searchsorted(np.rint(edges), np.arange(spec.n_particles), side="right")
    return random_stream(spec.seed, "labels").permutation(ordered).astype(np.int64)


def _motion(spec: SimulationSpec) -> NDArray[np.float64]:
    """(B,) hinge angles."""
    if spec.motion == "none":
        return np.zeros(spec.n_particles)
    low, high = spec.motion_range_deg
    return random_stream(spec.seed, "motion").uniform(low, high, spec.n_particles)


def _presence(spec: SimulationSpec, tomogram: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(B, T) which tilt images of each particle exist; at least one each."""
    fewest = spec.n_tilts if spec.min_tilts is None else spec.min_tilts
    acquired = random_stream(spec.seed, "counts").integers(
        fewest, spec.n_tilts + 1, size=spec.n_tomograms
    )
    exists = np.arange(spec.n_tilts) < acquired[tomogram][:, None]
    luck = random_stream(spec.seed, "missing").random(exists.shape) * exists
    present = exists & (luck >= spec.missing_fraction)
    present[np.arange(len(luck)), luck.argmax(axis=1)] = True
    return present


def _shifts(spec: SimulationSpec, n_images: int) -> NDArray[np.float64]:
    """(M, 2) shifts in px that centre the particles."""
    limit = spec.origin_shift_px
    return random_stream(spec.seed, "shift").uniform(-limit, limit, (n_images, 2))


def _transfer(
    spec: SimulationSpec, tomogram: NDArray[np.int64], *, depth_a: NDArray[np.float64]
) -> CtfTable[NDArray[Any]]:
    """Contrast transfer of M images; a particle nearer to the source has more defocus."""
    rng = random_stream(spec.seed, "defocus")
    defocus_a = 1e4 * rng.uniform(*spec.defocus_um, spec.n_tomograms)[tomogram] + depth_a
    angle_deg = rng.uniform(0, 180, spec.n_tomograms)[tomogram]
    half_difference = 0.5e4 * spec.astigmatism_um

    def constant(value: float) -> NDArray[np.float64]:
        return np.full(len(tomogram), value)

    return CtfTable(
        defocus_u_a=defocus_a + half_difference,
        defocus_v_a=defocus_a - half_difference,
        defocus_angle_deg=angle_deg,
        voltage_kv=constant(spec.voltage_kv),
        cs_mm=constant(spec.cs_mm),
        amplitude_contrast=constant(spec.amplitude_contrast),
        phase_shift_deg=constant(spec.phase_shift_deg),
    )
