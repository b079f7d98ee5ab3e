"""What the metadata might have got wrong: each alternative is a function from a sample to another.

An alternative returns None where it changes nothing that could be seen, such as the sign of shifts
where there are none. Its remedy says what to change if the data prefer it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.geometry.projections import (
    rotations_from_stage_angles,
    stage_angles_from_rotations,
)
from tomodrgn.core.geometry.rotations import euler_from_matrices, matrices_from_euler
from tomodrgn.core.inspection.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from tomodrgn.core.particles.tables import ImageState

Change = Callable[[Sample], Sample | None]

CTF_STATE: Final = "CTF state"
DOSE_STATE: Final = "dose weighting"
CTF: Final = "CTF"
PIXEL_SIZE: Final = "pixel size"
HEIGHT: Final = "defocus of particle height"
TILT: Final = "tilt direction"
EULER: Final = "Euler angles"
AXES: Final = "image axes"
SHIFTS: Final = "shifts"
STACK: Final = "order of images in stacks"
DOSE_ORDER: Final = "order of doses"

ASSUMPTIONS: Final = (
    STACK, AXES, EULER, TILT, SHIFTS, CTF_STATE, CTF, PIXEL_SIZE, HEIGHT, DOSE_STATE, DOSE_ORDER,
)  # fmt: skip
"""What is tried, from the coarsest to the finest."""

PIXEL_SCALES: Final = (0.5, 0.67, 0.8, 0.9, 1.1, 1.25, 1.5, 2.0)
_SEEN_PX: Final = 0.25
"""Root mean square of shifts below which nothing is lost by getting them wrong."""
_SEEN_HEIGHT_A: Final = 100.0
"""Spread of particle heights below which their defocus cannot be told from none."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another reading of the metadata, and what to do if it is the right one."""

    assumption: str
    name: str
    remedy: str
    change: Change


def alternatives() -> Iterator[Alternative]:
    """Every alternative, by assumption."""
    yield from _of_stacks()
    yield from _of_axes()
    yield from _of_angles()
    yield from _of_shifts()
    yield from _of_transfer()
    yield from _of_dose()


def _of_stacks() -> Iterator[Alternative]:
    remedy = "extract the particles again, or correct rlnImageName; rows and images are shifted"
    yield Alternative(STACK, "each row shows the next image", remedy, _roll(1))
    yield Alternative(STACK, "each row shows the previous image", remedy, _roll(-1))
    reverse = "the images of each particle lie in reverse order; reverse them or their rows"
    yield Alternative(STACK, "images are in reverse order", reverse, _reverse_images)
    by_dose = "images lie in the order of exposure, rows in that of tilt; sort one like the other"
    yield Alternative(STACK, "images are in order of exposure", by_dose, _images_by_dose)
    swapped = "images belong to another particle; extract the particles again"
    yield Alternative(STACK, "each particle shows the next particle", swapped, _next_particle)


def _of_axes() -> Iterator[Alternative]:
    remedy = "transpose or flip the stacks, or extract the particles again"
    yield Alternative(AXES, "images are transposed", remedy, _turn_image([[0, 1], [1, 0]]))
    yield Alternative(AXES, "images are mirrored along x", remedy, _turn_image([[-1, 0], [0, 1]]))
    yield Alternative(AXES, "images are mirrored along y", remedy, _turn_image([[1, 0], [0, -1]]))


def _of_angles() -> Iterator[Alternative]:
    inverse = "rlnAngleRot, Tilt and Psi are those of the inverse rotation; write -Psi, -Tilt, -Rot"
    yield Alternative(EULER, "rotations are inverted", inverse, _invert_orientations)
    yield Alternative(EULER, "rotations of images are inverted", inverse, _invert_image_rotations)
    swapped = "exchange the columns rlnAngleRot and rlnAnglePsi"
    yield Alternative(EULER, "rot and psi are exchanged", swapped, _exchange_angles)
    tilt = (
        "tilt angles have the wrong sign (wrong hand): reconstruct the tomograms with inverted "
        "tilt angles, or invert them in the tomograms STAR file"
    )
    yield Alternative(TILT, "tilt angles have the opposite sign", tilt, _invert_tilts)


