"""A file of another program is refused with its program and the next step, whatever its name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.mrc import write_volume
from tomodrgn.core.files.star import read_star, write_table
from tomodrgn.plugins.readers import tomodrgn_identify_reader

if TYPE_CHECKING:
    from pathlib import Path

_POINT = {"location": {"x": 1.0, "y": 2.0, "z": 3.0}}
TEXTS = {
    "TS_1.xml": ('<?xml version="1.0"?>\n<TiltSeries PlaneNormal="0,0,1">', "tilt series by Warp"),
    "a.xml": ("\ufeff<Movie CTFResolutionEstimate='5'>", "one movie by Warp"),
    "w.settings": ("<Settings><Param/></Settings>", "settings of a Warp project"),
    "a.species": ('<?xml version="1.0" encoding="utf-16"?><Species>', "species, population or"),
    "a.population": ("<Population />", "species, population or source of M"),
    "pl.xml": ("<ParticleList>", "particle list of PyTom"),
    "picks.json": (
        json.dumps({"pickable_object_name": "ribosome", "points": [_POINT]}),
        "the picks of one object by copick",
    ),
    "copick.json": (json.dumps({"name": "x", "pickable_objects": []}), "copick project"),
    "a.ndjson": (json.dumps({"type": "point", **_POINT}), "CryoET Data Portal"),
    "info.json": (json.dumps({"boxes_3d": []}), "box file of EMAN2"),
    "motl.csv": ("CCC,reserved,reserved,pIndex,wedgeWT,NA\n1,0,0,1,0,0\n", "motive list of PEET"),
    "a.csv": ("x,y,z\n1,2,3\n", "comma-separated"),
    "refined.tbl": (" ".join(["1.5"] * 35) + "\n" + " ".join(["NaN"] * 35) + "\n", "of Dynamo"),
    "no_ending": (" ".join(["-1e3"] * 42) + "\n", "table of Dynamo"),
    "frames.par": ("C NO PSI THETA\n" + " ".join(["1"] * 16) + "\n", "of Frealign, cisTEM"),
    "ts.xf": ("1.0 0.0 0.0 1.0 -3.2 5\n" * 9, "alignment of one tilt series by IMOD"),
    "ts.tlt": ("-60.0\n-57.0\n", "tilt angles of one tilt series"),
    "ts.mdoc": ("PixelSpacing = 1.3\n[ZValue = 0]\n", "record of a tilt series by SerialEM"),
    "p.lst": ("#LST\n0 a.hdf\n", "list of images of EMAN2"),
    "run.yaml": ("seed: 1\n", "YAML file"),
}
BYTES = {
    "pts.mod": (b"IMODV1.2Model\0" + bytes(300), "model of IMOD"),
    "p.npy": (b"\x93NUMPY\x01\x00", "array of numpy"),
    "a.tif": (b"II*\0" + bytes(20), "TIFF or EER"),
    "a.hdf": (b"\x89HDF\r\n\x1a\n", "HDF5"),
    "t.mat": (b"MATLAB 5.0 MAT-file, Platform: GLNXA64" + bytes(90), "file of MATLAB"),
    "p.db": (b"SQLite format 3\0", "database"),
    "p.star.gz": (b"\x1f\x8b\x08\x00", "compressed file"),
    "poses.pkl": (b"\x80\x04\x95", "pickle"),
    "motl_1.em": (
        bytes([6, 0, 0, 5]) + np.array([20, 3, 1], "<i4").tobytes() + bytes(496 + 240),
        "motive list of TOM, AV3, novaSTA or STOPGAP",
    ),
}
TABLES = {
    "TS.tomostar": (["wrpMovieName", "wrpAngleTilt", "wrpDose"], "tilt series for Warp"),
    "motl.star": (["motl_idx", "tomo_num", "subtomo_num"], "motive list of STOPGAP"),
    "wedgelist.star": (["tomo_num", "pixelsize", "tilt_angle"], "wedge list of STOPGAP"),
    "job.star": (["rlnJobTypeLabel", "rlnJobIsContinue"], "options of a RELION job"),
    "run_optimiser.star": (
        ["rlnExperimentalDataStarFile", "rlnModelStarFile"],
        "refinement and lists no particles; give its .*_optimisation_set.star",
    ),
    "tomograms.star": (
        ["rlnTomoName", "rlnTomoTiltSeriesStarFile", "rlnTomoHand"],
        "is of RELION 5, lists tomograms and no particles; give the optimisation set",
    ),
    "picks2d.star": (["rlnCoordinateX", "rlnCoordinateY"], "in two dimensions, without images"),
    "micrographs.star": (["rlnMicrographName", "rlnCtfMaxResolution"], "lists micrographs and no"),
    "single.star": (
        ["rlnImageName", "rlnMicrographName", "rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi",
         "rlnDefocusU", "rlnOpticsGroup", "rlnGroupNumber", "rlnClassNumber"],
        r"lists single-particle images \(RELION or cryoSPARC\): .* tilt series are needed",
    ),
}  # fmt: skip


def _refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        tomodrgn_identify_reader(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_of_another_program_is_named(name: str, tmp_path: Path) -> None:
    text, answer = TEXTS[name]
    (tmp_path / name).write_text(text)
    message = _refusal(tmp_path / name)
    assert answer in message
    assert "STAR file" in message


@pytest.mark.parametrize("name", BYTES)
def test_a_binary_file_of_another_program_is_named_by_its_bytes(name: str, tmp_path: Path) -> None:
    content, answer = BYTES[name]
    for path in (tmp_path / name, tmp_path / f"{name.split('.', maxsplit=1)[0]}.star"):
        if path.suffix == ".star" and "pickle" in answer:
            continue  # a pickle has no sign but its first byte
        path.write_bytes(content)
        assert answer in _refusal(path)


@pytest.mark.parametrize("name", TABLES)
def test_a_star_file_of_another_kind_is_named_by_its_columns(name: str, tmp_path: Path) -> None:
    columns, answer = TABLES[name]
    write_table(tmp_path / name, pd.DataFrame({column: ["1", "2"] for column in columns}))
    with pytest.raises(DataError, match=answer):
        tomodrgn_identify_reader(tmp_path / name)


def test_a_map_with_the_name_of_a_star_file_is_named(tmp_path: Path) -> None:
    write_volume(tmp_path / "a.mrc", np.zeros((8, 8, 8), np.float32), 4.0)
    path = (tmp_path / "a.mrc").rename(tmp_path / "a.star")
    assert "an MRC file: images or a volume; it holds no tilt metadata" in _refusal(path)


def test_a_data_set_of_cryosparc_gets_a_way_on(tmp_path: Path) -> None:
    (tmp_path / "a.cs").write_bytes(b"\x93NUMPY")
    assert "cryoSPARC processes single-particle images without tilts" in _refusal(tmp_path / "a.cs")


def test_a_folder_is_refused_with_what_is_in_it(tmp_path: Path) -> None:
    assert "it holds no STAR file" in _refusal(tmp_path)
    (tmp_path / "particles.star").write_text("")
    (tmp_path / "zz_optimisation_set.star").write_text("")
    assert "its STAR files are zz_optimisation_set.star, particles.star" in _refusal(tmp_path)
    (tmp_path / "run.yaml").write_text("")
    assert "it holds a run of tomodrgn" in _refusal(tmp_path)


def test_a_star_file_may_have_any_name(tmp_path: Path) -> None:
    for name in ("a.csv", "a.xml", "a.tbl", "a.json", "a.mdoc"):
        (tmp_path / name).write_text("data_\n\nloop_\n_rlnA\n<TiltSeries>\n")
        assert read_star(tmp_path / name).tables[0].columns == ("rlnA",)
