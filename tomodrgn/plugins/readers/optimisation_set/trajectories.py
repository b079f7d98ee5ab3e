"""The motion of particles in a set: how far each was from its place in each frame, in angstrom.

RELION extracts particles along their trajectories where the set that it extracts from has them.
Their images are centred already, and the set that it writes still names the trajectories.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import numeric_column, read_star
from tomodrgn.core.files.star_rows import is_row, parse_rows
from tomodrgn.core.quoting import star_value
from tomodrgn.plugins.readers.upstream_files.set_columns import ORIGIN_A

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.files.star import StarBlock, StarFile
    from tomodrgn.plugins.readers.optimisation_set.visible_frames import FrameLists

_RELION_JOB: Final = re.compile(r"(?:^|/)job(\d+)/")
_WAY_OUT: Final = "give the file that belongs to the particles, or leave motion out with " \
    "--no-trajectories"  # fmt: skip


def read_trajectories(path: Path, names: Sequence[str], frames: FrameLists) -> NDArray[np.float32]:
    """(entries, 3) displacement of particles in the frames of their lists.

    All tables are parsed as one, because there are as many as particles.

    Args:
        path: a file with a table of ``ORIGIN_A`` for each particle, one row per frame.
        names: (B,) names of particles, which name the tables.
        frames: lists of their frames.

    Raises:
        DataError: a particle has no table, or one of another length than its list.
    """
    star = read_star(path)
    table_of = {block.name: block for block in star.tables}
    missing = [name for name in names if name not in table_of]
    if missing:
        raise DataError(
            f"{path}: particle {missing[0]} has no trajectory ({len(missing)} of {len(names)} "
            f"particles have none); {_WAY_OUT}"
        )
    blocks = [table_of[name] for name in names]
    _refuse_other_columns(blocks, path)
    texts = [_rows(star, block) for block in blocks]
    n_rows = np.array([sum(map(is_row, text.splitlines())) for text in texts])
    wrong = np.flatnonzero(n_rows != frames.n_frames)
    if len(wrong):
        raise DataError(
            f"{path}: the trajectory of particle {names[wrong[0]]} has {n_rows[wrong[0]]} rows, "
            f"its tilt series has {frames.n_frames[wrong[0]]} frames ({len(wrong)} such "
            f"particles); {_WAY_OUT}"
        )
    table = parse_rows(b"\n".join(texts), blocks[0].columns, ORIGIN_A, numbers=ORIGIN_A)
    moved_a = [numeric_column(table, name, path).astype(np.float32) for name in ORIGIN_A]
    return np.stack(moved_a, axis=-1)


def extracted_along(trajectories: str, stacks: Sequence[str]) -> NDArray[np.bool_]:
    """(B,) whether each stack was extracted along the trajectories, by numbers of RELION's jobs.

    The job that extracts is then later than the one that found the motion, or wrote both files.

    Args:
        trajectories: path of the trajectories as the set names it.
        stacks: (B,) paths of the stacks as the particles name them.
    """
    found_in = _job_number(trajectories)
    if found_in is None:
        return np.zeros(len(stacks), dtype=np.bool_)
    jobs = (_job_number(stack) for stack in stacks)
    return np.array([job is not None and job >= found_in for job in jobs], dtype=np.bool_)


def _rows(star: StarFile, block: StarBlock) -> bytes:
    """The lines of a table that hold rows."""
    if block.values is None:
        return star.content[block.start : block.stop]
    return "\t".join(map(star_value, block.values)).encode()


def _job_number(path: str) -> int | None:
    numbers = _RELION_JOB.findall(path)
    return int(numbers[-1]) if numbers else None


def _refuse_other_columns(blocks: Sequence[StarBlock], path: Path) -> None:
    """Refuse tables that lack a column, or have others than the first."""
    for block in blocks:
        if block.columns != blocks[0].columns or not set(ORIGIN_A) <= set(block.columns):
            raise DataError(
                f"{path}: table data_{block.name} has the columns {', '.join(block.columns)}; "
                f"every trajectory needs {', '.join(ORIGIN_A)}, alike; {_WAY_OUT}"
            )
