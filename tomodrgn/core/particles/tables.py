"""The internal model of a tilt-series data set: every reader yields it, everything else uses it.

Images are packed: the images of a particle are adjacent and in ascending dose order. Units are in
the names. Nothing here knows about STAR columns, pixels or torch; a table of images can hold numpy
arrays (on the host) or tensors (on a device), see :meth:`ImageTable.convert`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from tomodrgn.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.particles.corrections import Corrections

ColumnT = TypeVar("ColumnT")
OtherT = TypeVar("OtherT")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageState:
    """What upstream programs have already done to the images.

    Attributes:
        ctf_premultiplied: multiplied by their contrast transfer function; None where the input
            does not say, see :func:`~.image_state.settled`.
        phase_flipped: multiplied by its sign.
        dose_weighted: multiplied by the amplitude that their dose leaves.
        tilt_weighted: multiplied by the cosine of their tilt.
        inverted: multiplied by -1, so that protein, dark when recorded, is bright.
    """

    ctf_premultiplied: bool | None = False
    phase_flipped: bool = False
    dose_weighted: bool = False
    tilt_weighted: bool = False
    inverted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OpticsGroup:
    """Images that share a pixel size, a box and a state; the box of no images is 0.

    Attributes:
        name: of the group.
        pixel_size_a: of its images.
        box_size_px: edge of its images.
        state: what was done to them.
        premultiplied_state: their state if they are CTF-premultiplied, where the input does not
            say whether they are; it stays when that is settled.
    """

    name: str
    pixel_size_a: float
    box_size_px: int
    state: ImageState = ImageState()
    premultiplied_state: ImageState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CtfTable(Generic[ColumnT]):
    """Contrast transfer parameters of M images, one column each."""

    defocus_u_a: ColumnT
    defocus_v_a: ColumnT
    defocus_angle_deg: ColumnT
    voltage_kv: ColumnT
    cs_mm: ColumnT
    amplitude_contrast: ColumnT
    phase_shift_deg: ColumnT

    def convert(self, change: Callable[[ColumnT], OtherT]) -> CtfTable[OtherT]:
        """Apply ``change`` to every column."""
        return CtfTable(**{f.name: change(getattr(self, f.name)) for f in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTable(Generic[ColumnT]):
    """M tilt images, packed by particle, one row each.

    Attributes:
        rotation: (M, 3, 3) float32, reference to image coordinates.
        shift_px: (M, 2) float32, (x, y) that centers the particle when added to its content.
        dose_e_per_a2: (M,) float32, cumulative dose at the end of the exposure.
        tilt_deg: (M,) float32, stage tilt.
        voltage_kv: (M,) float32; also given when there is no CTF, because dose damage needs it.
        optics: (M,) int64, index into :attr:`ParticleSet.optics`.
        ctf: contrast transfer parameters, or None for a set without any.
        b_factor_a2: (M,) float32, B of the factor exp(-B k^2 / 4) that was part of the transfer
            function by which premultiplied images were multiplied; None for no such factor.
        further_shift_px: (M, 2) float32, (x, y) that moves content already centered by `shift_px`
            to where refined poses have the particle; None for no such movement.
        scale: (M,) float32 factor of the signal, fitted contrast; None for 1.
    """

    rotation: ColumnT
    shift_px: ColumnT
    dose_e_per_a2: ColumnT
    tilt_deg: ColumnT
    voltage_kv: ColumnT
    optics: ColumnT
    ctf: CtfTable[ColumnT] | None = None
    b_factor_a2: ColumnT | None = None
    further_shift_px: ColumnT | None = None
    scale: ColumnT | None = None

    def __len__(self) -> int:
        return len(self.dose_e_per_a2)  # type: ignore[arg-type]  # every column type has a length

    def whole_shift_px(self) -> ColumnT:
        """(M, 2) that centers the particle, where refined poses have it."""
        if self.further_shift_px is None:
            return self.shift_px
        return self.shift_px + self.further_shift_px  # type: ignore[operator, no-any-return]

    def convert(self, change: Callable[[ColumnT], OtherT]) -> ImageTable[OtherT]:
        """Apply ``change`` to every column: take rows, move to a device, change the library."""
        columns = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "ctf"}
        ctf = None if self.ctf is None else self.ctf.convert(change)
        changed = {name: change(column) for name, column in columns.items() if column is not None}
        return ImageTable(ctf=ctf, **changed)


def no_images() -> ImageTable[NDArray[Any]]:
    """A table without rows: columns (0,), (0, 2) and (0, 3, 3)."""
    column = np.empty(0, dtype=np.float32)
    return ImageTable(
        rotation=np.empty((0, 3, 3), dtype=np.float32),
        shift_px=np.empty((0, 2), dtype=np.float32),
        dose_e_per_a2=column,
        tilt_deg=column,
        voltage_kv=column,
        optics=np.empty(0, dtype=np.int64),
    )


@dataclass(frozen=True, kw_only=True)
class ParticleSet:
    """B particles with their M tilt images, and where each came from.

    Attributes:
        source: the file that was read.
        tomogram: (B,) str, opaque tomogram names; empty strings where the input names none.
        name: (B,) str, opaque particle names; (tomogram, name) is unique.
        source_particle: (B,) int64, rank of first appearance in the input: the classic index.
        images: M rows, packed by particle, ascending dose within a particle.
        counts: (B,) int64, images of each particle; 0 only where the input has no images at all.
        image_name: (M,) str, opaque, unique within the set.
        source_image: (M,) int64, row in the input: the classic image index, and what
            ``load_images`` of the reader takes.
        optics: the optics groups that ``images.optics`` counts.
        rows_read: images of the input, or its particles where it has no images.
        rejected: images left out by the reader or a selection, by reason.
        particles_read: particles of the input, those without images too; 0 if the reader does not
            say.
        position_a: (B, 3) float64, center of each particle in its tomogram, x, y, z from the first
            voxel; None where the input has no coordinates.
        orientation: (B, 3, 3) float64, reference to tomogram coordinates; None where the input
            gives the pose of images only.
        extraction: (B, 3, 3) float64, orientation in which each particle was extracted, a part of
            its orientation; None where the input states none.
        half_set: (B,) uint8, half set of upstream refinement, 1 or 2, and any other number for
            neither, see :mod:`~.half_sets`; None where the input names none.
        filament: (B,) uint64, key of the filament that each particle was picked on; None where the
            input names none.
        exposure_doses: doses of all exposures of a tilt series, by tomogram, where the input names
            more of them than its images show; see :mod:`~.exposures`.
        height_defocus_a: (M,) float32, part of both defoci that the reader added for the height of
            the particle in its tomogram; None where it added nothing.
        corrections: by what the poses and scales here differ from those that were first stated,
            where the input was refined before and keeps both; None where it says nothing of it.
    """

    source: Path
    tomogram: NDArray[np.object_]
    name: NDArray[np.object_]
    source_particle: NDArray[np.int64]
    images: ImageTable[NDArray[Any]]
    counts: NDArray[np.int64]
    image_name: NDArray[np.object_]
    source_image: NDArray[np.int64]
    optics: tuple[OpticsGroup, ...]
    rows_read: int
    rejected: Mapping[str, int] = field(default_factory=dict)
    particles_read: int = 0
    position_a: NDArray[np.float64] | None = None
    orientation: NDArray[np.float64] | None = None
    extraction: NDArray[np.float64] | None = None
    half_set: NDArray[np.uint8] | None = None
    filament: NDArray[np.uint64] | None = None
    exposure_doses: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    height_defocus_a: NDArray[np.float32] | None = None
    corrections: Corrections | None = None

    def __post_init__(self) -> None:
        if not len(self.counts):
            reasons = [f"{n} rows: {reason}" for reason, n in self.rejected.items()]
            raise DataError(
                f"{self.source}: no particles are left of {self.rows_read} rows "
                f"({'; '.join(reasons) or 'no reason given'}); check the selection options"
            )
        if int(self.counts.sum()) != len(self.images):
            raise ValueError(f"counts add up to {self.counts.sum()}, images are {len(self.images)}")

    @property
    def n_particles(self) -> int:
        """B."""
        return len(self.counts)

    @property
    def n_source_particles(self) -> int:
        """Particles of the input, which ``source_particle`` counts."""
        return max(self.particles_read, int(self.source_particle.max()) + 1)

    @property
    def n_images(self) -> int:
        """M."""
        return len(self.images)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """(B + 1,) first image row of each particle, then M."""
        return np.concatenate([[0], np.cumsum(self.counts)]).astype(np.int64)

    @cached_property
    def particle_of_image(self) -> NDArray[np.int64]:
        """(M,) row of the particle that each image shows."""
        return np.repeat(np.arange(self.n_particles, dtype=np.int64), self.counts)

    def take_rows(self, particles: NDArray[np.int64], images: NDArray[np.int64]) -> dict[str, Any]:
        """Fields at rows (b,) of particles and (m,) of images, for :func:`dataclasses.replace`.

        The counts are left to the caller.
        """
        per_particle = ("tomogram", "name", "source_particle", "position_a", "orientation",
                        "extraction", "half_set", "filament")  # fmt: skip
        per_image = ("image_name", "source_image", "height_defocus_a")
        taken: dict[str, Any] = {"images": self.images.convert(lambda column: column[images])}
        for names, rows in ((per_particle, particles), (per_image, images)):
            for name in names:
                column = getattr(self, name)
                taken[name] = None if column is None else column[rows]
        corrections = self.corrections
        taken["corrections"] = None if corrections is None else corrections.take(particles, images)
        return taken

    @property
    def pixel_size_a(self) -> float:
        """Pixel size shared by all images, in angstrom."""
        return self.optics[0].pixel_size_a

    @property
    def box_size_px(self) -> int:
        """Box edge D shared by all images."""
        return self.optics[0].box_size_px
