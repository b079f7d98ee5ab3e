"""Files of upstream programs that hold no tilt images are refused with what to give instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tomodrgn.core.files.star import write_table

if TYPE_CHECKING:
    from tests.integration.bad_input.conftest import DataSet, Refuse


def test_volume_series(data: DataSet, refuse_training: Refuse) -> None:
    names = ("rlnCoordinateX", "rlnCoordinateY", "rlnCoordinateZ")
    table = pd.DataFrame({name: ["1.0", "2.0"] for name in names}).assign(rlnPixelSize="4.0")
    write_table(data.star, table)
    assert refuse_training() == (
        f"{data.star}: holds one row per particle and no tilt images; give the particle-series "
        "STAR file, one row per tilt image"
    )


def test_poses_of_m(data: DataSet, refuse_training: Refuse) -> None:
    names = ("wrpCoordinateX1", "wrpCoordinateY1", "wrpCoordinateZ1")
    write_table(data.star, pd.DataFrame({name: ["1.0", "2.0"] for name in names}))
    assert "one row per particle and no tilt images" in refuse_training()


def test_particles_of_cistem(data: DataSet, refuse_training: Refuse) -> None:
    write_table(data.star, pd.DataFrame({"cisTEMPositionInStack": ["1"], "cisTEMAnglePsi": ["0"]}))
    assert "neither the tilt of an image nor which stack it lies in" in refuse_training()


def test_noise_with_the_name_of_a_star_file(data: DataSet, refuse_training: Refuse) -> None:
    data.star.write_bytes(b"data_\nloop_\n_rlnImageName\n" + np.random.default_rng(0).bytes(10**6))
    assert refuse_training() == f"{data.star}: holds bytes that are no text, so it is no STAR file"


def test_a_line_of_a_million_columns(data: DataSet, refuse_training: Refuse) -> None:
    data.star.write_text(data.star.read_text() + "1 " * 10**6)
    assert "row 13 has 1000000 values for 20 columns" in refuse_training()
