"""Peak memory of every command on a million tilt images, against what it said it would need.

Images are noise in a small box, so that tables of particles, caches and passes are of full size
while the work stays small. Every command runs in a process of its own; its peak is the largest
resident memory that the system has seen of it, its estimate the line that it logs before it begins.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.report import Row, parser, report
from tomodrgn.core.files.mrc_stream import open_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

TILTS = 40
PER_TOMOGRAM = 500
PIXEL_SIZE_A = 10.0
COLUMNS = (
    *("rlnImageName", "rlnDetectorPixelSize", "rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle"),
    *("rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast", "rlnPhaseShift"),
    *("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi", "rlnOriginX", "rlnOriginY"),
    *("rlnCtfBfactor", "rlnCtfScalefactor", "rlnGroupName", "rlnMicrographName"),
)
SMALL_NETWORKS = (
    *("--pe-type", "gaussian", "--enc-layers-A", "1", "--enc-dim-A", "16", "--out-dim-A", "16"),
    *("--enc-layers-B", "1", "--enc-dim-B", "16", "--dec-layers", "1", "--dec-dim", "16"),
    *("--pooling-function", "mean", "--recon-dose-weight", "--recon-tilt-weight"),
)
SERIES = ("particles.star", "--cache", "cache.h5", "--seed", "0")
ONE_EPOCH = ("-n", "1", "-b", "64", "--log-interval", "10000")
COMMANDS: dict[str, tuple[str, ...]] = {
    "prepare": ("prepare", *SERIES),
    "backproject_voxel": ("backproject_voxel", "particles.star", "-o", "map/map.mrc"),
    "train_vae": ("train_vae", *SERIES, "-o", "vae", "--zdim", "4", *ONE_EPOCH, *SMALL_NETWORKS),
    "train_vae --lazy": (
        *("train_vae", *SERIES, "-o", "lazy", "--zdim", "4", *ONE_EPOCH, *SMALL_NETWORKS),
        "--lazy",
    ),
    "train_nn --lazy": (
        *("train_nn", *SERIES, "-o", "nn", *ONE_EPOCH, "--layers", "1", "--dim", "16", "--lazy"),
    ),
    "train_linear": ("train_linear", *SERIES, "-o", "linear", "--zdim", "2"),
    "classify": ("classify", *SERIES, "-o", "classes", "-K", "2", "--start", "random"),
    "analyze": ("analyze", "vae", "--skip-umap"),
    "eval_vol": (
        *("eval_vol", "-w", "vae/weights.pkl", "-o", "volumes", "-n", "500", "-b", "500"),
        *("--z-start", "0", "0", "0", "0", "--z-end", "1", "1", "1", "1"),
    ),
    "eval_images": (
        *("eval_images", "particles.star", "-w", "vae/weights.pkl", "--out-z", "new/latents.pkl"),
        *("--cache", "cache.h5"),
    ),
    "validate": ("validate", "vae", "--labels", "labels.txt", "-o", "validate"),
    "nuisance": ("nuisance", "vae", "-o", "nuisance"),
    "check": ("check", "particles.star", "-o", "check"),
    "filter_star": (
        *("filter_star", "particles.star", "--labels", "labels.txt", "--labels-sel", "0"),
        *("-o", "filtered.star"),
    ),
    "analyze_volumes": ("analyze_volumes", "volumes", "--mask", "sphere", "--skip-umap"),
}
"""Those further down use what those above have left."""
ESTIMATE = re.compile(r"memory: ([0-9.]+) GB at the peak")


def write_images(folder: Path, n_images: int, box_size_px: int) -> None:
    """An image series of noise: one row per image, one stack per tomogram."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(PER_TOMOGRAM, box_size_px, box_size_px)).astype(np.float32)
    n_particles = n_images // TILTS
    np.savetxt(folder / "labels.txt", np.arange(n_particles) % 2, fmt="%d")
    with (folder / "particles.star").open("w") as star:
        star.write("data_\n\nloop_\n" + "".join(f"_{name}\n" for name in COLUMNS))
        for tomogram, first in enumerate(range(0, n_particles, PER_TOMOGRAM)):
            n = min(PER_TOMOGRAM, n_particles - first)
            stack = f"stacks/tomogram_{tomogram:04d}.mrcs"
            star.writelines(_rows(rng, stack, tomogram, first, n))
            with open_stack(
                folder / stack, n * TILTS, box_size_px, pixel_size_a=PIXEL_SIZE_A, dtype="float16"
            ) as append:
                for _ in range(TILTS):
                    append(noise[:n])


def _rows(
    rng: np.random.Generator, stack: str, tomogram: int, first: int, n_particles: int
) -> Iterator[str]:
    n = n_particles * TILTS
    defocus: NDArray[np.float64] = rng.uniform(1e4, 3e4, n)
    angles, shifts = rng.uniform(0, 180, (n, 3)), rng.uniform(-3, 3, (n, 2))
    for i in range(n):
        tilt = i % TILTS
        cosine = np.cos(np.radians(3 * ((tilt + 1) // 2)))
        yield (
            f"{i + 1}@{stack} {PIXEL_SIZE_A} {defocus[i]:.3f} {defocus[i]:.3f} 0.0 300.0 2.7 0.1 "
            f"0.0 {angles[i, 0]:.6f} {angles[i, 1]:.6f} {angles[i, 2]:.6f} {shifts[i, 0]:.6f} "
            f"{shifts[i, 1]:.6f} {-8.0 * (tilt + 1)} {cosine:.7f} "
            f"{tomogram:03d}_{first + i // TILTS:06d} tomogram_{tomogram:04d}.tomostar\n"
        )


def measure(name: str, folder: Path) -> Row:
    """Run a command; its estimate and its peak."""
    began = time.perf_counter()
    log = folder / f"{name.replace(' ', '')}.log"
    with log.open("w") as output:
        arguments = [sys.executable, "-m", "tomodrgn", *COMMANDS[name]]
        child = subprocess.Popen(arguments, cwd=folder, stdout=output, stderr=output)  # noqa: S603
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    text = log.read_text()
    if child.returncode and name != "check":  # which rightly finds noise to be no particles
        raise SystemExit(f"{name} failed:\n{text[-2000:]}")
    estimate = max(map(float, ESTIMATE.findall(text)), default=float("nan"))
    peak = usage.ru_maxrss * 1024 / 1e9
    row: Row = {
        "command": name,
        "estimate_gb": estimate,
        "peak_gb": peak,
        "peak_over_estimate": peak / estimate,
        "seconds": time.perf_counter() - began,
    }
    print(row, file=sys.stderr, flush=True)
    return row


def main(arguments: list[str]) -> None:
    """Measure all commands on images in a temporary folder."""
    made = parser("memory", __doc__.partition("\n")[0])
    made.add_argument("--images", type=int, default=1_000_000)
    made.add_argument("--box", type=int, default=16, help="box edge in px")
    made.add_argument("--commands", nargs="*", choices=COMMANDS, default=list(COMMANDS))
    made.add_argument("--folder", type=Path, help="where images are, or are to stay")
    options = made.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "particles.star").exists():
            write_images(folder, options.images, options.box)
        report("memory", [measure(name, folder) for name in options.commands], options.json)
