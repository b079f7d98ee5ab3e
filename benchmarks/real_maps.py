"""What refined poses do to a map of real particles: half maps, and a map that others made.

The WarpTools set of the test data, whose poses M has refined. Errors are those of a bootstrap over
particles; differences are of the same particles.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from benchmarks.report import Row, parser, report
from tomodrgn.core.cli.fields import builtin_registry
from tomodrgn.core.commands import resolve_run
from tomodrgn.core.data.dataset import Dataset
from tomodrgn.core.files.mrc import read_volume
from tomodrgn.core.fourier.volumes import mirror_z
from tomodrgn.core.reconstruction.halves import halves_by_particle
from tomodrgn.core.reconstruction.insertion import FourierSums
from tomodrgn.core.reconstruction.maps import finish_halves
from tomodrgn.core.reconstruction.resolution import FSC_THRESHOLD, spherical_mask
from tomodrgn.core.reconstruction.stream import sum_images
from tomodrgn.core.reconstruction.weights import Attenuation
from tomodrgn.core.training.devices import Devices
from tomodrgn.plugins.commands.backproject.refined import PosesOfMaps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ParticleSet

DATA: Final = "TOMODRGN_TEST_DATA"
_SET: Final = "warptools_test_4-tomos_10-ptcls_box-32_angpix-12_optimisation_set.star"
_MAP: Final = "warptools_test_box-32_angpix-12_reconstruct.mrc"


@dataclass(frozen=True, slots=True)
class Particles:
    """Sums of each particle, at some poses.

    Attributes:
        sums: B volumes.
        halves: (B,) 0 or 1.
        pixel_size_a: of these.
    """

    sums: FourierSums
    halves: NDArray[np.int64]
    pixel_size_a: float

    def maps(self, counts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """(shells,) FSC of half maps and (D, D, D) map, of particles that count (B,) times."""
        weight = torch.from_numpy(np.stack([counts * (self.halves == half) for half in (0, 1)]))
        pair = FourierSums(
            self.sums.box_size_px,
            *(torch.tensordot(weight.to(grid), grid, 1) for grid in self.sums.grids),
        )
        mask = spherical_mask(self.sums.box_size_px, 0.8)
        found = finish_halves(pair, (0, 1), pixel_size_a=self.pixel_size_a, mask=mask)
        return found.fsc, mirror_z(torch.from_numpy(found.full)).numpy()


def main(arguments: Sequence[str]) -> None:
    """A row for poses as stated and for each way to refine them."""
    made = parser("real_maps", __doc__ or "")
    made.add_argument("--data", type=Path, default=os.environ.get(DATA), help=f"${DATA} by default")
    made.add_argument("--resamples", type=int, default=200, help="of the bootstrap")
    options = made.parse_args(arguments)
    if options.data is None:
        made.error(f"give --data, or set {DATA}")
    folder = Path(options.data) / "warptools"
    reference, _ = read_volume(folder / _MAP)
    found = {poses: particles_in(folder / _SET, poses) for poses in ("off", "auto", "on")}
    report("real_maps", rows_of(found, reference, options.resamples), options.json)


def particles_in(path: Path, poses: str) -> Particles:
    """Particles of a file in poses as stated (off) or refined (auto, on)."""
    registry = builtin_registry()
    layer = {"reader": {"path": str(path)}, "seed": 0, "refinement": {"poses": poses}}
    run = resolve_run("prepare", layer, registry=registry)
    reader, particles = Dataset(run, registry).selected
    halves = _halves(particles)
    with tempfile.TemporaryDirectory() as out:
        refiner = PosesOfMaps(run, reader, Path(out) / "map.mrc", Devices(run.devices, alone=True))
        particles = refiner.refined(particles, halves)
    sums = sum_images(
        reader,
        particles,
        particles.particle_of_image,
        n_volumes=particles.n_particles,
        preparation=run.preparation,
        attenuation=Attenuation(dose=True, tilt=False),
        device=torch.device("cpu"),
        progress=lambda _done, _total: None,
    )
    return Particles(sums, halves, particles.pixel_size_a)


def rows_of(
    found: dict[str, Particles], reference: NDArray[np.float32], n_resamples: int
) -> list[Row]:
    """Figures of each way, and what it adds to those of poses as stated."""
    stated = found["off"]
    n_particles = len(stated.halves)
    curve, _ = stated.maps(np.ones(n_particles))
    below = np.flatnonzero(curve[1:] < FSC_THRESHOLD)
    n_shells = int(below[0]) if len(below) else len(curve) - 1
    random = np.random.default_rng(0)
    draws = [np.ones(n_particles), *(_drawn(stated.halves, random) for _ in range(n_resamples))]
    values = {
        poses: np.array([_figures(*each.maps(draw), reference, n_shells) for draw in draws])
        for poses, each in found.items()
    }
    rows: list[Row] = []
    for poses, of_draws in values.items():
        added = of_draws - values["off"]
        row: Row = {"poses": poses, "particles": n_particles, "shells": n_shells}
        for column, name in enumerate(("FSC of halves", "correlation")):
            row[name] = round(float(of_draws[0, column]), 4)
            row[f"{name}: error"] = round(float(of_draws[1:, column].std()), 4)
            row[f"{name}: added"] = round(float(added[0, column]), 4)
            row[f"{name}: error of that"] = round(float(added[1:, column].std()), 4)
        rows.append(row)
    return rows


def _figures(
    curve: NDArray[np.float64],
    volume: NDArray[np.float32],
    reference: NDArray[np.float32],
    n_shells: int,
) -> tuple[float, float]:
    """Mean FSC up to a shell, and correlation with another map."""
    likeness = np.corrcoef(volume.ravel(), reference.ravel())[0, 1]
    return float(curve[1 : n_shells + 1].mean()), float(likeness)


def _halves(particles: ParticleSet) -> NDArray[np.int64]:
    """(B,) half of each particle, as back-projection has them."""
    of_image = halves_by_particle(particles, np.zeros(particles.n_particles, np.int64), 0)
    halves: NDArray[np.int64] = of_image[particles.starts[:-1]]
    return halves


def _drawn(halves: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.float64]:
    """(B,) how often each particle is drawn, each half by itself and with replacement."""
    counts = np.zeros(len(halves))
    for half in (0, 1):
        rows = np.flatnonzero(halves == half)
        np.add.at(counts, random.choice(rows, len(rows)), 1)
    return counts
