"""The promises of exporters, as tests: subclass the contract for each exporter."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest

from tomodrgn.core.interfaces import ExporterContext
from tomodrgn.core.testing.component_contract import ComponentContract
from tomodrgn.core.testing.example_run import example_run

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.components import Component
    from tomodrgn.core.interfaces import Exporter, RunResults
    from tomodrgn.core.registry import Registry
    from tomodrgn.core.specs.base import Spec


class ExporterContract(ComponentContract):
    """An exporter writes files into its folder and says which.

    Override ``make_results`` where :func:`example_run` has not what the exporter needs.
    """

    family: ClassVar[str] = "exporters"

    def make_results(self, folder: Path, registry: Registry) -> RunResults:
        """The run to export from; its files go to the folder."""
        return example_run(folder, registry)

    @pytest.fixture
    def results(self, tmp_path: Path, installed_components: Registry) -> RunResults:
        return self.make_results(tmp_path, installed_components)

    def export(
        self, component: Component, spec: Spec, results: RunResults, outdir: Path, *rows: int
    ) -> dict[str, bytes]:
        """Content of the files written, by path below ``outdir``."""
        exporter: Exporter = component.load()(spec, ExporterContext(outdir=outdir))
        paths = exporter.export(results, np.array(rows, dtype=np.int64) if rows else None)
        assert all(path.is_relative_to(outdir) and path.is_file() for path in paths)
        written = {path for path in outdir.rglob("*") if path.is_file()}
        assert set(paths) == written, "the paths returned are not those of the files written"
        return {str(path.relative_to(outdir)): path.read_bytes() for path in paths}

    def test_same_results_give_the_same_files(
        self, component: Component, own_spec: Spec, results: RunResults, tmp_path: Path
    ) -> None:
        first, second = (
            self.export(component, own_spec, results, tmp_path / "out") for _ in range(2)
        )
        assert first
        assert first == second

    def test_selection_of_all_is_no_selection(
        self, component: Component, own_spec: Spec, results: RunResults, tmp_path: Path
    ) -> None:
        rows = range(results.particles.n_particles)
        chosen = self.export(component, own_spec, results, tmp_path / "out", *rows)
        assert chosen == self.export(component, own_spec, results, tmp_path / "out")

    def test_export_leaves_the_run_as_it_is(
        self, component: Component, own_spec: Spec, results: RunResults, tmp_path: Path
    ) -> None:
        def contents() -> dict[Path, bytes]:
            files = results.directory.rglob("*")
            return {path: path.read_bytes() for path in files if path.is_file()}

        before = contents()
        self.export(component, own_spec, results, tmp_path / "out", 0)
        assert contents() == before
