"""Which faults ``check`` names: a confusion table over simulated sets of several kinds.

A row is right where the fault is named, and nothing else. To name nothing is right only where the
best test there is cannot decide either: that of the likelihood of the images under the true maps
and classes, for the metadata as they are against every remedy of the fault. Of images in a wrong
order it knows the right one.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
import torch
from click.testing import CliRunner

from benchmarks.report import Row, parser, report
from tests.integration.faults import FAULTS, Fault, SimulatedSet
from tomodrgn.core.cli.main import cli
from tomodrgn.core.files.mrc import read_volume
from tomodrgn.core.inspection.alternatives import alternatives
from tomodrgn.core.inspection.comparison import CLEARLY_BETTER_Z, paired_z, student_limit
from tomodrgn.core.inspection.likelihood import NoiseModel, likelihood_of_maps
from tomodrgn.core.inspection.prediction import as_recorded, predict
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec
from tomodrgn.plugins.commands.check.verdicts import judge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.inspection.fault_names import FaultId
    from tomodrgn.core.inspection.sample import Sample
    from tomodrgn.plugins.commands.check.verdicts import Judgement

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
        print(f"{name}: done", file=sys.stderr, flush=True)
    report("check", rows, chosen.json)
    named = sum(row["named"] == row["called"] for row in rows)
    open_ones = sum(row["verdict"] == "cannot be decided" for row in rows)
    print(f"{named + open_ones} of {len(rows)} are right, {open_ones} of them undecidable")


def confusion(name: str, seed: int, faults: Sequence[str] | None) -> list[Row]:
    """A row per fault of one set, and one without."""
    with tempfile.TemporaryDirectory() as folder:
        pristine = Path(folder) / "pristine"
        options = {**_BASE, **SETS[name]}
        spec = SimulationSpec(outdir=pristine, **{**options, "seed": options["seed"] + seed})
        star = simulate(spec)
        sound: list[Sample] = []
        rows: list[Row] = []

        def add(data: SimulatedSet, fault: Fault | None) -> None:
            rows.append(_row(name, data, fault, spec, sound))
            print(rows[-1], file=sys.stderr, flush=True)

        add(SimulatedSet(star), None)
        state = "premultiplied" if _is_premultiplied(spec) else "raw"
        for fault in FAULTS:
            if state not in fault.states or (faults and fault.name not in faults):
                continue
            faulty = SimulatedSet(star).copy_to(Path(folder) / "faulty")
            add(faulty, fault)
            shutil.rmtree(faulty.folder)
    return rows


def best_test_z(sample: Sample, truth: Path, fault: FaultId, sound: Sequence[Sample] = ()) -> float:
    """The z of the likelihood under true maps: the best remedy of a fault against the metadata.

    Args:
        sample: images and metadata with the fault, of a box that was not cropped.
        truth: folder of the set, with its maps and the class of each particle.
        fault: what ails the metadata; infinite for one that tables or pixels alone tell.
        sound: the sample without the fault; images in a wrong order are in the right one there.
    """
    maps = np.stack([read_volume(path)[0] for path in sorted((truth / "maps").glob("*.mrc"))])
    labels = np.loadtxt(truth / "labels.txt", dtype=np.int64)
    which = torch.from_numpy(labels)[sample.particle]
    remedies = [a.change(sample) for a in alternatives() if a.fault == fault]
    readings = [remedy for remedy in remedies if remedy is not None]
    if fault == "stack_row_mismatch":
        readings += [
            replace(sample, coefficients=each.coefficients)
            for each in sound
            if np.array_equal(each.source_row, sample.source_row)
        ]
    given = _of_true_maps(sample, maps, which)
    z = (paired_z(_of_true_maps(each, maps, which) - given) for each in readings)
    return max(z, default=math.inf)


def _of_true_maps(sample: Sample, maps: NDArray[np.float32], which: Tensor) -> Tensor:
    """(B,) log likelihood under true maps, in the gray levels that suit images best."""
    model = NoiseModel(sample)
    predicted = as_recorded(sample, model.signal * predict(sample, maps, which))
    product = (sample.coefficients * predicted.conj()).real.sum()
    scale = max(float(product / predicted.abs().square().sum()), 1e-6)
    return likelihood_of_maps(sample, np.float32(scale) * maps, which, model)


def _remembering(seen: list[Sample]) -> Callable[..., Judgement]:
    def judged(sample: Sample, *others: Any) -> Judgement:
        seen.append(sample)
        return judge(sample, *others)

    return judged


def _is_premultiplied(spec: SimulationSpec) -> bool:
    if spec.ctf_premultiplied is not None:
        return spec.ctf_premultiplied
    return spec.format not in {"warp", "nextpyp"}


def _is_untold(spec: SimulationSpec) -> bool:
    """Whether images are premultiplied, and their format cannot say so."""
    return spec.format in {"warp", "nextpyp"} and _is_premultiplied(spec)


def _row(
    name: str, data: SimulatedSet, fault: Fault | None, spec: SimulationSpec, sound: list[Sample]
) -> Row:
    """A row of the table; the sample of the set without a fault is added to ``sound``."""
    words = ["--ctf-premultiplied"] if _is_untold(spec) else []
    if fault is not None:
        words += fault.apply(data, spec.pixel_size_a or 8.0)
    start = time.perf_counter()
    command = ["check", str(data.star), "-o", str(data.folder / "report"), "--json", *words]
    seen: list[Sample] = []
    with patch("tomodrgn.plugins.commands.check.command.judge", _remembering(seen)):
        result = CliRunner().invoke(cli, command)
    seconds = time.perf_counter() - start
    try:
        found = json.loads(result.stdout)
        called = ", ".join(found["fault_ids"]) or "-"
        signal = found["tried_on"]["signal_z"] or 0.0
        undecided = sum(v["decision"] == "undecided" for v in found["verdicts"])
    except json.JSONDecodeError:
        called, signal, undecided = (result.stderr or repr(result.exception)).strip()[-200:], 0.0, 0
    if fault is None:
        sound += seen[-1:]
    named = "-" if fault is None else fault.called
    best_z = "-"
    verdict = "right" if named == called else "wrong"
    if fault is not None and called == "-" and seen:
        z = best_test_z(seen[-1], spec.outdir, fault.called, sound)
        limit = student_limit(CLEARLY_BETTER_Z, seen[-1].n_particles)
        verdict, best_z = ("cannot be decided" if z < limit else "wrong"), f"{z:.1f}"
    return {
        "set": name,
        "fault": "-" if fault is None else fault.name,
        "named": named,
        "called": called,
        "verdict": verdict,
        "best test z": best_z,
        "signal z": signal,
        "undecided": undecided,
        "exit": result.exit_code,
        "s": seconds,
    }
