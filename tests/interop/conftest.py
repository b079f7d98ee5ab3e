"""Other programs as users call them, from the environments that ``make test-interop`` makes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.conftest import Command, tomodrgn

__all__ = ["cryodrgn", "cryodrgn_utils", "recovar", "tomodrgn", "zarr_particle_extract"]

ENVIRONMENTS = {
    "CRYODRGN": ".venv-cryodrgn/bin/cryodrgn",
    "RECOVAR": ".venv-recovar/bin/recovar",
    "ZARR_PARTICLE_EXTRACT": ".venv-zarr-particle-tools/bin/zarr-particle-extract",
}
"""Programs in the folder of the Makefile, by the variable that names one elsewhere."""


@pytest.fixture(scope="session")
def cryodrgn() -> Command:
    """Runs ``cryodrgn`` in a process of its own; what it prints is in its output."""
    return _command(_installed("CRYODRGN"))


@pytest.fixture(scope="session")
def cryodrgn_utils() -> Command:
    """Runs ``cryodrgn_utils`` likewise."""
    return _command(_installed("CRYODRGN").with_name("cryodrgn_utils"))


@pytest.fixture(scope="session")
def recovar() -> Command:
    """Runs ``recovar`` likewise."""
    return _command(_installed("RECOVAR"))


@pytest.fixture(scope="session")
def zarr_particle_extract() -> Command:
    """Runs ``zarr-particle-extract`` likewise."""
    return _command(_installed("ZARR_PARTICLE_EXTRACT"))


def _installed(variable: str) -> Path:
    """The program; the test is skipped without it."""
    default = Path(__file__).parents[2] / ENVIRONMENTS[variable]
    program = shutil.which(os.environ.get(variable, default))
    if program is None:
        name = default.name
        pytest.skip(f"{name} is not installed; call make test-interop, or set {variable} to it")
    return Path(program)


def _command(program: Path) -> Command:
    """Calls a program with some words, in a folder if one is given."""
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    settings = {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg", "JAX_PLATFORMS": "cpu"}

    def run(
        *arguments: object, check: bool = True, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [program, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=outside | settings,
            check=False,
            cwd=cwd,
        )
        if check:
            assert done.returncode == 0, done.stdout
        return done

    return run
