"""A run on downsampled images, from tilt images to volumes and back to the original files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.integration.conftest import SMALL_NETWORK
from tomodrgn.core.files.mrc import read_mrc_header
from tomodrgn.core.files.pickles import read_latents

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Command


@pytest.fixture(scope="module")
def run(star: Path, tomodrgn: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    tomodrgn("train_vae", star, "-o", folder, "-n", 1, "--downsample", 12, *SMALL_NETWORK)
    return folder


def test_volumes_have_the_box_and_pixel_size_of_the_run(
    run: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    tomodrgn("eval_vol", run / "weights.pkl", "-z", 0, 0, "-o", tmp_path / "volume.mrc")
    header = read_mrc_header(tmp_path / "volume.mrc")
    assert header.shape == (12, 12, 12)
    assert header.pixel_size_a == pytest.approx(20 * 16 / 12)


def test_run_goes_on_with_the_same_images(run: Path, star: Path, tomodrgn: Command) -> None:
    tomodrgn("train_vae", "--spec", run / "run.yaml", "-o", run, "-n", 2, "--load", "latest")
    assert len(read_latents(run / "z.pkl")[0]) == 12


def test_cache_of_another_box_is_refused(run: Path, star: Path, tomodrgn: Command) -> None:
    words = ("train_vae", star, "-o", run, "-n", 3, "--load", "latest", *SMALL_NETWORK)
    done = tomodrgn(*words, "--downsample", 10, check=False)
    assert done.returncode == 1
    assert "downsample is 12 in the cache and 10 now" in done.stderr


def test_training_on_smaller_files_is_the_same_training(
    run: Path, star: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    """Downsampling before the run or in it differs by rounding alone."""
    small, other = tmp_path / "small" / "particles.star", tmp_path / "run"
    tomodrgn("downsample", star, "-d", 12, "-o", small, "--dtype", "float32")
    tomodrgn("train_vae", small, "-o", other, "-n", 1, *SMALL_NETWORK)
    before, _ = read_latents(run / "z.0.pkl")
    after, _ = read_latents(other / "z.0.pkl")
    rounding = 0.01 * before.std()  # float16 cache, nine digits in the STAR file
    np.testing.assert_allclose(after, before, atol=rounding)
