from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tomodrgn.core.specs.simulation import SimulationSpec

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def small_spec(tmp_path: Path) -> SimulationSpec:
    """Twelve particles of three classes in two tomograms, box 16, a few images each."""
    return SimulationSpec(
        outdir=tmp_path / "simulated",
        n_particles=12,
        n_tomograms=2,
        n_tilts=5,
        box_size_px=16,
        pixel_size_a=12.0,
        origin_shift_px=2.0,
        snr=None,
    )


@pytest.fixture
def altered(small_spec: SimulationSpec):
    """A small spec with some fields changed, validated anew."""

    def alter(**changes: object) -> SimulationSpec:
        return SimulationSpec(**{**small_spec.model_dump(), **changes})

    return alter
