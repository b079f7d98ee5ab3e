"""A bounded part of a data set, at low resolution, on which assumptions are tried.

Images are windowed and cropped in Fourier space, so that a sample is a small data set of its own:
box, pixel size and shifts are those of the cropped images. Shifts are not applied yet, because they
are among the assumptions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import torch

from tomodrgn.core.fourier.disc import HalfPlaneDisc, half_plane_disc, images_to_disc
from tomodrgn.core.gray_levels.damage import CONSTANT, NOT_FINITE, SOUND
from tomodrgn.core.gray_levels.reader import LookedAt, look_at
from tomodrgn.core.inspection.image_levels import with_levels
from tomodrgn.core.particles.selection import take_particles
from tomodrgn.core.physics.windows import circular_window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.inspection.image_levels import ImageLevels
    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.particles.tables import ImageTable, OpticsGroup, ParticleSet

LARGEST_BOX_PX: Final = 32
_WINDOW: Final = (1.2, 1.45)
"""Radii in units of the half box: corners only, for a contrast transfer spreads the signal of a
premultiplied image over the whole of a small box."""
_BLOCK_BYTES: Final = 64 * 2**20
_NEIGHBORS: Final = 2  # particles that follow each other in a tomogram, drawn together
_FEWEST_PARTICLES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """M cropped images of B particles, and what the metadata say about them.

    Attributes:
        coefficients: (M, P) complex64, windowed, not centered.
        images: M rows; shifts in px of the cropped box.
        optics: groups with the pixel size of the cropped box.
        disc: coefficients of the cropped box.
        window: (D, D) what the images were multiplied with, sampled in the cropped box.
        particle: (M,) int64 particle of each image, from 0.
        half: (M,) int64, 0 or 1, by particle.
        group: (M,) int64, jackknife group by particle, from 0.
        tomogram: (B,) int64 tomogram of each particle.
        source_row: (M,) int64 row of each image in the input, which orders stacks.
        height_a: (M,) part of the defocus that differs between particles of an exposure, or None.
        stage: (M, 3, 3) tomogram to image coordinates, or None where the input gives the pose of
            images only.
        extraction: (M, 3, 3) orientation in which each particle was extracted, or None.
        shrinkage: box edge over that of the cropped images.
        filtered_in: edge of the box in which images were multiplied with their contrast transfer,
            over that of the images: 1, or 2 where they were cropped from a larger one.
        is_masked: whether upstream programs masked the images; the window knows how.
        levels: how the reader normalized the images; None where it did not.
    """

    coefficients: Tensor
    images: ImageTable[Tensor]
    optics: tuple[OpticsGroup, ...]
    disc: HalfPlaneDisc
    window: Tensor
    particle: Tensor
    half: Tensor
    group: Tensor
    tomogram: NDArray[np.int64]
    source_row: NDArray[np.int64]
    height_a: Tensor | None
    stage: Tensor | None
    extraction: Tensor | None
    shrinkage: float
    filtered_in: int = 1
    is_masked: bool = False
    levels: ImageLevels | None = None

    @property
    def n_particles(self) -> int:
        """B."""
        return len(self.tomogram)

    @property
    def is_cut(self) -> bool:
        """Whether images were cropped or masked after their contrast was transferred."""
        return self.is_masked or self.filtered_in > 1

    @property
    def pixel_size_a(self) -> float:
        """Pixel size of the cropped images."""
        return self.optics[0].pixel_size_a

    def freqs_per_a(self) -> Tensor:
        """(P, 2) float32."""
        return torch.from_numpy(self.disc.freqs()) / self.pixel_size_a

    def with_images(self, **columns: Any) -> Sample:
        """The sample with other columns of its image table."""
        return replace(self, images=replace(self.images, **columns))


def part_of(sample: Sample, wanted: NDArray[np.bool_]) -> Sample:
    """The sample of some of its particles, ``wanted`` (B,)."""
    rows = sample.source_row[~wanted[sample.particle.numpy()]]
    return without_rows(sample, rows)


def without_rows(sample: Sample, rows: Sequence[int] | NDArray[np.int64]) -> Sample:
    """The sample without the images of some rows (n,) of the input."""
    keep = ~np.isin(sample.source_row, rows)
    if keep.all():
        return sample
    left = torch.from_numpy(np.flatnonzero(keep))

    def of_rows(column: Tensor | None) -> Tensor | None:
        return None if column is None else column[left]

    shown, particle = torch.unique(sample.particle[left], return_inverse=True)
    return replace(
        sample,
        coefficients=sample.coefficients[left],
        images=sample.images.convert(lambda column: column[left]),
        particle=particle,
        half=sample.half[left],
        group=sample.group[left],
        tomogram=sample.tomogram[shown.numpy()],
        source_row=sample.source_row[keep],
        height_a=of_rows(sample.height_a),
        stage=of_rows(sample.stage),
        extraction=of_rows(sample.extraction),
        levels=None if sample.levels is None else sample.levels.of(left),
    )


Change: TypeAlias = "Callable[[Sample], Sample | None]"
"""From a sample to what it would be under another reading; None where nothing would be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelFacts:
    """What was seen of the pixels of a sample.

    Attributes:
        n_images: how many images were looked at.
        not_finite: rows of the input whose images hold values that are not finite.
        constant: rows of the input whose images are constant.
        repeated: pairs of rows of the input whose images are equal in every pixel.
        damaged: why images are left out, a code of :mod:`tomodrgn.core.gray_levels.damage` by row
            of the input; empty where the reader does not look.
    """

    n_images: int
    not_finite: list[int]
    constant: list[int]
    repeated: list[tuple[int, int]]
    damaged: dict[int, int]

    @property
    def unusable(self) -> list[int]:
        """Rows of the input whose images tell nothing."""
        return sorted({*self.not_finite, *self.constant, *self.damaged})


