"""What readers say of files reaches the log of every command that reads pixels."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from click.testing import CliRunner

from tests.plugins.readers import handmade_sets as made
from tomodrgn.core.cli.main import cli
from tomodrgn.core.files.star import read_star, write_table
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec
from tomodrgn.plugins.readers.upstream_files import warp_columns as columns

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COMMANDS = {
    "prepare": ("--cache", "cache.h5"),
    "check": ("--no-tests", "-o", "check"),
    "train_linear": ("--no-report", "-o", "run"),
}
READING = ["prepare", "check"]  # training reads as prepare does, which one of each kind shows


def _said(command: str, path: Path, folder: Path) -> str:
    """The log of a command; it may stop later, as such small sets teach nothing."""
    *options, name = COMMANDS[command]
    done = CliRunner().invoke(cli, [command, str(path), *options, str(folder / name)])
    return done.stderr


def _with_twin_exposures(rows: pd.DataFrame) -> None:
    rows.loc[1, ["rlnCtfBfactor", "rlnCtfScalefactor"]] = rows.loc[
        0, ["rlnCtfBfactor", "rlnCtfScalefactor"]
    ].to_numpy()


def _without_ctf(rows: pd.DataFrame) -> None:
    for name in set(columns.CTF.values()).intersection(rows):
        del rows[name]


def _with_split_half(rows: pd.DataFrame) -> None:
    rows["rlnRandomSubset"] = ["1", "2", *["1"] * (len(rows) - 2)]


def _with_small_defocus(rows: pd.DataFrame) -> None:
    for name in ("rlnDefocusU", "rlnDefocusV"):
        rows[name] = (pd.to_numeric(rows[name]) / 10).map("{:.2f}".format)


SERIES: dict[str, tuple[Callable[[pd.DataFrame], None], str]] = {
    "twin exposures": (_with_twin_exposures, "images have the dose and tilt of another"),
    "no CTF": (_without_ctf, "has no columns of the contrast transfer function"),
    "split halves": (_with_split_half, "images of 1 of 4 particles are in different half sets"),
    "nanometers": (_with_small_defocus, "if it is in nanometers, multiply"),
}


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = SimulationSpec(
        outdir=tmp_path_factory.mktemp("series"), n_particles=4, n_tilts=3, box_size_px=12
    )
    return simulate(spec)


@pytest.mark.parametrize(
    ("fault", "command"), [*product(SERIES, READING), ("twin exposures", "train_linear")]
)
def test_what_is_said_of_a_series_reaches_the_log(
    fault: str, command: str, series: Path, tmp_path: Path
) -> None:
    change, expected = SERIES[fault]
    star = read_star(series)
    rows = star.read(star.tables[-1])
    change(rows)
    path = series.with_name(f"{command}_{fault.replace(' ', '_')}.star")
    write_table(path, rows)
    assert _said(command, path, tmp_path).count(expected) == 1


def _from_two_places(written: made.HandmadeSet) -> None:
    stacks = written.particles["rlnImageName"]
    rows = written.particles["rlnTomoName"] == "TS_10"
    moved = [f"{place}/{name}" for place, name in zip("ab", stacks[rows], strict=True)]
    written.particles.loc[rows, "rlnImageName"] = moved
    again = written.particles[rows].copy()
    again["rlnImageName"] = [name.replace("/00", "/01") for name in moved]
    again["rlnTomoParticleName"] = ["TS_10/12", "TS_10/14"]
    written.particles = pd.concat([written.particles, again], ignore_index=True)


def _without_hand(written: made.HandmadeSet) -> None:
    del written.tomograms["rlnTomoHand"]


def _with_refined_scales(written: made.HandmadeSet) -> None:
    for table in written.tilts.values():
        table["rlnCtfScalefactor"] = "1.3"


def _without_places(written: made.HandmadeSet) -> None:
    for name in [name for name in written.particles if "Coordinate" in name]:
        del written.particles[name]


SETS: dict[str, tuple[Callable[[made.HandmadeSet], None], str]] = {
    "two places": (_from_two_places, "particles of tomogram TS_10 have stacks in two places"),
    "no hand": (_without_hand, "has no column rlnTomoHand"),
    "refined scales": (_with_refined_scales, "that were refined and are no cosines"),
    "no places": (_without_places, "heights of particles in their tomograms cannot be told"),
}


@pytest.mark.parametrize(
    ("fault", "command"), [*product(SETS, READING), ("two places", "train_linear")]
)
def test_what_is_said_of_a_set_reaches_the_log(fault: str, command: str, tmp_path: Path) -> None:
    change, expected = SETS[fault]
    written = made.relion5_set()
    change(written)
    assert _said(command, written.write(tmp_path / "set"), tmp_path).count(expected) == 1
