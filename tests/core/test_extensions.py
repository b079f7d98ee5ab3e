"""What plugins add to commands: a covariate, a check, a section, a clustering, each by itself."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

from tests.core.finished_run import finish_run
from tomodrgn.core.cli.main import cli, offered_commands
from tomodrgn.core.data.calls import PythonCommand
from tomodrgn.core.data.run import Run
from tomodrgn.core.errors import DataError, SpecError
from tomodrgn.core.manager import load_plugins
from tomodrgn.core.registry import Registry
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import PluginMaker

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugins" / "one_file"
N = 40

ADDING = """
from __future__ import annotations
import numpy as np
from tomodrgn.plugin import Extension, Table, hookimpl

def halves(latents, n_clusters, *, seed):
    return np.arange(len(latents)) * n_clusters // len(latents)

def wrong(latents, n_clusters, *, seed):
    return np.zeros(3)

def breaks(*arguments):
    raise RuntimeError("half written")

@hookimpl
def tomodrgn_extensions():
    for point, function in (("clustering", "halves"), ("clustering", "wrong"),
                            ("covariate", "breaks"), ("check", "breaks")):
        yield Extension(point=point, name=function, function=f"{__name__}:{function}", summary="")
"""


@pytest.fixture(scope="module")
def star(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(SimulationSpec(
        outdir=tmp_path_factory.mktemp("set"), n_particles=N, n_tilts=3, box_size_px=8,
        format="warptools", n_tomograms=2,
    ))  # fmt: skip


@pytest.fixture(scope="module")
def latents() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((N, 2))


@pytest.fixture
def crowding(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """Built-in plugins and the example of one file."""
    monkeypatch.syspath_prepend(EXAMPLE)
    monkeypatch.setenv("TOMODRGN_PLUGINS", "crowding")
    offered_commands.cache_clear()
    yield Registry(load_plugins(external=()))
    sys.modules.pop("crowding", None)
    offered_commands.cache_clear()


def test_the_example_is_short_and_sound(crowding: Registry) -> None:
    assert len((EXAMPLE / "crowding.py").read_text().splitlines()) < 120
    done = CliRunner().invoke(cli, ["plugins", "check"])
    assert (done.exit_code, crowding.faults) == (0, [])


def test_its_command_counts_neighbors(
    crowding: Registry, star: Path, latents: np.ndarray, tmp_path: Path
) -> None:
    run = finish_run(tmp_path / "run", star, latents, crowding)
    done = CliRunner().invoke(cli, ["crowding", str(run), "--radius", "1e6"])
    assert done.stdout == "19.00 neighbors on average, 19 at most\n"  # of 20 in each tomogram
    assert Run(run, crowding).crowding(radius_a=1e-3).n_neighbors.tolist() == [0] * N


def test_its_covariate_is_held_against_latents(
    crowding: Registry, star: Path, latents: np.ndarray, tmp_path: Path
) -> None:
    run = Run(finish_run(tmp_path / "run", star, latents, crowding), crowding)
    counted = importlib.import_module("crowding").neighbors(run.particles).astype(float)
    latents = latents.copy()
    latents[:, 0] += 4 * (counted - counted.mean()) / counted.std()
    found = finish_run(tmp_path / "crowded", star, latents, crowding)
    report = Run(found, crowding).nuisance()
    assert "neighbors" in {each.name for each in report.worrying}


def test_its_check_warns(
    crowding: Registry, star: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of particles at one place; the set has none."""
    check = PythonCommand(crowding.command("check"), crowding)
    assert "crowding" not in check(star, outdir=tmp_path / "a", no_tests=True).page()
    module = importlib.import_module("crowding")
    monkeypatch.setattr(module, "neighbors", lambda particles, _: np.eye(N)[0] + np.eye(N)[3])
    page = check(star, outdir=tmp_path / "b", no_tests=True).page()
    assert "crowding" in page
    assert "2 particles lie within 10 A of another" in " ".join(page.split())


def test_what_fails_is_left_out_in_words(
    make_plugins: PluginMaker, star: Path, latents: np.ndarray, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    registry = Registry(make_plugins(adding=ADDING))
    run = Run(finish_run(tmp_path / "run", star, latents, registry), registry)
    assert "breaks" not in {each.name for each in run.nuisance().influences}
    assert "covariate breaks is left out: RuntimeError: half written" in caplog.text


def test_clusters_of_a_plugin_are_written_like_others(
    make_plugins: PluginMaker, star: Path, latents: np.ndarray, tmp_path: Path
) -> None:
    from tomodrgn.core.files.labels import read_labels

    registry = Registry(make_plugins(adding=ADDING))
    run = Run(finish_run(tmp_path / "run", star, latents, registry), registry)
    (run.directory / "weights.pkl").touch()
    few = {"skip_umap": True, "skip_vol": True, "report": False, "ksample": 2, "epoch": -1}
    folder = run.analyze(clustering=["halves=4"], **few)
    labels = read_labels(folder / "halves4" / "labels.pkl")
    assert np.bincount(labels).tolist() == [10] * 4
    assert len(set(labels[:10].tolist())) == 1
    recorded = (run.directory / "labels.jsonl").read_text().splitlines()
    assert any("halves4" in json.loads(line)["file"] for line in recorded)
    with pytest.raises(SpecError, match=r"no installed plugin offers the clustering 'halvs'. Did"):
        run.analyze(clustering=["halvs=4"], **few)
    with pytest.raises(DataError, match=r"labels have shape \(3,\), there are 40 latents"):
        run.analyze(clustering=["wrong=2"], **few)
