"""Which evidence suffices to refuse a fit, and which is only said."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.plugins.readers.upstream_files.fitted_ctf import (
    FittedCtf,
    check_fitted_ctf,
    check_phase_shifts,
    say_nanometers,
)

PATH = Path("particles.star")
N = 40


def _fit(defocus_a: object, apart_a: object = 300.0) -> FittedCtf:
    """Two tomograms of 20 images each."""
    u = np.broadcast_to(np.asarray(defocus_a, np.float64), N).copy()
    v = np.where(u == 0, 0, u - np.asarray(apart_a))
    names = np.array(["TS_1"] * (N // 2) + ["TS_2"] * (N // 2), dtype=object)
    return FittedCtf(
        path=PATH, defocus_u_a=u, defocus_v_a=v, tomogram=names, row=np.arange(1, N + 1)
    )


def _mixed(value: float, n: int) -> np.ndarray:
    """An underfocus of 3 micrometers, and another value in the last images."""
    values = np.full(N, 30_000.0)
    values[N - n :] = value
    return values


ACCEPTED = {
    "usual": _fit(np.linspace(8_000, 60_000, N)),
    "close to focus with a phase plate": _fit(np.linspace(100, 5_000, N), 80.0),
    "far from focus, as on old detectors": _fit(150_000.0),
    "astigmatic": _fit(20_000.0, 4_700.0),
    "one defocus per tilt": _fit(30_000.0, 0.0),
}


@pytest.mark.parametrize("fit", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_recorded_defoci_pass_in_silence(fit: FittedCtf, caplog: pytest.LogCaptureFixture) -> None:
    check_fitted_ctf(fit)
    assert not caplog.messages


REFUSED = {
    "micrometers": (_fit(3.0, 0.01), "below 3 A.* in micrometers, multiply"),
    "picometers": (_fit(5e5), "above 50 micrometers"),
    "overfocus everywhere": (_fit(-30_000.0), "negative in all images of tomograms TS_1, TS_2;"),
    "overfocus in a tomogram": (_fit(_mixed(-9e3, 20)), "in all images of tomogram TS_2;"),
    "overfocus in most images": (
        _fit(np.where(np.arange(N) % 8 < 5, -3e4, 3e4)), r"of tomogram TS_1 \(25 of 40 im",
    ),
    "no fit": (_fit(0.0), "are 0 in all images of tomograms TS_1, TS_2: the CTF was never fitted"),
    "no fit in a tomogram": (_fit(_mixed(0.0, 20)), "0 in all images of tomogram TS_2: the CTF"),
    "another column": (_fit(30_000.0, 29_950.0), "2.995e.04 A apart in row 1 of tomogram TS_1"),
}  # fmt: skip


@pytest.mark.parametrize(("fit", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_holds_for_a_whole_tomogram_or_most_images_is_refused(
    fit: FittedCtf, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        check_fitted_ctf(fit)


SAID = {
    "a tilt in overfocus": (_mixed(-2_000.0, 1), "row 40 of tomogram TS_2 (1 of 40 images)"),
    "a tilt without a fit": (_mixed(0.0, 2), "row 39 of tomogram TS_2 (2 of 40 images)"),
    "a phase plate in focus": (np.linspace(-900, 300, N), "negative, which is overfocus"),
}


@pytest.mark.parametrize(("defocus_a", "said"), SAID.values(), ids=SAID.keys())
def test_what_is_odd_in_a_few_images_is_said(
    defocus_a: np.ndarray, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        check_fitted_ctf(_fit(defocus_a, 50.0))
    assert any(said in message for message in caplog.messages)


def test_a_failed_astigmatism_is_said(caplog: pytest.LogCaptureFixture) -> None:
    apart = np.full(N, 200.0)
    apart[3] = 28_000.0
    with caplog.at_level(logging.WARNING):
        check_fitted_ctf(_fit(30_000.0, apart))
    assert "up to 2.8e+04 A apart, first in row 4" in caplog.text


def test_a_missing_column_of_defoci_is_refused() -> None:
    fit = _fit(30_000.0)
    fit.defocus_v_a[:] = 0
    with pytest.raises(DataError, match=r"rlnDefocusV is 0 beside rlnDefocusU in row 1"):
        check_fitted_ctf(fit)


@pytest.mark.parametrize("degrees", [30.0, 60.0, 90.0, 150.0, 180.0])
def test_phase_shifts_of_a_plate_in_radians_are_refused(degrees: float) -> None:
    shifts = np.deg2rad(degrees) + np.linspace(-0.1, 0.0, N)
    check_phase_shifts(np.rad2deg(shifts), PATH)
    with pytest.raises(DataError, match=r"rlnPhaseShift, row 1: .* in radians, multiply"):
        check_phase_shifts(shifts, PATH)
    check_phase_shifts(np.append(shifts, 20.0), PATH)  # so the others are degrees, too


@pytest.mark.parametrize("degrees", [0.0, 0.1, -0.05])
def test_phase_shifts_that_are_nothing_in_any_unit_pass(degrees: float) -> None:
    check_phase_shifts(np.full(N, degrees), PATH)


def test_defoci_as_in_nanometers_are_said_but_with_a_phase_plate(
    caplog: pytest.LogCaptureFixture,
) -> None:
    nothing, plate = np.zeros(N), np.full(N, 90.0)
    with caplog.at_level(logging.WARNING):
        say_nanometers(_fit(np.linspace(15_000, 60_000, N)), nothing)
        say_nanometers(_fit(np.linspace(1_500, 6_000, N)), plate)
        assert not caplog.messages
        say_nanometers(_fit(np.linspace(1_500, 6_000, N)), nothing)
    assert "rlnDefocusU is 1500 to 6000 A in all images" in caplog.text
    assert "multiply rlnDefocusU and rlnDefocusV by 10" in caplog.text
