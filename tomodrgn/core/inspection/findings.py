"""What is wrong, or strange, in the metadata and pixels of a set, without any reconstruction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from tomodrgn.core.inspection.fault_names import fault_name
from tomodrgn.core.inspection.header_pixel_size import REMEDY, header_conflict
from tomodrgn.core.particles.half_sets import half_set_faults
from tomodrgn.core.particles.tilt_counts import (
    NAMES_OF_PARTICLES,
    ONE_TILT_EACH,
    describe_fewest,
    have_one_tilt_each,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tomodrgn.core.inspection.contract import Contract
    from tomodrgn.core.inspection.fault_names import FaultId
    from tomodrgn.core.inspection.sample import PixelFacts
    from tomodrgn.core.particles.tables import ParticleSet

Weight = Literal["fault", "warning"]

_MOST_NAMED: Final = 3
_MUCH: Final = 0.1
"""Part of the images that, if copied or damaged, leaves nothing to be learned from the rest."""
_STEEP_DISAGREEMENT_DEG: Final = 12.0
_ODD_DISAGREEMENT_DEG: Final = 6.0
_TURNS_DEG: Final = 10.0
_REVERSED_ORDER: Final = -0.5
_SAME_PLACE_PX: Final = 0.5
_SAME_POSE: Final = 1e-4  # of matrix elements, which files state to about six digits
_DEFOCUS_UM: Final = (0.1, 12.0)


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault stops a check; a warning does not."""

    weight: Weight
    about: FaultId | str
    """A fault that is known by name, or words of a plugin."""
    text: str
    remedy: str
    stops_trials: bool = False
    """Whether what images say of other assumptions means nothing as long as this is wrong."""
    leaves_open: bool = False
    """Whether the set cannot pass as long as this is so, because no test on images tells."""

    @property
    def subject(self) -> str:
        """What it is about, in words."""
        return fault_name(self.about)


def metadata_findings(
    particles: ParticleSet, contract: Contract, *, is_pixel_size_given: bool = False
) -> Iterator[Finding]:
    """What the tables alone tell.

    Args:
        particles: the set.
        contract: what was read of it.
        is_pixel_size_given: whether the user says what the pixel size is.
    """
    yield from _duplicates(particles)
    for fault in half_set_faults(particles):
        yield Finding("warning", "half_sets", *fault)
    if contract.n_images:
        yield from _few_tilts(particles)
        yield from _tilts(particles)
        yield from _doses(particles, contract)
        yield from _shifts(particles)
        yield from _transfer(contract)
        yield from _stacks(contract, is_pixel_size_given=is_pixel_size_given)


def pixel_findings(pixels: PixelFacts) -> Iterator[Finding]:
    """What the pixels of the sample tell."""
    if pixels.repeated:
        first, second = pixels.repeated[0]
        yield Finding(
            "fault",
            "duplicated",
            f"{len(pixels.repeated)} of {pixels.n_images} images looked at are equal to another "
            f"in every pixel, such as those of rows {first + 1} and {second + 1}",
            "find out which rows these images belong to, and list each image once: particles that "
            "occur twice make half maps agree in their noise",
            stops_trials=len(pixels.repeated) > _MUCH * pixels.n_images,
        )
    for name, rows in (("not finite", pixels.not_finite), ("constant", pixels.constant)):
        if rows:
            shown = ", ".join(str(row + 1) for row in rows[:_MOST_NAMED])
            yield Finding(
                "fault",
                "pixels",
                f"{len(rows)} of {pixels.n_images} images looked at are {name} (rows {shown})",
                "leave these images out (--ind-imgs, filter_star), or extract them again",
                stops_trials=len(rows) > _MUCH * pixels.n_images,
            )


