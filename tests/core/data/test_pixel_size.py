"""Headers of stacks that contradict the pixel size of the metadata."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tomodrgn.core.commands import resolve_run
from tomodrgn.core.data.dataset import Dataset
from tomodrgn.core.errors import DataError
from tomodrgn.core.files.mrc import read_volume, write_stack
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.registry import Registry

PIXEL_SIZE_A = 12.0


@pytest.fixture(scope="module")
def star(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A series of 12 A/px, as its headers say."""
    folder = tmp_path_factory.mktemp("series")
    return simulate(
        SimulationSpec(
            outdir=folder, n_particles=3, n_tilts=3, box_size_px=12, pixel_size_a=PIXEL_SIZE_A
        )
    )


def _read(star: Path, registry: Registry, **reader: float) -> None:
    layer = {"reader": {"path": str(star), **reader}}
    Dataset(resolve_run("prepare", layer, registry=registry), registry).everything  # noqa: B018


def _with_headers(star: Path, folder: Path, *sizes_a: float) -> Path:
    """A copy whose stacks, one or two, state other pixel sizes."""
    for number, path in enumerate(sorted(star.parent.rglob("*.mrcs"))):
        pixels, _ = read_volume(path)
        there = folder / path.relative_to(star.parent)
        there.parent.mkdir(parents=True, exist_ok=True)
        write_stack(there, pixels, sizes_a[number % len(sizes_a)])
    copy = folder / star.name
    copy.write_text(star.read_text())
    return copy


@pytest.mark.parametrize(
    ("header_a", "is_said"), [(12.0, False), (12.1, False), (12.2, True), (1.0, False), (16, True)]
)
def test_headers_off_by_more_than_a_percent_are_said_once(
    header_a: float, is_said: bool, star: Path, registry: Registry, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    with caplog.at_level(logging.WARNING):
        _read(_with_headers(star, tmp_path, header_a), registry)
    said = f"stacks state {header_a:g} Å/px, the metadata 12 Å/px; that of the metadata is taken"
    assert caplog.text.count(said) == is_said
    assert caplog.text.count("stacks state") == is_said


def test_headers_off_by_half_are_refused_until_the_user_says_which_is_right(
    star: Path, registry: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = _with_headers(star, tmp_path, 6.0)
    with pytest.raises(DataError, match=r"state 6 Å/px, the metadata 12 Å/px.* --Apix"):
        _read(other, registry)
    _read(other, registry, pixel_size_a=6.0)
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []
    _read(other, registry, pixel_size_a=12.0)
    assert "that of --Apix is taken" in caplog.text


def test_one_stack_that_agrees_is_enough_to_go_on(
    registry: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spec = SimulationSpec(
        outdir=tmp_path / "two", n_particles=4, n_tomograms=2, n_tilts=3, box_size_px=12,
        pixel_size_a=PIXEL_SIZE_A,
    )  # fmt: skip
    _read(_with_headers(simulate(spec), tmp_path / "mixed", 12.0, 4.0), registry)
    assert "stacks state 4 Å/px" in caplog.text
