from __future__ import annotations

import numpy as np
import pytest

from tomodrgn.core.analysis import latent_map as module
from tomodrgn.core.analysis.latent_map import latent_map


@pytest.fixture
def flat_umap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two dimensions of the latents in place of UMAP, which takes long to compile."""
    monkeypatch.setattr(module, "umap_map", lambda latents, random_state: latents[:, :2])


@pytest.mark.usefixtures("flat_umap")
def test_particles_that_are_left_out_lie_where_their_nearest_does() -> None:
    latents = np.random.default_rng(0).uniform(size=(4000, 2)).astype(np.float32)
    found = latent_map(latents, most=1500, seed=0)
    assert found is not None
    assert len(found.embedded) == 1500
    assert np.array_equal(found.places[found.embedded], latents[found.embedded])
    assert np.abs(found.places - latents).max() < 0.1


@pytest.mark.usefixtures("flat_umap")
def test_few_particles_are_all_placed() -> None:
    found = latent_map(np.ones((7, 3), np.float32), most=50, seed=0)
    assert found is not None
    assert found.embedded.tolist() == list(range(7))


def test_without_umap_there_is_no_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "umap_map", lambda latents, random_state: None)
    assert latent_map(np.ones((7, 3), np.float32), most=5, seed=0) is None
