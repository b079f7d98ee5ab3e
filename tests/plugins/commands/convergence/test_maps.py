from __future__ import annotations

import numpy as np
import pytest

from tomodrgn.plugins.commands.convergence.maps import _last_axes


@pytest.mark.parametrize("n", [1, 2, 20])
def test_axes_of_equal_latents_are_some_frame(n: int) -> None:
    centre, directions = _last_axes(np.full((n, 3), 2.0, np.float32))
    assert centre.tolist() == [2, 2, 2]
    np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=1e-12)  # float64


def test_axes_follow_the_spread() -> None:
    latents = np.outer(np.linspace(-1, 1, 9), [3.0, 4.0]).astype(np.float32)
    _, directions = _last_axes(latents)
    np.testing.assert_allclose(directions[:, 0], [0.6, 0.8], atol=1e-6)  # float32 latents
