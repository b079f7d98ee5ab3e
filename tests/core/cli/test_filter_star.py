"""``tomodrgn filter_star`` and ``export``: options of both earlier versions, and messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from tomodrgn.core.cli.main import cli
from tomodrgn.core.files.star import write_table
from tomodrgn.core.testing.example_run import example_rows, example_run

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.registry import Registry


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_table(tmp_path / "in.star", example_rows())
    (tmp_path / "ind.txt").write_text("0\n2\n")
    np.save(tmp_path / "labels.npy", np.array([3, -1, 0]))
    return tmp_path


def call(folder: Path, line: str) -> Result:
    words = [word.replace("DIR", str(folder)) for word in line.split()]
    return CliRunner().invoke(cli, words)


@pytest.mark.parametrize(
    ("line", "n_images"),
    [
        ("DIR/in.star --ind DIR/ind.txt --ind-type particle --action keep -o DIR/out.star", 7),
        ("DIR/in.star --input-type warp_particleseries --tomogram a --outstar DIR/out.star", 12),
        ("DIR/in.star --starfile-type imageseries --ind DIR/ind.txt --ind-type image "
         "-o DIR/out.star", 2),
        ("--labels DIR/labels.npy --labels-sel -1 3 --action drop -o DIR/out.star DIR/in.star", 4),
        ("--labels DIR/labels.npy -o DIR/out.star --labels-sel 3 -1 DIR/in.star", 8),
        ("--labels-col rlnGroupName -o DIR/out.star --labels-sel 000_000001 DIR/in.star", 5),
        ("DIR/in.star --tomogram 000_000001 --tomo-id-col _rlnGroupName --ptcl-id-col index "
         "-o DIR/out.star", 5),
    ],
)  # fmt: skip
def test_options_of_earlier_versions_work(folder: Path, line: str, n_images: int) -> None:
    result = call(folder, f"filter_star {line}")
    assert result.exit_code == 0, result.output
    assert (folder / "out.star").read_text().count("@") == n_images
    assert str(folder / "out.star") in result.stdout


def test_one_of_two_sessions_of_equal_names_is_kept_by_the_folder_of_its_stacks(
    folder: Path,
) -> None:
    sessions = [example_rows() for _ in "ab"]
    for name, rows in zip("ab", sessions, strict=True):
        rows["rlnImageName"] = [image.replace("@", f"@{name}/") for image in rows["rlnImageName"]]
    write_table(folder / "joined.star", pd.concat(sessions, ignore_index=True))
    line = "filter_star DIR/joined.star --tomogram b/a -o DIR/out.star"
    refused = call(folder, line)
    assert refused.exit_code == 1
    assert "rename the tomograms of one session" in refused.stderr
    assert "(--join-by stack)" in refused.stderr
    kept = call(folder, f"{line} --join-by stack")
    assert kept.exit_code == 0, kept.output
    text = (folder / "out.star").read_text()
    assert (text.count("@b/"), text.count("@a/")) == (12, 0)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("DIR/in.star --ind DIR/in.star -o DIR/out.star", "ends in .star; .pkl, .npy and .txt"),
        ("DIR/gone.star --tomogram a -o DIR/out.star", "there is no such file"),
        ("DIR/in.star --tomogram a -o DIR/in.star", "is the input"),
        ("DIR/in.star --tomogram a -o DIR", "is a folder; name a file"),
        ("DIR/in.star -o DIR/out.star", "nothing to filter by"),
        ("DIR/in.star --labels DIR/labels.npy --labels-sel 1 -o DIR/out.star",
         "no particle has the label 1; found 3, -1, 0"),
        ("DIR/ind.txt --tomogram a -o DIR/out.star", "holds no tilt metadata"),
    ],
)  # fmt: skip
def test_faults_are_one_message(folder: Path, line: str, message: str) -> None:
    before = sorted(folder.iterdir())
    result = call(folder, f"filter_star {line}")
    assert result.exit_code == 1, result.output
    assert message in result.stderr
    assert result.stderr.count("Error") == 1
    assert "Traceback" not in result.stderr
    assert sorted(folder.iterdir()) == before


def test_a_folder_of_images_is_named_only_where_the_output_has_left_it(folder: Path) -> None:
    beside = call(folder, "filter_star DIR/in.star --tomogram a -o DIR/out.star")
    assert "--datadir" not in beside.stderr
    elsewhere = call(folder, "filter_star DIR/in.star --tomogram a -o DIR/new/out.star")
    assert f"give --datadir {folder}" in elsewhere.stderr


def test_filtering_is_a_step_of_a_pipeline_file(folder: Path) -> None:
    (folder / "steps.yaml").write_text(
        f"steps:\n- filter_star: {{particles: {folder}/in.star, ind: {folder}/ind.txt, "
        f"out: {folder}/some.star}}\n- filter_star: {{particles: {folder}/some.star, tomogram: a, "
        f"out: {folder}/out.star}}\n"
    )
    result = call(folder, "run DIR/steps.yaml")
    assert result.exit_code == 0, result.output
    assert (folder / "out.star").read_text().count("@") == 7


def test_runs_are_exported_by_name(tmp_path: Path, installed_components: Registry) -> None:
    example_run(tmp_path, installed_components)
    result = call(tmp_path, "export DIR/run star -o DIR/out --set options.uncertainty=false")
    assert result.exit_code == 0, result.output
    assert "LatentSd" not in (tmp_path / "out" / "particles_tomodrgn.star").read_text()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("DIR/run relion -o DIR/out", "no installed plugin offers 'relion'"),
        ("DIR star -o DIR/out", "no run.yaml there"),
        ("DIR/run star -o DIR/particles.star", "is a file; name a folder"),
        ("DIR/run star -o DIR/out --set options.prefix=1", "prefix"),
    ],
)
def test_faults_of_export_are_one_message(
    tmp_path: Path, installed_components: Registry, line: str, message: str
) -> None:
    example_run(tmp_path, installed_components)
    result = call(tmp_path, f"export {line}")
    assert result.exit_code == 1, result.output
    assert message in result.stderr
    assert not (tmp_path / "out").exists()
