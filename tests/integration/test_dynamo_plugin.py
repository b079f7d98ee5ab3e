"""A reader and an exporter in their own installed package: found, tested, trained with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.docs import warm_python

Python = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "examples" / "plugins" / "tomodrgn-dynamo"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment with the package installed."""
    folder = tmp_path_factory.mktemp("installed")
    source, site = folder / "source", folder / "site"
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__", "tests"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--no-build-isolation", "--target", site, source], check=True)
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]),
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture(scope="module")
def python(environment: dict[str, str], warm_socket: Path) -> Python:
    """Runs ``python`` in this environment."""
    return lambda *words: warm_python.run(warm_socket, words, environment)


@pytest.fixture(scope="module")
def table(python: Python, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small set of six particles."""
    folder = tmp_path_factory.mktemp("small")
    assert python(PACKAGE / "tests" / "small_set.py", folder).returncode == 0
    return folder / "particles.tbl"


def test_package_passes_its_own_tests(python: Python) -> None:
    warm = ["-W", "ignore:Module already imported"]
    pytest_in = [
        "-m",
        "pytest",
        "-q",
        *warm,
        "-p",
        "no:cacheprovider",
        "-c",
        PACKAGE / "pyproject.toml",
    ]
    plugin = ["-p", "tomodrgn.core.testing.pytest_plugin"]
    finished = python(*pytest_in, *plugin, PACKAGE / "tests")
    assert finished.returncode == 0, finished.stdout


def test_components_are_sound(python: Python) -> None:
    finished = python("-m", "tomodrgn", "plugins", "check")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    shown = python("-m", "tomodrgn", "plugins", "show", "reader", "dynamo_table")
    assert "tomodrgn-dynamo 0.1.0" in shown.stdout


def test_table_is_trained_on_and_exported(python: Python, table: Path, tmp_path: Path) -> None:
    """Without any option that names the format."""
    run, out = tmp_path / "run", tmp_path / "out"
    small = ["-n", "1", "--zdim", "2", "--enc-dim-A", "8", "--dec-dim", "8", "--no-report"]
    words = ["train_vae", table, "-o", run, "--accelerator", "cpu", *small]
    trained = python("-m", "tomodrgn", *words)
    assert trained.returncode == 0, trained.stderr
    exported = python("-m", "tomodrgn", "export", run, "dynamo_table", "-o", out)
    assert exported.returncode == 0, exported.stderr
    before, after = np.loadtxt(table), np.loadtxt(out / "particles.tbl")
    np.testing.assert_array_equal(after[:, 0], before[:, 0])  # tags
    where = (before[:, 23:26] + before[:, 3:6]) * before[:, [35]]
    np.testing.assert_allclose(after[:, 23:26] * after[:, [35]], where, atol=1e-4)
    np.testing.assert_allclose(after[:, 6:9], before[:, 6:9], atol=1e-4)


def test_missing_stack_ends_in_one_message(python: Python, table: Path, tmp_path: Path) -> None:
    for name in ("particles.tbl", "tilts.csv"):
        shutil.copy(table.with_name(name), tmp_path)
    words = ["train_nn", tmp_path / "particles.tbl", "-o", tmp_path / "run", "-n", "1"]
    finished = python("-m", "tomodrgn", *words)
    assert finished.returncode == 1
    assert "particle_00010.mrcs: cannot be read: No such file" in finished.stderr
    assert "Traceback" not in finished.stderr
