from __future__ import annotations

import numpy as np
import pytest

from tomodrgn.core.geometry.rotations import matrices_from_euler
from tomodrgn.plugins.commands.validate import coverage
from tomodrgn.plugins.commands.validate.coverage import angular_coverage


def _views(n: int, *, largest_tilt_deg: float = 180.0) -> np.ndarray:
    generator = np.random.default_rng(0)
    cosine = generator.uniform(np.cos(np.deg2rad(largest_tilt_deg)), 1, n)
    angles = [generator.uniform(0, 360, n), np.rad2deg(np.arccos(cosine)), np.zeros(n)]
    return matrices_from_euler(np.stack(angles, axis=1)).astype(np.float32)


def test_one_image_covers_the_band_of_its_plane() -> None:
    radius_px = 8.0
    found = angular_coverage(np.eye(3, dtype=np.float32)[None], radius_px)
    assert found.covered == pytest.approx(0.5 / radius_px, abs=2e-3)  # a zone of a sphere
    assert found.evenness == 1


def test_views_from_everywhere_cover_everything_evenly() -> None:
    found = angular_coverage(_views(2000), 10.0)
    assert found.covered == 1
    assert found.evenness > 0.9


def test_views_along_one_axis_leave_a_cone() -> None:
    found = angular_coverage(_views(2000, largest_tilt_deg=30), 10.0)
    assert found.covered == pytest.approx(np.sin(np.deg2rad(30)), abs=0.06)
    assert found.evenness < 0.9


def test_coverage_falls_with_the_radius() -> None:
    covered = [angular_coverage(_views(12), radius).covered for radius in (2.0, 4.0, 8.0)]
    assert covered == sorted(covered, reverse=True)


def test_views_may_be_counted_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    views = _views(7, largest_tilt_deg=50)
    whole = angular_coverage(views, 3.0)
    monkeypatch.setattr(coverage, "_VALUES_AT_ONCE", 3 * coverage._N_DIRECTIONS)
    assert angular_coverage(views, 3.0) == whole  # three, three and one
