"""The record of a build: which blocks are safely on the disk, and what they add up to.

One JSON line names the job, one line follows for every block. A line is written only after its
block has reached the disk, and a last line that a crash cut short does not count.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tomodrgn.core.cache.power import BlockPower
from tomodrgn.core.files.atomic import write_text_atomic
from tomodrgn.core.files.unreadable import require_readable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_LONGEST_FIRST_LINE = 1024


@dataclass
class BuildRecord:
    """Blocks of one job that are done, on disk and in memory.

    Attributes:
        path: the record's file.
        job: digest of everything that determines the content of the cache.
        scale: what the transforms are divided by.
        power: of each finished block.
    """

    path: Path
    job: str
    scale: float
    power: dict[int, BlockPower] = field(default_factory=dict)

    def write(self) -> None:
        """Write the record anew; other jobs' records and torn lines vanish."""
        lines = [_first_line(self.job, self.scale)]
        lines += [_block_line(block, power) for block, power in self.power.items()]
        write_text_atomic(self.path, "".join(lines), is_own=True)

    @contextmanager
    def appending(self) -> Iterator[Callable[[int, BlockPower], None]]:
        """A function that notes a block which has reached the disk.

        It keeps to the file that is there now, so that a builder that lost its lease cannot write
        into the record of its successor.
        """
        with self.path.open("a", encoding="utf-8") as file:

            def add(block: int, power: BlockPower) -> None:
                self.power[block] = power
                file.write(_block_line(block, power))
                file.flush()
                os.fsync(file.fileno())

            yield add


def read_record(path: Path, job: str) -> BuildRecord | None:
    """The record of this job, or None where there is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    whole = text[: text.rfind("\n") + 1].splitlines()
    try:
        first, *blocks = [json.loads(line) for line in whole]
        if first["job"] != job:
            return None
        power = {line["block"]: _power(line) for line in blocks}
        return BuildRecord(path, job, float.fromhex(first["scale"]), power)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def is_record(path: Path) -> bool:
    """Whether a file is the record of some build."""
    try:
        with path.open("rb") as file:
            first = json.loads(file.readline(_LONGEST_FIRST_LINE))
    except (OSError, ValueError) as error:
        require_readable(path, error)
        return False
    return isinstance(first, dict) and set(first) == {"job", "scale"}


def count_blocks(path: Path) -> int:
    """Finished blocks in a record, of whatever job; 0 where there is none."""
    try:
        return max(0, path.read_bytes().count(b"\n") - 1)
    except OSError:
        return 0


def powers_to_text(power: Mapping[int, BlockPower]) -> str:
    """The power of blocks as one text."""
    return "".join(_block_line(block, found) for block, found in power.items())


def powers_from_text(text: str) -> dict[int, BlockPower]:
    """The power of blocks from such a text."""
    lines = [json.loads(line) for line in text.splitlines()]
    return {line["block"]: _power(line) for line in lines}


def _first_line(job: str, scale: float) -> str:
    return json.dumps({"job": job, "scale": scale.hex()}) + "\n"


def _block_line(block: int, power: BlockPower) -> str:
    line: dict[str, Any] = {
        "block": block,
        "total": [part.hex() for part in power.total],
        "octaves": power.octaves,
        "peak": power.peak.hex(),
    }
    if power.damaged or power.n_healed:
        line |= {"damaged": power.damaged, "healed": power.n_healed}
    return json.dumps(line) + "\n"


def _power(line: dict[str, Any]) -> BlockPower:
    return BlockPower(
        tuple(map(float.fromhex, line["total"])),
        {int(octave): images for octave, images in line["octaves"].items()},
        float.fromhex(line["peak"]),
        {int(row): code for row, code in line.get("damaged", {}).items()},
        line.get("healed", 0),
    )
