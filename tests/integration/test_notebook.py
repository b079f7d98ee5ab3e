"""The steps of the README as one: analyze, select in the notebook, decode, map back, filter."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.core.notebook.notebooks import execute
from tests.integration.conftest import Command
from tomodrgn.core.cli.fields import builtin_registry
from tomodrgn.core.data.run import Run
from tomodrgn.core.files.pickles import load_pickles
from tomodrgn.core.notebook.files import NOTEBOOKS, notebook_text

_PLAIN = ("--seed", 1, "--accelerator", "cpu", "--threads", 1, "--no-report")


@pytest.fixture(scope="module")
def run(tomodrgn: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A linear run on twenty particles of two tomograms, analyzed."""
    folder = tmp_path_factory.mktemp("readme")
    tomodrgn(
        "simulate", "-o", folder / "set", "--format", "warptools", "--n-particles", 20,
        "--n-classes", 2, "--n-tomograms", 2, "--box-size-px", 16, "--pixel-size-a", 16,
        "--n-tilts", 5, "--snr", 1,
    )  # fmt: skip
    star, run = folder / "set" / "optimisation_set.star", folder / "run"
    tomodrgn("train_linear", star, "-o", run, "--zdim", 2, *_PLAIN)
    tomodrgn("analyze", run, "-o", run / "analyze", "--skip-umap", "--skip-vol", "--ksample", 3)
    return run


def test_the_notebook_leads_from_an_analysis_to_a_filtered_set(
    run: Path, tomodrgn: Command
) -> None:
    analysis, folder = run / "analyze", run.parent
    variables = execute(analysis / NOTEBOOKS[0])
    n = len(variables["selected"])
    assert 0 < n < 20
    tomograms = variables["selected"].by_tomogram()
    for tomogram, part in tomograms.items():
        latents = analysis / f"z_keep.{len(part)}.{tomogram}.pkl"
        volumes = folder / f"volumes_{tomogram}"
        tomodrgn("eval_vol", run / "weights.pkl", "--zfile", latents, "-o", volumes)
        assert len(list(volumes.glob("*.mrc"))) == len(part)
    kept = folder / "set" / "kept_optimisation_set.star"
    tomodrgn(
        "filter_star", folder / "set" / "optimisation_set.star",
        "--ind", analysis / f"ind_keep.{n}.pkl", "-o", kept,
    )  # fmt: skip
    tomodrgn(
        "subtomo2chimerax", kept, "--outdir", folder / "mapped", "--mode", "volumes",
        "-w", run / "weights.pkl", "-c", run, "--zfile", analysis / f"z_keep.{n}.pkl", "-d", 8,
    )  # fmt: skip
    scripts = {path.parent.name for path in (folder / "mapped").glob("*/mapback.cxc")}
    assert scripts == {f"tomo_{tomogram}" for tomogram in tomograms}


def test_kept_latents_are_those_of_the_kept_particles(run: Path) -> None:
    analysis = run / "analyze"
    n = len(execute(analysis / NOTEBOOKS[0])["selected"])
    kept, dropped, latents = (
        load_pickles(analysis / f"{name}.{n}.pkl")[0] for name in ("ind_keep", "ind_drop", "z_keep")
    )
    results = Run(run, builtin_registry()).results()
    assert results.latents is not None
    of_index = dict(zip(results.particles.source_particle.tolist(), results.latents, strict=True))
    np.testing.assert_array_equal(latents, np.stack([of_index[i] for i in kept.tolist()]))
    assert sorted([*kept.tolist(), *dropped.tolist()]) == list(range(20))
    named = json.loads((analysis / f"selection.{n}.json").read_text())["particles"]
    key_of = dict(
        zip(
            results.particles.source_particle.tolist(),
            zip(results.particles.tomogram, results.particles.name, strict=True),
            strict=True,
        )
    )
    assert [tuple(pair) for pair in named] == [key_of[i] for i in kept.tolist()]


def test_the_short_notebook_runs(run: Path) -> None:
    assert len(execute(run / "analyze" / NOTEBOOKS[1])["selected"]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_jupyter_executes_notebooks_with_a_lasso_in_them(
    run: Path, name: str, tmp_path: Path
) -> None:
    missing = [m for m in ("nbclient", "ipykernel", "jscatter") if not importlib.util.find_spec(m)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    import nbformat
    from nbclient import NotebookClient

    analysis = tmp_path / "run" / "analyze"  # one of its own, as what is saved is not overwritten
    shutil.copytree(run, analysis.parent, ignore=shutil.ignore_patterns("*_keep.*", "*_drop.*"))
    (analysis / name).write_text(notebook_text(name, analysis, analysis.parent))
    notebook = nbformat.read(analysis / name, as_version=4)
    nbformat.validate(notebook)
    shown_at = next(i for i, cell in enumerate(notebook.cells) if "scatter.show" in cell.source)
    drawn = nbformat.v4.new_code_cell("scatter.scatter.selection([1, 4, 5])")
    notebook.cells.insert(shown_at + 1, drawn)
    check = "rows = selected.rows.tolist()\nassert {1, 4, 5} <= set(rows), rows"
    notebook.cells.append(nbformat.v4.new_code_cell(check))
    resources = {"metadata": {"path": str(analysis)}}
    NotebookClient(notebook, timeout=120, resources=resources).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("application/vnd.jupyter.widget-view+json" in o.get("data", {}) for o in shown)
    assert any("image/png" in output.get("data", {}) for output in shown)
    assert list(analysis.glob("z_keep.*.pkl"))
