"""A small Dynamo set: ``python small_set.py FOLDER`` writes one, and prints its table.

The particles are those of a simulated set of RELION 5, which tells what the reader must find.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from tomodrgn_dynamo.table import (
    EULER,
    N_COLUMNS,
    PIXEL_SIZE,
    POSITION,
    SHIFT,
    TAG,
    TOMOGRAM,
    euler_angles,
)

import tomodrgn as td
from tomodrgn.plugin import Reader, stage_angles_from_rotations, write_stack
from tomodrgn.testing import builtin_reader

if TYPE_CHECKING:
    from tomodrgn.plugin import ParticleSet

TABLE_PIXEL_SIZE_A = 40.0


def simulated(folder: Path) -> Reader:
    """A built-in reader of a simulated set, whose images are as recorded."""
    star = td.simulate(
        outdir=folder,
        format="relion5",
        n_particles=6,
        n_tomograms=2,
        n_classes=1,
        box_size_px=16,
        pixel_size_a=20.0,
        n_tilts=5,
        tilt_step_deg=12.0,
        origin_shift_px=2.0,
        ctf_premultiplied=False,
        dose_weighted=False,
    )
    return builtin_reader(star, defocus_sign="none")


def write_small_set(folder: Path) -> Path:
    """Write table, tilts and stacks; the table."""
    reader = simulated(folder / "simulated")
    particles = reader.read()
    table = np.zeros((particles.n_particles, N_COLUMNS))
    tilts = []
    names = sorted(set(particles.tomogram))
    for p in range(particles.n_particles):
        images = np.arange(particles.starts[p], particles.starts[p + 1])
        images = images[np.argsort(particles.source_image[images])]
        tilt_rows, shift_a = _describe(particles, p, images)
        table[p, TAG] = 10 + p
        table[p, TOMOGRAM] = 1 + names.index(particles.tomogram[p])
        table[p, EULER] = euler_angles(particles.orientation)[p]
        table[p, SHIFT] = shift_a / TABLE_PIXEL_SIZE_A
        table[p, POSITION] = (particles.position_a[p] - shift_a) / TABLE_PIXEL_SIZE_A
        tilts.append(tilt_rows.assign(tomogram=int(table[p, TOMOGRAM])))
        pixels = reader.load_images(particles.source_image[images])
        write_stack(folder / f"particle_{10 + p:05d}.mrcs", pixels, particles.pixel_size_a)
    table[:, PIXEL_SIZE] = TABLE_PIXEL_SIZE_A
    np.savetxt(folder / "particles.tbl", table, fmt="%.9g")
    first = np.unique(table[:, TOMOGRAM], return_index=True)[1]
    pd.concat([tilts[p] for p in first]).to_csv(folder / "tilts.csv", index=False)
    return folder / "particles.tbl"


def _describe(particles: ParticleSet, p: int, rows: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """Tilt images of a particle as rows of a file of tilts, and its shift in its tomogram."""
    images = particles.images
    to_image = images.rotation[rows].astype(float) @ particles.orientation[p].T
    x_tilt, tilt, axis = stage_angles_from_rotations(to_image).T
    assert np.abs(x_tilt).max() < 1e-3
    seen_a = images.shift_px[rows].ravel() * particles.pixel_size_a
    shift_a = -np.linalg.lstsq(to_image[:, :2].reshape(-1, 3), seen_a, rcond=None)[0]
    frame = pd.DataFrame({"tilt_deg": tilt, "axis_deg": axis})
    frame["dose_e_per_a2"] = images.dose_e_per_a2[rows]
    for name in ("defocus_u_a", "defocus_v_a", "defocus_angle_deg"):
        frame[name] = getattr(images.ctf, name)[rows]
    return frame, shift_a


if __name__ == "__main__":
    sys.stdout.write(f"{write_small_set(Path(sys.argv[1]))}\n")
