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
    reversed_images,
    rolled_images,
    turned_images,
)
from tomodrgn.core.inspection.pose_changes import (
    exchanged_angles,
    inverted_image_rotations,
    inverted_orientations,
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
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tomodrgn.core.inspection.sample import Change

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
    yield Alternative(STACK, "each row shows the next image", remedy, rolled_images(1))
    yield Alternative(STACK, "each row shows the previous image", remedy, rolled_images(-1))
    reverse = "the images of each particle lie in reverse order; reverse them or their rows"
    yield Alternative(STACK, "images are in reverse order", reverse, reversed_images)
    by_dose = "images lie in the order of exposure, rows in that of tilt; sort one like the other"
    yield Alternative(STACK, "images are in order of exposure", by_dose, images_by_dose)
    swapped = "images belong to another particle; extract the particles again"
    yield Alternative(
        STACK, "each particle shows the next particle", swapped, images_of_next_particle
    )


def _of_axes() -> Iterator[Alternative]:
    remedy = "transpose or flip the stacks, or extract the particles again"
    yield Alternative(AXES, "images are transposed", remedy, turned_images([[0, 1], [1, 0]]))
    yield Alternative(AXES, "images are mirrored along x", remedy, turned_images([[-1, 0], [0, 1]]))
    yield Alternative(AXES, "images are mirrored along y", remedy, turned_images([[1, 0], [0, -1]]))


def _of_angles() -> Iterator[Alternative]:
    inverse = "rlnAngleRot, Tilt and Psi are those of the inverse rotation; write -Psi, -Tilt, -Rot"
    yield Alternative(EULER, "rotations are inverted", inverse, inverted_orientations)
    yield Alternative(EULER, "rotations of images are inverted", inverse, inverted_image_rotations)
    swapped = "exchange the columns rlnAngleRot and rlnAnglePsi"
    yield Alternative(EULER, "rot and psi are exchanged", swapped, exchanged_angles)
    tilt = (
        "tilt angles have the wrong sign (wrong hand): reconstruct the tomograms with inverted "
        "tilt angles, or invert them in the tomograms STAR file"
    )
    yield Alternative(TILT, "tilt angles have the opposite sign", tilt, inverted_tilts)


def _of_shifts() -> Iterator[Alternative]:
    sign = "change the sign of the origin columns (rlnOriginX, rlnOriginY or their Angst forms)"
    yield Alternative(SHIFTS, "shifts have the opposite sign", sign, scaled_shifts(-1, -1))
    yield Alternative(SHIFTS, "x shifts have the opposite sign", sign, scaled_shifts(-1, 1))
    yield Alternative(SHIFTS, "y shifts have the opposite sign", sign, scaled_shifts(1, -1))
    yield Alternative(
        SHIFTS,
        "shifts are in Å and are read as px",
        "rename rlnOriginX, rlnOriginY to rlnOriginXAngst, rlnOriginYAngst, or divide them by "
        "the pixel size",
        shifts_from_angstrom,
    )
    yield Alternative(
        SHIFTS,
        "shifts are in px and are read as Å",
        "rename rlnOriginXAngst, rlnOriginYAngst to rlnOriginX, rlnOriginY, or multiply them by "
        "the pixel size",
        shifts_from_px,
    )
    yield Alternative(
        SHIFTS,
        "images are centred already",
        "remove the origin columns, or set them to 0",
        scaled_shifts(0, 0),
    )


def _of_transfer() -> Iterator[Alternative]:
    yield Alternative(
        CTF_STATE,
        "images are CTF-premultiplied",
        "--ctf-premultiplied",
        declared_state("premultiplied"),
    )
    yield Alternative(
        CTF_STATE, "images are phase-flipped", "--phase-flipped", declared_state("flipped")
    )
    yield Alternative(
        CTF_STATE,
        "images are neither CTF-premultiplied nor phase-flipped",
        "--not-ctf-premultiplied --not-phase-flipped",
        declared_state("raw"),
    )
    yield Alternative(
        CTF,
        "defocus has the opposite sign",
        "change the sign of rlnDefocusU and rlnDefocusV; underfocus is positive",
        scaled_defocus(-1),
    )
    yield Alternative(
        CTF,
        "phase shift is 90 degrees more or less",
        "correct rlnPhaseShift: 0 without a phase plate, near 90 with one, in degrees",
        other_phase_shift,
    )
    for scale in PIXEL_SCALES:
        yield Alternative(
            PIXEL_SIZE,
            f"pixel size is {scale:g} times as large",
            "correct the pixel size (--Apix), or the defocus, which looks alike",
            scaled_pixels(scale),
        )
    yield Alternative(
        HEIGHT,
        "particle height adds to defocus with the opposite sign",
        "choose the other --defocus-sign (the hand of the tilt series); if the defocus was "
        "computed upstream, invert the hand of defocus there",
        scaled_heights(-1),
    )
    yield Alternative(
        DOSE_STATE,
        "images are dose-weighted",
        "--dose-weighted",
        declared_dose_weighting(weighted=True),
    )
    yield Alternative(
        DOSE_STATE,
        "images are not dose-weighted",
        "--not-dose-weighted",
        declared_dose_weighting(weighted=False),
    )


def _of_dose() -> Iterator[Alternative]:
    yield Alternative(
        DOSE_ORDER,
        "doses are in reverse order",
        "reverse the doses of each tilt series (rlnCtfBfactor or rlnMicrographPreExposure): the "
        "first exposure has the lowest",
        reversed_doses,
    )