def _duplicates(particles: ParticleSet) -> Iterator[Finding]:
    pairs = _equal_poses(particles)
    if len(pairs):
        yield Finding(
            "fault",
            "duplicated",
            f"{len(pairs)} particles have the poses, shifts and defocus of another in the same "
            f"tomogram: {_named(particles, pairs)}",
            "list a particle once (filter_star --ind keeps those that you name); where two "
            "sessions of equal names were joined, rename the tomograms of one",
        )
        return
    pairs = _same_places(particles)
    if len(pairs):
        yield Finding(
            "warning",
            "duplicated",
            f"{len(pairs)} particles lie within half a pixel of another: "
            f"{_named(particles, pairs)}",
            "list a particle that was picked twice once; after symmetry expansion, give the file "
            "before it; where sessions of equal names were joined, rename the tomograms of one",
        )


def _named(particles: ParticleSet, pairs: NDArray[np.int64]) -> str:
    shown = [
        f"{particles.name[a]} and {particles.name[b]} of {particles.tomogram[a] or 'the set'}"
        for a, b in pairs[:_MOST_NAMED]
    ]
    return ", ".join(shown) + (", ..." if len(pairs) > _MOST_NAMED else "")


def _equal_poses(particles: ParticleSet) -> NDArray[np.int64]:
    """(n, 2) particles whose first image has the pose, shift and defocus of another's."""
    columns: list[NDArray[np.float64]] = []
    with_images = np.flatnonzero(particles.counts > 0)
    if len(with_images) == particles.n_particles:
        first = particles.starts[:-1]
        images = particles.images
        columns.append(images.rotation[first].reshape(-1, 9) / _SAME_POSE)
        columns.append(images.shift_px[first] / (0.01 * _SAME_PLACE_PX))
        if images.ctf is not None:
            columns.append(images.ctf.defocus_u_a[first][:, None].astype(np.float64))
    elif particles.orientation is not None:
        columns.append(particles.orientation.reshape(-1, 9) / _SAME_POSE)
    else:
        return np.empty((0, 2), dtype=np.int64)
    if particles.position_a is not None:
        columns.append(particles.position_a / (0.1 * _SAME_PLACE_PX * particles.pixel_size_a))
    return _equal_rows(particles, np.concatenate(columns, axis=1))


def _same_places(particles: ParticleSet) -> NDArray[np.int64]:
    """(n, 2) particles in one cell of half a pixel; pairs across the border of cells are missed."""
    if particles.position_a is None:
        return np.empty((0, 2), dtype=np.int64)
    return _equal_rows(particles, particles.position_a / (_SAME_PLACE_PX * particles.pixel_size_a))


def _equal_rows(particles: ParticleSet, values: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n, 2) an earlier and a later particle of a tomogram with equal rounded values."""
    _, tomogram = np.unique(particles.tomogram, return_inverse=True)
    keys = np.concatenate([tomogram[:, None], np.rint(values)], axis=1)
    _, first, which = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    earlier = first[which.ravel()]
    later = np.flatnonzero(earlier != np.arange(len(earlier)))
    return np.stack([earlier[later], later], axis=1)


def turns_between_images(
    particles: ParticleSet,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(M,) angle of each pose to the least tilted one of its particle, and both stage tilts.

    All in degrees: the turn, the magnitude of the tilt, and that of the least tilted image.
    """
    of, tilt = particles.particle_of_image, np.abs(particles.images.tilt_deg.astype(np.float64))
    order = np.lexsort((tilt, of))
    least = order[particles.starts[:-1][particles.counts > 0]]
    rank = np.cumsum(particles.counts > 0) - 1
    reference = least[rank[of]]
    rotation = particles.images.rotation.astype(np.float64)
    trace = np.einsum("mij,mij->m", rotation, rotation[reference])
    turn = np.rad2deg(np.arccos(np.clip((trace - 1) / 2, -1, 1)))
    return turn, tilt, tilt[reference]


