"""A small image series in the columns of Warp 1: three particles, two stacks, ragged tilts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from tomodrgn.core.files.mrc import write_stack
from tomodrgn.core.files.star import write_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BOX_SIZE_PX = 8
PARTICLES = ("001_000001", "001_000001", "001_000001", "001_000007", "001_000007", "002_01")
TOMOGRAMS = ("TS_1.tomostar",) * 5 + ("TS_10.tomostar",)
DOSES_E_PER_A2 = (6.0, 0.0, 3.0, 0.0, 3.0, 0.0)
TILTS_DEG = (-3.0, 0.0, 3.0, 0.0, 3.0, 0.0)


@pytest.fixture
def series() -> pd.DataFrame:
    """The table of the series, in which doses do not ascend; change it and write it."""
    n = len(PARTICLES)
    return pd.DataFrame(
        {
            "rlnMagnification": "10000.0",
            "rlnDetectorPixelSize": "4.0",
            "rlnVoltage": "300.0",
            "rlnSphericalAberration": "2.7",
            "rlnAmplitudeContrast": "0.07",
            "rlnPhaseShift": "0.0",
            "rlnDefocusU": [f"{30000 + row}.0" for row in range(n)],
            "rlnDefocusV": "29000.0",
            "rlnDefocusAngle": "45.0",
            "rlnImageName": [f"{row % 3 + 1:06d}@stacks/{row // 3}.mrcs" for row in range(n)],
            "rlnMicrographName": TOMOGRAMS,
            "rlnCoordinateX": "100.0",
            "rlnCoordinateY": "200.0",
            "rlnAngleRot": [f"{10.0 * row}" for row in range(n)],
            "rlnAngleTilt": "60.0",
            "rlnAnglePsi": "-20.0",
            "rlnCtfBfactor": [f"{-4 * dose}" for dose in DOSES_E_PER_A2],
            "rlnCtfScalefactor": [f"{np.cos(np.deg2rad(tilt)):.7f}" for tilt in TILTS_DEG],
            "rlnRandomSubset": "1",
            "rlnGroupName": PARTICLES,
        },
        dtype=object,
    )


@pytest.fixture
def stacks(tmp_path: Path) -> list[Path]:
    """The two stacks of the series; image i of stack s is filled with 10 s + i."""
    paths = []
    for stack in range(2):
        levels = 10.0 * stack + np.arange(3)
        images = np.broadcast_to(levels[:, None, None], (3, BOX_SIZE_PX, BOX_SIZE_PX))
        paths.append(tmp_path / "stacks" / f"{stack}.mrcs")
        write_stack(paths[-1], images, 99.0, "int16")
    return paths


@pytest.fixture
def write_series(tmp_path: Path, stacks: list[Path]) -> Callable[[pd.DataFrame], Path]:
    """Write the table beside the folder of its stacks; the path of the STAR file."""
    assert all(path.exists() for path in stacks)

    def write(table: pd.DataFrame) -> Path:
        write_table(tmp_path / "particles.star", table)
        return tmp_path / "particles.star"

    return write
