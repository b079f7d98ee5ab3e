"""Which faults ``check`` names: a confusion table over simulated sets of several kinds."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner

from benchmarks.report import Row, parser, report
from tests.integration.faults import FAULTS, Fault, SimulatedSet
from tomodrgn.core.cli.main import cli
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

_BASE: dict[str, Any] = {
    "n_particles": 64, "n_tomograms": 4, "n_classes": 2, "box_size_px": 32, "pixel_size_a": 8.0,
    "n_tilts": 17, "tilt_step_deg": 6.0, "snr": 0.1, "origin_shift_px": 3.0,
    "field_a": (3000.0, 3000.0, 2500.0),
}  # fmt: skip

SETS: dict[str, dict[str, Any]] = {
    "warp": {"seed": 11},
    "warp, noisy": {"seed": 12, "snr": 0.02, "n_particles": 120},
    "warp, clean": {"seed": 13, "snr": 1.0, "defocus_um": (1.5, 3.0), "n_tilts": 13},
    "warp, premultiplied": {"seed": 14, "ctf_premultiplied": True},
    "nextpyp": {"seed": 15, "format": "nextpyp", "tilt_axis_deg": 85.0},
    "warptools": {"seed": 16, "format": "warptools", "tilt_axis_deg": -84.0},
    "relion5": {"seed": 17, "format": "relion5", "tilt_axis_deg": 30.0},
    "relion5, bidirectional": {"seed": 18, "format": "relion5", "tilt_scheme": "bidirectional",
                               "snr": 0.05},
    "relion4": {"seed": 19, "format": "relion4", "tilt_axis_deg": 85.0},
}  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    """Print a row per set and fault: what was called wrong."""
    options = parser("check", __doc__ or "")
    options.add_argument("--sets", nargs="*", default=list(SETS), help="names of sets to try")
    options.add_argument("--faults", nargs="*", help="names of faults to try; all by default")
    options.add_argument("--seed", type=int, default=0, help="added to the seed of every set")
    chosen = options.parse_args(arguments)
    rows: list[Row] = []
    for name in chosen.sets:
        rows += confusion(name, chosen.seed, chosen.faults)
        print(f"{name}: done", file=sys.stderr)
    report("check", rows, chosen.json)
    right = sum(row["named"] == row["called"] for row in rows)
    print(f"{right} of {len(rows)} are right")


def confusion(name: str, seed: int, faults: Sequence[str] | None) -> list[Row]:
    """A row per fault of one set, and one without."""
    with tempfile.TemporaryDirectory() as folder:
        pristine = Path(folder) / "pristine"
        options = {**_BASE, **SETS[name]}
        spec = SimulationSpec(outdir=pristine, **{**options, "seed": options["seed"] + seed})
        star = simulate(spec)
        rows = [_row(name, SimulatedSet(star), None, spec)]
        state = "premultiplied" if _is_premultiplied(spec) else "raw"
        for fault in FAULTS:
            if state not in fault.states or (faults and fault.name not in faults):
                continue
            faulty = SimulatedSet(star).copy_to(Path(folder) / "faulty")
            rows.append(_row(name, faulty, fault, spec))
            shutil.rmtree(faulty.folder)
    return rows


def _is_premultiplied(spec: SimulationSpec) -> bool:
    if spec.ctf_premultiplied is not None:
        return spec.ctf_premultiplied
    return spec.format not in {"warp", "nextpyp"}


def _is_untold(spec: SimulationSpec) -> bool:
    """Whether images are premultiplied, and their format cannot say so."""
    return spec.format in {"warp", "nextpyp"} and _is_premultiplied(spec)


def _row(name: str, data: SimulatedSet, fault: Fault | None, spec: SimulationSpec) -> Row:
    words = ["--ctf-premultiplied"] if _is_untold(spec) else []
    if fault is not None:
        words += fault.apply(data, spec.pixel_size_a or 8.0)
    start = time.perf_counter()
    command = ["check", str(data.star), "-o", str(data.folder / "report"), "--json", *words]
    result = CliRunner().invoke(cli, command)
    seconds = time.perf_counter() - start
    try:
        found = json.loads(result.stdout)
        called = ", ".join(found["fault_ids"]) or "-"
        signal = found["tried_on"]["signal_z"] or 0.0
        undecided = sum(v["decision"] == "undecided" for v in found["verdicts"])
    except json.JSONDecodeError:
        called, signal, undecided = (result.stderr or repr(result.exception)).strip()[-200:], 0.0, 0
    return {
        "set": name,
        "fault": "-" if fault is None else fault.name,
        "named": "-" if fault is None else fault.called,
        "called": called,
        "signal z": signal,
        "undecided": undecided,
        "exit": result.exit_code,
        "s": seconds,
    }
