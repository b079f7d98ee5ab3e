"""The structures that a simulation spec can name: the phantom, or maps from files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from tomodrgn.core.simulation import gaussians
from tomodrgn.core.simulation.maps import MapStructure, read_maps
from tomodrgn.core.simulation.motions import conform, coordinate_names
from tomodrgn.core.simulation.phantoms import BOX_FILLED, Phantom, build_barrel, build_phantom

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.fourier.disc import HalfPlaneDisc
    from tomodrgn.core.simulation.forward import Structure
    from tomodrgn.core.simulation.gaussians import Blobs
    from tomodrgn.core.specs.simulation import SimulationSpec

_BOX_SIZE_PX = 48
_PIXEL_SIZE_A = 8.0


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


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoSpecies:
    """A molecule, and another one as the class after its last; the other does not move."""

    molecule: PhantomStructure
    other: PhantomStructure

    @property
    def box_size_px(self) -> int:
        """Edge of images and maps."""
        return self.molecule.box_size_px

    @property
    def pixel_size_a(self) -> float:
        """Pixel size of images and maps."""
        return self.molecule.pixel_size_a

    def slices(
        self, labels: Tensor, motion: Tensor, rotation: Tensor, disc: HalfPlaneDisc
    ) -> Tensor:
        """(M, P) complex128 central slices."""
        found = torch.zeros((len(labels), len(disc)), dtype=torch.complex128)
        for species, rows in self._parts(labels):
            parts = labels[rows] % self.molecule.n_classes, motion[rows, : species.n_coordinates]
            found[rows] = species.slices(*parts, rotation[rows], disc)
        return found

    def volumes(self) -> Tensor:
        """(classes, D, D, D) maps at rest."""
        return torch.cat([self.molecule.volumes(), self.other.volumes()])

    def states(self, labels: Tensor, motion: Tensor) -> Tensor:
        """(B, D, D, D) maps of particles."""
        found = torch.zeros((len(labels), *[self.box_size_px] * 3), dtype=torch.float64)
        for species, rows in self._parts(labels):
            parts = labels[rows] % self.molecule.n_classes, motion[rows, : species.n_coordinates]
            found[rows] = species.states(*parts)
        return found

    def _parts(self, labels: Tensor) -> list[tuple[PhantomStructure, Tensor]]:
        """The species that are there, with the rows of their particles."""
        is_other = labels == self.molecule.n_classes
        parts = [(self.molecule, ~is_other), (self.other, is_other)]
        return [(species, rows) for species, rows in parts if rows.any()]


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
    diameter_a = spec.diameter_a or BOX_FILLED * box_size_px * pixel_size_a
    molecule = PhantomStructure(
        phantom=build_phantom(diameter_a),
        n_classes=spec.n_classes,
        box_size_px=box_size_px,
        pixel_size_a=pixel_size_a,
        motion=spec.motion,
        n_coordinates=len(coordinate_names(spec)),
    )
    if not spec.species_fraction:
        return molecule
    barrel = build_barrel(diameter_a)
    other = replace(molecule, phantom=barrel, n_classes=1, motion="none", n_coordinates=0)
    return TwoSpecies(molecule=molecule, other=other)
