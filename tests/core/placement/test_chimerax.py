"""Scripts read back to what was written, and the Python one does what ChimeraX needs."""

from __future__ import annotations

import re
import runpy
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.core.placement.chimerax_reading import read_markers, read_scene
from tomodrgn.core.geometry.rotations import random_rotations
from tomodrgn.core.placement.chimerax import (
    instance_commands,
    instance_script,
    legend,
    marker_commands,
    placement_table,
    volume_commands,
)
from tomodrgn.core.placement.colors import PALETTE, Colors, color_by_value, color_in_turn
from tomodrgn.plugins.commands.mapback.transforms import placements

N = 30


@pytest.fixture(scope="module")
def transforms() -> np.ndarray:
    rng = np.random.default_rng(5)
    position_a = rng.uniform(0, 9000, (N, 3))
    return placements(random_rotations(N, rng), position_a, np.full(3, 48.0))


@pytest.fixture
def colors() -> Colors:
    return color_in_turn(np.arange(N) % 4, PALETTE)


def test_maps_of_particles_read_back(
    tmp_path: Path, transforms: np.ndarray, colors: Colors
) -> None:
    paths = [f"vol_{i:03d}.mrc" for i in range(N)]
    text = volume_commands(paths, transforms, colors.rgb, level=0.25, pixel_size_a=3.0)
    script = tmp_path / "mapback.cxc"
    script.write_text(text)
    scene = read_scene(script)
    assert [path.name for path in scene.maps] == paths
    assert scene.model.tolist() == list(range(1, N + 1))
    np.testing.assert_allclose(scene.transforms, transforms, atol=6e-5)
    np.testing.assert_array_equal(scene.rgb, colors.rgb)
    assert text.splitlines()[-1] == "view orient"
    assert "voxelSize 3 originIndex 0,0,0" in text.splitlines()[-2]


def test_rotations_read_back_are_orthonormal(tmp_path: Path, transforms: np.ndarray) -> None:
    rgb = np.zeros((N, 3), dtype=np.uint8)
    script = tmp_path / "mapback.cxc"
    paths = [f"{i}.mrc" for i in range(N)]
    script.write_text(volume_commands(paths, transforms, rgb, level=1.0, pixel_size_a=1.0))
    rotation = read_scene(script).transforms[:, :, :3]
    gram = rotation @ rotation.swapaxes(1, 2)
    assert np.abs(gram - np.eye(3)).max() < 1e-8
    np.testing.assert_allclose(np.linalg.det(rotation), 1, atol=1e-8)


def test_markers_read_back(tmp_path: Path, transforms: np.ndarray, colors: Colors) -> None:
    script = tmp_path / "mapback.cxc"
    script.write_text(marker_commands(transforms[:, :, 3], colors.rgb, 80.0))
    position_a, names = read_markers(script)
    np.testing.assert_allclose(position_a, transforms[:, :, 3], atol=6e-5)
    assert names[:2] == ["#c0c0c0", "#ffffb2"]


class FakeChimeraX:
    """The part of ChimeraX that the script uses: models with surfaces, and many places."""

    def __init__(self, numbers: list[int]) -> None:
        self.volumes = {n: SimpleNamespace(surfaces=[], updated=False) for n in numbers}
        self.models = self

    def list(self, model_id: tuple[int, ...]) -> list[Any]:
        (number,) = model_id
        volume = self.volumes[number]

        def update_drawings() -> None:
            volume.surfaces = volume.surfaces or [SimpleNamespace()]

        volume.update_drawings = update_drawings
        return [volume]


def test_python_script_places_and_colors_every_surface(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transforms: np.ndarray, colors: Colors
) -> None:
    model = np.arange(N) % 3 + 1
    table = placement_table(model, np.arange(N) + 100, transforms, colors.rgb)
    (tmp_path / "x_placements.csv").write_text(table)
    (tmp_path / "x.py").write_text(instance_script("x_placements.csv"))
    chimerax, geometry = ModuleType("chimerax"), ModuleType("chimerax.geometry")
    geometry.Places = lambda place_array: place_array  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "chimerax", chimerax)
    monkeypatch.setitem(sys.modules, "chimerax.geometry", geometry)
    monkeypatch.chdir(tmp_path)  # as ChimeraX does while a script runs
    session = FakeChimeraX([1, 2, 3])
    runpy.run_path("x.py", init_globals={"session": session})
    for number, volume in session.volumes.items():
        (surface,) = volume.surfaces
        rows = model == number
        np.testing.assert_allclose(surface.positions, transforms[rows], atol=6e-5)
        assert surface.positions.flags.c_contiguous
        assert surface.positions.dtype == np.float64  # which Places asks for
        np.testing.assert_array_equal(surface.colors[:, :3], colors.rgb[rows])
        assert surface.colors.dtype == np.uint8
        assert (surface.colors[:, 3] == 255).all()


def test_each_map_is_opened_once() -> None:
    commands = instance_commands(["../maps/a.mrc", "../maps/b.mrc"], "mapback.py", level=0.5)
    assert commands.splitlines() == [
        'open "../maps/a.mrc"',
        'open "../maps/b.mrc"',
        "volume #1-2 style surface step 1 level 0.5",
        'open "mapback.py"',
        "view orient",
    ]


def test_legend_names_the_models_of_each_label() -> None:
    text = legend(color_in_turn(np.array(["b", "a", "b"], dtype=object), PALETTE))
    blocks = re.findall(r"Label : (.*)\nRGBa % : (.*)\nmodels : (.*)", text)
    assert blocks == [("a", "75,75,75,1", "2"), ("b", "100,100,70,1", "1,3")]


def test_legend_of_measurements_names_no_models() -> None:
    colors = color_by_value(
        np.array([0.0, 0.5]), lambda fractions: np.zeros((len(fractions), 3), dtype=np.uint8)
    )
    assert "models :" not in legend(colors)


def test_hundred_thousand_placements_are_written_in_seconds() -> None:
    n = 100_000
    ids = np.arange(n)
    transforms = np.tile(np.eye(3, 4), (n, 1, 1))
    start = time.process_time()
    table = placement_table(ids, ids, transforms, np.zeros((n, 3), dtype=np.uint8))
    assert time.process_time() - start < 10  # 1 s on one core of a laptop
    assert table.count("\n") == n + 1
