"""Tilt images of a simulated RELION 5 set as a camera records them, for programs that cut them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from tomodrgn.core.files.mrc import write_stack
from tomodrgn.core.files.star import numeric_column, read_star
from tomodrgn.core.fourier.disc import disc_to_images, shift_phases
from tomodrgn.core.simulation.coordinates import BINNING, series_pixel_size_a, tomogram_size_px
from tomodrgn.core.simulation.tomograms import tomogram_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.simulation.forward import Simulation

COLUMNS = ("rlnMicrographPreExposure", "rlnTomoXShiftAngst", "rlnTomoYShiftAngst")


def write_tilt_images(simulation: Simulation) -> None:
    """One stack per tomogram beside the tables of ``simulate``, which then name its images."""
    for tomogram in range(simulation.spec.n_tomograms):
        name = f"tilt_series/{tomogram_name(tomogram)}"
        table = simulation.spec.outdir / f"{name}.star"
        stack = table.with_suffix(".mrcs")
        write_stack(
            stack, _tilt_images(simulation, tomogram, table), series_pixel_size_a(simulation)
        )
        table.write_text("\n".join(_naming(table.read_text().splitlines(), f"{name}.mrcs")) + "\n")


def _naming(lines: list[str], stack: str) -> Iterator[str]:
    """Lines of a table, in which the image of row n becomes ``n@stack``."""
    n = 0
    for line in lines:
        image, tab, rest = line.partition("\t")
        n += bool(tab)
        yield f"{n}@{stack}\t{rest}" if tab else image


def _tilt_images(simulation: Simulation, tomogram: int, table: Path) -> NDArray[np.float32]:
    """(T, N, N) images in the order of a table, protein dark, with white noise."""
    star = read_star(table)
    rows = star.read(star.table_with(COLUMNS[0]), columns=COLUMNS)
    dose, *shifts = (numeric_column(rows, name, table) for name in COLUMNS)
    frames = np.rint(dose / simulation.spec.dose_per_tilt_e_per_a2).astype(int)
    shift_a = dict(zip(frames.tolist(), np.stack(shifts, axis=1), strict=True))
    # a particle and its delocalized signal end within the frame on every side
    edge = int(tomogram_size_px(simulation)[0] + 2 * simulation.disc.box_size_px) * BINNING
    rng = np.random.default_rng(simulation.spec.seed)
    # a density of noise that is 1 per pixel of the particles
    images = rng.normal(0, simulation.noise_std * BINNING, (len(frames), edge, edge))
    experiment = simulation.experiment
    here = np.flatnonzero(experiment.tomogram[experiment.particle_of_image] == tomogram)
    moved_a = np.array([shift_a[frame] for frame in experiment.tilt[here].tolist()])
    place_px = (experiment.seen_a[here, :2] + moved_a) / series_pixel_size_a(simulation) + edge // 2
    corner = np.rint(place_px).astype(int)
    patches = _patches(simulation, here, (place_px - corner) / BINNING)
    corner -= patches.shape[-1] // 2
    rank = {frame: i for i, frame in enumerate(frames.tolist())}
    for row, (x, y), patch in zip(here.tolist(), corner.tolist(), patches, strict=True):
        size = len(patch)
        images[rank[int(experiment.tilt[row])], y : y + size, x : x + size] += patch
    return images.astype(np.float32)


def _patches(
    simulation: Simulation, rows: NDArray[np.int64], moved_px: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(m, E, E) particles as recorded, moved from the center, in pixels of the tilt series."""
    disc = simulation.disc
    freqs = torch.from_numpy(disc.freqs()).to(torch.float64)
    phases = shift_phases(freqs, torch.from_numpy(moved_px))
    images = disc_to_images(torch.view_as_real(simulation.expected(rows) * phases), disc).numpy()
    margin = disc.box_size_px * (BINNING - 1) // 2
    axes = (1, 2)
    spectra = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(images, axes)), axes)
    wide = np.pad(spectra, ((0, 0), (margin, margin), (margin, margin))) * BINNING**2
    patches: NDArray[np.float64] = np.fft.fftshift(
        np.fft.ifft2(np.fft.ifftshift(wide, axes)), axes
    ).real
    return patches
