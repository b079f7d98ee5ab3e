"""Training and decoding on a GPU, box by box, and how long an epoch of a large set would take.

Needs CUDA; says so and stops where there is none. Matrix products are compared with the ceiling of
(6400, 256) times (256, 256) in bfloat16, the number type of the networks.
"""

from __future__ import annotations

import torch

from benchmarks import decode, train
from benchmarks.report import Row, parser, report
from tomodrgn.core.fourier.disc import half_plane_disc
from tomodrgn.plugins.decoders.fourier_mlp.fused_choice import verdicts

PARTICLES, TILTS = 22_291, 41
"""The set that epochs are extrapolated to."""


def measure(box_size_px: int, *, n_particles: int, batch_size: int, n_volumes: int) -> Row:
    """One box."""
    trained = train.measure(
        n_particles=n_particles,
        n_tilts=TILTS,
        box_size_px=box_size_px,
        batch_size=batch_size,
        epochs=4,
        gpu=True,
        pixel_size_a=4.0,
    )
    decoded = decode.measure(box_size_px=box_size_px, n_volumes=n_volumes, repeats=3, gpu=True)
    rate = float(trained["coefficients_per_s"])
    n_images = PARTICLES * TILTS
    kept = float(trained["coefficients"]) / float(trained["images"])
    epoch_s = n_images * kept / rate
    cache_bytes = n_images * len(half_plane_disc(box_size_px)) * 4
    return {
        "box_px": box_size_px,
        "batch": batch_size,
        "coefficients_per_s": rate,
        "percent_of_bf16": float(trained["percent_of_ceiling"]),
        "epoch_s": epoch_s,
        "cache_gb": cache_bytes / 1e9,
        "to_stream_gb_per_s": cache_bytes / epoch_s / 1e9,
        "gpu_memory_gb": torch.cuda.max_memory_allocated() / 1e9,
        "volumes_per_s": float(decoded["volumes_per_s"]),
        "written_per_s": float(decoded["written_per_s"]),
        "decode_percent_of_bf16": float(decoded["percent_of_ceiling"]),
    }


def paths() -> list[str]:
    """Which path the decoders took while they were trained, with the rates of both, and why."""
    return [f"training, widths {key[1]}: {found.why}" for key, found in verdicts.items()]


def main(arguments: list[str]) -> None:
    """Print a row per box."""
    made = parser("gpu", __doc__ or "")
    made.add_argument("--box", type=int, nargs="+", default=[64, 96, 128, 200], help="box edges")
    made.add_argument("--particles", type=int, default=64, help="particles of 41 tilts")
    made.add_argument("--batch-size", type=int, default=8)
    made.add_argument("--volumes", type=int, default=64)
    options = made.parse_args(arguments)
    if not torch.cuda.is_available():
        print("gpu: torch sees no CUDA device; nothing was measured")
        return
    rows = []
    for box in options.box:
        torch.cuda.reset_peak_memory_stats()
        rows.append(
            measure(
                box,
                n_particles=options.particles,
                batch_size=options.batch_size,
                n_volumes=options.volumes,
            )
        )
    print("\n".join(paths()))
    print(f"epochs of {PARTICLES:,} particles of {TILTS} tilts")
    report("gpu", rows, options.json)
