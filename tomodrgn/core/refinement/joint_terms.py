"""What images say of the errors and the latents of their particles together.

Where a pose or a contrast is not known for sure, neither is a latent that changes images alike. So
both are seen in one pass, about the present poses and latents, and errors are integrated out of
what is left for latents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from tomodrgn.core.linear.latents import LatentTerms
from tomodrgn.core.refinement.equations import Template, products
from tomodrgn.core.refinement.steps import N_ERRORS, Widths, errors_to_changes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.linear.observations import Observations


@dataclass(frozen=True, slots=True)
class UncertainPoses:
    """Errors of B particles that are known up to their widths.

    Attributes:
        widths: of the errors, about what is stated.
        stated: (B, 7) errors by which particles would be as stated.
    """

    widths: Widths
    stated: Tensor

    @property
    def n_errors(self) -> int:
        """Errors that there may be."""
        return int(self._are_there().sum())

    def terms(
        self,
        images: Observations,
        rows: NDArray[np.int64],
        maps: Tensor,
        precision: Tensor,
        latents: Tensor,
    ) -> LatentTerms:
        """Terms of errors that there may be, in units of their widths and about what is stated.

        Those of latents follow.

        Args:
            images: of all particles.
            rows: (b,) particles to look at.
            maps: (1 + K, D, D, D).
            precision: (shells,) of the noise.
            latents: (b, K) near which these particles lie: errors change their own volumes.
        """
        matrix, vector = joint_terms(images, rows, maps, precision, latents)
        about = self.stated[torch.from_numpy(rows)]
        terms = in_units_of_widths(matrix, vector, self.widths, about)
        return LatentTerms(terms.matrix.to(maps), terms.vector.to(maps))

    def _are_there(self) -> Tensor:
        return self.widths.of_errors() > 0


def in_units_of_widths(
    matrix: Tensor, vector: Tensor, widths: Widths, stated: Tensor
) -> LatentTerms:
    """Terms of errors that there may be, which are standard normal, and of latents after them.

    Args:
        matrix: (B, 2, 7 + K, 7 + K) of errors and latents, by tilts of even and odd rank.
        vector: (B, 2, 7 + K) of these.
        widths: of the errors, about what is stated.
        stated: (B, 7) errors by which particles would be as stated.
    """
    sizes = widths.of_errors()
    vector = vector - torch.einsum("btkl,bl->btk", matrix[..., :N_ERRORS], sizes.sign() * stated)
    ones = torch.ones(vector.shape[-1] - N_ERRORS, dtype=torch.float64)
    unit = torch.cat([sizes, ones])
    kept = unit > 0
    unit = unit[kept]
    matrix, vector = matrix[..., kept, :][..., kept], vector[..., kept]
    return LatentTerms(unit[:, None] * matrix * unit, unit * vector)


def joint_terms(
    images: Observations,
    rows: NDArray[np.int64],
    maps: Tensor,
    precision: Tensor,
    latents: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Matrices (b, 2, 7 + K, 7 + K) and vectors (b, 2, 7 + K) of errors and latents.

    Tilts of even and odd rank are apart.

    Args:
        images: of all particles.
        rows: (b,) particles to look at.
        maps: (1 + K, D, D, D).
        precision: (shells,) of the noise.
        latents: (b, K) about which products of errors and latents are linear; None for 0.
    """
    template, weight = Template(images, maps), precision[images.shells]
    n_terms = N_ERRORS + len(maps) - 1
    turned = torch.from_numpy(images.particles.images.rotation[images.images_of(rows)])
    matrices = torch.zeros(2 * len(rows), n_terms, n_terms, dtype=torch.float64)
    vectors = torch.zeros(2 * len(rows), n_terms, dtype=torch.float64)
    n_images = n_particles = 0
    for block in images.blocks(rows):
        rotation = turned[n_images : n_images + len(block.owner)]
        own = None
        if latents is not None:
            own = latents[n_particles : n_particles + len(block.particles)][block.owner]
        changes = template.changes(block, rotation.to(maps.device), own)
        matrix, vector = products(block, torch.cat([changes, template.basis(block)], 1), weight)
        n_changes = changes.shape[1]
        chain = torch.zeros(len(rotation), matrix.shape[1], n_terms, dtype=torch.float64)
        chain[:, :n_changes, :N_ERRORS] = errors_to_changes(rotation.double())
        chain[:, n_changes:, N_ERRORS:] = torch.eye(len(maps) - 1, dtype=torch.float64)
        place = (2 * (n_particles + block.owner) + block.rank % 2).cpu()
        matrices.index_add_(0, place, chain.mT @ matrix.double().cpu() @ chain)
        vectors.index_add_(0, place, (chain.mT @ vector.double().cpu()[..., None])[..., 0])
        n_images += len(rotation)
        n_particles += len(block.particles)
    matrices, vectors = matrices.unflatten(0, (-1, 2)), vectors.unflatten(0, (-1, 2))
    if latents is not None:  # seen from these latents, told from 0
        known = matrices[..., N_ERRORS:]
        vectors += torch.einsum("btkl,bl->btk", known, latents.double().cpu())
    return matrices, vectors
