"""What fits of the contrast transfer function leave in files when they failed, or in other units.

One number proves little: a single tilt may be overfocused, an astigmatism may be fitted badly. So
what is refused here is a whole tomogram or most of a file; what is odd in a few images is said.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from tomodrgn.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_LARGEST_UM: Final = 50.0
"""Median defocus that is taken for micrometers; as many angstrom are less than any fit resolves."""
_LARGEST_DEFOCUS_A: Final = 3e5
_MOST: Final = 0.5  # of the images
_CLEARLY_A: Final = 1000.0
"""Defocus whose sign is beyond doubt; with a phase plate, images are taken close to focus."""
_FEWEST_OF_A_TOMOGRAM: Final = 3
_ASTIGMATISM_A: Final = 5000.0
_LARGEST_ASTIGMATISM_A: Final = 20_000.0
_NAMES_SHOWN: Final = 3
_NANOMETERS: Final = (1000.0, 8000.0)
"""Defoci that are few in A, 0.1 to 0.8 micrometers, and usual in nm."""
_PHASE_RAD: Final = (0.2, 1.001 * np.pi)
"""Phase shifts of a plate in radian, 11 to 180 degrees; in degrees they would change nothing."""


@dataclass(frozen=True, kw_only=True)
class FittedCtf:
    """What was fitted to n images that are used, in the order of a file.

    Attributes:
        path: the file, for errors.
        defocus_u_a: (n,)
        defocus_v_a: (n,)
        tomogram: (n,) names.
        row: (n,) rows of the file or of a tomogram, from 1.
    """

    path: Path
    defocus_u_a: NDArray[np.floating]
    defocus_v_a: NDArray[np.floating]
    tomogram: NDArray[np.object_]
    row: NDArray[np.int64]

    def place(self, is_bad: NDArray[np.bool_]) -> str:
        """Where the first bad one of (n,) is, and how many there are."""
        first = int(np.argmax(is_bad))
        name = f" of tomogram {self.tomogram[first]}" if self.tomogram[first] else ""
        return f"row {self.row[first]}{name} ({is_bad.sum()} of {len(is_bad)} images)"


def check_fitted_ctf(fit: FittedCtf) -> None:
    """Refuse a file whose defocus cannot be meant; say what is odd in a few rows.

    Raises:
        DataError: it says what was found, and the likely unit or cause.
    """
    if not len(fit.row):
        return
    u, v = fit.defocus_u_a, fit.defocus_v_a
    _check_zeros(fit, u, v)
    _check_sizes(fit, np.maximum(np.abs(u), np.abs(v)))
    _check_signs(fit, (u + v) / 2)
    _check_astigmatism(fit, np.abs(u - v), np.maximum(np.abs(u), np.abs(v)))


def check_phase_shifts(phase_shift_deg: NDArray[np.floating], path: Path) -> None:
    """Refuse phase shifts that can only be meant in radians.

    Args:
        phase_shift_deg: (n,) all of the file.
        path: the file, for errors.

    Raises:
        DataError: none is above pi, and half of those that are not 0 are above 0.2.
    """
    size = np.abs(phase_shift_deg)
    stated = size[size > 0]
    low, high = _PHASE_RAD
    if not len(stated) or stated.max() > high or np.median(stated) < low:
        return
    raise DataError(
        f"{path}: column rlnPhaseShift, row {np.argmax(size > 0) + 1}: {stated[0]:.4g}, and no row "
        f"is above pi; a phase plate shifts by 30 to 150 degrees: if the values are in radians, "
        f"multiply them by 57.29578; degrees as few change nothing, so then write 0"
    )


def say_nanometers(fit: FittedCtf, phase_shift_deg: NDArray[np.floating]) -> None:
    """Warn of defoci that are small in all images, as if in nanometers; without a phase plate.

    Args:
        fit: what was fitted.
        phase_shift_deg: (n,) all of the file.
    """
    size = np.maximum(np.abs(fit.defocus_u_a), np.abs(fit.defocus_v_a))
    low, high = _NANOMETERS
    if not len(size) or phase_shift_deg.any() or size.max() > high or np.median(size) < low:
        return
    logger.warning(
        "%s: rlnDefocusU is %.4g to %.4g A in all images, less than 0.8 micrometers; if it is in "
        "nanometers, multiply rlnDefocusU and rlnDefocusV by 10",
        fit.path, fit.defocus_u_a.min(), fit.defocus_u_a.max(),
    )  # fmt: skip


def _check_zeros(fit: FittedCtf, u: NDArray[np.floating], v: NDArray[np.floating]) -> None:
    is_half = (u == 0) != (v == 0)
    if is_half.any():
        zero, other = ("rlnDefocusV", "rlnDefocusU") if u[is_half][0] else (
            "rlnDefocusU", "rlnDefocusV")  # fmt: skip
        raise DataError(
            f"{fit.path}: {zero} is 0 beside {other} in {fit.place(is_half)}; where only one "
            f"defocus is known, write it into both columns"
        )
    is_zero = (u == 0) & (v == 0)
    if not is_zero.any():
        return
    whole = _whole_tomograms(fit.tomogram, is_zero, at_least=1)
    if whole:
        raise DataError(
            f"{fit.path}: rlnDefocusU and rlnDefocusV are 0 in all images {_of(whole)}: the CTF "
            f"was never fitted there; fit it and export again, or, to go without a CTF, leave out "
            f"all columns of it"
        )
    logger.warning(
        "%s: rlnDefocusU and rlnDefocusV are 0 in %s; where no CTF was fitted, leave these images "
        "out with --ind-imgs", fit.path, fit.place(is_zero),
    )  # fmt: skip


def _check_sizes(fit: FittedCtf, defocus_a: NDArray[np.floating]) -> None:
    middle = float(np.median(defocus_a[defocus_a > 0])) if defocus_a.any() else 0.0
    if 0 < middle < _LARGEST_UM:
        raise DataError(
            f"{fit.path}: half of all rlnDefocusU are below {middle:.4g} A, such as "
            f"{defocus_a[defocus_a > 0][0]:g} in {fit.place(defocus_a < _LARGEST_UM)}; if they are "
            f"in micrometers, multiply rlnDefocusU and rlnDefocusV by 10000"
        )
    if middle > _LARGEST_DEFOCUS_A:
        raise DataError(
            f"{fit.path}: half of all rlnDefocusU are above {middle / 1e4:.4g} micrometers, such "
            f"as {fit.place(defocus_a > _LARGEST_DEFOCUS_A)}; a defocus is in A, most often 5000 "
            f"to 100000: correct the columns rlnDefocusU and rlnDefocusV"
        )


def _check_signs(fit: FittedCtf, mean_a: NDArray[np.floating]) -> None:
    is_over = mean_a < 0
    if not is_over.any():
        return
    whole = _whole_tomograms(fit.tomogram, is_over, at_least=_FEWEST_OF_A_TOMOGRAM)
    is_clear = float(np.median(mean_a[is_over])) < -_CLEARLY_A
    if is_clear and (whole or is_over.mean() > _MOST):
        where = f"in all images {_of(whole)}" if whole else f"in {fit.place(is_over)}"
        raise DataError(
            f"{fit.path}: rlnDefocusU is negative {where}; underfocus is positive: multiply "
            f"rlnDefocusU and rlnDefocusV by -1 there"
        )
    logger.warning(
        "%s: rlnDefocusU is negative, which is overfocus, in %s; underfocus is positive",
        fit.path, fit.place(is_over),
    )  # fmt: skip


def _check_astigmatism(
    fit: FittedCtf, apart_a: NDArray[np.floating], defocus_a: NDArray[np.floating]
) -> None:
    is_odd = (apart_a > _ASTIGMATISM_A) & (apart_a > defocus_a / 2)
    if is_odd.mean() > _MOST:
        first = int(np.argmax(is_odd))
        raise DataError(
            f"{fit.path}: rlnDefocusU and rlnDefocusV are {apart_a[first]:.4g} A apart in "
            f"{fit.place(is_odd)}, which no microscope is; find out whether another column was "
            f"written there, or one of them in another unit"
        )
    is_odd |= apart_a > _LARGEST_ASTIGMATISM_A
    if is_odd.any():
        logger.warning(
            "%s: rlnDefocusU and rlnDefocusV are up to %.4g A apart, first in %s; fits of such "
            "images have failed more often than not",
            fit.path, apart_a.max(), fit.place(is_odd),
        )  # fmt: skip


def _whole_tomograms(
    tomogram: NDArray[np.object_], is_bad: NDArray[np.bool_], *, at_least: int
) -> list[str]:
    """Names of the tomograms of which all images are bad, if there are enough to tell."""
    codes, names = pd.factorize(tomogram)
    n_images, n_bad = np.bincount(codes), np.bincount(codes, is_bad)
    return [str(name) for name in names[(n_bad == n_images) & (n_images >= at_least)]]


def _of(tomograms: Sequence[str]) -> str:
    """Of which tomograms, the first ones by name; of all where they have no names."""
    named = [name for name in tomograms if name]
    if not named:
        return "of the file"
    n_more = len(named) - _NAMES_SHOWN
    more = f" and {n_more} more" if n_more > 0 else ""
    return f"of tomogram{'s' if named[1:] else ''} {', '.join(named[:_NAMES_SHOWN])}{more}"
