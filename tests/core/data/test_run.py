"""Opening a finished run: its particles are those of its latents, or it is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml

from tomodrgn.core.data.dataset import Dataset
from tomodrgn.core.data.run import Run
from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.files.pickles import write_latents
from tomodrgn.core.files.star import write_table
from tomodrgn.core.products import MANIFEST, RUN_SPEC
from tomodrgn.core.testing.example_run import BOX_SIZE_PX, PIXEL_SIZE_A, example_rows, example_run
from tomodrgn.plugins.commands.export.command import export
from tomodrgn.plugins.commands.export.spec import ExportSpec

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.interfaces import RunResults
    from tomodrgn.core.registry import Registry


@pytest.fixture
def results(tmp_path: Path, installed_components: Registry) -> RunResults:
    return example_run(tmp_path, installed_components)


def test_shuffled_input_is_refused(results: RunResults, installed_components: Registry) -> None:
    rows = example_rows().iloc[::-1]
    write_table(results.particles.source, rows)
    with pytest.raises(RunError, match=r"has changed since the run .* perhaps in another order"):
        Run(results.directory, installed_components).results()


def test_missing_rows_are_refused(results: RunResults, installed_components: Registry) -> None:
    write_table(results.particles.source, example_rows().iloc[1:])
    with pytest.raises(RunError, match="trained on 12 images of 3 particles; found 11 of 3"):
        Run(results.directory, installed_components).results()


def test_missing_input_says_who_names_it(
    results: RunResults, installed_components: Registry
) -> None:
    results.particles.source.unlink()
    with pytest.raises(DataError, match="cannot be read") as caught:
        Run(results.directory, installed_components).results()
    assert "run.yaml names" in caught.value.__notes__[0]


def test_particles_that_are_known_are_not_read_again(
    results: RunResults, installed_components: Registry
) -> None:
    results.particles.source.unlink()
    run = Run(results.directory, installed_components)
    known = results.reader, results.particles
    dataset = Dataset(run.spec, installed_components, known=known)
    again = Run(results.directory, installed_components, dataset=dataset)
    assert again.particles is results.particles


def test_latents_of_another_number_of_particles_are_refused(
    results: RunResults, installed_components: Registry
) -> None:
    latents = np.zeros((4, 2))
    write_latents(results.directory / "z.pkl", latents, latents)
    with pytest.raises(RunError, match=r"latents of shape \(4, 2\), the run has \(3, 2\)"):
        Run(results.directory, installed_components).results()


def test_a_run_that_has_not_ended_is_refused(
    results: RunResults, installed_components: Registry
) -> None:
    (results.directory / "z.pkl").unlink()
    with pytest.raises(RunError, match="has not ended; go on with --load latest"):
        Run(results.directory, installed_components).results()


def test_selection_and_box_are_those_of_the_run(
    results: RunResults, installed_components: Registry
) -> None:
    path = results.directory / RUN_SPEC
    spec = yaml.safe_load(path.read_text())
    spec["dataset"] |= {"use_first_ntilts": 4, "min_tilts": 4}
    spec["preparation"]["downsample"] = BOX_SIZE_PX // 2
    path.write_text(yaml.safe_dump(spec))
    manifest = results.directory / MANIFEST
    facts = json.loads(manifest.read_text())
    facts["dataset"] |= {
        "box_size_px": BOX_SIZE_PX // 2, "pixel_size_a": 2 * PIXEL_SIZE_A,
        "n_particles": 2, "n_images": 8, "particles_sha256": "",
    }  # fmt: skip
    manifest.write_text(json.dumps(facts))
    assert results.latents is not None
    write_latents(results.directory / "z.pkl", results.latents[1:], results.latents[1:])
    found = Run(results.directory, installed_components).results().particles
    assert list(found.name) == ["000_000001", "000_000002"]
    assert (found.box_size_px, found.pixel_size_a) == (BOX_SIZE_PX // 2, 2 * PIXEL_SIZE_A)
    first = results.particles.images.shift_px[results.particles.starts[1]]
    np.testing.assert_allclose(found.images.shift_px[0], first / 2, rtol=1e-6)


def test_export_takes_particles_by_their_index_in_the_input(
    results: RunResults, installed_components: Registry, tmp_path: Path
) -> None:
    np.save(tmp_path / "ind.npy", np.array([2]))
    spec = ExportSpec(
        run=results.directory, kind="star", outdir=tmp_path / "out", ind=tmp_path / "ind.npy"
    )
    (path,) = export(Run(spec.run, installed_components), spec)
    assert b"000_000002" in path.read_bytes()
    assert b"000_000001" not in path.read_bytes()


def test_looking_at_a_run_needs_no_torch() -> None:
    modules = ("core.data.run", "plugins.commands.confounds.command",
               "plugins.commands.export.command")  # fmt: skip
    names = ", ".join(f"tomodrgn.{module}" for module in modules)
    code = f"import {names}, sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
