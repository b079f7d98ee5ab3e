"""Sets that do not say whether their images are CTF-premultiplied: their noise does, or nobody."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

from tomodrgn.core.cli.main import cli
from tomodrgn.core.files.mrc import read_mrc_header, write_stack
from tomodrgn.core.specs.files import read_spec

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

SIZE = ["--n-particles", "20", "--n-tomograms", "2", "--box-size-px", "32", "--pixel-size-a", "8",
        "--n-tilts", "9", "--tilt-step-deg", "8", "--snr", "0.5", "--seed", "4"]  # fmt: skip


def _run(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def _without_statement(folder: Path, *options: str) -> Path:
    """A RELION 5 set whose optics table lacks the column; its optimisation set."""
    made = _run("simulate", "-o", folder, "--format", "relion5", *SIZE, *options)
    assert made.exit_code == 0, made.output
    for path in folder.glob("*.star"):
        text = path.read_text()
        path.write_text(text.replace("rlnCtfDataAreCtfPremultiplied", "rlnNobodyKnows"))
    return folder / "optimisation_set.star"


@pytest.mark.parametrize("multiplied", [True, False])
def test_noise_tells_the_state(*, multiplied: bool, tmp_path: Path) -> None:
    option = "--ctf-premultiplied" if multiplied else "--no-ctf-premultiplied"
    star = _without_statement(tmp_path / "set", option)
    result = _run("prepare", star, "--cache", tmp_path / "cache.h5")
    assert result.exit_code == 0, result.output
    assert f"by their noise they are {'premultiplied' if multiplied else 'raw'}" in result.stderr


@pytest.mark.slow
def test_the_state_that_was_found_is_recorded_with_the_run(tmp_path: Path) -> None:
    star = _without_statement(tmp_path / "set", "--ctf-premultiplied")
    result = _run("train_linear", star, "-o", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert read_spec(tmp_path / "run" / "run.yaml")["image_state"]["ctf_premultiplied"] is True


@pytest.mark.slow
def test_the_state_that_was_found_is_recorded_beside_the_one_that_is_stated(tmp_path: Path) -> None:
    """A file of two sessions that a script joined: one states the column, one has none."""
    star = _without_statement(tmp_path / "set", "--ctf-premultiplied")
    path = tmp_path / "set" / "particles.star"
    lines = path.read_text().replace("rlnNobodyKnows", "rlnCtfDataAreCtfPremultiplied").splitlines()
    begin = lines.index("data_particles")
    place = [line.split()[0] for line in lines[:begin] if " #" in line].index(
        "_rlnCtfDataAreCtfPremultiplied"
    )
    at = next(row for row, line in enumerate(lines[:begin]) if line.startswith("1\t"))
    stated, silent = lines[at].split("\t"), lines[at].split("\t")
    stated[place], silent[0], silent[place] = "0", "2", "<NA>"
    lines[at] = "\t".join(stated) + "\n" + "\t".join(silent)
    columns = [line.split()[0] for line in lines[begin:] if " #" in line]
    for row in range(begin, len(lines)):
        values = lines[row].split("\t")
        if len(values) == len(columns) and values[0].startswith("sim_002"):
            values[columns.index("_rlnOpticsGroup")] = "2"
            lines[row] = "\t".join(values)
    path.write_text("\n".join(lines) + "\n")
    result = _run("train_linear", star, "-o", tmp_path / "run", "--zdim", "1")
    assert result.exit_code == 0, result.output
    state = read_spec(tmp_path / "run" / "run.yaml")["image_state"]
    assert (state["ctf_premultiplied"], state["found_ctf_state"]) == (None, "premultiplied")


def test_images_that_do_not_tell_are_refused_with_both_options(tmp_path: Path) -> None:
    star = _without_statement(tmp_path / "set")
    for stack in (tmp_path / "set").rglob("*.mrcs"):
        shape = read_mrc_header(stack).shape
        write_stack(stack, np.zeros(shape, np.float32), 8.0)
    refused = _run("prepare", star, "--cache", tmp_path / "cache.h5")
    assert refused.exit_code == 1
    assert "give --ctf-premultiplied or --not-ctf-premultiplied" in refused.stderr
    checked = _run("check", star, "-o", tmp_path / "check", "--no-tests")
    found = json.loads((tmp_path / "check" / "check.json").read_text())["findings"]
    assert "does not say whether images are CTF-premultiplied" in found[0]["text"], checked.output
    kept = _run("filter_star", star, "--first-nptcls", 3, "-o", tmp_path / "kept.star")
    assert "CTF" not in kept.output
