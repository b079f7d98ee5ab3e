"""Where a map goes in its tomogram: x_tomogram = R x_map + T, in angstrom.

Coordinates of a map and of a tomogram count from their first voxel, whose center is at 0, which is
how ChimeraX draws them. The particle is at the center of its map, voxel ``edge // 2``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def map_centre_a(shape: tuple[int, int, int], pixel_size_a: float) -> NDArray[np.float64]:
    """(3,) center (x, y, z) of a map of ``shape`` (z, y, x), in angstrom from its first voxel."""
    z, y, x = shape
    return pixel_size_a * np.array([x // 2, y // 2, z // 2], dtype=np.float64)


def placements(
    orientation: NDArray[np.float64],
    position_a: NDArray[np.float64],
    centre_a: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(n, 3, 4) transforms [R | T] from the coordinates of a map to those of the tomogram.

    Args:
        orientation: (n, 3, 3) reference to tomogram coordinates, made exactly orthonormal here.
        position_a: (n, 3) centers of the particles in the tomogram.
        centre_a: (3,) or (n, 3) center of the map in the map.
    """
    rotation = nearest_orthonormal(orientation)
    centre = np.broadcast_to(centre_a, position_a.shape)
    shift = position_a - np.einsum("nij,nj->ni", rotation, centre)
    return np.concatenate([rotation, shift[:, :, None]], axis=2)


def nearest_orthonormal(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 3, 3) orthonormal matrices closest to those given.

    Source:
        Orthogonal factor of the polar decomposition (Higham 1986, doi:10.1137/0907079).
    """
    left, _, right = np.linalg.svd(matrices)
    orthonormal: NDArray[np.float64] = left @ right
    return orthonormal
