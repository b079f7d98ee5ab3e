"""Half grids: reading and adding are two sides of the same sharing."""

from __future__ import annotations

import pytest
import torch

from tomodrgn.core.fourier.grids import (
    OVERSAMPLING,
    add_to_grid,
    complete_plane,
    corners,
    grid_shape,
    grid_shells,
    mean_over_shells,
    read_grid,
    spectra_to_volumes,
    volumes_to_spectra,
)

BOX = 8
REACH = OVERSAMPLING * BOX // 2


@pytest.fixture
def random() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def points(random: torch.Generator) -> tuple[torch.Tensor, ...]:
    """Coordinates in grid steps, on both sides of x = 0."""
    return tuple((REACH - 1) * (2 * torch.rand(3, 200, generator=random) - 1))


def test_shares_of_a_point_add_up_to_one(points: tuple[torch.Tensor, ...]) -> None:
    total = corners(points, BOX).share.sum(1)
    torch.testing.assert_close(total, torch.ones(200))


def test_a_grid_that_is_linear_is_read_exactly(points: tuple[torch.Tensor, ...]) -> None:
    depth, height, width = grid_shape(BOX)
    z, y, x = (torch.arange(size, dtype=torch.float32) for size in (depth, height, width))
    grid = (x + 2 * (y - REACH)[:, None] - 3 * (z - REACH)[:, None, None]).flatten()
    where = corners(points, BOX)
    expected = where.fold * (points[0] + 2 * points[1] - 3 * points[2])
    torch.testing.assert_close(read_grid(grid, where), expected, atol=1e-4, rtol=0)


def test_reading_is_the_transpose_of_adding(
    points: tuple[torch.Tensor, ...], random: torch.Generator
) -> None:
    where = corners(points, BOX)
    grid = torch.randn(grid_shells(BOX).numel(), generator=random, dtype=torch.float64)
    values = torch.randn(200, generator=random, dtype=torch.float64)
    added = torch.zeros_like(grid)
    add_to_grid(added, where, values)
    torch.testing.assert_close(added @ grid, values @ read_grid(grid, where))


def test_adding_on_either_side_of_the_plane_is_the_same(random: torch.Generator) -> None:
    y, z = 3 * torch.rand(2, 50, generator=random)
    values = torch.randn(50, generator=random)
    grids = []
    for sign in (1, -1):
        grid = torch.zeros(grid_shape(BOX)).flatten()
        add_to_grid(grid, corners((torch.zeros(50), sign * y, sign * z), BOX), values)
        grids.append(complete_plane(grid.view(grid_shape(BOX)), 1))
    torch.testing.assert_close(*grids)


@pytest.mark.parametrize("parity", [1, -1])
def test_a_completed_plane_is_hermitian(parity: int, random: torch.Generator) -> None:
    grid = torch.randn(grid_shape(BOX), generator=random)
    plane = complete_plane(grid, parity)[..., 0]
    torch.testing.assert_close(plane, parity * plane.flip(0, 1))


def test_reading_a_spectrum_sums_the_volume(random: torch.Generator) -> None:
    volume = torch.zeros(BOX, BOX, BOX)
    volume[2:7, 2:7, 2:7] = torch.rand(5, 5, 5, generator=random)  # away from the edges
    freqs = 0.9 * (torch.rand(3, 100, generator=random) - 0.5)  # x, y, z in cycles/px
    where = corners(OVERSAMPLING * BOX * freqs, BOX)
    spectrum = volumes_to_spectra(volume).flatten()
    found = torch.complex(
        read_grid(spectrum.real.contiguous(), where),
        read_grid(spectrum.imag.contiguous(), where) * where.fold,
    )
    axis = torch.arange(BOX) - BOX // 2
    waves = [torch.exp(-2j * torch.pi * freq[:, None] * axis) for freq in freqs]
    exact = torch.einsum("nx,ny,nz,zyx->n", *waves, volume.to(torch.complex64))
    error = (found - exact).norm() / exact.norm()
    assert float(error) < 0.05  # of trilinear reading


def test_both_ways_allow_for_the_sharing_of_their_own(
    random: torch.Generator,
) -> None:
    """There and back without reading or adding divides by the sharing twice."""
    volumes = torch.randn(2, BOX, BOX, BOX, generator=random)
    again = spectra_to_volumes(volumes_to_spectra(volumes), BOX)
    axis = (torch.arange(BOX) - BOX // 2) / BOX / OVERSAMPLING
    left = torch.sinc(axis).square()
    share = left[:, None, None] * left[:, None] * left
    torch.testing.assert_close(again * share.square(), volumes, atol=1e-5, rtol=0)  # float32


def test_a_point_in_the_centre_has_a_flat_real_spectrum() -> None:
    volume = torch.zeros(BOX, BOX, BOX)
    volume[BOX // 2, BOX // 2, BOX // 2] = 1
    spectrum = volumes_to_spectra(volume)
    torch.testing.assert_close(spectrum, torch.ones_like(spectrum))


def test_shells_of_the_grid_end_before_half_the_box() -> None:
    shells = grid_shells(BOX).view(grid_shape(BOX))
    row = shells[REACH, REACH, : BOX // 2 * OVERSAMPLING + 1]
    assert row.tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 5]


def test_the_mean_over_shells_of_a_number_per_shell_is_that_number() -> None:
    shells = grid_shells(BOX)
    means = mean_over_shells(torch.stack([shells.float(), torch.ones(len(shells))]), BOX)
    expected = torch.arange(BOX // 2 + 1, dtype=torch.float64)
    torch.testing.assert_close(means, torch.stack([expected, torch.ones_like(expected)]))
