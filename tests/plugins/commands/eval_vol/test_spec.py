"""Volumes to decode: latents come from one place, boxes are even."""

from __future__ import annotations

from typing import Any

import pytest

from tomodrgn.core.errors import SpecError
from tomodrgn.core.specs.faults import validate
from tomodrgn.plugins.commands.eval_vol.spec import VolumesSpec


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"z": [1.0], "zfile": "z.txt"}, "give latents once; found z, zfile"),
        ({"z_start": [1.0]}, "z_start and z_end belong together"),
        ({"z_start": [1.0], "z_end": [1.0, 2.0]}, "z_start has 1 numbers, z_end 2"),
        ({"downsample": 31}, "downsample: .*multiple of 2"),
    ],
)
def test_fault_is_explained(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        validate(VolumesSpec, {"weights": "weights.pkl", "out": "volumes", **fields})