def _tilts(particles: ParticleSet) -> Iterator[Finding]:
    turn, tilt, least = turns_between_images(particles)
    if np.ptp(tilt) == 0:
        if turn.max() > _TURNS_DEG:
            yield Finding(
                "fault",
                "tilt_scale",
                f"every tilt angle is {tilt[0]:.3g} degrees, but poses of a particle turn by up "
                f"to {turn.max():.0f} degrees",
                "write the cosine of the tilt into rlnCtfScalefactor; without it tilt weights "
                "and --max-tilt do nothing",
            )
        return
    short = np.maximum(np.abs(tilt - least) - turn, 0)
    long = np.maximum(turn - tilt - least, 0)
    disagreement = float(np.median(np.maximum(short, long)))
    if disagreement > _ODD_DISAGREEMENT_DEG:
        yield Finding(
            "fault" if disagreement > _STEEP_DISAGREEMENT_DEG else "warning",
            "tilt_scale",
            f"tilt angles and poses differ by {disagreement:.0f} degrees in half of the images",
            "check that rlnCtfScalefactor is the cosine of the tilt, and belongs to its row",
        )


def _few_tilts(particles: ParticleSet) -> Iterator[Finding]:
    """Particles with one tilt image each, or less than half of those that others have."""
    if have_one_tilt_each(particles):
        yield Finding(
            "fault", "one_tilt_each", ONE_TILT_EACH, NAMES_OF_PARTICLES, stops_trials=True
        )
    needed = int(particles.counts.max()) // 2
    if particles.counts.min() < needed:
        yield Finding(
            "warning",
            "few_tilts",
            describe_fewest(particles, particles.counts, needed),
            f"little can be learned of these; --min-tilts {needed} leaves them out",
        )


def _doses(particles: ParticleSet, contract: Contract) -> Iterator[Finding]:
    dose = particles.images.dose_e_per_a2
    remedy = "dose weights need the dose: give it per image with --dose-override"
    if dose.max() == 0:
        yield Finding("warning", "doses", "every dose is 0", remedy)
    elif np.ptp(dose) == 0 and particles.counts.max() > 1:
        yield Finding("warning", "doses", f"every dose is {dose[0]:g} e/Å²", remedy)
    order = contract.dose_follows_tilt
    if order is not None and order < _REVERSED_ORDER:
        yield Finding(
            "fault",
            "dose_order",
            f"dose falls with the steepness of the tilt (rank correlation {order:.2f}), as if "
            "the steepest tilts had been exposed first",
            "reverse the doses of each tilt series (rlnCtfBfactor, rlnMicrographPreExposure)",
        )


def _shifts(particles: ParticleSet) -> Iterator[Finding]:
    shift = np.abs(particles.images.shift_px).max(axis=1)
    limit = particles.box_size_px / 4
    far = int((shift > limit).sum())
    if far:
        yield Finding(
            "warning",
            "shifts",
            f"{far} of {len(shift)} shifts are longer than a quarter of the box, up to "
            f"{shift.max():.1f} px",
            "check that rlnOriginX and rlnOriginY are in px, and the Angst forms in Å",
        )


def _transfer(contract: Contract) -> Iterator[Finding]:
    if not contract.ctf:
        yield Finding(
            "warning",
            "ctf",
            "there are no columns of the contrast transfer function",
            "add them, unless the images are simulated without one",
        )
        return
    defocus = contract.ctf["defocus_um"]
    if defocus.low < _DEFOCUS_UM[0] or defocus.high > _DEFOCUS_UM[1]:
        yield Finding(
            "warning",
            "ctf",
            f"defocus is {defocus.low:.3g} to {defocus.high:.3g} µm",
            "rlnDefocusU and rlnDefocusV are in Å, underfocus positive; some are out of the usual",
        )


def _stacks(contract: Contract, *, is_pixel_size_given: bool) -> Iterator[Finding]:
    headers_a = contract.stacks.pixel_size_a if contract.stacks else ()
    conflict = header_conflict(headers_a, contract.pixel_size_a)
    if conflict is not None:
        stops = conflict.is_gross and not is_pixel_size_given
        yield Finding("warning", "pixel_size", conflict.sentence, REMEDY, stops_trials=stops)
