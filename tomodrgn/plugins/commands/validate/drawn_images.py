"""The images that decide whether classes differ, as models see them, held in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.fourier.disc import half_plane_disc, images_to_disc, shift_phases
from tomodrgn.core.gray_levels.damage import SOUND
from tomodrgn.core.gray_levels.reader import look_at
from tomodrgn.core.linear.observations import Observations
from tomodrgn.core.particles.selection import take_images
from tomodrgn.core.physics.windows import circular_window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.fourier.disc import HalfPlaneDisc
    from tomodrgn.plugins.commands.validate.raw_classes import RawClasses

_PIXELS_AT_ONCE: Final = 2**22
_MOST_COEFFICIENTS: Final = 2**25
"""Coefficients that are held, 8 bytes each; finer shells decide little and are left out."""


@dataclass(frozen=True, slots=True)
class DrawnImages:
    """Images of some particles of a set.

    Attributes:
        observed: the images, on one scale.
        particles: (b,) rows of their particles in the set.
        scale: that coefficients were divided by.
    """

    observed: Observations
    particles: NDArray[np.int64]
    scale: float


@dataclass(frozen=True, slots=True)
class _Held:
    """Coefficients (m, P, 2) in memory; an image source."""

    coefficients: Tensor

    def batches(self, requests: Iterable[NDArray[np.int64]]) -> Iterator[Tensor]:
        """See :class:`~tomodrgn.core.cache.stream.ImageSource`."""
        for rows in requests:
            yield self.coefficients[torch.from_numpy(rows)]


def draw_images(
    raw: RawClasses,
    images: NDArray[np.int64],
    n_shells: int,
    progress: Callable[[int, int], None],
) -> DrawnImages:
    """Read some images of a set; damaged ones are left out.

    Args:
        raw: the set.
        images: (m,) rows of the images, ascending.
        n_shells: how many shells to look at, at most.
        progress: called with images done and images in all.

    Raises:
        DataError: no image is left.
    """
    box = raw.particles.box_size_px
    disc = half_plane_disc(box, 0.5)
    n_shells = min(n_shells, box // 2 - 1)
    while n_shells > 1 and len(images) * disc.prefix(n_shells) > _MOST_COEFFICIENTS:
        n_shells -= 1
    disc = half_plane_disc(box, min((n_shells + 1e-3) / box, 0.5))
    coefficients, is_sound = _read(raw, images, disc, progress)
    mask = np.zeros(raw.particles.n_images, dtype=bool)
    mask[images[is_sound]] = True
    particles = take_images(raw.particles, mask, "not compared")
    scale = float(coefficients.square().mean().sqrt()) or 1.0
    observed = Observations(
        particles,
        disc,
        _Held(coefficients[torch.from_numpy(is_sound)] / scale),
        np.arange(particles.n_images),
        radius_px=n_shells,
        dose=raw.attenuation.dose,
        device=torch.device("cpu"),
    )
    return DrawnImages(observed, np.unique(raw.particles.particle_of_image[mask]), scale)


def _read(
    raw: RawClasses,
    images: NDArray[np.int64],
    disc: HalfPlaneDisc,
    progress: Callable[[int, int], None],
) -> tuple[Tensor, NDArray[np.bool_]]:
    """(m, P, 2) coefficients about the stated centers, and (m,) whether images are sound."""
    box, particles = raw.particles.box_size_px, raw.particles
    window, freqs = _window(raw), torch.from_numpy(disc.freqs())
    found = torch.zeros(len(images), len(disc), 2)
    is_sound = np.ones(len(images), dtype=bool)
    order = np.argsort(particles.source_image[images], kind="stable")
    at_once = max(1, _PIXELS_AT_ONCE // box**2)
    for first in range(0, len(order), at_once):
        place = order[first : first + at_once]
        seen = look_at(raw.reader, particles.source_image[images[place]])
        pixels = torch.from_numpy(seen.images)
        if window is not None:
            pixels = pixels * window
        shift_px = torch.from_numpy(particles.images.shift_px[images[place]])
        spectra = torch.view_as_complex(images_to_disc(pixels, disc))
        here = torch.view_as_real(spectra * shift_phases(freqs, shift_px))
        is_sound[place] = (seen.damage == SOUND) & torch.isfinite(here).all((1, 2)).numpy()
        found[torch.from_numpy(place)] = here.float()
        progress(first + len(place), len(order))
    found[torch.from_numpy(~is_sound)] = 0
    return found, is_sound


def _window(raw: RawClasses) -> Tensor | None:
    preparation = raw.run.preparation
    if not preparation.window:
        return None
    inner, outer = preparation.window_r, preparation.window_r_outer
    return circular_window(raw.particles.box_size_px, inner=inner, outer=outer)
