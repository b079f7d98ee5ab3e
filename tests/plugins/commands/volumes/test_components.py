"""Principal components of volumes in a file: those of the whole table, whatever the slabs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tomodrgn.plugins.commands.volumes.components import cluster, volume_space, voxel_table


@pytest.fixture
def volumes() -> np.ndarray:
    generator = np.random.default_rng(0)
    spread = np.geomspace(10, 0.1, 8)
    mixed = generator.standard_normal((12, 8)) * spread @ generator.standard_normal((8, 50))
    return (5 + mixed).astype(np.float32)


@pytest.mark.parametrize("slab_bytes", [1, 400, 10**9])
def test_components_are_those_of_a_singular_value_decomposition(
    volumes: np.ndarray, slab_bytes: int, tmp_path: Path
) -> None:
    with voxel_table(tmp_path / "table", iter(volumes), slab_bytes) as table:
        space = volume_space(table, n_components=5, n_axes=3)
    assert list(tmp_path.iterdir()) == []
    centred = volumes - volumes.mean(axis=0)
    _, lengths, axes = np.linalg.svd(centred.astype(np.float64), full_matrices=False)
    np.testing.assert_allclose(space.shares, (lengths**2 / (lengths**2).sum())[:5], rtol=1e-4)
    overlap = np.abs(space.axes @ axes[:3].T)
    np.testing.assert_allclose(overlap, np.eye(3), atol=1e-3)  # float32
    np.testing.assert_allclose(space.scores[:, :3], centred @ space.axes.T, atol=1e-2)


def test_volume_at_its_own_scores_is_itself_in_a_plane(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    volumes = (generator.standard_normal((9, 1)) @ generator.standard_normal((1, 30))).astype("f4")
    with voxel_table(tmp_path / "table", iter(volumes)) as table:
        space = volume_space(table, n_components=9, n_axes=4)
    assert len(space.axes) == 1  # there is no second direction
    found = space.along(0, space.scores[:, 0])
    np.testing.assert_allclose(found, volumes, atol=1e-4)


def test_table_vanishes_when_a_volume_is_refused(tmp_path: Path) -> None:
    def rows() -> object:
        yield np.zeros(3, np.float32)
        raise ValueError("spoilt")

    with pytest.raises(ValueError, match="spoilt"), voxel_table(tmp_path / "table", rows()):
        pass
    assert list(tmp_path.iterdir()) == []


def test_clusters_are_numbered_along_the_first_coordinate() -> None:
    points = np.repeat([[5.0, 0], [-3, 1], [1, 1]], 10, axis=0).astype(np.float32)
    found = cluster(points, 3, seed=0)
    np.testing.assert_array_equal(found.labels, np.repeat([2, 0, 1], 10))
    np.testing.assert_array_equal(found.labels[found.nearest], [0, 1, 2])
