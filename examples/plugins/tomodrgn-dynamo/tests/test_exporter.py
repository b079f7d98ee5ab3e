"""The contract of exporters, and a table that is read as the particles it was written from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from small_set import write_small_set
from tomodrgn_dynamo import DynamoExporterSpec, DynamoReaderSpec
from tomodrgn_dynamo.exporter import DynamoExporter
from tomodrgn_dynamo.reader import DynamoReader
from tomodrgn_dynamo.table import CLASS, TAG, read_table

from tomodrgn.plugin import DataError, ExporterContext, ReaderContext, RunResults
from tomodrgn.testing import ExporterContract

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.testing import Registry


class TestDynamoExporter(ExporterContract):
    spec = DynamoExporterSpec()

    def make_results(self, folder: Path, registry: Registry) -> RunResults:
        return in_tomograms(super().make_results(folder, registry), write_small_set(folder))


def in_tomograms(results: RunResults, path: Path) -> RunResults:
    """A run on the particles of a table."""
    reader = DynamoReader(DynamoReaderSpec(path=path), ReaderContext())
    particles = reader.read()
    latents = np.arange(2.0 * particles.n_particles, dtype=np.float32).reshape(-1, 2)
    return replace(results, particles=particles, latents=latents, reader=reader)


@pytest.fixture
def results(tmp_path: Path) -> RunResults:
    empty = RunResults(
        directory=tmp_path, spec={}, particles=None, latents=None, log_variance=None, reader=None
    )
    return in_tomograms(empty, write_small_set(tmp_path))


def export(results: RunResults, outdir: Path, *rows: int, **options: object) -> dict[str, Path]:
    exporter = DynamoExporter(DynamoExporterSpec(**options), ExporterContext(outdir=outdir))
    selection = np.array(rows) if rows else None
    return {path.name: path for path in exporter.export(results, selection)}


def test_table_is_read_as_the_same_particles(results: RunResults, tmp_path: Path) -> None:
    written = export(results, tmp_path / "out")["particles.tbl"]
    spec = DynamoReaderSpec(
        path=written, tilts=tmp_path / "tilts.csv", datadir=tmp_path, pixel_size_a=20.0
    )
    found = DynamoReader(spec, ReaderContext()).read()
    for name in ("name", "tomogram", "image_name"):
        np.testing.assert_array_equal(getattr(found, name), getattr(results.particles, name))
    np.testing.assert_allclose(found.position_a, results.particles.position_a, atol=1e-4)
    np.testing.assert_allclose(found.orientation, results.particles.orientation, atol=1e-7)


def test_selection_keeps_tags_with_their_classes_and_latents(
    results: RunResults, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.txt"
    np.savetxt(labels, [3, 1, 4, 1, 5, 9], fmt="%d")
    written = export(results, tmp_path / "out", 4, 2, labels=labels)
    table = read_table(written["particles.tbl"])
    assert table[:, [TAG, CLASS]].tolist() == [[14, 5], [12, 4]]
    assert np.loadtxt(written["latents.txt"]).tolist() == [[14, 8, 9], [12, 4, 5]]


def test_particles_without_place_are_refused(results: RunResults, tmp_path: Path) -> None:
    nowhere = replace(results, particles=replace(results.particles, position_a=None))
    with pytest.raises(DataError, match="gives poses of images, not of particles"):
        export(nowhere, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_labels_of_other_particles_are_refused(results: RunResults, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    np.savetxt(labels, [1, 2], fmt="%d")
    with pytest.raises(DataError, match="holds 2 labels"):
        export(results, tmp_path / "out", labels=labels)
