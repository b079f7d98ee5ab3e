"""What was done to images upstream and is undone in the model does not change what is found."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.core.linear.class_sets import class_set
from tomodrgn.core.linear.fit import LinearFit, fit_linear
from tomodrgn.core.particles.keyed_random import keyed_normal

K = 2
simulated = partial(class_set, n_particles=60, n_classes=3, snr=1.0)

torch.set_num_threads(1)


def _fit(folder: Path, treatment: str | None, *, window: bool) -> LinearFit:
    """Linear model of the same particles, recorded alike."""
    given = simulated(folder, treatment=treatment, window=window)
    return fit_linear(
        given.images,
        given.rows,
        keyed_normal(0, "linear start", 0, given.keys, K + 2),
        n_latents=K,
        window_power=given.window_power,
        report=lambda line: None,
    )


def _common(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Least cosine of the angles between what the columns of two matrices span."""
    frames = [np.linalg.qr(matrix)[0] for matrix in (one, other)]
    return float(np.linalg.svd(frames[0].T @ frames[1], compute_uv=False).min())


def _agreement(one: LinearFit, other: LinearFit) -> tuple[float, float]:
    """Of latents, whatever their axes, and of what basis maps span."""
    latents = [each.latents.mean.double().numpy() for each in (one, other)]
    maps = [each.maps[1:].flatten(1).T.double().numpy() for each in (one, other)]
    return _common(*(each - each.mean(0) for each in latents)), _common(*maps)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> LinearFit:
    return _fit(tmp_path_factory.mktemp("raw"), None, window=False)


@pytest.mark.parametrize("treatment", ["ctf_premultiplied", "phase_flipped"])
def test_latents_and_basis_are_those_of_raw_images(
    raw: LinearFit, treatment: str, tmp_path: Path
) -> None:
    latents, basis = _agreement(raw, _fit(tmp_path, treatment, window=False))
    assert latents > 0.999
    assert basis > 0.999


def test_a_window_after_premultiplication_changes_little(raw: LinearFit, tmp_path: Path) -> None:
    latents, _ = _agreement(raw, _fit(tmp_path, "ctf_premultiplied", window=True))
    assert latents > 0.98
