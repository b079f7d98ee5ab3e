"""Noise of a color: white, or with an amplitude that falls with frequency; its variance is 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.fourier.disc import HalfPlaneDisc


def colored(white: NDArray[np.float32], exponent: float) -> NDArray[np.float32]:
    """White noise (m, D, D) as noise whose amplitude goes with frequency to minus ``exponent``."""
    if not exponent:
        return white
    box = white.shape[-1]
    ky, kx = box * np.fft.fftfreq(box)[:, None], box * np.fft.rfftfreq(box)
    factor = torch.from_numpy(_amplitude(np.hypot(kx, ky), box, exponent).astype(np.float32))
    spectra = torch.fft.rfft2(torch.from_numpy(white)) * factor
    noise: NDArray[np.float32] = torch.fft.irfft2(spectra, s=(box, box)).numpy()
    return noise


def noise_power(disc: HalfPlaneDisc, exponent: float) -> NDArray[np.float64]:
    """(P,) power of the noise at each coefficient, relative to that of white noise."""
    power: NDArray[np.float64] = _amplitude(disc.radius_px, disc.box_size_px, exponent) ** 2
    return power


def _amplitude(radius_px: NDArray[np.float64], box: int, exponent: float) -> NDArray[np.float64]:
    """Factor at radii in Fourier pixels; that of the mean of an image is as at 1."""
    k = box * np.fft.fftfreq(box)
    all_px = np.hypot(k[:, None], k).clip(1)
    mean_power = (all_px ** (-2 * exponent)).mean()
    amplitude: NDArray[np.float64] = radius_px.clip(1) ** -exponent / np.sqrt(mean_power)
    return amplitude
