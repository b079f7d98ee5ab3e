"""Where a run starts: from nothing in a directory without results, or from a saved state."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from tomodrgn.core.data.run_directory import read_run
from tomodrgn.core.errors import RunError
from tomodrgn.core.ownership.call import note_growing
from tomodrgn.core.ownership.moving import is_record
from tomodrgn.core.ownership.results import REPLACED, ResultsFolder, begin_results
from tomodrgn.core.ownership.undamaged import require_as_made
from tomodrgn.core.products import (
    DESCRIPTIONS,
    INTERRUPTED,
    LOG,
    MANIFEST,
    METRICS,
    RESULTS,
    RUN_SPEC,
)
from tomodrgn.core.specs.files import read_spec
from tomodrgn.core.training.checkpoint import (
    Checkpoint,
    find_checkpoint,
    load_checkpoint,
    saved_epochs,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tomodrgn.core.data.run_directory import DatasetFacts
    from tomodrgn.core.specs.run import RunSpecBase
    from tomodrgn.core.training.devices import Devices

logger = logging.getLogger(__name__)

_OTHER_POSE_DEG: Final = 20.0
"""Turn beyond which a pose is another one and not the same one refined."""


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
        require_as_made(path)
        return SavedState(path, load_checkpoint(path))
    results = _results_in(outdir) or _results_in(outdir / REPLACED)
    if results and not run.training.overwrite:
        names = [path.relative_to(outdir).as_posix() for path in results]
        name = METRICS if METRICS in names else names[0]
        go_on = "go on with --load latest, " if can_go_on else ""
        raise RunError(
            f"{outdir}: already holds a run ({name}); {go_on}choose another --outdir, or replace "
            "it with --overwrite"
        )
    return None


def require_same_particles(start: SavedState, facts: DatasetFacts, source: Path) -> None:
    """Refuse to go on with other particles than those that a saved state was trained on.

    The rows may be in another order, and the files in other places. Particles of the same names
    but turned otherwise are those of another set, for names are often mere numbers.

    Args:
        start: the saved state.
        facts: of the particles at hand.
        source: the file that they come from.

    Raises:
        RunError: they are others.
    """
    directory = start.path.parent
    if not (directory / MANIFEST).exists():
        logger.warning(
            "%s: has no %s beside it, so nothing tells whether it was trained on the particles of "
            "%s", start.path, MANIFEST, source,
        )  # fmt: skip
        return
    fault = _difference(read_run(directory).facts, facts)
    if fault is not None:
        raise RunError(
            f"{source}: {fault} that {start.path} was trained on; a run goes on with its own "
            "particles: give their file and selection again, start a new run in another --outdir, "
            "or encode these particles with eval_images"
        )


def _difference(trained: DatasetFacts, facts: DatasetFacts) -> str | None:
    """How the particles at hand differ from those of a run, in words that end in what they are."""
    if trained.n_particles != facts.n_particles:
        return f"has {facts.n_particles} particles, not the {trained.n_particles}"
    known = trained.particle_set_sha256
    if known and known != facts.particle_set_sha256:
        return f"has {facts.n_particles} particles of other names than those"
    if not known and trained.particles_sha256 not in ("", facts.particles_sha256):
        return f"has {facts.n_particles} particles, but not those in the order"
    both = sorted(set(trained.some_poses) & set(facts.some_poses))
    if not both:
        return None
    turns = [np.dot(trained.some_poses[key], facts.some_poses[key]) for key in both]
    turn_deg = np.rad2deg(np.arccos(np.clip((np.array(turns) - 1) / 2, -1, 1)))
    n_turned = int((turn_deg > _OTHER_POSE_DEG).sum())
    if 2 * n_turned <= len(both):
        return None
    return (
        f"names its particles alike, but {n_turned} of {len(both)} looked at are turned by more "
        f"than {_OTHER_POSE_DEG:g} degrees to those"
    )


def begin_run(outdir: Path, begin_log: Callable[[], None]) -> ResultsFolder:
    """Be the one writer of a run directory until the command ends, and begin its log.

    Raises:
        OutputError: another process writes there, or the directory cannot be made.
    """
    results = begin_results(outdir, can_go_on=_can_go_on)
    note_growing(outdir / LOG)
    begin_log()
    return results


def set_results_aside(results: ResultsFolder, run: RunSpecBase) -> None:
    """Make room for a new run; the one of before goes when the new one is complete.

    Raises:
        OutputError: a file is in the way, or somebody works on these results.
        RunError: another process has put results there meanwhile.
    """
    find_start(run, results.folder)
    if results.is_loose:
        _remove_results(results.folder)
    elif (results.folder / MANIFEST).exists():  # a run, maybe of a version that kept no record
        results.adopt(lambda name: bool(RESULTS.fullmatch(name) or DESCRIPTIONS.fullmatch(name)))
    results.set_aside()


def _remove_results(outdir: Path) -> None:
    """Remove what a run left, and the record that would no longer be true."""
    for path in sorted(outdir.iterdir()) if outdir.is_dir() else ():
        if RESULTS.fullmatch(path.name) or DESCRIPTIONS.fullmatch(path.name) or is_record(path):
            path.unlink()


def _can_go_on(outdir: Path) -> bool:
    """Whether a run that has begun in a folder can be gone on with."""
    return (outdir / INTERRUPTED).exists() or bool(saved_epochs(outdir))


def choose_seed(run: RunSpecBase, outdir: Path, devices: Devices) -> int:
    """The seed of the run that is gone on with, or a new one, the same in every process."""
    seed = secrets.randbelow(100_000)
    with devices.agreement():
        if run.training.load is not None and (outdir / RUN_SPEC).exists():
            seed = int(read_spec(outdir / RUN_SPEC).get("seed") or 0)
    return devices.broadcast(seed)


def _results_in(outdir: Path) -> list[Path]:
    """Results of a run in a folder, if there is one."""
    if not outdir.is_dir():
        return []
    return sorted(path for path in outdir.iterdir() if RESULTS.fullmatch(path.name))
