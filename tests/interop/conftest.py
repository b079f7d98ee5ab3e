"""cryoDRGN as its users call it, from the environment that ``make test-interop`` makes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.conftest import Command, tomodrgn

__all__ = ["cryodrgn", "tomodrgn"]

CRYODRGN = Path(__file__).parents[2] / ".venv-cryodrgn" / "bin" / "cryodrgn"


@pytest.fixture(scope="session")
def cryodrgn() -> Command:
    """Runs ``cryodrgn`` in a process of its own; what it prints is in its output."""
    program = shutil.which(os.environ.get("CRYODRGN", CRYODRGN))
    if program is None:
        pytest.skip("cryoDRGN is not installed; call make test-interop, or set CRYODRGN to it")
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [program, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=outside | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"},
            check=False,
        )
        if check:
            assert done.returncode == 0, done.stdout
        return done

    return run
