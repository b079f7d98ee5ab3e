"""Training steps on a cache that stays in its file (``--lazy``), against the same in memory.

Both take the same random batches of 8 whole particles, a few steps each in turn in one process;
the file is dropped from the page cache before. The time to open and close a source is included.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from benchmarks.disk import set_pages
from benchmarks.networks import installed_registry, reference_model, reference_run
from benchmarks.particles import TILTS, regular_particles
from benchmarks.random_cache import BATCH, random_batches, random_cache
from benchmarks.report import Row, parser, report
from tomodrgn.core.cache.residency import Residency
from tomodrgn.core.cache.stream import open_images
from tomodrgn.core.fourier.disc import half_plane_disc
from tomodrgn.core.specs.training import DevicesSpec
from tomodrgn.core.training.devices import Devices
from tomodrgn.core.training.sampling import Sampler
from tomodrgn.core.training.step import Stepper
from tomodrgn.core.training.tilt_batch import TiltBatchBuilder

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from tomodrgn.core.cache.store import CoefficientCache


def measure(cache: CoefficientCache, *, steps: int, rounds: int) -> Row:
    """Medians over rounds of wall time and processor time of some steps, and their ratios."""
    kinds: tuple[Literal["ram", "stream"], ...] = ("ram", "stream")
    device = torch.device("cpu")
    sources = {
        kind: open_images(cache, Residency(kind, ""), device, shift=0.0, scale=1.0)
        for kind in kinds
    }
    step = training_step(cache)
    walls: dict[str, list[float]] = {kind: [] for kind in kinds}
    processors: dict[str, list[float]] = {kind: [] for kind in kinds}
    for number in range(rounds):
        for kind in kinds[:: 1 if number % 2 else -1]:
            set_pages(cache.path, "cold")
            begun, processor = time.perf_counter(), time.process_time()
            requests = random_batches(cache.n_images // TILTS, number)
            for coefficients in sources[kind].batches(islice(requests, steps)):
                step(coefficients)
            walls[kind].append(time.perf_counter() - begun)
            processors[kind].append(time.process_time() - processor)
    return {
        "box": cache.header.box_size_px,
        "steps": steps,
        "ram_s": statistics.median(walls["ram"]),
        "stream_s": statistics.median(walls["stream"]),
        "percent_of_ram": _median_percent(walls),
        "percent_of_ram_processor": _median_percent(processors),
    }


def _median_percent(taken: dict[str, list[float]]) -> float:
    """Speed of streaming in percent of that in memory, round by round."""
    pairs = zip(taken["ram"], taken["stream"], strict=True)
    return 100 * statistics.median(ram / stream for ram, stream in pairs)


def training_step(cache: CoefficientCache) -> Callable[[Tensor], None]:
    """A training step of the reference network on a batch of whole particles, made once already."""
    box, registry = cache.header.box_size_px, installed_registry()
    run = reference_run(registry, batch_size=BATCH)
    particles = regular_particles(BATCH, box)
    disc = half_plane_disc(box)
    model = reference_model(run, registry, box_size_px=box, n_tilts=TILTS, n_particles=BATCH)
    kept = np.full(particles.n_images, len(disc))
    devices = Devices(DevicesSpec(accelerator="cpu"))
    stepper = Stepper(model, torch.optim.AdamW(model.parameters(), fused=True), devices)
    sampler = Sampler(particles, kept=kept, usable=None, sample_ntilts=None, seed=0)
    builder = TiltBatchBuilder(
        particles, disc, weightings=[], kept=kept, dtype=torch.float32, device=devices.device
    )
    batch = next(sampler.in_order(BATCH))
    noise = torch.from_numpy(sampler.noise(batch, 0, 8))

    def step(coefficients: Tensor) -> None:
        stepper.step(
            builder.build(batch, coefficients),
            noise,
            beta=0.1,
            control=None,
            lr=1e-4,
            n_coefficients=batch.n_coefficients,
            n_particles=BATCH,
        )

    step(torch.zeros(particles.n_images, len(disc), 2))
    return step


def main(arguments: list[str]) -> None:
    """A row per box size."""
    made = parser("lazy", __doc__ or "")
    made.add_argument("--box", type=int, nargs="+", default=[32, 64, 96], help="box edges in px")
    made.add_argument("--steps", type=int, default=4, help="training steps at once")
    made.add_argument("--rounds", type=int, default=5, help="how often both take their turn")
    made.add_argument("--folder", type=Path, help="where to write the caches")
    options = made.parse_args(arguments)
    rows = []
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for box in options.box:
            image_bytes = 4 * len(half_plane_disc(box))
            size_gb = options.steps * BATCH * TILTS * image_bytes / 1e9
            cache = random_cache(Path(folder) / f"{box}.h5", size_gb, box)
            rows.append(measure(cache, steps=options.steps, rounds=options.rounds))
    report("lazy", rows, options.json)
