"""Radiation damage: how much dose a spatial frequency survives.

Frequencies are in 1/angstrom, doses in e/A^2. Nothing here knows about images, files or tilts;
``tomodrgn.plugins.weightings`` turns these curves into loss weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tomodrgn.core.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

OPTIMAL_PER_CRITICAL = 2.51284
"""Dose of the best signal-to-noise ratio over critical dose: the root of exp(x/2) = 1 + x."""

_REFERENCE_KV = 300.0
_ELECTRON_REST_KEV = 510.99895


def voltage_factor(voltage_kv: Tensor) -> Tensor:
    """(...) critical dose at a voltage in kV, any shape, over that at 300 kV.

    Damage per electron goes with the inelastic cross-section, that is with 1 / v^2 (v the speed of
    the electron), so the dose survived goes with (v / v300)^2: 0.80 at 200 kV, 0.50 at 100 kV,
    1 at 300 kV.

    Raises:
        DataError: a voltage on the host is not positive; readers refuse it, too.

    Source:
        Grant & Grigorieff 2015, doi:10.7554/eLife.06980 give 0.8 for 200 kV; the 1 / v^2 law is
        Bethe's, see Reimer & Kohl 2008, ch. 5.
    """
    if voltage_kv.device.type == "cpu" and voltage_kv.numel():  # a GPU would be waited for
        lowest = float(voltage_kv.min())
        if not lowest > 0:
            raise DataError(f"voltage {lowest} kV is not positive; correct the voltage column")
    return _speed_squared(voltage_kv) / _speed_squared(torch.full_like(voltage_kv, _REFERENCE_KV))


def _speed_squared(voltage_kv: Tensor) -> Tensor:
    """Squared speed of the electron in units of c^2."""
    return 1 - (1 + voltage_kv / _ELECTRON_REST_KEV) ** -2


def critical_dose(freqs_per_a: Tensor, voltage_kv: Tensor) -> Tensor:
    """Dose at which the power at a frequency has fallen to 1/e (its amplitude to exp(-1/2)).

    Args:
        freqs_per_a: spatial frequencies in 1/angstrom, non-negative.
        voltage_kv: acceleration voltages in kV, broadcast against the frequencies.

    Returns:
        Critical dose in e/A^2, broadcast shape; infinite at zero frequency.

    Raises:
        DataError: a voltage is not positive.

    Source:
        Grant & Grigorieff 2015, doi:10.7554/eLife.06980, eq. 3.
    """
    return (0.24499 * freqs_per_a**-1.6649 + 2.8141) * voltage_factor(voltage_kv)


def optimal_dose(freqs_per_a: Tensor, voltage_kv: Tensor) -> Tensor:
    """Cumulative dose beyond which more exposure lowers the signal-to-noise ratio, in e/A^2.

    Args:
        freqs_per_a: (P,) spatial frequencies in 1/angstrom.
        voltage_kv: (...) acceleration voltage in kV, of a shape that goes with them.

    Source:
        Grant & Grigorieff 2015, doi:10.7554/eLife.06980: 2.51284 critical doses.
    """
    return OPTIMAL_PER_CRITICAL * critical_dose(freqs_per_a, voltage_kv)


def dose_attenuation(dose_e_per_a2: Tensor, freqs_per_a: Tensor, voltage_kv: Tensor) -> Tensor:
    """Amplitude left after a cumulative dose, exp(-dose / (2 critical dose)).

    Args:
        dose_e_per_a2: (M,).
        freqs_per_a: (P,).
        voltage_kv: (M,).

    Returns:
        (M, P) in (0, 1].
    """
    critical = critical_dose(freqs_per_a[None, :], voltage_kv[:, None])
    return torch.exp(-0.5 * dose_e_per_a2[:, None] / critical)
