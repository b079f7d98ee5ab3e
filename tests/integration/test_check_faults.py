"""``check`` names what is wrong with a set, and passes what is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.integration.faults import FAULTS, Fault, SimulatedSet
from tomodrgn.core.cli.main import cli
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec

pytestmark = pytest.mark.slow

SIZE: dict[str, Any] = {
    "n_particles": 64, "n_tomograms": 2, "n_classes": 1, "n_tilts": 11, "tilt_step_deg": 10.0,
    "box_size_px": 32, "pixel_size_a": 9.0, "snr": 0.5, "origin_shift_px": 2.5,
    "field_a": (3000.0, 3000.0, 4000.0), "seed": 21,
}  # fmt: skip
FLAVOURS: dict[str, dict[str, Any]] = {
    "warp": {},
    "warp, without CTF": {"ctf": False},
    "nextpyp": {"format": "nextpyp", "tilt_axis_deg": 85.0},
    "warptools": {"format": "warptools", "tilt_axis_deg": -84.0},
    "warptools of 2026": {"format": "warptools", "size_convention": "binned"},
    "relion5": {"format": "relion5"},
    "relion5, with priors": {"format": "relion5", "subtomogram_priors": True},
    "relion4": {"format": "relion4", "tilt_scheme": "bidirectional"},
}
STATE_OF = {"warp": "raw", "relion5": "premultiplied"}


@pytest.fixture(scope="session")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SimulatedSet]:
    folder = tmp_path_factory.mktemp("flavours")
    made = {}
    for number, (name, flavour) in enumerate(FLAVOURS.items()):
        spec = SimulationSpec(outdir=folder / str(number), **{**SIZE, **flavour})
        made[name] = SimulatedSet(simulate(spec))
    return made


def checked(star: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Exit code and report of a check."""
    outdir = star.parent / "report"
    words = ["check", str(star), "-o", str(outdir), "--json", *options]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code in {0, 1}, result.output
    found = json.loads((outdir / "check.json").read_text())
    assert json.loads(result.stdout) == found
    return result.exit_code, found


@pytest.mark.parametrize("name", FLAVOURS)
def test_clean_data_pass(name: str, sets: dict[str, SimulatedSet]) -> None:
    code, found = checked(sets[name].star)
    assert found["faults"] == []
    assert code == 0


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("flavour", ["warp", pytest.param("relion5", marks=pytest.mark.slow)])
def test_a_fault_is_named(
    flavour: str, fault: Fault, sets: dict[str, SimulatedSet], tmp_path: Path
) -> None:
    if STATE_OF[flavour] not in fault.states:
        pytest.skip("the other way round is tried on the other flavour")
    faulty = sets[flavour].copy_to(tmp_path / "faulty")
    options = fault.apply(faulty, SIZE["pixel_size_a"])
    code, found = checked(faulty.star, *options)
    assert found["fault_ids"] == [fault.called]
    assert code == 1


def test_the_remedy_cures_the_fault(sets: dict[str, SimulatedSet], tmp_path: Path) -> None:
    faulty = sets["warp"].copy_to(tmp_path / "faulty")
    FAULTS[0].apply(faulty, SIZE["pixel_size_a"])
    verdict = next(v for v in checked(faulty.star)[1]["verdicts"] if v["assumption"] == "contrast")
    remedy = verdict["alternatives"][0]["remedy"]
    assert remedy == "--uninvert-data"
    assert checked(faulty.star, remedy)[0] == 0
