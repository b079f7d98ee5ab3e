"""A tiny data set to damage, and the command line as it refuses: one message, exit code 1."""

from __future__ import annotations

import os
import resource
import shutil
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from click.testing import CliRunner, Result

from tomodrgn.core.cli.main import cli
from tomodrgn.core.ownership.record import RECORD
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec

Refuse = Callable[..., str]
Accept = Callable[..., Result]
Disk = Callable[[int], AbstractContextManager[None]]

BASICS = ("--seed", 1, "-b", 4, "-n", 1, "--accelerator", "cpu", "--threads", 1, "--no-report")
_NOBODY = 65534
DECODER = ("--layers", 1, "--dim", 8)
NETWORKS = (
    *("--zdim", 2, "--enc-layers-A", 1, "--enc-dim-A", 8, "--out-dim-A", 4, "--enc-dim-B", 8),
    *("--dec-layers", 1, "--dec-dim", 8),
)


@dataclass(frozen=True)
class DataSet:
    """Four particles of three tilts and box 8 in two stacks, to be damaged."""

    star: Path

    @property
    def stacks(self) -> list[Path]:
        return sorted((self.star.parent / "stacks").glob("*.mrcs"))

    @property
    def columns(self) -> list[str]:
        lines = self.star.read_text().splitlines()
        return [line.split()[0].removeprefix("_") for line in lines if line.startswith("_rln")]

    def drop_columns(self, *names: str) -> None:
        kept = [place for place, name in enumerate(self.columns) if name not in names]
        header = [f"_{self.columns[place]} #{n}" for n, place in enumerate(kept, start=1)]
        rows = ["\t".join(row.split()[place] for place in kept) for row in self.rows()]
        self.star.write_text("\n".join(["data_", "", "loop_", *header, *rows, ""]))

    def rows(self) -> list[str]:
        return [line for line in self.star.read_text().splitlines() if "@" in line]

    def set_value(self, column: str, value: str, row: int = 0) -> None:
        text, old = self.star.read_text(), self.rows()[row]
        values = old.split()
        values[self.columns.index(column)] = value
        self.star.write_text(text.replace(old, "\t".join(values)))

    def replace_stack(self, number: int, shape: tuple[int, int, int]) -> None:
        pixels = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        with mrcfile.new(self.stacks[number], overwrite=True) as stack:
            stack.set_data(pixels)
            stack.set_image_stack()


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    outdir = tmp_path_factory.mktemp("pristine") / "data"
    size = {"n_particles": 4, "n_tilts": 3, "n_tomograms": 2, "box_size_px": 8}
    simulate(SimulationSpec(outdir=outdir, pixel_size_a=20.0, n_classes=2, snr=0.5, **size))
    return outdir


@pytest.fixture
def data(pristine: Path, tmp_path: Path) -> DataSet:
    return DataSet(shutil.copytree(pristine, tmp_path / "data") / "particles.star")


@pytest.fixture(scope="session")
def accept() -> Accept:
    """Run a command that succeeds."""

    def run(*words: object) -> Result:
        result = CliRunner().invoke(cli, [str(word) for word in words])
        assert result.exit_code == 0, _told(result)
        return result

    return run


@pytest.fixture(scope="session")
def refuse() -> Refuse:
    """Run a command that refuses its input; the one message that it shows."""

    def run(*words: object) -> str:
        result = CliRunner().invoke(cli, [str(word) for word in words])
        assert isinstance(result.exception, SystemExit), _told(result)
        assert result.exit_code == 1, _told(result)
        before, error, message = result.stderr.partition("Error: ")
        assert error
        assert "Error: " not in message
        assert "Traceback" not in before + message
        return message.strip()

    return run


@pytest.fixture
def refuse_training(refuse: Refuse, data: DataSet, tmp_path: Path) -> Refuse:
    """Training on the data set refuses; it must not have written anything."""

    def run(*options: object, star: Path | None = None, leaves: tuple[str, ...] = ()) -> str:
        outdir = tmp_path / "run"
        call = ["train_nn", star or data.star, "-o", outdir, *DECODER, *BASICS, *options]
        message = refuse(*call)
        left = {path.name for path in outdir.iterdir()} if outdir.exists() else set()
        assert left - {RECORD} == set(leaves)
        return message

    return run


@pytest.fixture(scope="session")
def homogeneous_run(
    pristine: Path, accept: Accept, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    outdir = tmp_path_factory.mktemp("runs") / "nn"
    accept("train_nn", pristine / "particles.star", "-o", outdir, *DECODER, *BASICS)
    return outdir


@pytest.fixture(scope="session")
def latent_run(pristine: Path, accept: Accept, tmp_path_factory: pytest.TempPathFactory) -> Path:
    outdir = tmp_path_factory.mktemp("runs") / "vae"
    accept("train_vae", pristine / "particles.star", "-o", outdir, *NETWORKS, *BASICS)
    return outdir


@pytest.fixture
def small_disk() -> Disk:
    """Files cannot grow beyond some bytes while the block runs, as on a full disk."""

    @contextmanager
    def limit(n_bytes: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limit


@pytest.fixture
def forbidden(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody may enter; even root gives up its rights meanwhile."""
    folder = tmp_path / "forbidden"
    folder.mkdir()
    folder.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(_NOBODY)
    yield folder
    os.seteuid(user)
    folder.chmod(0o700)


def _told(result: Result) -> str:
    error = result.exception
    return result.output + "".join(traceback.format_exception(error) if error else [])
