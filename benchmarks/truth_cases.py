"""What :mod:`benchmarks.truth` asks: recipes, ladders of errors, and sets where nothing differs."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

RECIPES = Path(__file__).parent.parent / "examples/benchmark"

_POSES_DEG = (2.0, 4.0, 6.0, 10.0)
_SHIFTS_PX = (0.2, 0.7, 1.0, 2.0)
_NOISE = (0.05, 0.03)
_SIZES = (40, 80, 150, 300)

FAULTS: Mapping[str, Mapping[str, float]] = {
    "poses": {"pose_error_deg": 5.0},
    "shifts": {"shift_error_px": 0.5},
    "contrast": {"contrast_particle_log_std": 0.4},
    "junk": {"junk_fraction": 0.2},
    "tilt_shifts": {"tilt_shift_px": 0.5},
}
"""Each of them alone is to be taken for what it is, and for no structure."""

POSES_AND_SHIFTS: Mapping[str, float] = {"pose_error_deg": 4.0, "shift_error_px": 0.7}


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the table.

    Attributes:
        name: of the case, ``SUITE/WHAT`` or that of its recipe.
        recipe: name of the recipe that it begins with.
        options: of the simulation, over those of the recipe.
    """

    name: str
    recipe: str
    options: Mapping[str, Any] = field(default_factory=dict)


def suites() -> dict[str, list[Case]]:
    """All cases by the question that they ask together."""
    recipes = sorted(path.stem for path in RECIPES.glob("*.yaml"))
    one = {"n_classes": 1, "class_weights": None}
    flawed = [name for name in recipes if _has_flaws(name)]
    return {
        "recipes": [Case(name, name) for name in recipes],
        "ladders": list(_ladders()),
        "motions": [
            Case(f"motions/{name}", name, POSES_AND_SHIFTS) for name in ("hinge", "hinge_twist")
        ],
        "one_structure": [Case(f"one_structure/{name}", name, one) for name in flawed],
        "false_claims": [
            Case(f"false_claims/{fault}/{n}", "none", {**options, "n_particles": n})
            for fault, options in FAULTS.items()
            for n in _SIZES
        ],
        "clean": [Case(f"clean/{n}", "none", {"n_particles": n}) for n in _SIZES],
    }


def chosen(names: Sequence[str], patterns: Sequence[str]) -> list[Case]:
    """Cases of the suites named, and of all suites those whose names match a pattern."""
    known = suites()
    found = [case for name in names for case in known[name]]
    every = [case for cases in known.values() for case in cases]
    for pattern in patterns:
        matching = [case for case in every if fnmatchcase(case.name, pattern)]
        if not matching:
            raise SystemExit(f"no case is called {pattern}; --list shows all")
        found += matching
    return list({case.name: case for case in found}.values())


def _ladders() -> Iterator[Case]:
    """Three classes behind more and more of an error."""
    none = {"pose_error_deg": 0.0, "shift_error_px": 0.0}
    for deg in _POSES_DEG:
        yield Case(f"poses/{deg:g}deg", "pose_errors", {**none, "pose_error_deg": deg})
    for px in _SHIFTS_PX:
        yield Case(f"shifts/{px:g}px", "pose_errors", {**none, "shift_error_px": px})
    yield Case("poses/4deg_1px", "pose_errors", {"pose_error_deg": 4.0, "shift_error_px": 1.0})
    for snr in _NOISE:
        yield Case(f"noise/snr_{snr:g}", "three_classes", {"snr": snr})


def _has_flaws(recipe: str) -> bool:
    """Whether a recipe of three classes has anything wrong."""
    text = (RECIPES / f"{recipe}.yaml").read_text(encoding="utf-8")
    return "n_classes: 3" in text and recipe != "three_classes"
