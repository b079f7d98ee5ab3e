"""What the metadata might have got wrong: each alternative is a function from a sample to another.

An alternative returns None where it changes nothing that could be seen, such as the sign of shifts
where there are none. Its remedy says what to change if the data prefer it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tomodrgn.core.inspection.image_changes import (
    images_by_dose,
    images_of_next_particle,
    images_of_shifted_particle,
    reversed_images,
    reversed_stacks,
    rolled_images,
    scrambled_images,
    scrambled_particles,
    scrambled_tilts,
    turned_images,
)
from tomodrgn.core.inspection.pose_changes import (
    exchanged_angles,
    inverted_image_rotations,
    inverted_orientations,
    inverted_refinements,
    inverted_tilts,
    scaled_shifts,
    shifts_from_angstrom,
    shifts_from_px,
)
from tomodrgn.core.inspection.transfer_changes import (
    declared_dose_weighting,
    declared_state,
    other_phase_shift,
    reversed_doses,
    scaled_defocus,
    scaled_heights,
    scaled_pixels,
    without_transfer,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tomodrgn.core.inspection.fault_names import FaultId
    from tomodrgn.core.inspection.sample import Change

MATCH: Final = "images and rows belong together"
STACK: Final = "stack/row order"
AXES: Final = "image axes (transposed)"
EULER: Final = "Euler angles (inverse)"
TILT: Final = "handedness (tilt-axis sign)"
SHIFT_SIGN: Final = "shift sign"
SHIFT_UNITS: Final = "shift units (px/Å)"
CTF_STATE: Final = "CTF state (premultiplied)"
CTF: Final = "CTF"
PIXEL_SIZE: Final = "pixel size"
HEIGHT: Final = "sign of the defocus gradient"
DOSE_STATE: Final = "dose weighting"
DOSE_ORDER: Final = "dose order"

SCRAMBLED_TILTS: Final = "images of each particle are in any order"

ASSUMPTIONS: Final = (
    STACK, AXES, EULER, TILT, SHIFT_SIGN, SHIFT_UNITS, CTF_STATE, CTF, PIXEL_SIZE, HEIGHT,
    DOSE_STATE, DOSE_ORDER,
)  # fmt: skip
"""What is tried, from the coarsest to the finest."""

POSES: Final = frozenset({AXES, EULER, TILT})
"""Assumptions about poses, which images support where poses are theirs."""

GEOMETRY: Final = frozenset({STACK, AXES, EULER, SHIFT_SIGN, SHIFT_UNITS})
"""Assumptions that say nothing of how images are transferred."""

PIXEL_SCALES: Final = (0.5, 0.67, 0.8, 0.9, 1.1, 1.25, 1.5, 2.0)
_FINER_STEPS: Final = (0.93, 0.95, 0.97, 0.98, 0.99, 1.01, 1.02, 1.03, 1.05, 1.07)


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another reading of the metadata, and what to do if it is the right one.

    Attributes:
        assumption: what it is an alternative to.
        fault: what the metadata suffer from if it is right.
        name: what would be the case.
        remedy: what to change then.
        change: the sample under this reading.
        controls: readings that no metadata would state; where one of them explains images better,
            it is the model that does not suit, not the metadata.
        is_bracketed: whether controls lie on either side of it, so that it is a peak among them.
    """

    assumption: str
    fault: FaultId
    name: str
    remedy: str
    change: Change
    controls: tuple[Change, ...] = ()
    is_bracketed: bool = False


def alternatives() -> Iterator[Alternative]:
    """Every alternative, by assumption."""
    yield from _of_stacks()
    yield from _of_axes()
    yield from _of_angles()
    yield from _of_shifts()
    yield from _of_state()
    yield from _of_transfer()
    yield from _of_dose()


def scrambles() -> Iterator[Alternative]:
    """Images in no order: metadata that say nothing of the images are as good."""
    remedy = "extract the particles again, or find the poses that belong to these images"
    for name, change in (
        ("images of each tomogram are in any order", scrambled_images),
        (SCRAMBLED_TILTS, scrambled_tilts),
        ("images of each exposure are of any particle", scrambled_particles),
    ):
        yield Alternative(MATCH, "stack_row_mismatch", name, remedy, change)


def finer(alternative: Alternative) -> Iterator[Alternative]:
    """Others between an alternative and its neighbors, where it is one of a scale."""
    for scale in PIXEL_SCALES:
        if alternative.name == _other_pixel_size(scale).name:
            yield from (_other_pixel_size(scale * step) for step in _FINER_STEPS)


def _other_pixel_size(scale: float) -> Alternative:
    return Alternative(
        PIXEL_SIZE,
        "pixel_size",
        f"pixel size is {scale:.3g} times as large",
        "correct the pixel size (--Apix), or the defocus, which looks alike",
        scaled_pixels(scale),
        controls=(without_transfer,),
    )


