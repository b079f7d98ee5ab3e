"""Names of maps, scripts and tomograms reach ChimeraX as text, or are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from tests.core.placement.chimerax_reading import read_commands
from tomodrgn.core.cli.main import cli
from tomodrgn.core.errors import DataError
from tomodrgn.core.files.mrc import read_mrc_header, write_volume
from tomodrgn.core.files.star import write_table
from tomodrgn.core.placement.chimerax import volume_commands

HOSTILE = (
    'a" ; close ; open "b', "x;close session", "two\nclose session", "it's", "$HOME", "~root",
    "\u202ecrm", "caf\u00e9 \U0001f600",
)  # fmt: skip


@pytest.fixture
def star(tmp_path: Path) -> Path:
    """Two particles in a tomogram with a name that would close the session."""
    places = {f"rlnCoordinate{axis}": ["7", "9"] for axis in "XYZ"}
    angles = {f"rlnAngle{angle}": ["0", "10"] for angle in ("Rot", "Tilt", "Psi")}
    table = {"rlnTomoName": ['TS";close'] * 2, "rlnTomoParticleName": ["1", "2"]} | places | angles
    path = tmp_path / "picks.star"
    write_table(path, pd.DataFrame(table))
    return path


def draw(star: Path, *words: object) -> Result:
    call = ["subtomo2chimerax", star, "--star-apix-override", 2, *words]
    return CliRunner().invoke(cli, [str(word) for word in call])


@pytest.mark.parametrize("name", HOSTILE)
def test_the_name_of_a_map_is_never_a_command(name: str, star: Path, tmp_path: Path) -> None:
    volume = tmp_path / f"{name}.mrc"
    write_volume(volume, np.ones((4, 4, 4), np.float32), 2.0)
    drawn = draw(star, "--outdir", tmp_path / "out", "--mode", "volume", "--vol-path", volume)
    assert drawn.exit_code == 0, drawn.output
    (script,) = (tmp_path / "out").rglob("*.cxc")
    commands = read_commands(script.read_bytes())
    assert {words[0] for words in commands.others} == {"volume", "view"}
    (copy, python) = commands.opened
    assert read_mrc_header(script.parent / copy).shape == (4, 4, 4)
    compile((script.parent / python).read_text(encoding="utf-8"), python, "exec")


def test_a_script_that_chimerax_cannot_open_is_refused(star: Path, tmp_path: Path) -> None:
    drawn = draw(star, "--out", tmp_path / "x;close.cxc")
    assert drawn.exit_code == 1
    assert "ChimeraX cannot open a file with ; in its name; rename it" in drawn.output
    assert sorted(tmp_path.iterdir()) == [star]


@pytest.mark.parametrize("name", ["x;close.mrc", 'a" b.mrc', "a\nclose.mrc", "$HOME.mrc", ""])
def test_maps_that_are_drawn_where_they_lie_need_names_that_chimerax_takes(name: str) -> None:
    one = np.zeros((1, 3, 4))
    with pytest.raises(DataError, match="ChimeraX cannot open a file with"):
        volume_commands([name], one, np.zeros((1, 3), np.uint8), level=1.0, pixel_size_a=1.0)
