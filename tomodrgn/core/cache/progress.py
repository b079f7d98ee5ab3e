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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


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
        write_text_atomic(self.path, "".join(lines))

    @contextmanager
    def appending(self) -> Iterator[Callable[[int, BlockPower], None]]:
        """A function that notes a block which has reached the disk.

        It keeps to the file that is there now, so that a builder that lost its claim cannot write
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


def count_blocks(path: Path) -> int:
    """Finished blocks in a record, of whatever job; 0 where there is none."""
    try:
        return max(0, path.read_bytes().count(b"\n") - 1)
    except OSError:
        return 0


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