def _of_stacks() -> Iterator[Alternative]:
    off = "extract the particles again, or correct rlnImageName; rows and images are shifted"
    reverse = "the images of each particle lie in reverse order; reverse them or their rows"
    whole = "stacks lie in reverse order; reverse them or their rows"
    by_dose = "images lie in the order of exposure, rows in that of tilt; sort one like the other"
    other = "images belong to another particle; extract the particles again"
    for name, remedy, change in (
        ("each row shows the next image", off, rolled_images(1)),
        ("each row shows the previous image", off, rolled_images(-1)),
        ("images are in reverse order", reverse, reversed_images),
        ("whole stacks are in reverse order", whole, reversed_stacks),
        ("images are in order of exposure", by_dose, images_by_dose),
        ("neighboring particles are exchanged", other, images_of_next_particle),
        ("each particle shows the next particle", other, images_of_shifted_particle(1)),
        ("each particle shows the previous particle", other, images_of_shifted_particle(-1)),
    ):
        yield Alternative(STACK, "stack_row_mismatch", name, remedy, change)


def _of_axes() -> Iterator[Alternative]:
    remedy = "transpose or flip the stacks, or extract the particles again"
    transposed = turned_images([[0, 1], [1, 0]])
    yield Alternative(AXES, "transposed", "images are transposed", remedy, transposed)
    for axis, matrix in (("x", [[-1, 0], [0, 1]]), ("y", [[1, 0], [0, -1]])):
        name = f"images are mirrored along {axis}"
        yield Alternative(AXES, "mirrored", name, remedy, turned_images(matrix))


def _of_angles() -> Iterator[Alternative]:
    inverse = "rlnAngleRot, Tilt and Psi are those of the inverse rotation; write -Psi, -Tilt, -Rot"
    for name, change in (
        ("rotations are inverted", inverted_orientations),
        ("rotations after extraction are inverted", inverted_refinements),
        ("rotations of images are inverted", inverted_image_rotations),
    ):
        yield Alternative(EULER, "euler_inverse", name, inverse, change)
    swapped = "exchange the columns rlnAngleRot and rlnAnglePsi"
    name = "rot and psi are exchanged"
    yield Alternative(EULER, "euler_exchanged", name, swapped, exchanged_angles)
    tilt = (
        "the handedness is wrong: reconstruct the tomograms with inverted "
        "tilt angles, or invert them in the tomograms STAR file"
    )
    yield Alternative(TILT, "hand", "tilt angles have the opposite sign", tilt, inverted_tilts)


def _of_shifts() -> Iterator[Alternative]:
    sign = "change the sign of the origin columns (rlnOriginX, rlnOriginY or their Angst forms)"
    for axes, factors in (("", (-1, -1)), ("x ", (-1, 1)), ("y ", (1, -1))):
        name = f"{axes}shifts have the opposite sign"
        yield Alternative(SHIFT_SIGN, "shift_sign", name, sign, scaled_shifts(*factors))
    divide = (
        "rename rlnOriginX, rlnOriginY to rlnOriginXAngst, rlnOriginYAngst, or divide them by the "
        "pixel size"
    )
    multiply = (
        "rename rlnOriginXAngst, rlnOriginYAngst to rlnOriginX, rlnOriginY, or multiply them by "
        "the pixel size"
    )
    for name, remedy, change in (
        ("shifts are in Å and are read as px", divide, shifts_from_angstrom),
        ("shifts are in px and are read as Å", multiply, shifts_from_px),
    ):
        yield Alternative(SHIFT_UNITS, "shift_units", name, remedy, change)
    centered, remove = "images are centered already", "remove the origin columns, or set them to 0"
    yield Alternative(SHIFT_UNITS, "shifts_applied", centered, remove, scaled_shifts(0, 0))


def _of_state() -> Iterator[Alternative]:
    for state, name, remedy in (
        ("premultiplied", "CTF-premultiplied", "--ctf-premultiplied"),
        ("flipped", "phase-flipped", "--phase-flipped"),
        ("raw", "neither CTF-premultiplied nor phase-flipped",
         "--not-ctf-premultiplied --not-phase-flipped"),
    ):  # fmt: skip
        named = f"images are {name}"
        yield Alternative(CTF_STATE, "premultiplied", named, remedy, declared_state(state))


def _of_transfer() -> Iterator[Alternative]:
    yield Alternative(
        CTF,
        "ctf_sign",
        "defocus has the opposite sign",
        "change the sign of rlnDefocusU and rlnDefocusV; underfocus is positive",
        scaled_defocus(-1),
    )
    yield Alternative(
        CTF,
        "phase_shift",
        "phase shift is 90 degrees more or less",
        "correct rlnPhaseShift: 0 without a phase plate, near 90 with one, in degrees",
        other_phase_shift,
    )
    yield from (_other_pixel_size(scale) for scale in PIXEL_SCALES)
    yield Alternative(
        HEIGHT,
        "defocus_hand",
        "particle height adds to defocus with the opposite sign",
        "choose the other --defocus-sign; if the defocus was "
        "computed upstream, invert its handedness there",
        scaled_heights(-1),
        controls=tuple(map(scaled_heights, (0.5, 0, -2))),
        is_bracketed=True,
    )


def _of_dose() -> Iterator[Alternative]:
    for weighted, name, remedy in (
        (True, "images are dose-weighted", "--dose-weighted"),
        (False, "images are not dose-weighted", "--not-dose-weighted"),
    ):
        change = declared_dose_weighting(weighted=weighted)
        yield Alternative(DOSE_STATE, "dose_weighted", name, remedy, change)
    yield Alternative(
        DOSE_ORDER,
        "dose_order",
        "doses are in reverse order",
        "reverse the doses of each tilt series (rlnCtfBfactor or rlnMicrographPreExposure): the "
        "first exposure has the lowest",
        reversed_doses,
    )