def draw_particles(particles: ParticleSet, most_images: int) -> ParticleSet:
    """Particles spread evenly over a set, in pairs of neighbors, with all of their images.

    Args:
        particles: B particles; those without images are not drawn.
        most_images: about how many images the drawn particles have; at least 8 particles are drawn.
    """
    order = np.lexsort((particles.source_particle, particles.tomogram))
    order = order[particles.counts[order] > 0]
    mean_count = particles.n_images / max(len(order), 1)
    n_wanted = max(int(most_images / mean_count), _FEWEST_PARTICLES)
    if n_wanted >= len(order):
        return particles
    n_places = max(n_wanted // _NEIGHBORS, 1)
    firsts = np.linspace(0, len(order) - _NEIGHBORS, n_places).astype(np.int64)
    places = np.unique(firsts[:, None] + np.arange(_NEIGHBORS))
    mask = np.zeros(particles.n_particles, dtype=np.bool_)
    mask[order[places]] = True
    return take_particles(particles, mask, "not in the sample")


def load_sample(
    particles: ParticleSet,
    reader: Reader,
    *,
    n_groups: int,
    progress: Callable[[int, int], None],
    largest_box_px: int = LARGEST_BOX_PX,
) -> tuple[Sample, PixelFacts]:
    """Images of a small set, cropped, with what their pixels are like.

    Args:
        particles: the particles drawn; their height defocus is what differs between them.
        reader: reads their images.
        n_groups: jackknife groups.
        progress: told how many images of all are read.
        largest_box_px: even edge to which larger images are cropped in Fourier space.
    """
    box = particles.box_size_px
    small = min(box, largest_box_px)
    coefficients, own_weight, facts = _load_images(particles, reader, small, progress)
    images = particles.images.convert(lambda column: torch.from_numpy(np.array(column)))
    rank = _rank_by_identity(particles)
    of_image, heights = particles.particle_of_image, particles.height_defocus_a
    sample = Sample(
        coefficients=coefficients,
        images=replace(images, shift_px=images.shift_px * (small / box)),
        optics=_cropped_optics(particles, small),
        disc=half_plane_disc(small),
        window=circular_window(small, inner=_WINDOW[0], outer=_WINDOW[1]),
        particle=torch.from_numpy(of_image),
        half=torch.from_numpy(rank[of_image] % 2),
        group=torch.from_numpy((rank[of_image] // 2) % n_groups),
        tomogram=np.unique(particles.tomogram, return_inverse=True)[1].astype(np.int64),
        source_row=particles.source_image,
        height_a=None if heights is None else torch.from_numpy(np.array(heights)),
        stage=_stage(particles),
        extraction=_of_images(particles.extraction, of_image),
        shrinkage=box / small,
    )
    return (sample if own_weight is None else with_levels(sample, own_weight)), facts


def _load_images(
    particles: ParticleSet, reader: Reader, small: int, progress: Callable[[int, int], None]
) -> tuple[Tensor, NDArray[np.float32] | None, PixelFacts]:
    """(M, P) coefficients of all images in a box of ``small`` px, and what their pixels are.

    Between them, (M,) weights with which they were normalized, or None.
    """
    box = particles.box_size_px
    crop = half_plane_disc(box, 0.5 * small / box)
    pixels = _Pixels(box, small, crop)
    per_block = max(1, _BLOCK_BYTES // (4 * box * box))
    by_place = np.argsort(particles.source_image)
    coefficients = torch.zeros((particles.n_images, len(crop)), dtype=torch.complex64)
    own_weight = None
    for start in range(0, particles.n_images, per_block):
        rows = by_place[start : start + per_block]
        seen = look_at(reader, particles.source_image[rows])
        coefficients[torch.from_numpy(rows)] = pixels.look_at(seen, particles.source_image[rows])
        if seen.own_weight is not None:
            if own_weight is None:
                own_weight = np.zeros(particles.n_images, dtype=np.float32)
            own_weight[rows] = seen.own_weight
        progress(min(start + per_block, particles.n_images), particles.n_images)
    return coefficients, own_weight, pixels.facts()


def _cropped_optics(particles: ParticleSet, small: int) -> tuple[OpticsGroup, ...]:
    """The groups with the pixel size of a box of ``small`` px."""
    scale = particles.box_size_px / small
    return tuple(
        replace(group, box_size_px=small, pixel_size_a=group.pixel_size_a * scale)
        for group in particles.optics
    )


def heights_from_defocus(particles: ParticleSet) -> NDArray[np.float32] | None:
    """(M,) defocus of images beyond the mean of their exposure, in angstrom.

    Images of one tomogram with equal dose are one exposure; what differs between its particles is
    their height along the beam. None where the set has no CTF.
    """
    if particles.height_defocus_a is not None:
        return particles.height_defocus_a
    ctf = particles.images.ctf
    if ctf is None:
        return None
    mean = 0.5 * (ctf.defocus_u_a.astype(np.float64) + ctf.defocus_v_a)
    _, tomogram = np.unique(particles.tomogram, return_inverse=True)
    keys = np.stack([tomogram[particles.particle_of_image], particles.images.dose_e_per_a2])
    _, exposure = np.unique(keys, axis=1, return_inverse=True)
    exposure = exposure.ravel()
    totals = np.bincount(exposure, weights=mean)
    heights: NDArray[np.float32] = (mean - (totals / np.bincount(exposure))[exposure]).astype(
        np.float32
    )
    return heights


def reversed_within(particle: Tensor) -> Tensor:
    """(M,) the rows of each particle, which are adjacent, from last to first."""
    counts = torch.bincount(particle)
    starts = torch.cumsum(counts, 0) - counts
    place = torch.arange(len(particle)) - starts[particle]
    return starts[particle] + counts[particle] - 1 - place


class _Pixels:
    """Looks at pixels, block by block, and crops them."""

    def __init__(self, box_size_px: int, small_box_px: int, crop: HalfPlaneDisc) -> None:
        self._crop = crop
        self._window = circular_window(box_size_px, inner=_WINDOW[0], outer=_WINDOW[1])
        self._scale = small_box_px**2 / box_size_px**2
        self._seen: dict[int, int] = {}
        self._repeated: list[tuple[int, int]] = []
        self._not_finite: list[int] = []
        self._constant: list[int] = []
        self._damaged: dict[int, int] = {}
        self._n_images = 0

    def look_at(self, seen: LookedAt, rows: NDArray[np.int64]) -> Tensor:
        """(n, P) cropped coefficients of n images from rows of the input."""
        images, damage = seen.images, seen.damage
        which = np.flatnonzero(damage != SOUND)
        self._damaged |= dict(zip(rows[which].tolist(), damage[which].tolist(), strict=True))
        finite = np.isfinite(images.sum(axis=(1, 2))) & (damage != NOT_FINITE)
        self._not_finite += rows[~finite].tolist()
        images = np.where(finite[:, None, None], images, np.float32(0))
        varies = np.ptp(images, axis=(1, 2)) > 0
        is_plain = np.isin(damage, (SOUND, CONSTANT))  # others are shown as zeros
        self._constant += rows[finite & ~varies & is_plain].tolist()
        self._n_images += len(images)
        for row, image in zip(rows[varies].tolist(), images[varies], strict=True):
            first = self._seen.setdefault(hash(image.tobytes()), row)
            if first != row:
                self._repeated.append((first, row))
        windowed = torch.from_numpy(np.ascontiguousarray(images)) * self._window
        cropped = torch.view_as_complex(images_to_disc(windowed, self._crop))
        return cropped * self._scale

    def facts(self) -> PixelFacts:
        """What all blocks were like."""
        return PixelFacts(
            n_images=self._n_images,
            not_finite=sorted(self._not_finite),
            constant=sorted(self._constant),
            repeated=sorted(self._repeated),
            damaged=self._damaged,
        )


def _rank_by_identity(particles: ParticleSet) -> NDArray[np.int64]:
    """(B,) rank of each particle by its names, so that the order of rows changes nothing."""
    names = list(zip(particles.tomogram.tolist(), particles.name.tolist(), strict=True))
    rank = np.empty(len(names), dtype=np.int64)
    rank[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    return rank


def _stage(particles: ParticleSet) -> Tensor | None:
    """(M, 3, 3) P = R A^T, where the orientations of particles are known."""
    if particles.orientation is None:
        return None
    orientation = particles.orientation[particles.particle_of_image]
    return torch.from_numpy(particles.images.rotation @ np.swapaxes(orientation, -1, -2))


def _of_images(rotations: NDArray[np.float64] | None, particle: NDArray[np.int64]) -> Tensor | None:
    """(M, 3, 3) what is known of the particles (B, 3, 3), for each of their images."""
    return None if rotations is None else torch.from_numpy(rotations[particle])
