"""Particles that cannot be used are refused before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mrcfile
import numpy as np
import pytest
from click.testing import CliRunner

from tests.integration.bad_input.conftest import BASICS, DECODER, NETWORKS
from tomodrgn.core.cli.main import cli
from tomodrgn.plugins.readers.upstream_files.warp_columns import CTF

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.bad_input.conftest import Accept, DataSet, Refuse
    from tests.integration.conftest import Command


def test_missing_column(data: DataSet, refuse_training: Refuse) -> None:
    data.drop_columns("rlnAngleRot")
    message = refuse_training()
    assert message.startswith(f"{data.star}: column rlnAngleRot is missing")
    assert "found rlnMagnification, " in message


def test_some_columns_of_the_ctf_missing(data: DataSet, refuse_training: Refuse) -> None:
    data.drop_columns("rlnDefocusU")
    message = refuse_training()
    assert "rlnDefocusU missing beside rlnDefocusV" in message
    assert message.endswith("give all of them or none")


def test_all_columns_of_the_ctf_missing_is_a_warning(
    data: DataSet, accept: Accept, tmp_path: Path
) -> None:
    data.drop_columns(*CTF.values())
    result = accept("train_nn", data.star, "-o", tmp_path / "run", *DECODER, *BASICS)
    assert "images are taken to be without one" in result.stderr


def test_no_pixel_size(data: DataSet, refuse_training: Refuse, accept: Accept) -> None:
    data.drop_columns("rlnMagnification", "rlnDetectorPixelSize")
    assert refuse_training().endswith("give it with --Apix")
    cache = data.star.with_name("cache.h5")
    accept("prepare", data.star, "--cache", cache, "--Apix", 20)


@pytest.mark.parametrize("value", ["north", "nan", "inf"])
def test_angle_that_is_no_number(data: DataSet, refuse_training: Refuse, value: str) -> None:
    data.set_value("rlnAngleTilt", value, row=4)
    message = refuse_training()
    assert f"{data.star}: column rlnAngleTilt, row 5: {value!r} is not a finite number" in message
    assert message.endswith("put in numbers, or export the file again")


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        ("rlnVoltage", "0", "0 is outside of 50 to 1500 kV"),
        ("rlnCtfScalefactor", "-0.5", "-0.5 is no cosine of a tilt angle (0 to 1)"),
        ("rlnCtfBfactor", "12", "12 is positive; it is -4 times the dose"),
    ],
)
def test_number_that_cannot_be(
    data: DataSet, refuse_training: Refuse, column: str, value: str, fault: str
) -> None:
    data.set_value(column, value, row=2)
    assert f"{data.star}: column {column}, row 3: {fault}" in refuse_training()


@pytest.mark.parametrize("name", ["stacks/sim_001.mrcs", "0@stacks/sim_001.mrcs", "1e3x@a.mrcs"])
def test_name_that_is_no_image(data: DataSet, refuse_training: Refuse, name: str) -> None:
    data.set_value("rlnImageName", name)
    message = refuse_training()
    assert f"row 1: image name {name!r} " in message
    assert "N@stack with N from 1" in message


def test_missing_stack(data: DataSet, refuse_training: Refuse) -> None:
    data.stacks[0].unlink()
    message = refuse_training()
    assert "image stack stacks/sim_001.mrcs is missing (1 of 2 stacks are)" in message
    assert str(data.star.parent / "stacks" / "sim_001.mrcs") in message
    assert message.endswith("--datadir")


def test_datadir_that_does_not_exist(data: DataSet, refuse_training: Refuse) -> None:
    message = refuse_training("--datadir", "nowhere")
    assert (
        message
        == f"--datadir nowhere: does not exist; give the folder of the stacks of {data.star}"
    )


@pytest.mark.parametrize("n_bytes", [0, 500, 1500])
def test_truncated_stack(data: DataSet, refuse_training: Refuse, n_bytes: int) -> None:
    stack = data.stacks[1]
    stack.write_bytes(stack.read_bytes()[:n_bytes])
    message = refuse_training()
    assert message.startswith(str(stack))
    assert message.endswith("copy or extract the file again")


def test_file_that_is_no_stack(data: DataSet, refuse_training: Refuse) -> None:
    data.stacks[0].write_bytes(b"x" * 3000)
    assert "modes 0, 1, 2, 6, 12 are read" in refuse_training()


def test_odd_box(data: DataSet, refuse_training: Refuse) -> None:
    data.replace_stack(0, (6, 7, 7))
    assert "images are 7 x 7 pixels; boxes are square with an even edge" in refuse_training()


def test_box_that_is_not_square(data: DataSet, refuse_training: Refuse) -> None:
    data.replace_stack(0, (6, 8, 6))
    assert "images are 8 x 6 pixels; boxes are square" in refuse_training()


def test_boxes_that_differ(data: DataSet, refuse_training: Refuse) -> None:
    data.replace_stack(1, (6, 10, 10))
    message = refuse_training()
    assert message.startswith(f"{data.stacks[1]}: images are 10 x 10 pixels")
    assert message.endswith("all stacks need the same box")


def test_image_beyond_its_stack(data: DataSet, refuse_training: Refuse) -> None:
    data.replace_stack(0, (3, 8, 8))
    assert f"{data.star}: row 4: image 000004@stacks/sim_001.mrcs lies beyond" in refuse_training()


def test_pixels_that_are_not_finite_are_refused_where_nobody_looks(
    data: DataSet, refuse_training: Refuse
) -> None:
    with mrcfile.open(data.stacks[0], "r+") as stack:
        stack.data[1, 3, 3] = np.nan
        stack.data[4, 0, 0] = np.inf
    message = refuse_training("--normalize", "off", leaves=("run.log",))
    assert "2 of 12 images hold pixels that are not finite" in message
    assert "000002@stacks/sim_001.mrcs, 000005@stacks/sim_001.mrcs" in message
    assert message.endswith("--ind-imgs")


def test_two_processes_refuse_with_one_message(
    data: DataSet, cold_tomodrgn: Command, tmp_path: Path
) -> None:
    with mrcfile.open(data.stacks[0], "r+") as stack:
        stack.data[1, 3, 3] = np.nan
    call = ["train_nn", data.star, "-o", tmp_path / "run", *DECODER, *BASICS, "--devices", 2]
    call += ["--normalize", "off"]  # else the image is left out
    refused = cold_tomodrgn(*call, check=False)
    assert refused.returncode == 1
    assert refused.stderr.count("Error: ") == 1
    assert "Traceback" not in refused.stderr


def test_images_that_are_all_zero(data: DataSet, refuse_training: Refuse) -> None:
    for path in data.stacks:
        with mrcfile.open(path, "r+") as stack:
            stack.data[:] = 0
    assert "every image is damaged: 12 images: all" in refuse_training(leaves=("run.log",))


def test_no_rows(data: DataSet, refuse_training: Refuse) -> None:
    for row in data.rows():
        data.star.write_text(data.star.read_text().replace(f"{row}\n", ""))
    assert (
        refuse_training() == f"{data.star}: has no rows, so there are no particles; export it again"
    )


def test_identical_rows(data: DataSet, refuse_training: Refuse) -> None:
    data.star.write_text(data.star.read_text() + data.rows()[0] + "\n")
    assert "row 13 is a copy of row 1, equal in all columns (1 such row)" in refuse_training()


def test_one_tilt_image_of_each_particle(data: DataSet, refuse: Refuse, tmp_path: Path) -> None:
    rows = {row.split()[-1]: row for row in data.rows()}  # the last one of each particle
    for row in set(data.rows()) - set(rows.values()):
        data.star.write_text(data.star.read_text().replace(f"{row}\n", ""))
    for command in (["train_linear"], ["classify", "-K", 2], ["train_nn", *DECODER, *BASICS]):
        message = refuse(command[0], data.star, "-o", tmp_path / "run", *command[1:])
        assert "every particle has one tilt image" in message
        assert "look at the column that names the particle (rlnGroupName" in message
    words = ["check", str(data.star), "-o", str(tmp_path / "check"), "--no-tests"]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 1
    assert "WRONG" in result.output
    assert "every particle has one tilt image" in result.output


def test_row_with_too_few_values(data: DataSet, refuse_training: Refuse) -> None:
    data.star.write_text(data.star.read_text() + "1 2 3\n")
    assert "row 13 has 3 values for 20 columns" in refuse_training()


@pytest.mark.parametrize("content", [b"", b"hello\n", np.random.default_rng(0).bytes(3000)])
def test_file_that_is_no_star(data: DataSet, refuse_training: Refuse, content: bytes) -> None:
    data.star.write_bytes(content)
    assert refuse_training().startswith(str(data.star))


@pytest.mark.parametrize("suffix", [".mrcs", ".txt", ".cs"])
def test_images_without_tilt_metadata(data: DataSet, refuse_training: Refuse, suffix: str) -> None:
    path = data.star.with_suffix(suffix)
    path.write_bytes(bytes(2000))
    message = refuse_training(star=path)
    assert f"a {suffix} file holds no tilt metadata; give a STAR file" in message
    assert "rlnImageName, rlnGroupName, rlnAngleRot" in message


def test_missing_file(data: DataSet, refuse_training: Refuse) -> None:
    missing = data.star.with_name("gone.star")
    assert refuse_training(star=missing) == f"{missing}: there is no such file"


@pytest.mark.parametrize(
    ("option", "what"), [("--ind", "4 particles"), ("--ind-imgs", "12 images")]
)
@pytest.mark.parametrize("index", [-1, 99])
def test_index_out_of_range(
    data: DataSet, refuse_training: Refuse, option: str, what: str, index: int
) -> None:
    path = data.star.with_name("indices.txt")
    np.savetxt(path, [0, index], fmt="%d")
    message = refuse_training(option, path)
    assert message.startswith(f"{path}: index {index} is out of range")
    assert f"the input has {what}, indices are 0 to" in message


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\0", b"PK\x03\x04junk", b"\x80\x04."])
@pytest.mark.parametrize("suffix", [".npy", ".pkl"])
def test_damaged_index_file(
    data: DataSet, refuse_training: Refuse, content: bytes, suffix: str
) -> None:
    path = data.star.with_name(f"indices{suffix}")
    path.write_bytes(content)
    assert refuse_training("--ind", path).startswith(str(path))


def test_selection_that_leaves_nothing(data: DataSet, refuse_training: Refuse) -> None:
    assert (
        "no particles are left of 12 rows (12 rows: particle with fewer than 9 tilt images)"
        in refuse_training("--min-tilts", 9)
    )


def test_more_tilts_to_concatenate_than_some_particle_has(
    data: DataSet, refuse: Refuse, tmp_path: Path
) -> None:
    call = ["train_vae", data.star, "-o", tmp_path / "run", *NETWORKS, *BASICS]
    message = refuse(*call, "--pooling-function", "concatenate", "--sample-ntilts", 4)
    assert "4 tilt images are asked for, some particles have 3" in message
    assert not (tmp_path / "run").exists()


def test_data_folders_are_only_read(data: DataSet, accept: Accept, tmp_path: Path) -> None:
    folder = data.star.parent
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    accept("train_nn", data.star, "-o", tmp_path / "run", *DECODER, *BASICS)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
