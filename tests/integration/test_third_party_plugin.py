"""A decoder in its own installed package is found, listed, checked and trained."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

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


def _tomodrgn(environment: dict[str, str], *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tomodrgn", *map(str, words)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def _listed(environment: dict[str, str], *words: str) -> dict[str, Any]:
    finished = _tomodrgn(environment, *words, "plugins", "list", "--json")
    assert finished.returncode == 0, finished.stderr
    listed: dict[str, Any] = json.loads(finished.stdout)
    return listed


def test_installed_decoder_is_listed_with_its_package(environment: dict[str, str]) -> None:
    rows = {row["kind"]: row for row in _listed(environment)["components"]}
    assert rows["gaussian_mixture"]["family"] == "decoder"
    assert rows["gaussian_mixture"]["provided_by"] == "tomodrgn-gaussian-mixture 0.1.0"


def test_plugin_that_raises_is_named_with_its_reason(environment: dict[str, str]) -> None:
    (problem,) = _listed(environment)["problems"]
    assert problem["package"] == "broken-plugin 2.0"
    assert problem["reason"] == "RuntimeError: half written"


def test_help_works_beside_a_plugin_that_raises(environment: dict[str, str]) -> None:
    finished = _tomodrgn(environment, "--help")
    assert finished.returncode == 0
    assert "train_vae" in finished.stdout


def test_plugin_left_out_is_not_listed(environment: dict[str, str]) -> None:
    listed = _listed(environment, "--without", "broken", "--without", "gaussian_mixture")
    assert listed["problems"] == []
    assert "gaussian_mixture" not in {row["kind"] for row in listed["components"]}


def test_check_imports_the_decoder(environment: dict[str, str]) -> None:
    finished = _tomodrgn(environment, "--without", "broken", "plugins", "check")
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_decoder_passes_the_contract_from_outside(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    plugin = ["-p", "tomodrgn.core.testing.pytest_plugin", "--rootdir", PACKAGE / "tests"]
    finished = subprocess.run(
        [*command, *plugin, PACKAGE / "tests"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout


def test_decoder_is_trained(environment: dict[str, str], tmp_path: Path) -> None:
    example, run = tmp_path / "example", tmp_path / "run"
    copied = _tomodrgn(environment, "simulate", "--example", example)
    assert copied.returncode == 0, copied.stderr
    particles = copied.stdout.strip().splitlines()[-1]
    small = ["-n", "1", "--zdim", "2", "--set", "decoder.n_blobs=8", "--enc-dim-A", "8"]
    decoder = ["--set", "decoder.kind=gaussian_mixture", "--accelerator", "cpu", "--no-report"]
    trained = _tomodrgn(environment, "train_vae", particles, "-o", run, *decoder, *small)
    assert trained.returncode == 0, trained.stderr
    assert (run / "weights.pkl").is_file()
    assert "kind: gaussian_mixture" in (run / "run.yaml").read_text()
