"""A decoder in its own installed package is found, listed, checked and trained."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.docs import warm_python

Python = Callable[..., subprocess.CompletedProcess[str]]

PACKAGE = Path(__file__).parents[2] / "examples" / "plugins" / "gaussian_mixture"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment with the example package, and with one that cannot be imported."""
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__", "tests"))
    _install(source, folder / "site")
    _install(_broken_package(folder / "broken"), folder / "site")
    path = os.pathsep.join([str(folder / "site"), str(Path(__file__).parents[2])])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def _install(source: Path, site: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*command, "--no-build-isolation", "--target", site, source], check=True)


def _broken_package(folder: Path) -> Path:
    (folder / "broken_plugin").mkdir(parents=True)
    (folder / "broken_plugin" / "__init__.py").write_text("raise RuntimeError('half written')\n")
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "broken-plugin"\nversion = "2.0"\n'
        '[project.entry-points.tomodrgn]\nbroken = "broken_plugin"\n'
    )
    return folder


@pytest.fixture(scope="module")
def python(environment: dict[str, str], warm_socket: Path) -> Python:
    """Runs ``python`` in this environment."""
    return lambda *words: warm_python.run(warm_socket, words, environment)


def _listed(python: Python, *words: str) -> dict[str, Any]:
    finished = python("-m", "tomodrgn", *words, "plugins", "list", "--json")
    assert finished.returncode == 0, finished.stderr
    listed: dict[str, Any] = json.loads(finished.stdout)
    return listed


def test_installed_decoder_is_listed_with_its_package(python: Python) -> None:
    rows = {row["kind"]: row for row in _listed(python)["components"]}
    assert rows["gaussian_mixture"]["family"] == "decoder"
    assert rows["gaussian_mixture"]["provided_by"] == "tomodrgn-gaussian-mixture 0.1.0"


def test_plugin_that_raises_is_named_with_its_reason(python: Python) -> None:
    (problem,) = _listed(python)["problems"]
    assert problem["package"] == "broken-plugin 2.0"
    assert problem["reason"] == "RuntimeError: half written"


def test_help_works_beside_a_plugin_that_raises(python: Python) -> None:
    finished = python("-m", "tomodrgn", "--help")
    assert finished.returncode == 0
    assert "train_vae" in finished.stdout


def test_plugin_left_out_is_not_listed(python: dict[str, str]) -> None:
    listed = _listed(python, "--without", "broken", "--without", "gaussian_mixture")
    assert listed["problems"] == []
    assert "gaussian_mixture" not in {row["kind"] for row in listed["components"]}


def test_check_imports_the_decoder(python: Python) -> None:
    finished = python("-m", "tomodrgn", "--without", "broken", "plugins", "check")
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_decoder_passes_the_contract_from_outside(python: Python) -> None:
    quiet = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", PACKAGE / "tests"]
    plugin = ["-p", "tomodrgn.core.testing.pytest_plugin", "-W", "ignore:Module already imported"]
    finished = python(*quiet, *plugin, PACKAGE / "tests")
    assert finished.returncode == 0, finished.stdout


def test_decoder_is_trained(python: Python, tmp_path: Path) -> None:
    example, run = tmp_path / "example", tmp_path / "run"
    copied = python("-m", "tomodrgn", "simulate", "--example", example)
    assert copied.returncode == 0, copied.stderr
    particles = copied.stdout.strip().splitlines()[-1]
    small = ["-n", "1", "--zdim", "2", "--set", "decoder.n_blobs=8", "--enc-dim-A", "8"]
    decoder = ["--set", "decoder.kind=gaussian_mixture", "--accelerator", "cpu", "--no-report"]
    trained = python("-m", "tomodrgn", "train_vae", particles, "-o", run, *decoder, *small)
    assert trained.returncode == 0, trained.stderr
    assert (run / "weights.pkl").is_file()
    assert "kind: gaussian_mixture" in (run / "run.yaml").read_text()
