"""Mapback: maps come from one place and suit the mode."""

from __future__ import annotations

from typing import Any

import pytest

from tomodrgn.core.errors import SpecError
from tomodrgn.core.specs.faults import validate
from tomodrgn.plugins.commands.mapback.spec import MapbackSpec

MINIMAL = {"particles": "particles.star", "outdir": "out"}


@pytest.mark.parametrize(
    ("fields", "mode"),
    [
        ({}, "markers"),
        ({"vol_path": "a.mrc"}, "volume"),
        ({"vols_dir": "maps"}, "volumes"),
        ({"class_volumes": "maps"}, "volumes"),
        ({"mode": "volumes", "config": "run"}, "volumes"),
    ],
)
def test_mode_suits_the_maps(fields: dict[str, Any], mode: str) -> None:
    assert validate(MapbackSpec, {**MINIMAL, **fields}).shown_as == mode


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"outdir": None}, "give either out, the script of one tomogram, or outdir"),
        ({"out": "a.cxc"}, "give either out"),
        ({"out": "a.txt", "outdir": None}, "out: a.txt ends in .txt; a script ends in .cxc"),
        ({"mode": "volume"}, "mode volume takes vol_path; found none"),
        ({"mode": "markers", "vol_path": "a.mrc"}, "mode markers takes no maps; found vol_path"),
        ({"mode": "volumes", "vol_path": "a.mrc"}, "takes vols_dir or class_volumes; found"),
        ({"vols_dir": "a", "class_volumes": "b"}, "maps come from one place; found vols_dir, cl"),
        ({"class_labels": "labels.pkl"}, "class_labels belong to class_volumes"),
        ({"labels": "a.pkl", "color_by": "z0"}, "give labels or color_by to color by, not both"),
        ({"downsample": 15}, "downsample: .*multiple of 2"),
    ],
)
def test_fault_is_explained(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        validate(MapbackSpec, {**MINIMAL, **fields})
