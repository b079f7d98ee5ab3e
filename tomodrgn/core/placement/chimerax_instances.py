"""Draw each map of a mapback at all of its placements; ChimeraX runs this beside ``mapback.cxc``.

A surface that is drawn many times is held in memory once. The table has one row for each
placement: the number of the model, the index of the particle, the rotation and the shift row by
row, and red, green, blue and opacity from 0 to 255.
"""

from __future__ import annotations

import csv
from typing import Any

import numpy as np

TABLE = "placements.csv"
"""Beside this file, which is the current folder while ChimeraX runs ``mapback.cxc``."""


def read_placements(
    path: str,
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Models (n,), transforms (n, 3, 4) and colors (n, 4) of a table."""
    with open(path, newline="", encoding="utf-8") as file:  # noqa: PTH123  reads as in a manual
        rows = list(csv.reader(file))[1:]
    values = np.array(rows, dtype=np.float64)
    return (
        values[:, 0].astype(int),
        np.ascontiguousarray(values[:, 2:14]).reshape(-1, 3, 4),
        np.ascontiguousarray(values[:, 14:18].astype(np.uint8)),
    )


def draw_instances(session: Any, path: str) -> None:
    """Place and color the surfaces of the models that the table names."""
    from chimerax.geometry import Places  # type: ignore[import-not-found]

    models, transforms, colors = read_placements(path)
    for number in np.unique(models).tolist():
        rows = models == number
        (volume,) = session.models.list(model_id=(number,))
        volume.update_drawings()
        for surface in volume.surfaces:
            surface.positions = Places(place_array=np.ascontiguousarray(transforms[rows]))
            surface.colors = colors[rows]


if "session" in globals():  # which ChimeraX provides
    draw_instances(globals()["session"], TABLE)
