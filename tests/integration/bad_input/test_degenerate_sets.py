"""Sets from which little can be learned end in results or in one message, and results are numbers.

No error of numpy, torch or scikit-learn comes through.
"""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from click.testing import CliRunner

from tests.integration.bad_input.conftest import BASICS, NETWORKS, DataSet
from tomodrgn.core.cli.main import cli
from tomodrgn.core.files.mrc import read_volume
from tomodrgn.core.files.pickles import read_latents
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec

VAE = (*NETWORKS, *BASICS, "--pooling-function", "mean")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty particles, enough for two models of halves."""
    outdir = tmp_path_factory.mktemp("many") / "data"
    size = {"n_particles": 40, "n_tilts": 3, "n_tomograms": 2, "box_size_px": 8}
    simulate(SimulationSpec(outdir=outdir, pixel_size_a=20.0, n_classes=1, snr=0.5, **size))
    return outdir


def _keep_rows(number: int) -> Callable[[DataSet], None]:
    def keep(data: DataSet) -> None:
        header = [line for line in data.star.read_text().splitlines() if "@" not in line]
        data.star.write_text("\n".join([*header, *data.rows()[:number], ""]))

    return keep


def _fill(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[DataSet], None]:
    def fill(data: DataSet) -> None:
        for path in data.stacks:
            with mrcfile.open(path, mode="r+") as stack:
                stack.data[:] = change(np.array(stack.data))

    return fill


def _first_is_nan(pixels: np.ndarray) -> np.ndarray:
    pixels[0, 3, 3] = np.nan
    return pixels


SETS: dict[str, Callable[[DataSet], None]] = {
    "one image": _keep_rows(1),
    "one particle": _keep_rows(3),
    "two particles": _keep_rows(6),
    "equal images": _fill(lambda pixels: np.broadcast_to(pixels[:1], pixels.shape)),
    "flat images": _fill(lambda pixels: np.full_like(pixels, 7.0)),
    "empty images": _fill(np.zeros_like),
    "a pixel that is no number": _fill(_first_is_nan),
}
FEW = ("one image", "one particle", "two particles")


@pytest.fixture
def damaged(request: pytest.FixtureRequest, many: Path, tmp_path: Path) -> Path:
    """The STAR file of one of the sets."""
    data = DataSet(shutil.copytree(many, tmp_path / "data") / "particles.star")
    SETS[request.param](data)
    return data.star


def _run(*words: object) -> str:
    """What a command says when it succeeds, or refuses in one message; nothing else may happen."""
    result = CliRunner().invoke(cli, [str(word) for word in words])
    if result.exception is not None:
        assert isinstance(result.exception, SystemExit), repr(result.exception)
        assert result.exit_code == 1
        assert "Traceback" not in result.output
    assert "Warning" not in result.output
    return str(result.output)


def _require_numbers(folder: Path) -> None:
    """Everything that was written is finite."""
    for path in folder.rglob("*"):
        if path.suffix == ".mrc":
            assert np.isfinite(read_volume(path)[0]).all(), path
        elif path.name in ("z.pkl", "z.0.pkl"):
            assert all(np.isfinite(part).all() for part in read_latents(path)), path
        elif path.suffix in (".json", ".jsonl"):
            text = path.read_text()
            for line in text.splitlines() if path.suffix == ".jsonl" else [text]:
                json.loads(line, parse_constant=pytest.fail)


@pytest.mark.parametrize("damaged", SETS, indirect=True)
def test_maps_and_checks_end_well(damaged: Path, tmp_path: Path) -> None:
    _run("backproject_voxel", damaged, "-o", tmp_path / "out" / "map.mrc")
    _run("check", damaged, "-o", tmp_path / "out" / "check", "--no-tests")
    _require_numbers(tmp_path / "out")


@pytest.mark.parametrize(
    "damaged", sorted(SETS.keys() - {"flat images"}), indirect=True
)  # as empty ones
def test_training_and_what_follows_end_well(damaged: Path, tmp_path: Path) -> None:
    run = tmp_path / "out" / "run"
    _run("train_vae", damaged, "-o", run, *VAE)
    if (run / "z.pkl").exists():
        labels = tmp_path / "labels.pkl"
        labels.write_bytes(pickle.dumps(np.arange(len(read_latents(run / "z.pkl")[0])) % 2))
        _run("validate", run, "--labels", labels)
        _run("analyze", run, "--epoch", -1, "--ksample", 2, "--skip-umap")
    _require_numbers(tmp_path / "out")


@pytest.mark.parametrize("damaged", FEW, indirect=True)
@pytest.mark.parametrize("command", ["train_linear", "classify"])
def test_linear_models_of_few_particles_say_how_many_they_need(
    command: str, damaged: Path, tmp_path: Path
) -> None:
    size = ("--zdim", 2) if command == "train_linear" else ("-K", 2)
    said = _run(command, damaged, "-o", tmp_path / "out", *size)
    assert "need 8 in each; take more particles" in said or "has one tilt image" in said


@pytest.mark.parametrize("damaged", ["equal images", "empty images"], indirect=True)
@pytest.mark.parametrize("command", ["train_linear", "classify"])
def test_linear_models_of_images_without_differences_end_well(
    command: str, damaged: Path, tmp_path: Path
) -> None:
    size = ("--zdim", 2) if command == "train_linear" else ("-K", 2)
    _run(command, damaged, "-o", tmp_path / "out" / "run", *size)
    _require_numbers(tmp_path / "out")
