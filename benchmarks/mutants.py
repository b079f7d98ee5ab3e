"""Would the tests notice? Faults put into the code at random, and the tests that fail for them.

Each fault is put into a copy of the repository, one at a time, and the tests of its room run there
in a process of their own: first those that mirror the module, then the others of its room. What no
test notices has survived. A seed draws the faults, by turns from each room, so that a part of a
sample is one, too. Results are added to a file and gone on from there.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Final

from benchmarks.mutation import Fault, faults, with_fault

ROOT: Final = Path(__file__).parents[1]
_HEAVY: Final = (
    *("numpy", "pandas", "torch", "pydantic", "click", "pluggy", "yaml", "sklearn"),
    *("matplotlib.figure", "h5py", "scipy.stats", "lightning_fabric"),
)
"""Imported once, before any process is forked; nothing of ours, which changes."""
_PASSED: Final = 0
_OUT_OF_TIME: Final = -1
_SLOWER: Final = 5.0
_MIN_LIMIT_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Room:
    """Modules that answer one question, and where their tests lie; both relative to the root."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]


ROOMS: Final = {
    "linear": Room(("tomodrgn/core/linear/*.py",), ("tests/core/linear",)),
    "validate": Room(
        tuple(
            f"tomodrgn/plugins/commands/validate/{name}.py"
            for name in (
                "chance",
                "class_scores",
                "command",
                "coverage",
                "differences",
                "page",
                "raw_classes",
                "separation",
            )
        ),
        ("tests/plugins/commands/validate",),
    ),
    "labels": Room(
        ("tomodrgn/core/data/labels.py", "tomodrgn/core/files/labels.py"),
        ("tests/core/data/test_labels.py", "tests/core/files/test_labels.py"),
    ),
    "physics": Room(("tomodrgn/core/physics/*.py",), ("tests/core/physics",)),
    "geometry": Room(("tomodrgn/core/geometry/*.py",), ("tests/core/geometry",)),
    "fourier": Room(("tomodrgn/core/fourier/*.py",), ("tests/core/fourier",)),
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault in a module of a room."""

    room: str
    module: str
    fault: Fault

    @property
    def key(self) -> str:
        """What tells it from others, as long as its place stays."""
        place = f"{self.module}:{self.fault.line}:{self.fault.column}"
        return f"{place}: {self.fault.was} -> {self.fault.now}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a mutant: killed by its own tests, by its room, out of time, or survived."""

    room: str
    key: str
    fate: str
    wall_s: float


def draw(seed: int, number: int) -> list[Mutant]:
    """Mutants of all rooms, by turns, each room in an order of its own that the seed gives."""
    by_turns = zip_longest(*(_shuffled(name, seed) for name in ROOMS))
    return [mutant for mutant in chain.from_iterable(by_turns) if mutant is not None][:number]


def _shuffled(name: str, seed: int) -> list[Mutant]:
    modules = sorted(path for pattern in ROOMS[name].modules for path in ROOT.glob(pattern))
    found = [
        Mutant(name, path.relative_to(ROOT).as_posix(), fault)
        for path in modules
        for fault in faults(path.read_text(encoding="utf-8"))
    ]
    random.Random(f"{seed} {name}").shuffle(found)  # noqa: S311  nothing secret
    return found


def tests_of(mutant: Mutant) -> list[list[str]]:
    """The tests that mirror the module, then the others of its room."""
    places = [ROOT / place for place in ROOMS[mutant.room].tests]
    files = sorted({file for place in places for file in _test_files(place)})
    name = Path(mutant.module).stem
    own = [file for file in files if f"{file.stem}_".startswith(f"test_{name}_")]
    parts = (own, [file for file in files if file not in own])
    return [[file.relative_to(ROOT).as_posix() for file in part] for part in parts if part]


def _test_files(place: Path) -> list[Path]:
    return [place] if place.is_file() else list(place.rglob("test_*.py"))


class Copy:
    """A copy of the repository in which faults are put."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._walls_s: dict[tuple[str, ...], float] = {}
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True).stdout  # noqa: S603
        for name in filter(None, names.decode().split("\0")):
            if (ROOT / name).is_file():
                (directory / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, directory / name)

    def fate(self, mutant: Mutant) -> str:
        """What becomes of a mutant; the copy is as it was after that."""
        path = self._directory / mutant.module
        for own, tests in zip(("own", "room"), tests_of(mutant), strict=False):
            limit_s = max(_MIN_LIMIT_S, _SLOWER * self._sound_s(tests))
            before = path.stat()
            source = path.read_text(encoding="utf-8")
            path.write_text(with_fault(source, mutant.fault.number), encoding="utf-8")
            try:
                code = _run_tests(self._directory, tests, limit_s)
            finally:
                path.write_text(source, encoding="utf-8")
                os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
            if code != _PASSED:
                return "out of time" if code == _OUT_OF_TIME else f"killed by {own}"
        return "survived"

    def _sound_s(self, tests: list[str]) -> float:
        """Seconds that tests take without a fault; they must pass."""
        key = tuple(tests)
        if key not in self._walls_s:
            begun = time.perf_counter()
            if _run_tests(self._directory, tests, float("inf")) != _PASSED:
                sys.exit(f"{' '.join(tests)}: fail without any fault; mend that first")
            self._walls_s[key] = time.perf_counter() - begun
        return self._walls_s[key]


def _run_tests(directory: Path, tests: list[str], limit_s: float) -> int:
    """The exit code of pytest in a forked process, or that it was stopped."""
    process = os.fork()
    if process == 0:
        _become_pytest(directory, tests)
    end = time.perf_counter() + limit_s
    while time.perf_counter() < end:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) or _PASSED
        time.sleep(0.02)
    os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return _OUT_OF_TIME


def _become_pytest(directory: Path, tests: list[str]) -> None:
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)
    os.chdir(directory)
    sys.path[:] = [str(directory), *(place for place in sys.path if Path(place) != ROOT)]
    sys.dont_write_bytecode = True
    os.environ |= {"PYTHONPATH": str(directory), "PYTHONDONTWRITEBYTECODE": "1"}
    code: int = 1
    try:
        import pytest

        marks = "not slow and not interop"
        code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-m", marks, *tests]))
    finally:
        os._exit(code)


def main(arguments: list[str]) -> None:
    """Draw mutants, see what becomes of them, and say how many were noticed."""
    options = argparse.ArgumentParser(prog="python -m benchmarks mutants", description=__doc__)
    options.add_argument("--sample", type=int, default=200, help="mutants to draw")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--rooms", nargs="+", choices=ROOMS, default=list(ROOMS))
    options.add_argument("--minutes", type=float, default=float("inf"), help="then stop, for now")
    options.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "mutants.jsonl")
    given = options.parse_args(arguments)
    for name in _HEAVY:
        importlib.import_module(name)
    importlib.import_module("pytest")
    end = time.perf_counter() + 60 * given.minutes
    drawn = draw(given.seed, given.sample)
    mutants = [mutant for mutant in drawn if mutant.room in given.rooms]
    known = _known(given.results)
    with tempfile.TemporaryDirectory() as directory:
        copy = Copy(Path(directory))
        for mutant in mutants:
            if mutant.key in known or time.perf_counter() > end:
                continue
            begun = time.perf_counter()
            fate = copy.fate(mutant)
            wall_s = round(time.perf_counter() - begun, 1)
            outcome = Outcome(room=mutant.room, key=mutant.key, fate=fate, wall_s=wall_s)
            known[mutant.key] = outcome
            with given.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(outcome)) + "\n")
            print(f"{fate:15} {mutant.key}", flush=True)
    print(table([known[mutant.key] for mutant in mutants if mutant.key in known]))


def _known(results: Path) -> dict[str, Outcome]:
    if not results.exists():
        return {}
    lines = results.read_text(encoding="utf-8").splitlines()
    outcomes = [Outcome(**json.loads(line)) for line in lines]
    return {outcome.key: outcome for outcome in outcomes}


def table(outcomes: list[Outcome]) -> str:
    """A row for each room and one for all: mutants, survivors, share that was noticed."""
    drawn = Counter(outcome.room for outcome in outcomes)
    survivors = [outcome for outcome in outcomes if outcome.fate == "survived"]
    left = Counter(outcome.room for outcome in survivors)
    lines = ["| room | mutants | survived | noticed |", "| --- | --- | --- | --- |"]
    for name, n_drawn, n_left in [
        *((name, drawn[name], left[name]) for name in drawn),
        ("all", len(outcomes), len(survivors)),
    ]:
        noticed = 100 * (1 - n_left / max(n_drawn, 1))
        lines.append(f"| {name} | {n_drawn} | {n_left} | {noticed:.0f} % |")
    return "\n".join([*lines, "", *(outcome.key for outcome in survivors)])
