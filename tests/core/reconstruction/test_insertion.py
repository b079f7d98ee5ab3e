from __future__ import annotations

import numpy as np
import pytest
import torch

from tomodrgn.core.fourier.disc import HalfPlaneDisc, half_plane_disc
from tomodrgn.core.geometry.rotations import random_rotations
from tomodrgn.core.reconstruction import insertion
from tomodrgn.core.reconstruction.insertion import FourierSums, empty_sums, insert
from tomodrgn.core.reconstruction.weights import SliceWeights

BOX_PX = 8
N_IMAGES = 6
VOLUME_INDEX = torch.tensor([0, 1, 0, 0, 1, 1])


class Slices:
    """Random images, of which some share their pose and so hit the same grid points."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.disc: HalfPlaneDisc = half_plane_disc(BOX_PX)
        shape = (N_IMAGES, len(self.disc))
        values = rng.normal(size=shape) + 1j * rng.normal(size=shape)
        self.coefficients = torch.from_numpy(values)
        self.weights = SliceWeights(
            torch.from_numpy(rng.normal(size=shape)), torch.from_numpy(rng.random(shape))
        )
        rotation = random_rotations(N_IMAGES, rng)
        rotation[3] = rotation[2] = rotation[0]
        rotation[4] = np.eye(3)  # on grid points, and on the plane that is completed
        self.rotation = torch.from_numpy(rotation)

    def summed(self, rows: slice | list[int] = slice(None), factor: float = 1.0) -> FourierSums:
        sums = empty_sums(2, BOX_PX, like=self.rotation)
        insert(
            sums,
            factor * self.coefficients[rows],
            SliceWeights(self.weights.signal[rows], self.weights.power[rows]),
            rotation=self.rotation[rows],
            disc=self.disc,
            volume_index=VOLUME_INDEX[rows],
        )
        return sums


@pytest.fixture
def slices() -> Slices:
    return Slices()


def slow_sums(slices: Slices) -> tuple[np.ndarray, np.ndarray]:
    """(2, 2D+1, 2D+1, 2D+1) numerator and weight of whole grids, one coefficient at a time."""
    edge = 2 * BOX_PX + 1
    numerator = np.zeros((2, edge, edge, edge), complex)
    power = np.zeros((2, edge, edge, edge))
    for m, volume in enumerate(VOLUME_INDEX.tolist()):
        for p, k in enumerate(slices.disc.k):
            value = complex(slices.coefficients[m, p] * slices.weights.signal[m, p])
            weight = float(slices.weights.power[m, p])
            point = 2 * (np.array([*k, 0]) @ slices.rotation[m].numpy())
            for at, y in ((point, value), (-point, value.conjugate())):
                low = np.floor(at).astype(int)
                for corner in np.ndindex(2, 2, 2):
                    grid_point = low + corner
                    share = np.prod(1 - np.abs(at - grid_point))
                    x, y_, z = grid_point + BOX_PX
                    if share > 0:
                        numerator[volume, z, y_, x] += share * y
                        power[volume, z, y_, x] += share * weight
    return numerator, power


def test_sums_are_exact_where_many_coefficients_share_a_grid_point(slices: Slices) -> None:
    sums = slices.summed()
    numerator, power = slow_sums(slices)
    half = slice(BOX_PX, None)
    for volume in range(2):
        found = complete(sums.real[volume], 1) + 1j * complete(sums.imag[volume], -1)
        np.testing.assert_allclose(found, numerator[volume, ..., half], atol=1e-12)
        found_power = complete(sums.power[volume], 1)
        np.testing.assert_allclose(found_power, power[volume, ..., half], atol=1e-12)


def complete(grid: torch.Tensor, parity: int) -> np.ndarray:
    """A half grid with what was inserted at -k on its plane x = 0."""
    whole = grid.numpy().copy()
    whole[:, :, 0] += parity * whole[::-1, ::-1, 0].copy()
    return whole


def test_insertion_is_linear(slices: Slices) -> None:
    once, thrice = slices.summed(), slices.summed(factor=3.0)
    torch.testing.assert_close(thrice.real, 3 * once.real)
    torch.testing.assert_close(thrice.imag, 3 * once.imag)
    torch.testing.assert_close(thrice.power, once.power)


def test_the_order_of_images_does_not_matter(slices: Slices) -> None:
    found = slices.summed([5, 2, 0, 4, 1, 3])
    for grid, expected in zip(found.grids, slices.summed().grids, strict=True):
        torch.testing.assert_close(grid, expected)


def test_parts_add_up(slices: Slices, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = slices.summed()
    monkeypatch.setattr(insertion, "_POINTS_AT_ONCE_CPU", 1)  # one image at a time
    for grid, whole in zip(slices.summed().grids, expected.grids, strict=True):
        torch.testing.assert_close(grid, whole)


def test_no_weight_is_lost(slices: Slices) -> None:
    sums = slices.summed()
    for volume in range(2):
        inserted = slices.weights.power[volume == VOLUME_INDEX].sum()
        torch.testing.assert_close(sums.power[volume].sum(), inserted)


def test_pooled_sums_are_those_of_all_images_in_one_volume(slices: Slices) -> None:
    sums = slices.summed()
    pooled = sums.pooled([0, 1])
    assert pooled.n_volumes == 1
    for grid, parts in zip(pooled.grids, sums.grids, strict=True):
        torch.testing.assert_close(grid[0], parts.sum(0))
    torch.testing.assert_close(sums.power, slices.summed().power)  # which stay as they were
