"""Filtering of large files: an image series and an optimisation set of as many rows."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.report import Row, parser, report

if TYPE_CHECKING:
    from collections.abc import Iterable

TILTS = 40
PER_TOMOGRAM = 500
SERIES = [
    "rlnMagnification",
    "rlnDetectorPixelSize",
    "rlnVoltage",
    "rlnSphericalAberration",
    "rlnAmplitudeContrast",
    "rlnPhaseShift",
    "rlnDefocusU",
    "rlnDefocusV",
    "rlnDefocusAngle",
    "rlnImageName",
    "rlnMicrographName",
    "rlnAngleRot",
    "rlnAngleTilt",
    "rlnAnglePsi",
    "rlnCtfBfactor",
    "rlnCtfScalefactor",
    "rlnRandomSubset",
    "rlnGroupName",
]
PARTICLES = [
    "rlnTomoName",
    "rlnTomoParticleName",
    "rlnCoordinateX",
    "rlnCoordinateY",
    "rlnCoordinateZ",
    "rlnAngleRot",
    "rlnAngleTilt",
    "rlnAnglePsi",
    "rlnOpticsGroup",
    "rlnImageName",
    "rlnTomoVisibleFrames",
]


def write_series(path: Path, n_rows: int) -> None:
    """An image series as Warp 1 writes it."""

    def rows() -> Iterable[str]:
        angle = np.random.default_rng(0).uniform(0, 180, (n_rows, 3)).round(4).tolist()
        for row, (rot, tilt, psi) in enumerate(angle):
            particle, n = divmod(row, TILTS)
            tomogram = particle // PER_TOMOGRAM
            yield (
                f"10000.0\t3.50\t300.0\t2.7\t0.07\t0.0\t{30000 + 10.5 * n:.3f}\t29500.000\t45.123\t"
                f"{n + 1:06d}@../series/TS_{tomogram:03d}/TS_{tomogram:03d}_{particle:06d}.mrcs\t"
                f"TS_{tomogram:03d}.tomostar\t{rot}\t{tilt}\t{psi}\t{-12 * (n + 1):.3f}\t"
                f"{1 - n / 100:.6f}\t{particle % 2 + 1}\t{tomogram:03d}_{particle:06d}\n"
            )

    with path.open("w", encoding="utf-8") as file:
        file.writelines([_header("", SERIES), *rows()])


def write_set(path: Path, n_rows: int) -> None:
    """An optimisation set as WarpTools writes it, with as many particles."""
    n_tomograms = -(-n_rows // PER_TOMOGRAM)
    shown = "[" + ",".join("0" if n % 13 == 0 else "1" for n in range(TILTS)) + "]"
    with path.with_name("p.star").open("w", encoding="utf-8") as file:
        file.write("\ndata_general\n\n_rlnTomoSubTomosAre2DStacks 1\n")
        file.write(_header("optics", ["rlnOpticsGroup", "rlnImagePixelSize"]) + "1 4.0\n")
        file.write(_header("particles", PARTICLES))
        file.writelines(
            f"  TS_{p // PER_TOMOGRAM}.tomostar TS_{p // PER_TOMOGRAM}/{p} {p % 997}.5 10.0 3.0 "
            f"{p % 359}.25 60.0 -12.0 1 sub/TS_{p // PER_TOMOGRAM}_{p:07d}.mrcs {shown}\n"
            for p in range(n_rows)
        )
    with path.with_name("t.star").open("w", encoding="utf-8") as file:
        names = [f"TS_{t}.tomostar" for t in range(n_tomograms)]
        file.write(_header("global", ["rlnTomoName", "rlnTomoHand"]))
        file.writelines(f"{name} -1\n" for name in names)
        for name in names:
            file.write(_header(name, ["rlnTomoProjX", "rlnMicrographPreExposure"]))
            file.writelines(f"[1,0,0,0] {3.0 * n}\n" for n in range(TILTS))
    path.write_text("data_\n\n_rlnTomoParticlesFile p.star\n_rlnTomoTomogramsFile t.star\n")


def measure(name: str, source: Path, n_particles: int) -> Row:
    """Keep two of five particles, in a process of its own."""
    indices = source.with_name("ind.npy")
    np.save(indices, np.flatnonzero(np.arange(n_particles) % 5 < 2))  # noqa: PLR2004  of five
    call = [sys.executable, "-m", "tomodrgn", "filter_star", str(source), "--ind", str(indices),
            "-o", str(source.with_name("out.star"))]  # fmt: skip
    begun = time.perf_counter()
    process = subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begun
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, call)
    return {
        "input": name,
        "particles": n_particles,
        "wall_s": seconds,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_gb": used.ru_maxrss * 1024 / 1e9,
    }


def main(arguments: list[str]) -> None:
    """Measure both kinds of file."""
    made = parser("filter_star", __doc__)
    made.add_argument("--rows", type=int, default=1_000_000, help="rows of the table of particles")
    made.add_argument("--folder", type=Path, help="where to write files")
    options = made.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        series, of_set = Path(folder) / "series.star", Path(folder) / "set.star"
        write_series(series, options.rows)
        rows = [measure("image series", series, -(-options.rows // TILTS))]
        series.unlink()
        write_set(of_set, options.rows)
        rows.append(measure("optimisation set", of_set, options.rows))
    report("filter_star", rows, options.json)


def _header(block: str, columns: list[str]) -> str:
    names = "".join(f"_{name} #{number}\n" for number, name in enumerate(columns, start=1))
    return f"\ndata_{block}\n\nloop_\n{names}"
