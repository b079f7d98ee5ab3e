"""An analysis of twenty made-up particles, whose indices are neither dense nor sorted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tomodrgn.core.notebook.analysis import NotebookAnalysis
from tomodrgn.core.particles.tables import ImageTable, OpticsGroup, ParticleSet

_N = 20
_RANDOM = np.random.default_rng(0)
LATENTS = _RANDOM.normal(size=(_N, 2)).astype(np.float32)
LATENTS[_N // 2 :] += 20
INDICES = 3 * _RANDOM.permutation(_N).astype(np.int64)


def small_analysis(
    latents: np.ndarray = LATENTS, order: np.ndarray | None = None
) -> NotebookAnalysis:
    """Two clouds in two tomograms, with particles in another order where one is given."""
    order = np.arange(_N) if order is None else order
    tomogram = np.array([f"t{number % 2}" for number in range(_N)], dtype=object)[order]
    name = np.array([f"p{number}" for number in range(_N)], dtype=object)[order]
    zeros = np.zeros(_N, np.float32)
    particles = ParticleSet(
        source=Path("particles.star"),
        tomogram=tomogram,
        name=name,
        source_particle=INDICES[order],
        images=ImageTable(
            rotation=np.broadcast_to(np.eye(3, dtype=np.float32), (_N, 3, 3)),
            shift_px=np.zeros((_N, 2), np.float32),
            dose_e_per_a2=zeros, tilt_deg=zeros, voltage_kv=zeros + 300,
            optics=np.zeros(_N, np.int64),
        ),
        counts=np.ones(_N, np.int64),
        image_name=name,
        source_image=np.arange(_N),
        optics=(OpticsGroup(name="g", pixel_size_a=1.0, box_size_px=16),),
        rows_read=_N,
        position_a=np.column_stack([10.0 * np.arange(_N)] * 3),
    )  # fmt: skip
    table = pd.DataFrame({"tomogram": tomogram.astype(str), "particle": name.astype(str),
                          "index": INDICES[order], "z0": latents[order, 0],
                          "z1": latents[order, 1]})  # fmt: skip
    return NotebookAnalysis(folder=Path(), particles=particles, latents=latents[order], table=table)
