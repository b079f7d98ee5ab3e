"""One round of ``train_linear`` on streamed images: time per image and peak memory, by resolution.

Random coefficients from a cache on disk, two halves, a round of expectation and maximisation each.
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks.particles import TILTS, regular_particles
from benchmarks.random_cache import random_cache
from benchmarks.report import Row, parser, report
from tomodrgn.core.cache.residency import Residency
from tomodrgn.core.cache.stream import open_images
from tomodrgn.core.fourier.disc import half_plane_disc
from tomodrgn.core.linear.half_models import Halves, cores_for_halves
from tomodrgn.core.linear.observations import Observations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tomodrgn.core.cache.store import CoefficientCache


def main(arguments: Sequence[str]) -> None:
    """Print a row per resolution."""
    options = parser("linear", __doc__ or "")
    options.add_argument("--images", type=int, default=100_000)
    options.add_argument("--box", type=int, default=64, help="edge of the images in px")
    options.add_argument("--latents", type=int, default=4)
    options.add_argument("--radius", type=int, nargs="*", default=[6, 14, 31])
    chosen = options.parse_args(arguments)
    disc = half_plane_disc(chosen.box)
    with tempfile.TemporaryDirectory() as folder:
        size_gb = chosen.images * len(disc) * 4 / 1e9
        cache = random_cache(Path(folder) / "cache.h5", size_gb, chosen.box)
        rows = [measure(cache, chosen.box, radius, chosen.latents) for radius in chosen.radius]
    report("linear", rows, chosen.json)


def measure(cache: CoefficientCache, box: int, radius_px: int, n_latents: int) -> Row:
    """One round of expectation and maximisation over all images."""
    device = torch.device("cpu")
    particles = regular_particles(cache.n_images // TILTS, box)
    source = open_images(
        cache,
        Residency("stream", "as asked"),
        device,
        shift=0.0,
        scale=1.0,
    )
    images = Observations(
        particles,
        half_plane_disc(box),
        source,
        np.arange(particles.n_images),
        radius_px=radius_px,
        device=device,
    )
    everyone = np.arange(particles.n_particles)
    halves = Halves(images, (everyone[::2], everyone[1::2]), 1.0)
    start = torch.randn(particles.n_particles, n_latents)
    with cores_for_halves(device):
        models = halves.begin(start)
        began = time.perf_counter()
        halves.improve(models, is_start=False)
        seconds = time.perf_counter() - began
    return {
        "box": box,
        "images": particles.n_images,
        "latents": n_latents,
        "shells": radius_px,
        "round s": seconds,
        "us per image": 1e6 * seconds / particles.n_images,
        "peak GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }
