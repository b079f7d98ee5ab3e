"""What tilt images say of their poses and contrast: normal equations about a template.

A small error of the pose or the contrast of an image changes its central slice F by a known
amount, so that one pass over the images gives, of each, a matrix and a vector of all of them at
once. With k the frequency in the image and F the slice of the template, the changes are

- contrast 1 + s: F,
- a shift of the particle by t px: 2 pi i k_c / D F along the image axis c,
- a turn by w (rad) about the axes of the image: ``(w x k).grad F``; about x and y it takes the
  gradient along the beam, which the image itself does not hold.

Errors of a particle or of an exposure are sums of these over its images, see
:mod:`~tomodrgn.core.refinement.steps`.

Source:
    Gauss and Newton's method as in bundle adjustment; Triggs et al. 2000,
    doi:10.1007/3-540-44480-7_21.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from tomodrgn.core.linear.basis import MapSpectra

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.linear.observations import Block, Observations

CONTRAST: Final = 0
SHIFT: Final = slice(1, 3)
TURN: Final = slice(3, 6)
N_CHANGES: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageEquations:
    """Log likelihood of small errors e of m images: ``vector.e - e.matrix e / 2``.

    Attributes:
        images: (m,) int64 rows of the images.
        owner: (m,) int64 rows of their particles.
        rotation: (m, 3, 3) float64 reference to image coordinates.
        matrix: (m, 6, 6) float64; contrast, shift along x and y (px), turn about x, y, z (rad).
        vector: (m, 6) float64.
        residual: (shells,) squared error of the prediction, over all images.
        noise_transfer: (shells,) sum of h^2, which the error is to be divided by.
    """

    images: Tensor
    owner: Tensor
    rotation: Tensor
    matrix: Tensor
    vector: Tensor
    residual: Tensor
    noise_transfer: Tensor

    def likelihood(self) -> Tensor:
        """(m,) log likelihood of the template, over that of nothing at all."""
        return self.vector[:, CONTRAST] + self.matrix[:, CONTRAST, CONTRAST] / 2


def equations(
    images: Observations,
    rows: NDArray[np.int64],
    maps: Tensor,
    precision: Tensor,
    latents: Tensor | None = None,
) -> ImageEquations:
    """See the images of some particles once.

    Args:
        images: of all particles, in their present poses.
        rows: (b,) particles to look at.
        maps: (1 + K, D, D, D) mean and basis maps, in the box of the images.
        precision: (shells,) of the noise.
        latents: (b, K) of these particles, whose own volumes are the templates; None for the mean.
    """
    template = Template(images, maps)
    weight = precision[images.shells]
    image_rows = images.images_of(rows)
    rotation = torch.from_numpy(images.particles.images.rotation[image_rows]).to(maps.device)
    owner = torch.from_numpy(images.particles.particle_of_image[image_rows])
    matrices = torch.empty(len(image_rows), N_CHANGES, N_CHANGES, dtype=torch.float64)
    vectors = torch.empty(len(image_rows), N_CHANGES, dtype=torch.float64)
    residual = torch.zeros(len(precision), dtype=torch.float64, device=maps.device)
    noise = torch.zeros_like(residual)
    done = n_particles = 0
    for block in images.blocks(rows):
        here = slice(done, done + len(block.owner))
        own = None
        if latents is not None:
            own = latents[n_particles : n_particles + len(block.particles)][block.owner]
        changes = template.changes(block, rotation[here], own)
        matrix, vector = products(block, changes, weight)
        matrices[here], vectors[here] = matrix.double().cpu(), vector.double().cpu()
        error = block.observed - block.signal_transfer * changes[:, CONTRAST]
        residual.index_add_(0, images.shells, error.abs().square().sum(0).double())
        noise.index_add_(0, images.shells, block.noise_power.sum(0).double())
        done = here.stop
        n_particles += len(block.particles)
    return ImageEquations(
        images=torch.from_numpy(image_rows),
        owner=owner,
        rotation=rotation.double().cpu(),
        matrix=matrices,
        vector=vectors,
        residual=residual,
        noise_transfer=noise,
    )


class Template:
    """Slices of volumes and of their gradients in Fourier space."""

    def __init__(self, images: Observations, maps: Tensor) -> None:
        box = maps.shape[-1]
        axis = torch.arange(box, device=maps.device, dtype=maps.dtype) - box // 2
        place = axis.view(1, 1, -1), axis.view(1, -1, 1), axis.view(-1, 1, 1)  # x, y, z
        moments = torch.stack([maps, *(maps * each for each in place)], dim=1)
        self._spectra = MapSpectra(moments.flatten(0, 1))
        self._n_latents = len(maps) - 1
        self._gradient = -2j * torch.pi / box
        self._k = images.k
        self._phase = 2j * torch.pi * images.k.T / images.disc.box_size_px  # (2, n)

    def basis(self, block: Block) -> Tensor:
        """(m, K, n) slices of the basis maps."""
        return self._spectra.at(block)[4::4].transpose(0, 1)

    def changes(self, block: Block, rotation: Tensor, latents: Tensor | None) -> Tensor:
        """(m, 6, n) complex changes of the slices of m images; the first is the slice itself."""
        states = rotation.new_ones(len(rotation), 1)
        if latents is None:
            states = torch.nn.functional.pad(states, (0, self._n_latents))
        else:
            states = torch.cat([states, latents], dim=1)
        turned = rotation.new_zeros(len(rotation), 4, 4)  # the map stays, its moments turn
        turned[:, 0, 0] = 1
        turned[:, 1:, 1:] = rotation.mT
        weights = (states[:, :, None, None] * turned[:, None]).flatten(1, 2)
        template, *gradient = self._spectra.mixed(block, weights)
        x, y = self._gradient * self._k.T
        return torch.stack(
            [
                template,
                self._phase[0] * template,
                self._phase[1] * template,
                y * gradient[2],
                -x * gradient[2],
                x * gradient[1] - y * gradient[0],
            ],
            dim=1,
        )


def products(block: Block, changes: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Matrices (m, C, C) and vectors (m, C) of changes (m, C, n); the first is the slice."""
    power = block.power * weight
    error = block.signal * weight - power * changes[:, CONTRAST]
    real = torch.view_as_real(changes).flatten(2)
    weighted = real * power.repeat_interleave(2, dim=1)[:, None]
    matrix = 2 * weighted @ real.transpose(1, 2)
    vector = 2 * (real @ torch.view_as_real(error).flatten(1)[:, :, None])[..., 0]
    return matrix, vector
