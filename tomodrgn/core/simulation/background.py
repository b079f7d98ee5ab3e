"""What surrounds particles, as images show it.

Neighbors and membranes pass through contrast transfer, dose and tilt as particles do. They reach
beyond the box, so they are imaged in one twice as wide, of which the middle is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tomodrgn.core.fourier.disc import HalfPlaneDisc, disc_to_images, half_plane_disc, shift_phases
from tomodrgn.core.simulation.imaging import blocks, defocused, freqs_px, imaged
from tomodrgn.core.simulation.phantoms import BOX_FILLED
from tomodrgn.core.simulation.surroundings import N_STRIPES

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.particles.tables import ImageTable
    from tomodrgn.core.simulation.experiment import Experiment
    from tomodrgn.core.simulation.forward import Structure
    from tomodrgn.core.specs.simulation import SimulationSpec

_BILAYER_A = 40.0
"""Thickness of a bilayer, from head groups to head groups."""
_LEAFLET_SIGMA_A = 6.0
_PATCH = 0.5
"""Deviation of the Gaussian that a patch of membrane is, in boxes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """The surroundings of an experiment, ready to be imaged.

    Attributes:
        spec: what was asked for.
        structure: the molecules.
        experiment: the draws.
    """

    spec: SimulationSpec
    structure: Structure
    experiment: Experiment

    @property
    def diameter_a(self) -> float:
        """Diameter of the molecule, or about that of given maps."""
        edge_a = self.structure.box_size_px * self.structure.pixel_size_a
        return self.spec.diameter_a or BOX_FILLED * edge_a

    @property
    def is_empty(self) -> bool:
        """Whether images show nothing besides particles and noise."""
        spec = self.spec
        return not (spec.neighbors or spec.membrane or spec.ice_gradient or spec.stripes)

    def objects(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """(m, D, D) neighbors and membranes in images, on the scale of the structure."""
        box = self.structure.box_size_px
        if not (self.spec.neighbors or self.spec.membrane):
            return np.zeros((len(rows), box, box))
        disc = half_plane_disc(2 * box)
        found = torch.zeros((len(rows), len(disc)), dtype=torch.complex128)
        self._add_neighbors(found, rows, disc)
        self._add_membranes(found, rows, disc)
        found *= torch.from_numpy(self.experiment.exposure_contrast[rows])[:, None]
        middle = slice(box // 2, box // 2 + box)
        return disc_to_images(torch.view_as_real(found), disc)[:, middle, middle].numpy()

    def patterns(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """(m, D, D) ice and stripes in images, in deviations of the noise."""
        box, around = self.structure.box_size_px, self.experiment.flaws.surroundings
        place = np.arange(box) - box // 2
        patterns = np.zeros((len(rows), box, box))
        if len(around.ramp):
            ramp = around.ramp[rows] / (box / 2)
            patterns += ramp[:, :1, None] * place + ramp[:, 1:, None] * place[:, None]
        if self.spec.stripes:
            tomogram = self.experiment.tomogram[self.experiment.particle_of_image[rows]]
            across = np.deg2rad(around.stripe_deg[tomogram])
            turns = 2j * np.pi / box * np.arange(1, N_STRIPES + 1)[:, None] * place  # (W, D)
            along_x = np.exp(np.cos(across)[:, None, None] * turns)
            along_y = np.exp(np.sin(across)[:, None, None] * turns)
            along_y *= np.exp(1j * around.stripe_phase[rows])[:, :, None]
            waves = np.swapaxes(along_y, 1, 2) @ along_x
            patterns += self.spec.stripes * np.sqrt(2 / N_STRIPES) * waves.real
        return patterns

    def _add_neighbors(self, found: Tensor, rows: NDArray[np.int64], disc: HalfPlaneDisc) -> None:
        """Add coefficients of the neighbors in m images."""
        around, experiment = self.experiment.flaws.surroundings, self.experiment
        row, neighbor = around.neighbors_of(experiment.particle_of_image[rows])
        real = np.flatnonzero(experiment.labels >= 0)
        alike = real[(around.alike * len(real)).astype(np.int64)]
        place_a = self.diameter_a * around.place
        for block in blocks(len(row), disc):
            image, shown = rows[row[block]], neighbor[block]
            frames = self._frames(image)
            table = self._table(image, np.einsum("mij,mj->mi", frames, place_a[shown]))
            slices = self.structure.slices(
                torch.from_numpy(experiment.labels[alike[shown]]),
                torch.from_numpy(experiment.motion[alike[shown]]),
                torch.from_numpy(frames @ around.orientation[shown]),
                disc,
            )
            found.index_add_(0, torch.from_numpy(row[block]), self._image(slices, table, disc))

    def _add_membranes(self, found: Tensor, rows: NDArray[np.int64], disc: HalfPlaneDisc) -> None:
        """Add coefficients of the membranes in m images."""
        toward = self.experiment.flaws.surroundings.membrane
        touched = np.flatnonzero(toward[self.experiment.particle_of_image[rows]].any(1))
        for block in blocks(len(touched), disc):
            image = rows[touched[block]]
            normal = np.einsum(
                "mij,mj->mi", self._frames(image), toward[self.experiment.particle_of_image[image]]
            )
            table = self._table(image, normal * 0.5 * (self.diameter_a + _BILAYER_A))
            slices = self._bilayer(torch.from_numpy(normal), disc)
            found.index_add_(0, torch.from_numpy(touched[block]), self._image(slices, table, disc))

    def _bilayer(self, normal: Tensor, disc: HalfPlaneDisc) -> Tensor:
        """(m, P) complex128 central slices of a patch of two leaflets across normals (m, 3)."""
        freqs_per_a = freqs_px(disc) / self.structure.pixel_size_a
        across = normal[:, :2] @ freqs_per_a.T
        along_squared = freqs_per_a.square().sum(1) - across.square()
        patch_a = _PATCH * self.structure.box_size_px * self.structure.pixel_size_a
        # as dense as a ball of the mass of the molecule, which is its squared diameter
        density = 6 / (np.pi * self.diameter_a)
        mass = density * _BILAYER_A * 2 * np.pi * patch_a**2
        spread = _LEAFLET_SIGMA_A**2 * across.square() + patch_a**2 * along_squared
        leaflets = torch.cos(torch.pi * _BILAYER_A * across)
        return (mass * torch.exp(-2 * torch.pi**2 * spread) * leaflets).to(torch.complex128)

    def _frames(self, image: NDArray[np.int64]) -> NDArray[np.float64]:
        """(m, 3, 3) tomogram to image coordinates."""
        frames: NDArray[np.float64] = self.experiment.acquisition.rotation[
            self.experiment.tilt[image]
        ]
        return frames

    def _table(
        self, image: NDArray[np.int64], offset_a: NDArray[np.float64]
    ) -> ImageTable[NDArray[Any]]:
        """Images with what lies (m, 3) away from their particle in the place of it."""
        images = self.experiment.images.convert(lambda column: column[image])
        shift_px = images.shift_px - offset_a[:, :2] / self.structure.pixel_size_a
        if images.ctf is None:
            return replace(images, shift_px=shift_px)
        height_a = offset_a[:, 2] if self.spec.defocus_sign == "plus" else -offset_a[:, 2]
        return replace(images, shift_px=shift_px, ctf=defocused(images.ctf, height_a))

    def _image(
        self, slices: Tensor, table: ImageTable[NDArray[Any]], disc: HalfPlaneDisc
    ) -> Tensor:
        """(m, P) coefficients of slices as images show them, displaced."""
        images = table.convert(torch.from_numpy)
        seen = imaged(slices, images, disc, self.structure.pixel_size_a)
        return seen * shift_phases(freqs_px(disc), -images.shift_px)
