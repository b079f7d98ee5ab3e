"""Faults are what they say, one at a time, and leave words alone; samples are drawn by a seed."""

from __future__ import annotations

import ast
import difflib

import pytest

from benchmarks import mutants
from benchmarks.mutation import faults, with_fault

MODULE = '''
"""A word."""
import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

LIMIT: Final = 3


def area(width: float, path: Path, is_open: bool) -> float:
    """Return 2 areas."""
    if width <= 0:
        raise ValueError(f"{path}: {width + 1} is no width; give more than {2 - 2}")
    logger.info("area of %s", width + 7)
    found = 0.5 * width
    found += LIMIT
    rows.clear()
    return max(found, -width) if is_open and not path else math.floor(path / "name")
'''


def test_each_fault_changes_one_line_of_what_is_computed() -> None:
    whole = ast.unparse(ast.parse(MODULE)).splitlines()
    for fault in faults(MODULE):
        changed = with_fault(MODULE, fault.number).splitlines()
        lines = list(difflib.ndiff(whole, changed))
        assert len([line for line in lines if line.startswith("- ")]) == 1
        (now,) = (line for line in lines if line.startswith("+ "))
        assert fault.now in now or fault.now.startswith("if not")
        compile("\n".join(changed), "module", "exec")


def test_words_are_left_alone() -> None:
    touched = {MODULE.splitlines()[fault.line - 1].strip() for fault in faults(MODULE)}
    assert touched == {
        "LIMIT: Final = 3",
        "if width <= 0:",
        "found = 0.5 * width",
        "found += LIMIT",
        "rows.clear()",
        'return max(found, -width) if is_open and not path else math.floor(path / "name")',
    }


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("a < b", {"a <= b"}),
        ("a - b", {"a + b"}),
        ("a / 2.5", {"a * 2.5", "5.0"}),
        ("a and b", {"a or b"}),
        ("not a", {"a"}),
        ("a = 0.0", {"1.0"}),
        ("a = True", {"False"}),
        ("a if b else c", {"c if b else a"}),
        ("a = x.median(1)", {"x.mean(1)", "2"}),
        ("a += b", {"a -= b", "pass"}),
        ("x.append(b)", {"pass"}),
    ],
)
def test_faults_are_those_that_people_make(source: str, found: set[str]) -> None:
    assert {fault.now for fault in faults(source)} == found


def test_a_seed_draws_the_same_mutants_from_each_room_by_turns() -> None:
    drawn = mutants.draw(seed=1, number=12)
    assert drawn == mutants.draw(seed=1, number=40)[:12]
    assert drawn != mutants.draw(seed=2, number=12)
    assert [mutant.room for mutant in drawn] == 2 * list(mutants.ROOMS)


def test_mutants_have_tests_of_their_own_and_of_their_room() -> None:
    for mutant in mutants.draw(seed=1, number=60):
        parts = mutants.tests_of(mutant)
        assert 1 <= len(parts) <= 2
        assert len({file for part in parts for file in part}) == sum(map(len, parts))


def test_the_share_noticed_is_of_the_mutants_that_were_tried() -> None:
    fates = ("killed by own", "out of time", "survived", "killed by room")
    outcomes = [
        mutants.Outcome(room="fourier", key=str(number), fate=fate, wall_s=1.0)
        for number, fate in enumerate(fates)
    ]
    lines = mutants.table(outcomes).splitlines()
    assert lines[2:] == ["| fourier | 4 | 1 | 75 % |", "| all | 4 | 1 | 75 % |", "", "2"]
