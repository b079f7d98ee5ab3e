"""Back-projection of a particle set: reading, weighting, insertion and division into maps."""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.particles import regular_particles
from benchmarks.prepare import StackReader
from benchmarks.report import Row, parser, report
from tomodrgn.core.files.mrc import write_stack
from tomodrgn.core.reconstruction.maps import finish_halves
from tomodrgn.core.reconstruction.resolution import spherical_mask
from tomodrgn.core.reconstruction.stream import sum_images
from tomodrgn.core.reconstruction.weights import Attenuation
from tomodrgn.core.specs.dataset import PreparationSpec


def measure(box: int, n_particles: int, n_tilts: int, folder: Path, device: torch.device) -> Row:
    """Maps of one set of noise, from its stack on the disk."""
    particles = regular_particles(n_particles, box, n_tilts=n_tilts)
    stack = folder / f"stack_{box}.mrcs"
    one = np.random.default_rng(0).normal(size=(n_tilts, box, box)).astype(np.float32)
    write_stack(stack, np.tile(one, (n_particles, 1, 1)), 4.0)
    begun = time.perf_counter()
    sums = sum_images(
        StackReader(stack, particles),
        particles,
        particles.particle_of_image % 2,
        n_volumes=2,
        preparation=PreparationSpec(),
        attenuation=Attenuation(dose=True, tilt=True),
        device=device,
        progress=lambda _done, _total: None,
    )
    if device.type == "cuda":
        torch.cuda.synchronize()
    inserted = time.perf_counter()
    finish_halves(sums, (0, 1), pixel_size_a=4.0, mask=spherical_mask(box, 0.8))
    done = time.perf_counter()
    stack.unlink()
    return {
        "box_px": box,
        "images": particles.n_images,
        "insert_s": inserted - begun,
        "finish_s": done - inserted,
        "total_s": done - begun,
        "images_per_s": particles.n_images / (inserted - begun),
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
    }


def main(arguments: list[str]) -> None:
    """Measure the set of the design page, box 48, and larger boxes on request."""
    made = parser("backproject", __doc__)
    made.add_argument("--box", type=int, nargs="+", default=[48], help="box edges in px")
    made.add_argument("--particles", type=int, default=60, help="number of particles")
    made.add_argument("--tilts", type=int, default=31, help="images of each")
    made.add_argument("--device", default="cpu", help="torch device")
    made.add_argument("--folder", type=Path, help="where to write stacks")
    options = made.parse_args(arguments)
    device = torch.device(options.device)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        rows = [
            measure(box, options.particles, options.tilts, Path(folder), device)
            for box in options.box
        ]
    report("backproject", rows, options.json)
