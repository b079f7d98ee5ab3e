"""Maps of real data against maps that other programs made of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tomodrgn.core.cli.fields import builtin_registry
from tomodrgn.core.commands import resolve_run
from tomodrgn.core.data.dataset import Dataset
from tomodrgn.core.files.mrc import read_volume
from tomodrgn.core.files.pickles import read_index_file
from tomodrgn.core.fourier.disc import half_plane_disc, images_to_disc, shift_phases
from tomodrgn.core.fourier.volumes import mirror_z
from tomodrgn.core.particles.tables import ParticleSet
from tomodrgn.core.physics.windows import circular_window
from tomodrgn.core.reconstruction.maps import finish_halves, reconstruct
from tomodrgn.core.reconstruction.resolution import masked_fsc, spherical_mask

pytestmark = pytest.mark.skipif(
    "TOMODRGN_TEST_DATA" not in os.environ, reason="TOMODRGN_TEST_DATA is not set"
)
SET_NAME = "warptools_test_4-tomos_10-ptcls_box-32_angpix-12_optimisation_set.star"
REFERENCE = "warptools_test_box-32_angpix-12_reconstruct.mrc"


@dataclass
class Data:
    """A particle set with its pixels."""

    particles: ParticleSet
    pixels: np.ndarray[Any, Any]

    def declared(self, **state: bool) -> Data:
        """The same images, believed to be in another state."""
        groups = (replace(g, state=replace(g.state, **state)) for g in self.particles.optics)
        return replace(self, particles=replace(self.particles, optics=tuple(groups)))

    def posed(self, rotation: np.ndarray[Any, Any]) -> Data:
        """The same images in other poses (M, 3, 3)."""
        images = replace(self.particles.images, rotation=rotation.astype(np.float32))
        return replace(self, particles=replace(self.particles, images=images))


def back_project(data: Data, classes: np.ndarray[Any, Any] | None = None) -> list[np.ndarray]:
    """One map of each class of particles, or of all of them."""
    particles = data.particles
    box = particles.box_size_px
    disc = half_plane_disc(box)
    images = particles.images.convert(torch.from_numpy)
    pixels = torch.from_numpy(data.pixels) * circular_window(box, inner=0.8, outer=0.9)
    spectra = torch.view_as_complex(images_to_disc(pixels, disc).contiguous())
    coefficients = spectra * shift_phases(torch.from_numpy(disc.freqs()), images.shift_px)
    labels = np.zeros(particles.n_particles, np.int64) if classes is None else classes
    half = np.arange(particles.n_particles) % 2
    n_classes = int(labels.max()) + 1
    sums = reconstruct(
        coefficients,
        images,
        particles.optics,
        disc,
        volume_index=torch.from_numpy((2 * labels + half)[particles.particle_of_image]),
        n_volumes=2 * n_classes,
    )
    mask = spherical_mask(box, 0.8)
    pixel_size_a = particles.pixel_size_a
    return [
        finish_halves(sums, (2 * i, 2 * i + 1), pixel_size_a=pixel_size_a, mask=mask).full
        for i in range(n_classes)
    ]


def mirrored(volume: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The volume in its other hand."""
    return mirror_z(torch.from_numpy(volume)).numpy()


def load(path: Path, **contrast: bool) -> Data:
    registry = builtin_registry()
    layers = {"reader": {"path": str(path)}, "contrast": contrast}
    reader, particles = Dataset(
        resolve_run("prepare", layers, registry=registry), registry
    ).selected
    return Data(particles, reader.load_images(particles.source_image))


@pytest.fixture(scope="module")
def folder() -> Path:
    return Path(os.environ["TOMODRGN_TEST_DATA"])


@pytest.fixture(scope="module")
def ribosomes(folder: Path) -> Data:
    return load(folder / "warptools" / SET_NAME)


@pytest.fixture(scope="module")
def likeness(folder: Path) -> Callable[[Data], float]:
    """Correlation of the better hand of a map with the reference, over the whole box."""
    reference, _ = read_volume(folder / "warptools" / REFERENCE)

    def correlate(data: Data) -> float:
        (volume,) = back_project(data)
        hands = (volume, mirrored(volume))
        return max(float(np.corrcoef(v.ravel(), reference.ravel())[0, 1]) for v in hands)

    return correlate


def _stage_and_orientation(particles: ParticleSet) -> tuple[np.ndarray, np.ndarray]:
    """(M, 3, 3) frame rotations and orientations whose product are the poses of images."""
    assert particles.orientation is not None
    orientation = particles.orientation[particles.particle_of_image]
    return particles.images.rotation @ orientation.transpose(0, 2, 1), orientation


def _wrong(name: str, data: Data) -> Data:
    particles = data.particles
    stage, orientation = _stage_and_orientation(particles)
    match name:
        case "contrast":
            return data.declared(inverted=True)
        case "raw":
            return data.declared(ctf_premultiplied=False)
        case "phase-flipped":
            return data.declared(ctf_premultiplied=False, phase_flipped=True)
        case "Euler inverse":
            return data.posed(stage @ orientation.transpose(0, 2, 1))
        case "inverse of the whole pose":
            return data.posed(particles.images.rotation.transpose(0, 2, 1))
        case _:
            return replace(data, pixels=data.pixels.transpose(0, 2, 1).copy())


def test_map_of_ribosomes_is_the_reference_in_its_other_hand(ribosomes: Data, folder: Path) -> None:
    reference, _ = read_volume(folder / "warptools" / REFERENCE)
    (volume,) = back_project(ribosomes)
    flipped = np.corrcoef(mirrored(volume).ravel(), reference.ravel())[0, 1]
    assert flipped > 0.85
    assert np.corrcoef(volume.ravel(), reference.ravel())[0, 1] < flipped - 0.1


@pytest.mark.parametrize(
    "name",
    ["contrast", "raw", "phase-flipped", "Euler inverse", "inverse of the whole pose", "transpose"],
)
def test_wrong_assumptions_are_further_from_the_reference(
    ribosomes: Data, likeness: Callable[[Data], float], name: str
) -> None:
    right, wrong = likeness(ribosomes), likeness(_wrong(name, ribosomes))
    assert wrong < right - 0.03


def test_maps_of_classes_are_those_that_were_simulated(folder: Path) -> None:
    data = load(folder / "10076" / "10076_both_32_sim.star", invert_data=False)
    labels = read_index_file(folder / "10076" / "labels_D-0_E-1.pkl")
    volumes = back_project(data, labels[data.particles.source_particle])
    mask = spherical_mask(32, 0.8)
    true = [read_volume(folder / "10076" / f"10076_class{name}_32.mrc")[0] for name in "DE"]
    curves = np.array([[masked_fsc(v, t, mask)[1:-1].mean() for t in true] for v in volumes])
    assert curves.diagonal().min() > 0.6
    assert (curves.diagonal() > curves[[0, 1], [1, 0]] + 0.03).all()
