"""A small simulated set on disk, and the command line as a user calls it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.docs import warm_python
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec

Command = Callable[..., subprocess.CompletedProcess[str]]

SMALL_NETWORK = shlex.split(
    "--dec-dim 16 --dec-layers 1 --enc-dim-A 16 --enc-layers-A 1 --out-dim-A 8 --enc-dim-B 16 "
    "--pe-dim 4 --zdim 2 --seed 1 --lr 0.001 -b 4 --accelerator cpu --threads 1 "
    "--no-report"
)


@pytest.fixture(scope="session")
def star(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve particles of box 16 with 3 to 5 tilts, as Warp writes them."""
    return simulate(
        SimulationSpec(
            outdir=tmp_path_factory.mktemp("data"),
            n_particles=12,
            n_classes=2,
            box_size_px=16,
            pixel_size_a=20.0,
            n_tilts=5,
            min_tilts=3,
            n_tomograms=3,
            snr=0.5,
            seed=0,
        )
    )


@pytest.fixture(scope="session")
def tomodrgn(warm_socket: Path) -> Command:
    """Runs ``tomodrgn`` in a process of its own, which has torch at hand."""

    def run(*arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = warm_python.run(warm_socket, ["-m", "tomodrgn", *arguments])
        if check:
            assert done.returncode == 0, done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def cold_tomodrgn() -> Command:
    """Runs ``tomodrgn`` from its very start, for what depends on imports or on how it ends."""

    def run(*arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        call = [sys.executable, "-m", "tomodrgn", *map(str, arguments)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(call, capture_output=True, text=True, env=environment, check=False)
        if check:
            assert done.returncode == 0, done.stderr
        return done

    return run


def shuffle_rows(star: Path, name: str) -> Path:
    """Write the same images in another order beside a STAR file, and say where."""
    lines = star.read_text().splitlines()
    header = [line for line in lines if line and "@" not in line]
    rows = [line for line in lines if "@" in line]
    order = np.random.default_rng(0).permutation(len(rows))
    shuffled = star.with_name(name)
    shuffled.write_text("\n".join([*header, *(rows[i] for i in order), ""]))
    return shuffled
