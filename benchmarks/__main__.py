"""Run a benchmark, ``python -m benchmarks NAME``; without a name, a table of all that matters."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

DEFAULT = "overview"
NOT_BENCHMARKS = {
    "__main__",
    "disk",
    "mutation",
    "networks",
    "particles",
    "random_cache",
    "raw_reads",
    "report",
    "truth_cases",
    "truth_likelihood",
    "truth_poses",
    "truth_scores",
}


def names() -> list[str]:
    """Benchmarks that there are."""
    found = {module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])}
    return sorted(found - NOT_BENCHMARKS)


def main(arguments: list[str]) -> int:
    """Run the benchmark named first, or the overview; the rest are its own options."""
    if arguments[:1] in (["-h"], ["--help"]):
        print(usage())
        return 0
    if not arguments or arguments[0].startswith("-"):
        arguments = [DEFAULT, *arguments]
    name, *options = arguments
    if name not in names():
        print(usage())
        return 2
    importlib.import_module(f"benchmarks.{name}").main(options)
    return 0


def usage() -> str:
    """What may be typed."""
    return (
        "usage: python -m benchmarks [--quick] [--json FILE]\n"
        f"       python -m benchmarks {{{','.join(names())}}} [--json FILE] [--help]"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
