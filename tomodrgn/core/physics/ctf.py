"""Contrast transfer function of tilt images.

Defocus in angstrom (underfocus positive), voltage in kV, spherical aberration in mm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.particles.tables import CtfTable


def electron_wavelength_a(voltage_kv: Tensor) -> Tensor:
    """(...) relativistic de Broglie wavelength in angstrom; 0.0196870 at 300 kV.

    Source:
        Reimer & Kohl 2008, eq. 2.5, constants rounded as in RELION and CTFFIND.
    """
    volts = voltage_kv * 1e3
    return 12.2639 / torch.sqrt(volts + 0.97845e-6 * volts**2)


def contrast_transfer(ctf: CtfTable[Tensor], freqs_per_a: Tensor) -> Tensor:
    """Oscillating transfer of each image, without envelope.

    Args:
        ctf: columns of M images.
        freqs_per_a: (P, 2) spatial frequencies (x, y) in 1/angstrom.

    Returns:
        (M, P) in [-1, 1]; about minus the amplitude contrast at low frequency.

    Source:
        Rohou & Grigorieff 2015, doi:10.1016/j.jsb.2015.08.008, eqs. 2 to 5.
    """
    squared = freqs_per_a.square().sum(-1)  # (P,)
    azimuth = torch.atan2(freqs_per_a[:, 1], freqs_per_a[:, 0])
    wavelength = electron_wavelength_a(ctf.voltage_kv)[:, None]
    mean = 0.5 * (ctf.defocus_u_a + ctf.defocus_v_a)[:, None]
    half_difference = 0.5 * (ctf.defocus_u_a - ctf.defocus_v_a)[:, None]
    angle = torch.deg2rad(ctf.defocus_angle_deg)[:, None]
    defocus = mean + half_difference * torch.cos(2 * (azimuth - angle))
    constant = torch.deg2rad(ctf.phase_shift_deg) + torch.asin(ctf.amplitude_contrast)
    spherical = 1e7 * ctf.cs_mm[:, None]
    phase = (
        -torch.pi * wavelength * defocus * squared
        + 0.5 * torch.pi * spherical * wavelength**3 * squared**2
        - constant[:, None]
    )
    return torch.sin(phase)
