"""Volumes per second: decoded from latents alone, and decoded and written as MRC files.

Work is the products of the network: those of the encoded frequencies with the first layer count
once for all volumes, the rest for each.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from benchmarks.ceiling import matmul_ceiling
from benchmarks.networks import (
    forward_flops,
    installed_registry,
    reference_model,
    reference_run,
)
from benchmarks.report import Row, parser, report
from tomodrgn.core.files.mrc import write_volume
from tomodrgn.core.fourier.volumes import half_ball
from tomodrgn.core.model.evaluation import decode_volumes
from tomodrgn.core.specs.training import DevicesSpec
from tomodrgn.core.training.devices import Devices

WRITERS = 4
"""Threads that write files, as many as ``eval_vol`` has."""


def measure(*, box_size_px: int, n_volumes: int, repeats: int, gpu: bool) -> Row:
    """Decode volumes some times and report the median."""
    devices = Devices(DevicesSpec(accelerator="gpu" if gpu else "cpu"))
    device, dtype = devices.device, torch.bfloat16 if gpu else torch.float32
    registry = installed_registry()
    run = reference_run(registry)
    model = reference_model(run, registry, box_size_px=box_size_px, n_tilts=8, n_particles=1)
    model = model.to(device)
    latents = torch.randn(n_volumes, 8, generator=torch.Generator().manual_seed(0)).to(device)

    def decode(folder: Path | None) -> float:
        begun, number = time.perf_counter(), 0
        with devices.autocast(), ThreadPoolExecutor(WRITERS) as pool:
            for batch in decode_volumes(model, latents, box_size_px=box_size_px):
                for volume in batch.float().cpu().numpy():
                    if folder is not None:
                        pool.submit(write_volume, folder / f"vol_{number:03d}.mrc", volume, 1.0)
                    number += 1
        return time.perf_counter() - begun

    decode(None)
    alone, written, ceilings = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repeats):
            ceilings.append(matmul_ceiling(device, dtype, repeats=5))
            alone.append(decode(None))
            written.append(decode(Path(folder)))
    parts: Any = model
    mlp = parts.decoder.decoder
    shared = 2 * parts.decoder.encoding.out_dim * len(mlp.main[0].weight)
    of_volumes = n_volumes * (forward_flops(mlp) - shared)
    work = len(half_ball(box_size_px)) * (of_volumes + shared)

    def percent(seconds: list[float]) -> float:
        shares = [work / s / c for s, c in zip(seconds, ceilings, strict=True)]
        return 100 * statistics.median(shares)

    return {
        "device": device.type,
        "box_px": box_size_px,
        "volumes": n_volumes,
        "volumes_per_s": n_volumes / statistics.median(alone),
        "written_per_s": n_volumes / statistics.median(written),
        "gflop_per_s": work / statistics.median(written) / 1e9,
        "ceiling_gflop_per_s": statistics.median(ceilings) / 1e9,
        "percent_of_ceiling": percent(alone),
        "percent_written": percent(written),
    }


def main(arguments: list[str]) -> None:
    """Measure decoding on the CPU and, where there is one, on a GPU."""
    options = parser("decode", __doc__ or "")
    options.add_argument("--box", type=int, default=64, help="box edge in px")
    options.add_argument("--volumes", type=int, default=100)
    options.add_argument("--repeats", type=int, default=3)
    chosen = options.parse_args(arguments)
    rows = [
        measure(box_size_px=chosen.box, n_volumes=chosen.volumes, repeats=chosen.repeats, gpu=gpu)
        for gpu in ([False, True] if torch.cuda.is_available() else [False])
    ]
    report("decode", rows, chosen.json)
