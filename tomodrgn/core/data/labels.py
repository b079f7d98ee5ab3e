"""Labels of the particles of a run, and whether they came from it.

Where labels come from decides how they are judged: clusters of latents say nothing new of noise,
classes from elsewhere may. A file tells it by its content, wherever it lies: a run remembers the
digest of all labels that were made from it.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tomodrgn.core.data.run import Run
from tomodrgn.core.errors import DataError
from tomodrgn.core.files.atomic import append_line
from tomodrgn.core.files.json_text import parse_json
from tomodrgn.core.files.labels import read_labels
from tomodrgn.core.particles.identity import match_particles
from tomodrgn.core.products import CLUSTERINGS, LABEL_RECORDS, LABELS, RUN_SPEC

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Labels:
    """The class of each particle of a run.

    Attributes:
        of_particle: (B,) from 0, in the order of the particles of the run.
        names: (K,) what each class is called in the file.
        origin: directory of the run that the labels were made from, by whatever name they are
            called now; None if they come from elsewhere.
    """

    of_particle: NDArray[np.int64]
    names: tuple[str, ...]
    origin: Path | None = None

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(K,) particles of each class."""
        return np.bincount(self.of_particle, minlength=len(self.names)).astype(np.int64)


def labels_of_run(path: Path, run: Run) -> Labels:
    """The labels of a file, brought into the order of the particles of a run.

    Args:
        path: one label per particle. In the directory of another run they belong to its particles
            and are joined by names; otherwise they count the particles of the run, or all of its
            input.
        run: the run.

    Raises:
        DataError: the labels fit neither, or are no classes.
    """
    values = read_labels(path)
    home = _run_above(path)
    other = None if home is None or _is_same(home, run.directory) else Run(home, run.registry)
    mine = _joined(path, values, run, other)
    if mine.dtype.kind == "f":
        if not np.array_equal(mine, np.rint(mine)):
            raise DataError(
                f"{path}: {mine[mine != np.rint(mine)][0]} is no class; labels are whole numbers "
                "or names"
            )
        mine = mine.astype(np.int64)
    names, of_particle = np.unique(mine, return_inverse=True)
    if len(names) > max(2, len(mine) // 2):
        raise DataError(
            f"{path}: has {len(names)} different labels for {len(mine)} particles; give classes"
        )
    origin = next(
        (each.directory.resolve() for each, found in ((run, mine), (other, values))
         if each is not None and labels_digest(found) in _known_digests(each.directory)), None
    )  # fmt: skip
    return Labels(of_particle.astype(np.int64), tuple(map(str, names)), origin)


def record_labels(directory: Path, path: Path, labels: NDArray[Any]) -> None:
    """Let a run remember labels that were made from it; one that cannot be written only warns.

    Args:
        directory: of the run.
        path: the file of the labels.
        labels: (B,) in the order of the particles of the run.
    """
    digest = labels_digest(labels)
    records = directory / LABEL_RECORDS
    if digest in _recorded_digests(directory):
        return
    line = {"sha256": digest, "n_particles": len(labels), "file": str(path.absolute())}
    try:
        append_line(records, json.dumps(line))
    except OSError as error:  # a run of somebody else may be looked at, too
        logger.warning(
            "%s: cannot be written (%s), so a copy of %s elsewhere will not be known as labels of "
            "this run", records, error.strerror or error, path,
        )  # fmt: skip


def labels_digest(labels: NDArray[Any]) -> str:
    """SHA-256 of a partition (B,): the same for the same classes by other names."""
    _, first, code = np.unique(labels, return_index=True, return_inverse=True)
    by_appearance = np.argsort(np.argsort(first))
    return hashlib.sha256(by_appearance[code].astype("<i8").tobytes()).hexdigest()


def _known_digests(directory: Path) -> set[str]:
    """Digests of labels that were made from a run, also where an earlier version made them."""
    known = _recorded_digests(directory)
    folders = [directory, *(found for each in CLUSTERINGS for found in directory.glob(each))]
    for path in (folder / LABELS for folder in folders):
        try:
            known.add(labels_digest(read_labels(path)))
        except DataError:
            continue
    return known


def _recorded_digests(directory: Path) -> set[str]:
    records = directory / LABEL_RECORDS
    try:
        lines = records.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return set()
    except (OSError, ValueError) as error:
        logger.warning("%s: cannot be read (%s)", records, error)
        return set()
    found: set[str] = set()
    for number, line in enumerate(lines, 1):
        try:
            found.add(str(parse_json(line)["sha256"]))
        except (ValueError, KeyError, TypeError):
            logger.warning("%s: line %d is damaged and passed over", records, number)
    return found


def _joined(path: Path, values: NDArray[Any], run: Run, other: Run | None) -> NDArray[Any]:
    """(B,) labels in the order of the particles of the run."""
    particles = run.particles
    if other is not None and len(values) == other.facts.n_particles:
        logger.info(
            "labels are those of the run in %s, joined by names of particles", other.directory
        )
        return values[match_particles(other.particles, particles)]
    if len(values) == particles.n_particles:
        return values
    if len(values) == particles.n_source_particles:
        logger.info("labels are those of all particles of %s", particles.source)
        return values[particles.source_particle]
    raise DataError(
        f"{path}: holds {len(values)} labels, the run has {particles.n_particles} particles and "
        f"its input {particles.n_source_particles}; give one label per particle of either"
    )


def _run_above(path: Path) -> Path | None:
    """The run directory that a file lies in, however deep."""
    for folder in path.resolve().parents:
        if (folder / RUN_SPEC).exists():
            return folder
    return None


def _is_same(folder: Path, other: Path) -> bool:
    return folder.resolve() == other.resolve()
