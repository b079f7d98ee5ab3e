from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from tomodrgn.core.specs.files import read_spec
from tomodrgn.core.specs.simulation import SimulationSpec
from tomodrgn.plugins.commands.score.spec import ScoreSpec

ROOT = Path(__file__).parents[3]
RECIPES = sorted((ROOT / "examples/benchmark").glob("*.yaml"))
PAGE = ROOT / "docs/guide/benchmark-sets.md"


@pytest.mark.parametrize("spec", [SimulationSpec, ScoreSpec])
def test_every_field_is_documented(spec: type[SimulationSpec] | type[ScoreSpec]) -> None:
    assert all(field.description for field in spec.model_fields.values())


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"box_size_px": 33}, "multiple of 2"),
        ({"n_tilts": 61, "tilt_step_deg": 4.0}, "61 tilts in steps of 4.0 degrees reach 120.0"),
        ({"n_tilts": 5, "min_tilts": 6}, "min_tilts 6 is more than n_tilts 5"),
        ({"n_classes": 2, "class_weights": (1, 2, 3)}, "class_weights has 3 values"),
        ({"maps": ("a.mrc",), "motion": "hinge"}, "motion moves the phantom"),
        ({"maps": ()}, "maps is empty"),
        ({"defocus_um": (3, 2)}, "descends"),
        ({"motion_range_deg": (30, -30)}, "descends"),
        ({"twist_range_deg": (30, -30)}, "twist_range_deg 30.0 to -30.0 descends"),
        ({"junk_fraction": 1.0}, "less than 1"),
        ({"junk_fraction": 0.5, "species_fraction": 0.5}, "leave no particle"),
        ({"n_tilts": 5, "tilt_center_deg": -75}, "4.0 degrees about -75.0 degrees reach 83.0"),
        ({"maps": ("a.mrc",), "membrane": 0.5}, "membrane goes with the built-in molecule"),
        ({"maps": ("a.mrc",), "species_fraction": 0.5}, "species_fraction goes with the built-in"),
        ({"snr": 0}, "greater than 0"),
        ({"trajectories_a": 5}, "trajectories_a has no place in files of warp"),
        ({"visible_frames_only": True}, "visible_frames_only has no place in files of warp"),
        ({"format": "warptools", "subtomogram_priors": True}, "no place in files of warptools"),
        ({"format": "relion5", "size_convention": "binned"}, "no place in files of relion5"),
        ({"format": "warptools", "defocus_sign": "minus"}, "only beside binned sizes"),
        ({"ctf_premultiplied": True, "phase_flipped": True}, "not both; give one"),
        ({"ctf": False, "phase_flipped": True}, "leave ctf on"),
        ({"format": "tiff"}, "'warp', 'nextpyp', 'warptools', 'relion5' or 'relion4'"),
    ],
)
def test_what_cannot_be_simulated_is_refused(changes: dict[str, object], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        SimulationSpec(outdir="out", **changes)


def test_maps_bring_their_number_of_classes() -> None:
    spec = SimulationSpec(outdir="out", maps=("a.mrc", "b.mrc"), class_weights=(1, 3))
    assert spec.class_count == 2


def test_stacks_hold_the_frames_that_their_program_writes() -> None:
    formats = [
        ({"format": "warptools"}, False),
        ({"format": "warptools", "size_convention": "binned"}, True),
        ({"format": "relion5"}, True),
        ({"format": "relion4"}, False),
        ({"format": "relion5", "visible_frames_only": False}, False),
    ]
    for changes, expected in formats:
        spec = SimulationSpec(outdir="out", **changes)
        assert spec.stacks_hold_visible_frames is expected


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_of_the_benchmark_is_a_simulation(recipe: Path) -> None:
    spec = SimulationSpec(**{**read_spec(recipe), "outdir": "out"})
    assert f"`{recipe.stem}`" in PAGE.read_text()
    assert f"| {spec.n_particles} |" in PAGE.read_text()
