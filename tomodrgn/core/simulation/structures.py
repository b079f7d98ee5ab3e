"""The structures that a simulation spec can name: the phantom, or maps from files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from tomodrgn.core.simulation import gaussians
from tomodrgn.core.simulation.maps import MapStructure, read_maps
from tomodrgn.core.simulation.motions import conform, coordinate_names
from tomodrgn.core.simulation.phantoms import Phantom, build_phantom

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.fourier.disc import HalfPlaneDisc
    from tomodrgn.core.simulation.forward import Structure
    from tomodrgn.core.simulation.gaussians import Blobs
    from tomodrgn.core.specs.simulation import SimulationSpec

_BOX_SIZE_PX = 48
_PIXEL_SIZE_A = 8.0
_BOX_FILLED = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomStructure:
    """The built-in phantom in a box; slices and maps are exact."""

    phantom: Phantom
    n_classes: int
    box_size_px: int
    pixel_size_a: float
    motion: str = "none"
    n_coordinates: int = 0

    def slices(
        self, labels: Tensor, motion: Tensor, rotation: Tensor, disc: HalfPlaneDisc
    ) -> Tensor:
        """(M, P) complex128 central slices."""
        return gaussians.slices(self._blobs(labels, motion), rotation, disc, self.pixel_size_a)

    def volumes(self) -> Tensor:
        """(classes, D, D, D) maps at rest."""
        rest = torch.zeros((self.n_classes, self.n_coordinates), dtype=torch.float64)
        return self.states(torch.arange(self.n_classes), rest)

    def states(self, labels: Tensor, motion: Tensor) -> Tensor:
        """(B, D, D, D) maps of particles."""
        blobs = self._blobs(labels, motion)
        return gaussians.volumes(blobs, self.box_size_px, self.pixel_size_a)

    def _blobs(self, labels: Tensor, motion: Tensor) -> Blobs:
        return conform(self.phantom, self.motion, labels, motion)


def build_structure(spec: SimulationSpec) -> Structure:
    """The molecules that a spec asks for.

    Raises:
        DataError: a map cannot be used.
    """
    if spec.maps is not None:
        maps, map_pixel_size_a = read_maps(spec.maps)
        return MapStructure(
            maps,
            map_pixel_size_a=map_pixel_size_a,
            box_size_px=spec.box_size_px or maps.shape[-1],
            pixel_size_a=spec.pixel_size_a or map_pixel_size_a,
        )
    box_size_px = spec.box_size_px or _BOX_SIZE_PX
    pixel_size_a = spec.pixel_size_a or _PIXEL_SIZE_A
    diameter_a = spec.diameter_a or _BOX_FILLED * box_size_px * pixel_size_a
    return PhantomStructure(
        phantom=build_phantom(diameter_a),
        n_classes=spec.n_classes,
        box_size_px=box_size_px,
        pixel_size_a=pixel_size_a,
        motion=spec.motion,
        n_coordinates=len(coordinate_names(spec)),
    )
