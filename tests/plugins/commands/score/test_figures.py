from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from tests.core.figures.test_training import is_drawn
from tomodrgn.plugins.commands.score.figures import RecoveredMap, recovery

pytestmark = pytest.mark.usefixtures("rendered")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("n_classes", [1, 3, 8])
@pytest.mark.parametrize("latent_dim", [None, 1, 4])
def test_whatever_was_recovered_can_be_drawn(
    latent_dim: int | None, n_classes: int, rng: np.random.Generator, tmp_path: Path
) -> None:
    labels = np.arange(40) % n_classes
    volumes = rng.normal(size=(n_classes, 8, 8, 8)).astype(np.float32)
    curve = np.linspace(1, -0.2, 5)
    maps = [
        RecoveredMap(label=i, decoded=volume, true=volume, fsc=curve)
        for i, volume in enumerate(volumes)
    ]
    mean = None if latent_dim is None else rng.normal(size=(40, latent_dim)).astype(np.float32)
    path = tmp_path / "recovery.png"
    recovery(path, mean=mean, labels=labels, maps=maps, pixel_size_a=4.0)
    assert is_drawn(path)


def test_latents_are_drawn_before_anything_is_decoded(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    mean = rng.normal(size=(10, 2)).astype(np.float32)
    labels = np.zeros(10, np.int64)
    recovery(tmp_path / "r.png", mean=mean, labels=labels, maps=[], pixel_size_a=None)
    assert is_drawn(tmp_path / "r.png")


def test_the_same_arrays_give_the_same_picture(rng: np.random.Generator, tmp_path: Path) -> None:
    mean = rng.normal(size=(30, 3)).astype(np.float32)
    pictures = []
    for name in ("one.png", "two.png"):
        labels = np.arange(30) % 2
        recovery(tmp_path / name, mean=mean, labels=labels, maps=[], pixel_size_a=None)
        pictures.append(imread(tmp_path / name))
    np.testing.assert_array_equal(*pictures)
