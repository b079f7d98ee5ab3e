"""Volumes of a folder: components, clusters, and the files that tell of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tomodrgn.core.data.inputs import Inputs
from tomodrgn.core.errors import DataError
from tomodrgn.core.files.labels import read_labels
from tomodrgn.core.files.mrc import read_volume, write_volume
from tomodrgn.core.files.pickles import load_pickles
from tomodrgn.core.registry import Registry
from tomodrgn.plugins.commands.volumes.command import analyze_volumes
from tomodrgn.plugins.commands.volumes.spec import VolumeSpaceSpec

N, BOX = 12, 10


@pytest.fixture
def voldir(tmp_path: Path) -> Path:
    """Volumes of two kinds, of which the second has a bright block."""
    generator = np.random.default_rng(0)
    for number in range(N):
        volume = 0.1 * generator.standard_normal((BOX, BOX, BOX))
        volume[4:6, 4:6, 4:6] += 5
        volume[4:7, 6:8, 3:5] += 3 * (number % 2)
        write_volume(tmp_path / "vols" / f"vol_{number:03d}.mrc", volume.astype("f4"), 4.0)
    return tmp_path / "vols"


def _analyze(registry: Registry, voldir: Path, **fields: object) -> Path:
    spec = VolumeSpaceSpec(voldir=voldir, skip_umap=True, **fields)  # type: ignore[arg-type]
    return analyze_volumes(Inputs(registry), spec)


def test_two_kinds_of_volumes_are_two_clusters(registry: Registry, voldir: Path) -> None:
    outdir = _analyze(registry, voldir, ksample=2)
    assert outdir == voldir.with_name("vols_analyze_volumes")
    folder = outdir / "kmeans2"
    labels = read_labels(folder / "voxel_kmeans2_labels.pkl")
    np.testing.assert_array_equal(labels ^ labels[0], np.arange(N) % 2)
    nearest = np.loadtxt(folder / "voxel_kmeans_centers_ind.txt", dtype=int)
    for label, row in enumerate(nearest):
        assert labels[row] == label
        copied = folder / f"voxel_kmeans2_cluster{label}.mrc"
        assert copied.read_bytes() == (voldir / f"vol_{row:03d}.mrc").read_bytes()
    (scores,) = load_pickles(outdir / "voxel_pc.pkl")
    assert scores.shape == (N, N)
    assert scores[:, 0].var() > 10 * scores[:, 1].var()


@pytest.mark.usefixtures("rendered")
def test_volumes_along_a_component_are_written_with_their_pixel_size(
    registry: Registry, voldir: Path
) -> None:
    outdir = _analyze(registry, voldir)
    ends = [read_volume(outdir / "pc1" / f"voxel_pc1_vol{place}.mrc") for place in (0, 9)]
    difference = ends[1][0] - ends[0][0]
    assert np.abs(difference[4:7, 6:8, 3:5]).mean() > 2.5
    assert np.abs(difference[:3]).mean() < 0.3
    assert ends[0][1] == pytest.approx(4.0)
    assert (outdir / "voxel_pca_volumes.png").stat().st_size > 1000


@pytest.mark.parametrize("mask", ["sphere", "tight", "soft"])
def test_masks_leave_corners_empty(mask: str, registry: Registry, voldir: Path) -> None:
    outdir = _analyze(registry, voldir, mask=mask, plot_format="svg")
    volume, _ = read_volume(outdir / "pc1" / "voxel_pc1_vol0.mrc")
    assert volume[0, 0, 0] == 0
    assert volume[5, 5, 5] > 3
    assert (outdir / "voxel_pca_scatter.svg").exists()


def test_a_mask_looks_at_one_part(registry: Registry, voldir: Path, tmp_path: Path) -> None:
    mask = np.zeros((BOX, BOX, BOX), np.float32)
    mask[4:6, 4:6, 4:6] = 1  # where all volumes are alike
    write_volume(tmp_path / "mask.mrc", mask, 4.0)
    outdir = _analyze(registry, voldir, mask_path=tmp_path / "mask.mrc")
    (scores,) = load_pickles(outdir / "voxel_pc.pkl")
    assert np.abs(scores).max() < 1


def test_what_cannot_be_compared_is_refused(
    registry: Registry, voldir: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="is no folder"):
        _analyze(registry, tmp_path / "none")
    with pytest.raises(DataError, match=r"holds 12 volumes .* at least 13 are needed"):
        _analyze(registry, voldir, ksample=13)
    write_volume(tmp_path / "mask.mrc", np.zeros((4, 4, 4), np.float32), 4.0)
    with pytest.raises(DataError, match="the mask has"):
        _analyze(registry, voldir, mask_path=tmp_path / "mask.mrc")
    path = voldir / "vol_003.mrc"
    path.write_bytes(path.read_bytes()[:-4] + np.float32(np.nan).tobytes())
    with pytest.raises(DataError, match=r"vol_003\.mrc: 1 of 1000 voxels are not finite"):
        _analyze(registry, voldir)
    assert not list(voldir.with_name("vols_analyze_volumes").iterdir())
    write_volume(voldir / "vol_012.mrc", np.zeros((4, 4, 4), np.float32), 4.0)
    with pytest.raises(DataError, match=r"vol_012\.mrc: has \(4, 4, 4\) voxels"):
        _analyze(registry, voldir)
