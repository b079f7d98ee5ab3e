"""Markers of the particles of a run."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.core.interfaces import ExporterContext
from tomodrgn.core.testing.example_run import example_run
from tomodrgn.plugins.exporters import ChimeraxSpec
from tomodrgn.plugins.exporters.chimerax import ChimeraxExporter
from tomodrgn.testing import ExporterContract

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.interfaces import RunResults
    from tomodrgn.core.registry import Registry

POSITION_A = np.array([[100.0, 200.0, 300.0], [400.0, 500.0, 600.0], [700.0, 800.0, 900.0]])


def placed_run(folder: Path, registry: Registry) -> RunResults:
    """The example run, with particles that have a place in two tomograms."""
    results = example_run(folder, registry)
    tomogram = np.array(["a b", "c", "a b"], dtype=object)
    placed = replace(results.particles, position_a=POSITION_A, tomogram=tomogram)
    return replace(results, particles=placed)


class TestChimerax(ExporterContract):
    spec = ChimeraxSpec(latent=1)

    def make_results(self, folder: Path, registry: Registry) -> RunResults:
        return placed_run(folder, registry)


@pytest.fixture
def results(tmp_path: Path, installed_components: Registry) -> RunResults:
    return placed_run(tmp_path, installed_components)


def export(results: RunResults, outdir: Path, spec: ChimeraxSpec) -> dict[str, str]:
    paths = ChimeraxExporter(spec, ExporterContext(outdir=outdir)).export(results, None)
    return {path.name: path.read_text() for path in paths}


def test_markers_are_where_the_particles_are(results: RunResults, tmp_path: Path) -> None:
    files = export(results, tmp_path / "out", ChimeraxSpec(marker_radius_a=50))
    assert set(files) == {"a_b.cxc", "a_b_rgba_labels.txt", "c.cxc", "c_rgba_labels.txt"}
    found = re.findall(r"position ([-\d.,]+) radius 50 ", files["a_b.cxc"])
    np.testing.assert_allclose([[float(x) for x in row.split(",")] for row in found],
                               POSITION_A[[0, 2]])  # fmt: skip


def test_equal_labels_have_equal_colors(results: RunResults, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("1\n1\n0\n")
    files = export(results, tmp_path / "out", ChimeraxSpec(labels=tmp_path / "labels.txt"))
    first, third = re.findall(r"color (\S+)", files["a_b.cxc"])
    (second,) = re.findall(r"color (\S+)", files["c.cxc"])
    assert first == second != third


def test_a_latent_that_is_not_there_is_refused(results: RunResults, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="3 is asked for, the run has 2 latent dimensions"):
        export(results, tmp_path / "out", ChimeraxSpec(latent=3))


def test_particles_without_places_are_refused(results: RunResults, tmp_path: Path) -> None:
    nowhere = replace(results, particles=replace(results.particles, position_a=None))
    with pytest.raises(DataError, match="no coordinates"):
        export(nowhere, tmp_path / "out", ChimeraxSpec())