def _of_shifts() -> Iterator[Alternative]:
    sign = "change the sign of the origin columns (rlnOriginX, rlnOriginY or their Angst forms)"
    yield Alternative(SHIFTS, "shifts have the opposite sign", sign, _scale_shifts(-1, -1))
    yield Alternative(SHIFTS, "x shifts have the opposite sign", sign, _scale_shifts(-1, 1))
    yield Alternative(SHIFTS, "y shifts have the opposite sign", sign, _scale_shifts(1, -1))
    yield Alternative(
        SHIFTS,
        "shifts are in Å and are read as px",
        "rename rlnOriginX, rlnOriginY to rlnOriginXAngst, rlnOriginYAngst, or divide them by "
        "the pixel size",
        _shifts_in_angstrom,
    )
    yield Alternative(
        SHIFTS,
        "shifts are in px and are read as Å",
        "rename rlnOriginXAngst, rlnOriginYAngst to rlnOriginX, rlnOriginY, or multiply them by "
        "the pixel size",
        _shifts_in_px,
    )
    yield Alternative(
        SHIFTS,
        "images are centred already",
        "remove the origin columns, or set them to 0",
        _scale_shifts(0, 0),
    )


def _of_transfer() -> Iterator[Alternative]:
    yield Alternative(
        CTF_STATE, "images are CTF-premultiplied", "--ctf-premultiplied", _declare("premultiplied")
    )
    yield Alternative(CTF_STATE, "images are phase-flipped", "--phase-flipped", _declare("flipped"))
    yield Alternative(
        CTF_STATE,
        "images are neither CTF-premultiplied nor phase-flipped",
        "--not-ctf-premultiplied --not-phase-flipped",
        _declare("raw"),
    )
    yield Alternative(
        CTF,
        "defocus has the opposite sign",
        "change the sign of rlnDefocusU and rlnDefocusV; underfocus is positive",
        _scale_defocus(-1),
    )
    yield Alternative(
        CTF,
        "phase shift is 90 degrees more or less",
        "correct rlnPhaseShift: 0 without a phase plate, near 90 with one, in degrees",
        _other_phase,
    )
    for scale in PIXEL_SCALES:
        yield Alternative(
            PIXEL_SIZE,
            f"pixel size is {scale:g} times as large",
            "correct the pixel size (--Apix), or the defocus, which looks alike",
            _scale_pixels(scale),
        )
    yield Alternative(
        HEIGHT,
        "particle height adds to defocus with the opposite sign",
        "choose the other --defocus-sign (the hand of the tilt series); if the defocus was "
        "computed upstream, invert the hand of defocus there",
        _scale_heights(-1),
    )
    yield Alternative(
        DOSE_STATE, "images are dose-weighted", "--dose-weighted", _declare_dose(weighted=True)
    )
    yield Alternative(
        DOSE_STATE,
        "images are not dose-weighted",
        "--not-dose-weighted",
        _declare_dose(weighted=False),
    )


def _of_dose() -> Iterator[Alternative]:
    yield Alternative(
        DOSE_ORDER,
        "doses are in reverse order",
        "reverse the doses of each tilt series (rlnCtfBfactor or rlnMicrographPreExposure): the "
        "first exposure has the lowest",
        _reverse_doses,
    )


def _take_images(sample: Sample, source: Tensor) -> Sample:
    """Each row shows the image of another row."""
    return replace(sample, coefficients=sample.coefficients[source])


def _by_stack(sample: Sample) -> Tensor:
    """(M,) rows by particle, then by place in the input."""
    return torch.from_numpy(np.lexsort((sample.source_row, sample.particle.numpy())))


def _roll(step: int) -> Change:
    def change(sample: Sample) -> Sample | None:
        order = torch.from_numpy(np.argsort(sample.source_row))
        source = torch.empty_like(order)
        source[order] = order.roll(-step)
        return _take_images(sample, source)

    return change


def _reverse_images(sample: Sample) -> Sample | None:
    order = _by_stack(sample)
    source = torch.empty_like(order)
    source[order] = order[_reversed_within(sample.particle[order])]
    return _take_images(sample, source)


