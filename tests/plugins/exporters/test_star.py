"""The particles file with latents as columns: what is new, and that nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import numeric_column, read_star
from tomodrgn.core.interfaces import ExporterContext
from tomodrgn.core.testing.example_run import COUNTS, example_run
from tomodrgn.plugins.exporters import StarSpec
from tomodrgn.plugins.exporters.star import StarExporter
from tomodrgn.testing import ExporterContract

if TYPE_CHECKING:
    import pandas as pd

    from tomodrgn.core.interfaces import RunResults
    from tomodrgn.core.registry import Registry


class TestStar(ExporterContract):
    spec = StarSpec()


@pytest.fixture
def results(tmp_path: Path, installed_components: Registry) -> RunResults:
    return example_run(tmp_path, installed_components)


def export(results: RunResults, outdir: Path, spec: StarSpec, *rows: int) -> Path:
    exporter = StarExporter(spec, ExporterContext(outdir=outdir))
    return exporter.export(results, np.array(rows) if rows else None)[0]


def table_of(path: Path) -> pd.DataFrame:
    star = read_star(path)
    return star.read(star.table_with("rlnImageName"))


def test_rows_carry_the_latents_of_their_particle(results: RunResults, tmp_path: Path) -> None:
    path = export(results, tmp_path / "out", StarSpec())
    table = table_of(path)
    assert results.latents is not None
    assert results.log_variance is not None
    for dimension in range(2):
        latent = numeric_column(table, f"tomodrgnLatent{dimension + 1}", path)
        spread = numeric_column(table, f"tomodrgnLatentSd{dimension + 1}", path)
        # seven digits are written, which is what float32 has
        expected = results.latents[:, dimension].repeat(COUNTS)
        np.testing.assert_allclose(latent, expected, rtol=1e-6)
        expected = np.exp(results.log_variance[:, dimension] / 2).repeat(COUNTS)
        np.testing.assert_allclose(spread, expected, rtol=1e-6)


def test_columns_of_the_input_keep_their_bytes(results: RunResults, tmp_path: Path) -> None:
    source = results.particles.source.read_bytes().splitlines()
    written = export(results, tmp_path / "out", StarSpec()).read_bytes().splitlines()
    rows = [line for line in source if b"@" in line]
    found = [line for line in written if b"@" in line]
    assert all(new.startswith(old + b"\t") for new, old in zip(found, rows, strict=True))
    assert written[: source.index(rows[0])] == source[: source.index(rows[0])]


def test_selected_particles_bring_all_their_rows(results: RunResults, tmp_path: Path) -> None:
    table = table_of(export(results, tmp_path / "out", StarSpec(), 2, 0))
    assert list(table.rlnGroupName.unique()) == ["000_000000", "000_000002"]
    assert len(table) == COUNTS[0] + COUNTS[2]


def test_labels_become_a_column(results: RunResults, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("ribosome\nfree\nribosome large\n")
    spec = StarSpec(labels=(tmp_path / "labels.txt",), uncertainty=False, prefix="mine")
    table = table_of(export(results, tmp_path / "out", spec))
    expected = np.repeat(["ribosome", "free", "ribosome large"], COUNTS)
    assert list(table.mineLabel) == list(expected)
    assert "mineLatentSd1" not in table


def test_one_file_of_labels_needs_no_list() -> None:
    spec = StarSpec.model_validate({"labels": "labels.txt"})
    assert spec == StarSpec(labels=(Path("labels.txt"),))


def test_labels_of_other_particles_are_refused(results: RunResults, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("1\n2\n")
    with pytest.raises(DataError, match="holds 2 labels, the run has 3 particles"):
        export(results, tmp_path / "out", StarSpec(labels=(tmp_path / "labels.txt",)))


def test_columns_that_are_there_are_not_written_again(
    results: RunResults, tmp_path: Path, installed_components: Registry
) -> None:
    first = export(results, tmp_path / "out", StarSpec())
    results.particles.source.write_bytes(first.read_bytes())
    again = example_run_on_same_input(results, installed_components)
    with pytest.raises(DataError, match="has a column tomodrgnLatent1 already"):
        export(again, tmp_path / "again", StarSpec())


def example_run_on_same_input(results: RunResults, registry: Registry) -> RunResults:
    from tomodrgn.core.data.run import Run

    return Run(results.directory, registry).results()
