"""Where a run starts: from nothing in a directory without results, or from a saved state."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, NamedTuple

from tomodrgn.core.errors import RunError
from tomodrgn.core.pipeline.checkups import CHECKUPS
from tomodrgn.core.pipeline.pictures import PICTURES
from tomodrgn.core.run_directory import RUN_SPEC
from tomodrgn.core.specs.files import read_spec
from tomodrgn.core.training.checkpoint import (
    INTERRUPTED,
    Checkpoint,
    find_checkpoint,
    load_checkpoint,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.specs.run import RunSpecBase
    from tomodrgn.core.training.devices import Devices

METRICS = "metrics.jsonl"
RESULTS = (
    *("weights*.pkl", "z*.pkl", "reconstruct*.mrc", INTERRUPTED, METRICS),
    *("z_covariance.npy", "linear.json", "basis_*.mrc"),
    *CHECKUPS,
)


class SavedState(NamedTuple):
    """A checkpoint and the file that it came from."""

    path: Path
    checkpoint: Checkpoint


def find_start(run: RunSpecBase, outdir: Path, *, can_go_on: bool = True) -> SavedState | None:
    """The state to go on from; None for a new run. Nothing is changed.

    Args:
        run: the run spec.
        outdir: run directory.
        can_go_on: whether a run of this kind can be interrupted and gone on with.

    Raises:
        RunError: there is no such state, or a new run would replace results.
    """
    load = run.training.load
    if load is not None:
        path = find_checkpoint(outdir, load)
        return SavedState(path, load_checkpoint(path))
    results = _files(outdir, RESULTS)
    if results and not run.training.overwrite:
        found = outdir / METRICS
        name = (found if found in results else results[0]).name
        go_on = "go on with --load latest, " if can_go_on else ""
        raise RunError(
            f"{outdir}: already holds a run ({name}); {go_on}choose another --outdir, or replace "
            "it with --overwrite"
        )
    return None


def remove_results(outdir: Path) -> None:
    """Remove what an earlier run left and a new one would not replace."""
    for path in _files(outdir, (*RESULTS, *PICTURES)):
        path.unlink()


def choose_seed(run: RunSpecBase, outdir: Path, devices: Devices) -> int:
    """The seed of the run that is gone on with, or a new one, the same in every process."""
    seed = secrets.randbelow(100_000)
    with devices.agreement():
        if run.training.load is not None and (outdir / RUN_SPEC).exists():
            seed = int(read_spec(outdir / RUN_SPEC).get("seed") or 0)
    return int(devices.fabric.broadcast(seed))


def _files(outdir: Path, patterns: tuple[str, ...]) -> list[Path]:
    return sorted(path for pattern in patterns for path in outdir.glob(pattern))
