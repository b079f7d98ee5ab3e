"""``python -m tests.faults``: kill, fill the disk, fail to read and lack memory at every step.

A table goes to the standard output: command, fault, trials, steps at which it can come, trials that
broke the promise. What was broken goes to the messages.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tests.docs import warm_python
from tests.faults.trials import COMMANDS, World, count_steps, every, make_world

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMITS_KB = (1, 4, 16, 64, 256, 1024)


def main() -> int:
    """The number of broken promises."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000, help="most of a command and kind")
    parser.add_argument("--kinds", default="kill,full,unreadable,memory,large")
    parser.add_argument("--commands", default=",".join(COMMANDS))
    chosen = parser.parse_args()
    total = n_broken = 0
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "socket"
        server = subprocess.Popen(
            [sys.executable, warm_python.__file__, "serve", str(socket)], stdout=subprocess.PIPE
        )
        assert server.stdout is not None
        server.stdout.readline()
        try:
            world = make_world(Path(folder), socket)
            for name in chosen.commands.split(","):
                for kind in chosen.kinds.split(","):
                    n_steps, numbers = _steps(world, name, kind, chosen.trials)
                    done = list(every(world, name, kind, numbers))
                    bad = [(number, words) for number, words in done if words]
                    total, n_broken = total + len(done), n_broken + len(bad)
                    counts = f"{len(done)} | {n_steps} | {len(bad)}"
                    sys.stdout.write(f"| {name} | {kind} | {counts} |\n")
                    sys.stdout.flush()
                    for number, words in bad[:3]:
                        sys.stderr.write(f"{name}, {kind} {number}: {words}\n")
        finally:
            server.kill()
    sys.stdout.write(f"| all | | {total} | | {n_broken} |\n")
    return min(n_broken, 1)


def _steps(world: World, name: str, kind: str, n_trials: int) -> tuple[int, Sequence[int]]:
    """At how many steps a fault can come, and those that are tried, spread evenly."""
    if kind == "large":
        return len(LIMITS_KB), LIMITS_KB
    n_steps = count_steps(world, name, kind)
    return n_steps, np.unique(np.linspace(1, n_steps, min(n_trials, n_steps)).astype(int)).tolist()


if __name__ == "__main__":
    sys.exit(main())
