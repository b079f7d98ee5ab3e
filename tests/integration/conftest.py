"""A small simulated set on disk, and the command line as a user calls it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

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


class Training:
    """A training in a process of its own, to be ended from outside."""

    def __init__(self, socket: Path, messages: IO[bytes], words: list[object]) -> None:
        self._messages = messages
        call = list(map(str, ["-m", "tomodrgn", "train_vae", *words]))
        self._process = warm_python.Process(str(socket), call, (messages.fileno(),) * 3)

    @property
    def pid(self) -> int:
        """Number of the process."""
        return int(self._process.pid)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.is_running

    def send(self, number: signal.Signals, after: Path) -> None:
        """Wait for a file, and send a signal."""
        self.await_file(after)
        os.kill(self._process.pid, number)

    def await_file(self, after: Path) -> None:
        """Wait for a file."""
        limit = time.monotonic() + 60
        while not after.exists():
            assert self._process.is_running, warm_python.text_of(self._messages)
            assert time.monotonic() < limit
            time.sleep(0.005)

    def kill(self) -> None:
        """End it, unless it has ended."""
        if self._process.is_running:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def end(self) -> tuple[int, str]:
        """Its exit code and what it said."""
        return self._process.wait(), warm_python.text_of(self._messages)


Begin = Callable[..., Training]


@pytest.fixture
def begin(warm_socket: Path) -> Iterator[Callable[..., Training]]:
    """Begins a training; none outlives the test."""
    with ExitStack() as stack:

        def call(star: Path, outdir: Path, *options: object) -> Training:
            messages = stack.enter_context(TemporaryFile())
            words = [star, "-o", outdir, *SMALL_NETWORK, *options]
            training = Training(warm_socket, messages, words)
            stack.callback(training.kill)
            return training

        yield call


def shuffle_rows(star: Path, name: str) -> Path:
    """Write the same images in another order beside a STAR file, and say where."""
    lines = star.read_text().splitlines()
    header = [line for line in lines if line and "@" not in line]
    rows = [line for line in lines if "@" in line]
    order = np.random.default_rng(0).permutation(len(rows))
    shuffled = star.with_name(name)
    shuffled.write_text("\n".join([*header, *(rows[i] for i in order), ""]))
    return shuffled
