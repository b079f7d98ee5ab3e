from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from tomodrgn.core.figures.training import (
    main_axes,
    most_telling_axis,
    training_curves,
    weighting_scheme,
)

pytestmark = pytest.mark.usefixtures("rendered")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def is_drawn(path: Path) -> bool:
    """Whether a PNG file shows more than an empty page, and nothing partial is left beside it."""
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    return bool(np.ptp(imread(path)[..., :3]) > 0.5)


@pytest.mark.parametrize("n_tilts", [1, 2, 61])
def test_any_number_of_tilts_can_be_drawn(n_tilts: int, tmp_path: Path) -> None:
    freqs_per_a = np.linspace(0.01, 0.2, 50)
    dose = np.arange(1, n_tilts + 1, dtype=np.float32) * 3
    weights = np.exp(-dose[:, None] * freqs_per_a).astype(np.float32)
    weights[:, 40:] = 0
    path = tmp_path / "scheme.png"
    weighting_scheme(path, freqs_per_a, weights, dose, dose, n_particles=1)
    assert is_drawn(path)


@pytest.mark.parametrize("divergence", [[0.0, 0.0, 0.0], [8.0, float("nan"), 6.0]])
@pytest.mark.parametrize("n_epochs", [1, 3])
def test_losses_of_both_kinds_of_model_can_be_drawn(
    n_epochs: int, divergence: list[float], tmp_path: Path
) -> None:
    metrics = pd.DataFrame(
        {"epoch": [0, 1, 2], "generative": [1.0, 0.9, 0.8], "divergence": divergence}
    ).head(n_epochs)
    training_curves(tmp_path / "curves.png", metrics.assign(total=metrics["generative"]))
    assert is_drawn(tmp_path / "curves.png")


def test_main_axes_keep_distances_and_order_the_variance(rng: np.random.Generator) -> None:
    mean = (rng.normal(size=(50, 4)) * [1, 5, 0.1, 2]).astype(np.float32)
    places, shares = main_axes(mean)
    before = np.linalg.norm(mean[:, None] - mean, axis=-1)
    after = np.linalg.norm(places[:, None] - places, axis=-1)
    np.testing.assert_allclose(after, before, atol=1e-5)  # float32 latents
    assert (np.diff(shares) <= 0).all()
    assert shares.sum() == pytest.approx(1)
    np.testing.assert_allclose(places.var(0) / places.var(0).sum(), shares, atol=1e-12)


def test_equal_latents_have_no_variance_to_share() -> None:
    places, shares = main_axes(np.ones((5, 2), np.float32))
    assert not places.any()
    assert not shares.any()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_are_taken_where_classes_differ(axis: int) -> None:
    volumes = np.zeros((2, 8, 8, 8), np.float32)
    volumes[:, 4, 4, 4] = 5  # in every central slice of both
    place = [1, 1, 1]
    place[axis] = 4  # in the central slice across this axis alone
    volumes[1][tuple(place)] = 1
    assert most_telling_axis(list(volumes)) == axis


def test_a_single_map_is_cut_where_it_has_most() -> None:
    volume = np.zeros((8, 8, 8), np.float32)
    volume[4, 1:7:2, 1:7] = 1
    assert most_telling_axis([volume]) == 0


def test_drawing_never_loads_pyplot() -> None:
    code = "import sys, tomodrgn.core.figures.training; print('matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
