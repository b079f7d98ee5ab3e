"""Color maps by name, as numbers."""

from __future__ import annotations

import numpy as np
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.core.figures.colors import color_map


def test_gradient_goes_from_dark_to_light() -> None:
    rgb = color_map("viridis").gradient(np.linspace(0, 1, 5))
    assert rgb.shape == (5, 3)
    assert rgb.dtype == np.uint8
    assert (np.diff(rgb.sum(axis=1).astype(int)) > 0).all()
    assert color_map("viridis").in_turn is None


def test_qualitative_map_is_a_list() -> None:
    colors = color_map("tab20").in_turn
    assert colors is not None
    assert len(np.unique(colors, axis=0)) == 20


def test_unknown_map_gets_a_suggestion() -> None:
    with pytest.raises(DataError, match=r"knows no 'virdis'\. Did you mean 'viridis'\?"):
        color_map("virdis")