def _images_by_dose(sample: Sample) -> Sample | None:
    by_stack = _by_stack(sample)
    dose = sample.images.dose_e_per_a2.numpy()
    by_dose = torch.from_numpy(np.lexsort((dose, sample.particle.numpy())))
    if torch.equal(by_dose, by_stack):
        return None
    source = torch.empty_like(by_stack)
    source[by_dose] = by_stack
    return _take_images(sample, source)


def _next_particle(sample: Sample) -> Sample | None:
    """Pairs of neighbours of equal tilt counts exchange their images, in stack order."""
    order = _by_stack(sample)
    particle = sample.particle[order]
    counts = torch.bincount(particle)
    starts = torch.cumsum(counts, 0) - counts
    partner = torch.arange(len(counts)) ^ 1
    partner = torch.where(partner < len(counts), partner, torch.arange(len(counts)))
    matched = counts[partner] == counts
    if not bool(matched.any()):
        return None
    place = torch.arange(len(particle)) - starts[particle]
    chosen = torch.where(matched, partner, torch.arange(len(counts)))
    source = torch.empty_like(order)
    source[order] = order[starts[chosen[particle]] + place]
    return _take_images(sample, source)


def _reversed_within(particle: Tensor) -> Tensor:
    """(M,) the rows of each particle, which are adjacent, from last to first."""
    counts = torch.bincount(particle)
    starts = torch.cumsum(counts, 0) - counts
    place = torch.arange(len(particle)) - starts[particle]
    return starts[particle] + counts[particle] - 1 - place


def _turn_image(matrix: list[list[int]]) -> Change:
    """Pixels moved by a signed permutation of (x, y); the metadata stay."""

    def change(sample: Sample) -> Sample | None:
        k = sample.disc.k
        turned = k @ np.array(matrix)
        box = sample.disc.box_size_px
        conjugate = (turned[:, 1] < 0) | ((turned[:, 1] == 0) & (turned[:, 0] < 0))
        turned = np.where(conjugate[:, None], -turned, turned)
        keys, wanted = k @ [1, 2 * box], turned @ [1, 2 * box]
        order = np.argsort(keys)
        source = torch.from_numpy(order[np.searchsorted(keys, wanted, sorter=order)])
        values = sample.coefficients[:, source]
        flips = torch.from_numpy(conjugate)
        return replace(sample, coefficients=torch.where(flips, values.conj(), values))

    return change


def _first_pose(sample: Sample) -> Tensor:
    """(M, 3, 3) the pose of the least tilted image of each particle, for each of its images."""
    order = np.lexsort((sample.images.tilt_deg.abs().numpy(), sample.particle.numpy()))
    _, first = np.unique(sample.particle.numpy()[order], return_index=True)
    rows = torch.from_numpy(order[first])
    return sample.images.rotation[rows][sample.particle]


def _parts(sample: Sample) -> tuple[Tensor, Tensor]:
    """(M, 3, 3) tomogram to image, and reference to tomogram coordinates.

    Where the input gives the pose of images only, the least tilted image stands for the tomogram.
    """
    rotation = sample.images.rotation.double()
    if sample.stage is not None:
        stage = sample.stage.double()
        return stage, stage.mT @ rotation
    first = _first_pose(sample).double()
    return rotation @ first.mT, first


def _invert_orientations(sample: Sample) -> Sample | None:
    stage, orientation = _parts(sample)
    return sample.with_images(rotation=(stage @ orientation.mT).float())


def _invert_image_rotations(sample: Sample) -> Sample | None:
    return sample.with_images(rotation=sample.images.rotation.mT.contiguous())


def _exchange_angles(sample: Sample) -> Sample | None:
    stage, orientation = _parts(sample)
    if sample.stage is None:
        stage, orientation = torch.eye(3, dtype=torch.float64), sample.images.rotation.double()
    euler = euler_from_matrices(orientation.numpy())
    exchanged = torch.from_numpy(matrices_from_euler(euler[:, ::-1]))
    return sample.with_images(rotation=(stage @ exchanged).float())


def _invert_tilts(sample: Sample) -> Sample | None:
    stage, orientation = _parts(sample)
    if sample.stage is None:
        inverted = stage.mT
    else:
        angles = stage_angles_from_rotations(stage.numpy())
        inverted = torch.from_numpy(
            rotations_from_stage_angles(angles[:, 0], -angles[:, 1], angles[:, 2])
        )
    return sample.with_images(rotation=(inverted @ orientation).float())


