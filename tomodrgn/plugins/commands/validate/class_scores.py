"""How well each image fits the differences of classes that other images gave.

The score of an image for a class is the correlation of what the common map leaves of the image with
what the class adds to the common map, both in the image as it was recorded: the derivative of the
log likelihood by the strength of the difference. Maps come from the half of the particles
that the image does not belong to, so nothing is compared with itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.fourier.disc import half_plane_disc, images_to_disc, shift_phases
from tomodrgn.core.fourier.shells import shell_indices
from tomodrgn.core.reconstruction.weights import Attenuation, slice_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.fourier.disc import HalfPlaneDisc
    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.reconstruction.stacked_slices import StackedVolumes

_VALUES_AT_ONCE: Final = 2**22
_TINY: Final = 1e-30


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScores:
    """Scores of particles, by shell.

    Attributes:
        by_shell: (B, K, L) float64 sums over the images of each particle; shell 1 comes first.
        noise: (L,) variance of what the common map leaves.
    """

    by_shell: NDArray[np.float64]
    noise: NDArray[np.float64]

    @property
    def total(self) -> NDArray[np.float64]:
        """(B, K) scores of all shells, each weighed by its noise."""
        weighed: NDArray[np.float64] = (self.by_shell / self.noise).sum(axis=2)
        return weighed


def score_images(
    reader: Reader,
    particles: ParticleSet,
    images: NDArray[np.int64],
    *,
    halves: NDArray[np.int64],
    maps: tuple[StackedVolumes, StackedVolumes],
    window: Tensor | None,
    attenuation: Attenuation,
    n_shells: int,
    progress: Callable[[int, int], None],
) -> ClassScores:
    """Scores of some images of a set.

    Args:
        reader: loads their pixels.
        particles: B particles.
        images: (m,) rows of the images to look at.
        halves: (M,) half of each image of the set.
        maps: of half 0 and of half 1: the common map, then K differences.
        window: (D, D) that images are multiplied with, or None.
        attenuation: as in the reconstruction of the maps.
        n_shells: L, how many shells to look at.
        progress: called with images done and images in all.
    """
    disc = _inner_disc(particles.box_size_px, n_shells)
    scoring = _Scoring(particles, disc, window, attenuation, n_shells)
    n_classes = maps[0].spectra.shape[1] - 1
    by_shell = np.zeros((particles.n_particles, n_classes, n_shells))
    left, power = np.zeros(n_shells), np.zeros(n_shells)
    at_once = max(1, _VALUES_AT_ONCE // (len(disc) * (n_classes + 1)))
    order = images[np.argsort(particles.source_image[images], kind="stable")]
    for first in range(0, len(order), at_once):
        block = order[first : first + at_once]
        pixels = torch.from_numpy(reader.load_images(particles.source_image[block]))
        for half in (0, 1):
            mine = np.flatnonzero(halves[block] == half)
            if not len(mine):
                continue
            found = scoring.score(block[mine], pixels[mine], maps[1 - half])
            np.add.at(by_shell, particles.particle_of_image[block[mine]], found[0])
            left += found[1]
            power += found[2]
        progress(first + len(block), len(order))
    return ClassScores(by_shell=by_shell, noise=np.maximum(left / np.maximum(power, _TINY), _TINY))


def _inner_disc(box_size_px: int, n_shells: int) -> HalfPlaneDisc:
    """The coefficients of the first shells."""
    return half_plane_disc(box_size_px, min((n_shells + 1e-3) / box_size_px, 0.5))


@dataclass(frozen=True, slots=True)
class _Scoring:
    """What does not change between blocks of images."""

    particles: ParticleSet
    disc: HalfPlaneDisc
    window: Tensor | None
    attenuation: Attenuation
    n_shells: int

    def score(
        self, rows: NDArray[np.int64], pixels: Tensor, maps: StackedVolumes
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """(m, K, L) scores; (L,) sums of squared residuals and of weights."""
        images = self.particles.images.convert(lambda column: torch.from_numpy(column[rows]))
        freqs = torch.from_numpy(self.disc.freqs())
        if self.window is not None:
            pixels = pixels * self.window
        observed = torch.view_as_complex(images_to_disc(pixels, self.disc))
        observed = observed * shift_phases(freqs, images.shift_px)
        optics = self.particles.optics
        weights = slice_weights(images, freqs / optics[0].pixel_size_a, optics, self.attenuation)
        slices = maps.slices(images.rotation, self.disc)
        residual = weights.signal * observed - weights.power * slices[..., 0]
        product = (residual.conj()[..., None] * slices[..., 1:]).real  # (m, P, K)
        shell = torch.from_numpy(shell_indices(self.disc.radius_px)) - 1
        sums = product.new_zeros((len(rows), self.n_shells, product.shape[2]))
        sums.index_add_(1, shell, product)
        squares = residual.real.square() + residual.imag.square()
        by_shell = [
            np.bincount(
                shell.numpy(), values.sum(0).double().numpy(), minlength=self.n_shells
            ).astype(np.float64)
            for values in (squares, weights.power)
        ]
        return sums.transpose(1, 2).double().numpy(), by_shell[0], by_shell[1]
