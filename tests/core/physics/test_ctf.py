from __future__ import annotations

import numpy as np
import pytest
import torch

from tomodrgn.core.particles.tables import CtfTable
from tomodrgn.core.physics.ctf import contrast_transfer, electron_wavelength_a


def ctf_table(**changes: float) -> CtfTable[torch.Tensor]:
    values = {
        "defocus_u_a": 20000.0,
        "defocus_v_a": 18000.0,
        "defocus_angle_deg": 30.0,
        "voltage_kv": 300.0,
        "cs_mm": 2.7,
        "amplitude_contrast": 0.1,
        "phase_shift_deg": 0.0,
    }
    return CtfTable(
        **{name: torch.tensor([value]).double() for name, value in (values | changes).items()}
    )


@pytest.fixture
def freqs_per_a() -> torch.Tensor:
    return torch.randn(50, 2, generator=torch.Generator().manual_seed(0)).double() * 0.05


def test_wavelengths_are_the_textbook_ones() -> None:
    found = electron_wavelength_a(torch.tensor([300.0, 200.0, 100.0]).double())
    # Reimer & Kohl 2008, table 2.2, in picometres 1.97, 2.51, 3.70
    np.testing.assert_allclose(found, [0.0196870, 0.0250787, 0.0370144], rtol=3e-5)


def test_low_frequencies_keep_minus_the_amplitude_contrast() -> None:
    found = contrast_transfer(ctf_table(), torch.zeros(1, 2).double())
    assert found.item() == pytest.approx(-0.1)


def test_a_phase_plate_gives_full_contrast_at_low_frequency() -> None:
    table = ctf_table(phase_shift_deg=90.0, amplitude_contrast=0.0)
    assert contrast_transfer(table, torch.zeros(1, 2).double()).item() == pytest.approx(-1)


def test_transfer_is_the_same_at_k_and_minus_k(freqs_per_a: torch.Tensor) -> None:
    here, there = (contrast_transfer(ctf_table(), f) for f in (freqs_per_a, -freqs_per_a))
    torch.testing.assert_close(here, there)


def test_swapping_the_axes_of_astigmatism_turns_it_by_90_degrees(freqs_per_a: torch.Tensor) -> None:
    swapped = ctf_table(defocus_u_a=18000.0, defocus_v_a=20000.0, defocus_angle_deg=120.0)
    torch.testing.assert_close(
        contrast_transfer(swapped, freqs_per_a), contrast_transfer(ctf_table(), freqs_per_a)
    )


def test_first_zero_is_where_defocus_puts_it() -> None:
    table = ctf_table(defocus_v_a=20000.0, cs_mm=0.0, amplitude_contrast=0.0)
    first_zero = 1 / np.sqrt(0.0196870 * 20000)  # sin(pi lambda z s^2) = 0
    found = contrast_transfer(table, torch.tensor([[first_zero, 0.0]]).double())
    assert abs(found.item()) < 1e-4  # wavelength rounded to six digits


def test_transfer_is_that_of_the_phase_that_aberrations_add_to_a_wave() -> None:
    """Scherzer: a ray at an angle is late by the defocus and early by the spherical aberration."""
    freqs_per_a = torch.tensor([[0.03, 0.0], [0.0, 0.05], [-0.08, 0.06], [0.1, -0.02]]).double()
    table = ctf_table(phase_shift_deg=40.0)
    found = contrast_transfer(table, freqs_per_a)[0]
    for k, transfer in zip(freqs_per_a.numpy(), found.tolist(), strict=True):
        axes = [np.deg2rad(30.0), np.deg2rad(120.0)]  # of defocus u and v
        along = [k @ [np.cos(axis), np.sin(axis)] for axis in axes]
        defocus_a = (20000.0 * along[0] ** 2 + 18000.0 * along[1] ** 2) / (k @ k)
        wavelength_a = 0.0196875
        angle = wavelength_a * np.sqrt(k @ k)
        path_a = defocus_a * angle**2 / 2 - 2.7e7 * angle**4 / 4
        phase = 2 * np.pi * path_a / wavelength_a + np.deg2rad(40.0) + np.arcsin(0.1)
        assert transfer == pytest.approx(-np.sin(phase), abs=1e-3)  # six digits of the wavelength
