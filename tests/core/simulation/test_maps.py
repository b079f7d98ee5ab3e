from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.mrc import write_volume
from tomodrgn.core.fourier.disc import half_plane_disc
from tomodrgn.core.geometry.rotations import random_rotations
from tomodrgn.core.simulation.maps import MapStructure, read_maps
from tomodrgn.core.simulation.phantoms import build_phantom
from tomodrgn.core.simulation.structures import PhantomStructure

if TYPE_CHECKING:
    from pathlib import Path

BOX, PIXEL_SIZE_A = 32, 6.0


@pytest.fixture
def phantom() -> PhantomStructure:
    return PhantomStructure(
        phantom=build_phantom(0.7 * BOX * PIXEL_SIZE_A),
        n_classes=2,
        box_size_px=BOX,
        pixel_size_a=PIXEL_SIZE_A,
    )


def _maps(phantom: PhantomStructure, box: int, pixel_size_a: float) -> MapStructure:
    maps = phantom.volumes().numpy().astype(np.float32)
    return MapStructure(
        maps, map_pixel_size_a=PIXEL_SIZE_A, box_size_px=box, pixel_size_a=pixel_size_a
    )


def _relative_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize(("box", "pixel_size_a"), [(32, 6.0), (20, 9.0), (24, 7.0)])
def test_slices_agree_with_the_closed_form(
    phantom: PhantomStructure, box: int, pixel_size_a: float
) -> None:
    coarse = PhantomStructure(
        phantom=phantom.phantom, n_classes=2, box_size_px=box, pixel_size_a=pixel_size_a
    )
    labels, still = torch.arange(8) % 2, torch.zeros(8, 0)
    rotation = torch.from_numpy(random_rotations(8, np.random.default_rng(1)))
    disc = half_plane_disc(box)
    inside = torch.from_numpy(disc.radius_px < box / 2 - 1)  # the map ends at its own Nyquist limit
    found = _maps(phantom, box, pixel_size_a).slices(labels, still, rotation, disc)
    expected = coarse.slices(labels, still, rotation, disc)
    # measured: 0.017 at every box; the error of trilinear interpolation at twofold oversampling
    assert _relative_error(found[:, inside], expected[:, inside]) < 0.02


def test_a_class_may_have_no_image(phantom: PhantomStructure) -> None:
    maps = _maps(phantom, BOX, PIXEL_SIZE_A)
    rotation = torch.from_numpy(random_rotations(3, np.random.default_rng(1)))
    slices = maps.slices(torch.ones(3).long(), torch.zeros(3, 0), rotation, half_plane_disc(BOX))
    assert (slices.abs().sum(1) > 0).all()


def test_maps_come_back_as_they_were_given(phantom: PhantomStructure) -> None:
    found = _maps(phantom, BOX, PIXEL_SIZE_A).volumes()
    torch.testing.assert_close(found, phantom.volumes(), rtol=0, atol=1e-4)  # float32 maps


def test_maps_of_unlike_boxes_are_refused(tmp_path: Path) -> None:
    write_volume(tmp_path / "a.mrc", np.ones((16, 16, 16), np.float32), 6.0)
    write_volume(tmp_path / "b.mrc", np.ones((12, 12, 12), np.float32), 6.0)
    with pytest.raises(DataError, match=r"b\.mrc: 12 voxels of 6 A differ"):
        read_maps([tmp_path / "a.mrc", tmp_path / "b.mrc"])


def test_a_map_that_is_no_cube_is_refused(tmp_path: Path) -> None:
    write_volume(tmp_path / "a.mrc", np.ones((16, 16, 8), np.float32), 6.0)
    with pytest.raises(DataError, match="is no even cube"):
        read_maps([tmp_path / "a.mrc"])


def test_a_map_without_pixel_size_is_refused(tmp_path: Path) -> None:
    write_volume(tmp_path / "a.mrc", np.ones((16, 16, 16), np.float32), 0.0)
    with pytest.raises(DataError, match="states no pixel size"):
        read_maps([tmp_path / "a.mrc"])
