"""A folder with a small set for each page, and ``tomodrgn`` and ``python`` as commands."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.docs import warm_python
from tests.docs.pages import ROOT
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec

_PYTHON = """#!/bin/sh
case "$1" in -m|-) exec "{python}" -S -E "{program}" call "{socket}" "$@"; esac
exec "{python}" "$@"
"""
_TOMODRGN = """#!/bin/sh
exec python -m tomodrgn "$@"
"""


@pytest.fixture(scope="session")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with twelve particles of box 16 with 3 to 5 tilts, as Warp writes them."""
    spec = SimulationSpec(
        outdir=tmp_path_factory.mktemp("small_set"),
        n_particles=12,
        n_classes=2,
        box_size_px=16,
        pixel_size_a=20.0,
        n_tilts=5,
        min_tilts=3,
        n_tomograms=3,
        snr=0.5,
    )
    return simulate(spec).parent


@pytest.fixture
def folder(small_set: Path, tmp_path: Path) -> Path:
    """Where a page is tried."""
    folder = tmp_path / "page"
    folder.mkdir()
    shutil.copytree(small_set / "stacks", folder / "images")
    star = (small_set / "particles.star").read_text()
    # not stacks/, the name in sets that pages simulate: a stack in the current folder comes first
    (folder / "particles.star").write_text(star.replace("@stacks/", "@images/"))
    return folder


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory, warm_socket: Path) -> dict[str, str]:
    """Environment of a reader who has the program and the folder of the example plugin."""
    programs = tmp_path_factory.mktemp("programs")
    program = Path(warm_python.__file__)
    python = _PYTHON.format(python=sys.executable, program=program, socket=warm_socket)
    for name, text in (("python", python), ("tomodrgn", _TOMODRGN)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    example = ROOT / "examples" / "plugins" / "gaussian_mixture"
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(programs), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(example)]),
        "PYTEST_ADDOPTS": "-p tomodrgn.core.testing.pytest_plugin -p no:cacheprovider",
        "OMP_NUM_THREADS": "1",
    }
