from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.core.figures.test_training import is_drawn
from tomodrgn.plugins.commands.check.figures import draw_acquisition, draw_maps

pytestmark = pytest.mark.usefixtures("rendered")


def test_tilts_and_doses_can_be_drawn(tmp_path: Path) -> None:
    tilt_deg = np.tile(np.arange(-60, 61, 3, dtype=np.float32), 3)
    draw_acquisition(tmp_path / "acquisition.png", tilt_deg, 3 * np.abs(tilt_deg))
    assert is_drawn(tmp_path / "acquisition.png")


@pytest.mark.parametrize("n_maps", [1, 3])
def test_maps_are_drawn_beside_the_agreement_of_their_halves(n_maps: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    maps = {f"map {i}": rng.normal(size=(8, 8, 8)).astype(np.float32) for i in range(n_maps)}
    curves = {name: np.linspace(1, 0, 5) for name in maps}
    draw_maps(tmp_path / "maps.png", maps, curves, 4.0)
    assert is_drawn(tmp_path / "maps.png")
