"""One epoch of training: coefficients per second and the share of the matmul ceiling reached.

The data are those of the published timing: 144 particles of 8 tilts, box 32 (other sizes by
option), coefficients held in memory. Only the matrix products of the network count as work.
"""

from __future__ import annotations

import resource
import statistics
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks.ceiling import matmul_ceiling
from benchmarks.networks import (
    installed_registry,
    reference_model,
    reference_run,
    training_flops,
)
from benchmarks.particles import regular_particles
from benchmarks.report import Row, parser, report
from tomodrgn.core.data.parts import build_weightings
from tomodrgn.core.data.run_directory import DatasetFacts
from tomodrgn.core.fourier.disc import half_plane_disc
from tomodrgn.core.specs.training import DevicesSpec
from tomodrgn.core.training.devices import Devices
from tomodrgn.core.training.dose_mask import kept_coefficients
from tomodrgn.core.training.loop import TrainingLoop
from tomodrgn.core.training.sampling import Sampler
from tomodrgn.core.training.step import Stepper
from tomodrgn.core.training.tilt_batch import TiltBatchBuilder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.model.mlp import ResidualMlp
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.training.loop import EpochReport


class HeldCoefficients:
    """Random coefficients on the device."""

    def __init__(self, n_images: int, n_coefficients: int, device: torch.device) -> None:
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(n_images, n_coefficients, 2, generator=generator)
        self.held = noise.to(device, torch.float16)

    def batches(self, requests: Iterable[NDArray[np.int64]]) -> Iterator[Tensor]:
        """(M, P, 2) float32 for each request."""
        for rows in requests:
            yield self.held[torch.from_numpy(rows).to(self.held.device)].float()


def measure(
    *,
    n_particles: int,
    n_tilts: int,
    box_size_px: int,
    batch_size: int,
    epochs: int,
    gpu: bool,
    precision: str = "mixed",
    pixel_size_a: float | None = None,
) -> Row:
    """Train some epochs and report the median one.

    The ceiling is that of the number type in which the networks multiply. Images are as wide as
    those of the published timing, unless a pixel size is given.
    """
    accelerator = "gpu" if gpu else "cpu"
    devices = Devices(
        DevicesSpec.model_validate({"accelerator": accelerator, "precision": precision})
    )
    registry = installed_registry()
    run = reference_run(registry, batch_size=batch_size)
    run = run.model_copy(
        update={"training": run.training.model_copy(update={"num_epochs": epochs})}
    )
    particles = regular_particles(
        n_particles,
        box_size_px,
        n_tilts=n_tilts,
        pixel_size_a=pixel_size_a or 13.1 * 32 / box_size_px,
    )
    disc = half_plane_disc(box_size_px)
    model = reference_model(
        run, registry, box_size_px=box_size_px, n_tilts=n_tilts, n_particles=n_particles
    ).to(devices.device)
    kept = kept_coefficients(particles, disc, dose_mask=True)
    facts = DatasetFacts(
        box_size_px=box_size_px,
        pixel_size_a=particles.pixel_size_a,
        n_particles=n_particles,
        n_images=particles.n_images,
        min_tilts=n_tilts,
    )
    builder = TiltBatchBuilder(
        particles,
        disc,
        weightings=build_weightings(run, registry, facts),
        kept=kept,
        dtype=torch.float32,
        device=devices.device,
    )
    reports: list[EpochReport] = []
    ceilings: list[float] = []

    def after_epoch(result: EpochReport, _: object) -> None:
        reports.append(result)
        ceilings.append(matmul_ceiling(devices.device, devices.network_dtype, repeats=5))

    loop = TrainingLoop(
        stepper=Stepper(model, torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True), devices),
        sampler=Sampler(particles, kept=kept, usable=None, sample_ntilts=n_tilts, seed=0),
        builder=builder,
        source=HeldCoefficients(particles.n_images, len(disc), devices.device),
        cache_rows=np.arange(particles.n_images),
        training=run.training,
        latent=run.latent,
        norm=(0.0, 1.0),
        on_progress=lambda _: None,
        on_epoch=after_epoch,
        on_checkpoint=lambda _: None,
    )
    loop.run(None)
    row = _row(model, particles, kept, reports[1:], ceilings[1:])
    return {"networks": str(devices.network_dtype).removeprefix("torch."), **row}


def _row(
    model: torch.nn.Module,
    particles: ParticleSet,
    kept: NDArray[np.int64],
    reports: list[EpochReport],
    ceilings: list[float],
) -> Row:
    """The first epoch warms up and is left out by the caller."""
    parts: Any = model
    per_coefficient = training_flops(parts.decoder.decoder)
    encoders: tuple[ResidualMlp, ResidualMlp] = (parts.encoder.encoder1, parts.encoder.encoder2)
    work = per_coefficient * int(kept.sum())
    work += training_flops(encoders[0]) * particles.n_images
    work += (training_flops(encoders[1]) + 2 * encoders[1].main[0].weight.numel()) * len(
        particles.counts
    )
    seconds = statistics.median(report.seconds for report in reports)
    ceiling = statistics.median(ceilings)
    shares = [work / r.seconds / c for r, c in zip(reports, ceilings, strict=True)]
    return {
        "box_px": particles.box_size_px,
        "images": particles.n_images,
        "coefficients": int(kept.sum()),
        "epoch_s": seconds,
        "coefficients_per_s": int(kept.sum()) / seconds,
        "gflop_per_s": work / seconds / 1e9,
        "ceiling_gflop_per_s": ceiling / 1e9,
        "percent_of_ceiling": 100 * statistics.median(shares),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }


def main(arguments: list[str]) -> None:
    """Measure training on the CPU and, where there is one, on a GPU."""
    options = parser("train", __doc__ or "")
    options.add_argument("--box", type=int, default=32, help="box edge in px")
    options.add_argument("--particles", type=int, default=144)
    options.add_argument("--tilts", type=int, default=8)
    options.add_argument("--batch-size", type=int, default=8)
    options.add_argument("--epochs", type=int, default=6, help="the first one is not counted")
    chosen = options.parse_args(arguments)
    rows = []
    cases = [(False, "float32"), (False, "mixed"), (True, "mixed")]
    for gpu, precision in cases if torch.cuda.is_available() else cases[:2]:
        row = measure(
            n_particles=chosen.particles,
            n_tilts=chosen.tilts,
            box_size_px=chosen.box,
            batch_size=chosen.batch_size,
            epochs=chosen.epochs,
            gpu=gpu,
            precision=precision,
        )
        rows.append({"device": "gpu" if gpu else "cpu", **row})
    report("train", rows, chosen.json)