def _are_shifted(sample: Sample) -> bool:
    return float(sample.images.shift_px.square().mean().sqrt()) >= _SEEN_PX


def _scale_shifts(x: float, y: float) -> Change:
    def change(sample: Sample) -> Sample | None:
        if not _are_shifted(sample):
            return None
        return sample.with_images(shift_px=sample.images.shift_px * torch.tensor([x, y]))

    return change


def _shifts_in_angstrom(sample: Sample) -> Sample | None:
    scale = sample.shrinkage / sample.pixel_size_a
    return _scale_shifts(scale, scale)(sample)


def _shifts_in_px(sample: Sample) -> Sample | None:
    scale = sample.pixel_size_a / sample.shrinkage
    rms = float(sample.images.shift_px.square().mean().sqrt())
    if rms * scale < _SEEN_PX:
        return None
    return sample.with_images(shift_px=sample.images.shift_px * scale)


def _has_state(sample: Sample, name: str, *, value: bool) -> bool:
    return all(getattr(group.state, name) == value for group in sample.optics)


def _with_state(sample: Sample, **flags: bool) -> Sample:
    def changed(state: ImageState) -> ImageState:
        return replace(state, **flags)

    groups = tuple(replace(group, state=changed(group.state)) for group in sample.optics)
    return replace(sample, optics=groups)


def _declare(state: str) -> Change:
    flags = {"ctf_premultiplied": state == "premultiplied", "phase_flipped": state == "flipped"}

    def change(sample: Sample) -> Sample | None:
        if sample.images.ctf is None:
            return None
        if all(_has_state(sample, name, value=value) for name, value in flags.items()):
            return None
        return _with_state(sample, **flags)

    return change


def _declare_dose(*, weighted: bool) -> Change:
    def change(sample: Sample) -> Sample | None:
        if _has_state(sample, "dose_weighted", value=weighted) or not _has_doses(sample):
            return None
        return _with_state(sample, dose_weighted=weighted)

    return change


def _has_doses(sample: Sample) -> bool:
    return float(sample.images.dose_e_per_a2.std()) > 0


def _with_defocus(sample: Sample, added: Tensor | float, factor: float = 1.0) -> Sample | None:
    ctf = sample.images.ctf
    if ctf is None:
        return None
    changed = replace(
        ctf,
        defocus_u_a=factor * ctf.defocus_u_a + added,
        defocus_v_a=factor * ctf.defocus_v_a + added,
    )
    return sample.with_images(ctf=changed)


def _scale_defocus(factor: float) -> Change:
    return lambda sample: _with_defocus(sample, 0.0, factor)


def _scale_heights(factor: float) -> Change:
    def change(sample: Sample) -> Sample | None:
        heights = sample.height_a
        if heights is None or float(heights.std()) < _SEEN_HEIGHT_A:
            return None
        return _with_defocus(sample, (factor - 1) * heights)

    return change


def _other_phase(sample: Sample) -> Sample | None:
    ctf = sample.images.ctf
    if ctf is None:
        return None
    near_none = ctf.phase_shift_deg.abs() < 45  # noqa: PLR2004  half way to a phase plate
    shifted = ctf.phase_shift_deg + torch.where(near_none, 90.0, -90.0)
    return sample.with_images(ctf=replace(ctf, phase_shift_deg=shifted))


def _scale_pixels(scale: float) -> Change:
    def change(sample: Sample) -> Sample | None:
        if sample.images.ctf is None:
            return None
        groups = (replace(g, pixel_size_a=scale * g.pixel_size_a) for g in sample.optics)
        return replace(sample, optics=tuple(groups))

    return change


def _reverse_doses(sample: Sample) -> Sample | None:
    if not _has_doses(sample):
        return None
    order = torch.from_numpy(
        np.lexsort((sample.images.dose_e_per_a2.numpy(), sample.particle.numpy()))
    )
    doses = sample.images.dose_e_per_a2.clone()
    doses[order] = doses[order][_reversed_within(sample.particle[order])]
    return sample.with_images(dose_e_per_a2=doses)
