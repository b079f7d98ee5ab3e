"""``python -m tests.faults``: kill, fill the disk and fail to read at every step of every command.

A table of faults by command goes to the standard output, what was broken to the messages.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.docs import warm_python
from tests.faults.trials import COMMANDS, every, make_world

LIMITS_KB = (1, 4, 16, 64, 256, 1024)


def main() -> int:
    """The number of broken promises."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--step", type=int, default=1, help="every how many changes of files")
    parser.add_argument("--kinds", default="kill,full,unreadable,large")
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
                    numbers = LIMITS_KB if kind == "large" else range(1, 10_000, chosen.step)
                    done = list(every(world, name, kind, numbers))
                    bad = [(number, words) for number, words in done if words]
                    total, n_broken = total + len(done), n_broken + len(bad)
                    sys.stdout.write(f"| {name} | {kind} | {len(done)} | {len(bad)} |\n")
                    sys.stdout.flush()
                    for number, words in bad[:3]:
                        sys.stderr.write(f"{name}, {kind} {number}: {words}\n")
        finally:
            server.kill()
    sys.stdout.write(f"| all | | {total} | {n_broken} |\n")
    return min(n_broken, 1)


if __name__ == "__main__":
    sys.exit(main())
