"""One table: what this machine can do, what the program makes of it, and the ratio of both.

Ceilings are measured in the same process right before or after what they are compared with, so
that other work on the machine weighs on both. A line of JSON is added to a file at every call.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from benchmarks import backproject, decode, linear, prepare, train
from benchmarks.ceiling import copy_ceiling, matmul_ceiling
from benchmarks.random_cache import random_cache
from benchmarks.raw_reads import against_raw_reads
from benchmarks.report import Row, append_line, parser, report
from tomodrgn.core.fourier.disc import half_plane_disc

if TYPE_CHECKING:
    from benchmarks.disk import Pages

RESULTS = Path(__file__).parent / "results.jsonl"

CPU = torch.device("cpu")
CORNERS = 8
"""Grid points around a coefficient."""
READ, ADDED = 4, 8
"""Bytes that move when a float32 is read from a grid point, and when one is added to it."""
_WHOLE = 100
"""Figures from here on are shown without decimals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much work the table takes.

    Attributes:
        train_particles: particles of 8 tilts, box 32.
        epochs: the first is not counted.
        volumes: decoded and written.
        volume_box_px: their box edge.
        stack_gb: stack to prepare, box 96.
        cache_gb: cache to stream, box 96.
        map_particles: particles of 31 tilts to back-project, box 48.
        linear_images: images of a round of ``train_linear``, box 64, 6 shells, 4 latents.
    """

    train_particles: int
    epochs: int
    volumes: int
    volume_box_px: int
    stack_gb: float
    cache_gb: float
    map_particles: int
    linear_images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line about the program: which columns of a benchmark it shows.

    Attributes:
        figure: column of what a user counts, per second.
        counted: what that is.
        rate: column of the work in it, in the unit of its ceiling.
        unit: of the rate.
        ceiling: what limits such work.
        percent: column of the share of the ceiling.
    """

    figure: str
    counted: str
    rate: str
    unit: str
    ceiling: str
    percent: str

    def show(self, what: str, found: Row) -> Row:
        """The line, of what a benchmark found."""
        figure = float(found[self.figure])
        return {
            "what": what,
            "figure": f"{figure:,.0f}" if figure >= _WHOLE else f"{figure:.3g}",
            "per_s": self.counted,
            "rate": found[self.rate],
            "unit": self.unit,
            "ceiling": self.ceiling,
            "percent": found[self.percent],
        }


TRAIN = Line(
    figure="coefficients_per_s",
    counted="coefficients",
    rate="gflop_per_s",
    unit="GFLOP/s",
    ceiling="matmul",
    percent="percent_of_ceiling",
)
DECODE = Line(
    figure="written_per_s",
    counted="volumes",
    rate="gflop_per_s",
    unit="GFLOP/s",
    ceiling="matmul",
    percent="percent_written",
)
PREPARE = Line(
    figure="images_per_s",
    counted="images",
    rate="prepared_gb_per_s",
    unit="GB/s",
    ceiling="sequential read",
    percent="percent_of_read",
)
STREAM = Line(
    figure="images_per_s",
    counted="images",
    rate="gb_per_s",
    unit="GB/s",
    ceiling="random blocks",
    percent="percent_of_raw",
)
MOVE = Line(
    figure="images_per_s",
    counted="images",
    rate="gb_per_s",
    unit="GB/s",
    ceiling="copy",
    percent="percent_of_copy",
)

FULL = Sizes(
    train_particles=144,
    epochs=6,
    volumes=100,
    volume_box_px=64,
    stack_gb=0.5,
    cache_gb=2.0,
    map_particles=60,
    linear_images=20_000,
)
QUICK = Sizes(
    train_particles=16,
    epochs=3,
    volumes=2,
    volume_box_px=48,
    stack_gb=0.1,
    cache_gb=0.5,
    map_particles=10,
    linear_images=2_000,
)


def measure(sizes: Sizes, folder: Path) -> list[Row]:
    """The rows of the table; files come and go in ``folder``."""
    copied = copy_ceiling(CPU) / 1e9
    return [
        *(_matmul(dtype) for dtype in (torch.float32, torch.bfloat16)),
        _ceiling("copy in memory, read and written", copied, "GB/s"),
        *(_train(sizes, precision) for precision in ("float32", "mixed")),
        _decode(sizes),
        *_prepare(sizes, folder),
        *_stream(sizes, folder),
        _backproject(sizes, folder, copied),
        _linear(sizes, folder, copied),
    ]


