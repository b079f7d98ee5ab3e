"""Run one benchmark: ``python -m benchmarks NAME``."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

NOT_BENCHMARKS = {"__main__", "networks", "particles", "report"}


def names() -> list[str]:
    """Benchmarks that there are."""
    found = {module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])}
    return sorted(found - NOT_BENCHMARKS)


def main(arguments: list[str]) -> int:
    """Run the benchmark named first; the rest are its own options."""
    if not arguments or arguments[0] not in names():
        print(f"usage: python -m benchmarks {{{','.join(names())}}} [--json FILE] [--help]")
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    importlib.import_module(f"benchmarks.{arguments[0]}").main(arguments[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
