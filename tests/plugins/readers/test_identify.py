"""Every flavour is recognised by the columns that its reader needs, however it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import write_table
from tomodrgn.plugins.readers import tomodrgn_identify_reader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EULER = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
PLACE = ("rlnCoordinateX", "rlnCoordinateY", "rlnCoordinateZ")
SERIES = ("rlnImageName", "rlnCtfScalefactor", "rlnCtfBfactor", *EULER)
NEEDED = {
    "warp_particleseries": (*SERIES, "rlnGroupName"),
    "nextpyp": (*SERIES, "rlnGroupNumber", "rlnOpticsGroup"),
    "optimisation_set": ("rlnTomoName", "rlnImageName", "rlnTomoVisibleFrames", "rlnOpticsGroup"),
    "warp_volumeseries": (*PLACE, *EULER, "rlnMicrographName"),
    "m_volumeseries": ("wrpCoordinateX1", "wrpCoordinateY1", "wrpCoordinateZ1", "wrpSourceName"),
}
"""Columns of the table of particles by the kind that they call for."""

OPTICS = "data_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnImagePixelSize #2\n1 4.0\n\n"
N_ROWS = 6


def _rows(kind: str) -> pd.DataFrame:
    """Rows in which all values differ, but for two images of each particle."""
    table = pd.DataFrame(
        {name: [f"{name[-5:]}{row}" for row in range(N_ROWS)] for name in NEEDED[kind]},
        dtype=object,
    )
    for name in {"rlnGroupName", "rlnGroupNumber"} & set(table.columns):
        table[name] = [f"01_{row // 2}" for row in range(N_ROWS)]
    return table


def _write(path: Path, table: pd.DataFrame) -> Path:
    write_table(path, table, "particles")
    path.write_text(OPTICS + path.read_text())
    return path


def _quote_values(text: str) -> str:
    head, rows = text.rsplit("#", 1)
    number, rows = rows.split("\n", 1)
    quoted = "\n".join("\t".join(f"'{v}'" for v in row.split()) for row in rows.splitlines())
    return f"{head}#{number}\n{quoted}\n"


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "windows line ends": lambda text: text.replace("\n", "\r\n"),
    "spaces": lambda text: text.replace("\t", "    "),
    "tabs in the header": lambda text: text.replace(" #", "\t#"),
    "no numbers": lambda text: "\n".join(line.split(" #")[0] for line in text.splitlines()),
    "comments": lambda text: "# version 30001\n" + text.replace("loop_\n", "loop_\n# columns\n"),
    "quotes": _quote_values,
    "no last line end": lambda text: text.rstrip("\n"),
    "a long comment first": lambda text: "# x\n" * 40_000 + text,
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("kind", NEEDED)
def test_a_flavour_is_known_however_it_is_written(kind: str, spelling: str, tmp_path: Path) -> None:
    path = _write(tmp_path / "a.star", _rows(kind))
    path.write_text(SPELLINGS[spelling](path.read_text()), newline="")
    assert tomodrgn_identify_reader(path) == kind


@pytest.mark.parametrize("kind", NEEDED)
def test_columns_may_be_more_and_in_any_order_and_rows_too(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        table = _rows(kind).assign(rlnUnheardOf="1", rlnRandomSubset="2", someColumn="3")
        table = table[rng.permutation(table.columns)].iloc[rng.permutation(N_ROWS)]
        assert tomodrgn_identify_reader(_write(tmp_path / "a.star", table)) == kind


def test_newer_nextpyp_files_stay_those_of_nextpyp(tmp_path: Path) -> None:
    table = _rows("nextpyp").assign(rlnGroupName="01_1")
    assert tomodrgn_identify_reader(_write(tmp_path / "a.star", table)) == "nextpyp"


def test_a_set_file_is_an_optimisation_set(tmp_path: Path) -> None:
    path = tmp_path / "any.star"
    path.write_text("data_\n\n_rlnTomoParticlesFile p.star\n_rlnTomoTomogramsFile t.star\n")
    assert tomodrgn_identify_reader(path) == "optimisation_set"


def test_an_image_series_with_places_is_one_if_any_particle_has_two_rows(tmp_path: Path) -> None:
    n_rows = 4000  # more than the first lines show
    table = pd.DataFrame(dict.fromkeys(NEEDED["warp_particleseries"], "1"), index=range(n_rows))
    table = table.assign(**dict.fromkeys(PLACE, "7"))
    table["rlnGroupName"] = [f"{row}" for row in range(n_rows)]
    assert tomodrgn_identify_reader(_write(tmp_path / "a.star", table)) == "warp_volumeseries"
    table.loc[n_rows - 1, "rlnGroupName"] = "0"
    assert tomodrgn_identify_reader(_write(tmp_path / "a.star", table)) == "warp_particleseries"
    table["rlnMicrographName"] = [f"{row // 2000}" for row in range(n_rows)]
    assert tomodrgn_identify_reader(_write(tmp_path / "a.star", table)) == "warp_volumeseries"


@pytest.mark.parametrize("missing", NEEDED["warp_particleseries"])
def test_what_an_image_series_lacks_is_named(missing: str, tmp_path: Path) -> None:
    table = _rows("warp_particleseries").drop(columns=missing).assign(rlnDefocusU="1")
    path = _write(tmp_path / "a.star", table)
    with pytest.raises(DataError, match=rf"column {missing} is missing") as caught:
        tomodrgn_identify_reader(path)
    assert "\n" not in str(caught.value)


def test_what_a_series_of_nextpyp_lacks_is_named(tmp_path: Path) -> None:
    table = _rows("nextpyp").drop(columns="rlnAnglePsi")
    with pytest.raises(DataError, match=r"column rlnAnglePsi is missing; .* rlnGroupNumber, "):
        tomodrgn_identify_reader(_write(tmp_path / "a.star", table))


def test_an_image_series_that_lacks_a_column_is_no_volume_series(tmp_path: Path) -> None:
    table = _rows("warp_particleseries").drop(columns="rlnCtfBfactor")
    table = table.assign(rlnDefocusU="1", **dict.fromkeys(PLACE, "7"))
    with pytest.raises(DataError, match="column rlnCtfBfactor is missing"):
        tomodrgn_identify_reader(_write(tmp_path / "a.star", table))


def test_a_file_of_tomograms_is_refused_with_what_to_give(tmp_path: Path) -> None:
    table = pd.DataFrame({"rlnTomoName": ["TS_1"], "rlnTomoSizeX": ["4000"]})
    with pytest.raises(DataError, match="lists tomograms and no particles; give the optimisation"):
        tomodrgn_identify_reader(_write(tmp_path / "a.star", table))


def test_a_file_of_a_tilt_series_is_refused_with_what_to_give(tmp_path: Path) -> None:
    table = pd.DataFrame({"rlnTomoXTilt": ["1.5"], "rlnMicrographPreExposure": ["3.0"]})
    with pytest.raises(DataError, match="lists the tilt images of a tomogram and no particles"):
        tomodrgn_identify_reader(_write(tmp_path / "a.star", table))


def test_a_file_of_cistem_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    names = ("cisTEMPositionInStack", "cisTEMAnglePsi", "cisTEMTotalExposure")
    table = pd.DataFrame(dict.fromkeys(names, "1"), index=range(2))
    with pytest.raises(DataError, match=r"neither the tilt of an image nor which stack .* export"):
        tomodrgn_identify_reader(_write(tmp_path / "a.star", table))