def _ceiling(what: str, rate: float, unit: str) -> Row:
    """A line about the machine."""
    empty = dict.fromkeys(("figure", "per_s"), "")
    return {"what": what, **empty, "rate": rate, "unit": unit, "ceiling": "", "percent": ""}


def _matmul(dtype: torch.dtype) -> Row:
    rate = matmul_ceiling(CPU, dtype) / 1e9
    return _ceiling(f"matmul, {str(dtype).removeprefix('torch.')}", rate, "GFLOP/s")


def _train(sizes: Sizes, precision: str) -> Row:
    found = train.measure(
        n_particles=sizes.train_particles,
        n_tilts=8,
        box_size_px=32,
        batch_size=8,
        epochs=sizes.epochs,
        gpu=False,
        precision=precision,
    )
    return TRAIN.show(f"train, products in {found['networks']}", found)


def _decode(sizes: Sizes) -> Row:
    box = sizes.volume_box_px
    found = decode.measure(box_size_px=box, n_volumes=sizes.volumes, repeats=2, gpu=False)
    return DECODE.show(f"decode and write, box {box}", found)


def _prepare(sizes: Sizes, folder: Path) -> list[Row]:
    found = prepare.measure(folder, box_size_px=96, size_gb=sizes.stack_gb, pages="cold")
    read = float(found["read_gb_per_s"])
    return [
        _ceiling("read a stack, sequentially, cold", read, "GB/s"),
        PREPARE.show("prepare it, box 96", found),
    ]


def _stream(sizes: Sizes, folder: Path) -> list[Row]:
    path = folder / "streamed.h5"
    cache = random_cache(path, sizes.cache_gb, 96)
    states: tuple[Pages, ...] = ("warm", "cold")
    rows = []
    for pages in states:
        found = against_raw_reads(cache, pages)
        raw, converted = float(found["raw_gb_per_s"]), float(found["converted_gb_per_s"])
        rows += [
            _ceiling(f"read a cache in random blocks, {pages}", raw, "GB/s"),
            _ceiling(f"the same, made float32, {pages}", converted, "GB/s"),
            STREAM.show(f"stream it, box 96, {pages}", found),
        ]
    path.unlink()
    return rows


def _backproject(sizes: Sizes, folder: Path, copied: float) -> Row:
    box = 48
    found = backproject.measure(box, sizes.map_particles, 31, folder, CPU)
    grids = 3  # real part, imaginary part, weights
    traffic = CORNERS * ADDED * grids * len(half_plane_disc(box))
    moved = _moved(float(found["images_per_s"]), traffic, copied=copied)
    return MOVE.show(f"back-project, box {box}", moved)


def _linear(sizes: Sizes, folder: Path, copied: float) -> Row:
    box, shells, latents = 64, 6, 4
    disc = half_plane_disc(box)
    path = folder / "linear.h5"
    cache = random_cache(path, sizes.linear_images * len(disc) * 4 / 1e9, box)
    found = linear.measure(cache, box, shells, latents)
    path.unlink()
    maps = 1 + latents
    read, added = 2 * maps, 2 * maps + maps * (maps + 1) // 2
    traffic = CORNERS * (READ * read + ADDED * added) * int((disc.radius_px <= shells).sum())
    moved = _moved(1e6 / float(found["us per image"]), traffic, copied=copied)
    return MOVE.show("linear model, a round", moved)


def _moved(images_per_s: float, traffic: int, *, copied: float) -> Row:
    """Work whose least cost is to read and write ``traffic`` bytes of maps for every image."""
    rate = traffic * images_per_s / 1e9
    return {
        "images_per_s": images_per_s,
        "gb_per_s": rate,
        "percent_of_copy": 100 * rate / copied,
    }


def main(arguments: list[str]) -> None:
    """Print the table and add it to the results."""
    made = parser("overview", __doc__ or "")
    made.set_defaults(json=RESULTS)
    made.add_argument("--quick", action="store_true", help="less work: rougher figures, sooner")
    made.add_argument("--folder", type=Path, help="where to write stacks and caches")
    options = made.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        rows = measure(QUICK if options.quick else FULL, Path(folder))
    report("overview", rows)
    append_line("overview (quick)" if options.quick else "overview", rows, options.json)
    print(f"added to {options.json}")
