from __future__ import annotations

import sys

import numpy as np
import pytest

from tomodrgn.core.analysis.umap_map import umap_map


def test_without_umap_one_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    assert umap_map(np.zeros((20, 4)), random_state=0) is None
    assert "principal components take its place" in caplog.text


@pytest.mark.slow
def test_the_same_latents_have_the_same_map() -> None:
    pytest.importorskip("umap")
    latents = np.random.default_rng(0).standard_normal((40, 3))
    first, second = (umap_map(latents, random_state=42, n_epochs=20) for _ in range(2))
    assert first is not None
    np.testing.assert_array_equal(first, second)
    assert first.shape == (40, 2)
