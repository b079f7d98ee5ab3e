from __future__ import annotations

import pytest
import torch

from tomodrgn.core.physics.windows import circular_window


def test_window_is_one_inside_and_zero_outside() -> None:
    window = circular_window(32, inner=0.8, outer=0.9)
    axis = (torch.arange(32) - 16) / 16
    radius = torch.hypot(axis[:, None], axis[None, :])
    assert torch.all(window[radius <= 0.8] == 1)
    assert torch.all(window[radius >= 0.9] == 0)


def test_window_is_half_in_the_middle_of_its_edge() -> None:
    window = circular_window(40, inner=0.8, outer=0.9)
    assert window[20, 20 + 17].item() == pytest.approx(0.5)


def test_window_is_symmetric_about_the_centre_pixel() -> None:
    inner = circular_window(32, inner=0.5, outer=0.9)[1:, 1:]
    torch.testing.assert_close(inner, inner.flip(0, 1))
