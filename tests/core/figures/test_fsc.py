from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from tomodrgn.core.figures.fsc import half_map_fsc

pytestmark = pytest.mark.usefixtures("rendered")


@pytest.mark.parametrize("n_curves", [1, 3, 10])
def test_any_number_of_curves_can_be_drawn(n_curves: int, tmp_path: Path) -> None:
    curves = {f"class {i}": np.linspace(1, -0.2, 17) for i in range(n_curves)}
    half_map_fsc(tmp_path / "fsc.png", curves, pixel_size_a=4.0, threshold=0.143)
    assert [each.name for each in tmp_path.iterdir()] == ["fsc.png"]
    assert np.ptp(imread(tmp_path / "fsc.png")[..., :3]) > 0.5
