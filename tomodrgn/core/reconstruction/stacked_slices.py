"""Central slices of several volumes at once: what images of them hold before any transfer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from tomodrgn.core.fourier.grid_rows import read_rows
from tomodrgn.core.fourier.grids import OVERSAMPLING, corners, volumes_to_spectra

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

    from tomodrgn.core.fourier.disc import HalfPlaneDisc


@dataclass(frozen=True, slots=True, eq=False)
class StackedVolumes:
    """V volumes, ready to be sliced.

    Attributes:
        spectra: (points, V) complex, the values of all volumes at a grid point side by side.
        box_size_px: D.
    """

    spectra: Tensor
    box_size_px: int

    def slices(self, rotation: Tensor, disc: HalfPlaneDisc) -> Tensor:
        """(M, P, V) complex coefficients on central slices.

        Args:
            rotation: (M, 3, 3) reference to image coordinates.
            disc: the P coefficients.
        """
        k = torch.from_numpy(disc.k).to(rotation).T.contiguous()  # (2, P)
        points = OVERSAMPLING * (rotation[:, :2].transpose(1, 2) @ k)  # (M, 3, P)
        where = corners([part.reshape(-1) for part in points.unbind(1)], self.box_size_px)
        rows = torch.view_as_real(self.spectra).flatten(1)
        mixed = torch.view_as_complex(read_rows(rows, where).unflatten(1, (-1, 2)))
        folded = torch.where(where.fold[:, None] < 0, mixed.conj(), mixed)
        return folded.view(len(rotation), len(disc), -1)


def stack_volumes(volumes: Iterable[Tensor]) -> StackedVolumes:
    """Volumes (D, D, D), made ready to be sliced below their Nyquist frequency."""
    columns = []
    for volume in volumes:
        box_size_px = len(volume)
        columns.append(volumes_to_spectra(volume).reshape(-1))
    return StackedVolumes(torch.stack(columns, dim=1), box_size_px)
