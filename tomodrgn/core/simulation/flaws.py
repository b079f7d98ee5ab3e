"""Draws of what is wrong with images, and with what files state of them.

Contrast is a factor of the signal; gain is a factor of the whole image. What an exposure has wrong
is the same for all particles of its tomogram.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.simulation.streams import random_stream
from tomodrgn.core.simulation.surroundings import Surroundings, draw_surroundings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.simulation.acquisition import Acquisition
    from tomodrgn.core.specs.simulation import SimulationSpec


EXPOSURE_COLUMNS: Final = (
    "tomogram", "exposure", "contrast", "gain", "shift_x_px", "shift_y_px", "defocus_error_a",
)  # fmt: skip
"""Columns of the table of exposures: numbers from 0, factors and errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaws:
    """What is wrong with B particles and T exposures of each of G tomograms.

    Attributes:
        particle_contrast: (B,) float64 factor of the signal.
        tilt_contrast: (G, T) float64, that of exposure and tomogram.
        tomogram_gain: (G,) float64 factor of signal and noise.
        tilt_shift_px: (G, T, 2) float64, (x, y) that moves the content of an exposure to where it
            would be in an aligned tilt series.
        tilt_defocus_a: (G, T) float64, true defocus less the stated one.
        surroundings: what M images show besides their particle.
    """

    particle_contrast: NDArray[np.float64]
    tilt_contrast: NDArray[np.float64]
    tomogram_gain: NDArray[np.float64]
    tilt_shift_px: NDArray[np.float64]
    tilt_defocus_a: NDArray[np.float64]
    surroundings: Surroundings

    @property
    def vary_between_exposures(self) -> bool:
        """Whether anything is wrong with an exposure or a tomogram."""
        factors = (self.tilt_contrast != 1).any() or (self.tomogram_gain != 1).any()
        return bool(factors or self.tilt_shift_px.any() or self.tilt_defocus_a.any())

    def of_exposures(self, n_frames: NDArray[np.int64]) -> NDArray[np.float64]:
        """(E, 7) table of the exposures that were acquired, in the columns above.

        Args:
            n_frames: (G,) exposures of each tomogram.
        """
        exists = np.arange(self.tilt_contrast.shape[1]) < n_frames[:, None]
        tomogram, exposure = np.nonzero(exists)
        columns = [
            tomogram,
            exposure,
            self.tilt_contrast[exists],
            self.tomogram_gain[tomogram],
            *self.tilt_shift_px[exists].T,
            self.tilt_defocus_a[exists],
        ]
        return np.stack(columns, axis=1)


def draw_flaws(spec: SimulationSpec, acquisition: Acquisition, n_images: int) -> Flaws:
    """The flaws that a spec asks for; without any, factors are exactly 1 and errors 0."""
    exposures = spec.n_tomograms, spec.n_tilts
    growth = 1 / np.cos(np.deg2rad(acquisition.tilt_deg)) - 1
    tomogram = _normal(spec, "contrast_tomogram", spec.contrast_tomogram_log_std, exposures[:1])
    tilt = _normal(spec, "contrast_tilt", spec.contrast_tilt_log_std, exposures)
    particle = spec.contrast_particle_log_std
    return Flaws(
        particle_contrast=np.exp(_normal(spec, "contrast", particle, (spec.n_particles,))),
        tilt_contrast=np.exp(tilt + tomogram[:, None] - spec.contrast_tilt_falloff * growth),
        tomogram_gain=np.exp(_normal(spec, "gain", spec.gain_tomogram_log_std, exposures[:1])),
        tilt_shift_px=_normal(spec, "tilt_shift", spec.tilt_shift_px, (*exposures, 2)),
        tilt_defocus_a=1e4 * _normal(spec, "tilt_defocus", spec.tilt_defocus_error_um, exposures),
        surroundings=draw_surroundings(spec, n_images),
    )


def _normal(
    spec: SimulationSpec, stream: str, std: float, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Normal numbers of mean 0; other widths of the same seed are multiples of them."""
    if not std:
        return np.zeros(shape)
    return std * random_stream(spec.seed, stream).standard_normal(shape)
