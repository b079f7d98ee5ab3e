"""Gains, offsets and damaged images hide nothing that is there, and feign nothing that is not."""

from __future__ import annotations

import json
import pickle
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from tomodrgn.core.files.mrc import read_mrc_header, read_mrc_slices
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.simulation.truth import read_truth
from tomodrgn.core.specs.files import read_spec
from tomodrgn.core.specs.simulation import SimulationSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.integration.conftest import Command

    Pixels = NDArray[np.float32]

_PLAIN = ("--seed", 1, "--accelerator", "cpu", "--threads", 1, "--no-report")


def _set(folder: Path, n_classes: int, n_particles: int) -> Path:
    return simulate(
        SimulationSpec(
            outdir=folder, n_particles=n_particles, n_tomograms=2, n_classes=n_classes,
            box_size_px=16, pixel_size_a=18.0, n_tilts=7, snr=1.0, seed=1,
        )
    )  # fmt: skip


def _changed(star: Path, folder: Path, change: Callable[[Pixels, int], Pixels]) -> Path:
    """A copy of a set with other pixels."""
    shutil.copytree(star.parent, folder)
    for number, path in enumerate(sorted((folder / "stacks").glob("*.mrcs"))):
        header = read_mrc_header(path)
        pixels = read_mrc_slices(path, np.arange(header.shape[0]), header)
        with path.open("r+b") as file:
            file.seek(-pixels.nbytes, 2)
            file.write(change(pixels.copy(), number).astype(np.float32).tobytes())
    return folder / star.name


@pytest.fixture(scope="module")
def one_structure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _set(tmp_path_factory.mktemp("one"), 1, 30)


def test_classes_are_found_in_spite_of_gain_and_offset(tomodrgn: Command, tmp_path: Path) -> None:
    star = _set(tmp_path / "three", 3, 60)
    changed = _changed(star, tmp_path / "changed", lambda pixels, n: pixels * 1.3**n + 2 * n)
    run = tmp_path / "run"
    tomodrgn("train_linear", changed, "-o", run, "--zdim", 2, *_PLAIN)
    with (run / "z.pkl").open("rb") as file:
        latents = pickle.load(file)  # noqa: S301  of this test
    found = KMeans(3, n_init=10, random_state=0).fit_predict(latents)
    truth = read_truth(star.parent).labels
    assert adjusted_rand_score(truth, found) == 1.0
    assert read_spec(run / "run.yaml")["preparation"]["normalize"] == "on"


def _gain(pixels: Pixels, number: int) -> Pixels:
    return pixels * np.float32(1 + 0.5 * number)


def _damage(pixels: Pixels, number: int) -> Pixels:
    if number == 0:
        pixels[0:7] = 0  # all of a particle
        pixels[9, 3, 3] = np.nan
        pixels[12] *= 1000
        pixels[20, 5, 5] += 150
    return pixels


def test_a_gain_between_tomograms_feigns_no_states(
    one_structure: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    star = _changed(one_structure, tmp_path / "set", _gain)
    run = tmp_path / "run"
    tomodrgn("train_linear", star, "-o", run, *_PLAIN)
    assert not json.loads((run / "linear.json").read_text())["is_heterogeneous"]


def test_damaged_images_are_listed_and_left_out_of_all_that_follows(
    one_structure: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    star = _changed(one_structure, tmp_path / "set", _damage)
    run = tmp_path / "run"
    done = tomodrgn("train_linear", star, "-o", run, "--zdim", 1, *_PLAIN)
    assert "left out 7 images: all pixels equal" in done.stderr
    assert "1 images had a few extreme pixels" in done.stderr
    listed = np.loadtxt(run / "damaged_images.txt", dtype=int).tolist()
    assert listed == [0, 1, 2, 3, 4, 5, 6, 9, 12]
    assert not json.loads((run / "linear.json").read_text())["is_heterogeneous"]
    moved = run.rename(tmp_path / "moved")
    manifest = json.loads((moved / "manifest.json").read_text())
    levels, facts = manifest["gray_levels"], manifest["dataset"]
    assert (levels["damaged_images_left_out"], levels["images_with_replaced_pixels"]) == (9, 1)
    assert not levels["normalized"]
    assert levels["deviation"] == pytest.approx(1, abs=0.1)
    assert (facts["n_particles"], facts["n_images"]) == (29, 30 * 7 - 9)
    labels = tmp_path / "labels.pkl"
    labels.write_bytes(pickle.dumps(np.arange(29) % 2))
    tomodrgn("validate", moved, "--labels", labels, "--accelerator", "cpu")
    maps = tomodrgn("backproject_voxel", star, "-o", tmp_path / "map.mrc")
    assert "left out 7 images: all pixels equal" in maps.stderr
