"""The input contract: what a set is, in numbers, as the rest of the program will take it.

Nothing is judged here; :mod:`tomodrgn.core.inspection.findings` does that.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.mrc import MrcHeader, read_mrc_header
from tomodrgn.core.particles.half_sets import HALF_SETS
from tomodrgn.core.particles.image_state import describe_state
from tomodrgn.core.particles.selection import rank_within_particle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.particles.tables import ParticleSet

_MOST_STACKS: Final = 200
"""Stacks whose headers are read; those of a set were written by one program."""
_STACK_SUFFIXES: Final = (".mrcs", ".mrc", ".st")


@runtime_checkable
class StackOwner(Protocol):
    """A reader whose stacks are too many for its fingerprint to name each."""

    @property
    def stack_paths(self) -> Sequence[Path]:
        """The stacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Smallest, median and largest of some numbers."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, values: NDArray[Any]) -> Span:
        """The span of (n,) numbers, at least one."""
        return cls(
            low=float(values.min()), middle=float(np.median(values)), high=float(values.max())
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StackFacts:
    """What the headers of image stacks say.

    Attributes:
        n_stacks: files that the set names.
        folders: where they lie.
        pixel_size_a: distinct pixel sizes of the headers looked at, 0 where a header states none.
        dtypes: number types of the pixels.
        n_images: images in the stacks looked at; None where there are more stacks than that.
    """

    n_stacks: int
    folders: tuple[str, ...]
    pixel_size_a: tuple[float, ...]
    dtypes: tuple[str, ...]
    n_images: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """One page about a set. Spans are of images unless a name says otherwise.

    Attributes:
        path: the file that was read.
        reader: kind of its reader.
        n_particles: B.
        n_images: M.
        rows_read: rows of the input.
        rejected: images left out, by reason.
        tomograms: particles and images of each tomogram.
        tilts: tilt images of a particle, over particles.
        pixel_size_a: A/px.
        box_size_px: edge of images.
        states: image state of each optics group, in words.
        ctf: spans of the transfer parameters; empty without CTF.
        dose: e/A^2.
        dose_step: median step between exposures of a particle, in e/A^2.
        dose_follows_tilt: rank correlation of dose with steepness within particles; 1 where low
            tilts come first, 0 where there is no order.
        tilt: degrees.
        tilt_step: median step between neighboring tilts of a particle, in degrees.
        shift: length of shifts in px.
        height: part of the defocus that is due to particle height, in angstrom, or None.
        position: spans of x, y and z in angstrom, or None.
        has_orientation: whether orientations in the tomogram are known.
        half_sets: particles in upstream half sets 1, 2 and in none, or None.
        stacks: what the stacks are like, or None without images.
    """

    path: str
    reader: str
    n_particles: int
    n_images: int
    rows_read: int
    rejected: Mapping[str, int]
    tomograms: Mapping[str, tuple[int, int]]
    tilts: Span
    pixel_size_a: float
    box_size_px: int
    states: Mapping[str, str]
    ctf: Mapping[str, Span]
    dose: Span | None
    dose_step: float | None
    dose_follows_tilt: float | None
    tilt: Span | None
    tilt_step: float | None
    shift: Span | None
    height: Span | None
    position: tuple[Span, ...] | None
    has_orientation: bool
    half_sets: tuple[int, int, int] | None
    stacks: StackFacts | None


def describe_set(particles: ParticleSet, reader: Reader, kind: str) -> Contract:
    """The contract of a set.

    Args:
        particles: all particles that are used, with declared states.
        reader: knows the stacks.
        kind: name of the reader.
    """
    images = particles.images
    has_images = len(images) > 0
    return Contract(
        path=str(particles.source),
        reader=kind,
        n_particles=particles.n_particles,
        n_images=particles.n_images,
        rows_read=particles.rows_read,
        rejected=dict(particles.rejected),
        tomograms=_tomograms(particles),
        tilts=Span.of(particles.counts),
        pixel_size_a=particles.pixel_size_a,
        box_size_px=particles.box_size_px,
        states={group.name: describe_state(group.state) for group in particles.optics},
        ctf=_ctf(particles),
        dose=Span.of(images.dose_e_per_a2) if has_images else None,
        dose_step=_median_step(particles, images.dose_e_per_a2),
        dose_follows_tilt=dose_follows_tilt(particles),
        tilt=Span.of(images.tilt_deg) if has_images else None,
        tilt_step=_median_step(particles, images.tilt_deg),
        shift=Span.of(np.linalg.norm(images.shift_px, axis=-1)) if has_images else None,
        height=None if particles.height_defocus_a is None else Span.of(particles.height_defocus_a),
        position=None
        if particles.position_a is None
        else tuple(Span.of(column) for column in particles.position_a.T),
        has_orientation=particles.orientation is not None,
        half_sets=_half_sets(particles),
        stacks=_stacks(reader) if reader.has_images else None,
    )


def dose_follows_tilt(particles: ParticleSet) -> float | None:
    """Rank correlation of dose and steepness of tilt within particles, mean over particles.

    1 where the sample was tilted further with every exposure; -1 where it began at the steepest
    tilt; None where it cannot be told.
    """
    usable = particles.counts > 2  # noqa: PLR2004  two points always agree
    if not usable.any():
        return None
    dose = _centred_ranks(particles, particles.images.dose_e_per_a2)
    steepness = _centred_ranks(particles, np.abs(particles.images.tilt_deg))

    def total(values: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.bincount(particles.particle_of_image, values, particles.n_particles)
        return sums.astype(np.float64)

    norm = np.sqrt(total(dose**2) * total(steepness**2))
    usable &= norm > 0
    if not usable.any():
        return None
    return float((total(dose * steepness)[usable] / norm[usable]).mean())


def _centred_ranks(particles: ParticleSet, values: NDArray[Any]) -> NDArray[np.float64]:
    """(M,) rank within the particle less the mean rank; equal values share a rank."""
    of = particles.particle_of_image
    rank = rank_within_particle(particles, values).astype(np.float64)
    order = np.lexsort((values, of))
    sorted_values, sorted_of = values[order], of[order]
    is_new = np.ones(len(order), dtype=np.bool_)
    is_new[1:] = (np.diff(sorted_values) > 0) | (np.diff(sorted_of) > 0)
    tie = np.cumsum(is_new) - 1
    shared = np.bincount(tie, rank[order]) / np.bincount(tie)
    ranks = np.empty(len(order))
    ranks[order] = shared[tie]
    centred: NDArray[np.float64] = ranks - ((particles.counts - 1) / 2)[of]
    return centred


def _tomograms(particles: ParticleSet) -> dict[str, tuple[int, int]]:
    """Particles and images by tomogram."""
    names, which = np.unique(particles.tomogram, return_inverse=True)
    n_particles = np.bincount(which, minlength=len(names))
    n_images = np.bincount(which, particles.counts, len(names))
    rows = zip(names, n_particles, n_images, strict=True)
    return {str(name): (int(n), int(m)) for name, n, m in rows}


def _ctf(particles: ParticleSet) -> dict[str, Span]:
    """Spans of the transfer parameters that a reader of the page asks for."""
    ctf = particles.images.ctf
    if ctf is None or not len(particles.images):
        return {}
    return {
        "voltage_kv": Span.of(ctf.voltage_kv),
        "cs_mm": Span.of(ctf.cs_mm),
        "amplitude_contrast": Span.of(ctf.amplitude_contrast),
        "phase_shift_deg": Span.of(ctf.phase_shift_deg),
        "defocus_um": Span.of(0.5e-4 * (ctf.defocus_u_a + ctf.defocus_v_a)),
        "astigmatism_um": Span.of(1e-4 * np.abs(ctf.defocus_u_a - ctf.defocus_v_a)),
    }


def _median_step(particles: ParticleSet, values: NDArray[Any]) -> float | None:
    """Median difference of neighbors, sorted within particles; equal ones do not count."""
    of = particles.particle_of_image
    order = np.lexsort((values, of))
    steps = np.diff(values[order])[np.diff(of[order]) == 0]
    steps = steps[steps > 0]
    return float(np.median(steps)) if len(steps) else None


def _half_sets(particles: ParticleSet) -> tuple[int, int, int] | None:
    """Particles in half 1, in half 2, and in neither."""
    if particles.half_set is None:
        return None
    first, second = (int((particles.half_set == half).sum()) for half in HALF_SETS)
    return first, second, particles.n_particles - first - second


def header_pixel_sizes_a(reader: Reader) -> tuple[float, ...]:
    """Distinct pixel sizes of the headers of a reader of files, 0 where one states none."""
    return _pixel_sizes_a(_headers(_stack_paths(reader)))


def _stacks(reader: Reader) -> StackFacts:
    """What the headers of the stacks behind a reader say."""
    stacks = _stack_paths(reader)
    known = _headers(stacks)
    return StackFacts(
        n_stacks=len(stacks),
        folders=tuple(sorted({str(path.parent) for path in stacks})),
        pixel_size_a=_pixel_sizes_a(known),
        dtypes=tuple(sorted({header.dtype.name for header in known})),
        n_images=sum(header.shape[0] for header in known) if len(known) == len(stacks) else None,
    )


def _stack_paths(reader: Reader) -> Sequence[Path]:
    if isinstance(reader, StackOwner):
        return reader.stack_paths
    files = [Path(str(file["path"])) for file in reader.fingerprint().get("files", ())]
    return [path for path in files if path.suffix.lower() in _STACK_SUFFIXES]


def _headers(stacks: Sequence[Path]) -> list[MrcHeader]:
    """Those of the first stacks that have one."""
    headers = [_header(path) for path in stacks[:_MOST_STACKS]]
    return [header for header in headers if header is not None]


def _pixel_sizes_a(headers: Sequence[MrcHeader]) -> tuple[float, ...]:
    return tuple(sorted({round(header.pixel_size_a, 4) for header in headers}))


def _header(path: Path) -> MrcHeader | None:
    try:
        return read_mrc_header(path)
    except DataError:  # the reader judges its stacks; other formats have no such header
        return None
