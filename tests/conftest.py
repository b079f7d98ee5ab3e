"""Shared by all tests: the contract kit's plugin, one thread per process, and warm processes."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests import shortcuts
from tests.docs import warm_python

pytest_plugins = ["tomodrgn.core.testing.pytest_plugin"]

os.environ.setdefault("OMP_NUM_THREADS", "1")
shortcuts.take()


def pytest_collection_finish() -> None:
    """Look for cycles only among what tests make, not among modules and tests, which stay."""
    gc.freeze()


@pytest.fixture
def rendered() -> Iterator[None]:
    """Pictures are rendered, as they are looked at; see :mod:`tests.shortcuts`."""
    with shortcuts.rendering():
        yield


# The same examples in every run, so that nobody is stopped by the draw of another.
settings.register_profile("few", max_examples=25, derandomize=True, deadline=None, database=None)
settings.register_profile("many", max_examples=2000, deadline=None, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "few"))


@pytest.fixture(scope="session")
def warm_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where processes are had that need not import torch; see :mod:`tests.docs.warm_python`."""
    path = tmp_path_factory.mktemp("warm") / "socket"
    root = str(Path(__file__).parents[1])
    places = [root, os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, places))}
    serve = [sys.executable, warm_python.__file__, "serve", str(path)]
    with subprocess.Popen(serve, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        yield path
        server.terminate()
