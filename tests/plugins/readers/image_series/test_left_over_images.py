"""Stacks with more images than rows are said where rows may name images of other tilts."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from tomodrgn.core.cli.fields import builtin_registry
from tomodrgn.core.cli.main import cli
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec

if TYPE_CHECKING:
    from pathlib import Path

TILTS = 5
SAID = "hold more images than their particle has rows"


def _warnings(star: Path, caplog: pytest.LogCaptureFixture) -> str:
    registry = builtin_registry()
    spec = registry.get("reader", "warp_particleseries").spec(path=star)
    with caplog.at_level(logging.WARNING):
        registry.build(spec, ReaderContext()).read()
    return caplog.text


def _series(folder: Path, particles_per_stack: int) -> Path:
    return simulate(
        SimulationSpec(
            outdir=folder, n_particles=4, n_tomograms=1, box_size_px=8, n_tilts=TILTS,
            particles_per_stack=particles_per_stack,
        )
    )  # fmt: skip


def _without_tilt(star: Path, left_out: int, *, renumber: bool) -> None:
    """Leave a tilt of each particle out of the rows, and count the others anew if asked to."""
    kept = []
    for line in star.read_text().splitlines():
        found = re.search(r"(\d+)@", line)
        number = (int(found[1]) - 1) % TILTS if found else -1
        if found and number == left_out:
            continue
        is_moved = found and renumber and number > left_out
        kept.append(line.replace(found[0], f"{int(found[1]) - 1:06d}@") if is_moved else line)
    star.write_text("\n".join(kept) + "\n")


def test_images_counted_by_visible_frames_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    star = _series(tmp_path, 1)
    _without_tilt(star, 2, renumber=True)
    said = _warnings(star, caplog)
    assert f"4 of 4 stacks {SAID}" in said
    assert f"{TILTS} images, {TILTS - 1} rows" in said


def test_check_says_what_is_assumed_of_images_counted_by_visible_frames(tmp_path: Path) -> None:
    star = _series(tmp_path, 1)
    _without_tilt(star, 2, renumber=True)
    words = ["check", str(star), "-o", str(tmp_path / "report"), "--no-tests"]
    printed = " ".join(CliRunner().invoke(cli, words).stdout.split())
    assert f"warning images: 4 of 4 stacks {SAID}" in printed
    assert "they are taken to name the images that they number" in printed
    assert "-> give the optimisation set itself" in printed


@pytest.mark.parametrize("particles_per_stack", [1, 4])
def test_nothing_is_said_of_complete_stacks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, particles_per_stack: int
) -> None:
    assert SAID not in _warnings(_series(tmp_path, particles_per_stack), caplog)


def test_nothing_is_said_of_rows_left_out_of_the_middle(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    star = _series(tmp_path, 1)
    _without_tilt(star, 2, renumber=False)
    assert SAID not in _warnings(star, caplog)


@pytest.mark.parametrize("n_left_out", [2, 3])
def test_nothing_is_said_of_the_first_particles_of_a_stack(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, n_left_out: int
) -> None:
    star = _series(tmp_path, 4)
    lines = star.read_text().splitlines()
    star.write_text("\n".join(lines[: -n_left_out * TILTS]) + "\n")
    assert SAID not in _warnings(star, caplog)
